#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From a fresh clone to a report: install, build, get images, train three networks, compile them for
# the accelerator, run them on its simulated Verilog and on the reference engine, estimate their
# energy, and write report.html.
set -eu

usage() {
    cat <<'EOF'
Usage: scripts/demo.sh [--geometry NAME]

Installs what is missing, builds, trains three LeNet-5's of the same shape (binary weights, ternary
weights, and adaptive ones, where each layer becomes binary or ternary by itself), compiles them for
the accelerator 'edge', runs all test images on the reference engine and 512 of them on the simulated
Verilog, checks that both agree in every value, estimates the energy of an inference from the
switching of the real netlist, and writes build/demo/report.html.

The data is MNIST where it is found ('bittern data fetch mnist' gets it), else the embedded set of
drawn digits. Everything it makes is in build/demo. Takes about ten minutes on two cores; what is
there already is not made again, but networks are trained anew.

  --geometry NAME   another accelerator: tiny, edge-binary, cloud (default edge)
EOF
}

geometry=edge
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        usage
        exit 0
        ;;
    --geometry)
        [ $# -gt 1 ] || {
            usage >&2
            exit 2
        }
        geometry=$2
        shift
        ;;
    *)
        usage >&2
        exit 2
        ;;
    esac
    shift
done

cd "$(dirname "$0")/.."
./scripts/install-deps.sh --demo
./scripts/build.sh release

bittern=build/release/bin/bittern
out=build/demo
mkdir -p "$out"
# Threads that wait without spinning: much faster beside other work, little slower without.
export OMP_WAIT_POLICY=passive

step() {
    printf '\n== %s\n' "$*"
}

if "$bittern" data show mnist --split test --samples 0 >/dev/null 2>&1; then
    data=mnist
    step "1. The data: MNIST"
else
    data=digits
    step "1. The data: digits, drawn the same on every machine"
    [ -d "$out/digits" ] || "$bittern" data make digits --data "$out"
    export BITTERN_DATA="$out"
fi
"$bittern" data show "$data" --split test --samples 2

# train NAME RECIPE [OPTION...]
train() {
    name=$1
    recipe=$2
    shift 2
    "$bittern" train "recipes/mnist-lenet5-$recipe.yaml" --set "name=$name" --set "data.set=$data" \
        --set training.epochs=3 --out "$out/$name" --force "$@"
}
step "2. Train three networks of one shape: LeNet-5, 61,470 weights, 8-bit activations; 3 epochs each"
train binary bwn --set "title=LeNet-5, binary weights"
train ternary twn --set "title=LeNet-5, ternary weights"
train adaptive sq --set "title=LeNet-5, binary or ternary a layer, by training" \
    --set weights.gamma=0.03

step "3. Compile them: integers only, laid out for the accelerator '$geometry'"
for name in binary ternary adaptive; do
    "$bittern" compile "$out/$name/$name.onnx" --geometry "$geometry" -o "$out/$name.btn"
done

step "4. Run all test images through them on the reference engine"
for name in binary ternary adaptive; do
    "$bittern" run "$out/$name.btn" --dataset "$data" --quiet --predictions "$out/$name.json"
done

step "5. What their data does to the accelerator's netlist, for the energy (Yosys maps it, once)"
set --
for name in binary ternary adaptive; do
    hw/energy/measure.sh "$out/$name.btn" --dataset "$data" -o "$out/$name-activity.json"
    set -- "$@" --activity "$out/$name-activity.json"
done

step "6. 512 test images through the Verilog, cycle by cycle; each value compared with the reference"
"$bittern" bench "$out/binary.btn" "$out/ternary.btn" "$out/adaptive.btn" "$@" \
    --device "sim:$geometry" --dataset "$data" --images 512 --batch 64 \
    --out "$out/bench.jsonl" --force

step "7. The report"
"$bittern" report --bench "$out/bench.jsonl" --run "$out/binary" --run "$out/ternary" \
    --run "$out/adaptive" --predictions "$out/adaptive.json" --dataset "$data" \
    --title "Binary, ternary or both? LeNet-5 on $data" -o "$out/report.html"

cat <<EOF

Done. Open $out/report.html in a browser. To go on:

  $bittern inspect $out/adaptive.btn
      what is inside a program
  $bittern bench $out/adaptive/adaptive.onnx --device sim --sweep geometry=tiny,edge
      the same network on other accelerators
  $bittern run $out/adaptive/adaptive.onnx --device sim:tiny --trace layer:1
      the waveform of a layer, for GTKWave
  $bittern train --list
      the papers' networks and methods
  docs/getting-started.md
      all of this step by step, and then your own network
EOF
