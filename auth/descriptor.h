/* SPDX-License-Identifier: Apache-2.0
 *
 * descriptor.h: a security descriptor's list of entries (its DACL) and what it grants.
 *
 * Entries stand in canonical order: those that deny before those that allow, otherwise as they were
 * added.  For each right the first entry that matches the caller and names the right decides; a
 * container's own entries come before those it inherits. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "auth/identity.h"
#include "auth/principal.h"
#include "engine/base/attributes.h"

enum descriptor_entry_type { DESCRIPTOR_DENY = 0, DESCRIPTOR_ALLOW };

struct descriptor_entry {
    enum descriptor_entry_type type;
    uint32_t rights;
    struct principal principal;
};

/* Whoever reads one takes so many entries and refuses more, so that what one may write another can
 * read. */
#define DESCRIPTOR_ENTRIES_MAX 1024

/* A zeroed one is empty and grants nothing. */
struct descriptor {
    struct descriptor_entry *entries;
    size_t entry_count;
    size_t deny_count; /* the first so many deny */
};
void descriptor_clear(struct descriptor *descriptor);
AUTO_DEFINE(descriptor, descriptor_clear)

/* Adds an entry in its place, behind those of its type.  Takes what 'entry' owns; false, taking
 * nothing, when there is no memory. */
NODISCARD bool descriptor_add_take(struct descriptor *descriptor, struct descriptor_entry *entry);

/* Brings entries that were added in any order, those past 'deny_count', into canonical order. */
void descriptor_sort(struct descriptor *descriptor);

/* What 'identity' may do where 'own' applies and 'inherited', which may be null, comes after it. */
uint32_t descriptor_rights(const struct descriptor *own,
                           const struct descriptor *inherited,
                           const struct auth_identity *identity);
