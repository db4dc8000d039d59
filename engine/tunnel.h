/* SPDX-License-Identifier: Apache-2.0
 *
 * tunnel.h: IPsec tunnels: a tunnel policy and the filters that send packets through it, made and
 * deleted as one.
 *
 * A main-mode policy, which nobody executes, hangs on a filter where such policy is looked up; so
 * all that belongs to a tunnel is found from its policy, also after a restart. */
#pragma once

#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"

struct filter_entry;
struct ipsec_session;
struct ipsec_tunnel_made;
struct provider_context_entry;

/* As the session sees it; IPSEC_PROVIDER_CONTEXT_NOT_FOUND. */
NODISCARD enum ipsec_status
tunnel_find(struct ipsec_session *session, uint64_t id, struct provider_context_entry **policy_out);

/* 'part' or the first behind it that the session sees; null when there is none. */
struct filter_entry *tunnel_next_part(const struct ipsec_session *session,
                                      struct filter_entry *part);
/* The main-mode policy that hangs on the part; null: it is another part. */
struct provider_context_entry *tunnel_main_mode_of(const struct filter_entry *part);

void tunnel_describe(const struct ipsec_session *session,
                     const struct provider_context_entry *policy,
                     struct ipsec_tunnel_made *made_out);
