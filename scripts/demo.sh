#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From a fresh clone to networks that ran: install, build, get images, compile two quantized
# networks to integer programs, and run every test image through them.
set -eu

usage() {
    cat <<'EOF'
Usage: scripts/demo.sh

Installs what is missing, builds, compiles two networks that were trained with PyTorch and exported
as QONNX, and runs all test images through them on the reference engine: MNIST's where they are
found ('bittern data fetch mnist' gets them), else those of the embedded set of drawn digits.
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
    set_data=
    echo "1. The data: MNIST's test images"
    "$bittern" data show mnist --split test --samples 2
else
    data=digits
    set_data=" --set data.set=digits --data $out"
    echo "1. The data: digits, drawn the same on every machine"
    [ -d "$out/digits" ] || "$bittern" data make digits --data "$out"
    export BITTERN_DATA="$out"
    "$bittern" data show digits --split test --samples 2
fi

step=2
for network in tfc-w1a1 lenet5-w2a2; do
    echo
    echo "$step. Compile $network-$data.onnx: from a float graph to integers"
    "$bittern" compile "examples/$network-$data.onnx" -o "$out/$network.btn"
    echo
    echo "$((step + 1)). Run all test images through it on the reference engine"
    "$bittern" run "$out/$network.btn" --dataset "$data"
    step=$((step + 2))
done

cat <<EOF

Done. Both programs are in $out. To go on:

  $bittern inspect $out/lenet5-w2a2.btn    what is inside
  $bittern run --help                              other data, every layer's values, JSON
  docs/model-format.md                                           bring your own network
  docs/numerics.md                                               why the integers are exact

Train a network yourself, in minutes:

  $bittern train mnist-lenet5-sq --quick$set_data

The simulated accelerator is not part of Bittern yet: this is what exists.
EOF
