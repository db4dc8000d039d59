#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# analyzer.sh: gcc's -fanalyzer finds nothing in what is shipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cmake -G Ninja -B build/analyzer -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER=gcc \
    -DSAC_ANALYZER=ON -DSAC_TESTS=OFF --log-level=WARNING >/dev/null
cmake --build build/analyzer -- -k 0
