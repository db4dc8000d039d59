/* SPDX-License-Identifier: Apache-2.0
 *
 * test_certificate.c: which certificates of a client are good, and what is said of those
 * that are not. */
#include "auth/certificate.h"

#include <openssl/x509v3.h>

#include "tests/unit/certificate_fixture.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leaf_is_judged_by_its_dates_usage_and_strength),
        cmocka_unit_test(an_rsa_ca_may_not_sign_with_an_old_digest),
        cmocka_unit_test(a_leaf_of_another_ca_is_refused),
        cmocka_unit_test(a_leaf_that_only_claims_the_cas_name_is_refused),
        cmocka_unit_test(a_root_as_its_own_client_is_refused),
        cmocka_unit_test(a_certificate_that_is_not_taken_is_described),
        cmocka_unit_test(what_is_no_certificate_is_malformed),
        cmocka_unit_test(no_flipped_byte_makes_another_good_certificate),
        cmocka_unit_test(a_chain_has_limits),
        cmocka_unit_test(extensions_that_do_not_parse_are_malformed),
        cmocka_unit_test(a_hostile_subject_is_escaped_and_cut_in_the_reason),
        cmocka_unit_test(every_verdict_has_a_text_of_its_own),
    };

    return cmocka_run_group_tests(tests, certificate_setup, certificate_teardown);
}
