/* SPDX-License-Identifier: Apache-2.0
 *
 * handle_sa_keying.c: keying, changing and ending SA contexts, and their statistics. */
#include "api/handle.h"
#include "api/resource.h"

enum ipsec_status
handle_get_spi(struct api_call *call, struct ipsec_session *session)
{
    const struct spi_request *request = call->in;
    struct spi_reply *reply = call->out;

    return ipsec_sa_context_get_spi(session, call->path_id, &request->traffic, &reply->spi);
}

enum ipsec_status
handle_set_spi(struct api_call *call, struct ipsec_session *session)
{
    const struct spi_request *request = call->in;
    struct spi_reply *reply = call->out;

    reply->spi = request->spi;
    return ipsec_sa_context_set_spi(session, call->path_id, &request->traffic, request->spi);
}

enum ipsec_status
handle_add_inbound(struct api_call *call, struct ipsec_session *session)
{
    return ipsec_sa_context_add_inbound(session, call->path_id, call->in, call->out);
}

enum ipsec_status
handle_add_outbound(struct api_call *call, struct ipsec_session *session)
{
    return ipsec_sa_context_add_outbound(session, call->path_id, call->in, call->out);
}

enum ipsec_status
handle_update_sa_context(struct api_call *call, struct ipsec_session *session)
{
    const struct sa_context_patch *patch = call->in;
    struct ipsec_sa_context_update update = patch->update;

    update.labels = patch->labels.count == 0 ? NULL : &patch->labels;
    return ipsec_sa_context_update(session, call->path_id, &update, call->out);
}

enum ipsec_status
handle_expire_sa_context(struct api_call *call, struct ipsec_session *session)
{
    return ipsec_sa_context_expire(session, call->path_id);
}

enum ipsec_status
handle_rotate_sa_context(struct api_call *call, struct ipsec_session *session)
{
    const struct sa_rotation *request = call->in;
    const struct ipsec_sa_context_options options = {
        .inbound_filter_id = request->inbound_filter_id,
        .spi = request->spi,
        .wants_spi = request->spi == 0,
        .inbound = &request->inbound,
        .outbound = request->outbound.given ? &request->outbound.input : NULL,
    };

    return ipsec_sa_context_rotate(session, call->path_id, &options, call->out);
}

enum ipsec_status
handle_get_statistics(struct api_call *call, struct ipsec_session *session)
{
    return ipsec_get_statistics(session, call->out);
}
