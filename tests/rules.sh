#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# rules.sh: the project's rules that a compiler does not check: who may include whom, functions that
# are not to be used, how files open.  One line for each offence; exit status 1 when there are any.
#
# An exception is counted, so that it cannot grow unnoticed: "RULE PATH COUNT" with its reason above.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

exceptions=(
    # The deadline that a condition's wait takes, in the clock it names.
    "clock engine/handover.c 1"
    # --check looks the store's URI up without opening an engine.
    "layering server/main.c 1"
)

offences=$(mktemp)
code=$(mktemp)
trap 'rm -f "$offences" "$code"' EXIT

# offend RULE PATH LINE TEXT
offend() { printf '%s %s %s: %s\n' "$1" "$2" "$3" "$4" >>"$offences"; }

# Feeds "LINE:TEXT" lines from the standard input to offend.
offend_all() {
    local rule=$1 path=$2 line
    while IFS= read -r line; do offend "$rule" "$path" "${line%%:*}" "${line#*:}"; done
}

# The files of the arguments (find's -name patterns), without what was built.
files() {
    local -a names=()
    local pattern
    for pattern in "$@"; do names+=(-o -name "$pattern"); done
    find . \( -path ./build -o -path ./.git \) -prune -o -type f \( "${names[@]:1}" \) -print |
        sed 's,^\./,,' | sort
}

# A C file without its comments; lines keep their numbers.  String literals are emptied, but for the
# names of included files, so that words in messages are no offence.
strip_comments() {
    awk '
    {
        out = ""
        rest = $0
        is_include = !in_comment && rest ~ /^[ \t]*#[ \t]*include/
        while (rest != "") {
            if (in_comment) {
                at = index(rest, "*/")
                if (!at) { rest = ""; break }
                rest = substr(rest, at + 2)
                in_comment = 0
                continue
            }
            if (substr(rest, 1, 2) == "/*") { in_comment = 1; rest = substr(rest, 3); continue }
            if (substr(rest, 1, 2) == "//") { rest = ""; break }
            c = substr(rest, 1, 1)
            if (c == "\"" && !is_include) {
                if (match(rest, /^"([^"\\]|\\.)*"/)) {
                    out = out "\"\""
                    rest = substr(rest, RLENGTH + 1)
                    continue
                }
            }
            if (c == "\047" && match(rest, /^\047([^\047\\]|\\.)+\047/)) {
                out = out substr(rest, 1, RLENGTH)
                rest = substr(rest, RLENGTH + 1)
                continue
            }
            out = out c
            rest = substr(rest, 2)
        }
        print out
    }' "$1" >"$code"
}

# --- Includes go one way: server -> api -> engine, with auth beside -------------------------------

# What a file in the folder of $1 may include of ours, as an extended regular expression.
allowed_includes() {
    case $1 in
    engine/base/*) echo '^engine/base/' ;;
    engine/*) echo '^engine/' ;;
    auth/*) echo '^(auth|engine/base)/' ;;
    api/*) echo '^(api|auth|engine/base)/|^engine/(engine|types)\.h$' ;;
    server/*) echo '^(server|api|auth|engine/base)/|^engine/(engine|types)\.h$' ;;
    *) echo '.' ;;
    esac
}

# Ours by the list above; a library's header that has a home only there.
include_line='^([0-9]+):[[:space:]]*#[[:space:]]*include[[:space:]]*([<"])([^>"]*)'

check_includes() {
    local path=$1 allowed line number include home

    allowed=$(allowed_includes "$path")
    while IFS= read -r line; do
        [[ $line =~ $include_line ]] || continue
        number=${BASH_REMATCH[1]}
        include=${BASH_REMATCH[3]}
        if [ "${BASH_REMATCH[2]}" = '"' ]; then
            [[ $include =~ $allowed ]] ||
                offend layering "$path" "$number" "may not include $include"
            continue
        fi
        home=
        case $include in
        microhttpd.h | gnutls/*) home=server/ ;;
        sqlite3.h) home=engine/store/ ;;
        libmnl/* | linux/netlink.h | linux/xfrm.h | linux/rtnetlink.h) home=engine/plane/ ;;
        esac
        case $path in
        tests/* | "$home"*) ;;
        *) offend layering "$path" "$number" "only $home includes <$include>" ;;
        esac
    done < <(grep -nE '^[ \t]*#[ \t]*include' "$code" || true)
}

# --- Functions that are not to be used ------------------------------------------------------------

# Unbounded text, numbers without error reports, shells, names of files that race.
banned='strcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|atoi|atol|atoll|atof|strtok|system|popen'
banned+='|alloca|tmpnam|tempnam|mktemp|bzero'
# State of the process that others change; tests may.
shared='rand|srand|random|asctime|ctime|localtime|gmtime|signal'
# Wiping with what the compiler may leave out; comparing secrets in a time that tells.
wiping='memset *\([^,]*(secret|password|private_key|key_bytes|cipher_key|auth_key)'
comparing='(memcmp|strcmp|strncmp) *\([^;]*(secret|password|cipher_key|auth_key)'

check_functions() {
    local path=$1

    grep -nE "(^|[^A-Za-z0-9_>.])($banned) *\(" "$code" | offend_all banned-function "$path" || true
    grep -nE "$wiping" "$code" | offend_all wiping "$path" || true
    grep -nE "$comparing" "$code" | offend_all comparing-secrets "$path" || true
    case $path in
    engine/base/* | tests/*) ;;
    *)
        grep -nE "(^|[^A-Za-z0-9_>.])($shared) *\(" "$code" |
            offend_all banned-function "$path" || true
        # Whatever returns before its first use, the clean-up runs.
        grep -nE 'AUTO\([a-z_]+\) [a-z_]+;' "$code" |
            offend_all auto-without-initialiser "$path" || true
        # Time and randomness come from engine/base/.
        grep -nE '(^|[^A-Za-z0-9_>.])(time|clock_gettime|gettimeofday|getrandom) *\(' "$code" |
            offend_all clock "$path" || true
        ;;
    esac
}

# --- How files look -------------------------------------------------------------------------------

check_text() {
    local path=$1

    head -n 2 "$path" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
        offend licence-line "$path" 1 "SPDX-License-Identifier is missing"
    grep -nE '[ 	]+$' "$path" | offend_all trailing-space "$path" || true
    grep -nwE '(TODO|FIXME|XXX|HACK)' "$path" | offend_all unfinished "$path" || true
}

while IFS= read -r path; do
    strip_comments "$path"
    check_includes "$path"
    check_functions "$path"
    grep -n $'\t' "$path" | offend_all tab "$path" || true
    case $path in
    *.h) grep -q '^#pragma once$' "$path" || offend header-guard "$path" 1 "no #pragma once" ;;
    esac
done < <(files '*.c' '*.h')

while IFS= read -r path; do
    # This file names the words it looks for.
    if [ "$path" != tests/rules.sh ]; then check_text "$path"; fi
done < <(files '*.c' '*.h' '*.def' '*.sh' '*.py' '*.cmake' CMakeLists.txt Dockerfile '*.yaml' '*.service')

# --- Exceptions -----------------------------------------------------------------------------------

status=0
for exception in ${exceptions[@]+"${exceptions[@]}"}; do
    read -r rule path allowed <<<"$exception"
    count=$(grep -c "^$rule $path " "$offences" || true)
    if [ "$count" -ne "$allowed" ]; then
        printf '%s: %s has %s of rule %s, the exception says %s\n' \
            tests/rules.sh "$path" "$count" "$rule" "$allowed"
        status=1
    fi
    sed -i "\\,^$rule $path ,d" "$offences"
done
if [ -s "$offences" ]; then
    sed -E 's/^([^ ]+) ([^ ]+) ([0-9]+): (.*)$/\2:\3: \1: \4/' "$offences"
    status=1
fi
exit "$status"
