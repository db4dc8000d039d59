/* SPDX-License-Identifier: Apache-2.0
 *
 * test_provider_context.c: provider contexts: what is valid, what refers to them, and the SA
 * contexts of tunnel policies. */
#include "engine/provider_context.h"

#include "engine/guid.h"
#include "tests/unit/provider_context_fixture.h"

/* --- Validity --- */

/* Each makes one change to a tunnel policy that is valid. */
/* clang-format off */
static void nothing(struct ipsec_provider_context *c) { (void)c; }
static void no_name(struct ipsec_provider_context *c) { c->name = NULL; }
static void bad_name(struct ipsec_provider_context *c) { static char text[] = "a\n"; c->name = text; }
static void no_type(struct ipsec_provider_context *c) { c->type = IPSEC_CONTEXT_TYPE_COUNT; }
static void bad_flag(struct ipsec_provider_context *c) { c->flags = 4; }
static void both_flags(struct ipsec_provider_context *c) { c->flags = 3; }
static void long_data(struct ipsec_provider_context *c) { c->provider_data_size = IPSEC_PROVIDER_DATA_MAX + 1; }
static void unknown_provider(struct ipsec_provider_context *c) { c->provider_key.bytes[0] = 1; }
static void foreign_policy(struct ipsec_provider_context *c) { static char text[] = "{}"; c->policy = text; }
static void no_proposals(struct ipsec_provider_context *c) { c->proposal_count = 0; }
static void many_proposals(struct ipsec_provider_context *c) { c->proposal_count = IPSEC_PROPOSALS_MAX + 1; }
static void no_lifetime(struct ipsec_provider_context *c) { c->proposals[0].lifetime.seconds = 0; }
static void packets_only(struct ipsec_provider_context *c) { no_lifetime(c); c->proposals[0].lifetime.packets = 1; }
static void kilobytes_only(struct ipsec_provider_context *c) { no_lifetime(c); c->proposals[0].lifetime.kilobytes = 1; }
static void no_transforms(struct ipsec_provider_context *c) { c->proposals[0].transform_count = 0; }
static void three_transforms(struct ipsec_provider_context *c) { c->proposals[0].transform_count = 3; }
static void bad_transform_type(struct ipsec_provider_context *c) { c->proposals[0].transforms[0].type = 0; }
static void first_packet_only(struct ipsec_provider_context *c) { c->proposals[0].transforms[0] = (struct ipsec_sa_transform){ IPSEC_TRANSFORM_ESP_AUTH_FW, IPSEC_AUTH_HMAC_SHA_256_128, 0 }; }
static void no_auth(struct ipsec_provider_context *c) { c->proposals[0].transforms[0].auth = 0; }
static void no_cipher(struct ipsec_provider_context *c) { c->proposals[0].transforms[0].cipher = 0; }
static void unknown_auth(struct ipsec_provider_context *c) { c->proposals[0].transforms[0].auth = IPSEC_AUTH_TRANSFORM_COUNT; }
static void unknown_cipher(struct ipsec_provider_context *c) { c->proposals[0].transforms[0].cipher = IPSEC_CIPHER_TRANSFORM_COUNT; }
static void mixed_gcm(struct ipsec_provider_context *c) { c->proposals[0].transforms[0].auth = IPSEC_AUTH_HMAC_SHA_256_128; }
static void unequal_gcm(struct ipsec_provider_context *c) { c->proposals[0].transforms[0].auth = IPSEC_AUTH_GCM_AES_256; }
static void with_ah(struct ipsec_provider_context *c) { c->proposals[0].transform_count = 2; c->proposals[0].transforms[1] = (struct ipsec_sa_transform){ IPSEC_TRANSFORM_AH, IPSEC_AUTH_HMAC_SHA_256_128, 0 }; }
static void with_gcm_ah(struct ipsec_provider_context *c) { with_ah(c); c->proposals[0].transforms[1].auth = IPSEC_AUTH_GCM_AES_128; }
static void ah_first(struct ipsec_provider_context *c) { with_ah(c); c->proposals[0].transforms[0] = c->proposals[0].transforms[1]; }
static void esp_twice(struct ipsec_provider_context *c) { with_ah(c); c->proposals[0].transforms[1] = c->proposals[0].transforms[0]; }
static void bad_second(struct ipsec_provider_context *c) { c->proposal_count = 2; c->proposals[1] = c->proposals[0]; c->proposals[1].pfs_group = IPSEC_PFS_COUNT; }
static void weak(struct ipsec_provider_context *c) { c->proposals[0].transforms[0] = (struct ipsec_sa_transform){ IPSEC_TRANSFORM_ESP_CIPHER, 0, IPSEC_CIPHER_CBC_DES }; }
static void nat_flag(struct ipsec_provider_context *c) { c->policy_flags = 0x10; }
static void all_tunnel_flags(struct ipsec_provider_context *c) { c->policy_flags = 0xce; }
static void later_flag(struct ipsec_provider_context *c) { c->policy_flags = 0x100; }
static void clear_timeout(struct ipsec_provider_context *c) { c->nd_allow_clear_timeout_seconds = 1; }
static void no_version(struct ipsec_provider_context *c) { c->ip_version = 2; }
static void no_local(struct ipsec_provider_context *c) { c->local_endpoint = address("0.0.0.0"); }
static void multicast_remote(struct ipsec_provider_context *c) { c->remote_endpoint = address("224.0.0.1"); }
static void v6_remote(struct ipsec_provider_context *c) { c->remote_endpoint = address("2001:db8::1"); }
static void same_ends(struct ipsec_provider_context *c) { c->remote_endpoint = c->local_endpoint; }
static void v6_ends(struct ipsec_provider_context *c) { c->ip_version = IPSEC_IP_VERSION_V6; c->local_endpoint = address("2001:db8::1"); c->remote_endpoint = address("2001:db8::2"); }
/* A transport policy has no endpoints, and NAT flags in place of that for DF. */
static void transport(struct ipsec_provider_context *c) { same_ends(c); c->type = IPSEC_CONTEXT_IKE_QM_TRANSPORT; c->policy_flags = 0xf6; c->nd_allow_clear_timeout_seconds = 9; }
static void transport_df_flag(struct ipsec_provider_context *c) { transport(c); c->policy_flags = 0x8; }
static void main_mode(struct ipsec_provider_context *c) { c->type = IPSEC_CONTEXT_IKEV2_MM; c->proposal_count = 0; foreign_policy(c); }
static void long_policy(struct ipsec_provider_context *c) { static char text[IPSEC_POLICY_DATA_MAX + 2]; memset(text, ' ', sizeof text - 1); main_mode(c); c->policy = text; }
/* clang-format on */

static void
contexts_are_judged_member_by_member(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        void (*change)(struct ipsec_provider_context *provider_context);
        enum ipsec_status status;
        const char *pointer;
    } cases[] = {
        { no_name, IPSEC_NULL_DISPLAY_NAME, "/displayData/name" },
        { bad_name, IPSEC_INVALID_PARAMETER, "/displayData/name" },
        { no_type, IPSEC_INVALID_ENUMERATOR, "/type" },
        { bad_flag, IPSEC_INVALID_FLAGS, "/flags" },
        { long_data, IPSEC_OUT_OF_BOUNDS, "/providerData" },
        { unknown_provider, IPSEC_PROVIDER_NOT_FOUND, "/providerKey" },
        { foreign_policy, IPSEC_INVALID_PARAMETER, "/policy" },
        { long_policy, IPSEC_OUT_OF_BOUNDS, "/policy" },
        { no_proposals, IPSEC_ZERO_LENGTH_ARRAY, "/tunnelPolicy/ipsecProposals" },
        { many_proposals, IPSEC_OUT_OF_BOUNDS, "/tunnelPolicy/ipsecProposals" },
        { no_lifetime, IPSEC_INVALID_INTERVAL, "/tunnelPolicy/ipsecProposals/0/lifetime" },
        { no_transforms, IPSEC_ZERO_LENGTH_ARRAY, "/tunnelPolicy/ipsecProposals/0/saTransforms" },
        { three_transforms, IPSEC_OUT_OF_BOUNDS, "/tunnelPolicy/ipsecProposals/0/saTransforms" },
        { bad_transform_type, IPSEC_INVALID_ENUMERATOR,
          "/tunnelPolicy/ipsecProposals/0/saTransforms/0/saTransformType" },
        { first_packet_only, IPSEC_INVALID_AUTH_TRANSFORM,
          "/tunnelPolicy/ipsecProposals/0/saTransforms/0/saTransformType" },
        { no_auth, IPSEC_NULL_POINTER,
          "/tunnelPolicy/ipsecProposals/0/saTransforms/0/authTransform" },
        { no_cipher, IPSEC_NULL_POINTER,
          "/tunnelPolicy/ipsecProposals/0/saTransforms/0/cipherTransform" },
        { unknown_auth, IPSEC_INVALID_ENUMERATOR,
          "/tunnelPolicy/ipsecProposals/0/saTransforms/0/authTransform" },
        { unknown_cipher, IPSEC_INVALID_ENUMERATOR,
          "/tunnelPolicy/ipsecProposals/0/saTransforms/0/cipherTransform" },
        { mixed_gcm, IPSEC_INVALID_CIPHER_TRANSFORM,
          "/tunnelPolicy/ipsecProposals/0/saTransforms/0/cipherTransform" },
        { unequal_gcm, IPSEC_INVALID_CIPHER_TRANSFORM,
          "/tunnelPolicy/ipsecProposals/0/saTransforms/0/cipherTransform" },
        { with_gcm_ah, IPSEC_INVALID_AUTH_TRANSFORM,
          "/tunnelPolicy/ipsecProposals/0/saTransforms/1/authTransform" },
        { ah_first, IPSEC_INVALID_PARAMETER,
          "/tunnelPolicy/ipsecProposals/0/saTransforms/0/saTransformType" },
        { esp_twice, IPSEC_INVALID_PARAMETER,
          "/tunnelPolicy/ipsecProposals/0/saTransforms/1/saTransformType" },
        { bad_second, IPSEC_INVALID_ENUMERATOR, "/tunnelPolicy/ipsecProposals/1/pfsGroup" },
        { nat_flag, IPSEC_INVALID_FLAGS, "/tunnelPolicy/flags" },
        { later_flag, IPSEC_INVALID_FLAGS, "/tunnelPolicy/flags" },
        { transport_df_flag, IPSEC_INVALID_FLAGS, "/transportPolicy/flags" },
        { clear_timeout, IPSEC_INVALID_PARAMETER, "/tunnelPolicy/ndAllowClearTimeoutSeconds" },
        { no_version, IPSEC_INVALID_ENUMERATOR, "/tunnelPolicy/tunnelEndpoints/ipVersion" },
        { no_local, IPSEC_INVALID_PARAMETER, "/tunnelPolicy/tunnelEndpoints/localAddress" },
        { multicast_remote, IPSEC_INVALID_PARAMETER,
          "/tunnelPolicy/tunnelEndpoints/remoteAddress" },
        { v6_remote, IPSEC_INVALID_PARAMETER, "/tunnelPolicy/tunnelEndpoints/remoteAddress" },
        { same_ends, IPSEC_INVALID_PARAMETER, "/tunnelPolicy/tunnelEndpoints/remoteAddress" },
        { nothing, IPSEC_OK, NULL },
        { both_flags, IPSEC_OK, NULL },
        { packets_only, IPSEC_OK, NULL },
        { kilobytes_only, IPSEC_OK, NULL },
        { with_ah, IPSEC_OK, NULL },
        { weak, IPSEC_OK, NULL }, /* a policy is no key */
        { all_tunnel_flags, IPSEC_OK, NULL },
        { v6_ends, IPSEC_OK, NULL },
        { transport, IPSEC_OK, NULL },
        { main_mode, IPSEC_OK, NULL },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ipsec_provider_context context = tunnel_policy();
        struct ipsec_guid key;
        uint64_t id;

        cases[i].change(&context);
        assert_int_equal(ipsec_provider_context_add(&fixture->session, &context, &id, &key),
                         cases[i].status);
        if (cases[i].pointer != NULL)
            assert_string_equal(fixture->fault.pointer, cases[i].pointer);
    }
    assert_int_equal(fixture->state.provider_contexts.ids.count, 10);
}

static void
what_the_type_does_not_have_is_left_out(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_provider_context context = tunnel_policy();
    const struct ipsec_provider_context *found;
    uint8_t data[3] = { 1, 2, 3 };
    char policy[] = "{\"a\":1}";

    context.type = IPSEC_CONTEXT_GENERAL;
    context.policy = policy;
    context.provider_data = data;
    context.provider_data_size = sizeof data;
    context.is_tunnel = true; /* the engine's */
    uint64_t id = add_provider_context(&fixture->session, &context);
    policy[1] = 'x';
    data[0] = 9;
    assert_int_equal(ipsec_provider_context_get_by_id(&fixture->session, id, &found), IPSEC_OK);
    assert_int_equal(found->proposal_count, 0);
    assert_int_equal(found->proposals[0].transform_count, 0);
    assert_int_equal(found->local_endpoint.bytes[0], 0);
    assert_string_equal(found->policy, "{\"a\":1}");
    assert_int_equal(found->provider_data[0], 1);
    assert_false(found->is_tunnel);
    assert_false(guid_is_zero(&found->key));
    assert_int_equal(found->created_by, 1);

    assert_int_equal(ipsec_provider_context_delete_by_id(&fixture->session, id), IPSEC_OK);
    state_settle(&fixture->state);
    assert_string_equal(found->policy, "{\"a\":1}");
    ipsec_provider_context_unref(found);
    ipsec_provider_context_unref(NULL);
}

/* --- Operations --- */

static void
each_operation_needs_its_rights(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session *session = &fixture->session;
    struct ipsec_provider_context context = tunnel_policy();
    uint32_t *granted = &fixture->caller.rights.granted[IPSEC_CONTAINER_PROVIDER_CONTEXTS];
    uint64_t id = add_provider_context(session, &context);
    const struct ipsec_provider_context *found;
    struct ipsec_provider_context_page page;
    struct ipsec_guid key;
    uint64_t other;

    *granted = ~(uint32_t)FWPM_ACTRL_ADD;
    assert_int_equal(ipsec_provider_context_add(session, &context, &other, &key),
                     IPSEC_ACCESS_DENIED);
    *granted = ~(uint32_t)FWPM_ACTRL_READ;
    assert_int_equal(ipsec_provider_context_get_by_id(session, id, &found), IPSEC_ACCESS_DENIED);
    assert_int_equal(ipsec_provider_context_enum(session, -1, 0, 10, &page), IPSEC_ACCESS_DENIED);
    *granted = ~(uint32_t)FWPM_ACTRL_ENUM;
    assert_int_equal(ipsec_provider_context_enum(session, -1, 0, 10, &page), IPSEC_ACCESS_DENIED);
    *granted = ~(uint32_t)RIGHT_DELETE;
    assert_int_equal(ipsec_provider_context_delete_by_id(session, id), IPSEC_ACCESS_DENIED);

    /* To link to a provider is another right, and to be linked to by a filter too. */
    *granted = ~(uint32_t)FWPM_ACTRL_ADD_LINK;
    (void)add_provider_context(session, &context);
    context.provider_key = builtin_provider(session, 0);
    assert_int_equal(ipsec_provider_context_add(session, &context, &other, &key),
                     IPSEC_ACCESS_DENIED);
    const struct ipsec_filter filter = tunnel_filter(session, id);
    assert_int_equal(ipsec_filter_add(session, &filter, &other, &key), IPSEC_ACCESS_DENIED);
    *granted = FWPM_ACTRL_READ | FWPM_ACTRL_ADD_LINK;
    assert_int_equal(ipsec_filter_add(session, &filter, &other, &key), IPSEC_OK);
}

static void
a_key_is_taken_while_its_context_exists(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_provider_context context = tunnel_policy();
    struct ipsec_guid key;
    uint64_t other;

    context.key.bytes[5] = 5;
    uint64_t id = add_provider_context(&fixture->session, &context);
    assert_int_equal(ipsec_provider_context_add(&fixture->session, &context, &other, &key),
                     IPSEC_ALREADY_EXISTS);
    assert_string_equal(fixture->fault.pointer, "/key");
    assert_int_equal(ipsec_provider_context_delete_by_id(&fixture->session, id), IPSEC_OK);
    assert_int_not_equal(add_provider_context(&fixture->session, &context), id);
    assert_int_equal(ipsec_provider_context_delete_by_id(&fixture->session, id),
                     IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
    assert_int_equal(fixture->fault.place, IPSEC_FAULT_PATH);
}

static void
a_context_is_found_by_its_key(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session *session = &fixture->session;
    struct ipsec_provider_context context = tunnel_policy();
    const struct ipsec_provider_context *found;

    context.key.bytes[5] = 5;
    uint64_t id = add_provider_context(session, &context);
    assert_int_equal(ipsec_provider_context_get_by_key(session, &context.key, &found), IPSEC_OK);
    assert_int_equal(found->id, id);
    ipsec_provider_context_unref(found);

    uint32_t *granted = &fixture->caller.rights.granted[IPSEC_CONTAINER_PROVIDER_CONTEXTS];
    *granted = ~(uint32_t)FWPM_ACTRL_READ;
    assert_int_equal(ipsec_provider_context_get_by_key(session, &context.key, &found),
                     IPSEC_ACCESS_DENIED);
    *granted = UINT32_MAX;
    assert_int_equal(ipsec_provider_context_delete_by_id(session, id), IPSEC_OK);
    assert_int_equal(ipsec_provider_context_get_by_key(session, &context.key, &found),
                     IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
}

static void
pages_go_in_id_order_by_type(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session *session = &fixture->session;
    struct ipsec_provider_context context = tunnel_policy();
    struct ipsec_provider_context_page page;
    uint64_t after = 0;
    uint64_t last = 0;
    size_t seen = 0;

    for (int i = 0; i < 20; i++) {
        context.type = i % 2 == 0 ? IPSEC_CONTEXT_IKE_QM_TUNNEL : IPSEC_CONTEXT_IKE_QM_TRANSPORT;
        (void)add_provider_context(session, &context);
    }
    do {
        assert_int_equal(
            ipsec_provider_context_enum(session, IPSEC_CONTEXT_IKE_QM_TUNNEL, after, 3, &page),
            IPSEC_OK);
        for (size_t i = 0; i < page.provider_context_count; i++) {
            assert_true(page.provider_contexts[i]->id > last);
            assert_int_equal(page.provider_contexts[i]->type, IPSEC_CONTEXT_IKE_QM_TUNNEL);
            last = page.provider_contexts[i]->id;
            seen++;
        }
        after = page.next;
        ipsec_provider_context_page_clear(&page);
    } while (after != 0);
    assert_int_equal(seen, 10);
    assert_int_equal(ipsec_provider_context_enum(session, IPSEC_CONTEXT_TYPE_COUNT, 0, 3, &page),
                     IPSEC_INVALID_ENUMERATOR);
    assert_int_equal(ipsec_provider_context_enum(session, -1, 0, 0, &page), IPSEC_OUT_OF_BOUNDS);
}

/* --- References --- */

static void
a_filter_keeps_the_context_it_names(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session *session = &fixture->session;
    const struct ipsec_provider_context context = tunnel_policy();
    uint64_t id = add_provider_context(session, &context);
    struct ipsec_filter filter = tunnel_filter(session, id);
    const struct ipsec_filter *found;

    uint64_t filter_id = add_filter(fixture, &filter);
    assert_int_equal(ipsec_filter_get_by_id(session, filter_id, &found), IPSEC_OK);
    assert_int_equal(found->provider_context_id, id);
    assert_int_equal(found->flags, IPSEC_FILTER_HAS_PROVIDER_CONTEXT);
    ipsec_filter_unref(found);
    assert_int_equal(ipsec_provider_context_delete_by_id(session, id), IPSEC_IN_USE);
    assert_int_equal(fixture->fault.place, IPSEC_FAULT_PATH);
    assert_int_equal(ipsec_filter_delete_by_id(session, filter_id), IPSEC_OK);
    assert_int_equal(ipsec_provider_context_delete_by_id(session, id), IPSEC_OK);

    uint64_t other;
    struct ipsec_guid key;
    assert_int_equal(ipsec_filter_add(session, &filter, &other, &key),
                     IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
    assert_int_equal(fixture->fault.place, IPSEC_FAULT_BODY);
    assert_string_equal(fixture->fault.pointer, "/providerContextKey");
}

static void
both_may_come_and_go_in_one_transaction(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session writer = open_session(fixture, 0);
    const struct ipsec_provider_context context = tunnel_policy();

    end_batch(fixture);
    begin(&writer, false);
    uint64_t id = add_provider_context(&writer, &context);
    const struct ipsec_filter filter = tunnel_filter(&writer, id);
    uint64_t filter_id = add_filter_in(&writer, &filter);
    assert_int_equal(ipsec_provider_context_delete_by_id(&writer, id), IPSEC_IN_USE);
    commit(fixture, &writer);
    begin(&writer, false);
    end_batch(fixture);
    assert_int_equal(ipsec_filter_delete_by_id(&writer, filter_id), IPSEC_OK);
    assert_int_equal(ipsec_provider_context_delete_by_id(&writer, id), IPSEC_OK);
    /* The filter is still there for others. */
    assert_int_equal(ipsec_provider_context_delete_by_id(&fixture->session, id), IPSEC_IN_USE);
    commit(fixture, &writer);
    assert_int_equal(fixture->state.provider_contexts.ids.count, 0);
    assert_int_equal(fixture->state.filters.ids.count, 0);
}

static void
an_abort_takes_both_away(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session writer = open_session(fixture, 0);
    const struct ipsec_provider_context context = tunnel_policy();

    end_batch(fixture);
    begin(&writer, false);
    const struct ipsec_filter filter =
        tunnel_filter(&writer, add_provider_context(&writer, &context));
    (void)add_filter_in(&writer, &filter);
    (void)add_filter_in(&writer, &filter);
    end_batch(fixture);
    roll_back(fixture, &writer);
    assert_int_equal(fixture->state.provider_contexts.ids.count, 0);
    assert_int_equal(fixture->state.provider_contexts.keys.count, 0);
    assert_int_equal(fixture->state.filters.ids.count, 0);
}

/* Who may refer to whom: rows refer, columns are referred to; static, persistent, dynamic. */
static void
nothing_refers_to_what_may_live_shorter(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session sessions[3] = { fixture->session, fixture->session,
                                         open_session(fixture, IPSEC_SESSION_DYNAMIC) };
    static const bool allowed[3][3] = { { true, true, false },
                                        { false, true, false },
                                        { true, true, true } };
    uint64_t contexts[3];

    for (size_t target = 0; target < 3; target++) {
        struct ipsec_provider_context context = tunnel_policy();

        context.flags = target == 1 ? 1 : 0;
        contexts[target] = add_provider_context(&sessions[target], &context);
    }
    for (size_t from = 0; from < 3; from++) {
        for (size_t target = 0; target < 3; target++) {
            struct ipsec_filter filter = tunnel_filter(&fixture->session, contexts[target]);
            struct ipsec_guid key;
            uint64_t id;

            filter.flags = from == 1 ? IPSEC_FILTER_PERSISTENT : 0;
            assert_int_equal(ipsec_filter_add(&sessions[from], &filter, &id, &key),
                             allowed[from][target] ? IPSEC_OK : IPSEC_LIFETIME_MISMATCH);
        }
    }
    /* Nor to what is another dynamic session's, or when persistent another provider's. */
    struct ipsec_session other = open_session(fixture, IPSEC_SESSION_DYNAMIC);
    struct ipsec_filter filter = tunnel_filter(&fixture->session, contexts[2]);
    struct ipsec_guid key;
    uint64_t id;
    assert_int_equal(ipsec_filter_add(&other, &filter, &id, &key), IPSEC_LIFETIME_MISMATCH);
    filter = tunnel_filter(&fixture->session, contexts[1]);
    filter.flags = IPSEC_FILTER_PERSISTENT;
    filter.provider_key = builtin_provider(&fixture->session, 0);
    assert_int_equal(ipsec_filter_add(&fixture->session, &filter, &id, &key),
                     IPSEC_LIFETIME_MISMATCH);
}

static void
a_dynamic_context_ends_with_its_session_and_its_filters(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session dynamic = open_session(fixture, IPSEC_SESSION_DYNAMIC);
    const struct ipsec_provider_context context = tunnel_policy();
    const struct ipsec_filter filter =
        tunnel_filter(&dynamic, add_provider_context(&dynamic, &context));
    const struct ipsec_guid key = dynamic.entry->record.key;

    (void)add_filter_in(&dynamic, &filter);
    assert_int_equal(count_changes(fixture, STORE_PUT_PROVIDER_CONTEXT), 0);
    end_batch(fixture);
    assert_int_equal(ipsec_session_close(&fixture->session, &key), IPSEC_OK);
    state_undo(&fixture->state, (struct batch_mark){ .undo_count = 0 });
    assert_int_equal(fixture->state.provider_contexts.ids.count, 1);
    assert_non_null(dynamic.entry->owned);
    assert_int_equal(ipsec_session_close(&fixture->session, &key), IPSEC_OK);
    end_batch(fixture);
    assert_int_equal(fixture->state.provider_contexts.ids.count, 0);
    assert_int_equal(fixture->state.filters.ids.count, 0);
}

/* --- SA contexts --- */

static void
a_tunnel_context_goes_by_its_policy(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session *session = &fixture->session;
    struct ipsec_session dynamic = open_session(fixture, IPSEC_SESSION_DYNAMIC);
    struct ipsec_session writer = open_session(fixture, 0);
    uint32_t *granted = &fixture->caller.rights.granted[IPSEC_CONTAINER_PROVIDER_CONTEXTS];
    struct ipsec_provider_context context = tunnel_policy();
    uint64_t policy = add_provider_context(session, &context);
    struct ipsec_traffic traffic = tunnel_traffic(policy);
    uint64_t mirrored = 9;
    uint64_t id;

    assert_int_equal(ipsec_sa_context_create(session, &traffic, &mirrored, &id), IPSEC_OK);
    assert_int_equal(mirrored, 0);
    assert_int_equal(ipsec_provider_context_delete_by_id(session, policy), IPSEC_IN_USE);
    assert_int_equal(ipsec_sa_context_delete_by_id(session, id), IPSEC_OK);
    end_batch(fixture);

    traffic.local_address.bytes[3] ^= 1;
    assert_int_equal(ipsec_sa_context_create(session, &traffic, NULL, &id),
                     IPSEC_INVALID_PARAMETER);
    assert_string_equal(fixture->fault.pointer, "/localAddress");
    traffic = tunnel_traffic(policy);
    traffic.remote_address.bytes[3] ^= 1;
    assert_int_equal(ipsec_sa_context_create(session, &traffic, NULL, &id),
                     IPSEC_INVALID_PARAMETER);
    assert_string_equal(fixture->fault.pointer, "/remoteAddress");
    traffic.ip_version = IPSEC_IP_VERSION_V6;
    assert_int_equal(ipsec_sa_context_create(session, &traffic, NULL, &id),
                     IPSEC_INVALID_PARAMETER);
    assert_string_equal(fixture->fault.pointer, "/ipVersion");

    *granted = ~(uint32_t)FWPM_ACTRL_READ;
    traffic = tunnel_traffic(policy);
    assert_int_equal(ipsec_sa_context_create(session, &traffic, NULL, &id),
                     IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
    assert_string_equal(fixture->fault.pointer, "/tunnelPolicyId");
    *granted = UINT32_MAX;
    traffic = tunnel_traffic(policy + 1000);
    assert_int_equal(ipsec_sa_context_create(session, &traffic, NULL, &id),
                     IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
    traffic = tunnel_traffic(add_provider_context(&dynamic, &context));
    assert_int_equal(ipsec_sa_context_create(session, &traffic, NULL, &id),
                     IPSEC_LIFETIME_MISMATCH);
    end_batch(fixture);
    begin(&writer, false);
    traffic = tunnel_traffic(add_provider_context(&writer, &context));
    assert_int_equal(ipsec_sa_context_create(session, &traffic, NULL, &id),
                     IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
    commit(fixture, &writer);
    assert_int_equal(ipsec_sa_context_create(session, &traffic, NULL, &id), IPSEC_OK);
    context.type = IPSEC_CONTEXT_IKE_QM_TRANSPORT;
    traffic = tunnel_traffic(add_provider_context(session, &context));
    assert_int_equal(ipsec_sa_context_create(session, &traffic, NULL, &id),
                     IPSEC_PROVIDER_CONTEXT_MISMATCH);
}

static void
a_tunnel_context_lives_through_all_its_states(void **state)
{
    struct fixture *fixture = *state;
    const struct sa_fixture sa = { .base = fixture,
                                   .session = &fixture->session,
                                   .state = &fixture->state };
    const struct ipsec_provider_context context = tunnel_policy();
    uint64_t policy = add_provider_context(&fixture->session, &context);
    const struct ipsec_traffic traffic = tunnel_traffic(policy);
    const struct ipsec_traffic none = { .ipsec_filter_id = 0 };
    struct ipsec_statistics statistics;
    uint32_t again = 0;
    uint32_t spi = 0;
    uint64_t id;

    assert_int_equal(ipsec_sa_context_create(&fixture->session, &traffic, NULL, &id), IPSEC_OK);
    assert_int_equal(ipsec_sa_context_get_spi(&fixture->session, id, &none, &spi), IPSEC_OK);
    assert_int_equal(ipsec_sa_context_get_spi(&fixture->session, id, &traffic, &again), IPSEC_OK);
    assert_int_equal(spi, again);
    struct ipsec_sa_bundle_input inbound = gcm_bundle(spi, 1);
    struct ipsec_sa_bundle_input outbound = gcm_bundle(PEER_SPI, 2);
    inbound.bundle.flags = IPSEC_SA_BUNDLE_CLEAR_DF_ON_TUNNEL;
    assert_int_equal(try_inbound(&sa, id, &inbound), IPSEC_OK);
    assert_int_equal(try_outbound(&sa, id, &outbound), IPSEC_OK);
    bundle_clear(&inbound);
    bundle_clear(&outbound);
    assert_int_equal(ipsec_get_statistics(&fixture->session, &statistics), IPSEC_OK);
    assert_int_equal(statistics.active_tunnels, 1);
    struct ipsec_sa_context_update moved = { .traffic = traffic, .parts = IPSEC_UPDATE_TRAFFIC };
    struct ipsec_sa_context changed;
    moved.traffic.remote_address.bytes[3] ^= 1;
    assert_int_equal(ipsec_sa_context_update(&fixture->session, id, &moved, &changed),
                     IPSEC_INVALID_PARAMETER);
    assert_string_equal(fixture->fault.pointer, "/outboundTraffic/remoteAddress");
    assert_int_equal(ipsec_provider_context_delete_by_id(&fixture->session, policy), IPSEC_IN_USE);
    assert_int_equal(ipsec_sa_context_delete_by_id(&fixture->session, id), IPSEC_OK);
    assert_int_equal(ipsec_provider_context_delete_by_id(&fixture->session, policy), IPSEC_OK);
}

static void
a_deletion_fails_the_commit_when_a_context_uses_the_policy(void **state)
{
    struct fixture *fixture = *state;
    const struct ipsec_provider_context context = tunnel_policy();
    uint64_t policy = add_provider_context(&fixture->session, &context);
    struct ipsec_session writer = open_session(fixture, 0);
    const struct ipsec_traffic traffic = tunnel_traffic(policy);
    uint64_t id;

    end_batch(fixture);
    begin(&writer, false);
    assert_int_equal(ipsec_provider_context_delete_by_id(&writer, policy), IPSEC_OK);
    assert_int_equal(ipsec_sa_context_create(&fixture->session, &traffic, NULL, &id), IPSEC_OK);
    end_batch(fixture);
    struct batch_mark mark = batch_mark(&fixture->state.batch);
    assert_int_equal(ipsec_transaction_commit(&writer), IPSEC_IN_USE);
    state_undo(&fixture->state, mark);
    assert_int_equal(ipsec_sa_context_delete_by_id(&fixture->session, id), IPSEC_OK);
    end_batch(fixture);
    commit(fixture, &writer);
    assert_int_equal(fixture->state.provider_contexts.ids.count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(contexts_are_judged_member_by_member),
        FIXTURE_TEST(what_the_type_does_not_have_is_left_out),
        FIXTURE_TEST(each_operation_needs_its_rights),
        FIXTURE_TEST(a_key_is_taken_while_its_context_exists),
        FIXTURE_TEST(a_context_is_found_by_its_key),
        FIXTURE_TEST(pages_go_in_id_order_by_type),
        FIXTURE_TEST(a_filter_keeps_the_context_it_names),
        FIXTURE_TEST(both_may_come_and_go_in_one_transaction),
        FIXTURE_TEST(an_abort_takes_both_away),
        FIXTURE_TEST(nothing_refers_to_what_may_live_shorter),
        FIXTURE_TEST(a_dynamic_context_ends_with_its_session_and_its_filters),
        FIXTURE_TEST(a_tunnel_context_goes_by_its_policy),
        FIXTURE_TEST(a_tunnel_context_lives_through_all_its_states),
        FIXTURE_TEST(a_deletion_fails_the_commit_when_a_context_uses_the_policy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
