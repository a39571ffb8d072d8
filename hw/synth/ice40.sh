#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Places and routes a module of hw/rtl on an iCE40 HX8K with Yosys and nextpnr, and prints the LUTs
# that it takes and the frequency that it reaches.
#
# Usage: hw/synth/ice40.sh TOP [-p PARAMETER=VALUE]... [--seed N] [--quiet]
#   --quiet     print "name value" lines only: LUT4, carries, registers, memories, cells, MHz
# compute_unit and compute_array, which have more ports than the part has pins, are placed within
# ice40_harness; its shift registers are among the placed cells, not among the LUTs.
# Leaves its files in build/synth/TOP[-PARAMETER=VALUE...]-ice40.*
set -eu
usage() {
    sed -n '/^# Usage/s/^# //p' "$0" >&2
    exit 2
}

top=
seed=1
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
    --seed)
        [ $# -gt 1 ] || usage
        seed=$2
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
base=$out/$top$name-ice40

# map MODULE: to iCE40 cells.
map() {
    yosys -q -p "
        read_verilog -defer hw/rtl/*.v hw/synth/ice40_harness.v
        hierarchy -check -top $1 $chparam
        synth_ice40 -top $1 -json $base.json
        tee -q -o $base.stat stat" >"$base.log" 2>&1 && return 0
    tail -n 20 "$base.log" >&2
    echo "$0: Yosys failed; see $base.log" >&2
    exit 1
}

map "$top"
counts=$(awk '
    $1 == "SB_LUT4" { luts = $2 }
    $1 == "SB_CARRY" { carries = $2 }
    $1 ~ /^SB_DFF/ { registers += $2 }
    $1 ~ /^SB_RAM/ { memories += $2 }
    END {
        printf "LUT4 %d\ncarries %d\nregisters %d\nmemories %d\n", luts, carries, registers,
            memories
    }' "$base.stat")
case $top in
compute_unit | compute_array) map ice40_harness ;;
esac
if ! nextpnr-ice40 --hx8k --package ct256 --json "$base.json" --freq 100 --seed "$seed" \
    --pcf-allow-unconstrained --timing-allow-fail >"$base.pnr" 2>&1; then
    grep ERROR "$base.pnr" >&2 || tail -n 5 "$base.pnr" >&2
    echo "$0: nextpnr failed; see $base.pnr" >&2
    exit 1
fi
cells=$(sed -n 's|^Info:[[:space:]]*ICESTORM_LC: *\([0-9]*\)/.*|\1|p' "$base.pnr" | tail -n 1)
mhz=$(sed -n 's/^.*Max frequency for clock .*: \([0-9.]*\) MHz.*/\1/p' "$base.pnr" | tail -n 1)
if [ -n "$quiet" ]; then
    printf '%s\ncells %s\nMHz %s\n' "$counts" "$cells" "$mhz"
    exit 0
fi
echo "$counts" | awk -v what="$top$name" -v cells="$cells" -v mhz="$mhz" '
    { value[$1] = $2 }
    END {
        printf "%s (iCE40): %d LUT4, %d carries, %d registers, %d block memories\n", what,
            value["LUT4"], value["carries"], value["registers"], value["memories"]
        printf "  placed: %d of 7680 logic cells\n  Fmax: %s MHz\n", cells, mhz
    }'
