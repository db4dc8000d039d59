/* SPDX-License-Identifier: Apache-2.0
 *
 * certificate_files.h: the service's own certificate and key, read for the TLS library. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <gnutls/gnutls.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"

struct options;

/* When the certificate holds, by the wall clock, and whether it may be a TLS server's. */
struct certificate_facts {
    int64_t from_ms;
    int64_t until_ms;
    bool is_for_servers;
};

/* Puts certificate, intermediates and key into 'credentials'.  'fault' says in words which option's
 * file is wrong and how, with the library's own text behind. */
NODISCARD enum ipsec_status certificate_files_load(const struct options *options,
                                                   gnutls_certificate_credentials_t credentials,
                                                   struct certificate_facts *facts_out,
                                                   struct ipsec_fault *fault);

/* The names of the client CAs go into the request for a client's certificate, so that clients with
 * several can choose.  Nothing is judged by them. */
NODISCARD enum ipsec_status
certificate_files_name_authorities(const struct options *options,
                                   gnutls_certificate_credentials_t credentials,
                                   struct ipsec_fault *fault);
