/* SPDX-License-Identifier: Apache-2.0
 *
 * handle_builtin.c: what is built in: providers, layers, sublayers, callouts.  It can be read,
 * and a deletion says why it can't be done. */
#include "api/handle.h"
#include "api/resource.h"

static enum ipsec_status
list(struct api_call *call, struct ipsec_session *session, enum ipsec_builtin_kind kind)
{
    struct builtin_list *reply = call->out;

    return ipsec_builtin_enum(session, kind, &reply->objects, &reply->count);
}

static enum ipsec_status
get(struct api_call *call, struct ipsec_session *session, enum ipsec_builtin_kind kind)
{
    const struct ipsec_builtin *object;
    enum ipsec_status status = ipsec_builtin_get_by_key(session, kind, &call->path_key, &object);

    if (status == IPSEC_OK)
        *(struct ipsec_builtin *)call->out = *object;
    return status;
}

static enum ipsec_status
refuse_delete(struct api_call *call, struct ipsec_session *session, enum ipsec_builtin_kind kind)
{
    return ipsec_builtin_delete_by_key(session, kind, &call->path_key);
}

enum ipsec_status
handle_list_providers(struct api_call *call, struct ipsec_session *session)
{
    return list(call, session, IPSEC_BUILTIN_PROVIDER);
}

enum ipsec_status
handle_get_provider(struct api_call *call, struct ipsec_session *session)
{
    return get(call, session, IPSEC_BUILTIN_PROVIDER);
}

enum ipsec_status
handle_delete_provider(struct api_call *call, struct ipsec_session *session)
{
    return refuse_delete(call, session, IPSEC_BUILTIN_PROVIDER);
}

enum ipsec_status
handle_list_layers(struct api_call *call, struct ipsec_session *session)
{
    return list(call, session, IPSEC_BUILTIN_LAYER);
}

enum ipsec_status
handle_get_layer(struct api_call *call, struct ipsec_session *session)
{
    return get(call, session, IPSEC_BUILTIN_LAYER);
}

enum ipsec_status
handle_delete_layer(struct api_call *call, struct ipsec_session *session)
{
    return refuse_delete(call, session, IPSEC_BUILTIN_LAYER);
}

enum ipsec_status
handle_list_sub_layers(struct api_call *call, struct ipsec_session *session)
{
    return list(call, session, IPSEC_BUILTIN_SUB_LAYER);
}

enum ipsec_status
handle_get_sub_layer(struct api_call *call, struct ipsec_session *session)
{
    return get(call, session, IPSEC_BUILTIN_SUB_LAYER);
}

enum ipsec_status
handle_delete_sub_layer(struct api_call *call, struct ipsec_session *session)
{
    return refuse_delete(call, session, IPSEC_BUILTIN_SUB_LAYER);
}

enum ipsec_status
handle_list_callouts(struct api_call *call, struct ipsec_session *session)
{
    return list(call, session, IPSEC_BUILTIN_CALLOUT);
}

enum ipsec_status
handle_get_callout(struct api_call *call, struct ipsec_session *session)
{
    return get(call, session, IPSEC_BUILTIN_CALLOUT);
}

enum ipsec_status
handle_delete_callout(struct api_call *call, struct ipsec_session *session)
{
    return refuse_delete(call, session, IPSEC_BUILTIN_CALLOUT);
}
