#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Configure and build one preset in build/PRESET. Quiet unless something fails.
# Usage: scripts/build.sh [release|debug|asan]
set -eu

preset=${1:-release}
cd "$(dirname "$0")/.."
mkdir -p build
log=build/$preset.log
echo "Building ($preset) ..."
if ! { cmake --preset "$preset" && cmake --build --preset "$preset"; } >"$log" 2>&1; then
    grep -E -A12 'FAILED|error|Error' "$log" >&2 || tail -n 40 "$log" >&2
    echo "build.sh: the build failed; the whole log is in $log" >&2
    exit 1
fi
