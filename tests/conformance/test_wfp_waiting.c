/* SPDX-License-Identifier: Apache-2.0
 *
 * test_wfp_waiting.c: who waits for the lock on policy gets it in the order they came
 * (specification sections 6.2 and 15.9), and who has lost an answer gets it again (15.29). */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/conformance/wfp.h"

/* --- 6.2, 15.9: first come, first served ------------------------------------------------------ */

enum { WAITERS = 5, LONG_WAIT_MS = 600000 };

/* An engine whose callers wait, and calls under way. */
struct queue {
    struct wfp wfp;
    struct ipsec_completion *completion;
    struct ipsec_guid holder; /* the session that has the lock */
    struct ipsec_guid sessions[WAITERS];
    struct wfp_call calls[WAITERS];
    struct ipsec_filter filter;
    size_t waiting;
};

static void
wait_until_waiting(const struct queue *queue)
{
    struct ipsec_engine_figures figures;

    do {
        (void)usleep(1000);
        ipsec_engine_read_figures(queue->wfp.engine, &figures);
    } while (figures.calls_waiting != queue->waiting);
}

/* The lock is held by the session that is entered; nobody waits. */
static void
queue_open(struct queue *queue, bool read_only)
{
    struct ipsec_engine_options options = wfp_options();

    *queue = (struct queue){ .filter = wfp_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4) };
    options.txn_wait_ms = LONG_WAIT_MS;
    wfp_open(&queue->wfp, &options);
    WFP_ASSERT(ipsec_completion_open(&queue->completion), IPSEC_OK);
    queue->holder = wfp_enter(&queue->wfp, WFP_STATIC);
    WFP_ASSERT(wfp_begin(&queue->wfp, read_only), IPSEC_OK);
}

static void
queue_close(struct queue *queue)
{
    wfp_close(&queue->wfp);
    ipsec_completion_close(queue->completion);
}

/* 'w' begins to write, 'r' to read, in a session of its own; 'i' adds a filter in an implicit one.
 */
static void
join(struct queue *queue, size_t number, char kind)
{
    struct wfp_call *call = &queue->calls[number];

    *call = (struct wfp_call){ .operation = kind == 'i' ? WFP_FILTER_ADD : WFP_TRANSACTION_BEGIN,
                               .read_only = kind == 'r',
                               .filter = &queue->filter };
    wfp_leave(&queue->wfp);
    if (kind != 'i')
        queue->sessions[number] = wfp_enter(&queue->wfp, WFP_STATIC);
    wfp_prepare(&queue->wfp, call);
    call->base.completion = queue->completion;
    assert_true(ipsec_engine_reserve(queue->wfp.engine));
    ipsec_engine_submit(queue->wfp.engine, &call->base);
    queue->waiting++;
    wait_until_waiting(queue);
}

/* The next call that came back, which has succeeded. */
static size_t
next_served(struct queue *queue, struct ipsec_call **taken)
{
    struct pollfd descriptor = { .fd = ipsec_completion_fd(queue->completion), .events = POLLIN };

    while (*taken == NULL) {
        (void)poll(&descriptor, 1, -1);
        *taken = ipsec_completion_take(queue->completion);
    }
    struct ipsec_call *call = *taken;
    *taken = call->next;
    WFP_ASSERT(call->status, IPSEC_OK);
    queue->waiting--;
    return (size_t)((struct wfp_call *)(void *)call - queue->calls);
}

static void
end_transaction(struct queue *queue, const struct ipsec_guid *session)
{
    queue->wfp.in_session = true;
    queue->wfp.session = *session;
    WFP_ASSERT(wfp_abort(&queue->wfp), IPSEC_OK);
}

/* Who comes, and who is served at once when those before have ended, in groups. */
static const struct order {
    const char *what;
    bool holder_reads;
    const char *comers;
    const char *groups[WAITERS + 1]; /* numbers of comers; in each, any order */
} orders[] = {
    { "writers behind a writer: one by one, in order",
      false,
      "wwwww",
      { "0", "1", "2", "3", "4" } },
    { "readers behind a writer: all at once", false, "rrrrr", { "01234" } },
    { "a reader does not overtake a writer who waits, or writers would starve",
      true,
      "wrrwr",
      { "0", "12", "3", "4" } },
    { "a change without a transaction has its place, too", false, "wiwir", { "0", "12", "34" } },
};

static void
run_order(void **state)
{
    const struct order *order = *state;
    struct ipsec_call *taken = NULL;
    struct queue queue;

    queue_open(&queue, order->holder_reads);
    for (size_t i = 0; order->comers[i] != '\0'; i++)
        join(&queue, i, order->comers[i]);
    end_transaction(&queue, &queue.holder);
    for (size_t i = 0; order->groups[i] != NULL; i++) {
        const char *group = order->groups[i];

        for (size_t left = strlen(group); left > 0; left--)
            assert_non_null(strchr(group, (int)('0' + next_served(&queue, &taken))));
        /* Nobody else: they wait, also after the engine has run once more. */
        wfp_leave(&queue.wfp);
        WFP_ASSERT(wfp_call(&queue.wfp, WFP_FILTER_ENUM, 0), IPSEC_OK);
        assert_null(taken);
        assert_null(ipsec_completion_take(queue.completion));
        wait_until_waiting(&queue);
        for (const char *next = group; *next != '\0'; next++) {
            if (order->comers[*next - '0'] != 'i')
                end_transaction(&queue, &queue.sessions[*next - '0']);
        }
    }
    assert_int_equal(queue.waiting, 0);
    queue_close(&queue);
}

/* Whoever gives up is passed over. */
static void
who_gives_up_holds_up_nobody(void **state)
{
    struct ipsec_call *taken = NULL;
    struct queue queue;

    (void)state;
    queue_open(&queue, false);
    join(&queue, 0, 'w');
    join(&queue, 1, 'w');
    struct wfp_call close = { .operation = WFP_ENGINE_CLOSE, .key = queue.sessions[0] };
    wfp_leave(&queue.wfp);
    WFP_ASSERT(wfp_run(&queue.wfp, &close), IPSEC_OK);
    struct pollfd descriptor = { .fd = ipsec_completion_fd(queue.completion), .events = POLLIN };
    (void)poll(&descriptor, 1, -1);
    struct ipsec_call *ended = ipsec_completion_take(queue.completion);
    assert_ptr_equal(ended, &queue.calls[0].base);
    assert_null(ended->next);
    WFP_ASSERT(ended->status, IPSEC_INVALID_HANDLE);
    queue.waiting--;
    wait_until_waiting(&queue);
    end_transaction(&queue, &queue.holder);
    assert_int_equal(next_served(&queue, &taken), 1);
    queue_close(&queue);
}

/* --- 15.29: the first answer again ------------------------------------------------------------ */

static bool
encode_id(struct ipsec_call *base, struct buffer *answer)
{
    const struct wfp_call *call = (const struct wfp_call *)base;

    buffer_append_format(answer, "%llu", (unsigned long long)call->id_out);
    return !answer->failed;
}

/* Runs 'call' with a key; 'request' stands for all that it is asked.  '*answer' is what the caller
 * gets, "" for a failure; a repeat has a '+' before it. */
static enum ipsec_status
run_with_key(struct wfp *wfp, struct wfp_call call, char key, char request, char answer[64])
{
    struct ipsec_replay *replay = &call.base.replay;

    replay->wanted = true;
    replay->key_digest[0] = (uint8_t)key;
    replay->request_digest[0] = (uint8_t)request;
    buffer_init(&replay->answer, 64);
    call.base.encode = encode_id;
    enum ipsec_status status = wfp_run(wfp, &call);
    (void)snprintf(answer, 64, "%s%.*s", replay->replayed ? "+" : "", (int)replay->answer.size,
                   replay->answer.size == 0 ? "" : replay->answer.data);
    buffer_clear(&replay->answer);
    wfp_clear(&call);
    return status;
}

static size_t
count_contexts(struct wfp *wfp)
{
    struct wfp_call call = { .operation = WFP_ENUM };

    WFP_ASSERT(wfp_run(wfp, &call), IPSEC_OK);
    return call.count;
}

static void
a_repeat_gets_the_first_answer(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_traffic traffic = wfp_traffic(wfp);
    const struct wfp_call create = { .operation = WFP_CREATE, .traffic = &traffic };
    size_t count = count_contexts(wfp);
    char first[64], again[64];

    WFP_ASSERT(run_with_key(wfp, create, 'k', 'r', first), IPSEC_OK);
    WFP_ASSERT(run_with_key(wfp, create, 'k', 'r', again), IPSEC_OK);
    assert_int_equal(again[0], '+');
    assert_string_equal(again + 1, first);
    assert_int_equal(count_contexts(wfp), count + 1);
    WFP_ASSERT(run_with_key(wfp, create, 'k', 's', again), IPSEC_HTTP_KEY_REUSED);
    WFP_ASSERT(run_with_key(wfp, create, 'l', 'r', again), IPSEC_OK);
    assert_string_not_equal(again, first);
    assert_int_equal(count_contexts(wfp), count + 2);
}

static void
only_successes_are_remembered(void **state)
{
    struct wfp *wfp = *state;
    const struct wfp_call gone = { .operation = WFP_EXPIRE, .id = 999999 };
    const struct wfp_call expire = { .operation = WFP_EXPIRE, .id = wfp->contexts[0] };
    char answer[64];

    WFP_ASSERT(run_with_key(wfp, gone, 'k', 'r', answer), IPSEC_NOT_FOUND);
    WFP_ASSERT(run_with_key(wfp, expire, 'k', 'r', answer), IPSEC_OK);
    assert_string_equal(answer, "0");
    WFP_ASSERT(run_with_key(wfp, expire, 'k', 'r', answer), IPSEC_OK);
    assert_string_equal(answer, "+0");
    WFP_ASSERT(wfp_call(wfp, WFP_EXPIRE, expire.id), IPSEC_NOT_FOUND);
}

static void
a_repeat_needs_the_right_all_the_same(void **state)
{
    struct wfp *wfp = *state;
    struct wfp_call expire = { .operation = WFP_EXPIRE,
                               .id = wfp->contexts[0],
                               .base = { .container = IPSEC_CONTAINER_SA_DATABASE,
                                         .right = RIGHT_DELETE } };
    char answer[64];

    WFP_ASSERT(run_with_key(wfp, expire, 'k', 'r', answer), IPSEC_OK);
    wfp->rights.granted[IPSEC_CONTAINER_SA_DATABASE] = FWPM_ACTRL_ADD;
    WFP_ASSERT(run_with_key(wfp, expire, 'k', 'r', answer), IPSEC_ACCESS_DENIED);
    assert_string_equal(answer, "");
}

static void
a_dry_run_is_no_first_answer(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_traffic traffic = wfp_traffic(wfp);
    struct wfp_call create = { .operation = WFP_CREATE, .traffic = &traffic };
    struct wfp_call dry = create;
    size_t count = count_contexts(wfp);
    char answer[64];

    dry.base.dry_run = true;
    WFP_ASSERT(run_with_key(wfp, dry, 'k', 'r', answer), IPSEC_OK);
    assert_int_equal(count_contexts(wfp), count);
    WFP_ASSERT(run_with_key(wfp, create, 'k', 'r', answer), IPSEC_OK);
    assert_int_not_equal(answer[0], '+');
    WFP_ASSERT(run_with_key(wfp, dry, 'k', 'r', answer), IPSEC_OK);
    assert_int_not_equal(answer[0], '+');
}

/* What they ask of the session's transaction their own success has changed. */
static void
begin_and_commit_are_repeated(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_filter filter = wfp_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V6);
    const struct wfp_call begin = { .operation = WFP_TRANSACTION_BEGIN,
                                    .base = { .rule = IPSEC_RULE_NO_TRANSACTION } };
    const struct wfp_call add = { .operation = WFP_FILTER_ADD,
                                  .filter = &filter,
                                  .base = { .rule = IPSEC_RULE_POLICY_WRITE } };
    const struct wfp_call commit = { .operation = WFP_TRANSACTION_COMMIT,
                                     .base = { .rule = IPSEC_RULE_TRANSACTION } };
    char answer[64];

    (void)wfp_enter(wfp, WFP_STATIC);
    WFP_ASSERT(run_with_key(wfp, commit, 'c', 'r', answer), IPSEC_NO_TXN_IN_PROGRESS);
    WFP_ASSERT(run_with_key(wfp, begin, 'b', 'r', answer), IPSEC_OK);
    WFP_ASSERT(run_with_key(wfp, begin, 'b', 'r', answer), IPSEC_OK);
    assert_string_equal(answer, "+0");
    WFP_ASSERT(run_with_key(wfp, begin, 'B', 'r', answer), IPSEC_TXN_IN_PROGRESS);
    WFP_ASSERT(run_with_key(wfp, add, 'a', 'r', answer), IPSEC_INVALID_PARAMETER);
    uint64_t id = wfp_add_filter(wfp, &filter);
    WFP_ASSERT(run_with_key(wfp, commit, 'c', 'r', answer), IPSEC_OK);
    assert_string_equal(answer, "0");
    WFP_ASSERT(run_with_key(wfp, commit, 'c', 'r', answer), IPSEC_OK);
    assert_string_equal(answer, "+0");
    WFP_ASSERT(run_with_key(wfp, commit, 'C', 'r', answer), IPSEC_NO_TXN_IN_PROGRESS);
    wfp_leave(wfp);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_GET, id), IPSEC_OK);
}

int
main(void)
{
    struct wfp_suite suite = { .count = 0 };

    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        wfp_case(&suite, run_order, &orders[i], "the lock, %s", orders[i].what);
    wfp_case(&suite, who_gives_up_holds_up_nobody, NULL,
             "the lock, a session that is closed while it waits: passed over");
    wfp_sentence(&suite, a_repeat_gets_the_first_answer,
                 "15.29: a repeat gets the first answer; another request with its key: 422");
    wfp_sentence(&suite, only_successes_are_remembered,
                 "15.29: a failure is not remembered, its repeat runs");
    wfp_sentence(&suite, a_repeat_needs_the_right_all_the_same,
                 "15.29: a repeat without the right: ERROR_ACCESS_DENIED");
    wfp_sentence(&suite, a_dry_run_is_no_first_answer,
                 "15.29: a dry run is not remembered, and is told what holds now");
    wfp_sentence(&suite, begin_and_commit_are_repeated,
                 "15.29: FwpmTransactionBegin0 and Commit0 are repeated; what is between: "
                 "FWP_E_INVALID_PARAMETER");
    return wfp_run_suite(&suite, "WFP waiting and repeating");
}
