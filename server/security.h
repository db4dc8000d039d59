/* SPDX-License-Identifier: Apache-2.0
 *
 * security.h: what decides who gets in: server certificate, client CAs, CRLs, access policy.
 *
 * One immutable snapshot holds all of it and is shared by reference count; a reload makes a new one
 * from the same files and swaps it in whole, or keeps the old one when any file is bad. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <gnutls/gnutls.h>

#include "auth/access_policy.h"
#include "auth/certificate.h"
#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "server/certificate_files.h"
#include "server/problem.h"

struct options;

struct security {
    _Atomic uint32_t references;
    uint64_t generation;   /* counts up with every change */
    struct security *base; /* whose credentials and trust these are; null: its own */
    gnutls_certificate_credentials_t credentials;
    struct auth_trust *trust;
    struct access_policy *policy;
    struct certificate_facts certificate; /* of the service's own */
};

/* Reads all files that 'options' name.  'fault' names option, file and cause. */
NODISCARD enum ipsec_status security_load(const struct options *options,
                                          struct ipsec_fault *fault,
                                          struct security **security_out);
/* The same, telling 'sink' of all that is wrong.  Null: something was. */
struct security *security_examine(const struct options *options, problem_sink *sink, void *context);
/* Whether the service's own certificate may be a TLS server's: if not, it runs all the same, and
 * callers turn away. */
NODISCARD enum ipsec_status security_check_purpose(const struct security *security,
                                                   const struct options *options,
                                                   struct ipsec_fault *fault);
/* Whether the service's own certificate, and those of all client CAs, are within their dates:
 * without them the service runs, and callers turn away or are turned away. */
NODISCARD enum ipsec_status security_check_certificate(const struct security *security,
                                                       const struct options *options,
                                                       struct ipsec_fault *fault);
NODISCARD enum ipsec_status security_check_authorities(const struct security *security,
                                                       const struct options *options,
                                                       struct ipsec_fault *fault);
struct security *security_ref(struct security *security);
void security_unref(struct security *security); /* accepts null */

/* The current snapshot of the process, and the key that seals TLS session tickets.  Any thread. */
struct security_holder;
/* Takes 'first_take' over, also on failure. */
NODISCARD enum ipsec_status security_holder_open(struct security *first_take,
                                                 struct security_holder **holder_out,
                                                 struct ipsec_fault *fault);
void security_holder_close(struct security_holder *holder); /* accepts null */
/* A new reference to the current snapshot. */
struct security *security_holder_get(struct security_holder *holder);
/* Cheap: whether 'generation' is still the current one. */
bool security_holder_is_current(const struct security_holder *holder, uint64_t generation);
/* Makes a fresh load the current snapshot; descriptors that were set stay in force.  A failure
 * changes nothing. */
NODISCARD enum ipsec_status security_holder_swap(struct security_holder *holder,
                                                 struct security *next_take,
                                                 struct ipsec_fault *fault);
/* Puts a container's security descriptor (null: the access file's) in force. */
NODISCARD enum ipsec_status security_holder_set_descriptor(struct security_holder *holder,
                                                           enum ipsec_container container,
                                                           const char *text,
                                                           struct ipsec_fault *fault);
/* The access policy of the current snapshot, a new reference. */
struct access_policy *security_holder_policy(struct security_holder *holder);
const gnutls_datum_t *security_holder_ticket_key(const struct security_holder *holder);
