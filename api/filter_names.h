/* SPDX-License-Identifier: Apache-2.0
 *
 * filter_names.h: the WFP names of what filters are made of, with the GUIDs of fwpmu.h as their
 * other spelling. */
#pragma once

#include "api/codec.h"
#include "engine/types.h"

extern const struct codec_names filter_layers;      /* enum ipsec_layer */
extern const struct codec_names filter_callouts;    /* enum ipsec_callout without NONE */
extern const struct codec_names filter_actions;     /* enum ipsec_action_type */
extern const struct codec_names filter_conditions;  /* enum ipsec_condition_field */
extern const struct codec_names filter_match_types; /* enum ipsec_match_type */

/* The IP version of what passes a layer. */
uint8_t filter_layer_ip_version(enum ipsec_layer layer);
