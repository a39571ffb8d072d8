#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Install what is missing, build, and run every test.
set -eu

usage() {
    cat <<'EOF'
Usage: scripts/test.sh [--preset NAME] [CTEST OPTION...]

Installs what is missing, builds, and runs every test.

  --preset NAME   release (default), debug, or asan (address and undefined-behaviour sanitizers)

Examples:
  scripts/test.sh
  scripts/test.sh --preset asan
  scripts/test.sh -R network        only the tests whose name has "network" in it
EOF
}

preset=release
while [ $# -gt 0 ]; do
    case $1 in
    --preset)
        [ $# -ge 2 ] || { usage >&2; exit 2; }
        preset=$2
        shift 2
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) break ;;
    esac
done

cd "$(dirname "$0")/.."
./scripts/install-deps.sh
./scripts/build.sh "$preset"
ctest --preset "$preset" --parallel "$(nproc)" "$@"
