/* SPDX-License-Identifier: Apache-2.0
 *
 * test_idempotency.c: what makes two requests the same, and remembered answers that are none. */
#include "api/idempotency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/router.h"

struct wanted {
    char *principal;
    const char *operation;
    const char *key;
    const char *method;
    const char *path;
    const char *query;
    const char *body;
    const char *session;
    const char *if_match;
};

static struct ipsec_replay
digests_of(const struct wanted *wanted)
{
    struct auth_identity identity = { .principal = wanted->principal };
    struct api_route route = { .operation = wanted->operation };
    struct api_call call = { .method = wanted->method,
                             .path = wanted->path,
                             .query = wanted->query,
                             .headers[API_HEADER_IDEMPOTENCY_KEY] = wanted->key,
                             .headers[API_HEADER_ENGINE_SESSION] = wanted->session,
                             .headers[API_HEADER_IF_MATCH] = wanted->if_match,
                             .identity = &identity,
                             .route = &route };

    assert_int_equal(idempotency_want(&call, wanted->body, strlen(wanted->body)), IPSEC_OK);
    assert_true(call.base.replay.wanted);
    return call.base.replay;
}

static void
each_part_of_key_and_request_counts(void **state)
{
    static char p[] = "p", q[] = "q", pk[] = "po";
    static const struct {
        struct wanted wanted;
        bool same_key;
        bool same_request;
    } cases[] = {
        { { p, "op", "k", "POST", "/a", NULL, "{}", NULL, NULL }, true, true },
        { { p, "op", "k", "POST", "/a", "", "{}", NULL, NULL }, true, true },
        { { q, "op", "k", "POST", "/a", NULL, "{}", NULL, NULL }, false, true },
        { { p, "oq", "k", "POST", "/a", NULL, "{}", NULL, NULL }, false, true },
        { { p, "op", "l", "POST", "/a", NULL, "{}", NULL, NULL }, false, true },
        { { pk, "p", "k", "POST", "/a", NULL, "{}", NULL, NULL }, false, true },
        { { p, "op", "k", "PUT", "/a", NULL, "{}", NULL, NULL }, true, false },
        { { p, "op", "k", "POST", "/b", NULL, "{}", NULL, NULL }, true, false },
        { { p, "op", "k", "POST", "/a", "x", "{}", NULL, NULL }, true, false },
        { { p, "op", "k", "POST", "/a", NULL, "{} ", NULL, NULL }, true, false },
        { { p, "op", "k", "POST", "/", "a", "{}", NULL, NULL }, true, false },
        { { p, "op", "k", "POST", "/a", NULL, "{}", "s", NULL }, true, false },
        { { p, "op", "k", "POST", "/a", NULL, "{}", NULL, "s" }, true, false },
    };
    struct ipsec_replay first = digests_of(&cases[0].wanted);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ipsec_replay other = digests_of(&cases[i].wanted);
        assert_int_equal(memcmp(first.key_digest, other.key_digest, 32) == 0, cases[i].same_key);
        assert_int_equal(memcmp(first.request_digest, other.request_digest, 32) == 0,
                         cases[i].same_request);
    }
}

static void
an_answer_is_read_as_it_was_kept(void **state)
{
    struct idempotent_answer answer;
    AUTO(buffer) kept = BUFFER(256);

    (void)state;
    idempotency_append_head(201, "42.7", "/filters/7", &kept);
    buffer_append_text(&kept, "{\n}");
    assert_true(idempotency_read(&kept, &answer));
    assert_int_equal(answer.status, 201);
    assert_string_equal(answer.tag, "42.7");
    assert_string_equal(answer.location, "/filters/7");
    assert_int_equal(answer.body_size, 3);
    assert_memory_equal(answer.body, "{\n}", 3);
}

static void
answers_of_earlier_versions_are_read(void **state)
{
    struct idempotent_answer answer;
    AUTO(buffer) kept = BUFFER(256);

    (void)state;
    buffer_append_text(&kept, "1 201 /filters/7\n{}");
    assert_true(idempotency_read(&kept, &answer));
    assert_string_equal(answer.tag, "");
    assert_string_equal(answer.location, "/filters/7");
}

static void
what_is_no_answer_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "\n",
        "1 201 /filters/7",
        "2 201\n{}",
        "2 201 /filters/7\n{}",
        "2 201 42.000000000000000000000000000000000000000000 /filters/7\n{}",
        "3 201 42 /filters/7\n{}",
        "1 201\n{}",
        "1 abc /filters/7\n{}",
        "1 500 /filters/7\n{}",
        "1 99999999999 /filters/7\n{}",
        "1 201 /0123456789012345678901234567890123456789012345678901234567890123456789\n{}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct idempotent_answer answer;
        AUTO(buffer) kept = BUFFER(256);
        buffer_append_text(&kept, cases[i]);
        assert_false(idempotency_read(&kept, &answer));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_of_key_and_request_counts),
        cmocka_unit_test(an_answer_is_read_as_it_was_kept),
        cmocka_unit_test(answers_of_earlier_versions_are_read),
        cmocka_unit_test(what_is_no_answer_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
