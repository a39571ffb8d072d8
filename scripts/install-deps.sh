#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Install what Bittern needs on Debian 12 or Ubuntu 22.04 and newer, and nothing else. Every
# dependency is named here once, with what it is for. Says nothing where nothing is missing.
set -eu

usage() {
    cat <<'EOF'
Usage: scripts/install-deps.sh [--demo] [--hw] [--lint] [--fuzz] [--bench] [--browser] [--arm]
                               [--check | --list]

Installs the missing packages with apt-get, as root or through sudo.

  --demo    also modelled energy, as scripts/demo.sh needs it
  --hw      also proofs of the Verilog, and its area and timing
  --lint    also what scripts/lint.sh needs
  --fuzz    also what scripts/fuzz.sh needs
  --bench   also what bench/train-speed compares with
  --browser also what looks at pages of 'bittern report': its test, scripts/screenshot.sh (Debian;
            Ubuntu has Chromium as a snap only)
  --arm     also what scripts/test-aarch64.sh needs; packages of group arm64 are for another CPU,
            and are never installed here
  --check   install nothing: print what is missing; exit 1 if anything is
  --list    install nothing: print every package and what it is for

Examples:
  scripts/install-deps.sh
  scripts/install-deps.sh --lint --check
EOF
}

# group, package, what it is for
packages() {
    cat <<'EOF'
build build-essential          C compiler, linker, C library headers
build cmake                    the build system
build ninja-build              runs the build
build pkg-config               finds the libraries below
build libprotobuf-c-dev        ONNX: reading and writing protocol buffers
build protobuf-c-compiler      ONNX: C code from the schema, at build time
build libonnx-dev              ONNX: the schema itself (onnx.proto)
build libcjson-dev             JSON output of every command
build zlib1g-dev               data sets (.gz), check sums of program files
build liblzma-dev              data sets (.xz)
build libarchive-dev           data sets (.tar.gz, .zip as published)
build libcurl4-openssl-dev     `bittern data fetch`
build libssl-dev               SHA-256 of what was fetched
build libpng-dev               `bittern data show --png`
build ca-certificates          https addresses of `bittern data fetch`
test  libcmocka-dev            unit tests
test  libsimde-dev             tests of AVX-512 and NEON kernels on any CPU
test  tcl                      runs hw/xrt's scripts for Vivado, without Vivado
train libdnnl-dev              oneDNN: float tensor work of the trainer (and benchmarks against it)
train libcyaml-dev             recipes
train libyaml-dev              lines of the keys in recipes
train libopenmpi-dev           training on several processes (mpi.h)
train openmpi-bin              mpirun
sim   verilator                the simulated accelerator: Verilog to C++
sim   g++                      its compiler (also part of build-essential)
sim   zlib1g-dev               waveforms (FST)
sim   iverilog                 benches of single Verilog modules
xrt   libxrt-dev               boards and their emulation: the Xilinx Runtime
xrt   uuid-dev                 its headers include it, and do not ask for it
xrt   unzip                    XRT's emulation unpacks its simulator with it
xrt   g++                      compiles the one C++ file of the driver
report gnuplot-nox             charts of `bittern report`
energy yosys                   switching of the real netlist, for modelled energy
hw    yosys                    area of the accelerator; turns proofs into formulas
hw    boolector                solver for proofs over bit vectors
hw    z3                       a second solver
hw    nextpnr-ice40            timing of single modules, placed and routed
lint  git                      the list of files to check
lint  clang-14                 a second compiler's warnings
lint  clang-format-14          formatting
lint  clang-tidy-14            static analysis
lint  libomp-14-dev            OpenMP for that compiler
lint  shellcheck               shell scripts
fuzz  clang-14                 libFuzzer's compiler
fuzz  libclang-rt-14-dev       libFuzzer itself, and its sanitizers
bench python3-torch            PyTorch: bench/train-speed compares with it
bench libopenblas0-openmp      fast products of matrices in PyTorch
browser chromium               tests of the report's page; pictures of it
browser chromium-driver        drives it in tests (WebDriver)
browser fonts-dejavu-core      letters for it to draw
arm   gcc-aarch64-linux-gnu    C compiler for ARM hosts: scripts/test-aarch64.sh
arm   qemu-user                runs their programs here
arm64 libc6-dev                in the sysroot of scripts/aarch64-sysroot.sh, as all of group arm64
arm64 libgcc-s1                the compiler's run time
arm64 libprotobuf-c-dev        ONNX
arm64 libonnx-dev              ONNX: the schema itself (onnx.proto)
arm64 libcjson-dev             JSON output
arm64 zlib1g-dev               data sets, check sums
arm64 liblzma-dev              data sets (.xz)
arm64 libarchive-dev           data sets (.tar.gz, .zip)
arm64 libcurl4-openssl-dev     `bittern data fetch`
arm64 libssl-dev               SHA-256
arm64 libpng-dev               `bittern data show --png`
arm64 libcmocka-dev            unit tests
EOF
}

groups="build train test sim xrt report"
action=install
for argument in "$@"; do
    case $argument in
    --demo) groups="$groups energy" ;;
    --hw) groups="$groups energy hw" ;;
    --lint) groups="$groups lint" ;;
    --fuzz) groups="$groups fuzz" ;;
    --bench) groups="$groups bench" ;;
    --browser) groups="$groups browser" ;;
    --arm) groups="$groups arm" ;;
    --check) action=check ;;
    --list) action=list ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        echo "install-deps.sh: unknown option '$argument'" >&2
        usage >&2
        exit 2
        ;;
    esac
done

if [ "$action" = list ]; then
    packages
    exit 0
fi

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "install-deps.sh: this script knows Debian and Ubuntu only. Install these with your own" >&2
    echo "package manager, then run cmake as README.md says:" >&2
    packages >&2
    exit 1
fi

# Of all packages only XRT is not in every release (not in Ubuntu 22.04, and for amd64 only): where
# the system's lists are there and do not have it, the driver for boards is left out.
is_offered() {
    [ "$1" != libxrt-dev ] || apt-cache show "$1" >/dev/null 2>&1 ||
        ! apt-cache show build-essential >/dev/null 2>&1
}

missing=
for group in $groups; do
    for package in $(packages | awk -v group="$group" '$1 == group { print $2 }'); do
        is_offered "$package" || continue
        state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || case " $missing " in
        *" $package "*) ;;
        *) missing="$missing $package" ;;
        esac
    done
done

[ -n "$missing" ] || exit 0
if [ "$action" = check ]; then
    echo "missing:$missing"
    exit 1
fi

# The package lists are split into words on purpose, here and below.
if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    as_root=sudo
else
    echo "install-deps.sh: packages are missing, and this user is not root and has no sudo." >&2
    echo "Ask an administrator to run:" >&2
    echo "  apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

echo "Installing:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086
if ! {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
        missing=$(for package in $missing; do is_offered "$package" && echo "$package"; done; true) &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
            --no-install-recommends $missing
} >"$log" 2>&1; then
    echo "install-deps.sh: apt-get failed:" >&2
    tail -n 20 "$log" >&2
    exit 1
fi
