/* SPDX-License-Identifier: Apache-2.0
 *
 * test_certificate_crl.c: revocation, and until when a verdict holds. */
#include "auth/certificate.h"

#include "tests/unit/certificate_fixture.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(revocation_is_checked_along_the_whole_chain),
        cmocka_unit_test(a_crl_that_becomes_stale_fails_closed),
        cmocka_unit_test(the_times_of_a_bundle_are_those_of_what_ends_first),
        cmocka_unit_test(a_verdict_holds_until_the_first_thing_it_rests_on_ends),
    };

    return cmocka_run_group_tests(tests, certificate_setup, certificate_teardown);
}
