/* SPDX-License-Identifier: Apache-2.0
 *
 * provider_context_check.c: see provider_context_check.h. */
#include "engine/provider_context_check.h"

#include <stdio.h>
#include <string.h>

#include "engine/policy_type.h"
#include "engine/sa_transform.h"
#include "engine/text.h"
#include "engine/validate.h"

/* FWPM_PROVIDER_CONTEXT_FLAG_PERSISTENT and _DOWNLEVEL */
#define CONTEXT_FLAGS UINT32_C(0x3)
/* IPSEC_POLICY_FLAG_*: ND_SECURE, ND_BOUNDARY, both of NAT_ENCAP, both of DONT_NEGOTIATE; a tunnel
 * has CLEAR_DF_ON_TUNNEL in place of NAT_ENCAP. */
#define TRANSPORT_FLAGS UINT32_C(0xf6)
#define TUNNEL_FLAGS UINT32_C(0xce)

enum { PREFIX_SIZE = 64 };

static enum ipsec_status check_values(const struct ipsec_provider_context *provider_context,
                                      struct ipsec_fault *fault);
static enum ipsec_status check_policy(const struct ipsec_provider_context *policy,
                                      struct ipsec_fault *fault);
static enum ipsec_status check_flags(const struct ipsec_provider_context *policy,
                                     struct ipsec_fault *fault);
static enum ipsec_status check_endpoints(const struct ipsec_provider_context *policy,
                                         struct ipsec_fault *fault);
static enum ipsec_status check_proposal(const struct ipsec_proposal *proposal,
                                        struct ipsec_fault *fault);
static enum ipsec_status check_transforms(const struct ipsec_proposal *proposal,
                                          struct ipsec_fault *fault);
static enum ipsec_status within(struct ipsec_fault *fault, const char *array, size_t index);
static enum ipsec_status refuse(struct ipsec_fault *fault,
                                enum ipsec_status status,
                                const char *pointer,
                                const char *detail);

enum ipsec_status
provider_context_check(const struct ipsec_provider_context *provider_context,
                       struct ipsec_fault *fault)
{
    bool is_tunnel = policy_type_is_tunnel(provider_context->type);
    enum ipsec_status status;

    status = check_values(provider_context, fault);
    if (status != IPSEC_OK)
        return status;
    if (!is_tunnel && !policy_type_is_transport(provider_context->type))
        return IPSEC_OK;
    status = check_policy(provider_context, fault);
    if (status != IPSEC_OK)
        return ipsec_fault_prefix(fault, is_tunnel ? "/tunnelPolicy" : "/transportPolicy");
    return IPSEC_OK;
}

static enum ipsec_status
check_values(const struct ipsec_provider_context *provider_context, struct ipsec_fault *fault)
{
    bool is_understood = policy_type_is_tunnel(provider_context->type) ||
                         policy_type_is_transport(provider_context->type);
    enum ipsec_status status;

    status = text_check_is_named(provider_context->name, "a provider context", fault);
    if (status != IPSEC_OK)
        return status;
    status = text_check_display_data(provider_context->name, provider_context->description, fault);
    if (status != IPSEC_OK)
        return status;
    if (provider_context->type >= IPSEC_CONTEXT_TYPE_COUNT)
        return refuse(fault, IPSEC_INVALID_ENUMERATOR, "/type", "is no type");
    if ((provider_context->flags & ~CONTEXT_FLAGS) != 0)
        return refuse(fault, IPSEC_INVALID_FLAGS, "/flags", "has an unknown flag");
    if (provider_context->provider_data_size > IPSEC_PROVIDER_DATA_MAX)
        return ipsec_fault_set(fault, IPSEC_OUT_OF_BOUNDS, IPSEC_FAULT_BODY, "/providerData",
                               "is longer than %d bytes", IPSEC_PROVIDER_DATA_MAX);
    if (provider_context->policy == NULL)
        return IPSEC_OK;
    if (is_understood)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/policy",
                      "a policy of this type has members of its own");
    if (strnlen(provider_context->policy, IPSEC_POLICY_DATA_MAX + 1) > IPSEC_POLICY_DATA_MAX)
        return ipsec_fault_set(fault, IPSEC_OUT_OF_BOUNDS, IPSEC_FAULT_BODY, "/policy",
                               "is longer than %d bytes", IPSEC_POLICY_DATA_MAX);
    return IPSEC_OK;
}

/* --- Transport and tunnel policies.  Pointers are relative to the policy. --- */

static enum ipsec_status
check_policy(const struct ipsec_provider_context *policy, struct ipsec_fault *fault)
{
    enum ipsec_status status;

    if (policy->proposal_count == 0)
        return refuse(fault, IPSEC_ZERO_LENGTH_ARRAY, "/ipsecProposals",
                      "a policy must have a proposal");
    if (policy->proposal_count > IPSEC_PROPOSALS_MAX)
        return ipsec_fault_set(fault, IPSEC_OUT_OF_BOUNDS, IPSEC_FAULT_BODY, "/ipsecProposals",
                               "a policy can have %d proposals at most", IPSEC_PROPOSALS_MAX);
    status = check_flags(policy, fault);
    if (status != IPSEC_OK)
        return status;
    for (size_t i = 0; i < policy->proposal_count; i++) {
        if (check_proposal(&policy->proposals[i], fault) != IPSEC_OK)
            return within(fault, "/ipsecProposals", i);
    }
    return policy_type_is_tunnel(policy->type) ? check_endpoints(policy, fault) : IPSEC_OK;
}

static enum ipsec_status
check_flags(const struct ipsec_provider_context *policy, struct ipsec_fault *fault)
{
    bool is_tunnel = policy_type_is_tunnel(policy->type);

    if ((policy->policy_flags & ~(is_tunnel ? TUNNEL_FLAGS : TRANSPORT_FLAGS)) != 0)
        return refuse(fault, IPSEC_INVALID_FLAGS, "/flags",
                      is_tunnel ? "has a flag that tunnel policies do not know"
                                : "has a flag that transport policies do not know");
    if (is_tunnel && policy->nd_allow_clear_timeout_seconds != 0)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/ndAllowClearTimeoutSeconds",
                      "is for transport policies");
    return IPSEC_OK;
}

static enum ipsec_status
check_endpoints(const struct ipsec_provider_context *policy, struct ipsec_fault *fault)
{
    const struct ipsec_address *local = &policy->local_endpoint;
    const struct ipsec_address *remote = &policy->remote_endpoint;
    enum ipsec_status status;

    if (policy->ip_version != IPSEC_IP_VERSION_V4 && policy->ip_version != IPSEC_IP_VERSION_V6)
        return refuse(fault, IPSEC_INVALID_ENUMERATOR, "/tunnelEndpoints/ipVersion",
                      "is neither v4 nor v6");
    status = validate_sa_address(local, policy->ip_version, "/tunnelEndpoints/localAddress", fault);
    if (status == IPSEC_OK)
        status = validate_sa_address(remote, policy->ip_version, "/tunnelEndpoints/remoteAddress",
                                     fault);
    if (status == IPSEC_OK && memcmp(local, remote, sizeof *local) == 0)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/tunnelEndpoints/remoteAddress",
                      "a tunnel can't end where it begins");
    return status;
}

static enum ipsec_status
check_proposal(const struct ipsec_proposal *proposal, struct ipsec_fault *fault)
{
    if (proposal->transform_count == 0)
        return refuse(fault, IPSEC_ZERO_LENGTH_ARRAY, "/saTransforms",
                      "a proposal must have one or two transforms");
    if (proposal->transform_count > IPSEC_SA_MAX)
        return refuse(fault, IPSEC_OUT_OF_BOUNDS, "/saTransforms",
                      "a proposal must have one or two transforms");
    for (size_t i = 0; i < proposal->transform_count; i++) {
        if (sa_transform_check_values(&proposal->transforms[i], fault) != IPSEC_OK)
            return within(fault, "/saTransforms", i);
    }
    if (proposal->pfs_group >= IPSEC_PFS_COUNT)
        return refuse(fault, IPSEC_INVALID_ENUMERATOR, "/pfsGroup", "is no group");
    if (proposal->lifetime.seconds == 0 && proposal->lifetime.kilobytes == 0 &&
        proposal->lifetime.packets == 0)
        return refuse(fault, IPSEC_INVALID_INTERVAL, "/lifetime",
                      "a proposal must limit seconds, kilobytes or packets");
    return check_transforms(proposal, fault);
}

static enum ipsec_status
check_transforms(const struct ipsec_proposal *proposal, struct ipsec_fault *fault)
{
    if (proposal->transform_count == 2 && proposal->transforms[0].type == IPSEC_TRANSFORM_AH)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/saTransforms/0/saTransformType",
                      "of two SAs the first must be ESP");
    if (proposal->transform_count == 2 && proposal->transforms[1].type != IPSEC_TRANSFORM_AH)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/saTransforms/1/saTransformType",
                      "of two SAs the second must be AH");
    for (size_t i = 0; i < proposal->transform_count; i++) {
        if (sa_transform_check_meaning(&proposal->transforms[i], fault) != IPSEC_OK)
            return within(fault, "/saTransforms", i);
    }
    return IPSEC_OK;
}

static enum ipsec_status
within(struct ipsec_fault *fault, const char *array, size_t index)
{
    char prefix[PREFIX_SIZE];

    (void)snprintf(prefix, sizeof prefix, "%s/%zu", array, index);
    return ipsec_fault_prefix(fault, prefix);
}

static enum ipsec_status
refuse(struct ipsec_fault *fault, enum ipsec_status status, const char *pointer, const char *detail)
{
    return ipsec_fault_set(fault, status, IPSEC_FAULT_BODY, pointer, "%s", detail);
}
