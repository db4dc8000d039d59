/* SPDX-License-Identifier: Apache-2.0
 *
 * test_call.c: one call on the engine's state, without a thread. */
#include "engine/call.h"

#include "engine/base/attributes.h"
#include "tests/unit/engine_fixture.h"

#define HOUR_MS (INT64_C(60) * 60 * 1000)

static enum ipsec_status
commit(struct ipsec_call *call, struct ipsec_session *session)
{
    (void)call;
    return ipsec_transaction_commit(session);
}

static bool
encode(struct ipsec_call *call, struct buffer *answer)
{
    (void)call;
    buffer_append_text(answer, "committed");
    return true;
}

/* A commit with an Idempotency-Key, in the fixture's session with 'key'.  The batch borrows the
 * answer. */
static enum ipsec_status
run_commit(struct fixture *fixture, const struct ipsec_guid *key, struct ipsec_call *call)
{
    const struct call_runner runner = { .state = &fixture->state };

    *call = (struct ipsec_call){
        .caller = fixture->caller,
        .has_session = true,
        .session_key = *key,
        .rule = IPSEC_RULE_TRANSACTION,
        .run = commit,
        .encode = encode,
        .replay = { .wanted = true },
    };
    buffer_init(&call->replay.answer, 100);
    assert_int_not_equal(call_run(&runner, call), CALL_HAS_TO_WAIT);
    return call->status;
}

static void
a_commit_is_repeated_though_the_wall_clock_was_set(void **test_state)
{
    struct fixture *fixture = *test_state;
    struct ipsec_session session = open_session(fixture, 0);
    const struct ipsec_guid key = session.entry->record.key;
    struct ipsec_call calls[4];

    assert_int_equal(ipsec_transaction_begin(&session, false), IPSEC_OK);
    assert_int_equal(run_commit(fixture, &key, &calls[0]), IPSEC_OK);
    assert_false(calls[0].replay.replayed);
    for (int i = 1; i <= 2; i++) {
        state_begin_batch(&fixture->state, i == 1 ? 30 * HOUR_MS : -30 * HOUR_MS,
                          fixture->state.clock_ms);
        assert_int_equal(run_commit(fixture, &key, &calls[i]), IPSEC_OK);
        assert_true(calls[i].replay.replayed);
    }
    /* Its own time passes all the same. */
    state_begin_batch(&fixture->state, 0, fixture->state.clock_ms + 24 * HOUR_MS);
    assert_int_equal(run_commit(fixture, &key, &calls[3]), IPSEC_NO_TXN_IN_PROGRESS);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        buffer_clear(&calls[i].replay.answer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_commit_is_repeated_though_the_wall_clock_was_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
