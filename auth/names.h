/* SPDX-License-Identifier: Apache-2.0
 *
 * names.h: the names of a certificate that are fit for comparison. */
#pragma once

#include <openssl/x509.h>

#include "auth/certificate.h"
#include "auth/identity.h"
#include "engine/base/attributes.h"

/* More or longer names than these are refused, not left out: a name left out would no longer match
 * an entry that denies it. */
#define AUTH_NAMES_MAX 256
#define AUTH_NAME_LENGTH_MAX 2048

/* Fills 'names', 'name_count' and 'principal' of 'identity', whose fingerprint is already there.
 * On failure 'cause_out' says why and what was filled stays for auth_identity_unref(). */
NODISCARD enum auth_verdict
auth_names_read(X509 *certificate, struct auth_identity *identity, const char **cause_out);

/* "uri:", "dns:", …; "everyone" for AUTH_NAME_EVERYONE. */
const char *auth_name_prefix(enum auth_name_kind kind);

/* Turns the part of a name that knows no letter case, a DNS name or the domain of an e-mail
 * address, to lower case in place. */
void auth_name_fold(enum auth_name_kind kind, char *text);
