/* SPDX-License-Identifier: Apache-2.0
 *
 * store_text.h: what tests of stores share: records made from a number, changes made from records,
 * and the whole contents of a store as text, so that two stores can be compared. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "engine/base/buffer.h"
#include "engine/store/store.h"

/* Records whose every member depends on the number.  Strings, and the parts of a context (every
 * twentieth has some), are static. */
struct ipsec_sa_context store_text_context(uint64_t id);
struct ipsec_filter store_text_filter(uint64_t id);
struct ipsec_provider_context store_text_provider_context(uint64_t id);
struct ipsec_session_record store_text_session(uint64_t number);

struct store_change store_text_put_principal(uint32_t id, const char *name);
struct store_change store_text_put_filter(const struct ipsec_filter *filter);
struct store_change store_text_put_context(const struct ipsec_sa_context *sa_context);
struct store_change store_text_put_replay(uint64_t number, const char *answer);
struct store_change store_text_delete(enum store_change_kind kind, uint64_t id);

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
