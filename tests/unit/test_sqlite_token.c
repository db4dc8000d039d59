/* SPDX-License-Identifier: Apache-2.0
 *
 * test_sqlite_token.c: the tokens of an ipsecId as a column of the store. */
#include "engine/store/sqlite_token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
what_is_written_is_read(void **state)
{
    struct ipsec_id id = { .token_count = 0 };
    struct ipsec_id read_again;
    char text[SQLITE_TOKENS_SIZE];

    (void)state;
    for (uint8_t count = 0; count <= IPSEC_TOKENS_MAX; count++) {
        memset(&read_again, 0, sizeof read_again);
        id.token_count = count;
        sqlite_tokens_format(&id, text);
        assert_true(sqlite_tokens_parse(text, &read_again));
        assert_memory_equal(&read_again, &id, sizeof id);
        if (count < IPSEC_TOKENS_MAX)
            id.tokens[count] = (struct ipsec_token){ .token = UINT64_MAX - count,
                                                     .type = IPSEC_TOKEN_IMPERSONATION,
                                                     .principal = count % 2,
                                                     .mode = IPSEC_TOKEN_EXTENDED };
    }
    id.token_count = 2;
    sqlite_tokens_format(&id, text);
    assert_string_equal(text, "impersonation local extended 0xffffffffffffffff, "
                              "impersonation peer extended 0xfffffffffffffffe");
}

static void
nothing_else_is_read(void **state)
{
    static const char *const texts[] = {
        " ",
        "machine",
        "machine local main",
        "machine local main ",
        "machine local main 42",
        "machine local main 0x000000000000002g",
        "machine local main 0x000000000000002a ",
        "machine local main 0x000000000000002a,",
        "machine local main 0x000000000000002a, ",
        "machine local main 0x000000000000002a0",
        ", machine local main 0x000000000000002a",
        " machine local main 0x000000000000002a",
        "machine  local main 0x000000000000002a",
        "machine\nlocal main 0x000000000000002a",
        "user local main 0x000000000000002a",
        "machine nobody main 0x000000000000002a",
        "machine local quick 0x000000000000002a",
        "machine local main 0x000000000000002a,machine local main 0x000000000000002a",
        "machine local main 0x0000000000000001, machine local main 0x0000000000000002, "
        "machine local main 0x0000000000000003, machine local main 0x0000000000000004, "
        "machine local main 0x0000000000000005, machine local main 0x0000000000000006, "
        "machine local main 0x0000000000000007, machine local main 0x0000000000000008, "
        "machine local main 0x0000000000000009",
    };
    struct ipsec_id id;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (sqlite_tokens_parse(texts[i], &id))
            fail_msg("'%s' was read", texts[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(nothing_else_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
