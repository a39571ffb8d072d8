#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compile one Verilog bench with Icarus and run it. It must compile without a warning, print PASS,
# and never FAIL. Files of its folder that the bench names (model_core.v, a stand-in for a module of the
# RTL) are compiled with it; all other modules are looked up by name, there and in the RTL.
# Usage: run-bench.sh IVERILOG VVP RTL-FOLDER BENCH.v OUTPUT.vvp
set -eu
iverilog=$1 vvp=$2 rtl=$3 bench=$4 output=$5
folder=$(dirname "$bench")
set --
# Names of Verilog files have no spaces.
# shellcheck disable=SC2013
for file in $(grep -oE '[a-z0-9_]+\.v' "$bench" | sort -u); do
    [ ! -f "$folder/$file" ] || [ "$folder/$file" = "$bench" ] || set -- "$@" "$folder/$file"
done

"$iverilog" -g2005 -Wall -Wno-timescale -s "$(basename "$bench" .v)" -y "$folder" -y "$rtl" \
    -o "$output" "$bench" "$@" 2>"$output.log" || {
    cat "$output.log" >&2
    exit 1
}
if [ -s "$output.log" ]; then
    cat "$output.log" >&2
    echo "run-bench.sh: $bench: warnings" >&2
    exit 1
fi
"$vvp" -N "$output" >"$output.out" 2>&1 || {
    tail -n 40 "$output.out" >&2
    exit 1
}
tail -n 20 "$output.out"
if grep -q FAIL "$output.out" || ! grep -q PASS "$output.out"; then
    echo "run-bench.sh: $bench did not pass" >&2
    exit 1
fi
