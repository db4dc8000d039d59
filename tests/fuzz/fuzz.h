/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz.h: what a fuzz target defines, for libFuzzer and for replay.c. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Works on the bytes and returns 0; what must not be aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
