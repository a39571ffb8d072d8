#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Line and toggle coverage of hw/rtl by the tests of the simulated accelerator: random networks and
# injected faults on the geometry 'tiny'. Prints each file's share and what is not covered to
# build/coverage; the figure comes last. Takes a quarter of an hour.
#
# Usage: hw/coverage.sh [NETWORKS]     (default 300)
set -eu
cd "$(dirname "$0")/.."
networks=${1:-300}
release=$PWD/build/release
out=$PWD/build/coverage
if [ ! -x "$release/tests/sim/test_sim_random" ]; then
    echo "$0: $release has no tests; build it with scripts/build.sh release" >&2
    exit 2
fi
cmake --build "$release" --target sim-tiny-coverage >"$release-coverage.log" 2>&1 || {
    tail -n 20 "$release-coverage.log" >&2
    exit 1
}
rm -rf "$out"
mkdir -p "$out/lib" "$out/data"
ln -s "$release/host/libbittern-backend-sim.so" "$out/lib/"
ln -s "$release/host/libbittern-sim-tiny-coverage.so" "$out/lib/libbittern-sim-tiny.so"
export BITTERN_BACKENDS="$out/lib" BITTERN_SIM_COVERAGE="$out/data"

run() {
    echo "$*" | sed "s|$release/tests/sim/||"
    "$@" 2>&1 | grep -E 'networks with|programs,|^\[  (PASSED|FAILED)' || true
}
run "$release/tests/sim/test_sim_registers"
run "$release/tests/sim/test_sim_faults"
run "$release/tests/sim/test_sim_hostile" 1 "$networks"
run "$release/tests/sim/test_sim_random" tiny 1 "$networks"

verilator_coverage --write "$out/all.dat" "$out"/data/*.dat
verilator_coverage --annotate "$out/annotated" --annotate-min 1 "$out/all.dat" >"$out/total.txt"
# A point is a line that starts with % where it was never reached, with a space or ~ else, then its
# count.
for file in "$out"/annotated/*.v; do
    awk -v name="$(basename "$file")" '
        /^[%~ ]*[0-9][0-9]+[ \t]/ { points++; if (/^%/) missed++ }
        END {
            if (points)
                printf "%-24s %5d points, %5.1f %%\n", name, points, 100 * (points - missed) / points
        }' "$file"
done
cat "$out/total.txt"
