/* SPDX-License-Identifier: Apache-2.0
 *
 * test_descriptor.c: principals of entries, the order of entries, and what they grant together. */
#include "auth/descriptor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "auth/names.h"

#define FINGERPRINT "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static char uri_name[] = "spiffe://example.org/orchestrator/1";
static char other_uri_name[] = "spiffe://example.org/backup";
static char dns_name[] = "host.example.org";
static char email_name[] = "Some.One@example.org";
static char cn_name[] = "one";
static char dn_name[] = "CN=one,O=Acme";
static struct auth_name names[] = {
    { AUTH_NAME_URI, uri_name },     { AUTH_NAME_URI, other_uri_name }, { AUTH_NAME_DNS, dns_name },
    { AUTH_NAME_EMAIL, email_name }, { AUTH_NAME_CN, cn_name },         { AUTH_NAME_DN, dn_name },
};
static const struct auth_identity caller = { .references = 1,
                                             .principal = uri_name,
                                             .fingerprint = FINGERPRINT,
                                             .names = names,
                                             .name_count = sizeof names / sizeof *names };

static bool
matches_uri(const char *pattern, char *uri)
{
    struct auth_name name = { AUTH_NAME_URI, uri };
    const struct auth_identity identity = { .names = &name, .name_count = 1 };
    struct principal principal;
    const char *cause = "";

    if (!principal_parse(pattern, &principal, &cause))
        fail_msg("%s: %s", pattern, cause);
    bool matches = principal_matches(&principal, &identity);
    principal_clear(&principal);
    return matches;
}

static void
a_principal_matches_names_of_its_kind_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool matches;
    } cases[] = {
        { "everyone", true },
        { "uri:spiffe://example.org/orchestrator/1", true },
        { "uri:spiffe://example.org/backup", true },
        { "uri:spiffe://example.org/orchestrator/2", false },
        { "uri:spiffe://example.org/orchestrator", false },
        { "uri:SPIFFE://Example.ORG/orchestrator/1", true },
        { "uri:Spiffe://example.ORG/orchestrator/*", true },
        { "uri:spiffe://example.org/Orchestrator/1", false },
        { "uri:spiffe://example.org/orchestrator/*", true },
        { "dns:host.example.org", true },
        { "dns:Host.EXAMPLE.org", true },
        { "dns:example.org", false },
        { "dns:one", false },
        { "email:Some.One@example.org", true },
        { "email:Some.One@EXAMPLE.ORG", true },
        { "email:some.one@example.org", false },
        { "cn:one", true },
        { "cn:One", false },
        { "cn:on", false },
        { "dn:CN=one,O=Acme", true },
        { "dn:O=Acme,CN=one", false },
        { "dn:CN=one", false },
        { "sha256:" FINGERPRINT, true },
        { "sha256:00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF", true },
        { "sha256:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:"
          "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF",
          true },
        { "sha256:10112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct principal principal;
        const char *cause = "";
        if (!principal_parse(cases[i].text, &principal, &cause))
            fail_msg("%s: %s", cases[i].text, cause);
        if (principal_matches(&principal, &caller) != cases[i].matches)
            fail_msg("%s", cases[i].text);
        principal_clear(&principal);
    }
}

static void
a_wildcard_matches_below_its_path_and_nowhere_else(void **state)
{
    (void)state;
    static struct {
        char uri[80];
        bool matches;
    } cases[] = {
        { "spiffe://example.org/orchestrator/1", true },
        { "spiffe://example.org/orchestrator/a/b", true },
        { "spiffe://example.org/orchestrator/a.b/...", true },
        { "spiffe://example.org/orchestrator/a?q=/../x", true },
        { "spiffe://example.org/orchestrator", false },
        { "spiffe://example.org/orchestrator/", false },
        { "spiffe://example.org/orchestrator//", false },
        { "spiffe://example.org/orchestrator//a", false },
        { "spiffe://example.org/orchestrator/a/", false },
        { "spiffe://example.org/orchestrator/?a", false },
        { "spiffe://example.org/orchestratorX", false },
        { "spiffe://example.org/orchestratorX/1", false },
        { "spiffe://example.org/orchestrator/..", false },
        { "spiffe://example.org/orchestrator/../admin", false },
        { "spiffe://example.org/orchestrator/a/../../admin", false },
        { "spiffe://example.org/orchestrator/%2e%2E/admin", false },
        { "spiffe://example.org/orchestrator/.%2e", false },
        { "spiffe://example.org/orchestrator/./a", false },
        { "spiffe://example.org.evil/orchestrator/1", false },
        { "spiffe://evil.org/orchestrator/1", false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (matches_uri("uri:spiffe://example.org/orchestrator/*", cases[i].uri) !=
            cases[i].matches)
            fail_msg("%s", cases[i].uri);
    }
    char root_child[] = "spiffe://example.org/a";
    char root[] = "spiffe://example.org/";
    char other[] = "spiffe://example.com/a";
    assert_true(matches_uri("uri:spiffe://example.org/*", root_child));
    assert_false(matches_uri("uri:spiffe://example.org/*", root));
    assert_false(matches_uri("uri:spiffe://example.org/*", other));
}

static void
a_principal_that_could_match_nothing_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *cause;
    } cases[] = {
        { "", "unknown form" },
        { "Everyone", "unknown form" },
        { "everyone ", "unknown form" },
        { "*", "unknown form" },
        { "spiffe://example.org/a", "unknown form" },
        { "ip:192.0.2.1", "unknown form" },
        { "URI:spiffe://example.org/a", "unknown form" },
        { "uri:", "nothing after" },
        { "dns:", "nothing after" },
        { "uri:*", "no scheme" },
        { "uri:/*", "no scheme" },
        { "uri:example.org/a", "no scheme" },
        { "uri:spiffe://example.org*", "a wildcard may stand only at the end" },
        { "uri:spiffe://example.org/a*", "a wildcard may stand only at the end" },
        { "uri:spiffe://example.org/*/a", "a wildcard may stand only at the end" },
        { "uri:spiffe://example.org/*/*", "a wildcard may stand only at the end" },
        { "uri:spiffe://example.org/**", "a wildcard may stand only at the end" },
        { "uri:spiffe://*", "needs a scheme and an authority" },
        { "uri:spiffe:///*", "needs a scheme and an authority" },
        { "uri:spiffe:/*", "needs a scheme and an authority" },
        { "uri:urn:x/*", "needs a scheme and an authority" },
        { "uri:https://example.org/?a/*", "query" },
        { "uri:spiffe://example.org/a b", "visible ASCII" },
        { "uri:spiffe://example.org/\xc3\xa4", "visible ASCII" },
        { "dns:*", "wildcard" },
        { "dns:*.example.org", "wildcard" },
        { "dns:h\xc3\xb6st", "visible ASCII" },
        { "email:example.org", "e-mail" },
        { "email:@example.org", "e-mail" },
        { "email:a@", "e-mail" },
        { "email:*@example.org", "wildcard" },
        { "dn:one", "distinguished name" },
        { "dn:CN=*", "wildcard" },
        { "dn:CN=a,", "distinguished name" },
        { "dn:CN=a,b", "distinguished name" },
        { "dn:CN=a\\,O=b,c", "distinguished name" },
        { "dn:=a", "attribute type" },
        { "dn:cn=a", "attribute type" },
        { "dn:Cn=a", "attribute type" },
        { "dn:CN=a,o=b", "attribute type" },
        { "dn:commonName=a", "attribute type" },
        { "dn:nosuchtype=a", "attribute type" },
        { "dn:2.5.4.3=#0C0161", "attribute type" },
        { "dn:OID.1.2.3=#0500", "attribute type" },
        { "dn:1.2.3.4=a", "numeric attribute type" },
        { "dn:1.2.3.4=#05a0", "numeric attribute type" },
        { "dn:1.2.3.4=#050", "numeric attribute type" },
        { "dn:CN=a, O=b", "a blank beside" },
        { "dn:CN=a ,O=b", "a blank beside" },
        { "dn:CN=a + O=b", "a blank beside" },
        { "dn:CN= a", "a blank beside" },
        { "dn:CN =a", "a blank beside" },
        { "dn: CN=a", "a blank beside" },
        { "dn:CN=a ", "a blank beside" },
        { "dn:CN=a;O=b", "needs a '\\' before it" },
        { "dn:CN=\"a\"", "needs a '\\' before it" },
        { "dn:CN=#a", "needs a '\\' before it" },
        { "dn:CN=a\\", "nothing after" },
        { "dn:CN=a\\=b", "an escape where none" },
        { "dn:CN=a\\ b", "an escape where none" },
        { "dn:CN=\\41", "an escape where none" },
        { "cn:*", "wildcard" },
        { "cn:a\x01", "control character" },
        { "sha256:00", "64 hexadecimal digits" },
        { "sha256:" FINGERPRINT "00", "64 hexadecimal digits" },
        { "sha256:" FINGERPRINT ":", "not a SHA-256" },
        { "sha256::" FINGERPRINT, "not a SHA-256" },
        { "sha256:0:0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
          "not a SHA-256" },
        { "sha256:zz112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
          "not a SHA-256" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct principal principal;
        const char *cause = "";
        if (principal_parse(cases[i].text, &principal, &cause))
            fail_msg("%s", cases[i].text);
        if (strstr(cause, cases[i].cause) == NULL)
            fail_msg("%s: %s", cases[i].text, cause);
        assert_null(principal.text);
    }
}

static void
a_name_longer_than_any_that_is_kept_is_refused(void **state)
{
    (void)state;
    char text[sizeof "cn:" + AUTH_NAME_LENGTH_MAX + 1] = "cn:";
    struct principal principal;
    const char *cause = "";

    memset(text + 3, 'a', AUTH_NAME_LENGTH_MAX);
    assert_true(principal_parse(text, &principal, &cause));
    principal_clear(&principal);
    text[3 + AUTH_NAME_LENGTH_MAX] = 'a';
    assert_false(principal_parse(text, &principal, &cause));
    assert_non_null(strstr(cause, "longer than any name"));
    assert_null(principal.text);
}

static void
an_entry_that_denies_gives_no_caller_the_benefit_of_doubt(void **state)
{
    (void)state;
    static char folder[] = "spiffe://example.org/a/";
    static char empty_segment[] = "spiffe://example.org/a//b";
    static char dots[] = "spiffe://example.org/a/../b";
    static char beside[] = "spiffe://example.org/ab/c";
    static char first[] = "first";
    static char second[] = "second";
    static struct auth_name further[] = { { AUTH_NAME_CN, first }, { AUTH_NAME_CN, second } };
    static struct auth_name uris[][1] = { { { AUTH_NAME_URI, folder } },
                                          { { AUTH_NAME_URI, empty_segment } },
                                          { { AUTH_NAME_URI, dots } },
                                          { { AUTH_NAME_URI, beside } } };
    static const struct auth_identity several = { .names = further, .further_count = 2 };
    static const struct auth_identity unfit_cn = { .names = names,
                                                   .name_count = sizeof names / sizeof *names,
                                                   .left_out = { [AUTH_NAME_CN] = true } };
    static const struct auth_identity unfit_uri = { .left_out = { [AUTH_NAME_URI] = true } };
    const struct auth_identity with_uri[] = { { .names = uris[0], .name_count = 1 },
                                              { .names = uris[1], .name_count = 1 },
                                              { .names = uris[2], .name_count = 1 },
                                              { .names = uris[3], .name_count = 1 } };
    const struct {
        const char *text;
        const struct auth_identity *identity;
        bool allows;
        bool denies;
    } cases[] = {
        { "uri:spiffe://example.org/a/*", &with_uri[0], false, true },
        { "uri:spiffe://example.org/a/*", &with_uri[1], false, true },
        { "uri:spiffe://example.org/a/*", &with_uri[2], false, true },
        { "uri:spiffe://example.org/a/*", &with_uri[3], false, false },
        { "uri:spiffe://example.org/a", &with_uri[0], false, false },
        { "cn:first", &several, false, true },
        { "cn:second", &several, false, true },
        { "cn:third", &several, false, false },
        { "dns:first", &several, false, false },
        { "cn:one", &unfit_cn, true, true },
        { "cn:two", &unfit_cn, false, true },
        { "dns:host.example.org", &unfit_cn, true, true },
        { "dns:two", &unfit_cn, false, false },
        { "dn:CN=two", &unfit_cn, false, false },
        { "uri:spiffe://example.org/any", &unfit_uri, false, true },
        { "uri:spiffe://example.org/*", &unfit_uri, false, true },
        { "cn:any", &unfit_uri, false, false },
        { "everyone", &unfit_uri, true, true },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int denying = 0; denying <= 1; denying++) {
            AUTO(descriptor) descriptor = { .entries = NULL };
            struct descriptor_entry all = { .type = DESCRIPTOR_ALLOW, .rights = 2 };
            struct descriptor_entry entry = { .type = denying ? DESCRIPTOR_DENY : DESCRIPTOR_ALLOW,
                                              .rights = denying ? 2 : 1 };
            const char *cause = "";
            if (!principal_parse(cases[i].text, &entry.principal, &cause))
                fail_msg("%s: %s", cases[i].text, cause);
            assert_true(principal_parse("everyone", &all.principal, &cause));
            assert_true(descriptor_add_take(&descriptor, &entry));
            assert_true(descriptor_add_take(&descriptor, &all));
            uint32_t expected = denying ? (cases[i].denies ? 0 : 2) : (cases[i].allows ? 3 : 2);
            if (descriptor_rights(&descriptor, NULL, cases[i].identity) != expected)
                fail_msg("%zu: %s %s", i, denying ? "deny" : "allow", cases[i].text);
        }
    }
}

#define ALLOW DESCRIPTOR_ALLOW
#define DENY DESCRIPTOR_DENY
struct entry_case {
    enum descriptor_entry_type type;
    const char *principal; /* null: the list ends here */
    uint32_t rights;
};

static void
fill(struct descriptor *descriptor, const struct entry_case *entries, size_t maximum)
{
    for (size_t i = 0; i < maximum && entries[i].principal != NULL; i++) {
        struct descriptor_entry entry = { .type = entries[i].type, .rights = entries[i].rights };
        const char *cause;
        assert_true(principal_parse(entries[i].principal, &entry.principal, &cause));
        assert_true(descriptor_add_take(descriptor, &entry));
        assert_null(entry.principal.text);
    }
}

static void
the_first_entry_that_decides_a_right_wins(void **state)
{
    (void)state;
    enum { MAXIMUM = 4 };
    static const struct {
        const char *what;
        struct entry_case own[MAXIMUM];
        struct entry_case inherited[MAXIMUM];
        uint32_t granted;
    } cases[] = {
        { "empty grants nothing", { { 0 } }, { { 0 } }, 0 },
        { "a stranger's entry grants nothing", { { ALLOW, "cn:two", 7 } }, { { 0 } }, 0 },
        { "rights add up over entries and names",
          { { ALLOW, "cn:one", 1 }, { ALLOW, "dns:host.example.org", 2 }, { ALLOW, "cn:two", 4 } },
          { { ALLOW, "everyone", 8 } },
          1 | 2 | 8 },
        { "deny comes before allow, however they are written",
          { { ALLOW, "cn:one", 7 }, { DENY, "everyone", 2 } },
          { { 0 } },
          1 | 4 },
        { "deny of a stranger does nothing",
          { { DENY, "cn:two", 7 }, { ALLOW, "cn:one", 7 } },
          { { 0 } },
          7 },
        { "own allow comes before inherited deny",
          { { ALLOW, "cn:one", 1 } },
          { { DENY, "everyone", 3 }, { ALLOW, "everyone", 6 } },
          1 | 4 },
        { "own deny comes before inherited allow",
          { { DENY, "cn:one", 1 } },
          { { ALLOW, "everyone", 3 } },
          2 },
        { "within what is inherited deny comes before allow",
          { { 0 } },
          { { ALLOW, "everyone", 3 }, { DENY, "cn:one", 1 } },
          2 },
        { "an entry without rights decides none",
          { { DENY, "everyone", 0 }, { ALLOW, "everyone", 1 } },
          { { 0 } },
          1 },
        { "each right is decided by itself",
          { { DENY, "cn:one", 1 }, { DENY, "cn:one", 2 }, { ALLOW, "cn:one", 0xF } },
          { { ALLOW, "everyone", 0x1F } },
          0x1C },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO(descriptor) own = { .entries = NULL };
        AUTO(descriptor) inherited = { .entries = NULL };
        fill(&own, cases[i].own, MAXIMUM);
        fill(&inherited, cases[i].inherited, MAXIMUM);
        if (descriptor_rights(&own, &inherited, &caller) != cases[i].granted)
            fail_msg("%s", cases[i].what);
    }
}

static void
entries_stand_in_canonical_order(void **state)
{
    (void)state;
    static const struct entry_case entries[] = {
        { ALLOW, "cn:a", 1 }, { DENY, "cn:b", 2 }, { ALLOW, "cn:c", 3 }, { DENY, "cn:d", 4 }
    };
    static const uint32_t order[] = { 2, 4, 1, 3 };
    AUTO(descriptor) descriptor = { .entries = NULL };

    fill(&descriptor, entries, 4);
    assert_int_equal(descriptor.entry_count, 4);
    assert_int_equal(descriptor.deny_count, 2);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(descriptor.entries[i].rights, order[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_principal_matches_names_of_its_kind_exactly),
        cmocka_unit_test(a_wildcard_matches_below_its_path_and_nowhere_else),
        cmocka_unit_test(a_principal_that_could_match_nothing_is_refused),
        cmocka_unit_test(a_name_longer_than_any_that_is_kept_is_refused),
        cmocka_unit_test(an_entry_that_denies_gives_no_caller_the_benefit_of_doubt),
        cmocka_unit_test(the_first_entry_that_decides_a_right_wins),
        cmocka_unit_test(entries_stand_in_canonical_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
