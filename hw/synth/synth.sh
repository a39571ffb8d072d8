#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Maps a module of hw/rtl to a Xilinx family with Yosys, and prints what it occupies and how deep
# its logic is (see packing.h and timing.h for the rules).
#
# Usage: hw/synth/synth.sh TOP [-p PARAMETER=VALUE]... [--family xcup|xc7] [--modules]
#                          [--keep MODULE] [--quiet]
#   --modules   keep the hierarchy, and list what each module holds
#   --keep      map this module's instances once; the counts are of the whole, their depth as well
#               (at most LUTs may lie before its inputs, nothing behind its outputs)
#   --quiet     print the counts only, as "name value" lines
# Leaves the netlist and the report in build/synth/TOP[-PARAMETER=VALUE...]-FAMILY[-modules][-kept].*
#
# The mapping is `synth_xilinx -nowidelut` but for two things, both because sites are the measure and
# a LUT of up to five inputs may share one: ABC's costs say so, and the pass xilinx_dffopt is left
# out, which moves clock enables into the LUTs before registers.
set -eu
usage() {
    sed -n '/^# Usage/,/^$/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

top=
family=xcup
modules=
keep=
flatten=-flatten
quiet=
chparam=
name=
while [ $# -gt 0 ]; do
    case $1 in
    -p)
        [ $# -gt 1 ] || usage
        chparam="$chparam -chparam ${2%%=*} ${2#*=}"
        name=$name-$2
        shift
        ;;
    --family)
        [ $# -gt 1 ] || usage
        family=$2
        shift
        ;;
    --modules)
        modules=1
        flatten=
        ;;
    --keep)
        [ $# -gt 1 ] || usage
        keep="setattr -mod -set keep_hierarchy 1 *$2"
        shift
        ;;
    --quiet) quiet=1 ;;
    -*) usage ;;
    *) top=$1 ;;
    esac
    shift
done
[ -n "$top" ] || usage

cd "$(dirname "$0")/../.."
out=build/synth
mkdir -p "$out"
base=$out/$top$name-$family${modules:+-modules}${keep:+-kept}
xilinx=+/xilinx
# What must not reach the next run where this one fails.
rm -f "$base.blif"
if ! yosys -q -p "
    read_verilog -defer hw/rtl/*.v
    hierarchy -check -top $top $chparam
    $keep
    synth_xilinx -family $family -nowidelut -noiopad -noclkbuf $flatten -top $top \
        -run begin:map_luts
    opt_expr -mux_undef -noclkinv
    abc -luts 2,2,2,3,3,5
    opt_merge
    clean
    techmap -map $xilinx/ff_map.v
    xilinx_srl -fixed -minlen 3
    techmap -map $xilinx/lut_map.v -map $xilinx/cells_map.v -D LUT_WIDTH=6
    opt_lut_ins -tech xilinx
    clean
    hierarchy -check
    write_blif -cname -param $base.blif
" >"$base.log" 2>&1; then
    tail -n 20 "$base.log" >&2
    echo "$0: Yosys failed; see $base.log" >&2
    exit 1
fi
hw/synth/count_sites ${modules:+-m} "$base.blif" >"$base.txt"
if [ -n "$quiet" ] || [ -n "$modules" ]; then
    cat "$base.txt"
    exit 0
fi
awk -v what="$top$name ($family)" '
    { value[$1] = $2 }
    END {
        printf "%s: %d LUT6 sites, %d registers, %d carry cells, %s BRAM36, %s DSP\n", what,
            value["sites"], value["FF"], value["CARRY"], value["BRAM36"], value["DSP"]
        printf "  LUT1..6: %d %d %d %d %d %d, %d pairs, %d sites of memory\n", value["LUT1"],
            value["LUT2"], value["LUT3"], value["LUT4"], value["LUT5"], value["LUT6"],
            value["pairs"], value["memory"]
        printf "  LUT levels between registers:"
        for (chains = 0; chains < 4; chains++)
            if (("depth" chains) in value)
                printf " %d %s", value["depth" chains],
                    chains == 0 ? "without carry chain" : "with " chains (chains == 3 ? " or more" : "")
        printf "\n"
    }' "$base.txt"
