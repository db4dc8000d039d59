/* SPDX-License-Identifier: Apache-2.0
 *
 * engine_fixture.h: engine state without a thread, a caller, and objects to play with. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "engine/engine.h"
#include "engine/session.h"
#include "engine/state.h"

struct fixture {
    struct engine_state state;
    struct ipsec_caller caller;
    struct ipsec_fault fault;
    struct ipsec_session session;
};

#define FIXTURE_REPLAYS 1000
#define FIXTURE_BATCH 1000

static inline int
fixture_setup(void **test_state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    if (fixture == NULL || !state_init(&fixture->state, 0, FIXTURE_REPLAYS, FIXTURE_BATCH))
        return -1;
    fixture->state.now_ms = 1000;
    fixture->state.clock_ms = 5000;
    fixture->state.sessions.limits = (struct session_limits){ .maximum = 100, .wait_ms = 15000 };
    fixture->caller.principal = "uri:spiffe://example.org/test";
    memset(&fixture->caller.rights, 0xff, sizeof fixture->caller.rights);
    fixture->session = (struct ipsec_session){
        .state = &fixture->state,
        .caller = &fixture->caller,
        .fault = &fixture->fault,
    };
    *test_state = fixture;
    return 0;
}

static inline int
fixture_teardown(void **test_state)
{
    struct fixture *fixture = *test_state;

    state_undo(&fixture->state, (struct batch_mark){ .undo_count = 0 });
    state_clear(&fixture->state);
    free(fixture);
    return 0;
}

#define FIXTURE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

/* An explicit session of the fixture's caller, as a call that names it would run in. */
static inline struct ipsec_session
open_session(struct fixture *fixture, uint32_t flags)
{
    const struct ipsec_session_record options = { .flags = flags };
    struct ipsec_session session = {
        .state = &fixture->state,
        .caller = &fixture->caller,
        .fault = &fixture->fault,
        .flags = flags,
    };
    struct ipsec_session_record record = { .number = 0 };

    assert_int_equal(ipsec_session_open(&fixture->session, &options, &record), IPSEC_OK);
    session.entry = session_table_find(&fixture->state.sessions, &record.key);
    return session;
}

static inline struct ipsec_address
address(const char *text)
{
    struct ipsec_address result = { .bytes = { 0 } };

    if (inet_pton(AF_INET, text, result.bytes) != 1 && inet_pton(AF_INET6, text, result.bytes) != 1)
        abort();
    return result;
}

static inline struct ipsec_condition
address_condition(enum ipsec_condition_field field, const char *text, uint8_t prefix_length)
{
    return (struct ipsec_condition){
        .field = (uint8_t)field,
        .prefix_length = prefix_length,
        .address = address(text),
    };
}

static inline struct ipsec_condition
number_condition(enum ipsec_condition_field field, uint16_t number)
{
    return (struct ipsec_condition){ .field = (uint8_t)field, .number = number };
}

/* A filter without conditions at 'layer', with the IPsec transport callout that belongs there. */
static inline struct ipsec_filter
transport_filter(enum ipsec_layer layer)
{
    static const uint8_t callouts[IPSEC_LAYER_COUNT] = {
        [IPSEC_LAYER_INBOUND_TRANSPORT_V4] = IPSEC_CALLOUT_INBOUND_TRANSPORT_V4,
        [IPSEC_LAYER_INBOUND_TRANSPORT_V6] = IPSEC_CALLOUT_INBOUND_TRANSPORT_V6,
        [IPSEC_LAYER_OUTBOUND_TRANSPORT_V4] = IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V4,
        [IPSEC_LAYER_OUTBOUND_TRANSPORT_V6] = IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V6,
    };
    static char name[] = "a filter";

    return (struct ipsec_filter){
        .name = name,
        .layer = (uint8_t)layer,
        .action = IPSEC_ACTION_CALLOUT_TERMINATING,
        .callout = callouts[layer],
    };
}

static inline struct ipsec_traffic
transport_traffic(uint64_t filter_id)
{
    return (struct ipsec_traffic){
        .local_address = address("192.0.2.1"),
        .remote_address = address("198.51.100.7"),
        .ipsec_filter_id = filter_id,
        .ip_version = IPSEC_IP_VERSION_V4,
        .type = IPSEC_TRAFFIC_TYPE_TRANSPORT,
    };
}

static inline uint64_t
add_filter(struct fixture *fixture, const struct ipsec_filter *filter)
{
    struct ipsec_guid key;
    uint64_t id = 0;

    assert_int_equal(ipsec_filter_add(&fixture->session, filter, &id, &key), IPSEC_OK);
    return id;
}

static inline uint64_t
add_transport_filter(struct fixture *fixture, enum ipsec_layer layer)
{
    const struct ipsec_filter filter = transport_filter(layer);

    return add_filter(fixture, &filter);
}

static inline uint64_t
add_context(struct fixture *fixture, uint64_t filter_id)
{
    const struct ipsec_traffic traffic = transport_traffic(filter_id);
    uint64_t id = 0;

    assert_int_equal(ipsec_sa_context_create(&fixture->session, &traffic, NULL, &id), IPSEC_OK);
    return id;
}
