/* SPDX-License-Identifier: Apache-2.0
 *
 * names.h: the names of a certificate that are fit for comparison. */
#pragma once

#include <stddef.h>

#include <openssl/x509.h>

#include "auth/certificate.h"
#include "auth/identity.h"
#include "engine/base/attributes.h"

/* More or longer names than these are refused, not left out: a name left out would no longer match
 * an entry that denies it. */
#define AUTH_NAMES_MAX 256
#define AUTH_NAME_LENGTH_MAX 2048

/* Fills all of 'identity' that comes of names; its fingerprint is already there.
 * On failure 'cause_out' says why and what was filled stays for auth_identity_unref(). */
NODISCARD enum auth_verdict
auth_names_read(X509 *certificate, struct auth_identity *identity, const char **cause_out);

/* Writes a distinguished name for an operator to read: escaped to visible ASCII, cut to 'size'. */
void auth_name_show(const X509_NAME *name, char *text, size_t size);
