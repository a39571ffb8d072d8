#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From a fresh clone to networks that ran: install, build, get images, train a network, compile it to
# an integer program, run every test image through it; then the same for a network from PyTorch.
set -eu

usage() {
    cat <<'EOF'
Usage: scripts/demo.sh

Installs what is missing, builds, trains a LeNet-5 whose layers become binary or ternary by
themselves, compiles it, and runs all test images through it on the reference engine. A network that
was trained with PyTorch and exported as QONNX follows by the same door. The data is MNIST where it
is found ('bittern data fetch mnist' gets it), else the embedded set of drawn digits.
Everything it makes is in build/demo.
EOF
}

case ${1:-} in
-h | --help)
    usage
    exit 0
    ;;
'') ;;
*)
    usage >&2
    exit 2
    ;;
esac

cd "$(dirname "$0")/.."
./scripts/install-deps.sh
./scripts/build.sh release

bittern=build/release/bin/bittern
out=build/demo
mkdir -p "$out"

echo
if "$bittern" data show mnist --split test --samples 0 >/dev/null 2>&1; then
    data=mnist
    echo "1. The data: MNIST"
else
    data=digits
    echo "1. The data: digits, drawn the same on every machine"
    [ -d "$out/digits" ] || "$bittern" data make digits --data "$out"
    export BITTERN_DATA="$out"
fi
"$bittern" data show "$data" --split test --samples 2

echo
echo "2. Train LeNet-5; each layer becomes binary or ternary by itself (SQ); compile it"
# Threads that wait without spinning: much faster beside other work, little slower without.
OMP_WAIT_POLICY=passive "$bittern" train recipes/mnist-lenet5-sq.yaml --set name=lenet5-sq \
    --set "title=LeNet-5, SQ, a short run on $data" --set "data.set=$data" \
    --set training.epochs=6 --out "$out/lenet5-sq" --force

echo
echo "3. Run all test images through its integer program on the reference engine"
"$bittern" run "$out/lenet5-sq/lenet5-sq.btn" --dataset "$data"

echo
echo "4. Compile a ternary network that PyTorch trained: from a float graph to integers"
"$bittern" compile "examples/lenet5-w2a2-$data.onnx" -o "$out/lenet5-w2a2.btn"

echo
echo "5. Run all test images through it, too"
"$bittern" run "$out/lenet5-w2a2.btn" --dataset "$data"

echo
echo "6. Compile the first one for the accelerator 'edge', and run 200 images on its Verilog, cycle by cycle"
"$bittern" compile "$out/lenet5-sq/lenet5-sq.onnx" --geometry edge -o "$out/lenet5-sq-edge.btn"
"$bittern" run "$out/lenet5-sq-edge.btn" --device sim:edge --dataset "$data" --images 200 --profile

cat <<EOF

Done. Everything is in $out. To go on:

  $bittern inspect $out/lenet5-sq/lenet5-sq.btn   what is inside
  $bittern train --list                           the papers' networks and methods
  docs/training.md                                how they are trained
  docs/model-format.md                            bring your own network
  docs/numerics.md                                why the integers are exact
  docs/architecture.md                            how the accelerator works
EOF
