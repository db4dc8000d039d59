#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# headers.sh: each header compiles alone, with gcc and with clang.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

read -ra library_flags <<<"$(pkg-config --cflags jansson openssl sqlite3 gnutls libseccomp libcap libmnl)"
flags=(-std=c17 -D_GNU_SOURCE -I. -isystem build/deps/include -Wall -Wextra -Wpedantic -Werror
    -fsyntax-only -x c "${library_flags[@]}")
status=0
while IFS= read -r header; do
    for compiler in gcc clang; do
        if ! printf '#include "%s"\nextern int declaration;\n' "$header" | "$compiler" "${flags[@]}" -; then
            printf '%s: does not compile alone with %s\n' "$header" "$compiler"
            status=1
        fi
    done
done < <(find engine auth api server tests -name '*.h' | sort)
exit "$status"
