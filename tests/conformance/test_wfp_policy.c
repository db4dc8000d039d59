/* SPDX-License-Identifier: Apache-2.0
 *
 * test_wfp_policy.c: provider contexts (specification section 5.3), what refers to them (sections
 * 2, 6.3 and 12), and tunnels (section 8). */
#include <string.h>

#include "tests/conformance/wfp.h"

#define PARAMETER IPSEC_INVALID_PARAMETER

static enum ipsec_status
try_context(struct wfp *wfp, const struct ipsec_provider_context *context)
{
    struct wfp_call call = { .operation = WFP_CONTEXT_ADD, .provider_context = context };

    return wfp_run(wfp, &call);
}

/* --- 5.3: one provider context ---------------------------------------------------------------- */

static char empty[] = "";
static char no_policy[] = "{}";

static void
good(struct ipsec_provider_context *context)
{
    (void)context;
}
static void
nameless(struct ipsec_provider_context *context)
{
    context->name = NULL;
}
static void
with_empty_name(struct ipsec_provider_context *context)
{
    context->name = empty;
}
static void
of_type_max(struct ipsec_provider_context *context)
{
    context->type = IPSEC_CONTEXT_TYPE_COUNT;
}
static void
with_flag_4(struct ipsec_provider_context *context)
{
    context->flags = 0x4;
}
static void
persistent(struct ipsec_provider_context *context)
{
    context->flags = 0x1;
}
static void
with_provider(struct ipsec_provider_context *context)
{
    context->provider_key.bytes[0] = 1;
}
static void
without_proposals(struct ipsec_provider_context *context)
{
    context->proposal_count = 0;
}
static void
without_lifetime(struct ipsec_provider_context *context)
{
    context->proposals[0].lifetime = (struct ipsec_lifetime){ .seconds = 0 };
}
static void
without_transforms(struct ipsec_provider_context *context)
{
    context->proposals[0].transform_count = 0;
}
static void
of_pfs_max(struct ipsec_provider_context *context)
{
    context->proposals[0].pfs_group = IPSEC_PFS_COUNT;
}
static void
gcm_with_hmac(struct ipsec_provider_context *context)
{
    context->proposals[0].transforms[0].auth = IPSEC_AUTH_HMAC_SHA_1_96;
}
static void
to_itself(struct ipsec_provider_context *context)
{
    context->remote_endpoint = context->local_endpoint;
}
static void
to_nowhere(struct ipsec_provider_context *context)
{
    context->remote_endpoint = wfp_address("0.0.0.0");
}
static void
to_many(struct ipsec_provider_context *context)
{
    context->remote_endpoint = wfp_address("224.0.0.1");
}
static void
clearing_df(struct ipsec_provider_context *context)
{
    context->policy_flags = 0x8;
}
static void
behind_nat(struct ipsec_provider_context *context)
{
    context->policy_flags = 0x10;
}
static void
transport(struct ipsec_provider_context *context)
{
    context->type = IPSEC_CONTEXT_IKE_QM_TRANSPORT;
    context->local_endpoint = context->remote_endpoint = (struct ipsec_address){ .bytes = { 0 } };
}
static void
transport_behind_nat(struct ipsec_provider_context *context)
{
    transport(context);
    context->policy_flags = 0x10;
}
static void
transport_clearing_df(struct ipsec_provider_context *context)
{
    transport(context);
    context->policy_flags = 0x8;
}
static void
main_mode(struct ipsec_provider_context *context)
{
    *context = (struct ipsec_provider_context){
        .name = context->name,
        .type = IPSEC_CONTEXT_IKE_MM,
        .policy = no_policy,
    };
}

static const struct row {
    const char *what;
    void (*change)(struct ipsec_provider_context *context);
    enum ipsec_status expected;
} rows[] = {
    { "a tunnel policy", good, IPSEC_OK },
    { "a transport policy", transport, IPSEC_OK },
    { "a main-mode policy, stored and not executed", main_mode, IPSEC_OK },
    { "no display name", nameless, IPSEC_NULL_DISPLAY_NAME },
    { "an empty display name", with_empty_name, IPSEC_NULL_DISPLAY_NAME },
    { "the type MAX", of_type_max, IPSEC_INVALID_ENUMERATOR },
    { "an unknown flag", with_flag_4, IPSEC_INVALID_FLAGS },
    { "the flag PERSISTENT", persistent, IPSEC_OK },
    { "a provider that there is not", with_provider, IPSEC_PROVIDER_NOT_FOUND },
    { "no proposals", without_proposals, IPSEC_ZERO_LENGTH_ARRAY },
    { "a proposal without a lifetime", without_lifetime, IPSEC_INVALID_INTERVAL },
    { "a proposal without transforms", without_transforms, IPSEC_ZERO_LENGTH_ARRAY },
    { "a PFS group of MAX", of_pfs_max, IPSEC_INVALID_ENUMERATOR },
    { "a GCM cipher with HMAC", gcm_with_hmac, IPSEC_INVALID_CIPHER_TRANSFORM },
    { "a tunnel that ends where it begins", to_itself, PARAMETER },
    { "an unspecified endpoint", to_nowhere, PARAMETER },
    { "a multicast endpoint", to_many, PARAMETER },
    { "CLEAR_DF_ON_TUNNEL of a tunnel policy", clearing_df, IPSEC_OK },
    { "NAT_ENCAP flags of a tunnel policy", behind_nat, IPSEC_INVALID_FLAGS },
    { "NAT_ENCAP flags of a transport policy", transport_behind_nat, IPSEC_OK },
    { "CLEAR_DF_ON_TUNNEL of a transport policy", transport_clearing_df, IPSEC_INVALID_FLAGS },
};

static void
run_row(void **state)
{
    const struct row *row = *state;
    struct ipsec_provider_context context = wfp_tunnel_policy();
    void *furnished = NULL;

    assert_int_equal(wfp_setup(&furnished), 0);
    row->change(&context);
    WFP_ASSERT(try_context(furnished, &context), row->expected);
    (void)wfp_teardown(&furnished);
}

static void
a_key_that_is_taken(void **state)
{
    struct ipsec_provider_context context = wfp_tunnel_policy();

    context.key.bytes[0] = 5;
    WFP_ASSERT(try_context(*state, &context), IPSEC_OK);
    WFP_ASSERT(try_context(*state, &context), IPSEC_ALREADY_EXISTS);
}

static void
an_unknown_one(void **state)
{
    WFP_ASSERT(wfp_call(*state, WFP_CONTEXT_GET, 999999), IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
    WFP_ASSERT(wfp_call(*state, WFP_CONTEXT_DELETE, 999999), IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
}

static void
rights_of_provider_contexts(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_provider_context context = wfp_tunnel_policy();
    uint64_t id = wfp_add_context(wfp, &context);
    uint32_t *granted = &wfp->rights.granted[IPSEC_CONTAINER_PROVIDER_CONTEXTS];

    *granted = ~(uint32_t)FWPM_ACTRL_ADD;
    WFP_ASSERT(try_context(wfp, &context), IPSEC_ACCESS_DENIED);
    *granted = ~(uint32_t)FWPM_ACTRL_READ;
    WFP_ASSERT(wfp_call(wfp, WFP_CONTEXT_GET, id), IPSEC_ACCESS_DENIED);
    WFP_ASSERT(wfp_call(wfp, WFP_CONTEXT_ENUM, 0), IPSEC_ACCESS_DENIED);
    *granted = ~(uint32_t)FWPM_ACTRL_ENUM;
    WFP_ASSERT(wfp_call(wfp, WFP_CONTEXT_ENUM, 0), IPSEC_ACCESS_DENIED);
    *granted = ~(uint32_t)RIGHT_DELETE;
    WFP_ASSERT(wfp_call(wfp, WFP_CONTEXT_DELETE, id), IPSEC_ACCESS_DENIED);
    *granted = RIGHT_DELETE;
    WFP_ASSERT(wfp_call(wfp, WFP_CONTEXT_DELETE, id), IPSEC_OK);
}

/* --- What refers to it ------------------------------------------------------------------------ */

static struct ipsec_filter
tunnel_filter(const struct ipsec_provider_context *context)
{
    struct ipsec_filter filter = wfp_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);

    filter.callout = IPSEC_CALLOUT_OUTBOUND_TUNNEL_V4;
    filter.flags = IPSEC_FILTER_HAS_PROVIDER_CONTEXT;
    filter.provider_context_key = context->key;
    return filter;
}

static enum ipsec_status
try_filter(struct wfp *wfp, const struct ipsec_filter *filter, uint64_t *id)
{
    struct wfp_call call = { .operation = WFP_FILTER_ADD, .filter = filter };
    enum ipsec_status status = wfp_run(wfp, &call);

    if (id != NULL)
        *id = call.id_out;
    return status;
}

static struct ipsec_provider_context
keyed_policy(uint8_t key)
{
    struct ipsec_provider_context context = wfp_tunnel_policy();

    context.key.bytes[0] = key;
    return context;
}

static void
a_filter_with_a_tunnel_callout(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_provider_context context = keyed_policy(1);
    struct ipsec_filter filter = tunnel_filter(&context);
    uint64_t filter_id = 0;

    WFP_ASSERT(try_filter(wfp, &filter, NULL), IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
    uint64_t id = wfp_add_context(wfp, &context);
    WFP_ASSERT(try_filter(wfp, &filter, &filter_id), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_CONTEXT_DELETE, id), IPSEC_IN_USE);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_DELETE, filter_id), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_CONTEXT_DELETE, id), IPSEC_OK);
}

static void
a_transport_callout_with_a_tunnel_policy(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_provider_context context = keyed_policy(1);
    struct ipsec_filter filter = tunnel_filter(&context);

    (void)wfp_add_context(wfp, &context);
    filter.callout = IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V4;
    WFP_ASSERT(try_filter(wfp, &filter, NULL), IPSEC_CONTEXT_INCOMPATIBLE_WITH_CALLOUT);
}

static void
lifetimes_of_filter_and_context(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_provider_context static_context = keyed_policy(1);
    const struct ipsec_provider_context own = keyed_policy(2);
    const struct ipsec_provider_context of_another = keyed_policy(3);
    const struct ipsec_guid ikeext = { { 0x10, 0xad, 0x92, 0x16, 0xcc, 0xde, 0x45, 0x6c, 0x8b, 0x16,
                                         0xe9, 0xf0, 0x4e, 0x60, 0xa9, 0x0b } };
    struct ipsec_provider_context persistent_context = keyed_policy(4);
    struct ipsec_filter persistent_filter = tunnel_filter(&static_context);
    const struct ipsec_filter on_static = tunnel_filter(&static_context);
    const struct ipsec_filter on_own = tunnel_filter(&own);
    const struct ipsec_filter on_another = tunnel_filter(&of_another);

    persistent_context.flags = 0x1;
    (void)wfp_add_context(wfp, &persistent_context);
    (void)wfp_add_context(wfp, &static_context);
    persistent_filter.flags |= IPSEC_FILTER_PERSISTENT;
    WFP_ASSERT(try_filter(wfp, &persistent_filter, NULL), IPSEC_LIFETIME_MISMATCH);
    persistent_filter.provider_context_key = persistent_context.key;
    WFP_ASSERT(try_filter(wfp, &persistent_filter, NULL), IPSEC_OK);
    persistent_filter.provider_key = ikeext;
    WFP_ASSERT(try_filter(wfp, &persistent_filter, NULL), IPSEC_LIFETIME_MISMATCH);
    (void)wfp_enter(wfp, WFP_DYNAMIC);
    (void)wfp_add_context(wfp, &of_another);
    (void)wfp_enter(wfp, WFP_DYNAMIC);
    (void)wfp_add_context(wfp, &own);
    WFP_ASSERT(try_filter(wfp, &on_static, NULL), IPSEC_OK);
    WFP_ASSERT(try_filter(wfp, &on_own, NULL), IPSEC_OK);
    WFP_ASSERT(try_filter(wfp, &on_another, NULL), IPSEC_LIFETIME_MISMATCH);
    wfp_leave(wfp);
    WFP_ASSERT(try_filter(wfp, &on_own, NULL), IPSEC_LIFETIME_MISMATCH);
}

/* --- SA contexts in tunnel mode (4.1, 7.1, 12) --- */

static const struct tunnel_row {
    const char *what;
    const char *local; /* null: the policy's */
    const char *remote;
    uint64_t filter;
    uint16_t local_port;
    uint16_t remote_port;
    uint8_t protocol;
    bool is_transport_policy;
    bool is_unknown;
    bool is_unreadable;
    bool is_dynamic;
    enum ipsec_status expected;
} tunnel_rows[] = {
    { "the endpoints of its policy", .expected = IPSEC_OK },
    { "an unknown policy", .is_unknown = true, .expected = IPSEC_PROVIDER_CONTEXT_NOT_FOUND },
    { "a policy that the caller may not read", .is_unreadable = true,
      .expected = IPSEC_PROVIDER_CONTEXT_NOT_FOUND },
    { "a transport policy", .is_transport_policy = true,
      .expected = IPSEC_PROVIDER_CONTEXT_MISMATCH },
    { "a dynamic policy", .is_dynamic = true, .expected = IPSEC_LIFETIME_MISMATCH },
    { "another local endpoint", .local = "192.0.2.2", .expected = PARAMETER },
    { "another remote endpoint", .remote = "198.51.100.8", .expected = PARAMETER },
    { "a filter", .filter = 1, .expected = PARAMETER },
    { "a local port", .local_port = 1, .expected = PARAMETER },
    { "a remote port", .remote_port = 1, .expected = PARAMETER },
    { "a protocol", .protocol = 6, .expected = PARAMETER },
};

static void
run_tunnel_row(void **state)
{
    const struct tunnel_row *row = *state;
    struct ipsec_provider_context policy = wfp_tunnel_policy();
    void *furnished = NULL;

    assert_int_equal(wfp_setup(&furnished), 0);
    struct wfp *wfp = furnished;
    if (row->is_transport_policy)
        transport(&policy);
    if (row->is_dynamic)
        (void)wfp_enter(wfp, WFP_DYNAMIC);
    uint64_t id = wfp_add_context(wfp, &policy);
    wfp_leave(wfp);
    struct ipsec_traffic traffic = wfp_tunnel_traffic(row->is_unknown ? 999999 : id);
    if (row->local != NULL)
        traffic.local_address = wfp_address(row->local);
    if (row->remote != NULL)
        traffic.remote_address = wfp_address(row->remote);
    traffic.ipsec_filter_id = row->filter;
    traffic.local_port = row->local_port;
    traffic.remote_port = row->remote_port;
    traffic.ip_protocol = row->protocol;
    if (row->is_unreadable)
        wfp->rights.granted[IPSEC_CONTAINER_PROVIDER_CONTEXTS] = 0;
    WFP_ASSERT(wfp_create(wfp, &traffic, NULL), row->expected);
    (void)wfp_teardown(&furnished);
}

static void
a_tunnel_context_is_keyed_without_filters(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_provider_context policy = wfp_tunnel_policy();
    uint64_t policy_id = wfp_add_context(wfp, &policy);
    const struct ipsec_traffic traffic = wfp_tunnel_traffic(policy_id);
    const struct ipsec_traffic with_filter = { .ipsec_filter_id = wfp->inbound_filter };
    struct wfp_call create = { .operation = WFP_CREATE, .traffic = &traffic };

    WFP_ASSERT(wfp_run(wfp, &create), IPSEC_OK);
    assert_int_equal(create.inbound_filter_id, 0);
    uint64_t id = create.id_out;
    struct wfp_call get = { .operation = WFP_GET_SPI, .id = id, .traffic = &with_filter };
    WFP_ASSERT(wfp_run(wfp, &get), IPSEC_TRAFFIC_MISMATCH);
    WFP_ASSERT(wfp_call(wfp, WFP_GET_SPI, id), IPSEC_OK);
    struct ipsec_sa_bundle_input bundle = wfp_bundle(wfp_spi(wfp, id), 1);
    bundle.bundle.flags = IPSEC_SA_BUNDLE_CLEAR_DF_ON_TUNNEL;
    struct wfp_call add = { .operation = WFP_ADD_INBOUND, .id = id, .bundle = &bundle };
    WFP_ASSERT(wfp_run(wfp, &add), IPSEC_OK);
    wfp_clear(&add);
    wfp_clear_bundle(&bundle);
    WFP_ASSERT(wfp_add_outbound(wfp, id, 101), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_CONTEXT_DELETE, policy_id), IPSEC_IN_USE);
    struct wfp_call statistics = { .operation = WFP_GET_STATISTICS };
    WFP_ASSERT(wfp_run(wfp, &statistics), IPSEC_OK);
    assert_int_equal(statistics.statistics.active_tunnels, 1);
    WFP_ASSERT(wfp_call(wfp, WFP_DELETE_BY_ID, id), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_CONTEXT_DELETE, policy_id), IPSEC_OK);
}

/* --- Transactions --- */

static void
contexts_in_transactions(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_provider_context policy = wfp_tunnel_policy();
    struct wfp_call add = { .operation = WFP_CONTEXT_ADD, .provider_context = &policy };

    (void)wfp_enter(wfp, WFP_STATIC);
    WFP_ASSERT(wfp_begin(wfp, true), IPSEC_OK);
    WFP_ASSERT(wfp_run(wfp, &add), IPSEC_INCOMPATIBLE_TXN);
    WFP_ASSERT(wfp_call(wfp, WFP_CONTEXT_DELETE, 1), IPSEC_INCOMPATIBLE_TXN);
    WFP_ASSERT(wfp_abort(wfp), IPSEC_OK);
    WFP_ASSERT(wfp_begin(wfp, false), IPSEC_OK);
    WFP_ASSERT(wfp_run(wfp, &add), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_CONTEXT_GET, add.id_out), IPSEC_OK);
    wfp_leave(wfp);
    WFP_ASSERT(wfp_call(wfp, WFP_CONTEXT_GET, add.id_out), IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
    wfp->in_session = true;
    WFP_ASSERT(wfp_commit(wfp), IPSEC_OK);
    wfp_leave(wfp);
    WFP_ASSERT(wfp_call(wfp, WFP_CONTEXT_GET, add.id_out), IPSEC_OK);
}

static void
contexts_in_dynamic_sessions(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_provider_context policy = wfp_tunnel_policy();
    uint64_t static_id = wfp_add_context(wfp, &policy);
    struct wfp_call close = { .operation = WFP_ENGINE_CLOSE, .key = wfp_enter(wfp, WFP_DYNAMIC) };
    uint64_t first = wfp_add_context(wfp, &policy);

    (void)wfp_enter(wfp, WFP_DYNAMIC);
    uint64_t second = wfp_add_context(wfp, &policy);
    WFP_ASSERT(wfp_call(wfp, WFP_CONTEXT_DELETE, first), IPSEC_WRONG_SESSION);
    WFP_ASSERT(wfp_call(wfp, WFP_CONTEXT_DELETE, static_id), IPSEC_DYNAMIC_SESSION_IN_PROGRESS);
    WFP_ASSERT(wfp_call(wfp, WFP_CONTEXT_DELETE, second), IPSEC_OK);
    wfp_leave(wfp);
    WFP_ASSERT(wfp_run(wfp, &close), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_CONTEXT_GET, first), IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
}

/* --- 8: tunnels ------------------------------------------------------------------------------- */

static struct ipsec_tunnel
tunnel_of(const struct ipsec_provider_context *policy)
{
    return (struct ipsec_tunnel){
        .tunnel_policy = policy,
        .ip_version = IPSEC_IP_VERSION_V4,
        .condition_count = 2,
        .conditions = { { .field = IPSEC_CONDITION_IP_LOCAL_ADDRESS,
                          .prefix_length = 24,
                          .address = wfp_address("10.1.0.0") },
                        { .field = IPSEC_CONDITION_IP_REMOTE_ADDRESS,
                          .prefix_length = 24,
                          .address = wfp_address("10.2.0.0") } },
    };
}

static enum ipsec_status
try_tunnel(struct wfp *wfp, const struct ipsec_tunnel *tunnel, struct ipsec_tunnel_made *made)
{
    struct wfp_call call = { .operation = WFP_TUNNEL_ADD, .tunnel = tunnel };
    enum ipsec_status status = wfp_run(wfp, &call);

    if (made != NULL)
        *made = call.tunnel_out;
    return status;
}

static size_t
count_of(struct wfp *wfp, enum wfp_operation operation)
{
    struct wfp_call call = { .operation = operation };

    WFP_ASSERT(wfp_run(wfp, &call), IPSEC_OK);
    return call.count;
}

static void
a_tunnel_is_made_and_goes_as_one(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_provider_context policy = wfp_tunnel_policy();
    const struct ipsec_tunnel tunnel = tunnel_of(&policy);
    struct ipsec_tunnel_made made;
    uint64_t context = 0;

    WFP_ASSERT(try_tunnel(wfp, &tunnel, &made), IPSEC_OK);
    assert_true(made.filter_count >= 2);
    assert_int_equal(count_of(wfp, WFP_FILTER_ENUM), 2u + made.filter_count);
    WFP_ASSERT(wfp_call(wfp, WFP_CONTEXT_GET, made.id), IPSEC_OK);
    for (size_t i = 0; i < made.filter_count; i++)
        WFP_ASSERT(wfp_call(wfp, WFP_FILTER_GET, made.filter_ids[i]), IPSEC_OK);
    const struct ipsec_traffic traffic = wfp_tunnel_traffic(made.id);
    WFP_ASSERT(wfp_create(wfp, &traffic, &context), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_TUNNEL_DELETE, made.id), IPSEC_IN_USE);
    WFP_ASSERT(wfp_call(wfp, WFP_DELETE_BY_ID, context), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_TUNNEL_DELETE, made.id), IPSEC_OK);
    assert_int_equal(count_of(wfp, WFP_FILTER_ENUM), 2);
    assert_int_equal(count_of(wfp, WFP_CONTEXT_ENUM), 0);
    WFP_ASSERT(wfp_call(wfp, WFP_TUNNEL_DELETE, made.id), IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
}

static void
what_is_no_tunnel(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_provider_context policy = wfp_tunnel_policy();

    WFP_ASSERT(wfp_call(wfp, WFP_TUNNEL_DELETE, wfp_add_context(wfp, &policy)),
               IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
}

static void
conditions_beyond_addresses(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_provider_context policy = wfp_tunnel_policy();
    struct ipsec_tunnel tunnel = tunnel_of(&policy);

    tunnel.conditions[tunnel.condition_count++] =
        (struct ipsec_condition){ .field = IPSEC_CONDITION_IP_PROTOCOL, .number = 6 };
    WFP_ASSERT(try_tunnel(wfp, &tunnel, NULL), PARAMETER);
    tunnel.flags = IPSEC_TUNNEL_POINT_TO_POINT;
    WFP_ASSERT(try_tunnel(wfp, &tunnel, NULL), IPSEC_OK);
}

static void
flags_and_types_of_tunnels(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_provider_context policy = wfp_tunnel_policy();
    struct ipsec_provider_context wrong = wfp_tunnel_policy();
    struct ipsec_tunnel tunnel = tunnel_of(&policy);

    tunnel.flags = 0x4;
    WFP_ASSERT(try_tunnel(wfp, &tunnel, NULL), IPSEC_INVALID_FLAGS);
    transport(&wrong);
    tunnel = tunnel_of(&wrong);
    WFP_ASSERT(try_tunnel(wfp, &tunnel, NULL), IPSEC_PROVIDER_CONTEXT_MISMATCH);
    tunnel = tunnel_of(&policy);
    tunnel.main_mode_policy = &policy;
    WFP_ASSERT(try_tunnel(wfp, &tunnel, NULL), IPSEC_PROVIDER_CONTEXT_MISMATCH);
}

static void
a_main_mode_policy_is_stored_with_it(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_provider_context policy = wfp_tunnel_policy();
    struct ipsec_provider_context mm = wfp_tunnel_policy();
    struct ipsec_tunnel tunnel = tunnel_of(&policy);
    struct ipsec_tunnel_made made;

    main_mode(&mm);
    tunnel.main_mode_policy = &mm;
    WFP_ASSERT(try_tunnel(wfp, &tunnel, &made), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_CONTEXT_GET, made.main_mode_id), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_TUNNEL_DELETE, made.id), IPSEC_OK);
    assert_int_equal(count_of(wfp, WFP_CONTEXT_ENUM), 0);
}

static void
all_or_nothing(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_provider_context policy = wfp_tunnel_policy();
    const struct ipsec_tunnel tunnel = tunnel_of(&policy);
    uint32_t all = wfp->rights.granted[IPSEC_CONTAINER_FILTERS];

    wfp->rights.granted[IPSEC_CONTAINER_FILTERS] = all & ~(uint32_t)FWPM_ACTRL_ADD;
    WFP_ASSERT(try_tunnel(wfp, &tunnel, NULL), IPSEC_ACCESS_DENIED);
    assert_int_equal(count_of(wfp, WFP_CONTEXT_ENUM), 0);
    wfp->rights.granted[IPSEC_CONTAINER_FILTERS] = all;
    wfp->rights.granted[IPSEC_CONTAINER_PROVIDER_CONTEXTS] = FWPM_ACTRL_READ | FWPM_ACTRL_ENUM;
    WFP_ASSERT(try_tunnel(wfp, &tunnel, NULL), IPSEC_ACCESS_DENIED);
    assert_int_equal(count_of(wfp, WFP_FILTER_ENUM), 2);
}

static void
tunnels_in_transactions_and_dynamic_sessions(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_provider_context policy = wfp_tunnel_policy();
    const struct ipsec_tunnel tunnel = tunnel_of(&policy);
    struct ipsec_tunnel_made made;
    struct wfp_call close = { .operation = WFP_ENGINE_CLOSE, .key = wfp_enter(wfp, WFP_DYNAMIC) };

    WFP_ASSERT(wfp_begin(wfp, true), IPSEC_OK);
    WFP_ASSERT(try_tunnel(wfp, &tunnel, NULL), IPSEC_INCOMPATIBLE_TXN);
    WFP_ASSERT(wfp_abort(wfp), IPSEC_OK);
    WFP_ASSERT(wfp_begin(wfp, false), IPSEC_OK);
    WFP_ASSERT(try_tunnel(wfp, &tunnel, &made), IPSEC_OK);
    WFP_ASSERT(wfp_abort(wfp), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_TUNNEL_GET, made.id), IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
    WFP_ASSERT(try_tunnel(wfp, &tunnel, &made), IPSEC_OK);
    wfp_leave(wfp);
    WFP_ASSERT(wfp_call(wfp, WFP_TUNNEL_GET, made.id), IPSEC_OK);
    WFP_ASSERT(wfp_run(wfp, &close), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_TUNNEL_GET, made.id), IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
    assert_int_equal(count_of(wfp, WFP_FILTER_ENUM), 2);
    assert_int_equal(count_of(wfp, WFP_CONTEXT_ENUM), 0);
}

int
main(void)
{
    struct wfp_suite suite = { .count = 0 };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        wfp_case(&suite, run_row, &rows[i], "FwpmProviderContextAdd0 with %s: %s", rows[i].what,
                 ipsec_status_name(rows[i].expected));
    for (size_t i = 0; i < sizeof tunnel_rows / sizeof *tunnel_rows; i++)
        wfp_case(&suite, run_tunnel_row, &tunnel_rows[i],
                 "IPsecSaContextCreate0 in tunnel mode with %s: %s", tunnel_rows[i].what,
                 ipsec_status_name(tunnel_rows[i].expected));
    wfp_sentence(&suite, a_key_that_is_taken,
                 "FwpmProviderContextAdd0 with a taken key: FWP_E_ALREADY_EXISTS");
    wfp_sentence(&suite, an_unknown_one,
                 "FwpmProviderContextGetById0, DeleteById0 of none: "
                 "FWP_E_PROVIDER_CONTEXT_NOT_FOUND");
    wfp_sentence(&suite, rights_of_provider_contexts,
                 "the calls of provider contexts without their rights: ERROR_ACCESS_DENIED");
    wfp_sentence(&suite, a_filter_with_a_tunnel_callout,
                 "FwpmProviderContextDeleteById0 of what a filter refers to: FWP_E_IN_USE");
    wfp_sentence(&suite, a_transport_callout_with_a_tunnel_policy,
                 "FwpmFilterAdd0 of a transport callout with a tunnel policy: "
                 "FWP_E_CONTEXT_INCOMPATIBLE_WITH_CALLOUT");
    wfp_sentence(&suite, lifetimes_of_filter_and_context,
                 "FwpmFilterAdd0 on a context that may live shorter: FWP_E_LIFETIME_MISMATCH");
    wfp_sentence(&suite, a_tunnel_context_is_keyed_without_filters,
                 "15.2: FwpmProviderContextDeleteById0 of what an SA context uses: FWP_E_IN_USE");
    wfp_sentence(&suite, contexts_in_transactions,
                 "FwpmProviderContextAdd0 in a read-only transaction: FWP_E_INCOMPATIBLE_TXN; in "
                 "another it is seen when committed");
    wfp_sentence(&suite, contexts_in_dynamic_sessions,
                 "FwpmProviderContextDeleteById0 in a dynamic session: own ones only");
    wfp_sentence(&suite, a_tunnel_is_made_and_goes_as_one,
                 "FwpmIPsecTunnelDeleteByKey0 removes all that FwpmIPsecTunnelAdd0 made; in use: "
                 "FWP_E_IN_USE");
    wfp_sentence(&suite, what_is_no_tunnel,
                 "FwpmIPsecTunnelDeleteByKey0 of a policy alone: FWP_E_PROVIDER_CONTEXT_NOT_FOUND");
    wfp_sentence(&suite, conditions_beyond_addresses,
                 "FwpmIPsecTunnelAdd0 without POINT_TO_POINT, conditions beyond addresses: "
                 "FWP_E_INVALID_PARAMETER");
    wfp_sentence(&suite, flags_and_types_of_tunnels,
                 "FwpmIPsecTunnelAdd0 with other flags or policies: FWP_E_INVALID_FLAGS, "
                 "FWP_E_PROVIDER_CONTEXT_MISMATCH");
    wfp_sentence(&suite, a_main_mode_policy_is_stored_with_it,
                 "FwpmIPsecTunnelAdd0 with a main-mode policy: stored and deleted with the tunnel");
    wfp_sentence(&suite, all_or_nothing,
                 "FwpmIPsecTunnelAdd0 without a right on either container: nothing is made");
    wfp_sentence(&suite, tunnels_in_transactions_and_dynamic_sessions,
                 "FwpmIPsecTunnelAdd0 in a read-only transaction: FWP_E_INCOMPATIBLE_TXN; aborted "
                 "or dynamic, it goes whole");
    return wfp_run_suite(&suite, "WFP provider contexts and tunnels");
}
