#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Everything that is checked without running Bittern: formatting, static analysis, a second
# compiler's warnings, shell scripts. Any finding is an error.
set -eu

usage() {
    cat <<'EOF'
Usage: scripts/lint.sh [--fix]

Checks formatting, clang's warnings, clang-tidy and shellcheck. Any finding is an error.

  --fix   reformat the C and C++ files instead of only checking them
EOF
}

fix=false
case ${1:-} in
--fix) fix=true ;;
-h | --help)
    usage
    exit 0
    ;;
'') ;;
*)
    usage >&2
    exit 2
    ;;
esac

cd "$(dirname "$0")/.."
./scripts/install-deps.sh --lint

sources=$(git ls-files '*.c' '*.h' '*.cpp' '*.hpp')
if $fix; then
    # File names here have no spaces.
    # shellcheck disable=SC2086
    clang-format-14 -i $sources
else
    echo "Formatting ..."
    # shellcheck disable=SC2086
    clang-format-14 --dry-run --Werror $sources
fi

echo "Licence lines ..."
for file in $(git ls-files '*.c' '*.h' '*.sh' '*.v' '*.awk' '*.tcl' '*.cpp' '*.hpp' '*.proto' '*CMakeLists.txt' '*.cmake' '*.in'); do
    head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || {
        echo "lint.sh: $file has no SPDX line" >&2
        exit 1
    }
done

echo "Shell scripts ..."
scripts=$(git ls-files 'scripts/*.sh' 'bench/*' 'hw/*' 'tests/*.sh' 'tests/xrt_packaging/bin/*' '.ci/run' |
    while read -r file; do head -n 1 "$file" | grep -q '^#!.*sh' && echo "$file"; done)
# shellcheck disable=SC2086
shellcheck -x $scripts

echo "clang's warnings, clang-tidy ..."
# With the second compiler's flags; only what a build generates is built.
mkdir -p build
if ! { CC=clang-14 cmake --preset debug -B build/clang -DBITTERN_SIM_MODELS= &&
    ninja -C build/clang -t targets rule CUSTOM_COMMAND | grep '^[^/].*\.[ch]$' | xargs ninja -C build/clang; } \
    >build/clang.log 2>&1; then
    tail -n 40 build/clang.log >&2
    exit 1
fi
# Generated protocol buffer code is not ours to tidy.
git ls-files 'host/*.c' 'hw/*.c' 'sim/*.c' 'sw_train/*.c' 'tests/*.c' 'bench/*.c' |
    while read -r file; do
        if grep -q "\"file\": \".*/$file\"" build/clang/compile_commands.json; then
            echo "$file"
        fi
    done >build/tidy-files
xargs -P "$(nproc)" -n 4 clang-tidy-14 --quiet -p build/clang <build/tidy-files \
    >build/tidy.log 2>build/tidy-errors.log || {
    grep -E -A6 'error:' build/tidy.log >&2 || cat build/tidy-errors.log >&2
    exit 1
}
echo "lint: nothing found"
