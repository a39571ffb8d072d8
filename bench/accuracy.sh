# SPDX-License-Identifier: Apache-2.0
# What bench/mnist-accuracy and bench/cifar10-accuracy share (sourced by both): training the rows of
# a table, one run a seed, and printing what the integer networks reach. Runs live in runs/, where
# finished ones are found again and stopped ones go on.
#
# A row is: NAME BAR PAPER KIND, where NAME is a recipe, BAR the lowest mean accuracy in percent (-:
# none), PAPER the published one (-: none), KIND integer, or float for networks that stay in float.

# Sets root, program, seeds, quick, only, table, threads from the command line.
accuracy_options() {
    root=$(cd "$(dirname "$0")/.." && pwd)
    program=$root/build/release/bin/bittern-train
    seeds=1
    quick=
    only=
    table=
    threads=
    while [ $# -gt 0 ]; do
        case $1 in
        --seeds | --only | --threads)
            [ $# -ge 2 ] || { echo "$0: $1 needs a value" >&2; exit 2; }
            case $1 in
            --seeds) seeds=$(echo "$2" | tr ',' ' ') ;;
            --only) only=$2 ;;
            --threads) threads=$2 ;;
            esac
            shift
            ;;
        --quick) quick=1 ;;
        --table) table=1 ;;
        -h | --help)
            sed -n '3,/^set -eu/s/^# \{0,1\}//p' "$0"
            exit 0
            ;;
        *)
            echo "$0: unknown option '$1'; see $0 --help" >&2
            exit 2
            ;;
        esac
        shift
    done
    for seed in $seeds; do
        case $seed in
        *[!0-9]*) echo "$0: a seed is a whole number, not '$seed'" >&2; exit 2 ;;
        esac
    done
    if [ -z "$table" ] && [ ! -x "$program" ]; then
        echo "$0: $program is missing; build it with scripts/build.sh release" >&2
        exit 2
    fi
    results=$(mktemp)
    trap 'rm -f "$results"' EXIT
    trap 'exit 130' INT TERM
}

# accuracy_folder NAME SEED
accuracy_folder() {
    echo "$root/runs/$1${quick:+-quick}-seed$2"
}

# accuracy_train NAME SEED [OPTION...]: train unless that is done; 1 where it failed.
accuracy_train() {
    folder=$(accuracy_folder "$1" "$2")
    name=$1
    seed=$2
    shift 2
    [ ! -f "$folder/result.json" ] || return 0
    [ -z "$table" ] || return 0
    resume=
    [ ! -f "$folder/last.safetensors" ] || resume=--resume
    echo "-- $name, seed $seed${resume:+ (goes on)}"
    code=0
    "$program" "$root/recipes/$name.yaml" --seed "$seed" --out "$folder" --verify 1000 --json \
        ${threads:+--threads "$threads"} ${quick:+--quick} $resume "$@" >/dev/null || code=$?
    [ "$code" -ne 130 ] || exit 130
    return "$code"
}

# accuracy_value FILE KEY: a number of result.json; KEY integer.accuracy looks inside "integer".
accuracy_value() {
    tr -d ' \t\n' <"$1" | case $2 in
    integer.*) sed -n "s/.*\"integer\":{[^}]*\"${2#integer.}\":\([0-9.e+-]*\).*/\1/p" ;;
    *) sed -n "s/.*\"$2\":\([0-9.e+-]*\).*/\1/p" ;;
    esac
}

# accuracy_depths FILE: bits of the layers, as "1-1-2-2-2".
accuracy_depths() {
    tr -d ' \t\n' <"$1" | grep -o '"bits":[0-9]*' | cut -d: -f2 | paste -sd-
}

# accuracy_row NAME BAR PAPER KIND [OPTION...]: train every seed; then print the row, and append
# "NAME MEAN BAR DEPTHS VERIFIED EQUAL DROP" to $results (MEAN - where a run is missing).
accuracy_row() {
    name=$1 bar=$2 paper=$3 kind=$4
    shift 4
    case $name in
    *"$only"*) ;;
    *) return 0 ;;
    esac
    values=
    depths=
    verified=0
    equal=0
    drop=0
    compression=-
    for one in $seeds; do
        accuracy_train "$name" "$one" "$@" || echo "   it failed" >&2
        file=$(accuracy_folder "$name" "$one")/result.json
        if [ ! -f "$file" ]; then
            values="$values -"
            continue
        fi
        float=$(accuracy_value "$file" float_accuracy)
        compression=$(accuracy_value "$file" compression)
        depths="$depths $(accuracy_depths "$file")"
        if [ "$kind" = float ]; then
            values="$values $float"
            continue
        fi
        value=$(accuracy_value "$file" integer.accuracy)
        values="$values ${value:--}"
        verified=$((verified + $(accuracy_value "$file" integer.verified)))
        equal=$((equal + $(accuracy_value "$file" integer.verified_equal)))
        drop=$(echo "$drop ${value:-0} $float" | awk '{ d = 100 * ($3 - $2); print (d > $1 ? d : $1) }')
    done
    # shellcheck disable=SC2086  # words on purpose
    printf '%s|%s|%s|%s|%s|%s|%s|%s|%s|%s\n' "$name" "$bar" "$paper" "$kind" "$values" \
        "$(printf '%s\n' $depths | sort -u | paste -sd' ')" "$compression" "$verified" "$equal" \
        "$drop" >>"$results"
}

# accuracy_print: the table of all rows, as Markdown.
accuracy_print() {
    echo
    echo "| recipe | weights' bits | smaller | seeds | mean | spread | paper | bar |"
    echo "| --- | --- | --- | --- | --- | --- | --- | --- |"
    awk -F'|' '{
        n = split($5, v, " "); sum = 0; low = 2; high = -1; text = ""; missing = 0
        for (i = 1; i <= n; i++) {
            if (v[i] == "-") { missing++; text = text (i > 1 ? ", " : "") "to come"; continue }
            sum += v[i]; if (v[i] < low) low = v[i]; if (v[i] > high) high = v[i]
            text = text (i > 1 ? ", " : "") sprintf("%.2f", 100 * v[i])
        }
        mean = n > missing ? sprintf("%.2f", 100 * sum / (n - missing)) : "to come"
        spread = n - missing > 1 ? sprintf("%.2f", 100 * (high - low)) : "-"
        printf "| %s%s | %s | %s | %s | %s | %s | %s | %s |\n", $1, $4 == "float" ? " (float)" : "",
            $6 == "" ? "-" : $6, $7 == "-" ? "-" : sprintf("%.1fx", $7), text, mean, spread, $3, $2
    }' "$results"
    echo
}

# accuracy_check: bars that every row has; prints what is missed, and sets missed and rows.
accuracy_check() {
    awk -F'|' '{
        n = split($5, v, " "); sum = 0; missing = 0
        for (i = 1; i <= n; i++) { if (v[i] == "-") missing++; else sum += v[i] }
        if (missing) { printf "missing: %s has %d of %d runs\n", $1, n - missing, n; next }
        mean = 100 * sum / n
        if ($2 != "-" && mean < $2 - 1e-9) printf "missed: %s reaches %.2f, the bar is %s\n", $1, mean, $2
        # Binary activations are exact; 8-bit ones round.
        least = $1 ~ /bnn|xnor/ ? $8 : 0.999 * $8
        if ($8 > 0 && $9 < least)
            printf "missed: %s: %d of %d images get the class that float64 gives\n", $1, $9, $8
        if ($10 > 0.05 + 1e-9)
            printf "missed: %s: the integer network is %.2f points below the float graph\n", $1, $10
    }' "$results"
}

# accuracy_mean NAME: in percent, empty where a run is missing.
accuracy_mean() {
    awk -F'|' -v name="$1" '$1 == name && $5 !~ /-( |$)/ {
        n = split($5, v, " "); for (i = 1; i <= n; i++) sum += v[i]
        printf "%.4f", 100 * sum / n
    }' "$results"
}

# accuracy_below NAME OTHER POINTS: says so where NAME's mean is further below OTHER's.
accuracy_below() {
    a=$(accuracy_mean "$1")
    b=$(accuracy_mean "$2")
    if [ -n "$a" ] && [ -n "$b" ] && awk "BEGIN { exit !($b - $a > $3 + 1e-9) }"; then
        echo "missed: $1 ($a) is more than $3 below $2 ($b)"
    fi
}

# accuracy_binary NAME: says so where a run of NAME has no binary layer.
accuracy_binary() {
    awk -F'|' -v name="$1" '$1 == name {
        n = split($6, depths, " ")
        for (i = 1; i <= n; i++) if (("-" depths[i] "-") !~ /-1-/)
            printf "missed: %s has no binary layer (%s)\n", name, depths[i]
    }' "$results"
}

# accuracy_end MISSED: the last line, and the exit code.
accuracy_end() {
    rows=$(wc -l <"$results")
    [ "$rows" -gt 0 ] || { echo "$0: no row has '$only' in its name" >&2; exit 2; }
    if [ -n "$quick" ]; then
        echo "$rows rows ran with --quick: a smoke run, which checks nothing"
        exit 0
    fi
    if [ -n "$1" ]; then
        echo "$1"
        echo "$(echo "$1" | wc -l) bars missed or rows missing, of $rows rows"
        exit 1
    fi
    echo "$rows rows, every bar kept"
}
