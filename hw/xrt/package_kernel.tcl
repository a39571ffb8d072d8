# SPDX-License-Identifier: Apache-2.0
# Packages the kernel's Verilog as an IP that v++ can link ("Packaging the RTL Code as a Vitis XO",
# UG1700). Sourced by gen_xo.tcl inside Vivado.

# A bus interface that the packager infers from the names of ports where it can; else by hand.
proc need_bus_interface {name type core} {
    if {[llength [ipx::get_bus_interfaces -quiet $name -of_objects $core]] == 0} {
        ipx::infer_bus_interface $name $type $core
    }
    return [ipx::get_bus_interfaces $name -of_objects $core]
}

# Adds a register to an address block; memory arguments name the port behind which they point.
proc add_register {block name offset bits bus} {
    ipx::add_register $name $block
    set register [ipx::get_registers $name -of_objects $block]
    set_property address_offset [format 0x%03X $offset] $register
    set_property size $bits $register
    if {$bus ne ""} {
        ipx::add_register_parameter ASSOCIATED_BUSIF $register
        set_property value $bus \
            [ipx::get_register_parameters ASSOCIATED_BUSIF -of_objects $register]
    }
}

# Leaves the packaged IP in the folder `ip`. `work` holds two throw-away projects.
proc package_kernel {kernel vendor library version sources arguments part work ip} {
    create_project -force pack [file join $work project] -part $part
    add_files -norecurse $sources
    set_property top $kernel [current_fileset]
    update_compile_order -fileset sources_1

    ipx::package_project -root_dir $ip -vendor $vendor -library $library -taxonomy /KernelIP \
        -import_files -set_current false
    ipx::unload_core [file join $ip component.xml]
    ipx::edit_ip_in_project -upgrade true -name edit_pack -directory [file join $work edit] \
        [file join $ip component.xml]
    set core [ipx::current_core]
    set_property name $kernel $core
    set_property version $version $core
    set_property core_revision 1 $core
    set_property display_name "Bittern" $core
    set_property description "Accelerator for binary and ternary neural networks" $core
    # The geometry is in the sources; nothing is left to set.
    foreach parameter [ipx::get_user_parameters -of_objects $core] {
        ipx::remove_user_parameter [get_property NAME $parameter] $core
    }
    set_property sdx_kernel true $core
    set_property sdx_kernel_type rtl $core
    set_property ipi_drc {ignore_freq_hz true} $core
    set_property vitis_drc {ctrl_protocol ap_ctrl_hs} $core
    set_property supported_families {} $core
    set_property auto_family_support_level level_2 $core

    # Every port belongs to an interface, and every interface to the clock.
    need_bus_interface ap_clk xilinx.com:signal:clock_rtl:1.0 $core
    set reset [need_bus_interface ap_rst_n xilinx.com:signal:reset_rtl:1.0 $core]
    if {[llength [ipx::get_bus_parameters -quiet POLARITY -of_objects $reset]] == 0} {
        ipx::add_bus_parameter POLARITY $reset
    }
    set_property value ACTIVE_LOW [ipx::get_bus_parameters POLARITY -of_objects $reset]
    need_bus_interface interrupt xilinx.com:signal:interrupt_rtl:1.0 $core
    ipx::associate_bus_interfaces -busif s_axi_control -clock ap_clk $core
    ipx::associate_bus_interfaces -busif m_axi_gmem -clock ap_clk $core
    ipx::associate_bus_interfaces -clock ap_clk -reset ap_rst_n $core

    # The packager makes one memory map for the slave; its block's name differs between versions.
    set map [ipx::get_memory_maps s_axi_control -of_objects $core]
    set block [lindex [ipx::get_address_blocks -of_objects $map] 0]
    set_property range 4096 $block
    set_property width 32 $block
    foreach row $arguments {
        lassign $row name offset bytes kind
        add_register $block $name $offset [expr {8 * $bytes}] \
            [expr {$kind eq "memory" ? "m_axi_gmem" : ""}]
    }

    ipx::create_xgui_files $core
    ipx::update_checksums $core
    ipx::check_integrity -kernel -xrt $core
    ipx::save_core $core
    close_project -delete
}
