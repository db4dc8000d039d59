/* SPDX-License-Identifier: Apache-2.0
 *
 * test_wfp_objects.c: identifiers, keys, pages, sublayers, raw contexts and main-mode policy
 * (spec 2, 5.1, 6.1, 6.4, 7.7, 7.8, 8). */
#include <stdio.h>
#include <string.h>

#include "engine/guid.h"
#include "tests/conformance/wfp.h"

#define IN4 IPSEC_LAYER_INBOUND_TRANSPORT_V4
#define OUT4 IPSEC_LAYER_OUTBOUND_TRANSPORT_V4

static enum ipsec_status
try_filter(struct wfp *wfp, const struct ipsec_filter *filter)
{
    struct wfp_call call = { .operation = WFP_FILTER_ADD, .filter = filter };

    return wfp_run(wfp, &call);
}

static size_t
filter_count(struct wfp *wfp)
{
    struct wfp_call call = { .operation = WFP_FILTER_ENUM };

    WFP_ASSERT(wfp_run(wfp, &call), IPSEC_OK);
    return call.count;
}

/* --- 6.1: what a session is when nothing is asked --------------------------------------------- */

static void
a_session_is_static_and_waits_as_long_as_all(void **state)
{
    const struct ipsec_session_record nothing = { .number = 0 };
    struct ipsec_engine_options options = wfp_options();
    struct wfp wfp;

    (void)state;
    options.txn_wait_ms = 15000;
    wfp_open(&wfp, &options);
    struct wfp_call open = { .operation = WFP_ENGINE_OPEN, .session = &nothing };
    WFP_ASSERT(wfp_run(&wfp, &open), IPSEC_OK);
    assert_int_equal(open.session_out.flags, 0);
    assert_int_equal(open.session_out.txn_wait_timeout_ms, 15000);
    assert_int_equal(open.session_out.transaction, IPSEC_NO_TRANSACTION);
    wfp_close(&wfp);
}

static void
a_session_waits_as_long_as_it_asked(void **state)
{
    const struct ipsec_session_record impatient = { .txn_wait_timeout_ms = 2 };
    struct ipsec_engine_options options = wfp_options();
    struct wfp wfp;

    (void)state;
    options.txn_wait_ms = INT32_MAX; /* would be for ever here */
    wfp_open(&wfp, &options);
    (void)wfp_enter(&wfp, WFP_STATIC);
    WFP_ASSERT(wfp_begin(&wfp, false), IPSEC_OK);
    wfp_leave(&wfp);
    struct wfp_call open = { .operation = WFP_ENGINE_OPEN, .session = &impatient };
    WFP_ASSERT(wfp_run(&wfp, &open), IPSEC_OK);
    wfp.session = open.session_out.key;
    wfp.in_session = true;
    WFP_ASSERT(wfp_begin(&wfp, false), IPSEC_TIMEOUT);
    wfp_close(&wfp);
}

/* --- 6.4: identifiers and keys ---------------------------------------------------------------- */

static void
nothing_has_the_identifier_0(void **state)
{
    static const struct {
        enum wfp_operation operation;
        enum ipsec_status expected;
    } calls[] = {
        { WFP_GET_BY_ID, IPSEC_NOT_FOUND },
        { WFP_DELETE_BY_ID, IPSEC_NOT_FOUND },
        { WFP_GET_SPI, IPSEC_NOT_FOUND },
        { WFP_EXPIRE, IPSEC_NOT_FOUND },
        { WFP_FILTER_GET, IPSEC_FILTER_NOT_FOUND },
        { WFP_FILTER_DELETE, IPSEC_FILTER_NOT_FOUND },
        { WFP_CONTEXT_GET, IPSEC_PROVIDER_CONTEXT_NOT_FOUND },
        { WFP_CONTEXT_DELETE, IPSEC_PROVIDER_CONTEXT_NOT_FOUND },
        { WFP_TUNNEL_GET, IPSEC_PROVIDER_CONTEXT_NOT_FOUND },
    };
    struct wfp *wfp = *state;

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        WFP_ASSERT(wfp_call(wfp, calls[i].operation, 0), calls[i].expected);
}

static void
keys_are_the_callers_or_made_and_identifiers_are_the_engines(void **state)
{
    struct wfp *wfp = *state;
    struct ipsec_filter filter = wfp_filter(OUT4);
    struct ipsec_provider_context policy = wfp_tunnel_policy();

    filter.id = policy.id = 4711;
    struct wfp_call first = { .operation = WFP_FILTER_ADD, .filter = &filter };
    struct wfp_call second = { .operation = WFP_FILTER_ADD, .filter = &filter };
    struct wfp_call third = { .operation = WFP_CONTEXT_ADD, .provider_context = &policy };
    WFP_ASSERT(wfp_run(wfp, &first), IPSEC_OK);
    WFP_ASSERT(wfp_run(wfp, &second), IPSEC_OK);
    WFP_ASSERT(wfp_run(wfp, &third), IPSEC_OK);
    assert_true(first.id_out < second.id_out && second.id_out < third.id_out);
    assert_int_not_equal(first.id_out, 4711);
    assert_false(guid_is_zero(&first.key_out) || guid_is_zero(&third.key_out));
    assert_false(guid_equal(&first.key_out, &second.key_out));

    policy.key.bytes[3] = 9;
    WFP_ASSERT(wfp_run(wfp, &third), IPSEC_OK);
    assert_true(guid_equal(&third.key_out, &policy.key));
}

/* --- 7.7: pages ------------------------------------------------------------------------------- */

static void
no_entries_are_a_success(void **state)
{
    const struct ipsec_engine_options options = wfp_options();
    struct wfp wfp;

    (void)state;
    wfp_open(&wfp, &options);
    for (unsigned i = 0; i < 2; i++) {
        struct wfp_call list = { .operation = i == 0 ? WFP_ENUM : WFP_FILTER_ENUM };

        WFP_ASSERT(wfp_run(&wfp, &list), IPSEC_OK);
        assert_int_equal(list.count, 0);
        assert_int_equal(list.next, 0);
    }
    wfp_close(&wfp);
}

/* In place of WFP's snapshot: what is there from the first page to the last is shown once. */
static void
what_is_there_throughout_is_shown_once(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_traffic traffic = wfp_traffic(wfp);
    const uint64_t *contexts = wfp->contexts;
    struct wfp_call list = { .operation = WFP_ENUM, .limit = 2 };

    WFP_ASSERT(wfp_run(wfp, &list), IPSEC_OK);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.next, contexts[1]);
    WFP_ASSERT(wfp_call(wfp, WFP_DELETE_BY_ID, contexts[0]), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_DELETE_BY_ID, contexts[2]), IPSEC_OK);
    WFP_ASSERT(wfp_create(wfp, &traffic, NULL), IPSEC_OK);
    list.after = list.next;
    WFP_ASSERT(wfp_run(wfp, &list), IPSEC_OK);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.next, contexts[4]);
    list.after = list.next;
    WFP_ASSERT(wfp_run(wfp, &list), IPSEC_OK);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.next, 0);
}

/* --- 7.8 --- */

static void
unsubscribing_nothing(void **state)
{
    (void)state;
    ipsec_sa_context_unsubscribe(NULL);
}

/* --- 2, 5.1: sublayers, raw contexts, references ---------------------------------------------- */

/* 2: not WFP's arbitration.  There one sublayer's block beats another's permit whatever they weigh;
 * policies of the kernel are in one order, so here the heavier decides (see README.md). */
static void
the_heavier_decides_whatever_its_sublayer(void **state)
{
    struct wfp *wfp = *state;
    struct ipsec_filter filter = wfp_filter(IN4);
    const struct ipsec_traffic traffic = wfp_traffic(wfp);
    struct wfp_call create = { .operation = WFP_CREATE, .traffic = &traffic };
    uint64_t heaviest = 0;

    filter.weight_type = IPSEC_WEIGHT_RANGE;
    for (uint8_t i = 0; i < IPSEC_SUB_LAYER_INSPECTION; i++) {
        filter.sub_layer = i;
        filter.weight = (i + 2u) % IPSEC_SUB_LAYER_INSPECTION + 1;
        uint64_t id = wfp_add_filter(wfp, &filter);
        if (filter.weight == IPSEC_SUB_LAYER_INSPECTION)
            heaviest = id;
    }
    WFP_ASSERT(wfp_run(wfp, &create), IPSEC_OK);
    assert_int_not_equal(heaviest, 0);
    assert_int_equal(create.inbound_filter_id, heaviest);
}

static void
an_action_in_the_sublayer_that_inspects(void **state)
{
    struct ipsec_filter filter = wfp_filter(OUT4);

    filter.sub_layer = IPSEC_SUB_LAYER_INSPECTION;
    WFP_ASSERT(try_filter(*state, &filter), IPSEC_ACTION_INCOMPATIBLE_WITH_SUBLAYER);
}

static void
raw_contexts(void **state)
{
    struct wfp *wfp = *state;
    struct ipsec_filter filter = wfp_filter(OUT4);
    struct ipsec_provider_context policy = wfp_tunnel_policy();

    filter.raw_context = 0x3;
    WFP_ASSERT(try_filter(wfp, &filter), IPSEC_OK);
    filter.raw_context = 0x4;
    WFP_ASSERT(try_filter(wfp, &filter), IPSEC_CONTEXT_INCOMPATIBLE_WITH_CALLOUT);
    policy.type = IPSEC_CONTEXT_IKE_QM_TRANSPORT;
    policy.local_endpoint = policy.remote_endpoint = (struct ipsec_address){ .bytes = { 0 } };
    policy.key.bytes[0] = 3;
    (void)wfp_add_context(wfp, &policy);
    filter.provider_context_key = policy.key;
    filter.raw_context = 0x1;
    WFP_ASSERT(try_filter(wfp, &filter), IPSEC_INVALID_PARAMETER);
    filter.raw_context = 0;
    WFP_ASSERT(try_filter(wfp, &filter), IPSEC_OK);
}

/* 8, access_rights: naming a provider or a provider context is a link. */
static void
links_need_their_right(void **state)
{
    struct wfp *wfp = *state;
    struct ipsec_provider_context policy = wfp_tunnel_policy();
    struct wfp_call add = { .operation = WFP_CONTEXT_ADD, .provider_context = &policy };
    uint32_t *granted = &wfp->rights.granted[IPSEC_CONTAINER_PROVIDER_CONTEXTS];
    const uint32_t all = *granted;

    policy.key.bytes[0] = 5;
    *granted = all & ~(uint32_t)FWPM_ACTRL_ADD_LINK;
    WFP_ASSERT(wfp_run(wfp, &add), IPSEC_OK);
    policy.key.bytes[0] = 6;
    policy.provider_key.bytes[0] = 1;
    WFP_ASSERT(wfp_run(wfp, &add), IPSEC_ACCESS_DENIED);

    struct ipsec_filter filter = wfp_filter(OUT4);
    filter.callout = IPSEC_CALLOUT_OUTBOUND_TUNNEL_V4;
    filter.provider_context_key.bytes[0] = 5;
    WFP_ASSERT(try_filter(wfp, &filter), IPSEC_ACCESS_DENIED);
    *granted = all;
    WFP_ASSERT(try_filter(wfp, &filter), IPSEC_OK);
}

/* --- 5.2, 8: where policy is looked up -------------------------------------------------------- */

static struct ipsec_filter
policy_filter(enum ipsec_layer layer, uint8_t key)
{
    static char name[] = "a policy is looked up here";

    return (struct ipsec_filter){ .name = name,
                                  .layer = (uint8_t)layer,
                                  .action = IPSEC_ACTION_PERMIT,
                                  .provider_context_key = { .bytes = { key } } };
}

static void
main_mode_policy_is_looked_up_at_its_layers(void **state)
{
    static const struct {
        enum ipsec_layer layer;
        enum ipsec_status main_mode;
        enum ipsec_status quick_mode;
    } rows[] = {
        { IPSEC_LAYER_IKEEXT_V4, IPSEC_OK, IPSEC_CONTEXT_INCOMPATIBLE_WITH_LAYER },
        { IPSEC_LAYER_IKEEXT_V6, IPSEC_OK, IPSEC_CONTEXT_INCOMPATIBLE_WITH_LAYER },
        { IPSEC_LAYER_IPSEC_V4, IPSEC_CONTEXT_INCOMPATIBLE_WITH_LAYER, IPSEC_OK },
        { IPSEC_LAYER_IPSEC_V6, IPSEC_CONTEXT_INCOMPATIBLE_WITH_LAYER, IPSEC_OK },
        { OUT4, IPSEC_CONTEXT_INCOMPATIBLE_WITH_LAYER, IPSEC_CONTEXT_INCOMPATIBLE_WITH_LAYER },
    };
    struct wfp *wfp = *state;
    struct ipsec_provider_context quick = wfp_tunnel_policy();
    struct ipsec_provider_context mm = { .name = quick.name, .type = IPSEC_CONTEXT_IKE_MM };

    quick.key.bytes[0] = 1;
    mm.key.bytes[0] = 2;
    (void)wfp_add_context(wfp, &quick);
    (void)wfp_add_context(wfp, &mm);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct ipsec_filter to_quick = policy_filter(rows[i].layer, 1);
        const struct ipsec_filter to_main = policy_filter(rows[i].layer, 2);

        WFP_ASSERT(try_filter(wfp, &to_main), rows[i].main_mode);
        WFP_ASSERT(try_filter(wfp, &to_quick), rows[i].quick_mode);
    }
}

/* 8, ike-exemptions: main-mode policy is stored and not executed, so it opens no port to anybody;
 * who runs a keying daemon permits its traffic, in the weight range that WFP has for that. */
static void
main_mode_policy_exempts_nothing(void **state)
{
    struct wfp *wfp = *state;
    const size_t before = filter_count(wfp);
    struct ipsec_provider_context mm = { .name = wfp_tunnel_policy().name,
                                         .type = IPSEC_CONTEXT_IKE_MM,
                                         .key = { .bytes = { 2 } } };
    const struct ipsec_filter filter = policy_filter(IPSEC_LAYER_IKEEXT_V4, 2);

    (void)wfp_add_context(wfp, &mm);
    WFP_ASSERT(try_filter(wfp, &filter), IPSEC_OK);
    assert_int_equal(filter_count(wfp), before + 1);
}

static void
an_exemption_outweighs_what_secures(void **state)
{
    struct wfp *wfp = *state;
    struct ipsec_filter exemption = wfp_filter(OUT4);
    const struct ipsec_filter all_of_it = wfp_filter(OUT4);
    uint64_t weights[2];

    exemption.action = IPSEC_ACTION_PERMIT;
    exemption.callout = IPSEC_CALLOUT_NONE;
    exemption.weight_type = IPSEC_WEIGHT_RANGE;
    exemption.weight = 0xc;
    exemption.condition_count = 2;
    exemption.conditions[0] =
        (struct ipsec_condition){ .field = IPSEC_CONDITION_IP_PROTOCOL, .number = 17 };
    exemption.conditions[1] =
        (struct ipsec_condition){ .field = IPSEC_CONDITION_IP_LOCAL_PORT, .number = 500 };
    for (unsigned i = 0; i < 2; i++) {
        struct wfp_call get = {
            .operation = WFP_FILTER_GET,
            .id = wfp_add_filter(wfp, i == 0 ? &exemption : &all_of_it),
        };

        WFP_ASSERT(wfp_run(wfp, &get), IPSEC_OK);
        weights[i] = get.filter_out->effective_weight;
        wfp_clear(&get);
    }
    assert_true(weights[0] > weights[1]);
    assert_int_equal(weights[0] >> 60, 0xc);
}

/* --- 5.3: types of provider contexts --- */

static void
each_type_of_provider_context(void **state)
{
    struct wfp *wfp = *state;

    for (uint8_t type = 0; type < IPSEC_CONTEXT_TYPE_COUNT; type++) {
        struct ipsec_provider_context context = wfp_tunnel_policy();
        bool is_tunnel = type == IPSEC_CONTEXT_IKE_QM_TUNNEL ||
                         type == IPSEC_CONTEXT_AUTHIP_QM_TUNNEL ||
                         type == IPSEC_CONTEXT_IKEV2_QM_TUNNEL;
        bool is_transport = type == IPSEC_CONTEXT_IKE_QM_TRANSPORT ||
                            type == IPSEC_CONTEXT_AUTHIP_QM_TRANSPORT ||
                            type == IPSEC_CONTEXT_IKEV2_QM_TRANSPORT;

        context.type = type;
        if (!is_tunnel)
            context.local_endpoint = context.remote_endpoint =
                (struct ipsec_address){ .bytes = { 0 } };
        if (!is_tunnel && !is_transport)
            context.proposal_count = 0;
        uint64_t id = wfp_add_context(wfp, &context);
        const struct ipsec_traffic traffic = wfp_tunnel_traffic(id);
        WFP_ASSERT(wfp_create(wfp, &traffic, NULL),
                   is_tunnel ? IPSEC_OK : IPSEC_PROVIDER_CONTEXT_MISMATCH);
    }
}

int
main(void)
{
    struct wfp_suite suite = { .count = 0 };

    wfp_case(&suite, a_session_is_static_and_waits_as_long_as_all, NULL,
             "FwpmEngineOpen0 without a session given: static, with the default wait");
    wfp_case(&suite, a_session_waits_as_long_as_it_asked, NULL,
             "FwpmTransactionBegin0 beyond the session's txnWaitTimeoutInMSec: FWP_E_TIMEOUT");
    wfp_sentence(&suite, nothing_has_the_identifier_0,
                 "every call with the identifier 0: FWP_E_NOT_FOUND, FWP_E_FILTER_NOT_FOUND, "
                 "FWP_E_PROVIDER_CONTEXT_NOT_FOUND");
    wfp_sentence(&suite, keys_are_the_callers_or_made_and_identifiers_are_the_engines,
                 "FwpmFilterAdd0, FwpmProviderContextAdd0: the engine assigns identifiers, and a "
                 "key when none is given");
    wfp_case(&suite, no_entries_are_a_success, NULL,
             "IPsecSaContextEnum1, FwpmFilterEnum0 of nothing: ERROR_SUCCESS without entries");
    wfp_sentence(&suite, what_is_there_throughout_is_shown_once,
                 "IPsecSaContextEnum1 page by page: what is there throughout is shown once");
    wfp_sentence(&suite, unsubscribing_nothing,
                 "IPsecSaContextUnsubscribe0 of a null handle does nothing");
    wfp_sentence(&suite, the_heavier_decides_whatever_its_sublayer,
                 "IPsecSaContextCreate0 hands over the heaviest inbound filter, whatever its "
                 "sublayer");
    wfp_sentence(&suite, an_action_in_the_sublayer_that_inspects,
                 "FwpmFilterAdd0 in FWPM_SUBLAYER_INSPECTION: "
                 "FWP_E_ACTION_INCOMPATIBLE_WITH_SUBLAYER");
    wfp_sentence(&suite, raw_contexts,
                 "FwpmFilterAdd0 with an unknown raw context: "
                 "FWP_E_CONTEXT_INCOMPATIBLE_WITH_CALLOUT; beside a provider context: "
                 "FWP_E_INVALID_PARAMETER");
    wfp_sentence(&suite, links_need_their_right,
                 "FwpmProviderContextAdd0, FwpmFilterAdd0 naming something without "
                 "FWPM_ACTRL_ADD_LINK: ERROR_ACCESS_DENIED");
    wfp_sentence(&suite, main_mode_policy_is_looked_up_at_its_layers,
                 "FwpmFilterAdd0 with a policy of another layer: "
                 "FWP_E_CONTEXT_INCOMPATIBLE_WITH_LAYER");
    wfp_sentence(&suite, main_mode_policy_exempts_nothing,
                 "FwpmFilterAdd0 with a main-mode policy, stored and not executed: no exemptions "
                 "for IKE");
    wfp_sentence(&suite, an_exemption_outweighs_what_secures,
                 "FwpmFilterAdd0 in FWPM_WEIGHT_RANGE_IKE_EXEMPTIONS: outweighs what secures");
    wfp_sentence(&suite, each_type_of_provider_context,
                 "IPsecSaContextCreate0 with each type of provider context: of tunnels only, "
                 "FWP_E_PROVIDER_CONTEXT_MISMATCH");
    return wfp_run_suite(&suite, "WFP objects");
}
