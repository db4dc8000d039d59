/* SPDX-License-Identifier: Apache-2.0
 *
 * test_wfp_calls.c: the calls of the SA-context family (specification section 7): what Create
 * takes, what Update changes, what enumerations show, and which right each call needs; and the
 * answers to what WFP's pages leave open (section 15). */
#include <string.h>

#include "tests/conformance/wfp.h"

#define V4 IPSEC_IP_VERSION_V4
#define V6 IPSEC_IP_VERSION_V6
#define PARAMETER IPSEC_INVALID_PARAMETER

/* --- Create and what its traffic refers to (7.1, 10.3, 12) ------------------------------------ */

/* The filter that the traffic names. */
enum named {
    SUITABLE = 0, /* 192.0.2.1 to 198.51.100.0/24, TCP, remote port 443 */
    INBOUND_ONE,
    OTHER_VERSION,
    PERMITTING,
    UNKNOWN,
    UNREADABLE,
    V6_ONE, /* without conditions */
};

static const struct create_row {
    const char *name;
    enum named filter;
    const char *local; /* null: 192.0.2.1 */
    const char *remote;
    uint64_t tunnel_policy;
    uint16_t local_port;
    uint16_t remote_port;
    uint8_t protocol;
    enum ipsec_status expected;
} create_rows[] = {
    { "an outbound filter whose conditions hold", SUITABLE, .expected = IPSEC_OK },
    { "no filter of that id", UNKNOWN, .expected = IPSEC_FILTER_NOT_FOUND },
    { "a filter that the caller may not read", UNREADABLE, .expected = IPSEC_FILTER_NOT_FOUND },
    { "an inbound filter", INBOUND_ONE, .expected = IPSEC_INCOMPATIBLE_LAYER },
    { "a filter of the other IP version", OTHER_VERSION, .expected = IPSEC_INCOMPATIBLE_LAYER },
    { "a filter without an IPsec callout", PERMITTING, .expected = PARAMETER },
    { "a local address outside the filter", SUITABLE, "192.0.2.2", .expected = PARAMETER },
    { "a remote address outside the filter", SUITABLE, NULL, "203.0.113.1", .expected = PARAMETER },
    { "the filter's protocol and port", SUITABLE, .protocol = 6, .remote_port = 443,
      .expected = IPSEC_OK },
    { "a protocol that contradicts the filter", SUITABLE, .protocol = 17, .expected = PARAMETER },
    { "a port that contradicts the filter", SUITABLE, .remote_port = 80, .expected = PARAMETER },
    { "a port that the filter leaves open", SUITABLE, .local_port = 50000, .expected = IPSEC_OK },
    { "a tunnel policy in transport mode", SUITABLE, .tunnel_policy = 7, .expected = PARAMETER },
    { "local equal to remote, for tests over loopback", V6_ONE, "2001:db8::1", "2001:db8::1",
      .expected = IPSEC_OK },
    { "the unspecified address", V6_ONE, "2001:db8::1", "::", .expected = PARAMETER },
    { "a multicast address", V6_ONE, "2001:db8::1", "ff02::1", .expected = PARAMETER },
    { "an IPv4-mapped address", V6_ONE, "2001:db8::1", "::ffff:192.0.2.1", .expected = PARAMETER },
};

static uint64_t
named_filter(struct wfp *wfp, enum named named)
{
    struct ipsec_filter filter = wfp_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);

    switch (named) {
    case SUITABLE:
    case UNREADABLE:
        filter.condition_count = 4;
        filter.conditions[0] = (struct ipsec_condition){
            .field = IPSEC_CONDITION_IP_LOCAL_ADDRESS,
            .prefix_length = 32,
            .address = wfp_address("192.0.2.1"),
        };
        filter.conditions[1] = (struct ipsec_condition){
            .field = IPSEC_CONDITION_IP_REMOTE_ADDRESS,
            .prefix_length = 24,
            .address = wfp_address("198.51.100.0"),
        };
        filter.conditions[2] =
            (struct ipsec_condition){ .field = IPSEC_CONDITION_IP_PROTOCOL, .number = 6 };
        filter.conditions[3] =
            (struct ipsec_condition){ .field = IPSEC_CONDITION_IP_REMOTE_PORT, .number = 443 };
        break;
    case INBOUND_ONE:
        return wfp->inbound_filter;
    case OTHER_VERSION:
    case V6_ONE:
        filter = wfp_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V6);
        break;
    case PERMITTING:
        filter.action = IPSEC_ACTION_PERMIT;
        filter.callout = IPSEC_CALLOUT_NONE;
        break;
    case UNKNOWN:
        return 999999;
    }
    return wfp_add_filter(wfp, &filter);
}

static struct ipsec_traffic
traffic_of(struct wfp *wfp, const struct create_row *row)
{
    struct ipsec_traffic traffic = wfp_traffic(wfp);

    traffic.ipsec_filter_id = named_filter(wfp, row->filter);
    if (row->local != NULL)
        traffic.local_address = wfp_address(row->local);
    if (row->remote != NULL)
        traffic.remote_address = wfp_address(row->remote);
    if (row->filter == V6_ONE)
        traffic.ip_version = V6;
    traffic.tunnel_policy_id = row->tunnel_policy;
    traffic.local_port = row->local_port;
    traffic.remote_port = row->remote_port;
    traffic.ip_protocol = row->protocol;
    return traffic;
}

static void
run_create(void **state)
{
    const struct create_row *row = *state;
    void *furnished = NULL;

    assert_int_equal(wfp_setup(&furnished), 0);
    struct wfp *wfp = furnished;
    const struct ipsec_traffic traffic = traffic_of(wfp, row);
    if (row->filter == UNREADABLE)
        wfp->rights.granted[IPSEC_CONTAINER_FILTERS] &= ~(uint32_t)FWPM_ACTRL_READ;
    WFP_ASSERT(wfp_create(wfp, &traffic, NULL), row->expected);
    (void)wfp_teardown(&furnished);
}

/* Members that no reference can mend. */
static void
create_without_required_members(void **state)
{
    struct wfp *wfp = *state;
    struct ipsec_traffic traffic = wfp_traffic(wfp);

    traffic.ipsec_filter_id = 0;
    WFP_ASSERT(wfp_create(wfp, &traffic, NULL), IPSEC_NULL_POINTER);
    traffic.type = IPSEC_TRAFFIC_TYPE_TUNNEL;
    WFP_ASSERT(wfp_create(wfp, &traffic, NULL), IPSEC_NULL_POINTER);
}

static void
create_with_bad_enumerators(void **state)
{
    struct wfp *wfp = *state;
    struct ipsec_traffic none = wfp_traffic(wfp);
    struct ipsec_traffic maximum = wfp_traffic(wfp);

    none.ip_version = 2; /* FWP_IP_VERSION_NONE */
    maximum.type = 2;    /* IPSEC_TRAFFIC_TYPE_MAX */
    WFP_ASSERT(wfp_create(wfp, &none, NULL), IPSEC_INVALID_ENUMERATOR);
    WFP_ASSERT(wfp_create(wfp, &maximum, NULL), IPSEC_INVALID_ENUMERATOR);
}

static void
a_failed_create_uses_no_id(void **state)
{
    struct wfp *wfp = *state;
    struct ipsec_traffic traffic = wfp_traffic(wfp);
    uint64_t before = 0;
    uint64_t after = 0;

    WFP_ASSERT(wfp_create(wfp, &traffic, &before), IPSEC_OK);
    traffic.ipsec_filter_id = 999999;
    WFP_ASSERT(wfp_create(wfp, &traffic, NULL), IPSEC_FILTER_NOT_FOUND);
    traffic = wfp_traffic(wfp);
    WFP_ASSERT(wfp_create(wfp, &traffic, &after), IPSEC_OK);
    assert_int_equal(after, before + 1);
}

static void
ids_are_never_reused(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_traffic traffic = wfp_traffic(wfp);
    uint64_t first = 0;
    uint64_t second = 0;

    WFP_ASSERT(wfp_create(wfp, &traffic, &first), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_DELETE_BY_ID, first), IPSEC_OK);
    WFP_ASSERT(wfp_create(wfp, &traffic, &second), IPSEC_OK);
    assert_true(second > first);
}

/* --- The cached inbound filter (7.1, 15.15) --- */

static uint64_t
mirrored(struct wfp *wfp, uint16_t remote_port)
{
    struct ipsec_traffic traffic = wfp_traffic(wfp);
    traffic.remote_port = remote_port;
    struct wfp_call call = { .operation = WFP_CREATE, .traffic = &traffic };

    WFP_ASSERT(wfp_run(wfp, &call), IPSEC_OK);
    return call.inbound_filter_id;
}

static void
create_hands_over_the_mirrored_filter(void **state)
{
    struct wfp *wfp = *state;
    struct ipsec_filter heavier = wfp_filter(IPSEC_LAYER_INBOUND_TRANSPORT_V4);

    assert_int_equal(mirrored(wfp, 0), wfp->inbound_filter);
    heavier.weight_type = IPSEC_WEIGHT_EXPLICIT;
    heavier.weight = UINT64_MAX;
    heavier.condition_count = 1;
    heavier.conditions[0] =
        (struct ipsec_condition){ .field = IPSEC_CONDITION_IP_REMOTE_PORT, .number = 443 };
    uint64_t id = wfp_add_filter(wfp, &heavier);
    assert_int_equal(mirrored(wfp, 443), id);
    assert_int_equal(mirrored(wfp, 80), wfp->inbound_filter);
    assert_int_equal(mirrored(wfp, 0), wfp->inbound_filter);
}

static void
create_hands_over_0_when_nothing_mirrors(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_filter filter = wfp_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V6);
    const struct ipsec_traffic traffic = {
        .local_address = wfp_address("2001:db8::1"),
        .remote_address = wfp_address("2001:db8:1::7"),
        .ipsec_filter_id = wfp_add_filter(wfp, &filter),
        .ip_version = IPSEC_IP_VERSION_V6,
        .type = IPSEC_TRAFFIC_TYPE_TRANSPORT,
    };
    struct wfp_call call = { .operation = WFP_CREATE, .traffic = &traffic };

    WFP_ASSERT(wfp_run(wfp, &call), IPSEC_OK);
    assert_int_equal(call.inbound_filter_id, 0);
}

/* --- GetSpi and SetSpi: the inbound traffic (7.2) --- */

static void
run_inbound_traffic(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_filter out6 = wfp_filter(IPSEC_LAYER_INBOUND_TRANSPORT_V6);
    const uint64_t v6_filter = wfp_add_filter(wfp, &out6);
    const struct ipsec_address local = wfp_address("192.0.2.1");
    const struct ipsec_address remote = wfp_address("198.51.100.7");
    const struct {
        struct ipsec_traffic traffic;
        enum ipsec_status expected;
    } rows[] = {
        { { .ipsec_filter_id = 0 }, IPSEC_OK },
        { { .ipsec_filter_id = wfp->inbound_filter }, IPSEC_OK },
        { { .ipsec_filter_id = wfp->inbound_filter,
            .local_address = local,
            .remote_address = remote },
          IPSEC_OK },
        { { .ipsec_filter_id = wfp->outbound_filter }, IPSEC_INCOMPATIBLE_LAYER },
        { { .ipsec_filter_id = v6_filter }, IPSEC_INCOMPATIBLE_LAYER },
        { { .ipsec_filter_id = 999999 }, IPSEC_FILTER_NOT_FOUND },
        { { .ipsec_filter_id = wfp->inbound_filter,
            .local_address = remote,
            .remote_address = local },
          IPSEC_TRAFFIC_MISMATCH },
        { { .ipsec_filter_id = wfp->inbound_filter, .remote_port = 443 }, IPSEC_TRAFFIC_MISMATCH },
        { { .ipsec_filter_id = wfp->inbound_filter, .ip_protocol = 6 }, IPSEC_TRAFFIC_MISMATCH },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct ipsec_traffic outbound = wfp_traffic(wfp);
        struct wfp_call get = { .operation = WFP_GET_SPI, .traffic = &rows[i].traffic };
        struct wfp_call set = { .operation = WFP_SET_SPI,
                                .traffic = &rows[i].traffic,
                                .spi = (uint32_t)(0x5000 + i) };

        WFP_ASSERT(wfp_create(wfp, &outbound, &get.id), IPSEC_OK);
        WFP_ASSERT(wfp_create(wfp, &outbound, &set.id), IPSEC_OK);
        WFP_ASSERT(wfp_run(wfp, &get), rows[i].expected);
        WFP_ASSERT(wfp_run(wfp, &set), rows[i].expected);
    }
}

/* --- Update (7.4) ----------------------------------------------------------------------------- */

#define IN(part) .inbound_parts = (part)
#define OUT(part) .outbound_parts = (part)

static const struct update_row {
    const char *name;
    uint8_t state;
    struct ipsec_sa_context_update update;
    const char *local; /* of the changed traffic */
    const char *remote;
    enum ipsec_status expected;
} update_rows[] = {
    { "no part", IPSEC_SA_CONTEXT_ACTIVE, .expected = IPSEC_INVALID_FLAGS },
    { "a part that there is not",
      IPSEC_SA_CONTEXT_ACTIVE,
      { IN(0x80) },
      .expected = IPSEC_INVALID_FLAGS },
    { "the UDP encapsulation",
      IPSEC_SA_CONTEXT_ACTIVE,
      { IN(IPSEC_UPDATE_UDP_ENCAPSULATION), OUT(IPSEC_UPDATE_UDP_ENCAPSULATION),
        .inbound = { .udp_encapsulation = { 4500, 4500 } },
        .outbound = { .udp_encapsulation = { 4500, 4500 } } },
      .expected = IPSEC_OK },
    { "the bundle flags",
      IPSEC_SA_CONTEXT_ACTIVE,
      { IN(IPSEC_UPDATE_FLAGS) },
      .expected = IPSEC_OK },
    { "an unknown bundle flag",
      IPSEC_SA_CONTEXT_ACTIVE,
      { IN(IPSEC_UPDATE_FLAGS), .inbound = { .flags = 0x100 } },
      .expected = IPSEC_INVALID_FLAGS },
    { "CLEAR_DF_ON_TUNNEL in transport mode",
      IPSEC_SA_CONTEXT_ACTIVE,
      { IN(IPSEC_UPDATE_FLAGS), .inbound = { .flags = IPSEC_SA_BUNDLE_CLEAR_DF_ON_TUNNEL } },
      .expected = IPSEC_INVALID_FLAGS },
    { "napContext",
      IPSEC_SA_CONTEXT_ACTIVE,
      { OUT(IPSEC_UPDATE_NAP_CONTEXT) },
      .expected = IPSEC_OK },
    { "keyModuleState",
      IPSEC_SA_CONTEXT_ACTIVE,
      { OUT(IPSEC_UPDATE_KEY_MODULE_STATE) },
      .expected = IPSEC_OK },
    { "peerV4PrivateAddress",
      IPSEC_SA_CONTEXT_ACTIVE,
      { OUT(IPSEC_UPDATE_PEER_V4_PRIVATE_ADDRESS) },
      .expected = IPSEC_OK },
    { "mmSaId", IPSEC_SA_CONTEXT_ACTIVE, { OUT(IPSEC_UPDATE_MM_SA_ID) }, .expected = IPSEC_OK },
    { "the addresses after a move",
      IPSEC_SA_CONTEXT_ACTIVE,
      { .parts = IPSEC_UPDATE_TRAFFIC },
      "192.0.2.9",
      "198.51.100.9",
      .expected = IPSEC_OK },
    { "a multicast address",
      IPSEC_SA_CONTEXT_ACTIVE,
      { .parts = IPSEC_UPDATE_TRAFFIC },
      "192.0.2.9",
      "224.0.0.1",
      .expected = PARAMETER },
    { "addresses of another IP version",
      IPSEC_SA_CONTEXT_ACTIVE,
      { .parts = IPSEC_UPDATE_TRAFFIC, .traffic = { .ip_version = V6 } },
      "2001:db8::1",
      "2001:db8::2",
      .expected = IPSEC_TRAFFIC_MISMATCH },
    { "a direction that has no SA yet",
      IPSEC_SA_CONTEXT_INBOUND,
      { OUT(IPSEC_UPDATE_MM_SA_ID) },
      .expected = IPSEC_INCOMPATIBLE_SA_STATE },
};

static void
run_update(void **state)
{
    const struct update_row *row = *state;
    struct ipsec_sa_context_update update = row->update;
    void *furnished = NULL;

    assert_int_equal(wfp_setup(&furnished), 0);
    struct wfp *wfp = furnished;
    if (row->local != NULL) {
        update.traffic.local_address = wfp_address(row->local);
        update.traffic.remote_address = wfp_address(row->remote);
    }
    struct wfp_call call = {
        .operation = WFP_UPDATE,
        .id = wfp->contexts[row->state],
        .update = &update,
    };
    WFP_ASSERT(wfp_run(wfp, &call), row->expected);
    wfp_clear(&call);
    (void)wfp_teardown(&furnished);
}

static void
update_changes_the_directions_given_only(void **state)
{
    struct wfp *wfp = *state;
    uint64_t id = wfp->contexts[IPSEC_SA_CONTEXT_ACTIVE];
    const struct ipsec_sa_context_update update = {
        .inbound_parts = IPSEC_UPDATE_MM_SA_ID,
        .inbound = { .mm_sa_id = 9, .nap_context = 8 },
    };
    struct wfp_call call = { .operation = WFP_UPDATE, .id = id, .update = &update };

    WFP_ASSERT(wfp_run(wfp, &call), IPSEC_OK);
    assert_int_equal(call.context.inbound->mm_sa_id, 9);
    assert_int_equal(call.context.inbound->nap_context, 0);
    assert_int_equal(call.context.outbound->mm_sa_id, 0);
    wfp_clear(&call);
}

/* --- Reading (7.7) --- */

static void
run_enum(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_subnet v4 = { true, V4, 24, wfp_address("198.51.101.0") };
    const struct ipsec_subnet one = { true, V4, 32, wfp_address("192.0.2.1") };
    const struct ipsec_subnet other = { true, V4, 8, wfp_address("10.0.0.0") };
    const struct ipsec_subnet v6 = { true, V6, 64, wfp_address("2001:db8::") };
    const struct {
        struct ipsec_sa_context_template match;
        enum ipsec_status expected;
        size_t count;
    } rows[] = {
        { { .spi = 0 }, IPSEC_OK, 5 },
        { { .remote_subnet = v4 }, IPSEC_OK, 5 },
        { { .local_subnet = one, .remote_subnet = v4 }, IPSEC_OK, 5 },
        { { .remote_subnet = other }, IPSEC_OK, 0 },
        { { .remote_subnet = v6 }, IPSEC_OK, 0 },
        { { .local_subnet = one, .remote_subnet = v6 }, IPSEC_NEVER_MATCH, 0 },
        { { .state_given = true, .state = IPSEC_SA_CONTEXT_ACTIVE }, IPSEC_OK, 1 },
        { { .traffic_type_given = true, .traffic_type = IPSEC_TRAFFIC_TYPE_TUNNEL }, IPSEC_OK, 0 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct wfp_call call = { .operation = WFP_ENUM, .match = &rows[i].match };

        WFP_ASSERT(wfp_run(wfp, &call), rows[i].expected);
        assert_int_equal(call.count, rows[i].count);
    }
}

/* --- Rights (7, 11) --------------------------------------------------------------------------- */

static const struct right_row {
    enum wfp_operation operation;
    enum ipsec_container container;
    uint32_t right;
    const char *name;
} right_rows[] = {
    { WFP_CREATE, IPSEC_CONTAINER_SA_DATABASE, FWPM_ACTRL_ADD, "FWPM_ACTRL_ADD" },
    { WFP_GET_SPI, IPSEC_CONTAINER_SA_DATABASE, FWPM_ACTRL_ADD, "FWPM_ACTRL_ADD" },
    { WFP_SET_SPI, IPSEC_CONTAINER_SA_DATABASE, FWPM_ACTRL_ADD, "FWPM_ACTRL_ADD" },
    { WFP_ADD_INBOUND, IPSEC_CONTAINER_SA_DATABASE, FWPM_ACTRL_ADD, "FWPM_ACTRL_ADD" },
    { WFP_ADD_OUTBOUND, IPSEC_CONTAINER_SA_DATABASE, FWPM_ACTRL_ADD, "FWPM_ACTRL_ADD" },
    { WFP_UPDATE, IPSEC_CONTAINER_SA_DATABASE, FWPM_ACTRL_ADD, "FWPM_ACTRL_ADD" },
    { WFP_ROTATE, IPSEC_CONTAINER_SA_DATABASE, FWPM_ACTRL_ADD, "FWPM_ACTRL_ADD" },
    { WFP_EXPIRE, IPSEC_CONTAINER_SA_DATABASE, RIGHT_DELETE, "DELETE" },
    { WFP_DELETE_BY_ID, IPSEC_CONTAINER_SA_DATABASE, RIGHT_DELETE, "DELETE" },
    { WFP_GET_BY_ID, IPSEC_CONTAINER_SA_DATABASE, FWPM_ACTRL_READ, "FWPM_ACTRL_READ" },
    { WFP_ENUM, IPSEC_CONTAINER_SA_DATABASE, FWPM_ACTRL_READ, "FWPM_ACTRL_READ" },
    { WFP_ENUM, IPSEC_CONTAINER_SA_DATABASE, FWPM_ACTRL_ENUM, "FWPM_ACTRL_ENUM" },
    { WFP_GET_STATISTICS, IPSEC_CONTAINER_SA_DATABASE, FWPM_ACTRL_READ_STATS,
      "FWPM_ACTRL_READ_STATS" },
    { WFP_FILTER_ADD, IPSEC_CONTAINER_FILTERS, FWPM_ACTRL_ADD, "FWPM_ACTRL_ADD" },
    { WFP_FILTER_ADD, IPSEC_CONTAINER_FILTERS, FWPM_ACTRL_ADD_LINK, "FWPM_ACTRL_ADD_LINK" },
    { WFP_FILTER_GET, IPSEC_CONTAINER_FILTERS, FWPM_ACTRL_READ, "FWPM_ACTRL_READ" },
    { WFP_FILTER_ENUM, IPSEC_CONTAINER_FILTERS, FWPM_ACTRL_READ, "FWPM_ACTRL_READ" },
    { WFP_FILTER_ENUM, IPSEC_CONTAINER_FILTERS, FWPM_ACTRL_ENUM, "FWPM_ACTRL_ENUM" },
    { WFP_FILTER_DELETE, IPSEC_CONTAINER_FILTERS, RIGHT_DELETE, "DELETE" },
};

/* All but the one is granted.  The order of checks lets every call come to its right first, so
 * what it is given does not matter. */
static void
run_right(void **state)
{
    const struct right_row *row = *state;
    void *furnished = NULL;

    assert_int_equal(wfp_setup(&furnished), 0);
    struct wfp *wfp = furnished;
    const struct ipsec_traffic traffic = wfp_traffic(wfp);
    const struct ipsec_filter filter = wfp_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    const struct ipsec_sa_context_update update = { .inbound_parts = IPSEC_UPDATE_MM_SA_ID };
    struct ipsec_sa_bundle_input bundle = wfp_bundle(0x4711, 1);
    struct wfp_call call = {
        .operation = row->operation,
        .id = wfp->contexts[IPSEC_SA_CONTEXT_ACTIVE],
        .spi = 0x4711,
        .traffic = &traffic,
        .filter = &filter,
        .update = &update,
        .bundle = &bundle,
    };

    wfp->rights.granted[row->container] &= ~row->right;
    WFP_ASSERT(wfp_run(wfp, &call), IPSEC_ACCESS_DENIED);
    assert_non_null(strstr(wfp->fault.detail, row->name));
    wfp_clear(&call);
    wfp_clear_bundle(&bundle);
    (void)wfp_teardown(&furnished);
}

/* --- What the pages leave open (15) --- */

static void
one_spi_serves_both_sas(void **state)
{
    struct wfp *wfp = *state;
    uint64_t id = wfp->contexts[IPSEC_SA_CONTEXT_SPI_SET];
    struct ipsec_sa_bundle_input bundle = wfp_bundle(wfp_spi(wfp, id), 1);

    bundle.bundle.sa_count = 2;
    bundle.bundle.sas[1] = (struct ipsec_sa){
        .spi = wfp_spi(wfp, id) ^ 1,
        .transform = { .type = IPSEC_TRANSFORM_AH, .auth = IPSEC_AUTH_HMAC_SHA_256_128 },
    };
    wfp_set_key(&bundle.keys[1].auth, 32, 9);
    struct wfp_call call = { .operation = WFP_ADD_INBOUND, .id = id, .bundle = &bundle };
    WFP_ASSERT(wfp_run(wfp, &call), PARAMETER);
    bundle.bundle.sas[1].spi = bundle.bundle.sas[0].spi;
    WFP_ASSERT(wfp_run(wfp, &call), IPSEC_OK);
    wfp_clear(&call);
    wfp_clear_bundle(&bundle);
}

static void
a_filter_that_contexts_use(void **state)
{
    struct wfp *wfp = *state;

    for (size_t i = 0; i <= IPSEC_SA_CONTEXT_EXPIRING; i++) {
        WFP_ASSERT(wfp_call(wfp, WFP_FILTER_DELETE, wfp->outbound_filter), IPSEC_IN_USE);
        WFP_ASSERT(wfp_call(wfp, WFP_FILTER_DELETE, wfp->inbound_filter), IPSEC_IN_USE);
        WFP_ASSERT(wfp_call(wfp, WFP_DELETE_BY_ID, wfp->contexts[i]), IPSEC_OK);
    }
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_DELETE, wfp->outbound_filter), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_DELETE, wfp->inbound_filter), IPSEC_OK);
}

static void
no_more_contexts_than_allowed(void **state)
{
    struct ipsec_engine_options options = wfp_options();
    struct wfp wfp;

    (void)state;
    options.max_contexts = 5;
    wfp_open(&wfp, &options);
    wfp_furnish(&wfp);
    const struct ipsec_traffic traffic = wfp_traffic(&wfp);
    WFP_ASSERT(wfp_create(&wfp, &traffic, NULL), IPSEC_RPC_OUT_OF_RESOURCES);
    WFP_ASSERT(wfp_call(&wfp, WFP_DELETE_BY_ID, wfp.contexts[0]), IPSEC_OK);
    WFP_ASSERT(wfp_create(&wfp, &traffic, NULL), IPSEC_OK);
    wfp_close(&wfp);
}

static void
an_spi_rests_after_its_context(void **state)
{
    struct ipsec_engine_options options = wfp_options();
    struct wfp wfp;

    (void)state;
    options.spi_minimum = 1000;
    options.spi_maximum = 1004; /* four are taken by wfp_furnish() */
    wfp_open(&wfp, &options);
    wfp_furnish(&wfp);
    uint64_t last = wfp_new_context(&wfp, IPSEC_SA_CONTEXT_SPI_SET);
    WFP_ASSERT(wfp_call(&wfp, WFP_GET_SPI, wfp.contexts[0]), IPSEC_RPC_OUT_OF_RESOURCES);
    WFP_ASSERT(wfp_call(&wfp, WFP_DELETE_BY_ID, last), IPSEC_OK);
    WFP_ASSERT(wfp_call(&wfp, WFP_GET_SPI, wfp.contexts[0]), IPSEC_RPC_OUT_OF_RESOURCES);
    wfp_close(&wfp);
}

int
main(void)
{
    struct wfp_suite suite = { .count = 0 };

    for (size_t i = 0; i < sizeof create_rows / sizeof *create_rows; i++)
        wfp_case(&suite, run_create, &create_rows[i], "IPsecSaContextCreate0 with %s: %s",
                 create_rows[i].name, ipsec_status_name(create_rows[i].expected));
    for (size_t i = 0; i < sizeof update_rows / sizeof *update_rows; i++)
        wfp_case(&suite, run_update, &update_rows[i], "IPsecSaContextUpdate0 of %s: %s",
                 update_rows[i].name, ipsec_status_name(update_rows[i].expected));
    for (size_t i = 0; i < sizeof right_rows / sizeof *right_rows; i++)
        wfp_case(&suite, run_right, &right_rows[i], "%s without %s: ERROR_ACCESS_DENIED",
                 wfp_name(right_rows[i].operation), right_rows[i].name);

    wfp_sentence(&suite, create_without_required_members,
                 "IPsecSaContextCreate0 without its filter or policy: FWP_E_NULL_POINTER");
    wfp_sentence(&suite, create_with_bad_enumerators,
                 "IPsecSaContextCreate0 with IP version NONE or traffic type MAX: "
                 "FWP_E_INVALID_ENUMERATOR");
    wfp_sentence(&suite, a_failed_create_uses_no_id,
                 "IPsecSaContextCreate0 that fails leaves no trace");
    wfp_sentence(&suite, ids_are_never_reused, "ids are never reused");
    wfp_sentence(&suite, create_hands_over_the_mirrored_filter,
                 "IPsecSaContextCreate0 hands over the heaviest inbound filter of the flow");
    wfp_sentence(&suite, create_hands_over_0_when_nothing_mirrors,
                 "IPsecSaContextCreate0 hands over 0 when no inbound filter mirrors the flow");
    wfp_sentence(&suite, run_inbound_traffic,
                 "GetSpi and SetSpi with each inbound traffic: FWP_E_TRAFFIC_MISMATCH, "
                 "FWP_E_FILTER_NOT_FOUND, FWP_E_INCOMPATIBLE_LAYER");
    wfp_sentence(&suite, update_changes_the_directions_given_only,
                 "IPsecSaContextUpdate0 changes the parts and directions given only");
    wfp_sentence(&suite, run_enum,
                 "IPsecSaContextEnum1 shows what its template matches; two IP versions: "
                 "FWP_E_NEVER_MATCH");
    wfp_sentence(&suite, one_spi_serves_both_sas,
                 "15.1: both SAs of a bundle have the context's SPI: FWP_E_INVALID_PARAMETER");
    wfp_sentence(
        &suite, a_filter_that_contexts_use,
        "15.2: FwpmFilterDeleteById0 of a filter that contexts use, either way: FWP_E_IN_USE");
    wfp_sentence(&suite, no_more_contexts_than_allowed,
                 "15.25: IPsecSaContextCreate0 beyond the limit: RPC_E_OUT_OF_RESOURCES");
    wfp_sentence(&suite, an_spi_rests_after_its_context,
                 "IPsecSaContextGetSpi1 does not hand out the SPI of a context that just ended");
    return wfp_run_suite(&suite, "WFP calls of the SA-context family");
}
