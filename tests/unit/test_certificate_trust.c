/* SPDX-License-Identifier: Apache-2.0
 *
 * test_certificate_trust.c: CA bundles and CRL files that can't be loaded, and what is said. */
#include "auth/certificate.h"

#include "tests/unit/certificate_fixture.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ca_bundle_that_is_not_one_is_refused),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(a_crl_that_nobody_could_use_is_refused),
        cmocka_unit_test(a_crl_of_an_rsa_pss_ca_is_judged_by_the_digest_in_its_parameters),
        cmocka_unit_test(a_crl_file_without_a_crl_is_refused),
    };

    return cmocka_run_group_tests(tests, certificate_setup, certificate_teardown);
}
