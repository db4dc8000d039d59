/* SPDX-License-Identifier: Apache-2.0
 *
 * filter.h: what the rest of the engine needs of filters beside their operations (engine.h) and
 * their table. */
#pragma once

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/filter_table.h"
#include "engine/types.h"

struct engine_state;
struct provider_context_entry;
struct ipsec_fault;
struct ipsec_session;

extern const struct policy_ops filter_policy_ops;

/* The rights that adding the filter asks for. */
NODISCARD enum ipsec_status filter_check_right_to_add(struct ipsec_session *session,
                                                      const struct ipsec_filter *filter);
/* Adds a filter after all checks but those of session and right, which come before.  'tunnel': the
 * policy of the tunnel that it is part of; null: none. */
NODISCARD enum ipsec_status filter_add(struct ipsec_session *session,
                                       const struct ipsec_filter *filter,
                                       struct provider_context_entry *tunnel,
                                       const struct filter_entry **entry_out);

/* The filter as part of committed policy, which SA contexts and the classifier go by; null when it
 * is not. */
struct filter_entry *filter_find_committed(const struct engine_state *state, uint64_t id);

/* The value of one condition, null when the filter has none on that field. */
const struct ipsec_condition *filter_condition(const struct ipsec_filter *filter,
                                               enum ipsec_condition_field field);

/* Takes over what the store has. */
NODISCARD enum ipsec_status filter_load(struct engine_state *state,
                                        const struct ipsec_filter *filter,
                                        struct ipsec_fault *fault);
