/* SPDX-License-Identifier: Apache-2.0
 *
 * answer.h: what goes back to the caller. */
#pragma once

#include <stdbool.h>

#include "api/api.h"

/* Forgets an answer that was begun and gives it the headers that every answer has. */
void answer_begin(struct api_call *call);

/* The success that the route promises, from 'call->out'. */
void answer_success(struct api_call *call);

/* The success that 'call->base.replay.answer' holds.  First answers go this way too, so that they
 * are the bytes that repeats get. */
void answer_remembered(struct api_call *call);

/* The problem in 'call->base.fault'. */
void answer_fault(struct api_call *call);

/* The 'encode' of calls that are remembered: of operations that make something. */
bool answer_encode_remembered(struct ipsec_call *base, struct buffer *answer);
