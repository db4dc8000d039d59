/* SPDX-License-Identifier: Apache-2.0
 *
 * test_access_policy.c: access.json, read whole or refused with the place of the error. */
#include "auth/access_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/descriptor.h"
#include "tests/lib/scratch.h"

static struct scratch scratch;

static char uri_name[] = "spiffe://example.org/orchestrator/1";
static struct auth_name names[] = { { AUTH_NAME_URI, uri_name } };
static const struct auth_identity orchestrator = {
    .references = 1, .principal = uri_name, .names = names, .name_count = 1
};
static const struct auth_identity nobody = { .references = 1 };

static enum ipsec_status
load(const char *text, struct ipsec_fault *fault, struct access_policy **policy_out)
{
    *fault = (struct ipsec_fault){ .status = IPSEC_OK };
    return access_policy_load(scratch_write(&scratch, "access.json", text, strlen(text)), fault,
                              policy_out);
}

static struct ipsec_rights
rights_of(const char *text, const struct auth_identity *identity)
{
    struct ipsec_fault fault;
    struct access_policy *policy;
    struct ipsec_rights rights;

    if (load(text, &fault, &policy) != IPSEC_OK)
        fail_msg("%s", fault.detail);
    memset(&rights, 0xff, sizeof rights);
    access_policy_rights(policy, identity, &rights);
    access_policy_unref(policy);
    return rights;
}

#define ENTRY(members) "{\"filters\": {\"dacl\": [{" members "}]}}"
#define GOOD_ENTRY "\"type\": \"allow\", \"principal\": \"everyone\", \"rights\": [\"DELETE\"]"

static void
every_error_names_file_place_and_cause(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *pointer;
        const char *cause;
    } cases[] = {
        { "", "", "line 1 column 0: '[' or '{' expected near end of file" },
        { "{", "", "line 1 column 1: string or '}' expected near end of file" },
        { "{}{}", "", "line 1 column 3: end of file expected near '{'" },
        { "{\"filters\": {\"dacl\": []},\n \"filters\": {\"dacl\": []}}", "",
          "line 2 column 10: duplicate object key near '\"filters\"'" },
        { ENTRY(GOOD_ENTRY ", \"type\": \"deny\""), "", "duplicate object key near '\"type\"'" },
        { "{\"filters\xff\": 1}", "", "line 1 column 9: unable to decode byte 0xff" },
        { "{\"filters\": \"\\u0000\"}", "", "\\u0000 is not allowed" },
        { "[]", "", "must be an object" },
        { "{\"Filters\": {\"dacl\": []}}", "/Filters", "unknown container, use engine," },
        { "{\"a/b~c\": 1}", "/a~1b~0c", "unknown container" },
        { "{\"filters\": []}", "/filters", "must be an object" },
        { "{\"filters\": null}", "/filters", "must be an object" },
        { "{\"filters\": {}}", "/filters/dacl", "missing" },
        { "{\"filters\": {\"dacl\": null}}", "/filters/dacl", "must be an array" },
        { "{\"filters\": {\"dacl\": {}}}", "/filters/dacl", "must be an array" },
        { "{\"filters\": {\"dacl\": [], \"sacl\": []}}", "/filters/sacl", "unknown member" },
        { "{\"filters\": {\"dacl\": [], \"owner\": \"everyone\"}}", "/filters/owner",
          "unknown member" },
        { "{\"filters\": {\"dacl\": [1]}}", "/filters/dacl/0", "must be an object" },
        { "{\"filters\": {\"dacl\": [{" GOOD_ENTRY "}, {}]}}", "/filters/dacl/1/type", "missing" },
        { ENTRY("\"type\": \"allow\", \"rights\": []"), "/filters/dacl/0/principal", "missing" },
        { ENTRY("\"type\": \"allow\", \"principal\": \"everyone\""), "/filters/dacl/0/rights",
          "missing" },
        { ENTRY(GOOD_ENTRY ", \"comment\": \"x\""), "/filters/dacl/0/comment", "unknown member" },
        { ENTRY("\"type\": 1, \"principal\": \"everyone\", \"rights\": []"), "/filters/dacl/0/type",
          "must be a string" },
        { ENTRY("\"type\": \"Allow\", \"principal\": \"everyone\", \"rights\": []"),
          "/filters/dacl/0/type", "\"Allow\": must be \"allow\" or \"deny\"" },
        { ENTRY("\"type\": \"allow\", \"principal\": [], \"rights\": []"),
          "/filters/dacl/0/principal", "must be a string" },
        { ENTRY("\"type\": \"allow\", \"principal\": \"user:a\", \"rights\": []"),
          "/filters/dacl/0/principal", "\"user:a\": unknown form of principal" },
        { ENTRY("\"type\": \"allow\", \"principal\": \"dns:*.example.org\", \"rights\": []"),
          "/filters/dacl/0/principal", "\"dns:*.example.org\": a wildcard may stand only" },
        { ENTRY("\"type\": \"allow\", \"principal\": \"everyone\", \"rights\": \"DELETE\""),
          "/filters/dacl/0/rights", "must be an array" },
        { ENTRY("\"type\": \"allow\", \"principal\": \"everyone\", \"rights\": [\"DELETE\", 2]"),
          "/filters/dacl/0/rights/1", "must be a string" },
        { ENTRY("\"type\": \"allow\", \"principal\": \"everyone\", \"rights\": [\"ADD\"]"),
          "/filters/dacl/0/rights/0", "\"ADD\": unknown right" },
        { ENTRY("\"type\": \"allow\", \"principal\": \"everyone\", "
                "\"rights\": [\"MAXIMUM_ALLOWED\"]"),
          "/filters/dacl/0/rights/0", "\"MAXIMUM_ALLOWED\": asks for whatever is granted" },
        { ENTRY("\"type\": \"allow\", \"principal\": \"everyone\", "
                "\"rights\": [\"ACCESS_SYSTEM_SECURITY\"]"),
          "/filters/dacl/0/rights/0", "\"ACCESS_SYSTEM_SECURITY\": guards audit lists" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ipsec_fault fault;
        struct access_policy *policy;
        char expected[400];
        assert_int_equal(load(cases[i].text, &fault, &policy), IPSEC_INVALID_PARAMETER);
        assert_null(policy);
        assert_string_equal(fault.pointer, cases[i].pointer);
        assert_non_null(strstr(fault.detail, "/access.json: "));
        (void)snprintf(expected, sizeof expected, "/access.json: %s%s", cases[i].pointer,
                       cases[i].pointer[0] == '\0' ? "" : ": ");
        if (strstr(fault.detail, expected) == NULL || strstr(fault.detail, cases[i].cause) == NULL)
            fail_msg("%s", fault.detail);
    }
}

static void
a_file_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    struct ipsec_fault fault;
    struct access_policy *policy;

    assert_int_equal(access_policy_load("/nonexistent/access.json", &fault, &policy),
                     IPSEC_RPC_SYS_CALL_FAILED);
    assert_string_equal(fault.detail, "/nonexistent/access.json: No such file or directory");
    assert_int_equal(access_policy_load("/dev/null", &fault, &policy), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.detail, "/dev/null: not a regular file");
}

static void
a_cause_survives_a_very_long_path_and_value(void **state)
{
    (void)state;
    struct ipsec_fault fault;
    struct access_policy *policy;
    char file[512];
    char text[1024];

    memset(file, 'd', sizeof file);
    memcpy(file + sizeof file - sizeof "/access.json", "/access.json", sizeof "/access.json");
    assert_int_equal(access_policy_load(file, &fault, &policy), IPSEC_RPC_SYS_CALL_FAILED);
    assert_memory_equal(fault.detail, "...ddd", 6);
    assert_non_null(strstr(fault.detail, "d/access.json: File name too long"));

    memset(text, 'R', sizeof text);
    (void)snprintf(text, sizeof text, "{\"filters\": {\"dacl\": [{\"type\": \"%0600d\"", 1);
    (void)snprintf(text + strlen(text), sizeof text - strlen(text),
                   ", \"principal\": \"everyone\", \"rights\": []}]}}");
    assert_int_equal(load(text, &fault, &policy), IPSEC_INVALID_PARAMETER);
    assert_non_null(strstr(fault.detail, "\": must be \"allow\" or \"deny\""));
}

/* What the file may have can be read through the API, too. */
static void
more_entries_than_can_be_read_are_refused(void **state)
{
    (void)state;
    AUTO(buffer) text = BUFFER(1 << 20);
    struct ipsec_fault fault;
    struct access_policy *policy;

    buffer_append_text(&text, "{\"filters\": {\"dacl\": [");
    for (int i = 1; i < DESCRIPTOR_ENTRIES_MAX; i++)
        buffer_append_text(&text, "{" GOOD_ENTRY "},");
    buffer_append_text(&text, "{" GOOD_ENTRY "}");
    size_t size = text.size;
    buffer_append_text(&text, "]}}");
    assert_int_equal(load(buffer_text(&text), &fault, &policy), IPSEC_OK);
    assert_int_equal(access_policy_file_descriptor(policy, IPSEC_CONTAINER_FILTERS)->entry_count,
                     DESCRIPTOR_ENTRIES_MAX);
    access_policy_unref(policy);

    text.size = size;
    buffer_append_text(&text, ",{" GOOD_ENTRY "}]}}");
    assert_int_equal(load(buffer_text(&text), &fault, &policy), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.pointer, "/filters/dacl");
    assert_non_null(strstr(fault.detail, "has 1025 entries, 1024 are possible"));
}

static void
nothing_grants_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "{\"engine\": {\"dacl\": []}, \"saDatabase\": {\"dacl\": []}}",
        ENTRY("\"type\": \"allow\", \"principal\": \"everyone\", \"rights\": []"),
        ENTRY("\"type\": \"deny\", \"principal\": \"cn:x\", \"rights\": [\"GENERIC_ALL\"]"),
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct ipsec_rights rights = rights_of(texts[i], &orchestrator);
        for (size_t j = 0; j < IPSEC_CONTAINER_COUNT; j++)
            assert_int_equal(rights.granted[j], 0);
    }
}

static const char example[] =
    "{\"engine\": {\"dacl\": [{\"type\": \"allow\", \"principal\": \"everyone\","
    "                          \"rights\": [\"FWPM_ACTRL_OPEN\"]}]},"
    " \"saDatabase\": {\"dacl\": [{\"type\": \"allow\","
    "   \"principal\": \"uri:spiffe://example.org/orchestrator/*\","
    "   \"rights\": [\"FWPM_ACTRL_ADD\", \"FWPM_GENERIC_READ\", \"FWPM_ACTRL_ENUM\","
    "                \"DELETE\"]}]},"
    " \"filters\": {\"dacl\": []},"
    " \"providerContexts\": {\"dacl\": []}}";

static void
the_engines_entries_are_inherited_by_the_containers(void **state)
{
    (void)state;
    struct ipsec_rights rights = rights_of(example, &orchestrator);

    assert_int_equal(rights.granted[IPSEC_CONTAINER_ENGINE], FWPM_ACTRL_OPEN);
    assert_int_equal(rights.granted[IPSEC_CONTAINER_SA_DATABASE],
                     0x000201D4 | FWPM_ACTRL_ADD | FWPM_ACTRL_ENUM | RIGHT_DELETE);
    assert_int_equal(rights.granted[IPSEC_CONTAINER_FILTERS], FWPM_ACTRL_OPEN);
    assert_int_equal(rights.granted[IPSEC_CONTAINER_PROVIDER_CONTEXTS], FWPM_ACTRL_OPEN);

    rights = rights_of(example, &nobody);
    for (size_t i = 0; i < IPSEC_CONTAINER_COUNT; i++)
        assert_int_equal(rights.granted[i], FWPM_ACTRL_OPEN);
    rights = rights_of(example, NULL);
    for (size_t i = 0; i < IPSEC_CONTAINER_COUNT; i++)
        assert_int_equal(rights.granted[i], 0);
}

static void
a_containers_own_entries_come_before_the_engines(void **state)
{
    (void)state;
    struct ipsec_rights rights = rights_of(
        "{\"filters\": {\"dacl\": [{\"type\": \"allow\", \"principal\": \"everyone\","
        "                           \"rights\": [\"FWPM_ACTRL_READ\"]}]},"
        " \"engine\": {\"dacl\": ["
        "   {\"type\": \"allow\", \"principal\": \"everyone\", \"rights\": [\"GENERIC_ALL\"]},"
        "   {\"type\": \"deny\", \"principal\": \"uri:spiffe://example.org/orchestrator/1\","
        "    \"rights\": [\"FWPM_ACTRL_READ\", \"DELETE\"]}]}}",
        &orchestrator);

    assert_int_equal(rights.granted[IPSEC_CONTAINER_ENGINE],
                     0x000F07FF & ~(uint32_t)(FWPM_ACTRL_READ | RIGHT_DELETE));
    assert_int_equal(rights.granted[IPSEC_CONTAINER_FILTERS], 0x000F07FF & ~(uint32_t)RIGHT_DELETE);
}

static void
a_policy_lives_until_its_last_reference_ends(void **state)
{
    (void)state;
    struct ipsec_fault fault;
    struct access_policy *policy;
    struct ipsec_rights rights;

    assert_int_equal(load(example, &fault, &policy), IPSEC_OK);
    assert_ptr_equal(access_policy_ref(policy), policy);
    access_policy_unref(policy);
    access_policy_rights(policy, &nobody, &rights);
    assert_int_equal(rights.granted[IPSEC_CONTAINER_ENGINE], FWPM_ACTRL_OPEN);
    access_policy_unref(policy);
    access_policy_unref(NULL);
}

static void
a_descriptor_that_was_set_stands_in_for_the_files(void **state)
{
    static const char file[] =
        "{\"filters\":{\"dacl\":[{\"type\":\"allow\",\"principal\":\"everyone\",\"rights\":["
        "\"DELETE\"]}]}}";
    static const char set[] = "{\"dacl\":[{\"type\":\"allow\",\"principal\":\"everyone\","
                              "\"rights\":[\"FWPM_ACTRL_READ\"]}]}";
    struct access_policy *policy, *changed, *back, *none;
    struct ipsec_rights rights;
    struct ipsec_fault fault = { 0 };

    (void)state;
    assert_int_equal(load(file, &fault, &policy), IPSEC_OK);
    assert_int_equal(access_policy_replace(policy, IPSEC_CONTAINER_FILTERS, set, &fault, &changed),
                     IPSEC_OK);
    access_policy_rights(policy, &nobody, &rights);
    assert_int_equal(rights.granted[IPSEC_CONTAINER_FILTERS], RIGHT_DELETE);
    access_policy_unref(policy);
    access_policy_rights(changed, &nobody, &rights);
    assert_int_equal(rights.granted[IPSEC_CONTAINER_FILTERS], FWPM_ACTRL_READ);
    assert_int_equal(access_policy_file_descriptor(changed, IPSEC_CONTAINER_FILTERS)->entry_count,
                     1);
    assert_int_equal(access_policy_replace(changed, IPSEC_CONTAINER_FILTERS, NULL, &fault, &back),
                     IPSEC_OK);
    assert_int_equal(
        access_policy_replace(changed, IPSEC_CONTAINER_FILTERS, "{\"dacl\":1}", &fault, &none),
        IPSEC_INVALID_PARAMETER);
    assert_null(none);
    assert_non_null(strstr(fault.detail, "/dacl"));
    access_policy_unref(changed);
    access_policy_rights(back, &nobody, &rights);
    assert_int_equal(rights.granted[IPSEC_CONTAINER_FILTERS], RIGHT_DELETE);
    access_policy_unref(back);
}

static int
set_up(void **state)
{
    (void)state;
    scratch_init(&scratch);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    scratch_clear(&scratch);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_names_file_place_and_cause),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(a_cause_survives_a_very_long_path_and_value),
        cmocka_unit_test(more_entries_than_can_be_read_are_refused),
        cmocka_unit_test(nothing_grants_nothing),
        cmocka_unit_test(the_engines_entries_are_inherited_by_the_containers),
        cmocka_unit_test(a_containers_own_entries_come_before_the_engines),
        cmocka_unit_test(a_policy_lives_until_its_last_reference_ends),
        cmocka_unit_test(a_descriptor_that_was_set_stands_in_for_the_files),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
