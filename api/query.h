/* SPDX-License-Identifier: Apache-2.0
 *
 * query.h: the query of a request target, read by the same field tables as bodies. */
#pragma once

#include "api/codec.h"
#include "api/cursor.h"

/* Decodes 'query' (raw, null: none) into 'object_out', zeroed memory.  Without 'object' the
 * operation takes no query and every member is refused. */
NODISCARD enum ipsec_status query_decode(const struct codec_object *object,
                                         const char *query,
                                         void *object_out,
                                         struct ipsec_fault *fault);

/* For the checks of list queries: 'text' is the member "cursor", "" when it was not given. */
NODISCARD enum ipsec_status query_check_cursor(struct codec_decoder *decoder,
                                               const char *text,
                                               const struct cursor_scope *scope,
                                               uint64_t *after_out);
