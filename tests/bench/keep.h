/* SPDX-License-Identifier: Apache-2.0
 *
 * keep.h: numbers taken from answers, for requests of a later run.
 *
 * A file has a line for each request of the run that made it, in the order of their numbers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The member "name" of the JSON object in 'text', an unsigned number.  False when there is none.
 * Texts in strings are not told apart: it is for answers that one knows. */
bool keep_find(const char *text, size_t size, const char *name, uint64_t *number_out);

/* False with errno set. */
bool keep_write(const char *path, const uint64_t *numbers, size_t count);
/* The numbers of a file, to be freed, and how many there are; null with errno set. */
uint64_t *keep_read(const char *path, size_t *count_out);
