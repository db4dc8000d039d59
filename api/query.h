/* SPDX-License-Identifier: Apache-2.0
 *
 * query.h: the query of a request target, read by the same field tables as bodies. */
#pragma once

#include "api/codec.h"

/* A table of members and the struct that they go into, zeroed memory. */
struct query_part {
    const struct codec_object *object; /* null: no members */
    void *out;
};

/* Decodes 'query' (raw, null: none); a member belongs to the first part that has it.  One that is a
 * CODEC_LIST may be there several times, and holds texts with commas between them: its char array
 * gets them as lines ("a\nb\n"), decoded after they were cut, so that %2C is no comma between. */
NODISCARD enum ipsec_status query_decode(const struct query_part *parts,
                                         size_t part_count,
                                         const char *query,
                                         struct ipsec_fault *fault);
