#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Make a folder with the arm64 libraries that Bittern links, for cross-compiling and for qemu-aarch64.
# The packages are downloaded with apt's own checks and unpacked there: nothing of this system
# changes, and root is not needed.
set -eu

usage() {
    cat <<'END'
Usage: scripts/aarch64-sysroot.sh [FOLDER]

Makes FOLDER (default build/aarch64-sysroot) from this Debian's or Ubuntu's arm64 packages; says
nothing where it is there already. Delete the folder to have it made anew.

Examples:
  scripts/aarch64-sysroot.sh
  scripts/aarch64-sysroot.sh /opt/bittern-aarch64
END
}

case ${1:-} in
-h | --help)
    usage
    exit 0
    ;;
-*)
    usage >&2
    exit 2
    ;;
esac
[ $# -le 1 ] || {
    usage >&2
    exit 2
}

cd "$(dirname "$0")/.."
sysroot=${1:-build/aarch64-sysroot}
packages=$(scripts/install-deps.sh --list | awk '$1 == "arm64" { print $2 }')
# What is in the folder, in words: another list of packages makes another folder.
if [ "$(cat "$sysroot/packages.txt" 2>/dev/null)" = "$packages" ]; then
    exit 0
fi
command -v apt-get >/dev/null 2>&1 || {
    echo "aarch64-sysroot.sh: needs apt-get (Debian or Ubuntu); elsewhere give CMake a sysroot of" >&2
    echo "your own: cmake --preset aarch64 -DBITTERN_AARCH64_SYSROOT=FOLDER" >&2
    exit 1
}

# Built beside its place and renamed at the end, so that a broken download leaves no half of it.
partial=$sysroot.partial
rm -rf "$partial"
mkdir -p "$partial/apt/lists/partial" "$partial/apt/cache/archives/partial" "$partial/root"
partial=$(cd "$partial" && pwd)
trap 'rm -rf "$partial"' EXIT
trap 'exit 130' INT TERM

# An apt of its own: the system's sources and keys, another architecture, and no package installed.
# Ubuntu has arm64 on another server than amd64.
mkdir "$partial/apt/sources"
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    [ ! -f "$file" ] || sed -E \
        's,//[a-z.]*(archive|security)\.ubuntu\.com/ubuntu/?,//ports.ubuntu.com/ubuntu-ports/,' \
        "$file" >"$partial/apt/sources/$(basename "$file")"
done
: >"$partial/apt/status"
cat >"$partial/apt/apt.conf" <<END
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
Dir::State "$partial/apt";
Dir::State::Lists "$partial/apt/lists";
Dir::State::status "$partial/apt/status";
Dir::Cache "$partial/apt/cache";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$partial/apt/sources";
Acquire::Languages "none";
END
log=$partial/log
echo "Making $sysroot from arm64 packages ..."
run_apt() {
    APT_CONFIG=$partial/apt/apt.conf apt-get -qq "$@" >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        echo "aarch64-sysroot.sh: apt-get $1 failed; see above" >&2
        exit 1
    }
}
run_apt update
# shellcheck disable=SC2086
run_apt install --yes --download-only $packages

for archive in "$partial"/apt/cache/archives/*.deb; do
    dpkg-deb -x "$archive" "$partial/root"
done
# Links that begin at / would lead out of the folder.
find "$partial/root" -type l -lname '/*' | while read -r link; do
    ln -sfnr "$partial/root$(readlink "$link")" "$link"
done
echo "$packages" >"$partial/root/packages.txt"
rm -rf "$sysroot"
mkdir -p "$(dirname "$sysroot")"
mv "$partial/root" "$sysroot"
