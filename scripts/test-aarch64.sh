#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Build the library and the command for 64-bit ARM hosts (KV260, ZCU104), and run their tests under
# qemu-aarch64. On an ARM machine scripts/test.sh does the same without an emulator.
set -eu

usage() {
    cat <<'END'
Usage: scripts/test-aarch64.sh [--quick] [CTEST OPTION...]

Installs the cross compiler and qemu-user, makes build/aarch64-sysroot, builds in build/aarch64, and
runs the tests there: without the simulated accelerator and the trainer.

  --quick   leave out the tests that take the most time under emulation: whole networks on a model of
            the accelerator, and on thousands of images

Examples:
  scripts/test-aarch64.sh
  scripts/test-aarch64.sh --quick
  scripts/test-aarch64.sh -R reference      only the tests whose name has "reference" in it
END
}

quick=false
case ${1:-} in
--quick)
    quick=true
    shift
    ;;
-h | --help)
    usage
    exit 0
    ;;
esac

cd "$(dirname "$0")/.."
./scripts/install-deps.sh --arm
./scripts/aarch64-sysroot.sh
./scripts/build.sh aarch64
if $quick; then
    set -- -E '^(test_device_program|test_device_networks|test_mnist_agreement|test_examples)$' "$@"
fi
ctest --preset aarch64 --parallel "$(nproc)" "$@"
