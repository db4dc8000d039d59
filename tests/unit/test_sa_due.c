/* SPDX-License-Identifier: Apache-2.0
 *
 * test_sa_due.c: contexts end when their time has come, on a clock that the test moves. */
#include "engine/sa_labels.h"
#include "tests/unit/fake_plane.h"
#include "tests/unit/sa_fixture.h"

#define GONE IPSEC_SA_CONTEXT_STATE_COUNT

/* The reason of the batch's last event. */
static int
last_reason(const struct sa_fixture *sa)
{
    const struct batch *batch = &sa->state->batch;

    assert_true(batch->event_count > 0);
    return batch->events[batch->event_count - 1].reason;
}

/* Runs what is due now, which must be nothing. */
static void
nothing_is_due(const struct sa_fixture *sa)
{
    run_due(sa);
    assert_int_equal(sa->state->batch.change_count, 0);
}

static uint64_t
active_with(const struct sa_fixture *sa,
            struct ipsec_lifetime inbound_life,
            uint32_t inbound_idle,
            struct ipsec_lifetime outbound_life,
            uint32_t outbound_idle)
{
    uint64_t id = context_in(sa, IPSEC_SA_CONTEXT_SPI_SET);
    struct ipsec_sa_bundle_input inbound = gcm_bundle(spi_of(sa, id), 1);
    struct ipsec_sa_bundle_input outbound = gcm_bundle(PEER_SPI, 101);

    inbound.bundle.lifetime = inbound_life;
    inbound.bundle.idle_timeout_seconds = inbound_idle;
    outbound.bundle.lifetime = outbound_life;
    outbound.bundle.idle_timeout_seconds = outbound_idle;
    assert_int_equal(try_inbound(sa, id, &inbound), IPSEC_OK);
    assert_int_equal(try_outbound(sa, id, &outbound), IPSEC_OK);
    bundle_clear(&inbound);
    bundle_clear(&outbound);
    settle(sa);
    return id;
}

/* How long a reader is told that the context will last; 0: no end is known. */
static int64_t
told_to_last_ms(const struct sa_fixture *sa, uint64_t id)
{
    struct ipsec_sa_context copy;

    assert_int_equal(ipsec_sa_context_get_by_id(sa->session, id, &copy), IPSEC_OK);
    int64_t end_ms = copy.due_at_ms;
    ipsec_sa_context_unref(&copy);
    return end_ms == 0 ? 0 : end_ms - sa->state->now_ms;
}

static void
readers_are_told_when_a_context_ends(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);
    const struct ipsec_lifetime forever = { .seconds = 0 };
    const struct ipsec_lifetime hour = { .seconds = 3600 };
    const struct ipsec_lifetime half = { .seconds = 1800 };
    const struct {
        struct ipsec_lifetime inbound;
        struct ipsec_lifetime outbound;
        int64_t lasts_ms;
    } cases[] = {
        { forever, forever, 0 },
        { hour, forever, 3600000 },
        { hour, hour, 3600000 },
        { half, hour, 1800000 },
        /* The outbound SAs end, and the grace begins. */
        { forever, half, 1800000 + SA_GRACE_MS },
        { hour, half, 1800000 + SA_GRACE_MS },
    };

    uint64_t unkeyed = new_context(&sa);
    assert_int_equal(told_to_last_ms(&sa, unkeyed), 0);
    sa.state->sa.settings.larval_timeout_ms = 120000;
    unkeyed = context_in(&sa, IPSEC_SA_CONTEXT_SPI_SET);
    uint64_t inbound = context_in(&sa, IPSEC_SA_CONTEXT_INBOUND);
    advance(&sa, 50000);
    assert_int_equal(told_to_last_ms(&sa, unkeyed), 70000);
    assert_int_equal(told_to_last_ms(&sa, inbound), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        /* When it was idle for too long is not known before. */
        uint64_t id = active_with(&sa, cases[i].inbound, 300, cases[i].outbound, 300);

        assert_int_equal(told_to_last_ms(&sa, id), cases[i].lasts_ms);
        assert_int_equal(ipsec_sa_context_expire(sa.session, id), IPSEC_OK);
        assert_int_equal(told_to_last_ms(&sa, id), SA_GRACE_MS);
        advance(&sa, 1000);
        assert_int_equal(told_to_last_ms(&sa, id), SA_GRACE_MS - 1000);
    }
}

static void
the_clocks_are_read_as_one(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);
    sa.state->sa.settings.larval_timeout_ms = 120000;
    uint64_t id = new_context(&sa);

    settle(&sa);
    int64_t end_ms = sa.state->now_ms + 120000;
    int64_t now_ms = sa.state->now_ms;
    int64_t clock_ms = sa.state->clock_ms;
    for (int64_t late_ms = -2; late_ms <= 2; late_ms++) {
        state_begin_batch(sa.state, now_ms + 100 + late_ms, clock_ms + 100);
        assert_int_equal(sa.state->now_ms + told_to_last_ms(&sa, id), end_ms);
    }
    /* One that was set is another matter. */
    state_begin_batch(sa.state, now_ms + 103, clock_ms + 100);
    assert_int_equal(sa.state->now_ms + told_to_last_ms(&sa, id), end_ms + 3);
}

static void
what_nobody_keys_goes_after_the_larval_timeout(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);
    sa.state->sa.settings.larval_timeout_ms = 120000;
    uint64_t created = new_context(&sa);
    uint64_t spi_set = context_in(&sa, IPSEC_SA_CONTEXT_SPI_SET);
    uint64_t keyed = context_in(&sa, IPSEC_SA_CONTEXT_INBOUND);

    advance(&sa, 119999);
    nothing_is_due(&sa);
    assert_int_equal(sa_context_due_source.next(sa.state), sa.state->clock_ms + 1);
    advance(&sa, 1);
    run_due(&sa);
    assert_int_equal(sa.state->batch.event_count, 2);
    assert_int_equal(last_reason(&sa), IPSEC_REASON_LARVAL);
    assert_int_equal(sa.state->batch.events[0].type, IPSEC_CHANGE_DELETE);
    assert_int_equal(state_of(&sa, created), GONE);
    assert_int_equal(state_of(&sa, spi_set), GONE);
    assert_int_equal(state_of(&sa, keyed), IPSEC_SA_CONTEXT_INBOUND);
    advance(&sa, INT64_C(1000) * 365 * 86400);
    nothing_is_due(&sa);
}

static void
the_outbound_lifetime_leaves_the_grace(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);
    uint64_t id = active_with(&sa, (struct ipsec_lifetime){ .seconds = 3600 }, 0,
                              (struct ipsec_lifetime){ .seconds = 1800 }, 0);

    assert_int_equal(sa_find(sa.state, id)->inbound->expires_at_ms, sa.state->now_ms + 3600000);
    advance(&sa, 1799999);
    nothing_is_due(&sa);
    advance(&sa, 1);
    run_due(&sa);
    assert_int_equal(state_of(&sa, id), IPSEC_SA_CONTEXT_EXPIRING);
    assert_int_equal(last_reason(&sa), IPSEC_REASON_LIFETIME);
    assert_int_equal(sa.state->batch.events[0].type, IPSEC_CHANGE_UPDATE);
    assert_int_equal(sa.state->batch.plane.action_count, 1);
    advance(&sa, SA_GRACE_MS - 1);
    nothing_is_due(&sa);
    advance(&sa, 1);
    run_due(&sa);
    assert_int_equal(state_of(&sa, id), GONE);
    assert_int_equal(last_reason(&sa), IPSEC_REASON_GRACE);
}

static void
the_inbound_lifetime_ends_the_context(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);
    uint64_t id = active_with(&sa, (struct ipsec_lifetime){ .seconds = 10 }, 0,
                              (struct ipsec_lifetime){ .seconds = 0 }, 0);
    uint64_t alone = context_in(&sa, IPSEC_SA_CONTEXT_SPI_SET);
    struct ipsec_sa_bundle_input inbound = gcm_bundle(spi_of(&sa, alone), 1);

    inbound.bundle.lifetime.seconds = 10;
    assert_int_equal(try_inbound(&sa, alone, &inbound), IPSEC_OK);
    bundle_clear(&inbound);
    advance(&sa, 9999);
    nothing_is_due(&sa);
    advance(&sa, 1);
    run_due(&sa);
    assert_int_equal(state_of(&sa, id), GONE);
    assert_int_equal(state_of(&sa, alone), GONE);
    assert_int_equal(last_reason(&sa), IPSEC_REASON_LIFETIME);
}

static void
the_grace_does_not_outlive_the_inbound_lifetime(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);
    uint64_t id = active_with(&sa, (struct ipsec_lifetime){ .seconds = 30 }, 0,
                              (struct ipsec_lifetime){ .seconds = 0 }, 0);

    assert_int_equal(ipsec_sa_context_expire(sa.session, id), IPSEC_OK);
    advance(&sa, 10000);
    assert_int_equal(ipsec_sa_context_expire(sa.session, id), IPSEC_OK);
    advance(&sa, 20000);
    run_due(&sa);
    assert_int_equal(state_of(&sa, id), GONE);
    assert_int_equal(last_reason(&sa), IPSEC_REASON_LIFETIME);
}

static void
a_second_expire_does_not_restart_the_minute(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);
    uint64_t id = context_in(&sa, IPSEC_SA_CONTEXT_INBOUND);

    assert_int_equal(ipsec_sa_context_expire(sa.session, id), IPSEC_OK);
    advance(&sa, 30000);
    assert_int_equal(ipsec_sa_context_expire(sa.session, id), IPSEC_OK);
    assert_int_equal(sa.state->batch.change_count, 0);
    advance(&sa, 30000);
    run_due(&sa);
    assert_int_equal(state_of(&sa, id), GONE);
    assert_int_equal(last_reason(&sa), IPSEC_REASON_GRACE);
}

static void
without_packets_idle_time_runs_from_the_add(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);
    uint64_t id = active_with(&sa, (struct ipsec_lifetime){ .seconds = 0 }, 600,
                              (struct ipsec_lifetime){ .seconds = 0 }, 300);

    advance(&sa, 300000);
    run_due(&sa);
    assert_int_equal(state_of(&sa, id), IPSEC_SA_CONTEXT_EXPIRING);
    assert_int_equal(last_reason(&sa), IPSEC_REASON_IDLE);
}

static void
traffic_puts_the_idle_end_off(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);

    memset(&fake_plane_state, 0, sizeof fake_plane_state);
    sa.state->sa.plane_ops = &fake_plane;
    uint64_t id = active_with(&sa, (struct ipsec_lifetime){ .seconds = 0 }, 300,
                              (struct ipsec_lifetime){ .seconds = 1000 }, 0);

    advance(&sa, 300000);
    fake_plane_state.counters.last_used_ms = sa.state->clock_ms - 100000;
    nothing_is_due(&sa);
    assert_int_equal(state_of(&sa, id), IPSEC_SA_CONTEXT_ACTIVE);
    assert_int_equal(sa_context_due_source.next(sa.state), sa.state->clock_ms + 200000);

    /* Undone, the earlier look is due again. */
    state_undo(sa.state, (struct batch_mark){ .change_count = 0 });
    assert_int_equal(sa_context_due_source.next(sa.state), sa.state->clock_ms);
    nothing_is_due(&sa);
    advance(&sa, 199999);
    nothing_is_due(&sa);
    advance(&sa, 1);
    run_due(&sa);
    assert_int_equal(state_of(&sa, id), GONE);
    assert_int_equal(last_reason(&sa), IPSEC_REASON_IDLE);
}

static void
a_plane_that_does_not_answer_ends_no_idle_sa(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);

    memset(&fake_plane_state, 0, sizeof fake_plane_state);
    sa.state->sa.plane_ops = &fake_plane;
    uint64_t id = active_with(&sa, (struct ipsec_lifetime){ .seconds = 0 }, 300,
                              (struct ipsec_lifetime){ .seconds = 1000 }, 0);

    advance(&sa, 300000);
    fake_plane_state.counters_fail = IPSEC_RPC_OUT_OF_RESOURCES;
    nothing_is_due(&sa);
    assert_int_equal(state_of(&sa, id), IPSEC_SA_CONTEXT_ACTIVE);
    assert_int_equal(sa_context_due_source.next(sa.state), sa.state->clock_ms + 1000);
    fake_plane_state.counters_fail = IPSEC_OK;
    advance(&sa, 1000);
    run_due(&sa);
    assert_int_equal(state_of(&sa, id), GONE);
}

/* Some kernels count packets and don't tell when the last one came. */
static void
packets_since_the_last_look_put_the_idle_end_off(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);

    memset(&fake_plane_state, 0, sizeof fake_plane_state);
    sa.state->sa.plane_ops = &fake_plane;
    uint64_t id = active_with(&sa, (struct ipsec_lifetime){ .seconds = 0 }, 300,
                              (struct ipsec_lifetime){ .seconds = 1000 }, 0);

    for (uint64_t look = 1; look <= 3; look++) {
        advance(&sa, 300000);
        fake_plane_state.counters.packets = look * 10;
        nothing_is_due(&sa);
        assert_int_equal(state_of(&sa, id), IPSEC_SA_CONTEXT_ACTIVE);
        assert_int_equal(sa_context_due_source.next(sa.state),
                         look < 3 ? sa.state->clock_ms + 300000 : sa.state->clock_ms + 100000);
    }
}

static void
an_spi_rests_after_its_context(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);

    spi_table_clear(&sa.state->sa.spis);
    assert_true(spi_table_init(&sa.state->sa.spis, 256, 256));
    sa.state->sa.settings.quarantine_ms = 300000;
    const struct ipsec_traffic traffic = { .ipsec_filter_id = sa.inbound_filter };
    uint64_t first = context_in(&sa, IPSEC_SA_CONTEXT_SPI_SET);
    uint64_t second = new_context(&sa);
    uint32_t spi = 0;

    settle(&sa);
    assert_int_equal(ipsec_sa_context_get_spi(sa.session, second, &traffic, &spi),
                     IPSEC_RPC_OUT_OF_RESOURCES);
    assert_int_equal(ipsec_sa_context_delete_by_id(sa.session, first), IPSEC_OK);
    const struct batch *batch = &sa.state->batch;
    assert_int_equal(batch->change_count, 2);
    assert_int_equal(batch->changes[1].kind, STORE_PUT_QUARANTINE);
    assert_int_equal(batch->changes[1].quarantine->spi, 256);
    assert_int_equal(batch->changes[1].quarantine->until_ms, sa.state->now_ms + 300000);
    assert_int_equal(ipsec_sa_context_get_spi(sa.session, second, &traffic, &spi),
                     IPSEC_RPC_OUT_OF_RESOURCES);

    /* A delete that is undone lets it rest no longer. */
    state_undo(sa.state, (struct batch_mark){ .change_count = 0 });
    assert_int_equal(spi_table_owner(&sa.state->sa.spis, 256), first);
    assert_int_equal(spi_table_resting(&sa.state->sa.spis, 256), 0);
    assert_int_equal(ipsec_sa_context_delete_by_id(sa.session, first), IPSEC_OK);
    advance(&sa, 299999);
    nothing_is_due(&sa);
    advance(&sa, 1);
    run_due(&sa);
    assert_int_equal(sa.state->batch.changes[0].kind, STORE_DELETE_QUARANTINE);
    assert_int_equal(sa.state->batch.changes[0].id, 256);
    state_undo(sa.state, (struct batch_mark){ .change_count = 0 });
    assert_int_not_equal(spi_table_resting(&sa.state->sa.spis, 256), 0);
    run_due(&sa);
    settle(&sa);
    assert_int_equal(get_spi(&sa, second), 256);
}

static void
a_batch_does_a_bounded_part_of_what_is_due(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);

    sa.state->sa.settings.larval_timeout_ms = 1000;
    for (int i = 0; i < 10000; i++)
        (void)new_context(&sa);
    advance(&sa, 1000);
    size_t rounds = 0;
    while (sa.state->contexts.count > 0) {
        size_t before = sa.state->contexts.count;

        sa_context_due_source.run(sa.state);
        assert_in_range(before - sa.state->contexts.count, 1, 4096);
        advance(&sa, 0);
        rounds++;
    }
    assert_int_equal(rounds, 3);
}

/* Nothing that an undone batch did to timers is lost or left. */
static void
a_failed_batch_is_due_again(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);

    sa.state->sa.settings.larval_timeout_ms = 1000;
    for (int i = 0; i < 100; i++)
        (void)new_context(&sa);
    advance(&sa, 1000);
    for (int i = 0; i < 3; i++) {
        run_due(&sa);
        assert_int_equal(sa.state->contexts.count, 0);
        for (int j = 0; j < 1000; j++)
            (void)new_context(&sa); /* these need room among the timers */
        state_undo(sa.state, (struct batch_mark){ .change_count = 0 });
        assert_int_equal(sa.state->contexts.count, 100);
        assert_int_equal(sa_context_due_source.next(sa.state), sa.state->clock_ms);
    }
    run_due(&sa);
    settle(&sa);
    assert_int_equal(sa.state->contexts.count, 0);
}

static void
a_direction_that_the_plane_ended_is_gone(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);
    uint64_t id = context_in(&sa, IPSEC_SA_CONTEXT_ACTIVE);

    for (int i = 0; i < 2; i++) {
        assert_true(sa_context_end_direction(sa.state, id, IPSEC_DIRECTION_OUTBOUND,
                                             IPSEC_REASON_LIFETIME));
        assert_int_equal(state_of(&sa, id), IPSEC_SA_CONTEXT_EXPIRING);
    }
    assert_int_equal(last_reason(&sa), IPSEC_REASON_LIFETIME);
    size_t changes = sa.state->batch.change_count;
    for (int i = 0; i < 2; i++) {
        assert_true(
            sa_context_end_direction(sa.state, id, IPSEC_DIRECTION_INBOUND, IPSEC_REASON_LIFETIME));
        assert_int_equal(state_of(&sa, id), GONE);
        assert_int_equal(sa.state->batch.change_count, changes + 1);
    }
    id = context_in(&sa, IPSEC_SA_CONTEXT_SPI_SET);
    changes = sa.state->batch.change_count;
    assert_true(
        sa_context_end_direction(sa.state, id, IPSEC_DIRECTION_INBOUND, IPSEC_REASON_LIFETIME));
    assert_int_equal(sa.state->batch.change_count, changes);
}

/* What a store would have of a context: its parts, and times of the wall clock. */
static struct ipsec_sa_context
stored(const struct sa_fixture *sa, uint64_t id)
{
    return sa_copy(sa->state, sa_find(sa->state, id));
}

static void
deadlines_survive_a_restart(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);

    sa.state->sa.settings =
        (struct sa_settings){ .larval_timeout_ms = 120000, .quarantine_ms = 300000 };
    uint64_t ids[3] = {
        new_context(&sa),
        active_with(&sa, (struct ipsec_lifetime){ .seconds = 0 }, 0,
                    (struct ipsec_lifetime){ .seconds = 100 }, 0),
        context_in(&sa, IPSEC_SA_CONTEXT_INBOUND),
    };
    assert_int_equal(ipsec_sa_context_expire(sa.session, ids[2]), IPSEC_OK);
    struct ipsec_sa_context rows[3];
    for (size_t i = 0; i < 3; i++)
        rows[i] = stored(&sa, ids[i]);
    const struct store_quarantine quarantine = { .spi = 4711,
                                                 .until_ms = sa.state->now_ms + 200000 };
    const struct store_quarantine far = { .spi = 4712,
                                          .until_ms = sa.state->now_ms + (INT64_C(1) << 40) };

    /* The host booted: CLOCK_BOOTTIME began anew, the wall clock went on by 20 seconds. */
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(ipsec_sa_context_delete_by_id(sa.session, ids[i]), IPSEC_OK);
    sa.state->sa.settings.quarantine_ms = 300000;
    settle(&sa);
    timer_heap_clear(&sa.state->sa.timers);
    spi_table_clear(&sa.state->sa.spis);
    assert_true(spi_table_init(&sa.state->sa.spis, 256, UINT32_MAX));
    state_begin_batch(sa.state, sa.state->now_ms + 20000, 50);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sa_context_load(sa.state, &rows[i], &sa.base->fault), IPSEC_OK);
        ipsec_sa_context_unref(&rows[i]);
    }
    assert_int_equal(sa_quarantine_load(sa.state, &quarantine, &sa.base->fault), IPSEC_OK);
    assert_int_equal(sa_quarantine_load(sa.state, &quarantine, &sa.base->fault),
                     IPSEC_RPC_INVALID_DATA);
    assert_int_equal(sa_quarantine_load(sa.state, &far, &sa.base->fault), IPSEC_OK);

    assert_int_equal(sa_find(sa.state, ids[0])->due_at_ms, 50 + 100000);
    assert_int_equal(sa_find(sa.state, ids[1])->due_at_ms, 50 + 80000);
    assert_int_equal(sa_find(sa.state, ids[2])->due_at_ms, 50 + 40000);
    assert_int_equal(spi_table_resting(&sa.state->sa.spis, 4711), 50 + 180000);
    /* A wall clock gone wrong keeps nothing for longer than it could ever have been kept. */
    assert_int_equal(spi_table_resting(&sa.state->sa.spis, 4712), 50 + 300000);
    advance(&sa, 40000);
    run_due(&sa);
    assert_int_equal(state_of(&sa, ids[2]), GONE);
    advance(&sa, 40000);
    run_due(&sa);
    assert_int_equal(state_of(&sa, ids[1]), IPSEC_SA_CONTEXT_EXPIRING);
    advance(&sa, 20000);
    run_due(&sa);
    assert_int_equal(state_of(&sa, ids[0]), GONE);
}

static void
a_store_that_makes_no_sense_is_refused(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);
    uint64_t id = context_in(&sa, IPSEC_SA_CONTEXT_ACTIVE);
    uint64_t taken = context_in(&sa, IPSEC_SA_CONTEXT_SPI_SET);
    struct ipsec_sa_context good = stored(&sa, id);
    struct ipsec_sa_context bad;
    struct ipsec_sa_bundle wrong = *good.inbound;

    assert_int_equal(ipsec_sa_context_delete_by_id(sa.session, id), IPSEC_OK);
    settle(&sa);
    for (int flaw = 0; flaw < 9; flaw++) {
        bad = good;
        switch (flaw) {
        case 0:
            bad.outbound = NULL;
            break;
        case 1:
            bad.state = IPSEC_SA_CONTEXT_CREATED;
            break;
        case 2:
            bad.spi = spi_of(&sa, taken);
            break;
        case 3:
            bad.spi++;
            break;
        case 4:
            bad.predecessor_id = bad.id;
            break;
        case 5:
            bad.outbound_traffic.ipsec_filter_id = 999999;
            break;
        case 6:
            wrong.sa_count = 3;
            bad.inbound = &wrong;
            break;
        case 7:
            wrong = *good.inbound;
            wrong.sas[0].transform.cipher = IPSEC_CIPHER_TRANSFORM_COUNT;
            bad.inbound = &wrong;
            break;
        default:
            bad.spi = 255;
            break;
        }
        assert_int_equal(sa_context_load(sa.state, &bad, &sa.base->fault), IPSEC_RPC_INVALID_DATA);
        assert_int_equal(sa.state->contexts.count, 1);
    }
    assert_int_equal(sa_context_load(sa.state, &good, &sa.base->fault), IPSEC_OK);
    assert_int_equal(sa_context_load(sa.state, &good, &sa.base->fault), IPSEC_RPC_INVALID_DATA);
    ipsec_sa_context_unref(&good);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(readers_are_told_when_a_context_ends),
        FIXTURE_TEST(the_clocks_are_read_as_one),
        FIXTURE_TEST(what_nobody_keys_goes_after_the_larval_timeout),
        FIXTURE_TEST(the_outbound_lifetime_leaves_the_grace),
        FIXTURE_TEST(the_inbound_lifetime_ends_the_context),
        FIXTURE_TEST(the_grace_does_not_outlive_the_inbound_lifetime),
        FIXTURE_TEST(a_second_expire_does_not_restart_the_minute),
        FIXTURE_TEST(without_packets_idle_time_runs_from_the_add),
        FIXTURE_TEST(traffic_puts_the_idle_end_off),
        FIXTURE_TEST(a_plane_that_does_not_answer_ends_no_idle_sa),
        FIXTURE_TEST(packets_since_the_last_look_put_the_idle_end_off),
        FIXTURE_TEST(an_spi_rests_after_its_context),
        FIXTURE_TEST(a_batch_does_a_bounded_part_of_what_is_due),
        FIXTURE_TEST(a_failed_batch_is_due_again),
        FIXTURE_TEST(a_direction_that_the_plane_ended_is_gone),
        FIXTURE_TEST(deadlines_survive_a_restart),
        FIXTURE_TEST(a_store_that_makes_no_sense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
