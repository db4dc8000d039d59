/* SPDX-License-Identifier: Apache-2.0
 *
 * handle_tunnel.c: the operations on tunnels. */
#include <string.h>

#include "api/handle.h"
#include "api/resource.h"

enum ipsec_status
handle_add_tunnel(struct api_call *call, struct ipsec_session *session)
{
    const struct new_tunnel *request = call->in;
    struct ipsec_tunnel tunnel = {
        .flags = request->flags,
        .main_mode_policy =
            request->main_mode_policy_given ? &request->main_mode_policy.context : NULL,
        .tunnel_policy = &request->tunnel_policy.context,
        .condition_count = request->condition_count,
        .ip_version = request->ip_version,
    };

    memcpy(tunnel.conditions, request->conditions, sizeof tunnel.conditions);
    return ipsec_tunnel_add(session, &tunnel, call->out);
}

enum ipsec_status
handle_get_tunnel(struct api_call *call, struct ipsec_session *session)
{
    return ipsec_tunnel_get(session, call->path_id, call->out);
}

enum ipsec_status
handle_list_tunnels(struct api_call *call, struct ipsec_session *session)
{
    const struct tunnel_query *query = call->in;
    struct tunnel_list *reply = call->out;

    return ipsec_tunnel_enum(session, query->page.after, query->page.limit, &reply->page);
}

void
handle_conclude_tunnel_list(struct api_call *call)
{
    struct cursor_scope scope = tunnel_query_scope();
    struct tunnel_list *reply = call->out;

    page_conclude(reply->page.next, &scope, reply->next_cursor);
}

void
handle_clear_tunnel_list(void *out)
{
    struct tunnel_list *reply = out;

    ipsec_tunnel_page_clear(&reply->page);
}

enum ipsec_status
handle_delete_tunnel(struct api_call *call, struct ipsec_session *session)
{
    return ipsec_tunnel_delete(session, call->path_id);
}
