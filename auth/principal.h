/* SPDX-License-Identifier: Apache-2.0
 *
 * principal.h: the principal of a descriptor's entry, "uri:spiffe://example.org/orchestrator/1" and
 * the like, and whether an identity is it. */
#pragma once

#include <stdbool.h>

#include "auth/identity.h"
#include "engine/base/attributes.h"

struct principal {
    enum auth_name_kind kind;
    bool below; /* URI only: any name below the path 'text', which then ends in '/' */
    char *text; /* without prefix and wildcard, in the form names are kept in; null: everyone */
};

/* Parses one.  A form that is unknown, or that no certificate could ever match, is refused:
 * 'cause_out' is then a static text that says why. */
NODISCARD bool
principal_parse(const char *text, struct principal *principal_out, const char **cause_out);
void principal_clear(struct principal *principal);

bool principal_matches(const struct principal *principal, const struct auth_identity *identity);
