/* SPDX-License-Identifier: Apache-2.0
 *
 * session_registry.h: what any thread may know of the explicit sessions.
 *
 * The engine thread shows here what is committed; workers judge a request by it on its headers
 * alone.  What they are told may be outdated when the call runs, which is judged again. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/engine.h"
#include "engine/hash_index.h"
#include "engine/principal.h"
#include "engine/types.h"

struct session_registry;

/* What is shown of a session, as a part of the engine's own record. */
struct session_shown {
    struct hash_link link;
    struct ipsec_guid key;
    uint32_t opened_by;
    uint32_t flags;
    uint8_t transaction; /* enum ipsec_transaction_kind */
    bool aborted;
    bool txn_aborted; /* still to be told, once */
};

/* Null: no memory. */
struct session_registry *session_registry_new(void);
void session_registry_free(struct session_registry *registry);

/* The engine thread: 'shown' is the registry's until it is removed. */
void session_registry_add(struct session_registry *registry,
                          struct session_shown *shown,
                          const struct ipsec_session_record *record);
void session_registry_remove(struct session_registry *registry, struct session_shown *shown);
/* With 'txn_aborted' the next call is to be told that its transaction was rolled back. */
void session_registry_update(struct session_registry *registry,
                             struct session_shown *shown,
                             const struct ipsec_session_record *record,
                             bool txn_aborted);
/* Whether that is still to be told; from now on it is told. */
NODISCARD bool session_registry_take_notice(struct session_registry *registry,
                                            struct session_shown *shown);

/* See ipsec_session_preview(). */
NODISCARD enum ipsec_status session_registry_judge(struct session_registry *registry,
                                                   const struct principal_table *principals,
                                                   const struct ipsec_guid *key,
                                                   const char *principal,
                                                   enum ipsec_session_rule rule,
                                                   struct ipsec_fault *fault);
