#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a network's own data does to the mapped compute units and to the memories: an activity file
# for the energy model (docs/energy.md, docs/bench-format.md). The simulated kernel runs real images
# and records what the compute units see; Yosys maps the unit; the recording is replayed on the
# netlist, whose sums must be the recorded ones, and all changes of its nets are counted.
#
# Usage: hw/energy/measure.sh PROGRAM.btn|MODEL.onnx -o ACTIVITY.json [--images N] [--geometry NAME]
#            [--family xc7|xcup] [--dataset NAME] [--start N] [--quiet]
#   --images N       that run, in one batch (default 8)
#   --geometry NAME  that a model is compiled for (default edge); a program brings its own
#   --family NAME    xc7 (7 series, default) or xcup (UltraScale+)
#   --dataset NAME   default: the only one that fits; --start N: its first image
# Needs yosys (scripts/install-deps.sh --hw) and a build (scripts/build.sh) in $BITTERN_BUILD, by
# default build/release. Netlists are kept in build/energy.
#
# Example: hw/energy/measure.sh examples/lenet5-w2a2-mnist.onnx -o activity.json
set -eu
usage() {
    sed -n '/^# Usage/,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'
}
fail() {
    echo "$0: $*" >&2
    exit 1
}

input='' output='' images=8 geometry=edge family=xc7 dataset='' start='' quiet=''
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        usage
        exit 0
        ;;
    --quiet) quiet=1 ;;
    -o | --images | --geometry | --family | --dataset | --start)
        [ $# -gt 1 ] || {
            usage >&2
            exit 2
        }
        case $1 in
        -o) output=$2 ;;
        --images) images=$2 ;;
        --geometry) geometry=$2 ;;
        --family) family=$2 ;;
        --dataset) dataset=$2 ;;
        --start) start=$2 ;;
        esac
        shift
        ;;
    -*)
        usage >&2
        exit 2
        ;;
    *) input=$1 ;;
    esac
    shift
done
if [ -z "$input" ] || [ -z "$output" ]; then
    usage >&2
    exit 2
fi
case $images in '' | *[!0-9]* | 0) fail "--images is a number from 1, not '$images'" ;; esac
case $family in xc7 | xcup) ;; *) fail "--family is xc7 or xcup, not '$family'" ;; esac
[ -f "$input" ] || fail "there is no file '$input'"
input=$(realpath "$input")
case $output in /*) ;; *) output=$PWD/$output ;; esac
[ -d "$(dirname "$output")" ] || fail "there is no folder '$(dirname "$output")'"

cd "$(dirname "$0")/../.."
build=${BITTERN_BUILD:-build/release}
bittern=$build/bin/bittern
replay=$build/hw/energy/replay_activity
command -v yosys >/dev/null || fail "needs yosys: scripts/install-deps.sh --hw"
if [ ! -x "$bittern" ] || [ ! -x "$replay" ]; then
    fail "there is no build in $build: scripts/build.sh"
fi
say() {
    [ -n "$quiet" ] || echo "$*" >&2
}

mkdir -p build/energy
work=$(mktemp -d build/energy/run-XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# A program has a geometry; a model gets one.
program=$input
if [ "$(head -c 4 "$input" | tail -c 3)" != BTN ]; then
    program=$work/program.btn
    "$bittern" compile "$input" --geometry "$geometry" -o "$program" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        exit 1
    }
fi
geometry=$("$bittern" inspect "$program" | awk '$1 == "Geometry" { sub(/:$/, "", $2); print $2 }')
[ "$geometry" != any ] || fail "'$input' is for no geometry: compile it with --geometry"

area=$(awk -v g="$geometry" -v f="$family" '$1 == g && $2 == f' hw/energy/areas.txt)
[ -n "$area" ] || fail "hw/energy/areas.txt has no line for $geometry, $family: make it with" \
    "hw/energy/area.sh $geometry $family >>hw/energy/areas.txt"

# The model of the kernel that can be recorded.
if [ ! -f "$build/host/libbittern-sim-$geometry-activity.so" ]; then
    say "building the simulated kernel '$geometry' for recording"
    cmake --build "$build" --target "sim-$geometry-activity" >"$work/log" 2>&1 || {
        tail -n 20 "$work/log" >&2
        fail "it was not built"
    }
fi

# The unit's netlist, by what it is made of.
parameters=$(hw/synth/parameters.sh "$geometry" WORD HAS_XNOR HAS_TERNARY HAS_INT)
stamp=$(cat hw/rtl/compute_unit.v hw/rtl/xnor_popcount.v hw/rtl/ternary_accumulate.v \
    hw/rtl/pair_counter.v hw/rtl/lane_adder.v hw/synth/synth.sh | cksum |
    cut -d ' ' -f 1)
name=$(echo "compute_unit$parameters" | sed 's/ *-p */-/g')-$family
netlist=build/energy/$name-$stamp
if [ ! -f "$netlist.blif" ]; then
    say "mapping the compute unit of '$geometry' to $family"
    # shellcheck disable=SC2086 # words on purpose
    hw/synth/synth.sh compute_unit $parameters --family "$family" --quiet >"$work/unit.txt"
    cp "build/synth/$name.blif" "$work/unit.blif"
    mv "$work/unit.txt" "$netlist.txt"
    mv "$work/unit.blif" "$netlist.blif"
fi
unit_sites=$(awk '$1 == "sites" { print $2 }' "$netlist.txt")

say "recording $images images"
if ! "$bittern" run "$program" --device "sim:$geometry,activity=$work/recording" --jobs 1 \
    --images "$images" --batch "$images" --quiet --json ${dataset:+--dataset "$dataset"} \
    ${start:+--start "$start"} >"$work/run.json" 2>"$work/log"; then
    cat "$work/log" >&2
    fail "the program did not run"
fi
dataset=$(awk -F '"' '$2 == "data" { inside = 1 } inside && $2 == "name" { print $4; exit }' \
    "$work/run.json")

say "replaying on the netlist"
"$replay" --program "$program" --recording "$work/recording" --netlist "$netlist.blif" \
    --family "$family" --images "$images" --dataset "${dataset:-own}" --unit-sites "$unit_sites" \
    --kernel "$(echo "$area" | awk '{ print $3 "," $4 "," $5 "," $6 "," $7 }')" -o "$output"
say "wrote $output"
