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
)

work=$(mktemp -d)
offences=$work/offences
trap 'rm -rf "$work"' EXIT
: >"$offences"

# offend RULE PATH LINE TEXT
offend() { printf '%s %s %s: %s\n' "$1" "$2" "$3" "$4" >>"$offences"; }

# Feeds "PATH:LINE:TEXT" lines from the standard input to offend.
offend_all() {
    local rule=$1 path line text
    while IFS=: read -r path line text; do offend "$rule" "$path" "$line" "$text"; done
}

# The files of the arguments (find's -name patterns), without what was built.
files() {
    local -a names=()
    local pattern
    for pattern in "$@"; do names+=(-o -name "$pattern"); done
    find . \( -path ./build -o -path ./.git \) -prune -o -type f \( "${names[@]:1}" \) -print |
        sed 's,^\./,,' | sort
}
mapfile -t sources < <(files '*.c' '*.h')
# What has our licence; without this file, which names the words it looks for.
mapfile -t texts < <(files '*.c' '*.h' '*.def' '*.sh' '*.py' '*.cmake' CMakeLists.txt Dockerfile \
    '*.yaml' '*.service' | grep -vx tests/rules.sh)

# The C files without their comments go below $work/code; lines keep their numbers.  String literals
# are emptied, but for the names of included files, so that words in messages are no offence.
strip_comments() {
    local path
    for path in "${sources[@]}"; do echo "$work/code/${path%/*}"; done | sort -u | xargs mkdir -p
    awk -v folder="$work/code/" '
    FNR == 1 {
        if (code != "") close(code)
        code = folder FILENAME
        in_comment = 0
        printf "" >code
    }
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
        print out >code
    }' "${sources[@]}"
}

# code GREP-ARGUMENT… -- what is found in them, as "PATH:LINE:TEXT".
code() { (cd "$work/code" && grep -rn "$@" . | sed 's,^\./,,' | sort -t : -k 1,1 -k 2,2n) || true; }

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
    local path previous='' allowed line number include home

    while IFS=: read -r path line; do
        [[ $line =~ $include_line ]] || continue
        number=${BASH_REMATCH[1]}
        include=${BASH_REMATCH[3]}
        if [ "${BASH_REMATCH[2]}" = '"' ]; then
            [ "$path" = "$previous" ] || allowed=$(allowed_includes "$path")
            previous=$path
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
    done < <(code -E '^[ \t]*#[ \t]*include')
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

# State of the process, time and randomness are engine/base's, and tests may do as they like.
elsewhere() { grep -vE '^(engine/base|tests)/' || true; }

check_functions() {
    code -E "(^|[^A-Za-z0-9_>.])($banned) *\(" | offend_all banned-function
    code -E "$wiping" | offend_all wiping
    code -E "$comparing" | offend_all comparing-secrets
    code -E "(^|[^A-Za-z0-9_>.])($shared) *\(" | elsewhere | offend_all banned-function
    # Whatever returns before its first use, the clean-up runs.
    code -E 'AUTO\([a-z_]+\) [a-z_]+;' | elsewhere | offend_all auto-without-initialiser
    code -E '(^|[^A-Za-z0-9_>.])(time|clock_gettime|gettimeofday|getrandom) *\(' |
        elsewhere | offend_all clock
}

# --- Codes that are no answers --------------------------------------------------------------------

# Those above 0x80320039 came with later systems: they are in the catalogue, and nothing answers them.
undocumented=$(sed -nE 's/^STATUS\((IPSEC_[A-Z0-9_]+),.* 0x(8032003[A-F]|803200[4-9A-F].|803201..)u,.*/\1/p' \
    engine/base/status.def | paste -sd '|')
[ -n "$undocumented" ]

check_codes() {
    code -wE "$undocumented" | { grep -vE '^(api/problem_table\.c|tests/)' || true; } |
        offend_all undocumented-code
}

# --- How files look -------------------------------------------------------------------------------

# lines GREP-ARGUMENT… FILE… -- what is found, as "PATH:LINE:TEXT".
lines() { grep -Hn "$@" || true; }

check_text() {
    local path

    awk 'FNR == 1 { seen[FILENAME] = 0 }
        /SPDX-License-Identifier: Apache-2.0/ { seen[FILENAME] = 1 }
        FNR == 2 { nextfile }
        END { for (path in seen) if (!seen[path]) print path ":1:SPDX-License-Identifier is missing" }' \
        "${texts[@]}" | sort | offend_all licence-line
    lines -E '[ 	]+$' "${texts[@]}" | offend_all trailing-space
    lines -wE '(TODO|FIXME|XXX|HACK)' "${texts[@]}" | offend_all unfinished
    lines $'\t' "${sources[@]}" | offend_all tab
    # As in answers and audit lines: lowerCamelCase.
    lines -E '(LOG_TEXT|LOG_NUMBER)\("([^a-z]|[^"]*[^A-Za-z0-9"])' "${sources[@]}" | offend_all log-member
    for path in $(printf '%s\n' "${sources[@]}" | grep '\.h$' | xargs grep -L '^#pragma once$'); do
        offend header-guard "$path" 1 "no #pragma once"
    done
}

strip_comments
check_includes
check_functions
check_codes
check_text

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
