#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Packages the kernel with Vivado and links it for a board with v++. What is missing is named, with
# where it comes from, before anything is started.
set -eu

usage() {
    cat <<'END'
Usage: hw/xrt/build.sh PLATFORM [hw|hw_emu] [OPTION...]

Builds build/xrt/PLATFORM-GEOMETRY-TARGET/bittern.xclbin from hw/rtl. Needs Vitis, which contains
Vivado, and the board's platform (hw/xrt/README.md). A target of hw takes hours.

  PLATFORM             u250, u55c, zcu104 or kv260 (hw/xrt/platforms.txt)
  hw, hw_emu           a bitstream (default), or Vivado's simulation of one
  --geometry NAME      of hw/geometries.txt; the default is in platforms.txt
  --xpfm FILE          platform file, where it is not found by its name
  --frequency MHZ      clock of the kernel, instead of the platform's own
  --jobs N             parallel jobs of Vivado (default: one a CPU)
  --rootfs FILE, --kernel-image FILE
                       embedded boards: also make an SD card image of these
  --dry-run            print the commands, run nothing, look for no tool

Exit codes: 0 built, 1 a tool failed, 2 wrong usage, 3 a tool or the platform is missing, 130 interrupted.

Examples:
  hw/xrt/build.sh u250
  hw/xrt/build.sh kv260 hw --geometry edge --xpfm ~/kv260_custom/kv260_custom.xpfm
  hw/xrt/build.sh u55c hw_emu --geometry edge --dry-run
END
}

refuse() {
    echo "build.sh: $1" >&2
    echo "build.sh: --help says how it is used" >&2
    exit 2
}

platform=
target=hw
geometry=
xpfm=
frequency=
jobs=$(nproc 2>/dev/null || echo 1)
rootfs=
image=
dry_run=false
while [ $# -gt 0 ]; do
    case $1 in
    --geometry | --xpfm | --frequency | --jobs | --rootfs | --kernel-image)
        [ $# -ge 2 ] || refuse "$1 needs a value"
        case $1 in
        --geometry) geometry=$2 ;;
        --xpfm) xpfm=$2 ;;
        --frequency) frequency=$2 ;;
        --jobs) jobs=$2 ;;
        --rootfs) rootfs=$2 ;;
        --kernel-image) image=$2 ;;
        esac
        shift
        ;;
    --dry-run) dry_run=true ;;
    -h | --help)
        usage
        exit 0
        ;;
    -*) refuse "unknown option '$1'" ;;
    hw | hw_emu) target=$1 ;;
    *)
        [ -z "$platform" ] || refuse "'$1' is neither hw nor hw_emu"
        platform=$1
        ;;
    esac
    shift
done
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
[ -n "$platform" ] || refuse "which platform?"

# ---- what is asked for -----------------------------------------------------------------------
row=$(awk -v name="$platform" '$1 == name' "$here/platforms.txt")
[ -n "$row" ] || refuse "no platform '$platform'; there are: $(awk '!/^#/ { printf "%s ", $1 }' \
    "$here/platforms.txt")"
# Fields of the row: name, geometry, part, kind, platform.
# shellcheck disable=SC2086
set -- $row
part=$3 kind=$4 platform_name=$5
geometry=${geometry:-$2}
awk -v name="$geometry" '$1 == name { found = 1 } END { exit !found }' "$root/hw/geometries.txt" ||
    refuse "no geometry '$geometry'; there are: $(awk '!/^#/ { printf "%s ", $1 }' \
        "$root/hw/geometries.txt")"
for number in "$jobs" ${frequency:+"$frequency"}; do
    case $number in
    '' | 0 | *[!0-9]*) refuse "'$number' is not a positive number" ;;
    esac
done
if [ -n "$rootfs$image" ]; then
    [ "$kind-$target" = embedded-hw ] || refuse "an SD card image is for embedded boards, target hw"
    if [ -z "$rootfs" ] || [ -z "$image" ]; then
        refuse "--rootfs and --kernel-image go together"
    fi
fi

# ---- what is there ---------------------------------------------------------------------------
# A platform lies in NAME/NAME.xpfm of one of these folders.
find_platform() {
    old_ifs=$IFS
    IFS=:
    for folder in ${PLATFORM_REPO_PATHS:-} /opt/xilinx/platforms \
        "${XILINX_VITIS:-/nonexistent}/base_platforms"; do
        if [ -f "$folder/$1/$1.xpfm" ]; then
            echo "$folder/$1/$1.xpfm"
            break
        fi
    done
    IFS=$old_ifs
}

missing=false
miss() {
    missing=true
    echo "build.sh: $1" >&2
}
if $dry_run; then
    xpfm=${xpfm:-$(find_platform "$platform_name")}
    xpfm=${xpfm:-$platform_name}
else
    for tool in vivado v++; do
        command -v "$tool" >/dev/null 2>&1 || miss "$tool is not in PATH"
    done
    if $missing; then
        cat >&2 <<'END'
  Both are part of Vitis; these files are written for 2022.2 to 2023.2:
  https://www.xilinx.com/support/download/index.html/content/xilinx/en/downloadNav/vitis.html
  Where it is installed:  . /opt/Xilinx/Vitis/2023.2/settings64.sh
END
    fi
    if [ -n "$xpfm" ]; then
        [ -f "$xpfm" ] || miss "there is no platform file $xpfm"
    else
        xpfm=$(find_platform "$platform_name")
        if [ -z "$xpfm" ]; then
            miss "the platform $platform_name is in no folder of PLATFORM_REPO_PATHS, in
  /opt/xilinx/platforms, or in Vitis' base_platforms (another place or version: --xpfm FILE)"
            case $platform in
            u250 | u55c)
                echo "  Install the card's development platform (package ...-dev) from" >&2
                echo "  https://www.xilinx.com/products/boards-and-kits/alveo/$platform.html" >&2
                ;;
            zcu104)
                echo "  It comes with Vitis (folder base_platforms), or build it from" >&2
                echo "  https://github.com/Xilinx/Vitis_Embedded_Platform_Source" >&2
                ;;
            kv260)
                echo "  Make it as AMD's tutorial \"Vitis Platform Creation: KV260\" does:" >&2
                echo "  https://github.com/Xilinx/Vitis-Tutorials (Vitis_Platform_Creation)" >&2
                ;;
            esac
        fi
    fi
    for file in ${rootfs:+"$rootfs"} ${image:+"$image"}; do
        [ -f "$file" ] || miss "there is no file $file"
    done
    if $missing; then
        echo "build.sh: without Vitis, scripts/test.sh checks everything here but the tools' own work" >&2
        exit 3
    fi
fi

# ---- package, link ---------------------------------------------------------------------------
work=$root/build/xrt/$platform-$geometry-$target
xclbin=$work/bittern.xclbin
partial=$work/partial.xclbin
trap 'exit 130' INT TERM

# Runs a command with its output in a log, or prints it.
run() {
    log=$work/$1.log
    shift
    if $dry_run; then
        printf '%s' "$1"
        shift
        printf " '%s'" "$@"
        echo
        return
    fi
    "$@" >"$log" 2>&1 || {
        code=$?
        case $code in
        130 | 143) exit 130 ;; # the tool was interrupted, and said so
        esac
        tail -n 30 "$log" >&2
        echo "build.sh: $1 failed with $code; the whole log is in $log" >&2
        exit 1
    }
}
say() {
    $dry_run || echo "$1"
}

if ! $dry_run; then
    mkdir -p "$work"
    # What must not be taken for this build's result where it fails.
    rm -f "$xclbin" "$partial"
    cd "$work"
fi
say "Packaging the kernel, geometry $geometry ..."
run vivado vivado -mode batch -nojournal -log "$work/vivado-own.log" -source "$here/gen_xo.tcl" \
    -tclargs "$geometry" "$part" "$work/package" "$work/bittern.xo"

say "Linking for $platform, target $target; a target of hw takes hours ..."
set -- --link --target "$target" --platform "$xpfm" --config "$here/$platform.cfg" \
    --save-temps --temp_dir "$work/temp" --log_dir "$work/log" --report_dir "$work/report" \
    --jobs "$jobs"
# Clocks of cards are scaled by --kernel_frequency, in MHz; those of embedded platforms are fixed
# ones, from which the linker chooses or makes one.
if [ -n "$frequency" ]; then
    if [ "$kind" = card ]; then
        set -- "$@" --kernel_frequency "$frequency"
    else
        set -- "$@" --clock.defaultFreqHz "${frequency}000000"
    fi
fi
run link v++ "$@" --output "$partial" "$work/bittern.xo"

if [ -n "$rootfs" ]; then
    say "Making the SD card image ..."
    run package v++ --package --target hw --platform "$xpfm" --package.out_dir "$work/sd_card" \
        --package.rootfs "$rootfs" --package.image_format ext4 --package.kernel_image "$image" \
        --output "$work/packaged.xclbin" "$partial"
fi
if [ "$kind-$target" = card-hw_emu ]; then
    run emconfig emconfigutil --platform "$xpfm" --od "$work"
fi
$dry_run || mv "$partial" "$xclbin"
say "Built $xclbin"
case $kind-$target in
card-hw_emu) say "Emulate it: set XCL_EMULATION_MODE=hw_emu and EMCONFIG_PATH=$work" ;;
embedded-hw) [ -n "$rootfs" ] ||
    say "Loading it on the board: hw/xrt/README.md (v++ --package, or xmutil on Kria)" ;;
esac
