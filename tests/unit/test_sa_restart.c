/* SPDX-License-Identifier: Apache-2.0
 *
 * test_sa_restart.c: keyed contexts, their labels and their deadlines over a restart of the engine
 * with a store on the disk; and the engine's own clock. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/sa_fixture.h"

enum { LARVAL_MS = 400 };

struct test_call {
    struct ipsec_call base;
    void (*step)(struct sa_fixture *sa);
};

static struct ipsec_engine *engine;
static char folder[64];
static char uri[128];
static uint64_t outbound_filter;
static uint64_t inbound_filter;
static uint64_t keyed;
static uint64_t ended;
static uint64_t unkeyed;
static struct ipsec_sa_context before; /* without its parts */

static void
open_engine(void)
{
    const struct ipsec_engine_options options = {
        .store_uri = uri,
        .queue_depth = 16,
        .max_batch = 16,
        .max_replay_records = 10,
        .larval_timeout_ms = LARVAL_MS,
        .quarantine_ms = 60000,
        .spi_minimum = 1000,
        .spi_maximum = 1002,
    };
    struct ipsec_fault fault = { .status = IPSEC_OK };

    if (ipsec_engine_open(&options, &fault, &engine) != IPSEC_OK)
        fail_msg("%s", fault.detail);
}

static enum ipsec_status
run(struct ipsec_call *base, struct ipsec_session *session)
{
    struct test_call *call = (struct test_call *)base;
    struct fixture fixture = { .fault = { .status = IPSEC_OK } };
    struct sa_fixture sa = {
        .base = &fixture,
        .session = session,
        .state = session->state,
        .outbound_filter = outbound_filter,
        .inbound_filter = inbound_filter,
    };

    call->step(&sa);
    return IPSEC_OK;
}

/* Runs a step on the engine's thread and commits it. */
static void
on_engine(void (*step)(struct sa_fixture *sa))
{
    struct test_call call = { .base = { .caller = { .principal = NULL }, .run = run },
                              .step = step };

    assert_int_equal(ipsec_engine_call(engine, &call.base), IPSEC_OK);
}

static uint64_t
create(struct sa_fixture *sa)
{
    const struct ipsec_traffic traffic = transport_traffic(outbound_filter);
    uint64_t id = 0;

    assert_int_equal(ipsec_sa_context_create(sa->session, &traffic, NULL, &id), IPSEC_OK);
    return id;
}

static void
fill(struct sa_fixture *sa)
{
    const struct ipsec_filter outbound = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    const struct ipsec_filter inbound = transport_filter(IPSEC_LAYER_INBOUND_TRANSPORT_V4);
    static uint8_t blob[] = { 1, 2, 3 };
    char name[] = "site";
    char value[] = "b";
    const struct ipsec_labels labels = { .count = 1,
                                         .pairs = { { .name = name, .value = value } } };
    struct ipsec_sa_bundle_input in = gcm_bundle(0, 1);
    struct ipsec_sa_bundle_input out = gcm_bundle(PEER_SPI, 101);
    const struct ipsec_sa_context_options options = {
        .labels = &labels, .wants_spi = true, .inbound = &in, .outbound = &out
    };
    const struct ipsec_traffic none = { .ipsec_filter_id = 0 };
    struct ipsec_id peer = {
        .mm_target_name = "host/b",
        .explicit_credentials = UINT64_MAX,
        .token_count = 2,
        .tokens = { { 42, IPSEC_TOKEN_MACHINE, IPSEC_TOKEN_PEER, IPSEC_TOKEN_MAIN },
                    { UINT64_MAX, IPSEC_TOKEN_IMPERSONATION, IPSEC_TOKEN_LOCAL,
                      IPSEC_TOKEN_EXTENDED } },
    };
    struct ipsec_guid key;
    uint32_t spi;

    assert_int_equal(ipsec_filter_add(sa->session, &outbound, &outbound_filter, &key), IPSEC_OK);
    assert_int_equal(ipsec_filter_add(sa->session, &inbound, &inbound_filter, &key), IPSEC_OK);
    in.bundle.lifetime.seconds = 3600;
    in.bundle.key_module_key.bytes[0] = 9;
    in.bundle.key_module_state = blob;
    in.bundle.key_module_state_size = sizeof blob;
    out.bundle.flags = IPSEC_SA_BUNDLE_NLB;
    out.bundle.ipsec_id = &peer;
    const struct ipsec_traffic traffic = transport_traffic(outbound_filter);
    assert_int_equal(ipsec_sa_context_create_with(sa->session, &traffic, &options, &before),
                     IPSEC_OK);
    keyed = before.id;
    ipsec_sa_context_unref(&before);
    bundle_clear(&in);
    bundle_clear(&out);

    ended = create(sa);
    assert_int_equal(ipsec_sa_context_get_spi(sa->session, ended, &none, &spi), IPSEC_OK);
    assert_int_equal(ipsec_sa_context_delete_by_id(sa->session, ended), IPSEC_OK);
    unkeyed = create(sa);
}

static void
all_is_as_before(struct sa_fixture *sa)
{
    struct ipsec_sa_context context;

    assert_int_equal(ipsec_sa_context_get_by_id(sa->session, keyed, &context), IPSEC_OK);
    assert_int_equal(context.state, IPSEC_SA_CONTEXT_ACTIVE);
    assert_int_equal(context.spi, before.spi);
    assert_int_equal(context.revision, before.revision);
    assert_int_equal(context.inbound->lifetime.seconds, 3600);
    assert_int_equal(context.inbound->sas[0].cipher_key_length, 20);
    assert_int_equal(context.inbound->key_module_state_size, 3);
    assert_int_equal(context.inbound->key_module_state[2], 3);
    assert_int_equal(context.outbound->sas[0].spi, PEER_SPI);
    assert_int_equal(context.outbound->flags, IPSEC_SA_BUNDLE_NLB);
    assert_null(context.inbound->ipsec_id);
    assert_string_equal(context.outbound->ipsec_id->mm_target_name, "host/b");
    assert_string_equal(context.outbound->ipsec_id->em_target_name, "");
    assert_true(context.outbound->ipsec_id->explicit_credentials == UINT64_MAX);
    assert_int_equal(context.outbound->ipsec_id->token_count, 2);
    assert_int_equal(context.outbound->ipsec_id->tokens[0].token, 42);
    assert_int_equal(context.outbound->ipsec_id->tokens[0].principal, IPSEC_TOKEN_PEER);
    assert_int_equal(context.outbound->ipsec_id->tokens[1].mode, IPSEC_TOKEN_EXTENDED);
    assert_string_equal(context.labels->pairs[0].value, "b");
    /* A wall clock that was set meanwhile by a little makes no difference to this test. */
    assert_in_range(context.due_at_ms, context.inbound->expires_at_ms - 1000,
                    context.inbound->expires_at_ms + 1000);
    ipsec_sa_context_unref(&context);
}

/* Of three SPIs one is in use and one rests. */
static void
one_spi_is_left(struct sa_fixture *sa)
{
    const struct ipsec_traffic none = { .ipsec_filter_id = 0 };
    uint32_t spi = 0;

    assert_int_equal(ipsec_sa_context_get_spi(sa->session, create(sa), &none, &spi), IPSEC_OK);
    assert_int_equal(ipsec_sa_context_get_spi(sa->session, create(sa), &none, &spi),
                     IPSEC_RPC_OUT_OF_RESOURCES);
}

static void
a_newer_one_replaces_it(struct sa_fixture *sa)
{
    const struct ipsec_sa_context *old = sa_find(sa->state, keyed);
    struct number_map_cursor cursor = sa_seek_traffic(sa->state, &old->outbound_traffic);

    assert_int_equal(sa_next_traffic(sa->state, &old->outbound_traffic, &cursor), keyed);
    assert_int_equal(ipsec_sa_context_expire(sa->session, keyed), IPSEC_OK);
}

static void
it_is_expiring(struct sa_fixture *sa)
{
    const struct ipsec_sa_context *context = sa_find(sa->state, keyed);

    assert_int_equal(context->state, IPSEC_SA_CONTEXT_EXPIRING);
    assert_null(context->outbound);
    assert_in_range(context->due_at_ms - sa->state->clock_ms, 1, SA_GRACE_MS);
}

static uint64_t
count_of(enum ipsec_sa_context_state state)
{
    struct ipsec_engine_figures figures;

    ipsec_engine_read_figures(engine, &figures);
    return figures.contexts_by_state[state];
}

static void
contexts_live_on(void **state)
{
    const struct timespec pause = { .tv_nsec = 5000000 };

    (void)state;
    open_engine();
    on_engine(fill);
    ipsec_engine_close(engine);
    open_engine();
    on_engine(all_is_as_before);
    on_engine(one_spi_is_left);
    on_engine(a_newer_one_replaces_it);
    ipsec_engine_close(engine);
    open_engine();
    on_engine(it_is_expiring);

    /* Nobody calls, and yet what is due happens: those without keys go. */
    while (count_of(IPSEC_SA_CONTEXT_CREATED) + count_of(IPSEC_SA_CONTEXT_SPI_SET) > 0)
        (void)nanosleep(&pause, NULL);
    assert_int_equal(count_of(IPSEC_SA_CONTEXT_EXPIRING), 1);
    ipsec_engine_close(engine);
}

static int
setup(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/sa-contextd-test.XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(uri, sizeof uri, "sqlite:%s/state.db", folder);
    return 0;
}

static int
teardown(void **state)
{
    static const char *const names[] = { "state.db", "state.db-wal", "state.db-shm",
                                         "state.db.lock" };
    char path[128];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof(const char *); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(contexts_live_on, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
