/* SPDX-License-Identifier: Apache-2.0
 *
 * test_rights.c: names and values of the access rights. */
#include "auth/rights.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* clang-format off */
static const struct {
    const char *name;
    uint32_t mask;
} documented[] = {
    { "FWPM_ACTRL_ADD", 0x00000001 },             { "FWPM_ACTRL_ADD_LINK", 0x00000002 },
    { "FWPM_ACTRL_BEGIN_READ_TXN", 0x00000004 },  { "FWPM_ACTRL_BEGIN_WRITE_TXN", 0x00000008 },
    { "FWPM_ACTRL_CLASSIFY", 0x00000010 },        { "FWPM_ACTRL_ENUM", 0x00000020 },
    { "FWPM_ACTRL_OPEN", 0x00000040 },            { "FWPM_ACTRL_READ", 0x00000080 },
    { "FWPM_ACTRL_READ_STATS", 0x00000100 },      { "FWPM_ACTRL_SUBSCRIBE", 0x00000200 },
    { "FWPM_ACTRL_WRITE", 0x00000400 },           { "DELETE", 0x00010000 },
    { "READ_CONTROL", 0x00020000 },               { "WRITE_DAC", 0x00040000 },
    { "WRITE_OWNER", 0x00080000 },                { "SYNCHRONIZE", 0x00100000 },
    { "STANDARD_RIGHTS_REQUIRED", 0x000F0000 },   { "STANDARD_RIGHTS_READ", 0x00020000 },
    { "STANDARD_RIGHTS_WRITE", 0x00020000 },      { "STANDARD_RIGHTS_EXECUTE", 0x00020000 },
    { "GENERIC_ALL", 0x000F07FF },                { "GENERIC_EXECUTE", 0x00020220 },
    { "GENERIC_WRITE", 0x0003040B },              { "GENERIC_READ", 0x000201D4 },
    { "FWPM_GENERIC_READ", 0x000201D4 },          { "FWPM_GENERIC_EXECUTE", 0x00020220 },
    { "FWPM_GENERIC_WRITE", 0x0003040B },         { "FWPM_GENERIC_ALL", 0x000F07FF },
};
/* clang-format on */

static void
every_documented_right_has_its_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof documented / sizeof *documented; i++) {
        uint32_t mask = 0;
        assert_true(rights_find(documented[i].name, &mask));
        assert_int_equal(mask, documented[i].mask);
    }
}

static void
generic_rights_are_the_sums_that_the_reference_lists(void **state)
{
    (void)state;
    static const struct {
        const char *sum;
        const char *parts[8];
    } cases[] = {
        { "FWPM_GENERIC_READ",
          { "STANDARD_RIGHTS_READ", "FWPM_ACTRL_BEGIN_READ_TXN", "FWPM_ACTRL_CLASSIFY",
            "FWPM_ACTRL_OPEN", "FWPM_ACTRL_READ", "FWPM_ACTRL_READ_STATS" } },
        { "FWPM_GENERIC_EXECUTE",
          { "STANDARD_RIGHTS_EXECUTE", "FWPM_ACTRL_ENUM", "FWPM_ACTRL_SUBSCRIBE" } },
        { "FWPM_GENERIC_WRITE",
          { "STANDARD_RIGHTS_WRITE", "DELETE", "FWPM_ACTRL_ADD", "FWPM_ACTRL_ADD_LINK",
            "FWPM_ACTRL_BEGIN_WRITE_TXN", "FWPM_ACTRL_WRITE" } },
        { "FWPM_GENERIC_ALL",
          { "STANDARD_RIGHTS_REQUIRED", "FWPM_GENERIC_READ", "FWPM_GENERIC_EXECUTE",
            "FWPM_GENERIC_WRITE" } },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t sum = 0;
        uint32_t expected = 0;
        for (size_t j = 0; j < 8 && cases[i].parts[j] != NULL; j++) {
            uint32_t part = 0;
            assert_true(rights_find(cases[i].parts[j], &part));
            sum |= part;
        }
        assert_true(rights_find(cases[i].sum, &expected));
        assert_int_equal(sum, expected);
    }
}

static void
other_names_are_none(void **state)
{
    (void)state;
    static const char *const names[] = { "",
                                         "FWPM_ACTRL_",
                                         "fwpm_actrl_add",
                                         "ADD",
                                         "RIGHT_DELETE",
                                         "FWPM_ACTRL_ADD ",
                                         "MAXIMUM_ALLOWED",
                                         "ACCESS_SYSTEM_SECURITY" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint32_t mask = 7;
        assert_false(rights_find(names[i], &mask));
        assert_int_equal(mask, 7);
    }
    assert_non_null(rights_why_ungrantable("MAXIMUM_ALLOWED"));
    assert_non_null(rights_why_ungrantable("ACCESS_SYSTEM_SECURITY"));
    assert_null(rights_why_ungrantable("FWPM_ACTRL_ADD"));
}

static void
a_mask_is_told_right_by_right(void **state)
{
    (void)state;
    size_t position = 0;

    assert_string_equal(rights_next_name(0x00010021, &position), "FWPM_ACTRL_ADD");
    assert_string_equal(rights_next_name(0x00010021, &position), "FWPM_ACTRL_ENUM");
    assert_string_equal(rights_next_name(0x00010021, &position), "DELETE");
    assert_null(rights_next_name(0x00010021, &position));
    assert_null(rights_next_name(0x00010021, &position));
    position = 0;
    assert_null(rights_next_name(0x80000000u, &position));
}

static void
containers_have_names(void **state)
{
    (void)state;
    static const char *const names[IPSEC_CONTAINER_COUNT] = { "engine", "saDatabase", "filters",
                                                              "providerContexts" };
    enum ipsec_container container;

    for (int i = 0; i < IPSEC_CONTAINER_COUNT; i++) {
        assert_string_equal(container_name((enum ipsec_container)i), names[i]);
        assert_true(container_find(names[i], &container));
        assert_int_equal(container, i);
    }
    assert_false(container_find("Engine", &container));
    assert_false(container_find("", &container));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_documented_right_has_its_value),
        cmocka_unit_test(generic_rights_are_the_sums_that_the_reference_lists),
        cmocka_unit_test(other_names_are_none),
        cmocka_unit_test(a_mask_is_told_right_by_right),
        cmocka_unit_test(containers_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
