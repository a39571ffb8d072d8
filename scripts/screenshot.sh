#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A picture of an HTML file, by headless Chromium.
set -eu

usage() {
    cat <<'EOF'
Usage: scripts/screenshot.sh [--dark] [--width W] [--height H] PAGE.html OUT.png

Draws a page as a browser shows it; needs chromium (scripts/install-deps.sh --browser).

  --dark       as a reader who prefers dark colours has it
  --width W    of the window in pixels (default 1100)
  --height H   likewise (default 1400)

Examples:
  bittern report --bench rows.jsonl -o report.html
  scripts/screenshot.sh report.html report.png
  scripts/screenshot.sh --dark --width 500 report.html phone.png
EOF
}

width=1100
height=1400
scheme=1 # light
while [ $# -gt 0 ]; do
    case $1 in
    --dark) scheme=0 ;;
    --width | --height)
        [ $# -ge 2 ] || { usage >&2; exit 2; }
        if [ "$1" = --width ]; then width=$2; else height=$2; fi
        shift
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) break ;;
    esac
    shift
done
[ $# = 2 ] || { usage >&2; exit 2; }
[ -f "$1" ] || { echo "screenshot.sh: there is no file '$1'" >&2; exit 1; }
page=$(realpath "$1")
out=$(realpath "$2")

browser=$(command -v chromium || command -v chromium-browser || true)
[ -n "$browser" ] || {
    echo "screenshot.sh: chromium is missing: scripts/install-deps.sh --browser" >&2
    exit 1
}
# A profile of its own; without a sandbox, which root cannot have.
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
sandbox=
[ "$(id -u)" != 0 ] || sandbox=--no-sandbox
# shellcheck disable=SC2086
"$browser" --headless $sandbox --disable-gpu --hide-scrollbars --force-device-scale-factor=1 \
    --user-data-dir="$profile" --blink-settings=preferredColorScheme="$scheme" \
    --window-size="$width,$height" --screenshot="$out" "file://$page" >"$profile/log" 2>&1 || {
    tail -n 5 "$profile/log" >&2
    exit 1
}
[ -s "$out" ] || { echo "screenshot.sh: nothing was drawn" >&2; exit 1; }
