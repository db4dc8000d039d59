/* SPDX-License-Identifier: Apache-2.0
 *
 * test_identity.c: the names that a certificate gives its holder, and how long an identity lives.
 */
#include "auth/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "auth/certificate.h"
#include "auth/names.h"
#include "auth/principal.h"
#include "engine/base/clock.h"
#include "tests/lib/certs.h"
#include "tests/lib/scratch.h"

static struct {
    struct certs_certificate root;
    struct auth_trust *trust;
} house;

static enum auth_verdict
judge(const struct certs_certificate *leaf,
      struct auth_identity **identity_out,
      char reason[AUTH_REASON_SIZE])
{
    struct auth_der der = { leaf->der, leaf->der_size };
    int64_t good_until_ms;

    return auth_judge(house.trust, &der, 1, clock_wall_ms(), identity_out, &good_until_ms, reason);
}

static struct auth_identity *
identity_of(const struct certs_request *request)
{
    AUTO(certs_certificate) leaf;
    struct auth_identity *identity;
    char reason[AUTH_REASON_SIZE];

    certs_make(&leaf, &house.root, request);
    if (judge(&leaf, &identity, reason) != AUTH_GOOD)
        fail_msg("%s", reason);
    return identity;
}

/* All names in one text, each with its prefix and a space behind. */
static void
write_names(const struct auth_identity *identity, char *text, size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < identity->name_count; i++)
        length +=
            (size_t)snprintf(text + length, size - length, "%s%s ",
                             auth_name_prefix(identity->names[i].kind), identity->names[i].text);
}

#define UTF8_PART(nid, literal)                                                                    \
    {                                                                                              \
        .kind = (nid), .type = V_ASN1_UTF8STRING, .bytes = (literal), .size = sizeof(literal) - 1  \
    }
#define RAW_NAME(form, literal)                                                                    \
    {                                                                                              \
        .kind = (form), .bytes = (literal), .size = sizeof(literal) - 1                            \
    }

static void
alternative_names_give_names_and_the_principal(void **state)
{
    (void)state;
    static const struct {
        const char *common_name;
        const char *alternative_names;
        const char *principal;
        const char *names;
    } cases[] = {
        { "c", "URI:spiffe://example.org/a", "uri:spiffe://example.org/a",
          "uri:spiffe://example.org/a cn:c dn:CN=c " },
        { NULL, "DNS:b.example.org,URI:spiffe://x/1,URI:spiffe://x/2", "uri:spiffe://x/1",
          "dns:b.example.org uri:spiffe://x/1 uri:spiffe://x/2 " },
        { NULL, "email:A@B.Example,DNS:Host.Example", "dns:host.example",
          "email:A@b.example dns:host.example " },
        { NULL, "email:Some.One@EXAMPLE.ORG", "email:Some.One@example.org",
          "email:Some.One@example.org " },
        { NULL, "URI:SPIFFE://Example.org/A", "uri:spiffe://example.org/A",
          "uri:spiffe://example.org/A " },
        { NULL, "URI:HTTPS://User@Host.Example:443?Q", "uri:https://User@host.example:443?Q",
          "uri:https://User@host.example:443?Q " },
        { NULL, "URI:URN:Some:A", "uri:urn:Some:A", "uri:urn:Some:A " },
        { NULL, "URI:No/Scheme:A", "uri:No/Scheme:A", "uri:No/Scheme:A " },
        { "c", "IP:192.0.2.1,RID:1.2.3", "dn:CN=c", "cn:c dn:CN=c " },
        { "c", NULL, "dn:CN=c", "cn:c dn:CN=c " },
        { "*.example.org", "DNS:*.example.org", "dns:*.example.org",
          "dns:*.example.org cn:*.example.org dn:CN=*.example.org " },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char names[1024];
        struct auth_identity *identity = identity_of(&(struct certs_request){
            .common_name = cases[i].common_name, .alternative_names = cases[i].alternative_names });
        write_names(identity, names, sizeof names);
        assert_string_equal(names, cases[i].names);
        assert_string_equal(identity->principal, cases[i].principal);
        auth_identity_unref(identity);
    }
}

static void
alternative_names_unfit_for_comparison_are_left_out(void **state)
{
    (void)state;
    static const struct certs_name unfit[] = {
        RAW_NAME(GEN_URI, "spiffe://example.org/a\0.evil"),
        RAW_NAME(GEN_URI, "spiffe://example.org/\x01"),
        RAW_NAME(GEN_URI, "spiffe://example.org/a\n"),
        RAW_NAME(GEN_URI, "spiffe://example.org/\xc3\xa4"),
        RAW_NAME(GEN_URI, "spiffe://example.org/\xff"),
        RAW_NAME(GEN_URI, "spiffe://example.org/a b"),
        RAW_NAME(GEN_URI, "spiffe://example.org/\x7f"),
        RAW_NAME(GEN_URI, ""),
        RAW_NAME(GEN_DNS, "host.example\0.evil"),
        RAW_NAME(GEN_DNS, "h\xf6st.example"),
        RAW_NAME(GEN_EMAIL, "a@b\0.example"),
        RAW_NAME(GEN_EMAIL, "\0"),
    };

    for (size_t i = 0; i < sizeof unfit / sizeof *unfit; i++) {
        const struct certs_name names[] = { unfit[i], RAW_NAME(GEN_DNS, "good.example") };
        char text[1024];
        struct auth_identity *identity = identity_of(&(struct certs_request){
            .common_name = "c", .raw_alternative_names = names, .raw_alternative_name_count = 2 });
        write_names(identity, text, sizeof text);
        assert_string_equal(text, "dns:good.example cn:c dn:CN=c ");
        assert_int_equal(identity->left_out[AUTH_NAME_URI], unfit[i].kind == GEN_URI);
        assert_int_equal(identity->left_out[AUTH_NAME_DNS], unfit[i].kind == GEN_DNS);
        assert_int_equal(identity->left_out[AUTH_NAME_EMAIL], unfit[i].kind == GEN_EMAIL);
        assert_false(identity->left_out[AUTH_NAME_CN]);
        assert_false(identity->left_out[AUTH_NAME_DN]);
        assert_string_equal(identity->principal, "dns:good.example");
        auth_identity_unref(identity);
    }
}

static void
a_subject_gives_its_whole_name_and_a_single_common_name(void **state)
{
    (void)state;
    static const struct {
        struct certs_name parts[3];
        size_t count;
        const char *names;
    } cases[] = {
        { { UTF8_PART(NID_countryName, "DE"), UTF8_PART(NID_organizationName, "Acme, Inc."),
            UTF8_PART(NID_commonName, "J\xc3\xbcrgen #1") },
          3,
          "cn:J\xc3\xbcrgen #1 dn:CN=J\xc3\xbcrgen #1,O=Acme\\, Inc.,C=DE " },
        { { UTF8_PART(NID_organizationName, "Acme") }, 1, "dn:O=Acme " },
        { { UTF8_PART(NID_commonName, "a"), UTF8_PART(NID_commonName, "b") }, 2, "dn:CN=b,CN=a " },
        { { UTF8_PART(NID_commonName, "admin\0evil") }, 1, "" },
        { { UTF8_PART(NID_commonName, "admin\x1b[2J") }, 1, "" },
        { { UTF8_PART(NID_commonName, "admin\x7f") }, 1, "" },
        { { UTF8_PART(NID_commonName, "admin\xc2\x85") }, 1, "" },
        /* Fit and unfit together: the common name is one, the distinguished name is not. */
        { { UTF8_PART(NID_commonName, "a"), UTF8_PART(NID_organizationName, "b\0") }, 2, "cn:a " },
        { { UTF8_PART(NID_commonName, "a"), UTF8_PART(NID_commonName, "b\0") }, 2, "" },
        { { { NID_commonName, V_ASN1_BMPSTRING, "\0a\0\xe9", 4 } },
          1,
          "cn:a\xc3\xa9 dn:CN=a\xc3\xa9 " },
        { { { NID_commonName, V_ASN1_BMPSTRING, "\0a\0\0", 4 } }, 1, "" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char names[1024];
        struct auth_identity *identity = identity_of(
            &(struct certs_request){ .subject = cases[i].parts, .subject_count = cases[i].count });
        write_names(identity, names, sizeof names);
        assert_string_equal(names, cases[i].names);
        auth_identity_unref(identity);
    }
}

static void
every_common_name_of_several_is_kept_for_denying(void **state)
{
    (void)state;
    static const struct {
        struct certs_name parts[3];
        size_t count;
        const char *further;
        bool left_out;
        bool subject_left_out;
    } cases[] = {
        { { UTF8_PART(NID_commonName, "a") }, 1, "", false, false },
        { { UTF8_PART(NID_commonName, "a"), UTF8_PART(NID_commonName, "b"),
            UTF8_PART(NID_commonName, "c") },
          3,
          "cn:a cn:b cn:c ",
          false,
          false },
        { { UTF8_PART(NID_commonName, "a"), UTF8_PART(NID_commonName, "b\0") },
          2,
          "cn:a ",
          true,
          true },
        { { UTF8_PART(NID_commonName, "a\x01") }, 1, "", true, true },
        { { UTF8_PART(NID_commonName, "a"), UTF8_PART(NID_organizationName, "b\0") },
          2,
          "",
          false,
          true },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char names[1024];
        struct auth_identity *identity = identity_of(
            &(struct certs_request){ .subject = cases[i].parts, .subject_count = cases[i].count });
        const struct auth_identity further = { .names = identity->names + identity->name_count,
                                               .name_count = identity->further_count };
        write_names(&further, names, sizeof names);
        assert_string_equal(names, cases[i].further);
        assert_int_equal(identity->left_out[AUTH_NAME_CN], cases[i].left_out);
        assert_int_equal(identity->left_out[AUTH_NAME_DN], cases[i].subject_left_out);
        auth_identity_unref(identity);
    }
}

/* What is refused in access.json as no certificate's must indeed be none's. */
static void
a_distinguished_name_can_be_written_as_a_principal(void **state)
{
    (void)state;
    static const struct certs_name parts[] = {
        UTF8_PART(NID_commonName, "plain"),
        UTF8_PART(NID_commonName, " a b "),
        UTF8_PART(NID_commonName, " "),
        UTF8_PART(NID_commonName, "#1 = #2"),
        UTF8_PART(NID_commonName, "a,b+c\"d\\e<f>g;h=i"),
        UTF8_PART(NID_commonName, "J\xc3\xbcrgen"),
        UTF8_PART(NID_pkcs9_emailAddress, "a@b.example"),
        UTF8_PART(NID_domainComponent, "example"),
        UTF8_PART(NID_serialNumber, "00 1"),
        UTF8_PART(NID_userId, "one"),
        UTF8_PART(NID_surname, "S"),
        UTF8_PART(NID_givenName, "G"),
        UTF8_PART(NID_streetAddress, "S 1"),
        UTF8_PART(NID_jurisdictionCountryName, "DE"),
    };

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const struct certs_name subject[] = { UTF8_PART(NID_organizationName, "Acme"), parts[i] };
        struct auth_identity *identity =
            identity_of(&(struct certs_request){ .subject = subject, .subject_count = 2 });
        struct principal principal;
        const char *cause = "";
        assert_memory_equal(identity->principal, "dn:", 3);
        if (!principal_parse(identity->principal, &principal, &cause))
            fail_msg("%s: %s", identity->principal, cause);
        assert_true(principal_matches(&principal, identity));
        principal_clear(&principal);
        auth_identity_unref(identity);
    }
}

/* OpenSSL does not even make such a name, so it is written into the finished certificate. */
static void
a_subject_that_is_not_utf8_is_malformed(void **state)
{
    (void)state;
    static const char *const broken[] = { "\xff\xff\xff", "\xed\xa0\x80", "\xc0\xaf!" };

    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        static const char placeholder[] = "???";
        AUTO(certs_certificate) leaf;
        struct auth_identity *identity;
        char reason[AUTH_REASON_SIZE];
        certs_make(&leaf, &house.root, &(struct certs_request){ .common_name = placeholder });
        char *place = memmem(leaf.der, leaf.der_size, placeholder, sizeof placeholder - 1);
        assert_non_null(place);
        memcpy(place, broken[i], sizeof placeholder - 1);
        assert_int_equal(judge(&leaf, &identity, reason), AUTH_MALFORMED);
        assert_null(identity);
    }
}

static void
a_certificate_without_any_fit_name_goes_by_its_fingerprint(void **state)
{
    (void)state;
    static const struct certs_name part = UTF8_PART(NID_commonName, "a\0b");
    AUTO(certs_certificate) leaf;
    struct auth_identity *identity;
    char reason[AUTH_REASON_SIZE];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size;
    char expected[65];

    certs_make(&leaf, &house.root, &(struct certs_request){ .subject = &part, .subject_count = 1 });
    assert_int_equal(judge(&leaf, &identity, reason), AUTH_GOOD);
    assert_int_equal(EVP_Digest(leaf.der, leaf.der_size, digest, &size, EVP_sha256(), NULL), 1);
    for (size_t i = 0; i < 32; i++)
        (void)snprintf(expected + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(identity->fingerprint, expected);
    assert_memory_equal(identity->principal, "sha256:", 7);
    assert_string_equal(identity->principal + 7, expected);
    auth_identity_unref(identity);
}

static void
names_without_end_are_refused_rather_than_left_out(void **state)
{
    (void)state;
    static char long_text[AUTH_NAME_LENGTH_MAX + 2];
    struct certs_name names[AUTH_NAMES_MAX + 1];
    const struct {
        size_t count;
        size_t size;
        enum auth_verdict verdict;
        const char *reason;
    } cases[] = {
        { AUTH_NAMES_MAX, 8, AUTH_GOOD, "" },
        { AUTH_NAMES_MAX + 1, 8, AUTH_MALFORMED, "too many names" },
        { 1, AUTH_NAME_LENGTH_MAX, AUTH_GOOD, "" },
        { 1, AUTH_NAME_LENGTH_MAX + 1, AUTH_MALFORMED, "a name that is too long" },
    };

    memset(long_text, 'x', sizeof long_text - 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static const struct certs_name no_common_name = UTF8_PART(NID_organizationName, "bad\x01");
        AUTO(certs_certificate) leaf;
        struct auth_identity *identity;
        char reason[AUTH_REASON_SIZE];
        for (size_t j = 0; j < cases[i].count; j++)
            names[j] =
                (struct certs_name){ .kind = GEN_URI, .bytes = long_text, .size = cases[i].size };
        certs_make(&leaf, &house.root,
                   &(struct certs_request){ .subject = &no_common_name,
                                            .subject_count = 1,
                                            .raw_alternative_names = names,
                                            .raw_alternative_name_count = cases[i].count });
        assert_int_equal(judge(&leaf, &identity, reason), cases[i].verdict);
        assert_non_null(strstr(reason, cases[i].reason));
        auth_identity_unref(identity);
    }
}

static void
an_identity_knows_how_long_its_certificate_is_good(void **state)
{
    (void)state;
    const int64_t now_s = clock_wall_ms() / 1000;
    struct auth_identity *identity = identity_of(&(struct certs_request){
        .common_name = "c", .not_before_s = now_s - 5, .not_after_s = now_s + 500 });

    assert_int_equal(identity->not_before_ms, (now_s - 5) * 1000);
    assert_int_equal(identity->not_after_ms, (now_s + 500) * 1000);
    auth_identity_unref(identity);
}

static void
an_identity_lives_until_its_last_reference_ends(void **state)
{
    (void)state;
    struct auth_identity *identity = identity_of(&(struct certs_request){ .common_name = "c" });

    assert_ptr_equal(auth_identity_ref(identity), identity);
    auth_identity_unref(identity);
    assert_string_equal(identity->principal, "dn:CN=c");
    auth_identity_unref(identity);

    assert_null(auth_identity_ref(NULL));
    auth_identity_unref(NULL);
    struct auth_identity *half_built = calloc(1, sizeof *half_built);
    assert_non_null(half_built);
    half_built->references = 1;
    auth_identity_unref(half_built);
}

static int
set_up(void **state)
{
    (void)state;
    AUTO(scratch) scratch;
    struct ipsec_fault fault;

    scratch_init(&scratch);
    certs_make(&house.root, NULL, &(struct certs_request){ .common_name = "root", .ca = true });
    char *pem = certs_pem((const struct certs_certificate *[]){ &house.root }, 1);
    enum ipsec_status status = auth_trust_load(scratch_write(&scratch, "ca.pem", pem, strlen(pem)),
                                               NULL, &fault, &house.trust);
    free(pem);
    return status == IPSEC_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    auth_trust_unref(house.trust);
    certs_clear(&house.root);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alternative_names_give_names_and_the_principal),
        cmocka_unit_test(alternative_names_unfit_for_comparison_are_left_out),
        cmocka_unit_test(a_subject_gives_its_whole_name_and_a_single_common_name),
        cmocka_unit_test(every_common_name_of_several_is_kept_for_denying),
        cmocka_unit_test(a_distinguished_name_can_be_written_as_a_principal),
        cmocka_unit_test(a_subject_that_is_not_utf8_is_malformed),
        cmocka_unit_test(a_certificate_without_any_fit_name_goes_by_its_fingerprint),
        cmocka_unit_test(names_without_end_are_refused_rather_than_left_out),
        cmocka_unit_test(an_identity_knows_how_long_its_certificate_is_good),
        cmocka_unit_test(an_identity_lives_until_its_last_reference_ends),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
