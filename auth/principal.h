/* SPDX-License-Identifier: Apache-2.0
 *
 * principal.h: the principal of a descriptor's entry, "uri:spiffe://example.org/orchestrator/1" and
 * the like, and whether an identity is it. */
#pragma once

#include <stdbool.h>

#include "auth/identity.h"
#include "engine/base/attributes.h"
#include "engine/base/buffer.h"

struct principal {
    enum auth_name_kind kind;
    bool below; /* URI only: any name below the path 'text', which then ends in '/' */
    char *text; /* without prefix and wildcard, in the form names are kept in; null: everyone */
};

/* Parses one.  A form that is unknown, or that no certificate could ever match, such as a
 * distinguished name not written as OpenSSL's RFC 2253 form has it, is refused: 'cause_out' is then
 * a static text that says why. */
NODISCARD bool
principal_parse(const char *text, struct principal *principal_out, const char **cause_out);
void principal_clear(struct principal *principal);

/* As principal_parse() takes it. */
void principal_append(const struct principal *principal, struct buffer *out);

/* For an entry that allows: 'principal' is one of the names of 'identity', or such a name lies
 * below it and would still do so after normalisation. */
bool principal_matches(const struct principal *principal, const struct auth_identity *identity);

/* For an entry that denies, where doubt counts against the caller: any of several common names will
 * do, any name that begins with the path lies below it, and a name of that kind that was left out
 * might have been this one. */
bool principal_might_match(const struct principal *principal, const struct auth_identity *identity);
