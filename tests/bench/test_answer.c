/* SPDX-License-Identifier: Apache-2.0
 *
 * test_answer.c: answers end where RFC 9112 says, however their bytes arrive. */
#include "tests/bench/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
what_is_not_an_answer_is_malformed(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.1 2x0 OK\r\n",
        "HTTP/1.1 2000\r\n",
        "HTTP/1.1 099 OK\r\n",
        "HTTP/1.1 20\r\n",
        "HTTP/1.1 200 OK\n",
        "\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n",
        "HTTP/1.1 200 OK\r\n: no name\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1111111111111111\r\n",
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static struct answer answer;
        size_t taken;

        answer_begin(&answer);
        if (answer_feed(&answer, cases[i], strlen(cases[i]), &taken) != ANSWER_MALFORMED)
            fail_msg("taken as an answer: %s", cases[i]);
    }
}

static void
a_line_without_end_is_malformed(void **state)
{
    (void)state;
    static struct answer answer;
    char line[ANSWER_LINE_MAX + 1];
    size_t taken;

    memset(line, 'a', sizeof line);
    answer_begin(&answer);
    assert_int_equal(answer_feed(&answer, line, sizeof line, &taken), ANSWER_MALFORMED);
}

static void
an_answer_ends_at_its_last_byte_at_every_split(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
        bool closes;
    } cases[] = {
        { "HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nabc", 201, false },
        { "HTTP/1.1 201 \r\ncontent-length:0\r\nConnection: close\r\n\r\n", 201, true },
        { "HTTP/1.1 204\r\n\r\n", 204, false },
        { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1 \r\n\r\n.", 200,
          false },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
          "a;x=y\r\n0123456789\r\n1F\r\n0123456789abcdef0123456789abcde\r\n0\r\nT: v\r\n\r\n",
          200, false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = strlen(cases[i].text);

        for (size_t split = 0; split < size; split++) {
            static struct answer answer;
            size_t taken;

            answer_begin(&answer);
            assert_int_equal(answer_feed(&answer, cases[i].text, split, &taken), ANSWER_MORE);
            assert_int_equal(taken, split);
            assert_int_equal(answer_feed(&answer, cases[i].text + split, size - split, &taken),
                             ANSWER_DONE);
            assert_int_equal(taken, size - split);
            assert_int_equal(answer.status, cases[i].status);
            assert_int_equal(answer.closes, cases[i].closes);
            assert_false(answer_end_of_stream(&answer));
        }
    }
}

static void
bytes_after_the_answer_are_left(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP";
    static struct answer answer;
    size_t taken;

    answer_begin(&answer);
    assert_int_equal(answer_feed(&answer, text, sizeof text - 1, &taken), ANSWER_DONE);
    assert_string_equal(text + taken, "HTTP");
}

static void
a_body_without_length_ends_with_the_stream(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 200 OK\r\n\r\nabc";
    static struct answer answer;
    size_t taken;

    answer_begin(&answer);
    assert_int_equal(answer_feed(&answer, text, sizeof text - 1, &taken), ANSWER_MORE);
    assert_true(answer_end_of_stream(&answer));
    assert_true(answer.closes);
    answer_begin(&answer);
    assert_int_equal(answer_feed(&answer, text, 20, &taken), ANSWER_MORE);
    answer_begin(&answer);
    assert_false(answer_end_of_stream(&answer));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_an_answer_is_malformed),
        cmocka_unit_test(a_line_without_end_is_malformed),
        cmocka_unit_test(an_answer_ends_at_its_last_byte_at_every_split),
        cmocka_unit_test(bytes_after_the_answer_are_left),
        cmocka_unit_test(a_body_without_length_ends_with_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
