#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run a program that uses a card through the Xilinx Runtime, without a card: on XRT's hardware
# emulation, with the Verilated kernel in place of a vendor's simulator (docs/xrt.md).
set -eu

usage() {
    cat <<'EOF'
Usage: scripts/xrt-emu.sh [OPTION...] COMMAND [ARGUMENT...]

Gives COMMAND an emulated card, on which '--device xrt' then runs. Its exit code is COMMAND's.

  --geometry NAME   geometry of the kernel on the card (default: edge)
  --units N         compute units on the card, 1 to 8 (default: 1)
  --xclbin FILE     load this file instead of one that is made for the geometry
  --build FOLDER    where Bittern was built (default: build/release)
  --keep            leave the folder of the run, with its logs, and say where it is

BITTERN_XRT_DEVICE_OPTIONS sets latency, faults and so on ('bittern-xrt-device --help').
Opening the card usually takes 10 s: XRT sleeps.

Example:
  scripts/xrt-emu.sh build/release/bin/bittern run examples/lenet5-w2a2-mnist.onnx \
      --device xrt --dataset mnist --images 100
EOF
}

fail() {
    echo "xrt-emu.sh: $1" >&2
    exit "${2:-1}"
}

geometry=edge
units=1
xclbin=
build=$(dirname "$0")/../build/release
keep=false
while [ $# -gt 0 ]; do
    case $1 in
    --geometry | --units | --xclbin | --build)
        [ $# -ge 2 ] || fail "$1 needs a value" 2
        case $1 in
        --geometry) geometry=$2 ;;
        --units) units=$2 ;;
        --xclbin) xclbin=$2 ;;
        *) build=$2 ;;
        esac
        shift 2
        ;;
    --keep)
        keep=true
        shift
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    --)
        shift
        break
        ;;
    -*) fail "there is no option '$1'; try --help" 2 ;;
    *) break ;;
    esac
done
[ $# -gt 0 ] || fail "a COMMAND is needed; try --help" 2

build=$(cd "$build" 2>/dev/null && pwd) || fail "'$build' is not there; build with scripts/build.sh"
backend=$build/host/libbittern-backend-xrt.so
for file in "$backend" "$build/bin/bittern-make-xclbin" "$build/bin/bittern-xrt-device"; do
    [ -e "$file" ] || fail "$file is missing: install libxrt-dev, uuid-dev and Verilator with
scripts/install-deps.sh, then build with scripts/build.sh release"
done
command -v unzip >/dev/null || fail "XRT needs the program 'unzip' (Debian: the package unzip)"
xrt=$(ldd "$backend" | awk '/libxrt_coreutil/ { print $3 }')
[ -e "$xrt" ] || fail "libxrt_coreutil is missing (Debian: the package libxrt1)"
xrt=$(dirname "$xrt")
[ -e "$xrt/libxrt_hwemu.so.2" ] || fail "$xrt has no libxrt_hwemu.so.2, XRT's emulation"

# Runs that were killed leave their folders: those of nobody alive go now.
for old in /tmp/bittern-xrt.*; do
    if [ ! -O "$old" ] || [ -L "$old" ] || [ ! -e "$old/pids" ]; then
        continue
    fi
    alive=false
    while read -r pid; do
        kill -0 "$pid" 2>/dev/null && alive=true
    done <"$old/pids"
    $alive || rm -rf "$old"
done

# XRT puts its sockets into /tmp/$USER, wherever other temporary files are.
work=$(mktemp -d /tmp/bittern-xrt.XXXXXX)
child=
filter=
log=$(dirname "$(readlink -f "$(command -v "$1" || echo "$0")")")/emulation_debug.log
# shellcheck disable=SC2317 # the trap calls it
cleanup() {
    if [ -n "$child" ]; then
        # What the program has started ends with it; the simulator by itself.
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            kill -0 -- "-$child" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL -- "-$child" 2>/dev/null || true
    fi
    # XRT leaves an empty log beside the program; so may a run that was killed.
    [ -s "$log" ] || rm -f "$log"
    if $keep; then
        echo "xrt-emu.sh: the run's folder is $work" >&2
    else
        rm -rf "$work"
    fi
}
trap cleanup EXIT
echo $$ >"$work/pids"

mkdir -p "$work/xrt/lib" "$work/run"
for library in "$xrt"/libxrt_*.so.2; do
    ln -s "$library" "$work/xrt/lib/"
done
if [ -z "$xclbin" ]; then
    xclbin=$work/$geometry.xclbin
    "$build/bin/bittern-make-xclbin" --geometry "$geometry" --units "$units" "$xclbin"
fi

# The pad: XRT's message buffer must not grow, as Debian's build of 2.13 then writes past its end.
# All of this goes out with the first message, which so is longer than any later one.
{
    printf '%s\n' '[Emulation]' packet_size=65536 system_dpa=false keep_run_dir=false \
        suppress_infos=true print_infos_in_console=false '[Debug]'
    printf 'pad=%069632d\n' 0
} >"$work/xrt.ini"
cat >"$work/emconfig.json" <<EOF
{ "Version": { "FileVersion": "2.0", "ToolVersion": "2022.1" },
  "Platform": { "UnifiedPlatform": "true", "ExpandedPR": "false",
    "Boards": [ { "Devices": [ { "Name": "bittern_emulation_$geometry", "NumDevices": "1",
      "HalMajorVersion": "2", "HalMinorVersion": "1",
      "DdrBanks": [ { "Size": "16GB" } ] } ] } ] } }
EOF

# XRT prints two lines of its own to standard output, which may be JSON for another program.
if [ ! -t 1 ]; then
    mkfifo "$work/output"
    sed -u -e '/^configuring penguin scheduler mode$/d' -e '/^scheduler config ert(/d' \
        <"$work/output" &
    filter=$!
    exec >"$work/output"
fi

# In a session of its own: XRT answers a crash with a signal to the whole process group. A program
# in the background would not get Ctrl-C, and have no input.
trap 'kill -INT $child 2>/dev/null' INT
trap 'kill -TERM $child 2>/dev/null' TERM HUP
exec 3<&0
setsid env --default-signal=INT,QUIT \
    XCL_EMULATION_MODE=hw_emu XILINX_XRT="$work/xrt" USER="${work##*/}" \
    XRT_INI_PATH="$work/xrt.ini" EMCONFIG_PATH="$work" SDACCEL_EM_RUN_DIR="$work/run" \
    BITTERN_XCLBIN="$xclbin" BITTERN_XRT_DEVICE="$build/bin/bittern-xrt-device" \
    BITTERN_XRT_ENDED="$work/ended" \
    BITTERN_BACKENDS="${BITTERN_BACKENDS:-$build/host}" "$@" <&3 3<&- &
child=$!
echo $child >>"$work/pids"
while :; do
    code=0
    wait $child || code=$?
    # A signal ends the wait, not the program.
    kill -0 $child 2>/dev/null || break
done
# A card's end is one code, whether the program was told to end or XRT crashed over it before.
if [ "$code" -gt 128 ]; then
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        [ ! -e "$work/ended" ] || break
        kill -0 -- "-$child" 2>/dev/null || break
        sleep 0.1
    done
fi
[ ! -e "$work/ended" ] || code=143
if [ -n "$filter" ]; then
    exec >/dev/null
    wait "$filter" || true
fi
exit "$code"
