# SPDX-License-Identifier: Apache-2.0
# Makes the kernel object (.xo) of one geometry:
#   vivado -mode batch -source hw/xrt/gen_xo.tcl -tclargs GEOMETRY PART WORK-FOLDER OUTPUT.xo
# build.sh runs it. WORK-FOLDER is emptied first.
set here [file dirname [file normalize [info script]]]
source [file join $here description.tcl]
source [file join $here package_kernel.tcl]

if {[llength $argv] != 4} {
    puts stderr "usage: gen_xo.tcl GEOMETRY PART WORK-FOLDER OUTPUT.xo"
    exit 2
}
lassign $argv geometry part work output
set work [file normalize $work]
set output [file normalize $output]
set parameters [description::read_geometry $geometry]
set arguments [description::read_arguments]

file delete -force $work $output
file mkdir $work [file dirname $output]
set sources [description::write_sources $parameters [file join $work rtl]]
set xml [file join $work kernel.xml]
description::write_kernel_xml $arguments [dict get $parameters WORD] $xml
package_kernel $description::kernel $description::vendor $description::library \
    $description::version $sources $arguments $part $work [file join $work ip]
package_xo -force -xo_path $output -kernel_name $description::kernel \
    -ip_directory [file join $work ip] -kernel_xml $xml
