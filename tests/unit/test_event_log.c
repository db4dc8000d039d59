/* SPDX-License-Identifier: Apache-2.0
 *
 * test_event_log.c: the ring of kept events: what may be read, what is gone, and where a watcher of
 * an earlier run may go on. */
#include "engine/event_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "engine/engine.h"
#include "engine/sa_labels.h"

#define BASE UINT64_C(7)
#define START UINT64_C(1000)

enum { THREADS = 4, EVENTS = 200000 };

static struct ipsec_event
event_of(uint64_t sequence)
{
    struct ipsec_event event = {
        .sequence = sequence,
        .id = sequence * 3,
        .at_ms = -(int64_t)sequence,
        .type = IPSEC_CHANGE_UPDATE,
        .state = IPSEC_SA_CONTEXT_EXPIRED,
        .reason = IPSEC_REASON_PLANE,
        .ip_version = IPSEC_IP_VERSION_V6,
        .traffic_type = IPSEC_TRAFFIC_TYPE_TUNNEL,
        .spi = (uint32_t)(UINT32_MAX - sequence),
        .predecessor_id = IPSEC_LUID_MAX - sequence,
    };

    memset(event.local_address.bytes, (int)(sequence & 0xff), sizeof event.local_address.bytes);
    memset(event.remote_address.bytes, (int)(sequence >> 8 & 0xff),
           sizeof event.remote_address.bytes);
    return event;
}

/* Every third has labels: its number. */
static const struct ipsec_labels *
new_labels(uint64_t sequence)
{
    char name[] = "number";
    char value[24];
    const struct ipsec_labels *labels;

    if (sequence / 2 % 3 != 0)
        return NULL;
    (void)snprintf(value, sizeof value, "%llu", (unsigned long long)sequence);
    assert_true(sa_labels_new(
        &(struct ipsec_labels){ .count = 1, .pairs = { { .name = name, .value = value } } },
        &labels));
    return labels;
}

/* Gives the event's reference up. */
static bool
has_labels(struct ipsec_event *event)
{
    const struct ipsec_labels *expected = new_labels(event->sequence);
    bool is_right = (event->labels != NULL) == (expected != NULL) &&
                    (expected == NULL || sa_labels_match(event->labels, expected));

    sa_labels_unref(expected);
    ipsec_event_unref(event);
    return is_right;
}

static bool
is_event(struct ipsec_event *event, uint64_t sequence)
{
    const struct ipsec_event expected = event_of(sequence);

    return has_labels(event) && event->sequence == expected.sequence && event->id == expected.id &&
           event->at_ms == expected.at_ms && event->type == expected.type &&
           event->state == expected.state && event->reason == expected.reason &&
           event->ip_version == expected.ip_version &&
           event->traffic_type == expected.traffic_type && event->spi == expected.spi &&
           event->predecessor_id == expected.predecessor_id &&
           memcmp(&event->local_address, &expected.local_address, sizeof event->local_address) ==
               0 &&
           memcmp(&event->remote_address, &expected.remote_address, sizeof event->remote_address) ==
               0;
}

static void
drop(struct ipsec_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ipsec_event_unref(&events[i]);
}

static void
begin(struct event_log *log, uint32_t kept)
{
    assert_true(event_log_init(log, kept));
    event_log_start(log, BASE, START);
}

/* Publishes the even numbers from 'first' on. */
static void
publish(struct event_log *log, uint64_t first, size_t count)
{
    struct ipsec_event *events = calloc(count, sizeof *events);

    assert_non_null(events);
    for (size_t i = 0; i < count; i++)
        events[i] = event_of(first + 2 * i);
    for (size_t i = 0; i < count; i++)
        events[i].labels = new_labels(events[i].sequence);
    event_log_publish(log, events, count, first + 2 * (count - 1));
    for (size_t i = 0; i < count; i++)
        ipsec_event_unref(&events[i]); /* the log has its own */
    free(events);
}

static void
events_come_back_as_they_were(void **state)
{
    (void)state;
    struct event_log log;
    struct ipsec_event events[8];
    size_t count;

    begin(&log, 16);
    publish(&log, 1002, 5);
    assert_true(event_log_read(&log, 0, events, 8, &count));
    assert_int_equal(count, 5);
    for (size_t i = 0; i < count; i++)
        assert_true(is_event(&events[i], 1002 + 2 * i));
    assert_true(event_log_read(&log, 3, events, 1, &count));
    assert_int_equal(count, 1);
    assert_true(is_event(&events[0], 1008));
    assert_true(event_log_read(&log, 5, events, 8, &count));
    assert_int_equal(count, 0);
    event_log_clear(&log);
}

static void
what_was_overwritten_is_refused(void **state)
{
    (void)state;
    struct event_log log;
    struct ipsec_event events[32];
    size_t count;

    begin(&log, 16);
    publish(&log, 1002, 16);
    assert_int_equal(log.oldest, BASE);
    assert_true(event_log_read(&log, 0, events, 32, &count));
    assert_int_equal(count, 16);
    drop(events, count);
    publish(&log, 1034, 3);
    assert_int_equal(log.oldest, 1006);
    assert_false(event_log_read(&log, 2, events, 32, &count));
    assert_int_equal(count, 0);
    assert_true(event_log_read(&log, 3, events, 32, &count));
    assert_int_equal(count, 16);
    assert_true(is_event(&events[0], 1008));
    drop(events, count);
    event_log_clear(&log);
}

/* Publishes one event whose labels take the mean of five. */
static void
publish_with_long_labels(struct event_log *log, uint64_t sequence)
{
    static char value[5 * IPSEC_EVENT_LABEL_BYTES];
    char name[] = "long";
    struct ipsec_event event = event_of(sequence);

    memset(value, 'v', sizeof value - 1);
    assert_true(sa_labels_new(
        &(struct ipsec_labels){ .count = 1, .pairs = { { .name = name, .value = value } } },
        &event.labels));
    event_log_publish(log, &event, 1, sequence);
    ipsec_event_unref(&event);
}

static void
long_labels_push_older_events_out(void **state)
{
    (void)state;
    struct event_log log;
    struct ipsec_event events[16];
    size_t count;
    uint64_t position;

    begin(&log, 16);
    publish(&log, 1002, 2);
    for (uint64_t i = 0; i < 2; i++)
        publish_with_long_labels(&log, 1006 + 2 * i);
    assert_int_equal(log.oldest, BASE);
    for (uint64_t i = 2; i < 6; i++)
        publish_with_long_labels(&log, 1006 + 2 * i);
    assert_int_equal(event_log_oldest(&log), 1010);
    assert_false(event_log_find(&log, 1008, 1016, &position));
    assert_true(event_log_find(&log, 1010, 1016, &position));
    assert_int_equal(position, 5);
    assert_false(event_log_read(&log, 4, events, 16, &count));
    assert_true(event_log_read(&log, 5, events, 16, &count));
    assert_int_equal(count, 3);
    assert_int_equal(events[0].sequence, 1012);
    drop(events, count);

    /* With short ones as many as there is room for beside those. */
    publish(&log, 1018, 13);
    assert_int_equal(event_log_oldest(&log), 1012);
    assert_true(event_log_read(&log, 6, events, 16, &count));
    assert_int_equal(count, 15);
    drop(events, count);
    event_log_clear(&log);
}

static void
of_a_batch_above_the_capacity_the_last_are_kept(void **state)
{
    (void)state;
    struct event_log log;
    struct ipsec_event events[32];
    uint64_t position;
    size_t count;

    begin(&log, 16);
    publish(&log, 1002, 3);
    publish(&log, 1010, 40);
    assert_int_equal(log.oldest, 1010 + 2 * 23);
    assert_true(event_log_find(&log, log.oldest, 1088, &position));
    assert_true(event_log_read(&log, position, events, 32, &count));
    assert_int_equal(count, 16);
    assert_true(is_event(&events[0], 1010 + 2 * 24));
    assert_true(is_event(&events[15], 1088));
    drop(events, count);
    event_log_clear(&log);
}

static void
a_watcher_goes_on_behind_its_last_event(void **state)
{
    (void)state;
    static const struct {
        uint64_t since;
        bool found;
        uint64_t position;
    } rows[] = {
        { 0, false, 0 },         /* never given out */
        { BASE - 1, false, 0 },  /* an earlier run, and not its end */
        { BASE, true, 0 },       /* its end */
        { BASE + 1, false, 0 },  /* given out and never committed */
        { START - 1, false, 0 }, /* the same */
        { START, true, 0 },      /* this run's first list */
        { 1002, true, 1 },       /* an event */
        { 1003, true, 1 },       /* a change that was none of a context */
        { 1010, true, 5 },       /* the last event */
        { 1011, true, 5 },       /* a later change */
        { 1012, false, 0 },      /* not yet given out */
        { UINT64_MAX, false, 0 },
    };
    struct event_log log;

    begin(&log, 16);
    publish(&log, 1002, 5);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t position = 0;

        assert_int_equal(event_log_find(&log, rows[i].since, 1011, &position), rows[i].found);
        assert_int_equal(position, rows[i].position);
    }
    assert_int_equal(event_log_oldest(&log), BASE);
    /* Once something was dropped, the earlier run is too far back. */
    uint64_t position;
    publish(&log, 1012, 12);
    assert_false(event_log_find(&log, BASE, 1034, &position));
    assert_false(event_log_find(&log, START, 1034, &position));
    assert_true(event_log_find(&log, 1002, 1034, &position));
    assert_int_equal(position, 1);
    assert_int_equal(event_log_oldest(&log), 1002);
    event_log_clear(&log);
    /* A new store: there was nothing before. */
    assert_true(event_log_init(&log, 16));
    event_log_start(&log, 0, START);
    assert_int_equal(event_log_oldest(&log), START);
    event_log_clear(&log);
}

static void
a_run_begins_above_all_numbers_before(void **state)
{
    (void)state;

    assert_int_equal(event_log_first_sequence(0, 1700000000123), UINT64_C(1700000000123000));
    assert_true(event_log_first_sequence(42, 0) > 42 + 1000000);
    assert_true(event_log_first_sequence(UINT64_C(1) << 52, 1700000000123) > UINT64_C(1) << 52);
    /* A clock that is out of its mind does not use up what JSON can carry. */
    assert_true(event_log_first_sequence(42, INT64_MAX / 2) < IPSEC_LUID_MAX);
    assert_true(event_log_first_sequence(42, -5) > 42);
}

struct shared {
    struct event_log log;
    atomic_bool stop;
};

/* Reads on and on; what it gets is whole and in order, or it is told and begins at the end. */
static void *
follow(void *argument)
{
    struct shared *shared = argument;
    struct ipsec_event events[64];
    uint64_t position = 0;
    uintptr_t failures = 0;
    bool last = false;

    while (!last) {
        size_t count;

        last = atomic_load(&shared->stop);
        if (!event_log_read(&shared->log, position, events, 64, &count)) {
            position = atomic_load(&shared->log.end);
            continue;
        }
        for (size_t i = 0; i < count; i++)
            failures += !is_event(&events[i], START + 2 * (position + i + 1));
        position += count;
        if (count > 0)
            last = false;
    }
    return (void *)failures;
}

static void
readers_see_whole_events_while_the_writer_overtakes_them(void **state)
{
    (void)state;
    struct shared shared = { .stop = false };
    pthread_t threads[THREADS];

    begin(&shared.log, 64);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, follow, &shared), 0);
    for (uint64_t i = 0; i < EVENTS;) {
        size_t count = i % 7 + 1;

        publish(&shared.log, START + 2 * (i + 1), count);
        i += count;
    }
    atomic_store(&shared.stop, true);
    for (size_t i = 0; i < THREADS; i++) {
        void *failures;

        assert_int_equal(pthread_join(threads[i], &failures), 0);
        assert_null(failures);
    }
    event_log_clear(&shared.log);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_back_as_they_were),
        cmocka_unit_test(what_was_overwritten_is_refused),
        cmocka_unit_test(long_labels_push_older_events_out),
        cmocka_unit_test(of_a_batch_above_the_capacity_the_last_are_kept),
        cmocka_unit_test(a_watcher_goes_on_behind_its_last_event),
        cmocka_unit_test(a_run_begins_above_all_numbers_before),
        cmocka_unit_test(readers_see_whole_events_while_the_writer_overtakes_them),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
