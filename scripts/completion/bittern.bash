# SPDX-License-Identifier: Apache-2.0
# Bash completion for the bittern command. Options come from each command's own --help, so that
# this file does not have to know them.

_bittern_options() {
    "$@" --help 2>/dev/null | grep -oE -- '(^|[ ,\[])--[a-z][a-z0-9-]*' | grep -oE -- '--[a-z0-9-]+' |
        sort -u
}

_bittern_commands() {
    "$1" --help 2>/dev/null | awk '/^Commands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'
}

_bittern() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]} program=${COMP_WORDS[0]}
    local words=
    COMPREPLY=()

    if [ "$COMP_CWORD" = 1 ]; then
        words="$(_bittern_commands "$program") --help --version"
    elif [ "$command" = data ] && [ "$COMP_CWORD" = 2 ]; then
        words="list fetch show make --help"
    elif [ "$command" = help ] && [ "$COMP_CWORD" = 2 ]; then
        words=$(_bittern_commands "$program")
    else
        case $previous in
        --dataset | fetch | show)
            words=$("$program" data list --names 2>/dev/null)
            ;;
        --device | --target) words="reference sim sim:tiny sim:edge sim:edge-binary sim:cloud xrt" ;;
        --geometry) words="any tiny edge edge-binary cloud" ;;
        --sweep) words="geometry= batch= latency=" ;;
        --kernel) words="avx512 avx2 neon portable" ;;
        --input-range) words="0-255 0-1 minus1-1" ;;
        --split) words="train test" ;;
        --precision) words="auto f32 bf16" ;;
        --export) words="last best" ;;
        make) words="digits" ;;
        train)
            words="$("$program" train --list 2>/dev/null | awk '$1 ~ /[.]yaml$/ { sub(/[.]yaml$/, "", $1); print $1 }') $(compgen -f -- "$current")"
            [ "${current#-}" = "$current" ] || words=$(_bittern_options "$program" train)
            ;;
        *)
            case $current in
            -*)
                if [ "$command" = data ]; then
                    words=$(_bittern_options "$program" data "${COMP_WORDS[2]}")
                else
                    words=$(_bittern_options "$program" "$command")
                fi
                ;;
            *)
                mapfile -t COMPREPLY < <(compgen -f -- "$current")
                return
                ;;
            esac
            ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -o filenames -F _bittern bittern
