/* SPDX-License-Identifier: Apache-2.0
 *
 * wide_number.h: 64-bit numbers as JSON: an integer up to 2^53-1, which every parser keeps exactly,
 * and above it decimal digits in a string. */
#pragma once

#include <stdint.h>

#include "api/codec.h"

/* 'others' are further forms the member takes, for the message (" or …"); values that do not fit
 * are refused with 'refused'. */
NODISCARD enum ipsec_status wide_number_decode(struct codec_decoder *decoder,
                                               const json_t *value,
                                               enum ipsec_status refused,
                                               const char *others,
                                               uint64_t *number_out);
void wide_number_append(struct buffer *out, uint64_t number);
/* The two forms, as a new schema's "oneOf". */
json_t *wide_number_describe(void);
