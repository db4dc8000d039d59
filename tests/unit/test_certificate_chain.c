/* SPDX-License-Identifier: Apache-2.0
 *
 * test_certificate_chain.c: what stands between a certificate and a CA, and several threads
 * that judge at once. */
#include "auth/certificate.h"

#include <pthread.h>

#include "tests/unit/certificate_fixture.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_intermediate_may_be_sent_or_be_in_the_bundle_but_not_be_missing),
        cmocka_unit_test(an_intermediate_must_be_a_good_ca_itself),
        cmocka_unit_test(a_root_is_not_judged_by_its_own_signature),
        cmocka_unit_test(a_root_has_to_have_a_good_key_too),
        cmocka_unit_test(eight_certificates_are_deep_enough_and_nine_too_deep),
        cmocka_unit_test(a_path_longer_than_its_ca_allows_is_too_deep),
        cmocka_unit_test(a_chain_is_judged_at_the_time_given),
        cmocka_unit_test(a_chain_seen_before_is_known_by_all_its_bytes),
        cmocka_unit_test(a_chain_seen_before_ends_with_its_shortest_certificate),
        cmocka_unit_test(several_threads_judge_with_one_trust),
    };

    return cmocka_run_group_tests(tests, certificate_setup, certificate_teardown);
}
