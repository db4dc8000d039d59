/* SPDX-License-Identifier: Apache-2.0
 *
 * address_limits.c: see address_limits.h. */
#include "server/address_limits.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "engine/base/mutex.h"

struct address_key {
    uint8_t bytes[8]; /* IPv4: the address and zeros; IPv6: the first 64 bits */
    uint8_t family;
};

struct address_slot {
    UT_hash_handle hh;
    struct address_key key;
    uint32_t connections;
    uint32_t handshakes;
};

struct address_limits {
    struct mutex mutex;
    struct address_slot *slots GUARDED_VAR;
    _Atomic uint64_t connections;
    uint32_t maximum;
    uint32_t maximum_per_address;
    uint32_t maximum_handshakes;
};

static struct address_key key_of(const struct sockaddr *address);
static struct address_slot *find(struct address_limits *limits, const struct address_key *key)
    REQUIRES(limits->mutex);

struct address_limits *
address_limits_open(uint32_t maximum,
                    uint32_t maximum_per_address,
                    uint32_t maximum_handshakes_per_address)
{
    struct address_limits *limits = calloc(1, sizeof *limits);

    if (limits == NULL)
        return NULL;
    mutex_init(&limits->mutex);
    limits->maximum = maximum;
    limits->maximum_per_address = maximum_per_address;
    limits->maximum_handshakes = maximum_handshakes_per_address;
    return limits;
}

void
address_limits_close(struct address_limits *limits)
{
    if (limits == NULL)
        return;
    mutex_clear(&limits->mutex);
    free(limits);
}

bool
address_limits_allow(struct address_limits *limits, const struct sockaddr *address)
{
    struct address_key key = key_of(address);
    bool allowed = true;

    if (atomic_load_explicit(&limits->connections, memory_order_relaxed) >= limits->maximum)
        return false;
    mutex_lock(&limits->mutex);
    const struct address_slot *slot = find(limits, &key);
    if (slot != NULL) {
        allowed =
            slot->handshakes < limits->maximum_handshakes &&
            (limits->maximum_per_address == 0 || slot->connections < limits->maximum_per_address);
    }
    mutex_unlock(&limits->mutex);
    return allowed;
}

struct address_slot *
address_limits_enter(struct address_limits *limits, const struct sockaddr *address)
{
    struct address_key key = key_of(address);

    mutex_lock(&limits->mutex);
    struct address_slot *slot = find(limits, &key);
    if (slot == NULL) {
        slot = calloc(1, sizeof *slot);
        if (slot != NULL) {
            slot->key = key;
            HASH_ADD(hh, limits->slots, key, sizeof slot->key, slot);
        }
        if (slot != NULL && slot->hh.tbl == NULL) { /* no memory for the table */
            free(slot);
            slot = NULL;
        }
    }
    if (slot != NULL) {
        slot->connections++;
        slot->handshakes++;
        atomic_fetch_add_explicit(&limits->connections, 1, memory_order_relaxed);
    }
    mutex_unlock(&limits->mutex);
    return slot;
}

void
address_limits_handshake_done(struct address_limits *limits, struct address_slot *slot)
{
    mutex_lock(&limits->mutex);
    slot->handshakes--;
    mutex_unlock(&limits->mutex);
}

void
address_limits_leave(struct address_limits *limits,
                     struct address_slot *slot,
                     bool handshake_unfinished)
{
    mutex_lock(&limits->mutex);
    if (handshake_unfinished)
        slot->handshakes--;
    if (--slot->connections == 0) {
        HASH_DEL(limits->slots, slot);
        free(slot);
    }
    atomic_fetch_sub_explicit(&limits->connections, 1, memory_order_relaxed);
    mutex_unlock(&limits->mutex);
}

uint64_t
address_limits_number(const struct address_slot *slot)
{
    uint64_t number;

    memcpy(&number, slot->key.bytes, sizeof number);
    return number;
}

uint64_t
address_limits_connections(const struct address_limits *limits)
{
    return atomic_load_explicit(&limits->connections, memory_order_relaxed);
}

/* An IPv4 caller on a dual-stack socket is the same caller. */
static struct address_key
key_of(const struct sockaddr *address)
{
    struct address_key key = { .family = AF_INET };

    if (address->sa_family == AF_INET6) {
        struct in6_addr v6 = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(&v6)) {
            memcpy(key.bytes, v6.s6_addr + 12, 4);
        } else {
            key.family = AF_INET6;
            memcpy(key.bytes, v6.s6_addr, 8);
        }
    } else if (address->sa_family == AF_INET) {
        memcpy(key.bytes, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    }
    return key;
}

static struct address_slot *
find(struct address_limits *limits, const struct address_key *key)
{
    struct address_slot *slot;

    HASH_FIND(hh, limits->slots, key, sizeof *key, slot);
    return slot;
}
