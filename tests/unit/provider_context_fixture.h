/* SPDX-License-Identifier: Apache-2.0
 *
 * provider_context_fixture.h: tunnel policies and what goes by them. */
#pragma once

#include "tests/unit/policy_fixture.h"
#include "tests/unit/sa_fixture.h"

static inline struct ipsec_provider_context
tunnel_policy(void)
{
    static char name[] = "a tunnel";

    return (struct ipsec_provider_context){
        .name = name,
        .type = IPSEC_CONTEXT_IKE_QM_TUNNEL,
        .proposal_count = 1,
        .proposals = { { .lifetime = { .seconds = 3600 },
                         .transform_count = 1,
                         .transforms = { { .type = IPSEC_TRANSFORM_ESP_AUTH_AND_CIPHER,
                                           .auth = IPSEC_AUTH_GCM_AES_128,
                                           .cipher = IPSEC_CIPHER_GCM_AES_128 } } } },
        .ip_version = IPSEC_IP_VERSION_V4,
        .local_endpoint = address("192.0.2.1"),
        .remote_endpoint = address("198.51.100.7"),
    };
}

static inline uint64_t
add_provider_context(struct ipsec_session *session, const struct ipsec_provider_context *context)
{
    struct ipsec_guid key;
    uint64_t id = 0;

    assert_int_equal(ipsec_provider_context_add(session, context, &id, &key), IPSEC_OK);
    return id;
}

/* An outbound filter that goes by the tunnel policy with this id. */
static inline struct ipsec_filter
tunnel_filter(struct ipsec_session *session, uint64_t policy)
{
    struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    const struct ipsec_provider_context *context;

    assert_int_equal(ipsec_provider_context_get_by_id(session, policy, &context), IPSEC_OK);
    filter.callout = IPSEC_CALLOUT_OUTBOUND_TUNNEL_V4;
    filter.provider_context_key = context->key;
    ipsec_provider_context_unref(context);
    return filter;
}

/* Between the endpoints of tunnel_policy(). */
static inline struct ipsec_traffic
tunnel_traffic(uint64_t policy)
{
    struct ipsec_traffic traffic = transport_traffic(0);

    traffic.type = IPSEC_TRAFFIC_TYPE_TUNNEL;
    traffic.tunnel_policy_id = policy;
    return traffic;
}

static inline struct ipsec_guid
builtin_provider(struct ipsec_session *session, size_t index)
{
    const struct ipsec_builtin *providers;
    size_t count;

    assert_int_equal(ipsec_builtin_enum(session, IPSEC_BUILTIN_PROVIDER, &providers, &count),
                     IPSEC_OK);
    return providers[index].key;
}
