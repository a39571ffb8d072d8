# SPDX-License-Identifier: Apache-2.0
# What the kernel is, for Vivado and for the tests: reads arguments.txt and hw/geometries.txt, and
# makes from them kernel.xml and the sources with a geometry's parameters. Plain Tcl 8.5.
namespace eval description {
    variable folder [file dirname [file normalize [info script]]]
    variable kernel bittern_kernel
    variable vendor bittern
    variable library kernel
    variable version 1.0
}

# Lines of a table, without comments, as lists of words.
proc description::read_table {path columns} {
    set file [open $path r]
    set text [read $file]
    close $file
    set rows {}
    set number 0
    foreach line [split $text \n] {
        incr number
        set line [string trim $line]
        if {$line eq "" || [string index $line 0] eq "#"} {
            continue
        }
        set words [regexp -all -inline {\S+} $line]
        if {[llength $words] != $columns} {
            error "$path:$number: $columns columns are needed: $line"
        }
        lappend rows $words
    }
    return $rows
}

# Registers in order: lists of name, offset, bytes, kind.
proc description::read_arguments {} {
    variable folder
    set path [file join $folder arguments.txt]
    set end 0
    set rows {}
    foreach row [read_table $path 4] {
        lassign $row name offset bytes kind
        if {![string is integer -strict $offset] || ![string is integer -strict $bytes]} {
            error "$path: $name: offset and bytes are numbers"
        }
        set wanted [dict create control 4 memory 8 value 4]
        if {![dict exists $wanted $kind] || [dict get $wanted $kind] != $bytes} {
            error "$path: $name: kind is control (4 bytes), memory (8) or value (4)"
        }
        if {$offset % 4 != 0 || $offset < $end || $offset + $bytes > 4096} {
            error "$path: $name: at $offset it overlaps the register above, or is out of range"
        }
        set end [expr {$offset + $bytes}]
        lappend rows [list $name [expr {$offset + 0}] $bytes $kind]
    }
    return $rows
}

# Verilog parameters of a named geometry, as a dictionary.
proc description::read_geometry {name} {
    variable folder
    set path [file normalize [file join $folder .. geometries.txt]]
    foreach row [read_table $path 7] {
        lassign $row known word oc px feature_words weight_rows units
        if {$known eq $name} {
            return [dict create WORD $word OC $oc PX $px FEATURE_WORDS $feature_words \
                WEIGHT_ROWS $weight_rows HAS_XNOR [expr {$units & 1}] \
                HAS_TERNARY [expr {($units >> 1) & 1}] HAS_INT [expr {($units >> 2) & 1}]]
        }
        lappend names $known
    }
    error "no geometry '$name' in $path: there are [join $names {, }]"
}

# Copy hw/rtl to a folder, with the top's default parameters set to the geometry's: the packager
# then needs no parameters of its own. Returns the copies' paths.
proc description::write_sources {parameters target} {
    variable folder
    variable kernel
    file mkdir $target
    set copies {}
    foreach path [lsort [glob -directory [file normalize [file join $folder .. rtl]] *.v]] {
        set file [open $path r]
        set text [read $file]
        close $file
        if {[file tail $path] eq "$kernel.v"} {
            dict for {name value} $parameters {
                set pattern "(\\n\\s*parameter\\s+$name\\s*=\\s*)\\d+"
                if {[regexp -all $pattern $text] != 1} {
                    error "$path: parameter $name is not there exactly once"
                }
                regsub $pattern $text "\\1$value" text
            }
        }
        set copy [file join $target [file tail $path]]
        set file [open $copy w]
        puts -nonewline $file $text
        close $file
        lappend copies $copy
    }
    return $copies
}

# kernel.xml as UG1702 describes it ("RTL Kernel XML File").
proc description::write_kernel_xml {arguments word path} {
    variable kernel
    variable vendor
    variable library
    variable version
    set xml "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<root versionMajor=\"1\" versionMinor=\"6\">\n"
    append xml "  <kernel name=\"$kernel\" language=\"ip_c\""
    append xml " vlnv=\"$vendor:$library:$kernel:$version\" attributes=\"\""
    append xml " preferredWorkGroupSizeMultiple=\"0\" workGroupSize=\"1\" interrupt=\"true\""
    append xml " hwControlProtocol=\"ap_ctrl_hs\">\n    <ports>\n"
    append xml "      <port name=\"s_axi_control\" mode=\"slave\" range=\"0x1000\" dataWidth=\"32\""
    append xml " portType=\"addressable\" base=\"0x0\"/>\n"
    append xml "      <port name=\"m_axi_gmem\" mode=\"master\" range=\"0xFFFFFFFFFFFFFFFF\""
    append xml " dataWidth=\"$word\" portType=\"addressable\" base=\"0x0\"/>\n"
    append xml "    </ports>\n    <args>\n"
    set id 0
    foreach row $arguments {
        lassign $row name offset bytes kind
        switch $kind {
            memory { lassign {1 m_axi_gmem void*} qualifier port type }
            value { lassign {0 s_axi_control uint} qualifier port type }
            default { continue }
        }
        append xml "      <arg name=\"$name\" addressQualifier=\"$qualifier\" id=\"$id\""
        append xml " port=\"$port\" size=\"[format 0x%X $bytes]\" offset=\"[format 0x%03X $offset]\""
        append xml " type=\"$type\" hostOffset=\"0x0\" hostSize=\"[format 0x%X $bytes]\"/>\n"
        incr id
    }
    append xml "    </args>\n  </kernel>\n</root>\n"
    set file [open $path w]
    puts -nonewline $file $xml
    close $file
}
