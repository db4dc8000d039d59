/* SPDX-License-Identifier: Apache-2.0
 *
 * test_text.c: numbers, addresses, prefixes and GUIDs have one accepted spelling. */
#include "api/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void
numbers_are_plain_decimal_digits(void **state)
{
    static const char *const refused[] = { "",   "-1", "+1", "01", "00",
                                           "1 ", " 1", "1a", "1.", "18446744073709551616",
                                           "0x1" };
    static const struct {
        const char *text;
        uint64_t value;
    } taken[] = { { "0", 0 }, { "7", 7 }, { "18446744073709551615", UINT64_MAX } };
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++)
        assert_false(text_parse_unsigned(refused[i], strlen(refused[i]), &value));
    for (size_t i = 0; i < COUNT(taken); i++) {
        AUTO(buffer) again = BUFFER(32);
        assert_true(text_parse_unsigned(taken[i].text, strlen(taken[i].text), &value));
        assert_true(value == taken[i].value);
        text_append_unsigned(&again, value);
        assert_string_equal(buffer_text(&again), taken[i].text);
    }
}

static void
addresses_come_back_in_their_canonical_form(void **state)
{
    static const struct {
        const char *text;
        const char *again; /* null: refused */
    } cases[] = {
        { "192.0.2.1", "192.0.2.1" },
        { "0.0.0.0", "0.0.0.0" },
        { "255.255.255.255", "255.255.255.255" },
        { "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
        { "::", "::" },
        { "192.0.2", NULL },
        { "192.0.2.1.", NULL },
        { "192.0.2.010", NULL },
        { "0xc0000201", NULL },
        { "3221225985", NULL },
        { "2001:db8::1%1", NULL },
        { "2001:db8::1::2", NULL },
        { "::ffff", "::ffff" },
        { "", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ipsec_address address;
        uint8_t version;
        AUTO(buffer) again = BUFFER(64);
        assert_int_equal(text_parse_address(cases[i].text, &address, &version),
                         cases[i].again != NULL);
        if (cases[i].again == NULL)
            continue;
        text_append_address(&again, &address, version);
        assert_string_equal(buffer_text(&again), cases[i].again);
    }
}

static void
prefixes_have_no_host_bits(void **state)
{
    static const struct {
        const char *text;
        enum text_prefix result;
        uint8_t length;
    } cases[] = {
        { "192.0.2.1", TEXT_PREFIX_GOOD, 32 },
        { "192.0.2.1/32", TEXT_PREFIX_GOOD, 32 },
        { "192.0.2.128/25", TEXT_PREFIX_GOOD, 25 },
        { "0.0.0.0/0", TEXT_PREFIX_GOOD, 0 },
        { "2001:db8::/32", TEXT_PREFIX_GOOD, 32 },
        { "::1/128", TEXT_PREFIX_GOOD, 128 },
        { "192.0.2.128/24", TEXT_PREFIX_HOST_BITS, 0 },
        { "192.0.2.1/0", TEXT_PREFIX_HOST_BITS, 0 },
        { "::1/127", TEXT_PREFIX_HOST_BITS, 0 },
        { "192.0.2.0/33", TEXT_PREFIX_NO_LENGTH, 0 },
        { "::/129", TEXT_PREFIX_NO_LENGTH, 0 },
        { "192.0.2.0/", TEXT_PREFIX_NO_LENGTH, 0 },
        { "192.0.2.0/-1", TEXT_PREFIX_NO_LENGTH, 0 },
        { "192.0.2.0/08", TEXT_PREFIX_NO_LENGTH, 0 },
        { "192.0.2.0/255.255.255.0", TEXT_PREFIX_NO_LENGTH, 0 },
        { "/24", TEXT_PREFIX_NO_ADDRESS, 0 },
        { "192.0.2/24", TEXT_PREFIX_NO_ADDRESS, 0 },
        { "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa/64", TEXT_PREFIX_NO_ADDRESS, 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ipsec_address address;
        uint8_t length = 0;
        uint8_t version;
        assert_int_equal(text_parse_prefix(cases[i].text, &address, &length, &version),
                         cases[i].result);
        assert_int_equal(length, cases[i].length);
    }
}

static void
guids_have_their_dashes_where_they_belong(void **state)
{
    static const char *const refused[] = {
        "",
        "6f1c0a525f304c2e9f430d7a5d2b8c11",
        "6f1c0a52-5f30-4c2e-9f43-0d7a5d2b8c1",
        "6f1c0a52-5f30-4c2e-9f43-0d7a5d2b8c111",
        "6f1c0a52-5f30-4c2e-9f430-d7a5d2b8c11",
        "{6f1c0a52-5f30-4c2e-9f43-0d7a5d2b8c11}",
        "6g1c0a52-5f30-4c2e-9f43-0d7a5d2b8c11",
    };
    struct ipsec_guid guid;
    AUTO(buffer) again = BUFFER(64);

    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++)
        assert_false(text_parse_guid(refused[i], &guid));
    assert_true(text_parse_guid("6F1C0A52-5f30-4c2e-9f43-0d7a5d2b8c11", &guid));
    assert_int_equal(guid.bytes[0], 0x6f);
    assert_int_equal(guid.bytes[15], 0x11);
    text_append_guid(&again, &guid);
    assert_string_equal(buffer_text(&again), "6f1c0a52-5f30-4c2e-9f43-0d7a5d2b8c11");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_plain_decimal_digits),
        cmocka_unit_test(addresses_come_back_in_their_canonical_form),
        cmocka_unit_test(prefixes_have_no_host_bits),
        cmocka_unit_test(guids_have_their_dashes_where_they_belong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
