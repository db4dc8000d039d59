/* SPDX-License-Identifier: Apache-2.0
 *
 * filter_names.h: the WFP names of what filters are made of, with the GUIDs of fwpmu.h as their
 * other spelling. */
#pragma once

#include <stdbool.h>

#include "api/codec.h"
#include "engine/types.h"

extern const struct codec_names filter_layers;             /* enum ipsec_layer */
extern const struct codec_names filter_sub_layers;         /* enum ipsec_sub_layer */
extern const struct codec_names filter_callouts;           /* enum ipsec_callout without NONE */
extern const struct codec_names filter_actions;            /* enum ipsec_action_type */
extern const struct codec_names filter_conditions;         /* enum ipsec_condition_field */
extern const struct codec_names filter_forward_conditions; /* the same at the forward layers */
extern const struct codec_names filter_match_types;        /* enum ipsec_match_type */
extern const struct codec_names filter_address_types;      /* NL_ADDRESS_TYPE */
extern const struct codec_names filter_flags;              /* enum ipsec_filter_flag */
extern const struct codec_names policy_lifetimes;          /* enum ipsec_lifetime_kind */

/* The IP version of what passes a layer. */
uint8_t filter_layer_ip_version(enum ipsec_layer layer);
/* Whether its packets have a source and a destination, not a local and a remote side. */
bool filter_layer_forwards(enum ipsec_layer layer);
