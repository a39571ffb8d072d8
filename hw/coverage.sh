#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Line and toggle coverage of hw/rtl by the tests of the simulated accelerator: registers, injected
# faults, hostile programs and random networks on the geometry 'tiny'. A point is a line, a branch, or
# one bit of a signal that goes up and down; those that cannot move are in hw/coverage_waivers.txt,
# each with its reason, and are not counted. Prints each file's shares; what is missed goes to
# build/coverage/missed.txt, marked sources to build/coverage/annotated. Exits with 1 below 95 % of
# lines and branches, or of toggles. Takes a quarter of an hour on two cores.
#
# Usage: hw/coverage.sh [NETWORKS]     (default 150; five hostile programs each)
set -eu
cd "$(dirname "$0")/.."
networks=${1:-150}
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
run "$release/tests/sim/test_sim_hostile" 1 $((networks * 5)) &
hostile=$!
run "$release/tests/sim/test_sim_random" tiny 1 "$networks"
wait $hostile

verilator_coverage --write "$out/all.dat" "$out"/data/*.dat
verilator_coverage --annotate "$out/annotated" --annotate-min 1 "$out/all.dat" >/dev/null
awk -f hw/coverage.awk -v points="$out/missed.txt" hw/coverage_waivers.txt "$out/all.dat"
