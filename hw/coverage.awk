# SPDX-License-Identifier: Apache-2.0
# Counts the points of a file of verilator_coverage, less those that are waived.
# Usage: awk -f hw/coverage.awk -v points=MISSED.txt hw/coverage_waivers.txt ALL.dat

# A waiver is: FILE SIGNAL BITS REASON; * is any signal or bit, BITS a list such as 0-5,9.
FNR == NR {
    if (NF > 3 && $1 !~ /^#/) {
        waiver_file[waivers] = $1
        waiver_signal[waivers] = $2
        waiver_bits[waivers] = $3
        waivers++
    }
    next
}

BEGIN { waivers = 0 }

function field(key,    at, rest) {
    at = index($0, "\001" key "\002")
    if (!at)
        return ""
    rest = substr($0, at + length(key) + 2)
    return match(rest, /[\001']/) ? substr(rest, 1, RSTART - 1) : rest
}

function has_bit(bits, bit,    parts, ends, n, i) {
    if (bits == "*")
        return 1
    n = split(bits, parts, ",")
    for (i = 1; i <= n; i++) {
        if (split(parts[i], ends, "-") == 1)
            ends[2] = ends[1]
        if (bit >= ends[1] + 0 && bit <= ends[2] + 0)
            return 1
    }
    return 0
}

function is_waived(file, signal, bit,    i) {
    for (i = 0; i < waivers; i++)
        if ((waiver_file[i] == "*" || waiver_file[i] == file) \
            && (waiver_signal[i] == "*" || waiver_signal[i] == signal) && has_bit(waiver_bits[i], bit)) {
            used[i] = 1
            return 1
        }
    return 0
}

/^C '/ {
    # The first field has no \001 in front of it that field() would find.
    sub(/^C '/, "C '\001")
    sub(/^C '\001\001/, "C '\001")
    file = field("f")
    sub(/.*\//, "", file)
    kind = field("page") ~ /^v_toggle/ ? "toggle" : "line"
    name = field("o")
    bit = 0
    if (match(name, /\[[0-9]+\]$/)) {
        bit = substr(name, RSTART + 1, RLENGTH - 2) + 0
        name = substr(name, 1, RSTART - 1)
    }
    covered = $NF + 0 > 0
    if (!covered && is_waived(file, kind == "toggle" ? name : "line:" field("l"), bit)) {
        waived[kind]++
        next
    }
    total[kind, file]++
    hit[kind, file] += covered
    all[kind]++
    all_hit[kind] += covered
    files[file] = 1
    if (!covered)
        print kind, file ":" field("l"), name (kind == "toggle" ? "[" bit "]" : ""), field("h") > points
}

function share(kind, file) {
    return total[kind, file] ? sprintf("%6.1f %%", 100 * hit[kind, file] / total[kind, file]) : "       -"
}

END {
    printf "%-24s %8s %8s %8s %8s\n", "file", "lines", "", "toggles", ""
    for (file in files)
        printf "%-24s %8d %8s %8d %8s\n", file, total["line", file], share("line", file), \
            total["toggle", file], share("toggle", file) | "sort"
    close("sort")
    for (i = 0; i < waivers; i++)
        if (!used[i])
            printf "waiver that nothing needs: %s %s %s\n", waiver_file[i], waiver_signal[i], waiver_bits[i]
    lines = 100 * all_hit["line"] / all["line"]
    toggles = 100 * all_hit["toggle"] / all["toggle"]
    printf "waived: %d lines and branches, %d toggles, with reasons in hw/coverage_waivers.txt\n", \
        waived["line"], waived["toggle"]
    printf "not waived: %.2f %% of %d lines and branches, %.2f %% of %d toggles (at least 95 %% wanted)\n", \
        lines, all["line"], toggles, all["toggle"]
    exit lines < 95 || toggles < 95
}
