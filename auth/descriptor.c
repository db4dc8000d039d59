/* SPDX-License-Identifier: Apache-2.0
 *
 * descriptor.c: see descriptor.h. */
#include "auth/descriptor.h"

#include <stdlib.h>
#include <string.h>

/* Rights that some entry has settled, and those of them that were allowed. */
struct decision {
    uint32_t decided;
    uint32_t granted;
};

static void decide(struct decision *decision,
                   const struct descriptor *descriptor,
                   const struct auth_identity *identity);

void
descriptor_clear(struct descriptor *descriptor)
{
    for (size_t i = 0; i < descriptor->entry_count; i++)
        principal_clear(&descriptor->entries[i].principal);
    free(descriptor->entries);
    *descriptor = (struct descriptor){ 0 };
}

bool
descriptor_add_take(struct descriptor *descriptor, struct descriptor_entry *entry)
{
    struct descriptor_entry *entries =
        reallocarray(descriptor->entries, descriptor->entry_count + 1, sizeof *entries);
    if (entries == NULL)
        return false;
    descriptor->entries = entries;

    size_t place = descriptor->entry_count;
    if (entry->type == DESCRIPTOR_DENY) {
        place = descriptor->deny_count++;
        memmove(&entries[place + 1], &entries[place],
                (descriptor->entry_count - place) * sizeof *entries);
    }
    entries[place] = *entry;
    descriptor->entry_count++;
    *entry = (struct descriptor_entry){ 0 };
    return true;
}

void
descriptor_sort(struct descriptor *descriptor)
{
    struct descriptor_entry *entries = descriptor->entries;

    for (size_t i = descriptor->deny_count; i < descriptor->entry_count; i++) {
        struct descriptor_entry entry = entries[i];
        size_t place = descriptor->deny_count;

        if (entry.type != DESCRIPTOR_DENY)
            continue;
        memmove(&entries[place + 1], &entries[place], (i - place) * sizeof *entries);
        entries[place] = entry;
        descriptor->deny_count++;
    }
}

uint32_t
descriptor_rights(const struct descriptor *own,
                  const struct descriptor *inherited,
                  const struct auth_identity *identity)
{
    struct decision decision = { 0 };

    decide(&decision, own, identity);
    if (inherited != NULL)
        decide(&decision, inherited, identity);
    return decision.granted;
}

static void
decide(struct decision *decision,
       const struct descriptor *descriptor,
       const struct auth_identity *identity)
{
    for (size_t i = 0; i < descriptor->entry_count; i++) {
        const struct descriptor_entry *entry = &descriptor->entries[i];
        uint32_t open = entry->rights & ~decision->decided;
        bool allows = entry->type == DESCRIPTOR_ALLOW;
        if (open == 0 || !(allows ? principal_matches(&entry->principal, identity)
                                  : principal_might_match(&entry->principal, identity)))
            continue;
        decision->decided |= open;
        if (allows)
            decision->granted |= open;
    }
}
