/* SPDX-License-Identifier: Apache-2.0
 *
 * condition.h: conditions of filters: which there are at which layer, what makes one valid, and
 * whether a flow meets one.
 *
 * A flow, as SA traffic describes it, does not tell all that a packet does.  It knows addresses and
 * IP version; a protocol or port of 0 is not known; of interface and packet flags nothing is.  Its
 * addresses are unicast, for the checks of traffic refuse the others, but may be anycast, which can
 * not be seen.  What is not known neither meets a condition nor fails it: the check of SA traffic
 * refuses only what fails one (the packets decide the rest), the classifier of the mirrored flow
 * (classify.h) answers only filters of which all conditions are met. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/types.h"

/* A flow as filters see it; a protocol or port of 0 is not known. */
struct classify_flow {
    struct ipsec_address local_address;
    struct ipsec_address remote_address;
    uint16_t local_port;
    uint16_t remote_port;
    uint8_t ip_protocol;
    uint8_t ip_version;
};

enum condition_verdict { CONDITION_MET = 0, CONDITION_UNKNOWN, CONDITION_FAILED };

/* Whether the condition may stand at 'layer' and its match and value suit its field.  'index' is
 * its place in "/conditions".  IPSEC_CONDITION_NOT_FOUND, IPSEC_INVALID_ENUMERATOR,
 * IPSEC_MATCH_TYPE_MISMATCH, IPSEC_TYPE_MISMATCH, IPSEC_INVALID_NET_MASK, IPSEC_OUT_OF_BOUNDS,
 * IPSEC_INVALID_RANGE. */
NODISCARD enum ipsec_status condition_check(const struct ipsec_condition *condition,
                                            unsigned index,
                                            enum ipsec_layer layer,
                                            struct ipsec_fault *fault);

/* Host bits to zero, and nothing in members that field and match do not use: equal conditions are
 * equal bytes. */
void condition_normalise(struct ipsec_condition *condition, enum ipsec_layer layer);

enum condition_verdict condition_judge(const struct ipsec_condition *condition,
                                       const struct classify_flow *flow);

/* The first bits that all addresses which meet an address condition have in common. */
unsigned condition_common_prefix(const struct ipsec_condition *condition);
/* Whether that prefix, or for the others one number, says all that the condition does. */
bool condition_is_exact(const struct ipsec_condition *condition);
/* Whether every flow meets it. */
bool condition_is_idle(const struct ipsec_condition *condition);

/* How many bits of a packet a condition fixes: the measure of automatic weights.  That of all
 * conditions of a filter together is below 512. */
unsigned condition_fixed_bits(const struct ipsec_condition *condition);

bool condition_is_on_address(const struct ipsec_condition *condition);

/* --- Prefixes --- */

/* Zeroes all but the first 'prefix_length' bits. */
void address_mask(struct ipsec_address *address, unsigned prefix_length);
bool address_matches(const struct ipsec_address *address,
                     const struct ipsec_address *prefix,
                     unsigned prefix_length);
