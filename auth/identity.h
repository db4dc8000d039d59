/* SPDX-License-Identifier: Apache-2.0
 *
 * identity.h: who a verified certificate says the caller is.  Immutable, shared by reference count,
 * any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"

/* The forms a principal can take in a descriptor.  EVERYONE is any verified certificate. */
enum auth_name_kind {
    AUTH_NAME_URI = 0,
    AUTH_NAME_DNS,
    AUTH_NAME_EMAIL,
    AUTH_NAME_DN,
    AUTH_NAME_CN,
    AUTH_NAME_SHA256,
    AUTH_NAME_EVERYONE,
    AUTH_NAME_KIND_COUNT
};

/* One name of a certificate, without its prefix.  Only names fit for comparison are kept: a name
 * with NUL, control bytes or invalid UTF-8 is left out. */
struct auth_name {
    enum auth_name_kind kind;
    char *text;
};

/* "uri:", "dns:", …; "everyone" for AUTH_NAME_EVERYONE. */
const char *auth_name_prefix(enum auth_name_kind kind);

/* A copy of 'text', for free(), in the form names are kept in: what knows no letter case in lower
 * case, which is a DNS name, the domain of an e-mail address, and a URI's scheme and host (RFC 3986
 * section 6.2.2.1).  Null: no memory. */
NODISCARD char *auth_name_copy(enum auth_name_kind kind, const char *text, size_t size);

struct auth_identity {
    _Atomic uint32_t references;
    /* The principal under which the caller's objects, sessions and repeats are kept: the first URI,
     * else DNS name, else e-mail address, with its prefix; else "dn:…"; else "sha256:…". */
    char *principal;
    char fingerprint[65]; /* SHA-256 of the certificate, lower-case hexadecimal */
    struct auth_name *names;
    size_t name_count; /* a common name is among them only when the subject has exactly one */
    /* The names behind those, which only an entry that denies is compared with: every common name
     * of a subject with several. */
    size_t further_count;
    bool left_out[AUTH_NAME_KIND_COUNT]; /* a name of that kind was not fit for comparison */
    int64_t not_before_ms;               /* wall clock */
    int64_t not_after_ms;
};

struct auth_identity *auth_identity_ref(struct auth_identity *identity);
void auth_identity_unref(struct auth_identity *identity); /* accepts null */
