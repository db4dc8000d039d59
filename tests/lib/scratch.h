/* SPDX-License-Identifier: Apache-2.0
 *
 * scratch.h: a directory of a test's own.  Failure aborts the test program. */
#pragma once

#include <stddef.h>

#include "engine/base/attributes.h"

struct scratch {
    char directory[64];
    char path[160];
};

void scratch_init(struct scratch *scratch);
/* Removes the directory and the plain files in it. */
void scratch_clear(struct scratch *scratch);
AUTO_DEFINE(scratch, scratch_clear)

/* The path of 'name' in the directory; valid until the next call. */
const char *scratch_path(struct scratch *scratch, const char *name);
/* Writes the file anew and returns its path likewise. */
const char *scratch_write(struct scratch *scratch, const char *name, const void *data, size_t size);
/* The contents, terminated, for free(). */
char *scratch_read(struct scratch *scratch, const char *name);
