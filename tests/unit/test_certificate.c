/* SPDX-License-Identifier: Apache-2.0
 *
 * test_certificate.c: which chains are good, and what is said of those that are not. */
#include "auth/certificate.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

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
static void
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
static void
loaded_clear(struct loaded *loaded)
{
    auth_trust_unref(loaded->trust);
}
AUTO_DEFINE(loaded, loaded_clear)

static int64_t
now_s(void)
{
    return clock_wall_ms() / 1000;
}

static struct loaded
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
static struct loaded
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

static struct outcome
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

static struct outcome
judge(struct auth_trust *trust, const struct certs_certificate *const *chain, size_t length)
{
    return judge_at(trust, chain, length, clock_wall_ms());
}

static struct outcome
judge_bytes(const void *data, size_t size)
{
    struct outcome outcome = { .verdict = AUTH_INTERNAL };
    struct auth_der der = { data, size };

    outcome.verdict = auth_judge(house.trust, &der, 1, clock_wall_ms(), &outcome.identity,
                                 &outcome.good_until_ms, outcome.reason);
    return outcome;
}

static void
assert_outcome(const struct outcome *outcome, enum auth_verdict verdict, const char *reason)
{
    if (outcome->verdict != verdict || strstr(outcome->reason, reason) == NULL)
        fail_msg("%s (%s), not %s (%s)", auth_verdict_text(outcome->verdict), outcome->reason,
                 auth_verdict_text(verdict), reason);
}

/* --- Leaves ----------------------------------------------------------------------------------- */

static void
a_leaf_is_judged_by_its_dates_usage_and_strength(void **state)
{
    (void)state;
    const int64_t now = now_s();
    const struct {
        struct certs_request request;
        enum auth_verdict verdict;
        const char *reason;
    } cases[] = {
        { { .common_name = "good" }, AUTH_GOOD, "" },
        { { .common_name = "P-384", .key = CERTS_P384 }, AUTH_GOOD, "" },
        { { .common_name = "P-521", .key = CERTS_P521 }, AUTH_GOOD, "" },
        { { .common_name = "Ed25519", .key = CERTS_ED25519 }, AUTH_GOOD, "" },
        { { .common_name = "RSA", .key = CERTS_RSA_2048 }, AUTH_GOOD, "" },
        { { .common_name = "PSS", .key = CERTS_RSA_PSS_2048 }, AUTH_GOOD, "" },
        { { .common_name = "SHA-384", .digest = "SHA384" }, AUTH_GOOD, "" },
        { { .common_name = "two usages", .extended_key_usage = "serverAuth,clientAuth" },
          AUTH_GOOD,
          "" },
        { { .common_name = "no key identifiers", .no_key_identifiers = true }, AUTH_GOOD, "" },
        { { .common_name = "no constraints", .basic_constraints = "" }, AUTH_GOOD, "" },

        { { .common_name = "late", .not_before_s = now - 2 * HOUR_S, .not_after_s = now - HOUR_S },
          AUTH_EXPIRED,
          "\"CN=late\": certificate has expired (error 10 at depth 0)" },
        { { .common_name = "early", .not_before_s = now + HOUR_S, .not_after_s = now + 2 * HOUR_S },
          AUTH_NOT_YET_VALID,
          "\"CN=early\": certificate is not yet valid" },
        { { .common_name = "server", .extended_key_usage = "serverAuth" },
          AUTH_WRONG_USAGE,
          "CN=server" },
        { { .common_name = "none", .extended_key_usage = "" },
          AUTH_WRONG_USAGE,
          "no extended key usage" },
        { { .common_name = "any", .extended_key_usage = "anyExtendedKeyUsage" },
          AUTH_WRONG_USAGE,
          "CN=any" },
        { { .common_name = "agree", .key_usage = "critical,keyEncipherment" },
          AUTH_WRONG_USAGE,
          "CN=agree" },
        { { .common_name = "ca",
            .ca = true,
            .extended_key_usage = "clientAuth",
            .key_usage = "critical,keyCertSign,digitalSignature" },
          AUTH_WRONG_USAGE,
          "a CA's certificate" },
        { { .common_name = "RSA-1024", .key = CERTS_RSA_1024 }, AUTH_WEAK, "CN=RSA-1024" },
        { { .common_name = "koblitz", .key = CERTS_SECP256K1 }, AUTH_WEAK, "curve other than" },
        { { .common_name = "Ed448", .key = CERTS_ED448 }, AUTH_WEAK, "neither RSA" },
        { { .common_name = "SHA-1", .digest = "SHA1" }, AUTH_WEAK, "CN=SHA-1" },
        { { .common_name = "nameless",
            .raw_alternative_name_count = 0,
            .alternative_names = "otherName:1.2.3.4;UTF8:other" },
          AUTH_GOOD,
          "" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO(certs_certificate) leaf;
        certs_make(&leaf, &house.root, &cases[i].request);
        AUTO(outcome)
        outcome = judge(house.trust, (const struct certs_certificate *[]){ &leaf }, 1);
        assert_outcome(&outcome, cases[i].verdict, cases[i].reason);
    }
}

static void
an_rsa_ca_may_not_sign_with_an_old_digest(void **state)
{
    (void)state;
    static const struct {
        const char *digest;
        enum auth_verdict verdict;
    } cases[] = { { "MD5", AUTH_WEAK },
                  { "SHA1", AUTH_WEAK },
                  { "RIPEMD160", AUTH_WEAK },
                  { "SHA256", AUTH_GOOD },
                  { "SHA512", AUTH_GOOD } };
    AUTO(certs_certificate) root;

    certs_make(&root, NULL,
               &(struct certs_request){ .common_name = "RSA", .ca = true, .key = CERTS_RSA_2048 });
    AUTO(loaded) loaded = load((const struct certs_certificate *[]){ &root }, 1, NULL, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO(certs_certificate) leaf;
        certs_make(&leaf, &root,
                   &(struct certs_request){ .common_name = "client", .digest = cases[i].digest });
        AUTO(outcome)
        outcome = judge(loaded.trust, (const struct certs_certificate *[]){ &leaf }, 1);
        assert_outcome(&outcome, cases[i].verdict, "");
    }
}

static void
a_leaf_of_another_ca_is_refused(void **state)
{
    (void)state;
    AUTO(certs_certificate) leaf;
    AUTO(certs_certificate) self_signed;
    const struct certs_request request = { .common_name = "client" };

    certs_make(&leaf, &house.stranger, &request);
    certs_make(&self_signed, NULL, &request);
    AUTO(outcome) alone = judge(house.trust, (const struct certs_certificate *[]){ &leaf }, 1);
    assert_outcome(&alone, AUTH_UNKNOWN_CA, "CN=client");
    AUTO(outcome)
    with_ca = judge(house.trust, (const struct certs_certificate *[]){ &leaf, &house.stranger }, 2);
    assert_outcome(&with_ca, AUTH_UNKNOWN_CA, "self-signed certificate in certificate chain");
    AUTO(outcome)
    self = judge(house.trust, (const struct certs_certificate *[]){ &self_signed }, 1);
    assert_outcome(&self, AUTH_UNKNOWN_CA, "self-signed certificate");
}

static void
a_leaf_that_only_claims_the_cas_name_is_refused(void **state)
{
    (void)state;
    AUTO(certs_certificate) impostor;
    AUTO(certs_certificate) leaf;

    certs_make(&impostor, NULL, &(struct certs_request){ .common_name = "root", .ca = true });
    certs_make(&leaf, &impostor,
               &(struct certs_request){ .common_name = "client", .no_key_identifiers = true });
    AUTO(outcome) outcome = judge(house.trust, (const struct certs_certificate *[]){ &leaf }, 1);
    assert_outcome(&outcome, AUTH_UNKNOWN_CA, "signature failure");
}

static void
a_root_as_its_own_client_is_refused(void **state)
{
    (void)state;
    AUTO(outcome)
    outcome = judge(house.trust, (const struct certs_certificate *[]){ &house.root }, 1);

    assert_outcome(&outcome, AUTH_WRONG_USAGE, "CN=root");
}

/* --- Chains ----------------------------------------------------------------------------------- */

static void
an_intermediate_may_be_sent_or_be_in_the_bundle_but_not_be_missing(void **state)
{
    (void)state;
    AUTO(certs_certificate) leaf;

    certs_make(&leaf, &house.intermediate, &(struct certs_request){ .common_name = "client" });
    AUTO(outcome) missing = judge(house.trust, (const struct certs_certificate *[]){ &leaf }, 1);
    assert_outcome(&missing, AUTH_UNKNOWN_CA, "unable to get local issuer certificate");
    AUTO(outcome)
    sent =
        judge(house.trust, (const struct certs_certificate *[]){ &leaf, &house.intermediate }, 2);
    assert_outcome(&sent, AUTH_GOOD, "");

    AUTO(loaded)
    both =
        load((const struct certs_certificate *[]){ &house.root, &house.intermediate }, 2, NULL, 0);
    AUTO(outcome) bundled = judge(both.trust, (const struct certs_certificate *[]){ &leaf }, 1);
    assert_outcome(&bundled, AUTH_GOOD, "");
}

static void
an_intermediate_must_be_a_good_ca_itself(void **state)
{
    (void)state;
    const int64_t now = now_s();
    const struct {
        struct certs_request request;
        enum auth_verdict verdict;
    } cases[] = {
        { { .common_name = "plain", .ca = true }, AUTH_GOOD },
        { { .common_name = "RSA", .ca = true, .key = CERTS_RSA_2048 }, AUTH_GOOD },
        { { .common_name = "few options",
            .ca = true,
            .key_usage = "",
            .basic_constraints = "CA:TRUE",
            .no_key_identifiers = true },
          AUTH_GOOD },
        { { .common_name = "leaf" }, AUTH_UNKNOWN_CA },
        { { .common_name = "no constraints", .ca = true, .basic_constraints = "" },
          AUTH_UNKNOWN_CA },
        { { .common_name = "may not sign", .ca = true, .key_usage = "critical,digitalSignature" },
          AUTH_UNKNOWN_CA },
        { { .common_name = "for servers", .ca = true, .extended_key_usage = "serverAuth" },
          AUTH_WRONG_USAGE },
        { { .common_name = "old",
            .ca = true,
            .not_before_s = now - 2 * HOUR_S,
            .not_after_s = now - HOUR_S },
          AUTH_EXPIRED },
        { { .common_name = "RSA-1024", .ca = true, .key = CERTS_RSA_1024 }, AUTH_WEAK },
        { { .common_name = "koblitz", .ca = true, .key = CERTS_SECP256K1 }, AUTH_WEAK },
        { { .common_name = "SHA-1", .ca = true, .digest = "SHA1" }, AUTH_WEAK },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO(certs_certificate) intermediate;
        AUTO(certs_certificate) leaf;
        certs_make(&intermediate, &house.root, &cases[i].request);
        certs_make(&leaf, &intermediate, &(struct certs_request){ .common_name = "client" });
        AUTO(outcome)
        outcome =
            judge(house.trust, (const struct certs_certificate *[]){ &leaf, &intermediate }, 2);
        assert_outcome(&outcome, cases[i].verdict, "");
    }
}

static void
a_root_is_not_judged_by_its_own_signature(void **state)
{
    (void)state;
    AUTO(certs_certificate) root;
    AUTO(certs_certificate) leaf;

    certs_make(&root, NULL,
               &(struct certs_request){ .common_name = "old", .ca = true, .digest = "SHA1" });
    certs_make(&leaf, &root, &(struct certs_request){ .common_name = "client" });
    AUTO(loaded) loaded = load((const struct certs_certificate *[]){ &root }, 1, NULL, 0);
    AUTO(outcome) outcome = judge(loaded.trust, (const struct certs_certificate *[]){ &leaf }, 1);
    assert_outcome(&outcome, AUTH_GOOD, "");
}

static void
a_root_has_to_have_a_good_key_too(void **state)
{
    (void)state;
    static const enum certs_key keys[] = { CERTS_RSA_1024, CERTS_SECP256K1, CERTS_ED448 };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        AUTO(certs_certificate) root;
        AUTO(certs_certificate) leaf;
        certs_make(&root, NULL,
                   &(struct certs_request){ .common_name = "weak", .ca = true, .key = keys[i] });
        certs_make(&leaf, &root, &(struct certs_request){ .common_name = "client" });
        AUTO(loaded) loaded = load((const struct certs_certificate *[]){ &root }, 1, NULL, 0);
        AUTO(outcome)
        outcome = judge(loaded.trust, (const struct certs_certificate *[]){ &leaf }, 1);
        assert_outcome(&outcome, AUTH_WEAK, "CN=weak");
    }
}

static void
eight_certificates_are_deep_enough_and_nine_too_deep(void **state)
{
    (void)state;
    static const struct {
        size_t depth; /* the root included */
        enum auth_verdict verdict;
    } cases[] = { { 8, AUTH_GOOD }, { 9, AUTH_TOO_DEEP }, { 14, AUTH_TOO_DEEP } };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct certs_certificate made[CHAIN_MAXIMUM];
        const struct certs_certificate *chain[CHAIN_MAXIMUM];
        size_t length = cases[i].depth - 1;
        /* From the root down; sent from the leaf up. */
        for (size_t j = 0; j < length; j++) {
            char name[] = { 'c', (char)('a' + j), '\0' };
            certs_make(&made[j], j == 0 ? &house.root : &made[j - 1],
                       &(struct certs_request){ .common_name = name, .ca = j + 1 < length });
            chain[length - 1 - j] = &made[j];
        }
        AUTO(outcome) outcome = judge(house.trust, chain, length);
        assert_outcome(&outcome, cases[i].verdict, "");
        for (size_t j = 0; j < length; j++)
            certs_clear(&made[j]);
    }
}

static void
a_path_longer_than_its_ca_allows_is_too_deep(void **state)
{
    (void)state;
    AUTO(certs_certificate) upper;
    AUTO(certs_certificate) lower;
    AUTO(certs_certificate) leaf;

    certs_make(&upper, &house.root,
               &(struct certs_request){ .common_name = "upper",
                                        .ca = true,
                                        .basic_constraints = "critical,CA:TRUE,pathlen:0" });
    certs_make(&lower, &upper, &(struct certs_request){ .common_name = "lower", .ca = true });
    certs_make(&leaf, &lower, &(struct certs_request){ .common_name = "client" });
    AUTO(outcome)
    outcome = judge(house.trust, (const struct certs_certificate *[]){ &leaf, &lower, &upper }, 3);
    assert_outcome(&outcome, AUTH_TOO_DEEP, "path length constraint exceeded");
}

static void
a_chain_is_judged_at_the_time_given(void **state)
{
    (void)state;
    AUTO(certs_certificate) leaf;
    const int64_t now = now_s();

    certs_make(&leaf, &house.root, &(struct certs_request){ .common_name = "client" });
    const struct {
        int64_t now_s;
        enum auth_verdict verdict;
    } cases[] = { { now - 2 * HOUR_S, AUTH_NOT_YET_VALID },
                  { now, AUTH_GOOD },
                  { now + 2 * HOUR_S, AUTH_EXPIRED } };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO(outcome)
        outcome = judge_at(house.trust, (const struct certs_certificate *[]){ &leaf }, 1,
                           cases[i].now_s * 1000);
        assert_outcome(&outcome, cases[i].verdict, "");
    }
}

static void
a_chain_seen_before_is_known_by_all_its_bytes(void **state)
{
    (void)state;
    AUTO(certs_certificate) leaf;
    AUTO(certs_certificate) other;
    unsigned char bytes[4096];

    certs_make(&leaf, &house.intermediate, &(struct certs_request){ .common_name = "client" });
    certs_make(&other, &house.intermediate, &(struct certs_request){ .common_name = "client" });
    const struct certs_certificate *chain[] = { &leaf, &house.intermediate };
    AUTO(outcome) first = judge(house.trust, chain, 2);
    AUTO(outcome) again = judge(house.trust, chain, 2);
    assert_outcome(&again, AUTH_GOOD, "");
    assert_ptr_equal(again.identity, first.identity);

    AUTO(outcome) without = judge(house.trust, chain, 1);
    assert_outcome(&without, AUTH_UNKNOWN_CA, "");
    AUTO(outcome)
    its_twin =
        judge(house.trust, (const struct certs_certificate *[]){ &other, &house.intermediate }, 2);
    assert_outcome(&its_twin, AUTH_GOOD, "");
    assert_string_not_equal(its_twin.identity->fingerprint, first.identity->fingerprint);

    /* The same bytes, cut elsewhere. */
    memcpy(bytes, leaf.der, leaf.der_size);
    memcpy(bytes + leaf.der_size, house.intermediate.der, house.intermediate.der_size);
    const struct auth_der joined = { bytes, leaf.der_size + house.intermediate.der_size };
    AUTO(outcome) cut = { .verdict = AUTH_INTERNAL };
    cut.verdict = auth_judge(house.trust, &joined, 1, clock_wall_ms(), &cut.identity,
                             &cut.good_until_ms, cut.reason);
    assert_outcome(&cut, AUTH_MALFORMED, "bytes follow");

    AUTO(outcome) late = judge_at(house.trust, chain, 2, clock_wall_ms() + 2 * HOUR_S * 1000);
    assert_outcome(&late, AUTH_EXPIRED, "");
    AUTO(outcome) early = judge_at(house.trust, chain, 2, clock_wall_ms() - 2 * HOUR_S * 1000);
    assert_outcome(&early, AUTH_NOT_YET_VALID, "");
}

static void
a_chain_seen_before_ends_with_its_shortest_certificate(void **state)
{
    (void)state;
    const int64_t now = now_s();
    AUTO(certs_certificate) brief;
    AUTO(certs_certificate) leaf;

    certs_make(&brief, &house.root,
               &(struct certs_request){
                   .common_name = "brief", .ca = true, .not_after_s = now + HOUR_S / 2 });
    certs_make(&leaf, &brief, &(struct certs_request){ .common_name = "client" });
    const struct certs_certificate *chain[] = { &leaf, &brief };
    AUTO(outcome) first = judge(house.trust, chain, 2);
    assert_outcome(&first, AUTH_GOOD, "");
    AUTO(outcome) late = judge_at(house.trust, chain, 2, (now + HOUR_S / 2 + 60) * 1000);
    assert_outcome(&late, AUTH_EXPIRED, "CN=brief");
}

/* --- What is no certificate ------------------------------------------------------------------- */

static void
what_is_no_certificate_is_malformed(void **state)
{
    (void)state;
    AUTO(certs_certificate) leaf;
    unsigned char bytes[4096];

    certs_make(&leaf, &house.root, &(struct certs_request){ .common_name = "client" });
    assert_true(leaf.der_size < sizeof bytes - 1);
    memcpy(bytes, leaf.der, leaf.der_size);
    bytes[leaf.der_size] = 0;

    AUTO(outcome) trailing = judge_bytes(bytes, leaf.der_size + 1);
    assert_outcome(&trailing, AUTH_MALFORMED, "bytes follow");
    for (size_t size = 0; size < leaf.der_size; size++) {
        AUTO(outcome) truncated = judge_bytes(bytes, size);
        assert_outcome(&truncated, AUTH_MALFORMED, "what is no certificate");
    }
    AUTO(outcome) text = judge_bytes("-----BEGIN CERTIFICATE-----", 27);
    assert_outcome(&text, AUTH_MALFORMED, "what is no certificate");
    AUTO(outcome) zeros = judge_bytes((unsigned char[512]){ 0 }, 512);
    assert_outcome(&zeros, AUTH_MALFORMED, "what is no certificate");
}

static void
no_flipped_byte_makes_another_good_certificate(void **state)
{
    (void)state;
    AUTO(certs_certificate) leaf;
    unsigned char bytes[4096];

    certs_make(&leaf, &house.root, &(struct certs_request){ .common_name = "client" });
    assert_true(leaf.der_size < sizeof bytes);
    memcpy(bytes, leaf.der, leaf.der_size);
    for (size_t i = 0; i < leaf.der_size; i++) {
        bytes[i] ^= 0x41;
        AUTO(outcome) outcome = judge_bytes(bytes, leaf.der_size);
        assert_int_not_equal(outcome.verdict, AUTH_GOOD);
        assert_string_not_equal(outcome.reason, "");
        bytes[i] ^= 0x41;
    }
}

static void
a_chain_has_limits(void **state)
{
    (void)state;
    static unsigned char large[70000];
    AUTO(certs_certificate) leaf;
    const struct certs_certificate *chain[CHAIN_MAXIMUM];

    certs_make(&leaf, &house.root, &(struct certs_request){ .common_name = "client" });
    for (size_t i = 0; i < CHAIN_MAXIMUM; i++)
        chain[i] = i == 0 ? &leaf : &house.intermediate;

    AUTO(outcome) empty = judge(house.trust, chain, 0);
    assert_outcome(&empty, AUTH_MALFORMED, "the chain is empty");
    AUTO(outcome) superfluous = judge(house.trust, chain, 16);
    assert_outcome(&superfluous, AUTH_GOOD, "");
    AUTO(outcome) many = judge(house.trust, chain, 17);
    assert_outcome(&many, AUTH_MALFORMED, "too many certificates");
    AUTO(outcome) long_one = judge_bytes(large, sizeof large);
    assert_outcome(&long_one, AUTH_MALFORMED, "too many bytes");
}

static void
extensions_that_do_not_parse_are_malformed(void **state)
{
    (void)state;
    AUTO(certs_certificate) leaf;

    certs_make(&leaf, &house.root,
               &(struct certs_request){ .common_name = "client",
                                        .basic_constraints = "critical,DER:0500" });
    AUTO(outcome) outcome = judge(house.trust, (const struct certs_certificate *[]){ &leaf }, 1);
    assert_outcome(&outcome, AUTH_MALFORMED, "extensions that do not parse");
}

static void
a_hostile_subject_is_escaped_and_cut_in_the_reason(void **state)
{
    (void)state;
    AUTO(certs_certificate) leaf;
    char long_name[600];
    const struct certs_name parts[] = {
        { NID_commonName, V_ASN1_UTF8STRING, "a\nb\0c\"\x1b", 7 },
        { NID_organizationName, V_ASN1_UTF8STRING, long_name, sizeof long_name },
    };

    memset(long_name, 'x', sizeof long_name);
    certs_make(&leaf, NULL, &(struct certs_request){ .subject = parts, .subject_count = 2 });
    AUTO(outcome) outcome = judge(house.trust, (const struct certs_certificate *[]){ &leaf }, 1);
    assert_outcome(&outcome, AUTH_UNKNOWN_CA, "self-signed certificate");
    for (const char *next = outcome.reason; *next != '\0'; next++)
        assert_in_range((unsigned char)*next, 0x20, 0x7e);
}

/* --- CRLs ------------------------------------------------------------------------------------- */

static void
revocation_is_checked_along_the_whole_chain(void **state)
{
    (void)state;
    AUTO(certs_certificate) leaf;
    const struct certs_certificate *authorities[] = { &house.root, &house.intermediate };

    certs_make(&leaf, &house.intermediate, &(struct certs_request){ .common_name = "client" });
    const struct {
        const struct certs_certificate *revoked_by_root;
        const struct certs_certificate *revoked_by_intermediate;
        size_t crl_count; /* 1: the intermediate's is missing */
        enum auth_verdict verdict;
        const char *reason;
    } cases[] = {
        { NULL, NULL, 2, AUTH_GOOD, "" },
        { NULL, &house.root, 2, AUTH_GOOD, "" }, /* a serial number of another CA */
        { NULL, &leaf, 2, AUTH_REVOKED, "\"CN=client\": certificate revoked" },
        { &house.intermediate, NULL, 2, AUTH_REVOKED, "\"CN=intermediate\"" },
        { NULL, NULL, 1, AUTH_CRL_UNUSABLE, "unable to get certificate CRL" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        X509_CRL *crls[] = {
            certs_make_crl(&(struct certs_crl_request){ .issuer = &house.root,
                                                        .revoked = cases[i].revoked_by_root }),
            cases[i].crl_count < 2
                ? NULL
                : certs_make_crl(&(struct certs_crl_request){
                      .issuer = &house.intermediate, .revoked = cases[i].revoked_by_intermediate }),
        };
        AUTO(loaded) loaded = load(authorities, 2, crls, cases[i].crl_count);
        assert_string_equal(loaded.fault.detail, "");
        AUTO(outcome)
        outcome = judge(loaded.trust,
                        (const struct certs_certificate *[]){ &leaf, &house.intermediate }, 2);
        assert_outcome(&outcome, cases[i].verdict, cases[i].reason);
    }
}

static void
a_crl_that_becomes_stale_fails_closed(void **state)
{
    (void)state;
    AUTO(certs_certificate) leaf;
    const int64_t now = now_s();

    certs_make(&leaf, &house.root,
               &(struct certs_request){ .common_name = "client", .not_after_s = now + HOUR_S });
    X509_CRL *crl = certs_make_crl(
        &(struct certs_crl_request){ .issuer = &house.root, .next_update_s = now + HOUR_S / 2 });
    AUTO(loaded) loaded = load((const struct certs_certificate *[]){ &house.root }, 1, &crl, 1);

    const struct certs_certificate *chain[] = { &leaf };
    AUTO(outcome) current = judge(loaded.trust, chain, 1);
    assert_outcome(&current, AUTH_GOOD, "");
    AUTO(outcome) stale = judge_at(loaded.trust, chain, 1, (now + HOUR_S / 2 + 60) * 1000);
    assert_outcome(&stale, AUTH_CRL_UNUSABLE, "CRL has expired");
}

static void
the_times_of_a_bundle_are_those_of_what_ends_first(void **state)
{
    (void)state;
    const int64_t now = now_s();
    AUTO(certs_certificate) early;

    certs_make(&early, NULL,
               &(struct certs_request){
                   .common_name = "early CA", .ca = true, .not_after_s = now + HOUR_S / 4 });
    const struct certs_certificate *both[] = { &house.root, &early };
    AUTO(loaded) plain = load(both, 2, NULL, 0);
    assert_int_equal(auth_trust_times(plain.trust)->authorities_until_ms,
                     (now + HOUR_S / 4) * 1000);
    assert_int_equal(auth_trust_times(plain.trust)->crls_until_ms, INT64_MAX);

    /* Of one CA the last list counts, of two CAs the one that is bare first. */
    struct certs_crl_request root = { .issuer = &house.root, .next_update_s = now + 600 };
    X509_CRL *first = certs_make_crl(&root);
    root.next_update_s = now + 1200;
    X509_CRL *second = certs_make_crl(&root);
    AUTO(loaded) twice = load(both, 2, (X509_CRL *[]){ second, first }, 2);
    assert_int_equal(auth_trust_times(twice.trust)->crls_until_ms, (now + 1200) * 1000);

    X509_CRL *again = certs_make_crl(&root);
    X509_CRL *other =
        certs_make_crl(&(struct certs_crl_request){ .issuer = &early, .next_update_s = now + 900 });
    AUTO(loaded) each = load(both, 2, (X509_CRL *[]){ again, other }, 2);
    assert_int_equal(auth_trust_times(each.trust)->crls_until_ms, (now + 900) * 1000);
}

static void
a_verdict_holds_until_the_first_thing_it_rests_on_ends(void **state)
{
    (void)state;
    const int64_t now = now_s();
    const struct {
        int64_t leaf_s; /* how long each is good from now */
        int64_t intermediate_s;
        int64_t root_crl_s; /* 0: no CRLs */
        int64_t old_root_crl_s;
        int64_t intermediate_crl_s;
        int64_t stranger_crl_s;
        int64_t at_s; /* when judged, from now */
        int64_t until_s;
    } cases[] = {
        { .leaf_s = 500, .intermediate_s = 900, .until_s = 500 },
        { .leaf_s = 900, .intermediate_s = 600, .until_s = 600 },
        { .leaf_s = 2000, .intermediate_s = 2000, .until_s = 1000 }, /* the root's */
        { 900, 900, 800, 800, 400, 800, 0, .until_s = 400 },
        { 900, 900, 300, 300, 400, 800, 0, .until_s = 300 },
        { 900, 800, 850, 850, 1000, 850, 0, .until_s = 800 },
        /* Another CA's CRL is none of this chain's, and one that has ended is not used. */
        { 900, 800, 850, 850, 1000, 100, 0, .until_s = 800 },
        { 900, 800, 700, 100, 1000, 850, 0, .until_s = 100 },
        { 900, 800, 700, 100, 1000, 50, 100, .until_s = 700 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO(certs_certificate) root;
        AUTO(certs_certificate) intermediate;
        AUTO(certs_certificate) leaf;
        certs_make(&root, NULL,
                   &(struct certs_request){
                       .common_name = "above", .ca = true, .not_after_s = now + 1000 });
        certs_make(&intermediate, &root,
                   &(struct certs_request){ .common_name = "below",
                                            .ca = true,
                                            .not_after_s = now + cases[i].intermediate_s });
        certs_make(&leaf, &intermediate,
                   &(struct certs_request){ .common_name = "client",
                                            .not_after_s = now + cases[i].leaf_s });
        const struct certs_certificate *authorities[] = { &root, &intermediate, &house.stranger };
        const struct certs_certificate *chain[] = { &leaf, &intermediate };
        const struct certs_crl_request requests[] = {
            { .issuer = &root, .next_update_s = now + cases[i].old_root_crl_s },
            { .issuer = &root, .next_update_s = now + cases[i].root_crl_s },
            { .issuer = &intermediate, .next_update_s = now + cases[i].intermediate_crl_s },
            { .issuer = &house.stranger, .next_update_s = now + cases[i].stranger_crl_s },
        };
        X509_CRL *crls[4];
        size_t crl_count = cases[i].root_crl_s == 0 ? 0 : 4;
        for (size_t j = 0; j < crl_count; j++)
            crls[j] = certs_make_crl(&requests[j]);

        AUTO(loaded) loaded = load(authorities, 3, crls, crl_count);
        assert_string_equal(loaded.fault.detail, "");
        int64_t at_ms = (now + cases[i].at_s) * 1000;
        AUTO(outcome) fresh = judge_at(loaded.trust, chain, 2, at_ms);
        assert_outcome(&fresh, AUTH_GOOD, "");
        assert_int_equal(fresh.good_until_ms, (now + cases[i].until_s) * 1000);
        AUTO(outcome) remembered = judge_at(loaded.trust, chain, 2, at_ms + 1);
        assert_ptr_equal(remembered.identity, fresh.identity);
        assert_int_equal(remembered.good_until_ms, fresh.good_until_ms);
        AUTO(outcome) last = judge_at(loaded.trust, chain, 2, fresh.good_until_ms - 1);
        assert_ptr_equal(last.identity, fresh.identity);
        AUTO(outcome) after = judge_at(loaded.trust, chain, 2, fresh.good_until_ms);
        assert_ptr_not_equal(after.identity, fresh.identity);
    }
}

/* --- Loading ---------------------------------------------------------------------------------- */

static void
a_ca_bundle_that_is_not_one_is_refused(void **state)
{
    (void)state;
    AUTO(certs_certificate) leaf;
    AUTO(certs_certificate) old_ca;
    certs_make(&leaf, &house.root, &(struct certs_request){ .common_name = "client" });
    certs_make(
        &old_ca, NULL,
        &(struct certs_request){ .common_name = "old", .ca = true, .basic_constraints = "" });

    char *root = certs_pem((const struct certs_certificate *[]){ &house.root }, 1);
    char *intermediate = certs_pem((const struct certs_certificate *[]){ &house.intermediate }, 1);
    char *client = certs_pem((const struct certs_certificate *[]){ &leaf }, 1);
    char *old = certs_pem((const struct certs_certificate *[]){ &old_ca }, 1);
    char *key = certs_key_pem(&house.root);
    char *cut = strndup(root, strlen(root) - 5);
    const struct {
        const char *first;
        const char *second;
        const char *cause;
    } cases[] = {
        { "", "", "holds no certificate" },
        { "only text\n", "", "holds no certificate" },
        { root, "trailing text\n", "" },
        { "# leading text\n", root, "" },
        { root, root, "" },
        { root, "-----BEGIN CERTIFICATE-----\n", "PEM block 2 of 2 does not parse" },
        { "-----BEGIN CERTIFICATE----\nAAAA\n", root, "PEM block 2 of 2 does not parse" },
        { root, cut, "PEM block 2 of 2 does not parse" },
        { root, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
          "certificate 2 does not parse" },
        { root, key, "block 2 is a PRIVATE KEY, not a CERTIFICATE" },
        { root, client, "certificate 2 (CN=client) is not a CA's" },
        { root, old, "certificate 2 (CN=old) is not a CA's" },
        { intermediate, "", "holds no self-signed CA certificate" },
        { intermediate, root, "" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[8192];
        (void)snprintf(text, sizeof text, "%s%s", cases[i].first, cases[i].second);
        AUTO(loaded) loaded = load_text(text, NULL);
        if (cases[i].cause[0] == '\0') {
            assert_string_equal(loaded.fault.detail, "");
            assert_int_equal(loaded.status, IPSEC_OK);
            continue;
        }
        assert_int_equal(loaded.status, IPSEC_INVALID_PARAMETER);
        assert_non_null(strstr(loaded.fault.detail, "/ca.pem: "));
        if (strstr(loaded.fault.detail, cases[i].cause) == NULL)
            fail_msg("%s", loaded.fault.detail);
    }
    free(cut);
    free(key);
    free(old);
    free(client);
    free(intermediate);
    free(root);
}

static void
a_file_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    struct ipsec_fault fault = { .status = IPSEC_OK };
    struct auth_trust *trust;

    assert_int_equal(auth_trust_load("/nonexistent/ca.pem", NULL, &fault, &trust),
                     IPSEC_RPC_SYS_CALL_FAILED);
    assert_null(trust);
    assert_string_equal(fault.detail, "/nonexistent/ca.pem: No such file or directory");
    assert_int_equal(auth_trust_load("/", NULL, &fault, &trust), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.detail, "/: not a regular file");
}

static void
a_crl_that_nobody_could_use_is_refused(void **state)
{
    (void)state;
    const int64_t now = now_s();
    AUTO(certs_certificate) mute;
    certs_make(&mute, &house.root,
               &(struct certs_request){
                   .common_name = "mute", .ca = true, .key_usage = "critical,keyCertSign" });
    const struct certs_certificate *authorities[] = { &house.root, &mute };
    const struct {
        struct certs_crl_request request;
        const char *cause; /* null: good */
    } cases[] = {
        { { .issuer = &house.root }, NULL },
        { { .issuer = &house.root, .next_update_s = now - 60 }, "CRL 1 (CN=root) is stale" },
        { { .issuer = &house.root, .next_update_s = -1 }, "has no nextUpdate" },
        { { .issuer = &house.root, .this_update_s = now + 60 }, "is not valid yet" },
        { { .issuer = &house.stranger }, "CRL 1 (CN=stranger) is of none of the CAs" },
        { { .issuer = &house.root, .signer = &house.stranger }, "signature that is not its CA's" },
        { { .issuer = &mute }, "may not sign CRLs" },
        { { .issuer = &house.root, .digest = "SHA1" }, "digest that is too weak" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        X509_CRL *crl = certs_make_crl(&cases[i].request);
        AUTO(loaded) loaded = load(authorities, 2, &crl, 1);
        if (cases[i].cause == NULL) {
            assert_string_equal(loaded.fault.detail, "");
            continue;
        }
        assert_int_equal(loaded.status, IPSEC_INVALID_PARAMETER);
        assert_non_null(strstr(loaded.fault.detail, "/crl.pem: "));
        if (strstr(loaded.fault.detail, cases[i].cause) == NULL)
            fail_msg("%s", loaded.fault.detail);
    }
}

static void
a_crl_of_an_rsa_pss_ca_is_judged_by_the_digest_in_its_parameters(void **state)
{
    (void)state;
    AUTO(certs_certificate) root;

    certs_make(
        &root, NULL,
        &(struct certs_request){ .common_name = "pss", .ca = true, .key = CERTS_RSA_PSS_2048 });
    const struct certs_certificate *authorities[] = { &root };
    X509_CRL *good = certs_make_crl(&(struct certs_crl_request){ .issuer = &root });
    AUTO(loaded) loaded = load(authorities, 1, &good, 1);
    assert_string_equal(loaded.fault.detail, "");
    X509_CRL *weak =
        certs_make_crl(&(struct certs_crl_request){ .issuer = &root, .digest = "SHA1" });
    AUTO(loaded) refused = load(authorities, 1, &weak, 1);
    assert_non_null(strstr(refused.fault.detail, "digest that is too weak"));
}

static void
a_crl_file_without_a_crl_is_refused(void **state)
{
    (void)state;
    char *root = certs_pem((const struct certs_certificate *[]){ &house.root }, 1);

    AUTO(loaded) empty = load_text(root, "");
    assert_non_null(strstr(empty.fault.detail, "/crl.pem: holds no CRL"));
    AUTO(loaded) certificate = load_text(root, root);
    assert_non_null(strstr(certificate.fault.detail, "block 1 is a CERTIFICATE, not an X509 CRL"));
    AUTO(loaded)
    broken = load_text(root, "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
    assert_non_null(strstr(broken.fault.detail, "CRL 1 does not parse"));
    free(root);
}

/* --- Threads ---------------------------------------------------------------------------------- */

struct judging {
    struct auth_trust *trust;
    const struct certs_certificate *leaf;
    int good;
};

static void *
judge_often(void *argument)
{
    struct judging *judging = argument;
    struct auth_der der = { judging->leaf->der, judging->leaf->der_size };
    struct auth_trust *trust = auth_trust_ref(judging->trust);
    char reason[AUTH_REASON_SIZE];

    for (int i = 0; i < 50; i++) {
        struct auth_identity *identity;
        int64_t good_until_ms;
        if (auth_judge(trust, &der, 1, clock_wall_ms(), &identity, &good_until_ms, reason) ==
            AUTH_GOOD)
            judging->good++;
        auth_identity_unref(identity);
    }
    auth_trust_unref(trust);
    return NULL;
}

static void
several_threads_judge_with_one_trust(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    AUTO(certs_certificate) leaf;
    pthread_t threads[THREADS];
    struct judging judging[THREADS];

    certs_make(&leaf, &house.root, &(struct certs_request){ .common_name = "client" });
    X509_CRL *crl = certs_make_crl(
        &(struct certs_crl_request){ .issuer = &house.root, .revoked = &house.intermediate });
    AUTO(loaded) loaded = load((const struct certs_certificate *[]){ &house.root }, 1, &crl, 1);
    for (size_t i = 0; i < THREADS; i++) {
        judging[i] = (struct judging){ .trust = loaded.trust, .leaf = &leaf };
        assert_int_equal(pthread_create(&threads[i], NULL, judge_often, &judging[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(judging[i].good, 50);
    }
}

static void
every_verdict_has_a_text_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < AUTH_VERDICT_COUNT; i++) {
        for (int j = 0; j < i; j++)
            assert_string_not_equal(auth_verdict_text((enum auth_verdict)i),
                                    auth_verdict_text((enum auth_verdict)j));
    }
}

static int
set_up(void **state)
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

static int
tear_down(void **state)
{
    (void)state;
    auth_trust_unref(house.trust);
    certs_clear(&house.intermediate);
    certs_clear(&house.stranger);
    certs_clear(&house.root);
    scratch_clear(&house.scratch);
    return 0;
}

/* Whatever it is, and whoever signed it. */
static void
a_certificate_that_is_not_taken_is_described(void **state)
{
    static const struct certs_name hostile = { NID_organizationName, V_ASN1_UTF8STRING,
                                               "a\n\"b\0c\xc3\xa4", 8 };
    AUTO(certs_certificate) leaf = { .x509 = NULL };
    struct auth_leaf described;
    uint8_t *garbage = calloc(1, 100000);

    (void)state;
    certs_make(&leaf, NULL,
               &(struct certs_request){
                   .common_name = "stranger", .subject = &hostile, .subject_count = 1 });
    auth_leaf_describe(&(struct auth_der){ leaf.der, leaf.der_size }, &described);
    assert_int_equal(strlen(described.fingerprint), 64);
    assert_non_null(strstr(described.subject, "CN=stranger"));
    for (const char *next = described.subject; *next != '\0'; next++)
        assert_in_range(*next, 0x20, 0x7e);

    char before[65];
    memcpy(before, described.fingerprint, sizeof before);
    leaf.der[leaf.der_size - 1] ^= 1;
    auth_leaf_describe(&(struct auth_der){ leaf.der, leaf.der_size }, &described);
    assert_string_not_equal(described.fingerprint, before);

    assert_non_null(garbage);
    auth_leaf_describe(&(struct auth_der){ garbage, 100000 }, &described);
    assert_string_equal(described.subject, "");
    assert_int_equal(strlen(described.fingerprint), 64);
    free(garbage);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_that_is_not_taken_is_described),
        cmocka_unit_test(a_leaf_is_judged_by_its_dates_usage_and_strength),
        cmocka_unit_test(an_rsa_ca_may_not_sign_with_an_old_digest),
        cmocka_unit_test(a_leaf_of_another_ca_is_refused),
        cmocka_unit_test(a_leaf_that_only_claims_the_cas_name_is_refused),
        cmocka_unit_test(a_root_as_its_own_client_is_refused),
        cmocka_unit_test(an_intermediate_may_be_sent_or_be_in_the_bundle_but_not_be_missing),
        cmocka_unit_test(an_intermediate_must_be_a_good_ca_itself),
        cmocka_unit_test(a_root_is_not_judged_by_its_own_signature),
        cmocka_unit_test(a_root_has_to_have_a_good_key_too),
        cmocka_unit_test(eight_certificates_are_deep_enough_and_nine_too_deep),
        cmocka_unit_test(a_path_longer_than_its_ca_allows_is_too_deep),
        cmocka_unit_test(a_chain_is_judged_at_the_time_given),
        cmocka_unit_test(a_chain_seen_before_is_known_by_all_its_bytes),
        cmocka_unit_test(a_chain_seen_before_ends_with_its_shortest_certificate),
        cmocka_unit_test(what_is_no_certificate_is_malformed),
        cmocka_unit_test(no_flipped_byte_makes_another_good_certificate),
        cmocka_unit_test(a_chain_has_limits),
        cmocka_unit_test(extensions_that_do_not_parse_are_malformed),
        cmocka_unit_test(a_hostile_subject_is_escaped_and_cut_in_the_reason),
        cmocka_unit_test(revocation_is_checked_along_the_whole_chain),
        cmocka_unit_test(a_crl_that_becomes_stale_fails_closed),
        cmocka_unit_test(the_times_of_a_bundle_are_those_of_what_ends_first),
        cmocka_unit_test(a_verdict_holds_until_the_first_thing_it_rests_on_ends),
        cmocka_unit_test(a_ca_bundle_that_is_not_one_is_refused),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(a_crl_that_nobody_could_use_is_refused),
        cmocka_unit_test(a_crl_of_an_rsa_pss_ca_is_judged_by_the_digest_in_its_parameters),
        cmocka_unit_test(a_crl_file_without_a_crl_is_refused),
        cmocka_unit_test(several_threads_judge_with_one_trust),
        cmocka_unit_test(every_verdict_has_a_text_of_its_own),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
