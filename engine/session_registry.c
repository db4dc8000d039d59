/* SPDX-License-Identifier: Apache-2.0
 *
 * session_registry.c: see session_registry.h. */
#include "engine/session_registry.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/mutex.h"
#include "engine/session.h"

struct session_registry {
    struct mutex lock;
    struct hash_index keys GUARDED_VAR;
};

static struct session_shown *find(const struct session_registry *registry,
                                  const struct ipsec_guid *key) REQUIRES(registry->lock);
static enum ipsec_status
judge(struct session_shown *shown, enum ipsec_session_rule rule, struct ipsec_fault *fault);
static bool take_notice(struct session_shown *shown);

struct session_registry *
session_registry_new(void)
{
    struct session_registry *registry = calloc(1, sizeof *registry);

    if (registry == NULL)
        return NULL;
    mutex_init(&registry->lock);
    mutex_lock(&registry->lock);
    bool has_index = hash_index_init(&registry->keys);
    mutex_unlock(&registry->lock);
    if (has_index)
        return registry;
    session_registry_free(registry);
    return NULL;
}

void
session_registry_free(struct session_registry *registry)
{
    if (registry == NULL)
        return;
    mutex_lock(&registry->lock);
    hash_index_clear(&registry->keys);
    mutex_unlock(&registry->lock);
    mutex_clear(&registry->lock);
    free(registry);
}

void
session_registry_add(struct session_registry *registry,
                     struct session_shown *shown,
                     const struct ipsec_session_record *record)
{
    mutex_lock(&registry->lock);
    *shown = (struct session_shown){
        .key = record->key,
        .opened_by = record->opened_by,
        .flags = record->flags,
        .transaction = record->transaction,
        .aborted = record->aborted,
    };
    hash_index_add(&registry->keys, &shown->link,
                   hash_bytes(registry->keys.seed, &shown->key, sizeof shown->key));
    mutex_unlock(&registry->lock);
}

void
session_registry_remove(struct session_registry *registry, struct session_shown *shown)
{
    mutex_lock(&registry->lock);
    hash_index_remove(&registry->keys, &shown->link);
    mutex_unlock(&registry->lock);
}

void
session_registry_update(struct session_registry *registry,
                        struct session_shown *shown,
                        const struct ipsec_session_record *record,
                        bool txn_aborted)
{
    mutex_lock(&registry->lock);
    shown->transaction = record->transaction;
    shown->aborted = record->aborted;
    shown->txn_aborted = shown->txn_aborted || txn_aborted;
    mutex_unlock(&registry->lock);
}

bool
session_registry_take_notice(struct session_registry *registry, struct session_shown *shown)
{
    mutex_lock(&registry->lock);
    bool is_new = take_notice(shown);
    mutex_unlock(&registry->lock);
    return is_new;
}

enum ipsec_status
session_registry_judge(struct session_registry *registry,
                       const struct principal_table *principals,
                       const struct ipsec_guid *key,
                       const char *principal,
                       enum ipsec_session_rule rule,
                       struct ipsec_fault *fault)
{
    mutex_lock(&registry->lock);
    struct session_shown *shown = find(registry, key);
    enum ipsec_status status;
    if (shown == NULL || !session_is_of(principals, shown->opened_by, principal))
        status = session_unknown(fault, IPSEC_FAULT_HEADER);
    else
        status = judge(shown, rule, fault);
    mutex_unlock(&registry->lock);
    return status;
}

static struct session_shown *
find(const struct session_registry *registry, const struct ipsec_guid *key)
{
    const struct hash_index *keys = &registry->keys;
    struct hash_link *link = hash_index_first(keys, hash_bytes(keys->seed, key, sizeof *key));

    while (link != NULL) {
        struct session_shown *shown = HASH_OBJECT(link, struct session_shown, link);

        if (memcmp(&shown->key, key, sizeof *key) == 0)
            return shown;
        link = hash_index_next(link);
    }
    return NULL;
}

static enum ipsec_status
judge(struct session_shown *shown, enum ipsec_session_rule rule, struct ipsec_fault *fault)
{
    if (shown->aborted)
        return session_aborted(fault, IPSEC_FAULT_HEADER);
    if (take_notice(shown))
        return session_txn_aborted(fault);
    return session_judge(rule, shown->flags, (enum ipsec_transaction_kind)shown->transaction,
                         fault);
}

static bool
take_notice(struct session_shown *shown)
{
    bool is_new = shown->txn_aborted;

    shown->txn_aborted = false;
    return is_new;
}
