#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From a fresh clone to networks that ran: install, build, get images, compile two quantized
# networks to integer programs, and run every test image through them.
set -eu

usage() {
    cat <<'EOF'
Usage: scripts/demo.sh

Installs what is missing, builds, draws the embedded data set of digits, compiles two networks that
were trained elsewhere and exported as QONNX, and runs all test images through them on the reference
engine. Everything it makes is in build/demo.
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
echo "1. The data: ten classes of drawn digits, the same on every machine"
if [ ! -d "$out/digits" ]; then
    "$bittern" data make digits --data "$out"
fi
"$bittern" data show digits --data "$out" --split test --samples 8

for name in tfc-w1a1-digits lenet5-w2a2-digits; do
    echo
    echo "2. Compile $name.onnx: from a float graph to integers"
    "$bittern" compile "examples/$name.onnx" -o "$out/$name.btn"
    echo
    echo "3. Run all test images on the reference engine"
    "$bittern" run "$out/$name.btn" --dataset digits --data "$out"
done

cat <<EOF

Done. Both programs are in $out. To go on:
  $bittern inspect $out/tfc-w1a1-digits.btn     what is inside
  $bittern run --help                            other data, every layer's values, JSON
  docs/model-format.md                           bring your own network
  docs/numerics.md                               why the integers are exact

Training and the simulated accelerator are not part of Bittern yet: this is what exists.
EOF
