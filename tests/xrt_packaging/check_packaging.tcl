# SPDX-License-Identifier: Apache-2.0
# Checks the packaging of a source tree against its Verilog, its C header and its documentation, and
# the ports against what Vitis asks of an RTL kernel ("RTL Kernel Interface Requirements", UG1701).
# Prints each difference, and ends with 1 where there is one.
#
#   tclsh check_packaging.tcl ROOT WORK-FOLDER
set tests [file dirname [file normalize [info script]]]
source [file join $tests verilog_ports.tcl]
lassign $argv root work
source [file join $root hw/xrt/description.tcl]
set differences 0

proc differ {place text} {
    puts stderr "$place: $text"
    incr ::differences
}

proc expect {place what found wanted} {
    if {$found ne $wanted} {
        differ $place "$what is $found, not $wanted"
    }
}

proc hex {number} {
    return [format 0x%03X $number]
}

# ---- the same registers everywhere ---------------------------------------------------------------
set arguments [description::read_arguments]
# Names of the control registers in the C header and in the Verilog's write strobes.
set controls {CTRL {CONTROL control} GIER {GLOBAL_INTERRUPT gie} IP_IER {INTERRUPT_ENABLE ier}
    IP_ISR {INTERRUPT_STATUS isr}}

proc check_header {} {
    set text [read_text [file join $::root host/src/device/kernel_registers.h]]
    foreach row $::arguments {
        lassign $row name offset
        set macro [string toupper $name]
        if {[dict exists $::controls $name]} {
            set macro [lindex [dict get $::controls $name] 0]
        }
        if {![regexp "#define KERNEL_$macro\\s+(0x\[0-9A-Fa-f\]+)" $text all value]} {
            differ kernel_registers.h "there is no KERNEL_$macro"
            continue
        }
        expect kernel_registers.h KERNEL_$macro [hex $value] [hex $offset]
    }
}

proc check_register_map {} {
    set text [read_text [file join $::root docs/register-map.md]]
    foreach row $::arguments {
        lassign $row name offset bytes kind
        if {$kind eq "control"} {
            set pattern "\\n\\| [format 0x%02X $offset] \\| [
                dict get {CTRL control GIER {global interrupt enable} IP_IER {interrupt enable}
                    IP_ISR {interrupt status}} $name] \\|"
        } else {
            set places [format 0x%02X $offset]
            if {$bytes == 8} {
                append places ", [format 0x%02X [expr {$offset + 4}]]"
            }
            set pattern "\\n\\| $places \\| $name\\M"
        }
        if {![regexp $pattern $text]} {
            differ register-map.md "$name is not at [hex $offset], $bytes bytes"
        }
    }
}

proc check_verilog_registers {} {
    set text [read_text [file join $::root hw/rtl/axil_control.v]]
    # The register word of argument word n, as the Verilog computes it; its / is that of Tcl.
    if {![regexp {\n\s*argument_word = ([^;]+);} $text all formula] ||
        ![regexp {ARGUMENT_WORDS = (\d+);} $text all words]} {
        differ axil_control.v "argument_word or ARGUMENT_WORDS is not there"
        return
    }
    regsub -all {\mn\M} $formula {$n} formula
    set known 0
    foreach row $::arguments {
        lassign $row name offset bytes kind
        if {$kind eq "control"} {
            set strobe write_[lindex [dict get $::controls $name] 1]
            if {![regexp "wire $strobe\\s*= write && aw_word_reg == 10'h(\[0-9a-fA-F\]+)" \
                $text all word]} {
                differ axil_control.v "there is no $strobe"
                continue
            }
            expect axil_control.v $name [hex [expr {4 * [scan $word %x]}]] [hex $offset]
            continue
        }
        set signal [expr {$kind eq "memory" ? "${name}_address" : $name}]
        if {![regexp "assign $signal\\s*= run_reg\\\[(\\d+)\\s*\\+:" $text all bit]} {
            differ axil_control.v "there is no $signal"
            continue
        }
        for {set i 0} {$i < $bytes / 4} {incr i} {
            set n [expr {$bit / 32 + $i}]
            expect axil_control.v "word $i of $name" [hex [expr "4 * ($formula)"]] \
                [hex [expr {$offset + 4 * $i}]]
            incr known
        }
    }
    expect axil_control.v ARGUMENT_WORDS $words $known
}

# The emulated card's xclbin, where it is part of the tree.
proc check_emulation {} {
    set path [file join $::root hw/xrt/xclbin_parts.c]
    if {![file exists $path]} {
        return
    }
    set found {}
    foreach {all name macro address} [regexp -all -inline \
        {\{"(\w+)", KERNEL_(\w+), (true|false)\}} [read_text $path]] {
        lappend found $name $macro $address
    }
    set wanted {}
    foreach row $::arguments {
        lassign $row name offset bytes kind
        if {$kind ne "control"} {
            lappend wanted $name [string toupper $name] [expr {$kind eq "memory" ? "true" : "false"}]
        }
    }
    expect xclbin_parts.c "the list of arguments" $found $wanted
}

# ---- ports ---------------------------------------------------------------------------------------
# Signals of AXI, without the prefix: direction at a master, bits ("address" and "data": those of
# the interface), and o where an AXI4-Lite slave may leave it out.
set axi {
    awaddr {output address} awprot {output 3 o} awvalid {output 1} awready {input 1}
    wdata {output data} wstrb {output strobe} wvalid {output 1} wready {input 1}
    bresp {input 2} bvalid {input 1} bready {output 1}
    araddr {output address} arprot {output 3 o} arvalid {output 1} arready {input 1}
    rdata {input data} rresp {input 2} rvalid {input 1} rready {output 1}
}
set axi_full {
    awlen {output 8} awsize {output 3} awburst {output 2} wlast {output 1}
    arlen {output 8} arsize {output 3} arburst {output 2} rlast {input 1}
}
set axi_optional {
    awid {output id} bid {input id} arid {output id} rid {input id}
    awlock {output 1} awcache {output 4} awqos {output 4} awregion {output 4}
    arlock {output 1} arcache {output 4} arqos {output 4} arregion {output 4}
}

proc check_port {place ports port direction width} {
    if {![dict exists $ports $port]} {
        differ $place "there is no port $port"
        return
    }
    lassign [dict get $ports $port] found bits
    expect $place "direction of $port" $found $direction
    expect $place "width of $port" $bits $width
}

proc check_ports {place module} {
    set ports [dict get $module ports]
    expect $place "name of the module" [dict get $module name] $description::kernel
    check_port $place $ports ap_clk input 1
    check_port $place $ports ap_rst_n input 1
    check_port $place $ports interrupt output 1
    set known {ap_clk ap_rst_n interrupt}

    # 4 KiB of registers in words of 32 bits; 64-bit addresses and WORD bits of data at the memory.
    set word [dict get $module parameters WORD]
    set slave {address 12 data 32 strobe 4}
    set master [list address 64 data $word strobe [expr {$word / 8}] id 1]
    foreach {signal rule} $::axi {
        lassign $rule direction bits optional
        lappend known s_axi_control_$signal m_axi_gmem_$signal
        set flipped [expr {$direction eq "input" ? "output" : "input"}]
        if {$optional eq "" || [dict exists $ports s_axi_control_$signal]} {
            check_port $place $ports s_axi_control_$signal $flipped [string map $slave $bits]
        }
        check_port $place $ports m_axi_gmem_$signal $direction [string map $master $bits]
    }
    foreach {signal rule} [concat $::axi_full $::axi_optional] {
        lassign $rule direction bits
        lappend known m_axi_gmem_$signal
        if {[dict exists $::axi_full $signal] || [dict exists $ports m_axi_gmem_$signal]} {
            check_port $place $ports m_axi_gmem_$signal $direction [string map $master $bits]
        }
    }
    foreach port [dict keys $ports] {
        if {$port ni $known} {
            differ $place "port $port belongs to no interface"
        }
    }
    if {$word ni {32 64 128 256 512 1024}} {
        differ $place "$word bits of m_axi_gmem are not a width of Vitis"
    }
}

# ---- what the scripts make -----------------------------------------------------------------------
proc check_package {geometry} {
    set xo [file join $::work $geometry.xo]
    set folder [file join $::work $geometry]
    if {[catch {exec [info nameofexecutable] [file join $::tests vivado_recorder.tcl] -mode batch \
        -source [file join $::root hw/xrt/gen_xo.tcl] -tclargs $geometry some-part $folder $xo} message]} {
        differ "gen_xo.tcl, $geometry" $message
        return
    }
    set record [split [string trim [read_text $xo]] \n]
    set parameters [description::read_geometry $geometry]

    set wanted {}
    set found {}
    foreach row $::arguments {
        lassign $row name offset bytes kind
        lappend wanted "register $name [hex $offset] [expr {8 * $bytes}] [
            expr {$kind eq "memory" ? "m_axi_gmem" : "-"}]"
    }
    foreach line $record {
        switch [lindex $line 0] {
            register { lappend found $line }
            parameter {
                lassign $line all name value
                if {[dict exists $parameters $name]} {
                    expect "packaged sources, $geometry" $name $value [dict get $parameters $name]
                }
            }
        }
    }
    expect "packaged registers, $geometry" "the list" $found $wanted
    foreach line {
        {bus s_axi_control type aximm clock ap_clk}
        {bus m_axi_gmem type aximm clock ap_clk}
        {bus ap_clk type clock_rtl reset ap_rst_n}
        {bus ap_rst_n type reset_rtl}
        {bus interrupt type interrupt_rtl}
        {bus_parameter POLARITY ACTIVE_LOW}
        {range 4096}
    } {
        if {$line ni $record} {
            differ "packaged IP, $geometry" "'$line' is not there"
        }
    }
    check_ports "bittern_kernel.v, $geometry" \
        [verilog_module [file join $folder rtl bittern_kernel.v]]
    check_kernel_xml $geometry [read_text [file join $folder kernel.xml]] \
        [lindex [lsearch -inline -index 0 $record part_of] 1] [dict get $parameters WORD]
}

# The attributes of each element with a name, in the order of the file.
proc elements {xml element} {
    set all {}
    foreach {text attributes} [regexp -all -inline "<$element\\s+(\[^>\]*)>" $xml] {
        set one [dict create]
        foreach {pair key value} [regexp -all -inline {(\w+)="([^"]*)"} $attributes] {
            dict set one $key $value
        }
        lappend all $one
    }
    return $all
}

proc check_kernel_xml {geometry xml vlnv word} {
    set place "kernel.xml, $geometry"
    set kernel [lindex [elements $xml kernel] 0]
    foreach {key value} [list name $description::kernel language ip_c vlnv $vlnv \
        hwControlProtocol ap_ctrl_hs interrupt true] {
        expect $place "kernel's $key" [dict get $kernel $key] $value
    }
    expect $place ports [lmap port [elements $xml port] {
        list [dict get $port name] [dict get $port mode] [dict get $port dataWidth] \
            [dict get $port range]
    }] [list {s_axi_control slave 32 0x1000} [list m_axi_gmem master $word 0xFFFFFFFFFFFFFFFF]]
    set wanted {}
    foreach row $::arguments {
        lassign $row name offset bytes kind
        if {$kind ne "control"} {
            lappend wanted [list [llength $wanted] $name [expr {$kind eq "memory"}] \
                [expr {$kind eq "memory" ? "m_axi_gmem" : "s_axi_control"}] [hex $offset] $bytes $bytes]
        }
    }
    expect $place arguments [lmap arg [elements $xml arg] {
        list [dict get $arg id] [dict get $arg name] [dict get $arg addressQualifier] \
            [dict get $arg port] [hex [dict get $arg offset]] [expr {[dict get $arg size] + 0}] \
            [expr {[dict get $arg hostSize] + 0}]
    }] $wanted
}

# ---- settings for v++ ----------------------------------------------------------------------------
# Names of memory that each platform has.
set memories {u250 {^DDR\[[0-3]\]$} u55c {^HBM\[([12]?\d|3[01])(:([12]?\d|3[01]))?\]$}
    zcu104 {^HP(C[01]|[0-3])$} kv260 {^HP(C[01]|[0-3])$}}

proc check_platform {row} {
    lassign $row name geometry part kind platform
    if {[catch {description::read_geometry $geometry} message]} {
        differ "platforms.txt, $name" $message
    }
    if {$kind ni {card embedded}} {
        differ "platforms.txt, $name" "$kind is not a kind"
    }
    set path [file join $::root hw/xrt/$name.cfg]
    if {![file exists $path]} {
        differ "platforms.txt, $name" "there is no $name.cfg"
        return
    }
    set section ""
    set wanted {}
    set connected {}
    foreach line [split [read_text $path] \n] {
        set line [string trim $line]
        if {$line eq "" || [string index $line 0] eq "#"} {
            continue
        }
        if {[regexp {^\[(.*)\]$} $line all section]} {
            continue
        }
        expect $name.cfg "section of $line" $section connectivity
        switch -regexp -matchvar match $line {
            {^nk=(\w+):1:(\w+)$} {
                expect $name.cfg kernel [lindex $match 1] $description::kernel
                set unit [lindex $match 2]
            }
            {^sp=(\w+)\.(\w+):(.*)$} {
                lassign $match all cu argument memory
                expect $name.cfg "unit of $line" $cu $unit
                lappend connected $argument $memory
                if {![regexp [dict get $::memories $name] $memory]} {
                    differ $name.cfg "$memory is no memory of $name"
                }
            }
            default { differ $name.cfg "what is this? $line" }
        }
    }
    # All in one memory: they share a port, and the driver relies on it.
    foreach row $::arguments {
        if {[lindex $row 3] eq "memory"} {
            lappend wanted [lindex $row 0] [lindex $connected 1]
        }
    }
    expect $name.cfg "connected arguments" $connected $wanted
}

check_header
check_register_map
check_verilog_registers
check_emulation
foreach row [description::read_table [file join $root hw/geometries.txt] 7] {
    check_package [lindex $row 0]
}
foreach row [description::read_table [file join $root hw/xrt/platforms.txt] 5] {
    check_platform $row
}
exit [expr {$differences > 0}]
