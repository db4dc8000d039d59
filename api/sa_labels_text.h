/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_labels_text.h: labels of SA contexts as JSON and in queries.  What labels may be is the
 * engine's to judge. */
#pragma once

#include "api/codec.h"
#include "engine/types.h"

/* {"site": "b", "role": "db"}: texts on the heap. */
NODISCARD enum ipsec_status sa_labels_decode(struct codec_decoder *decoder,
                                             const json_t *value,
                                             struct ipsec_labels *labels_out);
/* "site=b\nrole\n": a name without a value stands for any value.  'text' is cut into the labels'
 * texts, which it has to outlive; they are not to be freed. */
NODISCARD enum ipsec_status
sa_labels_decode_query(struct codec_decoder *decoder, char *text, struct ipsec_labels *labels_out);
/* Frees the texts; harmless again. */
void sa_labels_text_clear(struct ipsec_labels *labels);

void sa_labels_encode(struct codec_encoder *encoder, const struct ipsec_labels *labels);
json_t *sa_labels_describe(const struct codec_field *field);
