/* SPDX-License-Identifier: Apache-2.0
 *
 * principal_limits.c: see principal_limits.h. */
#include "server/principal_limits.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "engine/base/mutex.h"

struct principal_slot {
    UT_hash_handle hh;
    uint32_t connections;
    char principal[];
};

struct principal_limits {
    struct mutex mutex;
    struct principal_slot *slots GUARDED_VAR;
    uint32_t maximum;
};

static struct principal_slot *find_or_add(struct principal_limits *limits, const char *principal)
    REQUIRES(limits->mutex);

struct principal_limits *
principal_limits_open(uint32_t maximum)
{
    struct principal_limits *limits = calloc(1, sizeof *limits);

    if (limits == NULL)
        return NULL;
    mutex_init(&limits->mutex);
    limits->maximum = maximum;
    return limits;
}

void
principal_limits_close(struct principal_limits *limits)
{
    if (limits == NULL)
        return;
    mutex_clear(&limits->mutex);
    free(limits);
}

struct principal_slot *
principal_limits_enter(struct principal_limits *limits, const char *principal)
{
    mutex_lock(&limits->mutex);
    struct principal_slot *slot = find_or_add(limits, principal);
    if (slot != NULL && limits->maximum > 0 && slot->connections >= limits->maximum)
        slot = NULL;
    if (slot != NULL)
        slot->connections++;
    mutex_unlock(&limits->mutex);
    return slot;
}

void
principal_limits_leave(struct principal_limits *limits, struct principal_slot *slot)
{
    mutex_lock(&limits->mutex);
    if (--slot->connections == 0) {
        HASH_DEL(limits->slots, slot);
        free(slot);
    }
    mutex_unlock(&limits->mutex);
}

static struct principal_slot *
find_or_add(struct principal_limits *limits, const char *principal)
{
    size_t length = strlen(principal);
    struct principal_slot *slot;

    HASH_FIND(hh, limits->slots, principal, length, slot);
    if (slot != NULL)
        return slot;
    slot = calloc(1, sizeof *slot + length + 1);
    if (slot == NULL)
        return NULL;
    memcpy(slot->principal, principal, length + 1);
    HASH_ADD_KEYPTR(hh, limits->slots, slot->principal, length, slot);
    if (slot->hh.tbl == NULL) { /* no memory for the table */
        free(slot);
        return NULL;
    }
    return slot;
}
