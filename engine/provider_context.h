/* SPDX-License-Identifier: Apache-2.0
 *
 * provider_context.h: what the rest of the engine needs of provider contexts beside their
 * operations (engine.h) and their table. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/provider_context_table.h"
#include "engine/types.h"

struct engine_state;
struct ipsec_fault;
struct ipsec_provider_context_page;
struct ipsec_session;

extern const struct policy_ops provider_context_policy_ops;

/* As part of committed policy, which SA contexts go by; null when it is not. */
struct provider_context_entry *provider_context_find_committed(const struct engine_state *state,
                                                               uint64_t id);
/* As the session sees it; null when it does not. */
struct provider_context_entry *provider_context_find_visible(const struct ipsec_session *session,
                                                             uint64_t id);
struct provider_context_entry *provider_context_find_key(const struct ipsec_session *session,
                                                         const struct ipsec_guid *key);

/* The rights that adding it asks for. */
NODISCARD enum ipsec_status
provider_context_check_right_to_add(struct ipsec_session *session,
                                    const struct ipsec_provider_context *provider_context);
/* All that is checked before it is added but session, right and lock.  'lifetime_out' as in
 * policy_lifetime_of(). */
NODISCARD enum ipsec_status
provider_context_check_new(struct ipsec_session *session,
                           const struct ipsec_provider_context *provider_context,
                           uint8_t *lifetime_out);

/* Adds one after all checks but those of session and right, which come before. */
NODISCARD enum ipsec_status
provider_context_add(struct ipsec_session *session,
                     const struct ipsec_provider_context *provider_context,
                     bool is_tunnel,
                     struct provider_context_entry **entry_out);

/* A page of those that the session sees and 'is_wanted' of 'what', in id order; rights are checked
 * before. */
NODISCARD enum ipsec_status
provider_context_page(struct ipsec_session *session,
                      bool (*is_wanted)(const struct ipsec_provider_context *context, int what),
                      int what,
                      uint64_t after,
                      size_t limit,
                      struct ipsec_provider_context_page *page_out);

/* Takes over what the store has. */
NODISCARD enum ipsec_status
provider_context_load(struct engine_state *state,
                      const struct ipsec_provider_context *provider_context,
                      struct ipsec_fault *fault);
