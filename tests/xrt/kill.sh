#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Kill one of those who take part in an emulated run, in the middle of it: all others must end, with
# the exit code that it should be, and leave neither processes nor files behind. The run itself would
# take minutes.
# Usage: kill.sh simulator|host|script|interrupt BUILD SOURCE
set -eu
who=$1
build=$2
source=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$build/bin/bittern" data make digits --data "$work" --train 1 --test 20000 --quiet

"$source/scripts/xrt-emu.sh" --build "$build" --geometry tiny "$build/bin/bittern" run \
    "$source/examples/lenet5-w2a2-digits.onnx" --device xrt --dataset digits --data "$work" \
    --batch 4 >"$work/out" 2>"$work/err" &
script=$!
fail() {
    echo "kill.sh $who: $1" >&2
    cat "$work/out" "$work/err" >&2
    kill -TERM $script 2>/dev/null || true
    exit 1
}

# Progress shows that images run.
tries=0
until grep -q Running "$work/err"; do
    tries=$((tries + 1))
    [ $tries -lt 900 ] || fail "the run did not begin"
    kill -0 $script 2>/dev/null || fail "the run ended by itself"
    sleep 0.1
done
for folder in /tmp/bittern-xrt.*; do
    [ "$(head -n 1 "$folder/pids" 2>/dev/null)" != $script ] || break
done
host=$(sed -n 2p "$folder/pids")
simulator=$(pgrep -g "$host" -x bittern-xrt-dev) || fail "there is no simulator"
case $who in
simulator)
    kill -KILL "$simulator"
    wanted=143
    ;;
host)
    kill -KILL "$host"
    wanted=137
    ;;
script)
    kill -KILL $script
    wanted=137
    ;;
interrupt)
    kill -TERM $script # as Ctrl-C, which a program in the background does not get
    wanted=130
    ;;
esac
code=0
wait $script || code=$?
[ "$code" -eq "$wanted" ] || fail "exit code $code, not $wanted"

if [ "$who" = script ]; then
    # Nobody can clean up now: the next start does, once the program has ended.
    kill -KILL "$host"
fi
tries=0
while kill -0 "$host" 2>/dev/null || kill -0 "$simulator" 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 50 ] || fail "something still runs"
    sleep 0.1
done
if [ "$who" = script ]; then
    "$source/scripts/xrt-emu.sh" --build "$build" --geometry tiny true
fi
[ ! -e "$folder" ] || fail "$folder is still there"
[ "$who" != simulator ] || grep -q "the emulated card has ended" "$work/err" ||
    fail "nothing was said"
