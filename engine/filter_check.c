/* SPDX-License-Identifier: Apache-2.0
 *
 * filter_check.c: see filter_check.h. */
#include "engine/filter_check.h"

#include <stdio.h>

#include "engine/condition.h"
#include "engine/guid.h"
#include "engine/layer.h"
#include "engine/policy_type.h"
#include "engine/text.h"

/* What a caller may ask for. */
#define FILTER_FLAGS                                                                               \
    (IPSEC_FILTER_PERSISTENT | IPSEC_FILTER_HAS_PROVIDER_CONTEXT |                                 \
     IPSEC_FILTER_CLEAR_ACTION_RIGHT | IPSEC_FILTER_PERMIT_IF_CALLOUT_UNREGISTERED |               \
     IPSEC_FILTER_INDEXED)

/* FWPM_CONTEXT_IPSEC_INBOUND_PASSTHRU and _PERSIST_CONNECTION_SECURITY;
 * FWPM_CONTEXT_IPSEC_OUTBOUND_ NEGOTIATE_DISCOVER and _SUPPRESS_NEGOTIATION. */
#define RAW_CONTEXT_BITS UINT64_C(0x3)

static enum ipsec_status check_members(const struct ipsec_filter *filter,
                                       struct ipsec_fault *fault);
static enum ipsec_status check_flags(const struct ipsec_filter *filter, struct ipsec_fault *fault);
static enum ipsec_status check_places(const struct ipsec_filter *filter, struct ipsec_fault *fault);
static enum ipsec_status check_conditions(const struct ipsec_filter *filter,
                                          struct ipsec_fault *fault);
static enum ipsec_status check_action(const struct ipsec_filter *filter, struct ipsec_fault *fault);
static enum ipsec_status check_callout_context(const struct ipsec_filter *filter,
                                               const struct ipsec_provider_context *context,
                                               struct ipsec_fault *fault);
static enum ipsec_status check_layer_context(const struct ipsec_filter *filter,
                                             const struct ipsec_provider_context *context,
                                             struct ipsec_fault *fault);
static bool is_callout_action(uint16_t action);
static enum ipsec_status refuse(struct ipsec_fault *fault,
                                enum ipsec_status status,
                                const char *pointer,
                                const char *detail);

enum ipsec_status
filter_check_values(const struct ipsec_filter *filter, struct ipsec_fault *fault)
{
    enum ipsec_status status;

    status = check_members(filter, fault);
    if (status != IPSEC_OK)
        return status;
    status = text_check_display_data(filter->name, filter->description, fault);
    if (status != IPSEC_OK)
        return status;
    if (filter->provider_data_size > IPSEC_PROVIDER_DATA_MAX)
        return ipsec_fault_set(fault, IPSEC_OUT_OF_BOUNDS, IPSEC_FAULT_BODY, "/providerData",
                               "is longer than %d bytes", IPSEC_PROVIDER_DATA_MAX);
    status = check_flags(filter, fault);
    if (status != IPSEC_OK)
        return status;
    if (filter->weight_type > IPSEC_WEIGHT_EXPLICIT ||
        (filter->weight_type == IPSEC_WEIGHT_RANGE && filter->weight > 15))
        return refuse(fault, IPSEC_INVALID_WEIGHT, "/weight",
                      "a weight is absent, a range from 0 to 15, or a 64-bit integer");
    status = check_places(filter, fault);
    if (status != IPSEC_OK)
        return status;
    return check_conditions(filter, fault);
}

enum ipsec_status
filter_check_meaning(const struct ipsec_filter *filter,
                     const struct ipsec_provider_context *context,
                     struct ipsec_fault *fault)
{
    enum ipsec_status status;

    status = check_action(filter, fault);
    if (status != IPSEC_OK)
        return status;
    if (context != NULL && filter->raw_context != 0)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/rawContext",
                      "a filter has a raw or a provider context, not both");
    return is_callout_action(filter->action) ? check_callout_context(filter, context, fault)
                                             : check_layer_context(filter, context, fault);
}

/* --- Values --- */

static enum ipsec_status
check_members(const struct ipsec_filter *filter, struct ipsec_fault *fault)
{
    enum ipsec_status status = text_check_is_named(filter->name, "a filter", fault);

    if (status != IPSEC_OK)
        return status;
    if (is_callout_action(filter->action) && filter->callout == IPSEC_CALLOUT_NONE)
        return refuse(fault, IPSEC_NULL_POINTER, "/action/callout",
                      "a callout action needs a callout");
    if ((filter->flags & IPSEC_FILTER_HAS_PROVIDER_CONTEXT) != 0 &&
        guid_is_zero(&filter->provider_context_key))
        return refuse(fault, IPSEC_NULL_POINTER, "/providerContextKey",
                      "the flag hasProviderContext asks for a provider context");
    return IPSEC_OK;
}

static enum ipsec_status
check_flags(const struct ipsec_filter *filter, struct ipsec_fault *fault)
{
    if ((filter->flags & IPSEC_FILTER_BOOTTIME) != 0)
        return refuse(fault, IPSEC_INVALID_FLAGS, "/flags",
                      "a boot-time filter would end when the engine starts, which keeps it");
    if ((filter->flags & IPSEC_FILTER_DISABLED) != 0)
        return refuse(fault, IPSEC_INVALID_FLAGS, "/flags", "disabled can't be asked for");
    if ((filter->flags & ~(uint32_t)FILTER_FLAGS) != 0)
        return refuse(fault, IPSEC_INVALID_FLAGS, "/flags", "has an unknown flag");
    if ((filter->flags & IPSEC_FILTER_PERMIT_IF_CALLOUT_UNREGISTERED) != 0 &&
        filter->action != IPSEC_ACTION_CALLOUT_TERMINATING &&
        filter->action != IPSEC_ACTION_CALLOUT_UNKNOWN)
        return refuse(fault, IPSEC_INVALID_FLAGS, "/flags",
                      "permitIfCalloutUnregistered is for callouts that decide");
    return IPSEC_OK;
}

static enum ipsec_status
check_places(const struct ipsec_filter *filter, struct ipsec_fault *fault)
{
    if (filter->layer >= IPSEC_LAYER_COUNT)
        return refuse(fault, IPSEC_LAYER_NOT_FOUND, "/layer", "no layer has this number");
    if (filter->sub_layer >= IPSEC_SUB_LAYER_COUNT)
        return refuse(fault, IPSEC_SUBLAYER_NOT_FOUND, "/subLayer", "no sublayer has this number");
    if (filter->action != IPSEC_ACTION_BLOCK && filter->action != IPSEC_ACTION_PERMIT &&
        !is_callout_action(filter->action))
        return refuse(fault, IPSEC_INVALID_ACTION_TYPE, "/action/type",
                      "a filter blocks, permits or asks a callout");
    if (filter->callout >= IPSEC_CALLOUT_COUNT)
        return refuse(fault, IPSEC_CALLOUT_NOT_FOUND, "/action/callout",
                      "no callout has this number");
    return IPSEC_OK;
}

static enum ipsec_status
check_conditions(const struct ipsec_filter *filter, struct ipsec_fault *fault)
{
    unsigned seen = 0;

    if (filter->condition_count > IPSEC_CONDITION_FIELD_COUNT)
        return refuse(fault, IPSEC_DUPLICATE_CONDITION, "/conditions",
                      "there are more conditions than fields");
    for (unsigned i = 0; i < filter->condition_count; i++) {
        const struct ipsec_condition *condition = &filter->conditions[i];
        enum ipsec_status status =
            condition_check(condition, i, (enum ipsec_layer)filter->layer, fault);

        if (status != IPSEC_OK)
            return status;
        if ((seen & (1u << condition->field)) != 0) {
            char pointer[48];

            (void)snprintf(pointer, sizeof pointer, "/conditions/%u/field", i);
            return refuse(fault, IPSEC_DUPLICATE_CONDITION, pointer,
                          "an earlier condition is on the same field");
        }
        seen |= 1u << condition->field;
    }
    return IPSEC_OK;
}

/* --- What goes together --- */

/* The IPsec callouts decide about packets, so an action that only inspects is not theirs; "unknown"
 * leaves open which kind the callout is. */
static enum ipsec_status
check_action(const struct ipsec_filter *filter, struct ipsec_fault *fault)
{
    enum ipsec_callout callout = (enum ipsec_callout)filter->callout;

    if (!is_callout_action(filter->action)) {
        if (callout != IPSEC_CALLOUT_NONE)
            return refuse(fault, IPSEC_INVALID_PARAMETER, "/action/callout",
                          "a filter that blocks or permits has no callout");
    } else {
        if (callout_layer(callout) != filter->layer)
            return refuse(fault, IPSEC_ACTION_INCOMPATIBLE_WITH_LAYER, "/action/callout",
                          "the callout is not for this layer");
        if (filter->action == IPSEC_ACTION_CALLOUT_INSPECTION)
            return refuse(fault, IPSEC_INVALID_PARAMETER, "/action/type",
                          "the IPsec callouts are terminating, they do not only inspect");
    }
    if (filter->sub_layer == IPSEC_SUB_LAYER_INSPECTION)
        return refuse(fault, IPSEC_ACTION_INCOMPATIBLE_WITH_SUBLAYER, "/subLayer",
                      "this sublayer is for inspection only, and the action decides");
    return IPSEC_OK;
}

static enum ipsec_status
check_callout_context(const struct ipsec_filter *filter,
                      const struct ipsec_provider_context *context,
                      struct ipsec_fault *fault)
{
    if (callout_is_tunnel((enum ipsec_callout)filter->callout)) {
        if (context == NULL || !policy_type_is_tunnel(context->type))
            return refuse(fault, IPSEC_CONTEXT_INCOMPATIBLE_WITH_CALLOUT,
                          context == NULL ? "/action/callout" : "/providerContextKey",
                          "a tunnel callout needs the provider context of a tunnel policy");
        return IPSEC_OK;
    }
    if (context != NULL && !policy_type_is_transport(context->type))
        return refuse(fault, IPSEC_CONTEXT_INCOMPATIBLE_WITH_CALLOUT, "/providerContextKey",
                      "a transport callout takes no provider context but a transport policy");
    if ((filter->raw_context & ~RAW_CONTEXT_BITS) != 0)
        return refuse(fault, IPSEC_CONTEXT_INCOMPATIBLE_WITH_CALLOUT, "/rawContext",
                      "the callout knows the bits 0x1 and 0x2 only");
    return IPSEC_OK;
}

static enum ipsec_status
check_layer_context(const struct ipsec_filter *filter,
                    const struct ipsec_provider_context *context,
                    struct ipsec_fault *fault)
{
    if (context == NULL)
        return IPSEC_OK;
    if (filter->layer == IPSEC_LAYER_IPSEC_V4 || filter->layer == IPSEC_LAYER_IPSEC_V6) {
        if (policy_type_is_tunnel(context->type) || policy_type_is_transport(context->type))
            return IPSEC_OK;
        return refuse(fault, IPSEC_CONTEXT_INCOMPATIBLE_WITH_LAYER, "/providerContextKey",
                      "this layer takes quick-mode policy only");
    }
    if (filter->layer == IPSEC_LAYER_IKEEXT_V4 || filter->layer == IPSEC_LAYER_IKEEXT_V6) {
        if (policy_type_is_main_mode(context->type))
            return IPSEC_OK;
        return refuse(fault, IPSEC_CONTEXT_INCOMPATIBLE_WITH_LAYER, "/providerContextKey",
                      "this layer takes main-mode policy only");
    }
    return refuse(fault, IPSEC_CONTEXT_INCOMPATIBLE_WITH_LAYER, "/providerContextKey",
                  "at this layer only callouts take a provider context");
}

static bool
is_callout_action(uint16_t action)
{
    return action == IPSEC_ACTION_CALLOUT_TERMINATING ||
           action == IPSEC_ACTION_CALLOUT_INSPECTION || action == IPSEC_ACTION_CALLOUT_UNKNOWN;
}

static enum ipsec_status
refuse(struct ipsec_fault *fault, enum ipsec_status status, const char *pointer, const char *detail)
{
    return ipsec_fault_set(fault, status, IPSEC_FAULT_BODY, pointer, "%s", detail);
}
