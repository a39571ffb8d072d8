#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The parameters of a geometry of hw/geometries.txt, as words for synth.sh: all of bittern_kernel's,
# or those that are named.
#
# Usage: hw/synth/parameters.sh GEOMETRY [PARAMETER...]
# Example: hw/synth/synth.sh compute_unit $(hw/synth/parameters.sh edge WORD HAS_INT)
set -eu
[ $# -gt 0 ] || {
    sed -n '/^# Usage/,/^set/s/^# \{0,1\}//p' "$0" | sed '$d' >&2
    exit 2
}
geometry=$1
shift
[ $# -gt 0 ] || set -- WORD OC PX FEATURE_WORDS WEIGHT_ROWS HAS_XNOR HAS_TERNARY HAS_INT
awk -v name="$geometry" -v parameters="$*" '
    $1 == name {
        value["WORD"] = $2
        value["OC"] = $3
        value["PX"] = $4
        value["FEATURE_WORDS"] = $5
        value["WEIGHT_ROWS"] = $6
        value["HAS_XNOR"] = $7 % 2
        value["HAS_TERNARY"] = int($7 / 2) % 2
        value["HAS_INT"] = int($7 / 4) % 2
        count = split(parameters, parameter, " ")
        for (i = 1; i <= count; i++)
            printf "%s-p %s=%s", (i == 1 ? "" : " "), parameter[i], value[parameter[i]]
        print ""
        found = 1
    }
    END { exit !found }' "$(dirname "$0")/../geometries.txt" || {
    echo "$0: hw/geometries.txt has no geometry '$geometry'" >&2
    exit 2
}
