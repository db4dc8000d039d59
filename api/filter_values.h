/* SPDX-License-Identifier: Apache-2.0
 *
 * filter_values.h: the members of a filter whose JSON is more than one kind of value. */
#pragma once

#include "api/codec.h"

/* Of struct ipsec_filter. */
extern const struct codec_custom filter_layer_codec; /* fixes the IP version of the conditions */
extern const struct codec_custom filter_weight_codec;
/* Of struct ipsec_condition, once its field is known. */
extern const struct codec_custom filter_condition_value_codec;
/* Of requests only: nothing that they could name exists. */
extern const struct codec_custom filter_flags_codec;
extern const struct codec_custom filter_provider_key_codec;
extern const struct codec_custom filter_provider_context_key_codec;
