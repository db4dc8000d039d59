/* SPDX-License-Identifier: Apache-2.0
 *
 * test_descriptor.c: principals of entries, the order of entries, and what they grant together. */
#include "auth/descriptor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

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
        { "uri:SPIFFE://example.org/orchestrator/1", false },
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
        cmocka_unit_test(the_first_entry_that_decides_a_right_wins),
        cmocka_unit_test(entries_stand_in_canonical_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
