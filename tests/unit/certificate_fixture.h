/* SPDX-License-Identifier: Apache-2.0
 *
 * certificate_fixture.h: some CAs, and how a chain is judged by what was loaded. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/certificate.h"
#include "engine/base/clock.h"
#include "tests/lib/certs.h"
#include "tests/lib/scratch.h"

enum { HOUR_S = 3600, CHAIN_MAXIMUM = 20 };

/* A CA, an intermediate CA below it, and a CA that nobody here trusts. */
static struct {
    struct scratch scratch;
    struct certs_certificate root;
    struct certs_certificate intermediate;
    struct certs_certificate stranger;
    struct auth_trust *trust; /* the root alone, no CRLs */
} house;

/* What one judgement said. */
struct outcome {
    enum auth_verdict verdict;
    struct auth_identity *identity;
    int64_t good_until_ms;
    char reason[AUTH_REASON_SIZE];
};
static inline void
outcome_clear(struct outcome *outcome)
{
    auth_identity_unref(outcome->identity);
}
AUTO_DEFINE(outcome, outcome_clear)

/* What loading said. */
struct loaded {
    enum ipsec_status status;
    struct auth_trust *trust;
    struct ipsec_fault fault;
};
static inline void
loaded_clear(struct loaded *loaded)
{
    auth_trust_unref(loaded->trust);
}
AUTO_DEFINE(loaded, loaded_clear)

static inline int64_t
now_s(void)
{
    return clock_wall_ms() / 1000;
}

static inline struct loaded
load_text(const char *ca_pem, const char *crl_pem)
{
    struct loaded loaded = { .status = IPSEC_OK };
    struct scratch *scratch = &house.scratch;

    (void)scratch_write(scratch, "ca.pem", ca_pem, strlen(ca_pem));
    char *ca_file = strdup(scratch->path);
    const char *crl_file =
        crl_pem == NULL ? NULL : scratch_write(scratch, "crl.pem", crl_pem, strlen(crl_pem));
    loaded.status = auth_trust_load(ca_file, crl_file, &loaded.fault, &loaded.trust);
    free(ca_file);
    assert_int_equal(loaded.status == IPSEC_OK, loaded.trust != NULL);
    return loaded;
}

/* Takes the CRLs. */
static inline struct loaded
load(const struct certs_certificate *const *authorities,
     size_t authority_count,
     X509_CRL *const *crls,
     size_t crl_count)
{
    char *ca_pem = certs_pem(authorities, authority_count);
    char *crl_pem = crl_count == 0 ? NULL : certs_crl_pem(crls, crl_count);
    struct loaded loaded = load_text(ca_pem, crl_pem);

    for (size_t i = 0; i < crl_count; i++)
        X509_CRL_free(crls[i]);
    free(crl_pem);
    free(ca_pem);
    return loaded;
}

static inline struct outcome
judge_at(struct auth_trust *trust,
         const struct certs_certificate *const *chain,
         size_t length,
         int64_t now_ms)
{
    struct outcome outcome = { .verdict = AUTH_INTERNAL };
    struct auth_der der[CHAIN_MAXIMUM];

    for (size_t i = 0; i < length; i++)
        der[i] = (struct auth_der){ chain[i]->der, chain[i]->der_size };
    outcome.verdict = auth_judge(trust, der, length, now_ms, &outcome.identity,
                                 &outcome.good_until_ms, outcome.reason);
    assert_int_equal(outcome.verdict == AUTH_GOOD, outcome.identity != NULL);
    assert_int_equal(outcome.verdict == AUTH_GOOD, outcome.reason[0] == '\0');
    assert_int_equal(outcome.verdict == AUTH_GOOD, outcome.good_until_ms > now_ms);
    return outcome;
}

static inline struct outcome
judge(struct auth_trust *trust, const struct certs_certificate *const *chain, size_t length)
{
    return judge_at(trust, chain, length, clock_wall_ms());
}

static inline struct outcome
judge_bytes(const void *data, size_t size)
{
    struct outcome outcome = { .verdict = AUTH_INTERNAL };
    struct auth_der der = { data, size };

    outcome.verdict = auth_judge(house.trust, &der, 1, clock_wall_ms(), &outcome.identity,
                                 &outcome.good_until_ms, outcome.reason);
    return outcome;
}

static inline void
assert_outcome(const struct outcome *outcome, enum auth_verdict verdict, const char *reason)
{
    if (outcome->verdict != verdict || strstr(outcome->reason, reason) == NULL)
        fail_msg("%s (%s), not %s (%s)", auth_verdict_text(outcome->verdict), outcome->reason,
                 auth_verdict_text(verdict), reason);
}

static inline int
certificate_setup(void **state)
{
    (void)state;
    scratch_init(&house.scratch);
    certs_make(&house.root, NULL, &(struct certs_request){ .common_name = "root", .ca = true });
    certs_make(&house.stranger, NULL,
               &(struct certs_request){ .common_name = "stranger", .ca = true });
    certs_make(&house.intermediate, &house.root,
               &(struct certs_request){ .common_name = "intermediate", .ca = true });
    struct loaded loaded = load((const struct certs_certificate *[]){ &house.root }, 1, NULL, 0);
    house.trust = loaded.trust;
    return loaded.status == IPSEC_OK ? 0 : -1;
}

static inline int
certificate_teardown(void **state)
{
    (void)state;
    auth_trust_unref(house.trust);
    certs_clear(&house.intermediate);
    certs_clear(&house.stranger);
    certs_clear(&house.root);
    scratch_clear(&house.scratch);
    return 0;
}
