#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the whole kernel of a geometry occupies, as a line of hw/energy/areas.txt. Maps it module by
# module (hw/synth/synth.sh), which takes minutes; that is why the result is kept.
#
# Usage: hw/energy/area.sh GEOMETRY xc7|xcup
# Example: hw/energy/area.sh edge xc7
set -eu
case ${1-} in
-h | --help | '')
    sed -n '/^# Usage/,/^set/s/^# \{0,1\}//p' "$0"
    [ $# -gt 0 ] || exit 2
    exit 0
    ;;
esac
[ $# -eq 2 ] || {
    echo "usage: $0 GEOMETRY xc7|xcup" >&2
    exit 2
}
geometry=$1
family=$2
cd "$(dirname "$0")/../.."
parameters=$(hw/synth/parameters.sh "$geometry")
# shellcheck disable=SC2086 # words on purpose
hw/synth/synth.sh bittern_kernel $parameters --family "$family" --modules |
    awk -v geometry="$geometry" -v family="$family" '
    NF == 7 && $1 + 0 > 0 {
        sites += $3; registers += $1 * $4; dsp += $1 * $6
        if ($7 ~ /feature_bank$/) feature += $1 * $5
        else if ($7 ~ /weight_bank$/) weight += $1 * $5
        else other += $1 * $5
    }
    END {
        if (!sites) exit 1
        if (other) {
            print "area.sh: other memories than the two are there" >"/dev/stderr"
            exit 1
        }
        print geometry, family, sites, registers, feature, weight, dsp
    }'
