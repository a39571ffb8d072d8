#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fuzz the parsers that take foreign bytes with libFuzzer. Needs clang with its sanitizer run-time.
#
# Usage: scripts/fuzz.sh [SECONDS] [TARGET...]
#   SECONDS  time for each target (default 600)
#   TARGET   dataset, onnx, program, recipe, safetensors; all that are built where none is named
#
# Corpora and crashing inputs are kept in build/fuzz/corpus and build/fuzz/crashes. The exit code is
# not 0 when any target crashed, leaked, hung or used more memory than allowed.
# CC chooses the compiler (default: clang, else the newest clang-NN).
set -eu
cd "$(dirname "$0")/.."

case ${1:-} in
-h | --help)
    sed -n '3,12s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac
seconds=${1:-600}
[ $# -eq 0 ] || shift
case $seconds in
'' | *[!0-9]*)
    echo "fuzz.sh: '$seconds' is not a number of seconds" >&2
    exit 2
    ;;
esac

find_clang() {
    for name in clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14; do
        if command -v "$name" >/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "fuzz.sh: no clang found; install it (Debian: clang libclang-rt-14-dev) or set CC" >&2
    exit 1
}
compiler=${CC:-$(find_clang)}
build=build/fuzz

cmake --preset fuzz -DCMAKE_C_COMPILER="$compiler" >/dev/null
cmake --build "$build" --target fuzz >&2

if [ $# -eq 0 ]; then
    for driver in "$build"/bin/fuzz_*_driver; do
        name=${driver##*/fuzz_}
        set -- "$@" "${name%_driver}"
    done
fi

failed=
for target in "$@"; do
    program=$build/bin/fuzz_$target
    corpus=$build/corpus/$target
    crashes=$build/crashes/$target
    if [ ! -x "$program" ]; then
        echo "fuzz.sh: there is no target '$target'" >&2
        exit 2
    fi
    mkdir -p "$corpus" "$crashes"
    "${program}_driver" --write-seeds "$corpus"
    echo "fuzz_$target: $seconds s"
    # malloc_limit: no single allocation above 512 MiB, whatever the input claims.
    if ! "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -malloc_limit_mb=512 -max_len=65536 -detect_leaks=1 -print_final_stats=1 \
        -artifact_prefix="$crashes/" "$corpus" >"$crashes/log" 2>&1; then
        tail -n 40 "$crashes/log" >&2
        echo "fuzz_$target: FAILED; its input is in $crashes" >&2
        failed="$failed $target"
    else
        grep -E '^Done|number_of_executed_units|peak_rss_mb' "$crashes/log"
    fi
done
if [ -n "$failed" ]; then
    echo "fuzz.sh: failed:$failed" >&2
    exit 1
fi
