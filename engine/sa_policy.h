/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_policy.h: the policy objects that traffic names: finding, checking and referring to them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/session.h"
#include "engine/types.h"

struct engine_state;

/* Whether traffic that is valid by itself names committed policy that the caller may know of, and
 * makes sense for it. */
NODISCARD enum ipsec_status sa_policy_check(struct ipsec_session *session,
                                            const struct ipsec_traffic *traffic);
/* Whether changed traffic still is traffic of its filter, which is there. */
NODISCARD enum ipsec_status sa_policy_check_filter(struct ipsec_session *session,
                                                   const struct ipsec_traffic *traffic);
/* The same for a tunnel: whether it still ends where its policy, which is there, says. */
NODISCARD enum ipsec_status sa_policy_check_ends(struct ipsec_session *session,
                                                 const struct ipsec_traffic *traffic);
/* Whether the filter with this id is one for the inbound side of 'outbound_traffic'; 'pointer' is
 * where the id stood. */
NODISCARD enum ipsec_status sa_policy_check_inbound(struct ipsec_session *session,
                                                    const struct ipsec_traffic *outbound_traffic,
                                                    uint64_t filter_id,
                                                    const char *pointer);
/* The inbound filter that mirrors checked traffic, and will not end before the context; 0 when
 * there is none. */
uint64_t sa_policy_mirror(struct engine_state *state, const struct ipsec_traffic *traffic);

/* A context refers to the filter or tunnel policy of its traffic and to its inbound filter, so that
 * these stay. */
void sa_policy_ref(struct engine_state *state, const struct ipsec_sa_context *context);
void sa_policy_unref(struct engine_state *state, const struct ipsec_sa_context *context);
/* Whether a context of the store may refer to it. */
bool sa_policy_exists(const struct engine_state *state, const struct ipsec_traffic *traffic);

bool sa_traffic_equal(const struct ipsec_traffic *a, const struct ipsec_traffic *b);
