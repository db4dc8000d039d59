/* SPDX-License-Identifier: Apache-2.0
 *
 * idempotency.h: what an Idempotency-Key makes of a request, and the answer as it is remembered.
 *
 * A remembered answer is one line, "1 201 /sa-contexts/7\n" (version, status, Location), and the
 * body behind it; so a repeat gets the same bytes without anything being rendered again. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/api.h"
#include "api/precondition.h"
#include "engine/base/attributes.h"

/* Fills the digests of 'call->base.replay' and marks it wanted.  Fails with
 * IPSEC_RPC_OUT_OF_RESOURCES only. */
NODISCARD enum ipsec_status idempotency_want(struct api_call *call, const char *body, size_t size);

/* Appends the line to which the body is then appended.  'revision' is that of the object in the
 * body, 0 if there is none. */
void
idempotency_append_head(int status, const char *tag, const char *location, struct buffer *answer);

/* Takes a remembered answer apart; its body stays within 'answer'.  False when it is none. */
struct idempotent_answer {
    int status;
    char tag[ENTITY_TAG_SIZE]; /* "": none, or not kept by an earlier version of the service */
    char location[64];
    const char *body;
    size_t body_size;
};
NODISCARD bool idempotency_read(const struct buffer *answer, struct idempotent_answer *answer_out);
