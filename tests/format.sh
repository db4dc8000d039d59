#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# format.sh: our C files are as clang-format lays them out, our shell scripts as shellcheck wants them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

status=0
# Another version lays out otherwise; Debian 12's is the one that decides.
if clang-format --version | grep -q 'version 14\.'; then
    find engine auth api server tests \( -name '*.c' -o -name '*.h' \) -print0 | sort -z |
        xargs -0 -r clang-format --dry-run -Werror --ferror-limit=3 || status=1
else
    echo "layout not checked: that takes clang-format 14, this is $(clang-format --version)"
fi
{
    find deploy tests -name '*.sh' -print0
    printf '.ci/run\0'
} | sort -z | xargs -0 shellcheck --external-sources --severity=warning || status=1
exit "$status"
