/* SPDX-License-Identifier: Apache-2.0
 *
 * validate.h: checks that need nothing but their argument.
 *
 * Each returns the first failure in the order members, values, references, meaning, and describes
 * it in 'fault' with a pointer into the request's body. */
#pragma once

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/types.h"

/* The outbound traffic of a new SA context: what must be there and which values there are. */
NODISCARD enum ipsec_status validate_traffic_members(const struct ipsec_traffic *traffic,
                                                     struct ipsec_fault *fault);

/* Whether such traffic makes sense, which is asked after what it refers to was found. */
NODISCARD enum ipsec_status validate_traffic_meaning(const struct ipsec_traffic *traffic,
                                                     struct ipsec_fault *fault);

/* Whether SAs can have this address: not the unspecified, broadcast or a multicast one. */
NODISCARD enum ipsec_status validate_sa_address(const struct ipsec_address *address,
                                                uint8_t ip_version,
                                                const char *pointer,
                                                struct ipsec_fault *fault);

/* Whether tunnel 'traffic', already valid by itself, is that of its policy: the same endpoints. */
NODISCARD enum ipsec_status validate_traffic_policy(const struct ipsec_traffic *traffic,
                                                    const struct ipsec_provider_context *policy,
                                                    struct ipsec_fault *fault);

/* Whether 'traffic', already valid by itself, is traffic of the transport filter it names: an
 * outbound filter of its IP version with the IPsec transport callout, and no condition that it
 * contradicts. */
NODISCARD enum ipsec_status validate_traffic_filter(const struct ipsec_traffic *traffic,
                                                    const struct ipsec_filter *filter,
                                                    struct ipsec_fault *fault);

/* Whether 'filter' may name the inbound side of 'traffic', which is described as the outbound one.
 * Faults point to 'pointer', where the filter's id stood. */
NODISCARD enum ipsec_status validate_inbound_filter(const struct ipsec_traffic *traffic,
                                                    const struct ipsec_filter *filter,
                                                    const char *pointer,
                                                    struct ipsec_fault *fault);
