/* SPDX-License-Identifier: Apache-2.0
 *
 * filter_values.h: the members of a filter whose JSON is more than one kind of value. */
#pragma once

#include "api/codec.h"

/* Of struct ipsec_filter. */
extern const struct codec_custom filter_layer_codec; /* fixes how the conditions read */
extern const struct codec_custom filter_weight_codec;
extern const struct codec_custom filter_raw_context_codec;
