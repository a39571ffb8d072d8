# SPDX-License-Identifier: Apache-2.0
# Ports and parameters of a Verilog-2005 module with a port list of its own, as our style has it.

proc read_text {path} {
    set file [open $path r]
    set text [read $file]
    close $file
    return $text
}

# Dictionary of a module: parameters (name -> value), ports (name -> {direction width}).
proc verilog_module {path} {
    set text [read_text $path]
    regsub -all {//[^\n]*} $text "" text
    # Tcl's lazy matches do not mix with greedy ones: the parts are cut out by their ends.
    if {![regexp -indices {\nmodule\s+(\w+)\s*#\(} $text head name]} {
        error "$path: no module with parameters"
    }
    set name [string range $text {*}$name]
    set text [string range $text [lindex $head 1]+1 end]
    if {![regexp -indices {\)\s*\(} $text middle]} {
        error "$path: no ports"
    }
    set parameter_text [string range $text 0 [lindex $middle 0]-1]
    set port_text [string range $text [lindex $middle 1]+1 [string first ");" $text]-1]
    set parameters [dict create]
    foreach {all key value} [regexp -all -inline {parameter\s+(\w+)\s*=\s*(\d+)} $parameter_text] {
        dict set parameters $key $value
    }
    set ports [dict create]
    foreach line [split $port_text ,] {
        set pattern {^\s*(input|output|inout)\s+wire\s*(?:\[([^\]]+):([^\]]+)\])?\s*(\w+)\s*$}
        if {![regexp $pattern $line all direction left right port]} {
            error "$path: what is this port? [string trim $line]"
        }
        set width 1
        if {$left ne ""} {
            dict for {key value} $parameters {
                regsub -all "\\m$key\\M" $left $value left
            }
            set width [expr "($left) - ($right) + 1"]
        }
        dict set ports $port [list $direction $width]
    }
    return [dict create name $name parameters $parameters ports $ports]
}
