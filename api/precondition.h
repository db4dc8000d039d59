/* SPDX-License-Identifier: Apache-2.0
 *
 * precondition.h: If-Match and If-None-Match (RFC 9110 section 13).
 *
 * The entity tag of an object is its revision in quotes, "42". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/api.h"
#include "engine/base/attributes.h"

/* Judges the syntax of both headers and whether the route has a use for them; If-Match goes into
 * 'call->base', for the engine to compare with the object. */
NODISCARD enum ipsec_status precondition_read(struct api_call *call);

/* The tag of the object that 'call->out' shows, without its quotes; "" when it shows none. */
#define ENTITY_TAG_SIZE 44
void precondition_tag(const struct api_call *call, char tag[ENTITY_TAG_SIZE]);

/* Whether the caller says that it has the object with this tag already: an answer of 304. */
bool precondition_has_tag(const struct api_call *call, const char *tag);
