/* SPDX-License-Identifier: Apache-2.0
 *
 * handle_plane.c: what the data plane can do, and comparing with it. */
#include "api/handle.h"
#include "api/resource.h"

/* Local: found at the start of the engine. */
enum ipsec_status
handle_list_capabilities(struct api_call *call, struct ipsec_session *session)
{
    struct capability_list *reply = call->out;

    (void)session;
    reply->plane = ipsec_engine_plane_name(call->service->engine);
    while (
        reply->count < CAPABILITIES_MAXIMUM &&
        ipsec_engine_capability(call->service->engine, reply->count, &reply->items[reply->count]))
        reply->count++;
    return IPSEC_OK;
}

enum ipsec_status
handle_get_drift(struct api_call *call, struct ipsec_session *session)
{
    struct drift_report *reply = call->out;

    return ipsec_get_drift(session, &reply->drift, &reply->names);
}

enum ipsec_status
handle_reconcile(struct api_call *call, struct ipsec_session *session)
{
    struct drift_report *reply = call->out;

    return ipsec_reconcile(session, &reply->drift, &reply->names);
}
