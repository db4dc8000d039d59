/* SPDX-License-Identifier: Apache-2.0
 *
 * test_keep.c: what the load generator takes from answers. */
#include "tests/bench/keep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void
a_member_is_found_or_it_is_not(void **state)
{
    static const struct {
        const char *text;
        bool found;
        uint64_t number;
    } cases[] = {
        { "HTTP/1.1 200 OK\r\n\r\n{\"spi\":3735928559}", true, 3735928559 },
        { "{\"id\": 7, \"spi\": 256, \"state\": \"created\"}", true, 256 },
        { "{\"spi\":0}", true, 0 },
        { "{\"spi\":9223372036854775807}", true, INT64_MAX },
        { "", false, 0 },
        { "{}", false, 0 },
        { "{\"spi", false, 0 },
        { "{\"spi\"", false, 0 },
        { "{\"spi\":", false, 0 },
        { "{\"spi\":12", false, 0 }, /* more digits may follow */
        { "{\"spi\":\"12\"}", false, 0 },
        { "{\"spi\":-1}", false, 0 },
        { "{\"spi\":1.5}", false, 0 },
        { "{\"spice\":1}", false, 0 },
        { "{\"myspi\":1}", false, 0 },
        { "{\"spi\":99999999999999999999}", false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t number = 0;

        assert_int_equal(keep_find(cases[i].text, strlen(cases[i].text), "spi", &number),
                         cases[i].found);
        if (cases[i].found)
            assert_int_equal(number, cases[i].number);
    }
}

static void
what_is_written_is_read(void **state)
{
    const uint64_t numbers[] = { 4096, 0, UINT64_MAX };
    char path[] = "/tmp/test_keep.XXXXXX";
    int fd = mkstemp(path);
    size_t count = 0;

    (void)state;
    assert_true(fd >= 0);
    (void)close(fd);
    assert_true(keep_write(path, numbers, 3));
    uint64_t *read_again = keep_read(path, &count);
    assert_non_null(read_again);
    assert_int_equal(count, 3);
    assert_memory_equal(read_again, numbers, sizeof numbers);
    free(read_again);

    FILE *stream = fopen(path, "we");
    assert_non_null(stream);
    (void)fputs("12\nno number\n", stream);
    assert_int_equal(fclose(stream), 0);
    assert_null(keep_read(path, &count));
    assert_int_equal(unlink(path), 0);
    assert_null(keep_read(path, &count));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_is_found_or_it_is_not),
        cmocka_unit_test(what_is_written_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
