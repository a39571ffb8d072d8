#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Proves the properties of hw/formal on hw/rtl, as listed in proofs.txt. Prints a line a proof.
#
# Usage: hw/formal/run.sh [NAME...]      (all proofs without a NAME; a NAME may end in *)
# Needs Yosys with yosys-smtbmc, and Z3. Each check is one problem without state (--noincr), written
# out over all cycles (--unroll): only so does Z3 hand it to its SAT solver, which is ten times as
# fast here. (Boolector 1.5, which Debian has, reads too little of SMT-LIB for this.) A failed proof leaves its log and, where
# there is one, its counterexample (VCD) in build/formal/NAME*.
set -eu
cd "$(dirname "$0")/../.."
out=build/formal
list=hw/formal/proofs.txt
mkdir -p "$out"

# prove NAME MODE DEPTH TOP PARAMETERS FILES...
prove() {
    name=$1 mode=$2 depth=$3 top=$4 parameters=$5
    shift 5
    chparam=
    if [ "$parameters" != - ]; then
        for assignment in $(echo "$parameters" | tr ',' ' '); do
            chparam="$chparam -chparam ${assignment%%=*} ${assignment#*=}"
        done
    fi
    rm -f "$out/$name".*
    yosys -q -p "read_verilog -formal $*; hierarchy -check -top $top $chparam;
        proc; flatten; opt; memory -nomap -nordff; opt; check; async2sync; dffunmap; opt_clean; rename -top top;
        write_smt2 -wires $out/$name.smt2" >"$out/$name.log" 2>&1 || return 1
    case $mode in
    bmc) set -- -t "$depth" ;;
    induction) set -- -i -t "$depth" ;;
    cover) set -- -c -t "$depth" ;;
    *) echo "unknown mode $mode" >>"$out/$name.log"; return 1 ;;
    esac
    yosys-smtbmc --noprogress --noincr --unroll -s z3 --dump-vcd "$out/$name.vcd" "$@" "$out/$name.smt2" \
        >>"$out/$name.log" 2>&1
}

# wanted NAME PATTERN...: is it among the patterns, if there are any?
wanted() {
    [ $# -gt 1 ] || return 0
    name=$1
    shift
    for pattern in "$@"; do
        # shellcheck disable=SC2254 # a pattern on purpose
        case $name in $pattern) return 0 ;; esac
    done
    return 1
}

found=0
failed=0
while read -r name mode depth top parameters files; do
    case $name in '' | '#'*) continue ;; esac
    wanted "$name" "$@" || continue
    found=$((found + 1))
    # An induction also needs its first steps.
    ok=1
    # shellcheck disable=SC2086 # files are words
    prove "$name" "$mode" "$depth" "$top" "$parameters" $files </dev/null || ok=0
    if [ $ok = 1 ] && [ "$mode" = induction ]; then
        # shellcheck disable=SC2086
        prove "$name" bmc "$depth" "$top" "$parameters" $files </dev/null || ok=0
    fi
    if [ $ok = 1 ]; then
        echo "PASS $name"
    else
        echo "FAIL $name (see $out/$name.log)"
        failed=$((failed + 1))
    fi
done <"$list"

if [ $found = 0 ]; then
    echo "$0: no proof of that name in $list" >&2
    exit 2
fi
[ $failed = 0 ]
