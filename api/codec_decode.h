/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_decode.h: what the parts of the decoder share. */
#pragma once

#include "api/codec.h"

/* Decodes one member of a kind that is a string on the wire. */
NODISCARD enum ipsec_status codec_decode_string(struct codec_decoder *decoder,
                                                const struct codec_field *field,
                                                const char *text,
                                                void *object);

/* Decodes an array of names, a bit of 'member' each. */
NODISCARD enum ipsec_status codec_decode_flags(struct codec_decoder *decoder,
                                               const struct codec_field *field,
                                               const json_t *value,
                                               void *member);

/* Refuses a number that does not fit. */
NODISCARD enum ipsec_status
codec_check_range(struct codec_decoder *decoder, const struct codec_field *field, bool fits);

NODISCARD enum ipsec_status codec_refuse_memory(struct codec_decoder *decoder);
