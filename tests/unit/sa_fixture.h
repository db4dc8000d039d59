/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_fixture.h: bundles with keys, contexts in any state of their life, and a clock that tests
 * move.
 */
#pragma once

#include "engine/sa_context.h"
#include "engine/sa_database.h"
#include "tests/unit/engine_fixture.h"

/* A fixture with a pair of filters, and bundles that are wiped at its end. */
struct sa_fixture {
    struct fixture *base;
    struct ipsec_session *session;
    struct engine_state *state;
    uint64_t outbound_filter;
    uint64_t inbound_filter;
};

#define PEER_SPI UINT32_C(0xabcdef01)

static inline struct sa_fixture
sa_begin(void **test_state)
{
    struct fixture *base = *test_state;

    return (struct sa_fixture){
        .base = base,
        .session = &base->session,
        .state = &base->state,
        .outbound_filter = add_transport_filter(base, IPSEC_LAYER_OUTBOUND_TRANSPORT_V4),
        .inbound_filter = add_transport_filter(base, IPSEC_LAYER_INBOUND_TRANSPORT_V4),
    };
}

static inline void
set_key(struct secret *key, size_t size, uint8_t fill)
{
    secret_clear(key);
    assert_true(secret_init(key, size));
    for (size_t i = 0; i < size; i++)
        key->bytes[i] = (uint8_t)(fill + i);
}

/* One SA of AES-GCM-128 with the key 'fill', fill + 1, …. */
static inline struct ipsec_sa_bundle_input
gcm_bundle(uint32_t spi, uint8_t fill)
{
    struct ipsec_sa_bundle_input input = {
        .bundle = {
            .sa_count = 1,
            .sas = { { .spi = spi,
                       .transform = { .type = IPSEC_TRANSFORM_ESP_AUTH_AND_CIPHER,
                                      .auth = IPSEC_AUTH_GCM_AES_128,
                                      .cipher = IPSEC_CIPHER_GCM_AES_128 } } },
        },
    };

    set_key(&input.keys[0].cipher, 20, fill);
    return input;
}

static inline void
bundle_clear(struct ipsec_sa_bundle_input *input)
{
    for (size_t i = 0; i < IPSEC_SA_MAX; i++) {
        secret_clear(&input->keys[i].auth);
        secret_clear(&input->keys[i].cipher);
    }
}

/* What is stored is final. */
static inline void
settle(const struct sa_fixture *sa)
{
    state_settle(sa->state);
}

/* Time goes on, on both clocks, in a new batch. */
static inline void
advance(const struct sa_fixture *sa, int64_t ms)
{
    state_settle(sa->state);
    state_begin_batch(sa->state, sa->state->now_ms + ms, sa->state->clock_ms + ms);
}

/* Runs what is due. */
static inline void
run_due(const struct sa_fixture *sa)
{
    while (sa_context_due_source.next(sa->state) <= sa->state->clock_ms)
        sa_context_due_source.run(sa->state);
}

static inline uint64_t
new_context(const struct sa_fixture *sa)
{
    return add_context(sa->base, sa->outbound_filter);
}

static inline uint32_t
get_spi(const struct sa_fixture *sa, uint64_t id)
{
    const struct ipsec_traffic traffic = { .ipsec_filter_id = sa->inbound_filter };
    uint32_t spi = 0;

    assert_int_equal(ipsec_sa_context_get_spi(sa->session, id, &traffic, &spi), IPSEC_OK);
    return spi;
}

static inline enum ipsec_status
try_inbound(const struct sa_fixture *sa, uint64_t id, const struct ipsec_sa_bundle_input *input)
{
    struct ipsec_sa_context context;
    enum ipsec_status status = ipsec_sa_context_add_inbound(sa->session, id, input, &context);

    ipsec_sa_context_unref(&context);
    return status;
}

static inline enum ipsec_status
try_outbound(const struct sa_fixture *sa, uint64_t id, const struct ipsec_sa_bundle_input *input)
{
    struct ipsec_sa_context context;
    enum ipsec_status status = ipsec_sa_context_add_outbound(sa->session, id, input, &context);

    ipsec_sa_context_unref(&context);
    return status;
}

static inline void
add_inbound(const struct sa_fixture *sa, uint64_t id, uint32_t spi)
{
    struct ipsec_sa_bundle_input input = gcm_bundle(spi, 1);

    assert_int_equal(try_inbound(sa, id, &input), IPSEC_OK);
    bundle_clear(&input);
}

static inline void
add_outbound(const struct sa_fixture *sa, uint64_t id)
{
    struct ipsec_sa_bundle_input input = gcm_bundle(PEER_SPI, 101);

    assert_int_equal(try_outbound(sa, id, &input), IPSEC_OK);
    bundle_clear(&input);
}

/* A context brought to a state of its life, step by step. */
static inline uint64_t
context_in(const struct sa_fixture *sa, enum ipsec_sa_context_state wanted)
{
    uint64_t id = new_context(sa);

    if (wanted == IPSEC_SA_CONTEXT_CREATED)
        return id;
    uint32_t spi = get_spi(sa, id);
    if (wanted == IPSEC_SA_CONTEXT_SPI_SET)
        return id;
    add_inbound(sa, id, spi);
    if (wanted == IPSEC_SA_CONTEXT_INBOUND)
        return id;
    add_outbound(sa, id);
    if (wanted == IPSEC_SA_CONTEXT_EXPIRING)
        assert_int_equal(ipsec_sa_context_expire(sa->session, id), IPSEC_OK);
    return id;
}

/* The state, or IPSEC_SA_CONTEXT_STATE_COUNT when the context is gone. */
static inline enum ipsec_sa_context_state
state_of(const struct sa_fixture *sa, uint64_t id)
{
    const struct ipsec_sa_context *context = sa_find(sa->state, id);

    return context == NULL ? IPSEC_SA_CONTEXT_STATE_COUNT
                           : (enum ipsec_sa_context_state)context->state;
}

static inline uint32_t
spi_of(const struct sa_fixture *sa, uint64_t id)
{
    return sa_find(sa->state, id)->spi;
}
