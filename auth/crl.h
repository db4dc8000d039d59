/* SPDX-License-Identifier: Apache-2.0
 *
 * crl.h: which revocation lists can be relied on, and until when; for trust.c alone. */
#pragma once

#include <stdint.h>

#include <openssl/x509.h>

/* Null when one of 'authorities' signed the list and it is current; else what is wrong with it, as
 * the rest of a sentence that begins with its name. */
const char *crl_why_unusable(X509_CRL *crl, const STACK_OF(X509) * authorities);

/* When the first of 'authorities' will be without a current list of 'store', wall clock; one that
 * has none does not count.  INT64_MAX: no list, or no memory to look. */
int64_t crl_until_ms(X509_STORE *store, const STACK_OF(X509) * authorities);
