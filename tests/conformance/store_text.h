/* SPDX-License-Identifier: Apache-2.0
 *
 * store_text.h: the whole contents of a store as text, so that two stores can be compared, and the
 * directory that a store of a test lies in. */
#pragma once

#include "engine/base/buffer.h"
#include "engine/store/store.h"

/* Loads the store and renders it, a record a line, answers included. */
NODISCARD enum ipsec_status
store_text_render(const struct store_ops *ops, struct store *store, struct buffer *text);

/* Takes everything and keeps nothing. */
const struct store_loader *store_text_silent_loader(void);

/* A new empty directory below TMPDIR, and its end with all the files in it. */
char *store_text_make_directory(void);
void store_text_remove_directory(char *directory_take);
/* 'directory'/'name' on the heap. */
char *store_text_join(const char *directory, const char *name);
