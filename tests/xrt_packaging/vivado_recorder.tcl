# SPDX-License-Identifier: Apache-2.0
# Stands in for Vivado: runs a script that packages a kernel, and knows of each command which options
# and arguments it has (UG835, UG1118, UG1702) and what must exist before it. An unknown command,
# option or object, or one that is missing, ends the script with an error. It does not know whether
# Vivado would like the Verilog.
#
#   tclsh vivado_recorder.tcl -mode batch -source SCRIPT -tclargs ARGUMENT...
#
# package_xo writes what was packaged as lines of text. RECORDER_INFERS=all: the packager finds clock,
# reset and interrupt by itself, as some versions do.
source [file join [file dirname [file normalize [info script]]] verilog_ports.tcl]

namespace eval ipx {}
namespace eval recorder {
    variable project ""
    variable files {}
    variable top ""
    variable module
    # Objects: kind/name, as in bus/ap_clk; their properties, and what was made of the core.
    variable objects [dict create]
    variable saved false
}

# Options of a command: names with * take a value, names with ! must be given; then how many plain
# arguments there are, at least and at most.
proc recorder::known {command options least most} {
    variable commands
    dict set commands $command [list $options $least $most]
    proc ::$command args "return \[recorder::called $command \$args\]"
}

proc recorder::called {command words} {
    variable commands
    lassign [dict get $commands $command] options least most
    set given [dict create]
    set plain {}
    for {set i 0} {$i < [llength $words]} {incr i} {
        set word [lindex $words $i]
        if {![regexp {^-[a-z]} $word]} {
            lappend plain $word
        } elseif {$word in $options || $word eq "-quiet"} {
            dict set given $word 1
        } elseif {"$word*" in $options || "$word*!" in $options} {
            incr i
            if {$i >= [llength $words]} {
                error "$command: $word needs a value"
            }
            dict set given $word [lindex $words $i]
        } else {
            error "$command: there is no option $word"
        }
    }
    foreach option $options {
        if {[string match *! $option] && ![dict exists $given [string trimright $option *!]]} {
            error "$command: [string trimright $option *!] is missing"
        }
    }
    if {[llength $plain] < $least || [llength $plain] > $most} {
        error "$command: [llength $plain] arguments, not $least to $most: $plain"
    }
    return [do_[string map {:: _} $command] $given $plain]
}

proc recorder::add {kind name properties} {
    variable objects
    if {[dict exists $objects $kind/$name]} {
        error "there is a $kind $name already"
    }
    dict set objects $kind/$name $properties
    return $kind/$name
}

# The object of a kind by its name, or all; -quiet: none instead of an error.
proc recorder::get {kind parent given plain} {
    variable objects
    if {$parent ne "" && ![dict exists $given -of_objects]} {
        error "get $kind: -of_objects is missing"
    }
    if {$parent ne ""} {
        need $parent [dict get $given -of_objects]
    }
    if {[llength $plain] == 0} {
        return [dict keys $objects $kind/*]
    }
    if {[dict exists $objects $kind/[lindex $plain 0]]} {
        return $kind/[lindex $plain 0]
    }
    if {[dict exists $given -quiet]} {
        return {}
    }
    error "there is no $kind [lindex $plain 0]"
}

proc recorder::need {kind object} {
    variable objects
    if {![dict exists $objects $object] || ![string match $kind/* $object]} {
        error "'$object' is not a $kind"
    }
}

# ---- project -----------------------------------------------------------------------------------
recorder::known create_project {-force -part*} 1 2
proc recorder::do_create_project {given plain} {
    variable project [lindex $plain 0]
    file mkdir [lindex $plain 1]
}

recorder::known add_files {-norecurse -fileset*} 1 1
proc recorder::do_add_files {given plain} {
    variable files
    foreach path [lindex $plain 0] {
        if {![file exists $path]} {
            error "add_files: there is no file $path"
        }
        lappend files $path
    }
}

recorder::known current_fileset {} 0 0
proc recorder::do_current_fileset {given plain} {
    variable objects
    dict set objects fileset/sources_1 {}
    return fileset/sources_1
}

recorder::known update_compile_order {-fileset*} 0 0
proc recorder::do_update_compile_order {given plain} {
    variable files
    variable top
    variable objects
    variable module
    set top [dict get $objects fileset/sources_1 top]
    foreach path $files {
        if {[file rootname [file tail $path]] eq $top} {
            set module [verilog_module $path]
            return
        }
    }
    error "update_compile_order: no file holds the top $top"
}

recorder::known close_project {-delete} 0 0
proc recorder::do_close_project {given plain} {
    variable project
    if {$project eq ""} {
        error "close_project: no project is open"
    }
    set project ""
}

recorder::known set_property {} 3 3
proc recorder::do_set_property {given plain} {
    variable objects
    lassign $plain name value object
    if {![dict exists $objects $object]} {
        error "set_property $name: there is no object '$object'"
    }
    dict set objects $object [string tolower $name] $value
}

recorder::known get_property {} 2 2
proc recorder::do_get_property {given plain} {
    variable objects
    lassign $plain name object
    if {$name eq "NAME"} {
        return [lindex [split $object /] end]
    }
    return [dict get $objects $object [string tolower $name]]
}

# ---- IP packager -------------------------------------------------------------------------------
recorder::known ipx::package_project {-root_dir*! -vendor*! -library*! -taxonomy*! -import_files
    -set_current* -force} 0 1
proc recorder::do_ipx_package_project {given plain} {
    variable module
    variable objects
    variable folder [dict get $given -root_dir]
    file mkdir $folder
    close [open [file join $folder component.xml] w]
    add core core [dict create vendor [dict get $given -vendor] library [dict get $given -library]]
    dict for {name value} [dict get $module parameters] {
        add user_parameter $name {}
    }
    # AXI interfaces are inferred from the names of ports; a slave gets a memory map.
    foreach port [dict keys [dict get $module ports] *_awaddr] {
        set bus [string range $port 0 end-7]
        add bus $bus {type aximm}
        if {[string match s_* $bus]} {
            add memory_map $bus {}
            add address_block reg0 {}
        }
    }
    if {[info exists ::env(RECORDER_INFERS)]} {
        add bus ap_clk {type clock_rtl}
        add bus ap_rst_n {type reset_rtl}
        add bus_parameter POLARITY {}
        add bus interrupt {type interrupt_rtl}
    }
}

recorder::known ipx::unload_core {} 1 1
proc recorder::do_ipx_unload_core {given plain} {
    if {![file exists [lindex $plain 0]]} {
        error "ipx::unload_core: there is no [lindex $plain 0]"
    }
}

recorder::known ipx::edit_ip_in_project {-upgrade* -name*! -directory*!} 1 1
proc recorder::do_ipx_edit_ip_in_project {given plain} {
    do_ipx_unload_core {} $plain
    file mkdir [dict get $given -directory]
}

recorder::known ipx::current_core {} 0 0
proc recorder::do_ipx_current_core {given plain} {
    need core core/core
    return core/core
}

recorder::known ipx::get_user_parameters {-of_objects*} 0 1
proc recorder::do_ipx_get_user_parameters {given plain} {
    return [get user_parameter core $given $plain]
}

recorder::known ipx::remove_user_parameter {} 2 2
proc recorder::do_ipx_remove_user_parameter {given plain} {
    variable objects
    need user_parameter user_parameter/[lindex $plain 0]
    need core [lindex $plain 1]
    dict unset objects user_parameter/[lindex $plain 0]
}

recorder::known ipx::get_bus_interfaces {-of_objects*} 0 1
proc recorder::do_ipx_get_bus_interfaces {given plain} {
    return [get bus core $given $plain]
}

recorder::known ipx::infer_bus_interface {} 3 3
proc recorder::do_ipx_infer_bus_interface {given plain} {
    variable module
    lassign $plain port type core
    need core $core
    if {![dict exists $module ports $port]} {
        error "ipx::infer_bus_interface: there is no port $port"
    }
    if {![regexp {^xilinx\.com:signal:(clock_rtl|reset_rtl|interrupt_rtl):1\.0$} $type all kind]} {
        error "ipx::infer_bus_interface: there is no interface $type"
    }
    add bus $port [dict create type $kind]
}

recorder::known ipx::get_bus_parameters {-of_objects*!} 0 1
proc recorder::do_ipx_get_bus_parameters {given plain} {
    return [get bus_parameter bus $given $plain]
}

recorder::known ipx::add_bus_parameter {} 2 2
proc recorder::do_ipx_add_bus_parameter {given plain} {
    need bus [lindex $plain 1]
    return [add bus_parameter [lindex $plain 0] {}]
}

recorder::known ipx::associate_bus_interfaces {-busif* -clock*! -reset*} 1 1
proc recorder::do_ipx_associate_bus_interfaces {given plain} {
    variable objects
    need core [lindex $plain 0]
    set clock [dict get $given -clock]
    need bus bus/$clock
    if {[dict exists $given -busif]} {
        need bus bus/[dict get $given -busif]
        dict set objects bus/[dict get $given -busif] clock $clock
    }
    if {[dict exists $given -reset]} {
        need bus bus/[dict get $given -reset]
        dict set objects bus/$clock reset [dict get $given -reset]
    }
}

recorder::known ipx::get_memory_maps {-of_objects*!} 0 1
proc recorder::do_ipx_get_memory_maps {given plain} {
    return [get memory_map core $given $plain]
}

recorder::known ipx::get_address_blocks {-of_objects*!} 0 1
proc recorder::do_ipx_get_address_blocks {given plain} {
    return [get address_block memory_map $given $plain]
}

recorder::known ipx::add_register {} 2 2
proc recorder::do_ipx_add_register {given plain} {
    need address_block [lindex $plain 1]
    return [add register [lindex $plain 0] {}]
}

recorder::known ipx::get_registers {-of_objects*!} 0 1
proc recorder::do_ipx_get_registers {given plain} {
    return [get register address_block $given $plain]
}

# One parameter a register is all that is used: its name holds the register's.
recorder::known ipx::add_register_parameter {} 2 2
proc recorder::do_ipx_add_register_parameter {given plain} {
    need register [lindex $plain 1]
    return [add register_parameter [lindex $plain 0]@[file tail [lindex $plain 1]] {}]
}

recorder::known ipx::get_register_parameters {-of_objects*!} 1 1
proc recorder::do_ipx_get_register_parameters {given plain} {
    set register [file tail [dict get $given -of_objects]]
    return [get register_parameter register $given [list [lindex $plain 0]@$register]]
}

foreach command {create_xgui_files update_checksums save_core} {
    recorder::known ipx::$command {} 1 1
}
recorder::known ipx::check_integrity {-kernel -xrt} 1 1
proc recorder::do_ipx_create_xgui_files {given plain} {
    need core [lindex $plain 0]
}
proc recorder::do_ipx_update_checksums {given plain} {
    need core [lindex $plain 0]
}
proc recorder::do_ipx_check_integrity {given plain} {
    need core [lindex $plain 0]
}
proc recorder::do_ipx_save_core {given plain} {
    variable saved true
    need core [lindex $plain 0]
}

# ---- kernel object -----------------------------------------------------------------------------
recorder::known package_xo {-force -xo_path*! -kernel_name*! -ip_directory* -kernel_xml*
    -output_kernel_xml* -ctrl_protocol*} 0 0
proc recorder::do_package_xo {given plain} {
    variable objects
    variable module
    variable folder
    variable saved
    if {!$saved || [dict get $given -ip_directory] ne $folder} {
        error "package_xo: no IP was saved in [dict get $given -ip_directory]"
    }
    if {[dict get $given -kernel_name] ne [dict get $objects core/core name]} {
        error "package_xo: the IP's name is not [dict get $given -kernel_name]"
    }
    if {![file exists [dict get $given -kernel_xml]]} {
        error "package_xo: there is no [dict get $given -kernel_xml]"
    }
    if {[file exists [dict get $given -xo_path]] && ![dict exists $given -force]} {
        error "package_xo: there is a [dict get $given -xo_path] already"
    }
    foreach {name value} {sdx_kernel true sdx_kernel_type rtl vitis_drc {ctrl_protocol ap_ctrl_hs}} {
        if {![dict exists $objects core/core $name] ||
            [dict get $objects core/core $name] ne $value} {
            error "package_xo: the IP's property $name is not '$value'"
        }
    }
    if {[llength [dict keys $objects user_parameter/*]] > 0} {
        error "package_xo: the IP has parameters left"
    }
    # "pins that are not part of an interface are not supported" (UG1701).
    foreach port [dict keys [dict get $module ports]] {
        set bus $port
        regexp {^([sm]_axi_[a-z]+)_[a-z]+$} $port all bus
        if {![dict exists $objects bus/$bus]} {
            error "package_xo: port $port is not part of an interface"
        }
    }
    set out [open [dict get $given -xo_path] w]
    puts $out "part_of [dict get $objects core/core vendor]:[dict get $objects core/core library]:[
        dict get $objects core/core name]:[dict get $objects core/core version]"
    puts $out "kernel_xml [dict get $given -kernel_xml]"
    dict for {object properties} $objects {
        lassign [split $object /] kind name
        switch $kind {
            bus {
                if {[dict get $properties type] eq "aximm" && ![dict exists $properties clock]} {
                    error "package_xo: no clock is associated with $name"
                }
                if {[dict get $properties type] eq "clock_rtl" && ![dict exists $properties reset]} {
                    error "package_xo: no reset is associated with $name"
                }
                puts $out "bus $name $properties"
            }
            bus_parameter { puts $out "bus_parameter $name [dict get $properties value]" }
            register {
                set bus -
                if {[dict exists $objects register_parameter/ASSOCIATED_BUSIF@$name value]} {
                    set bus [dict get $objects register_parameter/ASSOCIATED_BUSIF@$name value]
                    need bus bus/$bus
                }
                puts $out "register $name [dict get $properties address_offset] [
                    dict get $properties size] $bus"
            }
            address_block { puts $out "range [dict get $properties range]" }
        }
    }
    dict for {name value} [dict get $module parameters] {
        puts $out "parameter $name $value"
    }
    close $out
}

# ---- command line ------------------------------------------------------------------------------
set script ""
while {[llength $argv] > 0} {
    set argv [lassign $argv option]
    switch -- $option {
        -mode - -log - -journal { set argv [lassign $argv ignored] }
        -nojournal - -nolog - -notrace {}
        -source { set argv [lassign $argv script] }
        -tclargs { break }
        default {
            puts stderr "vivado: there is no option $option"
            exit 2
        }
    }
}
set argc [llength $argv]
if {[catch {source $script} message]} {
    puts stderr "ERROR: $message"
    exit 1
}
