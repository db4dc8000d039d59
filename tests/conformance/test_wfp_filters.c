/* SPDX-License-Identifier: Apache-2.0
 *
 * test_wfp_filters.c: filters (specification section 5), and how they live in transactions and
 * dynamic sessions (sections 6.2 and 6.3). */
#include <string.h>

#include "tests/conformance/wfp.h"

#define IN4 IPSEC_LAYER_INBOUND_TRANSPORT_V4
#define OUT4 IPSEC_LAYER_OUTBOUND_TRANSPORT_V4
#define OUT6 IPSEC_LAYER_OUTBOUND_TRANSPORT_V6
#define TERMINATING IPSEC_ACTION_CALLOUT_TERMINATING
#define PROTOCOL IPSEC_CONDITION_IP_PROTOCOL
#define LOCAL IPSEC_CONDITION_IP_LOCAL_ADDRESS
#define REMOTE_PORT IPSEC_CONDITION_IP_REMOTE_PORT

/* --- 5.1: one filter -------------------------------------------------------------------------- */

static char name[] = "a filter";
static char empty[] = "";
static char unprintable[] = "a\nb";

#define NAMED .name = name
#define OUTBOUND                                                                                   \
    NAMED, .layer = OUT4, .action = TERMINATING, .callout = IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V4

static const struct row {
    const char *what;
    struct ipsec_filter filter;
    enum ipsec_status expected;
} rows[] = {
    { "no conditions: it always matches", { OUTBOUND }, IPSEC_OK },
    { "no display name",
      { .layer = OUT4, .action = IPSEC_ACTION_PERMIT },
      IPSEC_NULL_DISPLAY_NAME },
    { "an empty display name",
      { .name = empty, .layer = OUT4, .action = IPSEC_ACTION_PERMIT },
      IPSEC_NULL_DISPLAY_NAME },
    { "an unprintable display name",
      { .name = unprintable, .layer = OUT4, .action = IPSEC_ACTION_PERMIT },
      IPSEC_INVALID_PARAMETER },
    { "an unknown layer",
      { NAMED, .layer = IPSEC_LAYER_COUNT, .action = IPSEC_ACTION_PERMIT },
      IPSEC_LAYER_NOT_FOUND },

    { "the action BLOCK", { NAMED, .layer = OUT4, .action = IPSEC_ACTION_BLOCK }, IPSEC_OK },
    { "the action PERMIT", { NAMED, .layer = OUT4, .action = IPSEC_ACTION_PERMIT }, IPSEC_OK },
    { "the verdict CONTINUE as action",
      { NAMED, .layer = OUT4, .action = 0x2006 },
      IPSEC_INVALID_ACTION_TYPE },
    { "the verdict NONE as action",
      { NAMED, .layer = OUT4, .action = 0x7 },
      IPSEC_INVALID_ACTION_TYPE },
    { "a callout action without a callout",
      { NAMED, .layer = OUT4, .action = TERMINATING },
      IPSEC_NULL_POINTER },
    { "an unknown callout",
      { NAMED, .layer = OUT4, .action = TERMINATING, .callout = IPSEC_CALLOUT_COUNT },
      IPSEC_CALLOUT_NOT_FOUND },
    { "the callout of another layer",
      { NAMED, .layer = OUT4, .action = TERMINATING,
        .callout = IPSEC_CALLOUT_INBOUND_TRANSPORT_V4 },
      IPSEC_ACTION_INCOMPATIBLE_WITH_LAYER },
    { "the callout of the other IP version",
      { NAMED, .layer = OUT4, .action = TERMINATING,
        .callout = IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V6 },
      IPSEC_ACTION_INCOMPATIBLE_WITH_LAYER },
    { "a tunnel callout without a tunnel policy",
      { NAMED, .layer = OUT4, .action = TERMINATING, .callout = IPSEC_CALLOUT_OUTBOUND_TUNNEL_V4 },
      IPSEC_CONTEXT_INCOMPATIBLE_WITH_CALLOUT },

    { "a provider that there is not",
      { OUTBOUND, .provider_key = { { 1 } } },
      IPSEC_PROVIDER_NOT_FOUND },
    { "a sublayer that there is not",
      { OUTBOUND, .sub_layer = IPSEC_SUB_LAYER_COUNT },
      IPSEC_SUBLAYER_NOT_FOUND },
    { "a provider context that there is not",
      { OUTBOUND, .flags = IPSEC_FILTER_HAS_PROVIDER_CONTEXT, .provider_context_key = { { 1 } } },
      IPSEC_PROVIDER_CONTEXT_NOT_FOUND },
    { "HAS_PROVIDER_CONTEXT and none",
      { OUTBOUND, .flags = IPSEC_FILTER_HAS_PROVIDER_CONTEXT },
      IPSEC_NULL_POINTER },
    { "PERSISTENT", { OUTBOUND, .flags = IPSEC_FILTER_PERSISTENT }, IPSEC_OK },
    { "PERSISTENT and BOOTTIME",
      { OUTBOUND, .flags = IPSEC_FILTER_PERSISTENT | IPSEC_FILTER_BOOTTIME },
      IPSEC_INVALID_FLAGS },
    { "BOOTTIME: there is nobody to keep it before the engine runs",
      { OUTBOUND, .flags = IPSEC_FILTER_BOOTTIME },
      IPSEC_INVALID_FLAGS },
    { "PERMIT_IF_CALLOUT_UNREGISTERED of a callout that decides",
      { OUTBOUND, .flags = IPSEC_FILTER_PERMIT_IF_CALLOUT_UNREGISTERED },
      IPSEC_OK },
    { "PERMIT_IF_CALLOUT_UNREGISTERED without a callout",
      { NAMED, .layer = OUT4, .action = IPSEC_ACTION_PERMIT,
        .flags = IPSEC_FILTER_PERMIT_IF_CALLOUT_UNREGISTERED },
      IPSEC_INVALID_FLAGS },
    { "DISABLED, which is for the engine to say",
      { OUTBOUND, .flags = IPSEC_FILTER_DISABLED },
      IPSEC_INVALID_FLAGS },
    { "a flag that there is not", { OUTBOUND, .flags = 0x8000 }, IPSEC_INVALID_FLAGS },

    { "an automatic weight", { OUTBOUND, .weight_type = IPSEC_WEIGHT_AUTOMATIC }, IPSEC_OK },
    { "weight range 15", { OUTBOUND, .weight_type = IPSEC_WEIGHT_RANGE, .weight = 15 }, IPSEC_OK },
    { "weight range 16",
      { OUTBOUND, .weight_type = IPSEC_WEIGHT_RANGE, .weight = 16 },
      IPSEC_INVALID_WEIGHT },
    { "any explicit weight",
      { OUTBOUND, .weight_type = IPSEC_WEIGHT_EXPLICIT, .weight = UINT64_MAX },
      IPSEC_OK },
    { "a weight of another type",
      { OUTBOUND, .weight_type = IPSEC_WEIGHT_EXPLICIT + 1 },
      IPSEC_INVALID_WEIGHT },

    { "two conditions on one field",
      { OUTBOUND, .condition_count = 2,
        .conditions = { { .field = PROTOCOL, .number = 6 }, { .field = PROTOCOL, .number = 17 } } },
      IPSEC_DUPLICATE_CONDITION },
    { "a field that the layer has not",
      { OUTBOUND, .condition_count = 1,
        .conditions = { { .field = IPSEC_CONDITION_FIELD_COUNT } } },
      IPSEC_CONDITION_NOT_FOUND },
    { "a prefix of 33 bits at a V4 layer",
      { OUTBOUND, .condition_count = 1, .conditions = { { .field = LOCAL, .prefix_length = 33 } } },
      IPSEC_INVALID_NET_MASK },
    { "a prefix of 129 bits at a V6 layer",
      { NAMED, .layer = OUT6, .action = IPSEC_ACTION_PERMIT, .condition_count = 1,
        .conditions = { { .field = LOCAL, .prefix_length = 129 } } },
      IPSEC_INVALID_NET_MASK },
    { "a protocol above 255",
      { OUTBOUND, .condition_count = 1, .conditions = { { .field = PROTOCOL, .number = 256 } } },
      IPSEC_OUT_OF_BOUNDS },
    { "NOT_EQUAL on a protocol, a number",
      { OUTBOUND, .condition_count = 1,
        .conditions = { { .field = PROTOCOL, .number = 6, .match = IPSEC_MATCH_NOT_EQUAL } } },
      IPSEC_OK },
    { "a range of addresses, which can be sorted",
      { OUTBOUND, .condition_count = 1,
        .conditions = { { .field = LOCAL,
                          .match = IPSEC_MATCH_RANGE,
                          .address = { { 10 } },
                          .address_high = { { 11 } } } } },
      IPSEC_OK },
    { "a range that ends before it begins",
      { OUTBOUND, .condition_count = 1,
        .conditions = { { .field = REMOTE_PORT,
                          .match = IPSEC_MATCH_RANGE,
                          .number = 2,
                          .number_high = 1 } } },
      IPSEC_INVALID_RANGE },
    { "a test of flags on FLAGS",
      { OUTBOUND, .condition_count = 1,
        .conditions = { { .field = IPSEC_CONDITION_FLAGS, .match = IPSEC_MATCH_FLAGS_ANY_SET } } },
      IPSEC_OK },
    { "a test of flags on an address",
      { OUTBOUND, .condition_count = 1,
        .conditions = { { .field = LOCAL, .match = IPSEC_MATCH_FLAGS_ALL_SET } } },
      IPSEC_MATCH_TYPE_MISMATCH },
    { "a test of letter case on a port",
      { OUTBOUND, .condition_count = 1,
        .conditions = { { .field = REMOTE_PORT, .match = IPSEC_MATCH_EQUAL_CASE_INSENSITIVE } } },
      IPSEC_MATCH_TYPE_MISMATCH },
};

static enum ipsec_status
try_filter(struct wfp *wfp, const struct ipsec_filter *filter, uint64_t *id)
{
    struct wfp_call call = { .operation = WFP_FILTER_ADD, .filter = filter };
    enum ipsec_status status = wfp_run(wfp, &call);

    if (id != NULL)
        *id = call.id_out;
    return status;
}

static void
run_row(void **state)
{
    const struct row *row = *state;
    void *furnished = NULL;

    assert_int_equal(wfp_setup(&furnished), 0);
    WFP_ASSERT(try_filter(furnished, &row->filter, NULL), row->expected);
    (void)wfp_teardown(&furnished);
}

static uint64_t
weight_of(struct wfp *wfp, const struct ipsec_filter *filter)
{
    struct wfp_call call = { .operation = WFP_FILTER_GET, .id = wfp_add_filter(wfp, filter) };

    WFP_ASSERT(wfp_run(wfp, &call), IPSEC_OK);
    uint64_t weight = call.filter_out->effective_weight;
    wfp_clear(&call);
    return weight;
}

static void
weights_are_in_their_ranges(void **state)
{
    struct wfp *wfp = *state;
    struct ipsec_filter filter = wfp_filter(OUT4);

    uint64_t wide = weight_of(wfp, &filter);
    filter.condition_count = 1;
    filter.conditions[0] = (struct ipsec_condition){ .field = PROTOCOL, .number = 6 };
    uint64_t narrow = weight_of(wfp, &filter);
    assert_true(narrow > wide);
    assert_true(narrow < UINT64_C(1) << 60);
    filter.weight_type = IPSEC_WEIGHT_RANGE;
    filter.weight = 0xc;
    assert_int_equal(weight_of(wfp, &filter) >> 60, 0xc);
    filter.weight_type = IPSEC_WEIGHT_EXPLICIT;
    filter.weight = UINT64_MAX - 7;
    assert_int_equal(weight_of(wfp, &filter), UINT64_MAX - 7);
}

static void
a_key_that_is_taken(void **state)
{
    struct wfp *wfp = *state;
    struct ipsec_filter filter = wfp_filter(OUT4);
    uint64_t id = 0;

    filter.key.bytes[0] = 7;
    WFP_ASSERT(try_filter(wfp, &filter, &id), IPSEC_OK);
    WFP_ASSERT(try_filter(wfp, &filter, NULL), IPSEC_ALREADY_EXISTS);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_DELETE, id), IPSEC_OK);
    WFP_ASSERT(try_filter(wfp, &filter, NULL), IPSEC_OK);
}

static void
an_unknown_filter(void **state)
{
    WFP_ASSERT(wfp_call(*state, WFP_FILTER_GET, 999999), IPSEC_FILTER_NOT_FOUND);
    WFP_ASSERT(wfp_call(*state, WFP_FILTER_DELETE, 999999), IPSEC_FILTER_NOT_FOUND);
}

/* --- 6.2: filters in transactions ------------------------------------------------------------- */

static size_t
filter_count(struct wfp *wfp)
{
    struct wfp_call call = { .operation = WFP_FILTER_ENUM };

    WFP_ASSERT(wfp_run(wfp, &call), IPSEC_OK);
    return call.count;
}

static enum ipsec_status
create_under(struct wfp *wfp, uint64_t filter_id)
{
    struct ipsec_traffic traffic = wfp_traffic(wfp);

    traffic.ipsec_filter_id = filter_id;
    return wfp_create(wfp, &traffic, NULL);
}

static void
what_is_added_is_seen_by_its_session_alone(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_filter filter = wfp_filter(OUT4);

    (void)wfp_enter(wfp, WFP_STATIC);
    WFP_ASSERT(wfp_begin(wfp, false), IPSEC_OK);
    uint64_t id = wfp_add_filter(wfp, &filter);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_GET, id), IPSEC_OK);
    assert_int_equal(filter_count(wfp), 3);
    wfp_leave(wfp);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_GET, id), IPSEC_FILTER_NOT_FOUND);
    assert_int_equal(filter_count(wfp), 2);
    WFP_ASSERT(create_under(wfp, id), IPSEC_FILTER_NOT_FOUND);
    wfp->in_session = true;
    WFP_ASSERT(wfp_commit(wfp), IPSEC_OK);
    wfp_leave(wfp);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_GET, id), IPSEC_OK);
    WFP_ASSERT(create_under(wfp, id), IPSEC_OK);
}

static void
what_is_deleted_is_missed_by_its_session_alone(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_filter filter = wfp_filter(OUT4);
    uint64_t id = wfp_add_filter(wfp, &filter);

    (void)wfp_enter(wfp, WFP_STATIC);
    WFP_ASSERT(wfp_begin(wfp, false), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_DELETE, id), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_GET, id), IPSEC_FILTER_NOT_FOUND);
    wfp_leave(wfp);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_GET, id), IPSEC_OK);
    wfp->in_session = true;
    WFP_ASSERT(wfp_commit(wfp), IPSEC_OK);
    wfp_leave(wfp);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_GET, id), IPSEC_FILTER_NOT_FOUND);
}

static void
abort_leaves_no_trace(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_filter filter = wfp_filter(OUT4);
    uint64_t before = wfp_add_filter(wfp, &filter);

    (void)wfp_enter(wfp, WFP_STATIC);
    WFP_ASSERT(wfp_begin(wfp, false), IPSEC_OK);
    uint64_t id = wfp_add_filter(wfp, &filter);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_DELETE, before), IPSEC_OK);
    WFP_ASSERT(wfp_abort(wfp), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_GET, id), IPSEC_FILTER_NOT_FOUND);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_GET, before), IPSEC_OK);
}

static void
closing_the_session_does_so_too(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_filter filter = wfp_filter(OUT4);
    struct wfp_call close = { .operation = WFP_ENGINE_CLOSE, .key = wfp_enter(wfp, WFP_STATIC) };

    WFP_ASSERT(wfp_begin(wfp, false), IPSEC_OK);
    uint64_t id = wfp_add_filter(wfp, &filter);
    wfp_leave(wfp);
    WFP_ASSERT(wfp_run(wfp, &close), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_GET, id), IPSEC_FILTER_NOT_FOUND);
}

static void
added_and_deleted_in_one_transaction(void **state)
{
    struct wfp *wfp = *state;
    struct ipsec_filter filter = wfp_filter(OUT4);

    filter.key.bytes[0] = 9;
    (void)wfp_enter(wfp, WFP_STATIC);
    WFP_ASSERT(wfp_begin(wfp, false), IPSEC_OK);
    uint64_t first = wfp_add_filter(wfp, &filter);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_DELETE, first), IPSEC_OK);
    uint64_t second = wfp_add_filter(wfp, &filter);
    WFP_ASSERT(wfp_commit(wfp), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_GET, first), IPSEC_FILTER_NOT_FOUND);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_GET, second), IPSEC_OK);
}

static void
commit_of_a_delete_that_is_in_use_now(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_filter filter = wfp_filter(OUT4);
    struct ipsec_filter heaviest = wfp_filter(IN4);
    heaviest.weight_type = IPSEC_WEIGHT_RANGE;
    heaviest.weight = 15;
    const uint64_t outbound[] = { wfp_add_filter(wfp, &filter), wfp_add_filter(wfp, &filter) };
    for (size_t i = 0; i < sizeof outbound / sizeof *outbound; i++) {
        uint64_t deleted = i == 0 ? outbound[0] : wfp_add_filter(wfp, &heaviest);

        (void)wfp_enter(wfp, WFP_STATIC);
        WFP_ASSERT(wfp_begin(wfp, false), IPSEC_OK);
        WFP_ASSERT(wfp_call(wfp, WFP_FILTER_DELETE, deleted), IPSEC_OK);
        wfp_leave(wfp);
        WFP_ASSERT(create_under(wfp, outbound[i]), IPSEC_OK);
        wfp->in_session = true;
        WFP_ASSERT(wfp_commit(wfp), IPSEC_IN_USE);
        WFP_ASSERT(wfp_abort(wfp), IPSEC_OK);
        wfp_leave(wfp);
        WFP_ASSERT(wfp_call(wfp, WFP_FILTER_GET, deleted), IPSEC_OK);
        WFP_ASSERT(wfp_call(wfp, WFP_FILTER_DELETE, deleted), IPSEC_IN_USE);
    }
}

static void
implicit_transactions_wait_too(void **state)
{
    static const struct {
        bool read_only;
        enum ipsec_status expected;
    } kinds[] = { { true, IPSEC_TIMEOUT }, { false, IPSEC_TIMEOUT } };
    struct wfp *wfp = *state;
    const struct ipsec_filter filter = wfp_filter(OUT4);
    uint64_t unused = wfp_add_filter(wfp, &filter);

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        (void)wfp_enter(wfp, WFP_STATIC);
        WFP_ASSERT(wfp_begin(wfp, kinds[i].read_only), IPSEC_OK);
        wfp_leave(wfp);
        WFP_ASSERT(try_filter(wfp, &filter, NULL), kinds[i].expected);
        WFP_ASSERT(wfp_call(wfp, WFP_FILTER_DELETE, unused), kinds[i].expected);
        assert_int_equal(filter_count(wfp), 3);
        wfp->in_session = true;
        WFP_ASSERT(wfp_abort(wfp), IPSEC_OK);
        wfp_leave(wfp);
    }
}

/* --- 6.1, 6.3: dynamic filters ---------------------------------------------------------------- */

static void
dynamic_filters_end_with_their_session(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_filter filter = wfp_filter(OUT4);
    struct wfp_call close = { .operation = WFP_ENGINE_CLOSE, .key = wfp_enter(wfp, WFP_DYNAMIC) };
    uint64_t id = wfp_add_filter(wfp, &filter);

    wfp_leave(wfp);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_GET, id), IPSEC_OK);
    WFP_ASSERT(wfp_run(wfp, &close), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_GET, id), IPSEC_FILTER_NOT_FOUND);
}

static void
a_dynamic_session_deletes_its_own_only(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_filter filter = wfp_filter(OUT4);

    (void)wfp_enter(wfp, WFP_DYNAMIC);
    uint64_t of_another = wfp_add_filter(wfp, &filter);
    (void)wfp_enter(wfp, WFP_DYNAMIC);
    uint64_t own = wfp_add_filter(wfp, &filter);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_DELETE, of_another), IPSEC_WRONG_SESSION);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_DELETE, wfp->inbound_filter),
               IPSEC_DYNAMIC_SESSION_IN_PROGRESS);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_DELETE, own), IPSEC_OK);
}

static void
a_context_on_a_dynamic_filter(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_filter filter = wfp_filter(OUT4);

    (void)wfp_enter(wfp, WFP_DYNAMIC);
    uint64_t id = wfp_add_filter(wfp, &filter);
    wfp_leave(wfp);
    WFP_ASSERT(create_under(wfp, id), IPSEC_LIFETIME_MISMATCH);
}

static void
a_dynamic_inbound_filter(void **state)
{
    struct wfp *wfp = *state;
    struct ipsec_filter filter = wfp_filter(IN4);
    const struct ipsec_traffic outbound = wfp_traffic(wfp);
    struct wfp_call create = { .operation = WFP_CREATE, .traffic = &outbound };

    filter.weight_type = IPSEC_WEIGHT_RANGE;
    filter.weight = 15;
    (void)wfp_enter(wfp, WFP_DYNAMIC);
    const struct ipsec_traffic inbound = { .ipsec_filter_id = wfp_add_filter(wfp, &filter) };
    wfp_leave(wfp);
    WFP_ASSERT(wfp_run(wfp, &create), IPSEC_OK);
    assert_int_equal(create.inbound_filter_id, wfp->inbound_filter);
    for (int i = 0; i < 2; i++) {
        struct wfp_call call = {
            .operation = i == 0 ? WFP_GET_SPI : WFP_SET_SPI,
            .id = create.id_out,
            .spi = 4096,
            .traffic = &inbound,
        };
        WFP_ASSERT(wfp_run(wfp, &call), IPSEC_LIFETIME_MISMATCH);
    }
}

static void
a_persistent_filter_in_a_dynamic_session(void **state)
{
    struct wfp *wfp = *state;
    struct ipsec_filter filter = wfp_filter(OUT4);

    filter.flags = IPSEC_FILTER_PERSISTENT;
    WFP_ASSERT(try_filter(wfp, &filter, NULL), IPSEC_OK);
    (void)wfp_enter(wfp, WFP_DYNAMIC);
    WFP_ASSERT(try_filter(wfp, &filter, NULL), IPSEC_INVALID_FLAGS);
}

int
main(void)
{
    struct wfp_suite suite = { .count = 0 };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        wfp_case(&suite, run_row, &rows[i], "FwpmFilterAdd0 with %s: %s", rows[i].what,
                 ipsec_status_name(rows[i].expected));
    wfp_sentence(&suite, weights_are_in_their_ranges,
                 "FwpmFilterAdd0: automatic weights lie below 2^60, a range is the top four bits, "
                 "an explicit weight is taken as it is");
    wfp_sentence(&suite, a_key_that_is_taken,
                 "FwpmFilterAdd0 with a taken key: FWP_E_ALREADY_EXISTS");
    wfp_sentence(&suite, an_unknown_filter,
                 "FwpmFilterGetById0, DeleteById0 of no filter: FWP_E_FILTER_NOT_FOUND");
    wfp_sentence(&suite, what_is_added_is_seen_by_its_session_alone,
                 "15.5: a filter of an open transaction, elsewhere: FWP_E_FILTER_NOT_FOUND");
    wfp_sentence(&suite, what_is_deleted_is_missed_by_its_session_alone,
                 "a filter that an open transaction deletes is there for others");
    wfp_sentence(&suite, abort_leaves_no_trace, "FwpmTransactionAbort0 leaves no trace");
    wfp_sentence(&suite, closing_the_session_does_so_too,
                 "FwpmEngineClose0 with an open transaction leaves no trace of it");
    wfp_sentence(&suite, added_and_deleted_in_one_transaction,
                 "FwpmTransactionCommit0 of what was added and deleted: as if it never was");
    wfp_sentence(&suite, commit_of_a_delete_that_is_in_use_now,
                 "FwpmTransactionCommit0 of a delete of what is in use by now: FWP_E_IN_USE, and "
                 "it stays open");
    wfp_sentence(&suite, implicit_transactions_wait_too,
                 "FwpmFilterAdd0, DeleteById0 beside another session's transaction: FWP_E_TIMEOUT");
    wfp_sentence(&suite, dynamic_filters_end_with_their_session,
                 "FwpmEngineClose0 deletes the filters of a dynamic session");
    wfp_sentence(&suite, a_dynamic_session_deletes_its_own_only,
                 "FwpmFilterDeleteById0 in a dynamic session: FWP_E_WRONG_SESSION for another's, "
                 "FWP_E_DYNAMIC_SESSION_IN_PROGRESS for what is not dynamic");
    wfp_sentence(&suite, a_context_on_a_dynamic_filter,
                 "15.3: IPsecSaContextCreate0 on a dynamic filter: FWP_E_LIFETIME_MISMATCH");
    wfp_sentence(&suite, a_dynamic_inbound_filter,
                 "15.3: IPsecSaContextGetSpi1, SetSpi0 with a dynamic filter: "
                 "FWP_E_LIFETIME_MISMATCH; and Create0 hands over none");
    wfp_sentence(&suite, a_persistent_filter_in_a_dynamic_session,
                 "FwpmFilterAdd0 of a persistent filter in a dynamic session: FWP_E_INVALID_FLAGS");
    return wfp_run_suite(&suite, "WFP filters");
}
