/* SPDX-License-Identifier: Apache-2.0
 *
 * test_store.c: what every store must do, one body run over all of them. */
#include "engine/store/store.h"

#include <inttypes.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/access.h"
#include "tests/conformance/store_record.h"
#include "tests/conformance/store_text.h"

struct fixture {
    const struct store_ops *ops;
    bool durable; /* what was committed is there after a close */
    char *directory;
    char *path;
    struct store *store;
    struct store_marks marks;
};

static struct store_marks
marks_of(uint64_t number)
{
    return (struct store_marks){ .last_luid = number * 100000,
                                 .revision = number,
                                 .last_replay_number = number * 1000 };
}

static void
open_store(struct fixture *fixture)
{
    struct ipsec_fault fault = { 0 };
    enum ipsec_status status = fixture->ops->open(fixture->path, &fault, &fixture->store);

    if (status != IPSEC_OK)
        fail_msg("%s: %s", ipsec_status_name(status), fault.detail);
}

/* Where nothing outlives the store the same handle goes on. */
static void
reopen(struct fixture *fixture)
{
    if (!fixture->durable)
        return;
    fixture->ops->close(fixture->store);
    open_store(fixture);
}

static enum ipsec_status
try_commit(struct fixture *fixture, const struct store_change *changes, size_t count)
{
    struct ipsec_fault fault = { 0 };
    struct store_marks marks = marks_of(fixture->marks.revision + 1);
    enum ipsec_status status = fixture->ops->commit(fixture->store, changes, count, &marks, &fault);

    if (status == IPSEC_OK)
        fixture->marks = marks;
    else
        assert_true(fault.status == status && fault.detail[0] != '\0');
    return status;
}

static void
commit(struct fixture *fixture, const struct store_change *changes, size_t count)
{
    enum ipsec_status status = try_commit(fixture, changes, count);

    if (status != IPSEC_OK)
        fail_msg("%s", ipsec_status_name(status));
}
#define COMMIT(fixture, ...)                                                                       \
    commit((fixture), (const struct store_change[]){ __VA_ARGS__ },                                \
           sizeof((const struct store_change[]){ __VA_ARGS__ }) / sizeof(struct store_change))

static void
render(struct fixture *fixture, struct buffer *text)
{
    assert_int_equal(store_text_render(fixture->ops, fixture->store, text), IPSEC_OK);
}

/* The lines of 'text' that begin with 'word', in a list of their second words. */
static void
assert_numbers(struct fixture *fixture, const char *word, const char *expected)
{
    AUTO(buffer) text = BUFFER(SIZE_MAX / 4);
    AUTO(buffer) numbers = BUFFER(SIZE_MAX / 4);

    render(fixture, &text);
    for (const char *line = buffer_text(&text); *line != '\0'; line = strchr(line, '\n') + 1) {
        size_t length = strlen(word);
        if (strncmp(line, word, length) == 0 && line[length] == ' ') {
            buffer_append(&numbers, line + length, strcspn(line + length + 1, " \n") + 1);
        }
    }
    assert_string_equal(buffer_text(&numbers), expected);
}

static void
a_new_store_is_empty(void **state)
{
    struct fixture *fixture = *state;
    AUTO(buffer) text = BUFFER(1000);

    render(fixture, &text);
    assert_string_equal(buffer_text(&text), "marks 0 0 0\n");
    reopen(fixture);
    render(fixture, &text);
    assert_string_equal(buffer_text(&text), "marks 0 0 0\n");
}

static void
every_member_of_every_record_comes_back(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_filter filters[40];
    struct ipsec_sa_context contexts[40];
    struct ipsec_provider_context policies[40];
    struct ipsec_session_record sessions[3];
    const struct store_quarantine quarantine = { .spi = UINT32_MAX, .until_ms = 1800000000000 };
    const struct store_descriptor descriptor = { .container = IPSEC_CONTAINER_PROVIDER_CONTEXTS,
                                                 .text = "{\"dacl\":[]}" };
    struct store_change changes[40 * 3 + 8];
    size_t count = 0;

    for (uint64_t i = 0; i < 40; i++) {
        filters[i] = store_record_filter(i + 1);
        contexts[i] = store_record_context(i * 200 + 41);
        policies[i] = store_record_provider_context(i * 3 + 1);
        changes[count++] = store_record_put_filter(&filters[i]);
        changes[count++] = store_record_put_context(&contexts[i]);
        changes[count++] = (struct store_change){ .kind = STORE_PUT_PROVIDER_CONTEXT,
                                                  .provider_context = &policies[i] };
    }
    for (uint64_t i = 0; i < 3; i++) {
        sessions[i] = store_record_session(i * 7 + 1);
        changes[count++] =
            (struct store_change){ .kind = STORE_PUT_SESSION, .session = &sessions[i] };
    }
    changes[count++] =
        (struct store_change){ .kind = STORE_PUT_QUARANTINE, .quarantine = &quarantine };
    changes[count++] =
        (struct store_change){ .kind = STORE_PUT_DESCRIPTOR, .descriptor = &descriptor };
    changes[count++] = store_record_put_principal(1, "uri:spiffe://example.org/a\"b\\c");
    changes[count++] = store_record_put_principal(UINT32_MAX, "dn:CN=\xc3\xa4");
    changes[count++] = store_record_put_replay(1, "{\"id\": 7}");

    /* What goes in is rendered by the loader's own callbacks, through the reference. */
    struct store *model = NULL;
    struct ipsec_fault fault = { 0 };
    struct store_marks marks = marks_of(1);
    AUTO(buffer) expected = BUFFER(SIZE_MAX / 4);
    AUTO(buffer) found = BUFFER(SIZE_MAX / 4);
    assert_int_equal(store_memory.open("", &fault, &model), IPSEC_OK);
    assert_int_equal(store_memory.commit(model, changes, count, &marks, &fault), IPSEC_OK);
    assert_int_equal(store_text_render(&store_memory, model, &expected), IPSEC_OK);
    store_memory.close(model);
    assert_non_null(strstr(buffer_text(&expected),
                           "context 41 filter 42 policy 0 ports 41 65494 protocol 41 version 0 "
                           "type 0 inbound 44 at 1700000000041 revision 287 by 5 spi "));
    assert_non_null(strstr(buffer_text(&expected),
                           "filter 4 effective 18446744073709551611 at -5 revision 4 by 4294967295 "
                           "weight 1 15 action 4005 layer 4 callout 4 key "
                           "009fa0ff04000102030405060708090a condition 0 4 20 0 0 2001"));
    assert_non_null(strstr(buffer_text(&expected), " label n00=v\xc3\xa4lue"));
    assert_non_null(strstr(buffer_text(&expected), "descriptor 3 {\"dacl\":[]}"));

    commit(fixture, changes, count);
    render(fixture, &found);
    assert_string_equal(buffer_text(&found), buffer_text(&expected));
    reopen(fixture);
    render(fixture, &found);
    assert_string_equal(buffer_text(&found), buffer_text(&expected));
}

/* A context that is set anew is what a new store would hold, and a deleted one leaves nothing. */
static void
parts_follow_their_context(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_sa_context plain = store_record_context(61);
    struct ipsec_sa_context keyed = plain;
    const struct store_quarantine quarantines[] = { { 300, 1000 }, { 300, 2000 }, { 400, 3000 } };
    const struct store_descriptor descriptors[] = { { IPSEC_CONTAINER_ENGINE, "a" },
                                                    { IPSEC_CONTAINER_ENGINE, "b" } };
    AUTO(buffer) before = BUFFER(SIZE_MAX / 4);
    AUTO(buffer) after = BUFFER(SIZE_MAX / 4);

    assert_non_null(keyed.inbound);
    assert_non_null(keyed.labels);
    plain.inbound = NULL;
    plain.outbound = NULL;
    plain.labels = NULL;
    COMMIT(fixture, store_record_put_context(&keyed));
    render(fixture, &before);
    COMMIT(fixture, (struct store_change){ .kind = STORE_SET_SA_CONTEXT, .sa_context = &plain });
    render(fixture, &after);
    assert_null(strstr(buffer_text(&after), " inbound flags"));
    assert_null(strstr(buffer_text(&after), " label "));
    COMMIT(fixture, (struct store_change){ .kind = STORE_SET_SA_CONTEXT, .sa_context = &keyed });
    COMMIT(fixture, (struct store_change){ .kind = STORE_SET_SA_CONTEXT, .sa_context = &keyed });
    reopen(fixture);
    render(fixture, &after);
    before.size = (size_t)(strstr(buffer_text(&before), "marks") - before.data);
    assert_non_null(strstr(buffer_text(&after), buffer_text(&before)));
    assert_non_null(strstr(buffer_text(&after), " inbound flags"));
    COMMIT(fixture, store_record_delete(STORE_DELETE_SA_CONTEXT, 61));
    COMMIT(fixture, store_record_put_context(&plain));
    reopen(fixture);
    render(fixture, &after);
    assert_null(strstr(buffer_text(&after), " inbound flags"));

    COMMIT(fixture,
           (struct store_change){ .kind = STORE_PUT_QUARANTINE, .quarantine = &quarantines[0] },
           (struct store_change){ .kind = STORE_PUT_QUARANTINE, .quarantine = &quarantines[1] },
           (struct store_change){ .kind = STORE_PUT_QUARANTINE, .quarantine = &quarantines[2] },
           (struct store_change){ .kind = STORE_DELETE_QUARANTINE, .id = 400 },
           (struct store_change){ .kind = STORE_PUT_DESCRIPTOR, .descriptor = &descriptors[0] },
           (struct store_change){ .kind = STORE_PUT_DESCRIPTOR, .descriptor = &descriptors[1] });
    reopen(fixture);
    render(fixture, &after);
    assert_non_null(strstr(buffer_text(&after), "quarantine 300 until 2000\n"));
    assert_null(strstr(buffer_text(&after), "quarantine 400"));
    assert_non_null(strstr(buffer_text(&after), "descriptor 0 b\n"));
    assert_null(strstr(buffer_text(&after), "descriptor 0 a\n"));
    COMMIT(fixture, store_record_delete(STORE_DELETE_DESCRIPTOR, IPSEC_CONTAINER_ENGINE + 1));
    reopen(fixture);
    render(fixture, &after);
    assert_null(strstr(buffer_text(&after), "descriptor 0"));
}

static void
a_load_goes_by_kind_and_then_by_number(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_sa_context contexts[] = { store_record_context(30), store_record_context(9),
                                           store_record_context(20) };
    struct ipsec_filter filters[] = { store_record_filter(15), store_record_filter(2) };

    COMMIT(fixture, store_record_put_replay(5, "five"), store_record_put_replay(3, "three"),
           store_record_put_context(&contexts[0]), store_record_put_filter(&filters[0]));
    COMMIT(fixture, store_record_put_context(&contexts[1]), store_record_put_principal(2, "cn:b"),
           store_record_put_filter(&filters[1]), store_record_put_context(&contexts[2]),
           store_record_put_principal(1, "cn:a"));
    reopen(fixture);
    assert_numbers(fixture, "principal", " 1 2");
    assert_numbers(fixture, "filter", " 2 15");
    assert_numbers(fixture, "context", " 9 20 30");
    assert_numbers(fixture, "replay", " 3 5");

    AUTO(buffer) text = BUFFER(SIZE_MAX / 4);
    render(fixture, &text);
    const char *all = buffer_text(&text);
    assert_true(strstr(all, "principal 2") < strstr(all, "filter 2"));
    assert_true(strstr(all, "filter 15") < strstr(all, "context 9"));
    assert_true(strstr(all, "context 30") < strstr(all, "replay 3"));
    assert_null(strstr(all, "with its answer"));
}

static void
a_context_that_is_there_is_not_replaced(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_sa_context old = store_record_context(7);
    struct ipsec_sa_context new = store_record_context(10);
    AUTO(buffer) text = BUFFER(SIZE_MAX / 4);

    new.id = 7;
    const struct store_change second = store_record_put_context(&new);
    COMMIT(fixture, store_record_put_context(&old));
    assert_int_equal(try_commit(fixture, &second, 1), IPSEC_RPC_INVALID_DATA);
    reopen(fixture);
    assert_numbers(fixture, "context", " 7");
    render(fixture, &text);
    assert_null(strstr(buffer_text(&text), "context 7 filter 0 policy 12 "));
}

static void
changes_of_a_batch_take_effect_in_their_order(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_sa_context contexts[] = { store_record_context(1), store_record_context(2) };
    struct ipsec_filter filter = store_record_filter(5);

    COMMIT(fixture, store_record_put_context(&contexts[0]),
           store_record_delete(STORE_DELETE_SA_CONTEXT, 1), store_record_put_context(&contexts[1]),
           store_record_delete(STORE_DELETE_SA_CONTEXT, 2), store_record_put_context(&contexts[1]),
           store_record_put_filter(&filter), store_record_delete(STORE_DELETE_FILTER, 5),
           store_record_put_filter(&filter), store_record_put_replay(1, "a"),
           store_record_put_replay(2, "b"), store_record_delete(STORE_DELETE_REPLAYS_BELOW, 2),
           store_record_put_replay(3, "c"), store_record_put_replay(4, "d"),
           store_record_delete(STORE_DELETE_REPLAY, 3));
    reopen(fixture);
    assert_numbers(fixture, "context", " 2");
    assert_numbers(fixture, "filter", " 5");
    assert_numbers(fixture, "replay", " 2 4");
}

static void
deleting_what_is_not_there_is_harmless(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_sa_context context = store_record_context(7);

    COMMIT(fixture, store_record_put_context(&context));
    COMMIT(fixture, store_record_delete(STORE_DELETE_SA_CONTEXT, 8),
           store_record_delete(STORE_DELETE_SA_CONTEXT, IPSEC_LUID_MAX),
           store_record_delete(STORE_DELETE_FILTER, 7), store_record_delete(STORE_DELETE_REPLAY, 7),
           store_record_delete(STORE_DELETE_REPLAYS_BELOW, IPSEC_LUID_MAX));
    reopen(fixture);
    assert_numbers(fixture, "context", " 7");
}

static void
a_deleted_filter_takes_its_conditions_with_it(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_filter filters[] = { store_record_filter(4), store_record_filter(5),
                                      store_record_filter(10) };

    COMMIT(fixture, store_record_put_filter(&filters[0]), store_record_put_filter(&filters[1]),
           store_record_put_filter(&filters[2]));
    COMMIT(fixture, store_record_delete(STORE_DELETE_FILTER, 5));
    reopen(fixture);
    assert_numbers(fixture, "filter", " 4 10");
    /* With the same number and fewer conditions than before. */
    filters[1].condition_count = 1;
    COMMIT(fixture, store_record_put_filter(&filters[1]));
    reopen(fixture);
    assert_numbers(fixture, "filter", " 4 5 10");
}

static void
a_commit_with_one_bad_change_leaves_no_trace(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_sa_context contexts[] = { store_record_context(1), store_record_context(2) };
    struct ipsec_sa_context altered = store_record_context(11);
    struct ipsec_sa_context another = store_record_context(12);
    struct ipsec_filter filters[] = { store_record_filter(5), store_record_filter(6) };
    AUTO(buffer) before = BUFFER(SIZE_MAX / 4);
    AUTO(buffer) after = BUFFER(SIZE_MAX / 4);

    altered.id = 1;
    COMMIT(fixture, store_record_put_context(&contexts[0]), store_record_put_filter(&filters[0]),
           store_record_put_replay(1, "a"), store_record_put_replay(2, "b"),
           store_record_put_principal(1, "cn:a"));
    render(fixture, &before);

    const struct store_change bad[] = { store_record_put_principal(1, "cn:again"),
                                        store_record_put_filter(&filters[0]),
                                        store_record_put_context(&altered),
                                        store_record_put_replay(2, "again") };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct store_change changes[] = {
            store_record_put_principal(2, "cn:b"),
            store_record_put_context(&another),
            store_record_delete(STORE_DELETE_FILTER, 6),
            store_record_put_filter(&filters[1]),
            store_record_delete(STORE_DELETE_SA_CONTEXT, 12),
            store_record_put_context(&contexts[1]),
            store_record_delete(STORE_DELETE_REPLAYS_BELOW, 2),
            store_record_put_replay(3, "c"),
            bad[i],
        };
        assert_int_equal(try_commit(fixture, changes, sizeof changes / sizeof *changes),
                         IPSEC_RPC_INVALID_DATA);
        render(fixture, &after);
        assert_string_equal(buffer_text(&after), buffer_text(&before));
    }
    reopen(fixture);
    render(fixture, &after);
    assert_string_equal(buffer_text(&after), buffer_text(&before));

    /* And the store goes on. */
    COMMIT(fixture, store_record_put_context(&contexts[1]), store_record_put_replay(3, "c"));
    reopen(fixture);
    assert_numbers(fixture, "context", " 1 2");
    assert_numbers(fixture, "replay", " 1 2 3");
}

static void
marks_are_those_of_the_last_commit(void **state)
{
    struct fixture *fixture = *state;

    for (uint64_t i = 1; i <= 3; i++) {
        AUTO(buffer) text = BUFFER(1000);
        char expected[128];
        commit(fixture, NULL, 0);
        if (i == 2)
            reopen(fixture);
        render(fixture, &text);
        (void)snprintf(expected, sizeof expected, "marks %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                       i * 100000, i, i * 1000);
        assert_string_equal(buffer_text(&text), expected);
    }
}

static void
a_probe_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_sa_context context = store_record_context(7);
    struct ipsec_fault fault = { 0 };
    AUTO(buffer) before = BUFFER(SIZE_MAX / 4);
    AUTO(buffer) after = BUFFER(SIZE_MAX / 4);

    COMMIT(fixture, store_record_put_context(&context));
    render(fixture, &before);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fixture->ops->probe(fixture->store, &fault), IPSEC_OK);
    reopen(fixture);
    render(fixture, &after);
    assert_string_equal(buffer_text(&after), buffer_text(&before));
}

static void
answers_are_read_by_their_number(void **state)
{
    struct fixture *fixture = *state;
    char *large = malloc(70000);
    struct ipsec_fault fault = { 0 };
    void *answer = NULL;
    size_t size = 0;

    memset(large, 'x', 69999);
    large[69999] = '\0';
    struct store_change with_zero = store_record_put_replay(2, "");
    struct store_replay replay_with_zero = *with_zero.replay;
    replay_with_zero.answer = "a\0b";
    replay_with_zero.answer_size = 3;
    with_zero.replay = &replay_with_zero;
    COMMIT(fixture, store_record_put_replay(1, ""), with_zero, store_record_put_replay(3, large));
    reopen(fixture);

    assert_int_equal(fixture->ops->read_replay(fixture->store, 1, &fault, &answer, &size),
                     IPSEC_OK);
    assert_int_equal(size, 0);
    free(answer);
    assert_int_equal(fixture->ops->read_replay(fixture->store, 2, &fault, &answer, &size),
                     IPSEC_OK);
    assert_int_equal(size, 3);
    assert_memory_equal(answer, "a\0b", 3);
    free(answer);
    assert_int_equal(fixture->ops->read_replay(fixture->store, 3, &fault, &answer, &size),
                     IPSEC_OK);
    assert_int_equal(size, 69999);
    assert_memory_equal(answer, large, 69999);
    free(answer);
    free(large);

    static const uint64_t absent[] = { 0, 4, IPSEC_LUID_MAX };
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        assert_int_equal(
            fixture->ops->read_replay(fixture->store, absent[i], &fault, &answer, &size),
            IPSEC_NOT_FOUND);
}

static void
old_answers_go_below_a_number(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_fault fault = { 0 };
    void *answer = NULL;
    size_t size = 0;

    for (uint64_t i = 1; i <= 6; i++)
        COMMIT(fixture, store_record_put_replay(i, "answer"));
    COMMIT(fixture, store_record_delete(STORE_DELETE_REPLAYS_BELOW, 1));
    assert_numbers(fixture, "replay", " 1 2 3 4 5 6");
    COMMIT(fixture, store_record_delete(STORE_DELETE_REPLAYS_BELOW, 4));
    assert_numbers(fixture, "replay", " 4 5 6");
    assert_int_equal(fixture->ops->read_replay(fixture->store, 3, &fault, &answer, &size),
                     IPSEC_NOT_FOUND);
    COMMIT(fixture, store_record_delete(STORE_DELETE_REPLAYS_BELOW, 100));
    reopen(fixture);
    assert_numbers(fixture, "replay", "");
}

static enum ipsec_status
count_until(void *context, const struct ipsec_sa_context *sa_context)
{
    (void)context;
    return sa_context->id == 2 ? IPSEC_TIMEOUT : IPSEC_OK;
}
static enum ipsec_status
accept_principal(void *context, const struct store_principal *principal)
{
    (void)context;
    (void)principal;
    return IPSEC_OK;
}
static enum ipsec_status
accept_filter(void *context, const struct ipsec_filter *filter)
{
    (void)context;
    (void)filter;
    return IPSEC_OK;
}
static enum ipsec_status
refuse_replay(void *context, const struct store_replay *replay)
{
    (void)context;
    (void)replay;
    fail_msg("the load went on");
    return IPSEC_OK;
}

static void
a_load_ends_with_the_status_of_the_loader(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_sa_context contexts[] = { store_record_context(1), store_record_context(2),
                                           store_record_context(3) };
    const struct store_loader loader = { .principal = accept_principal,
                                         .filter = accept_filter,
                                         .sa_context = count_until,
                                         .replay = refuse_replay };
    struct store_marks marks;
    struct ipsec_fault fault = { 0 };

    COMMIT(fixture, store_record_put_context(&contexts[0]), store_record_put_context(&contexts[1]),
           store_record_put_context(&contexts[2]), store_record_put_replay(1, "a"));
    assert_int_equal(fixture->ops->load(fixture->store, &loader, &marks, &fault), IPSEC_TIMEOUT);
    COMMIT(fixture, store_record_delete(STORE_DELETE_SA_CONTEXT, 1));
    assert_numbers(fixture, "context", " 2 3");
}

static void
large_batches_go_in_and_out(void **state)
{
    enum { COUNT = 20000 };
    struct fixture *fixture = *state;
    struct ipsec_sa_context *contexts = calloc(COUNT, sizeof *contexts);
    struct store_change *changes = calloc(COUNT, sizeof *changes);
    size_t count = 0;
    AUTO(buffer) expected = BUFFER(SIZE_MAX / 4);

    for (uint64_t i = 0; i < COUNT; i++) {
        contexts[i] = store_record_context(i + 1);
        changes[i] = store_record_put_context(&contexts[i]);
    }
    commit(fixture, changes, COUNT);
    reopen(fixture);
    for (uint64_t i = 0; i < COUNT; i++) {
        if (i % 3 == 0)
            buffer_append_format(&expected, " %" PRIu64, i + 1);
        else
            changes[count++] = store_record_delete(STORE_DELETE_SA_CONTEXT, i + 1);
    }
    commit(fixture, changes, count);
    assert_numbers(fixture, "context", buffer_text(&expected));
    reopen(fixture);
    assert_numbers(fixture, "context", buffer_text(&expected));
    free(contexts);
    free(changes);
}

static void
many_small_commits_add_up(void **state)
{
    enum { COUNT = 300 };
    struct fixture *fixture = *state;
    AUTO(buffer) expected = BUFFER(100000);

    for (uint64_t i = 1; i <= COUNT; i++) {
        struct ipsec_sa_context context = store_record_context(i);
        COMMIT(fixture, store_record_put_context(&context), store_record_put_replay(i, "answer"));
        buffer_append_format(&expected, " %" PRIu64, i);
        if (i % 100 == 0)
            reopen(fixture);
    }
    assert_numbers(fixture, "context", buffer_text(&expected));
    assert_numbers(fixture, "replay", buffer_text(&expected));
}

/* Sanitizers count no memory: this fails in other builds. */
static void
what_was_deleted_takes_no_room(void **state)
{
    enum { ROUNDS = 120, COUNT = 500 };
    struct fixture *fixture = *state;
    struct ipsec_session_record sessions[COUNT] = { { .number = 0 } };
    struct store_quarantine quarantines[COUNT];
    struct store_change puts[2 * COUNT];
    struct store_change deletes[2 * COUNT];
    size_t warm = 0;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < COUNT; i++) {
            uint32_t number = 1000 + round * COUNT + i;

            sessions[i].number = number;
            sessions[i].key.bytes[0] = 1;
            quarantines[i] = (struct store_quarantine){ .spi = number, .until_ms = 1 };
            puts[i] = (struct store_change){ .kind = STORE_PUT_SESSION, .session = &sessions[i] };
            puts[COUNT + i] = (struct store_change){ .kind = STORE_PUT_QUARANTINE,
                                                     .quarantine = &quarantines[i] };
            deletes[i] = store_record_delete(STORE_DELETE_SESSION, number);
            deletes[COUNT + i] = store_record_delete(STORE_DELETE_QUARANTINE, number);
        }
        commit(fixture, puts, (size_t)2 * COUNT);
        commit(fixture, deletes, (size_t)2 * COUNT);
        const struct mallinfo2 now = mallinfo2();
        if (round == 3)
            warm = now.uordblks + now.hblkhd;
        if (round == ROUNDS - 1)
            assert_true(now.uordblks + now.hblkhd <= warm + 65536);
    }
}

static int
set_up(void **state, const struct store_ops *ops)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    fixture->ops = ops;
    fixture->durable = ops != &store_memory;
    fixture->directory = store_text_make_directory();
    fixture->path = ops == &store_memory ? strdup("") : store_text_join(fixture->directory, "db");
    open_store(fixture);
    *state = fixture;
    return 0;
}

static int
set_up_memory(void **state)
{
    return set_up(state, &store_memory);
}

static int
set_up_sqlite(void **state)
{
    return set_up(state, &store_sqlite);
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    fixture->ops->close(fixture->store);
    store_text_remove_directory(fixture->directory);
    free(fixture->path);
    free(fixture);
    return 0;
}

#define BODY(set_up_backend)                                                                       \
    cmocka_unit_test_setup_teardown(a_new_store_is_empty, set_up_backend, tear_down),              \
        cmocka_unit_test_setup_teardown(every_member_of_every_record_comes_back, set_up_backend,   \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(parts_follow_their_context, set_up_backend, tear_down),    \
        cmocka_unit_test_setup_teardown(a_load_goes_by_kind_and_then_by_number, set_up_backend,    \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(a_context_that_is_there_is_not_replaced, set_up_backend,   \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(changes_of_a_batch_take_effect_in_their_order,             \
                                        set_up_backend, tear_down),                                \
        cmocka_unit_test_setup_teardown(deleting_what_is_not_there_is_harmless, set_up_backend,    \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(a_deleted_filter_takes_its_conditions_with_it,             \
                                        set_up_backend, tear_down),                                \
        cmocka_unit_test_setup_teardown(a_commit_with_one_bad_change_leaves_no_trace,              \
                                        set_up_backend, tear_down),                                \
        cmocka_unit_test_setup_teardown(marks_are_those_of_the_last_commit, set_up_backend,        \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(a_probe_changes_nothing, set_up_backend, tear_down),       \
        cmocka_unit_test_setup_teardown(answers_are_read_by_their_number, set_up_backend,          \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(old_answers_go_below_a_number, set_up_backend, tear_down), \
        cmocka_unit_test_setup_teardown(a_load_ends_with_the_status_of_the_loader, set_up_backend, \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(large_batches_go_in_and_out, set_up_backend, tear_down),   \
        cmocka_unit_test_setup_teardown(many_small_commits_add_up, set_up_backend, tear_down)

int
main(void)
{
    const struct CMUnitTest memory_tests[] = {
        BODY(set_up_memory),
        cmocka_unit_test_setup_teardown(what_was_deleted_takes_no_room, set_up_memory, tear_down),
    };
    const struct CMUnitTest sqlite_tests[] = { BODY(set_up_sqlite) };

    return cmocka_run_group_tests_name("memory", memory_tests, NULL, NULL) +
           cmocka_run_group_tests_name("sqlite", sqlite_tests, NULL, NULL);
}
