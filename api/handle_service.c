/* SPDX-License-Identifier: Apache-2.0
 *
 * handle_service.c: what the service tells about itself.  Local: no engine is asked. */
#include <stdlib.h>
#include <string.h>

#include "api/handle.h"
#include "api/openapi.h"
#include "api/problem.h"
#include "api/resource.h"

enum ipsec_status
handle_get_index(struct api_call *call, struct ipsec_session *session)
{
    struct service_index *reply = call->out;

    (void)session;
    *reply = (struct service_index){
        .service = "sa-contextd",
        .version = call->service->version,
    };
    return IPSEC_OK;
}

enum ipsec_status
handle_get_openapi(struct api_call *call, struct ipsec_session *session)
{
    (void)session;
    call->answer.static_body = openapi_document;
    call->answer.static_body_size = openapi_document_size;
    return IPSEC_OK;
}

enum ipsec_status
handle_get_whoami(struct api_call *call, struct ipsec_session *session)
{
    const struct auth_identity *identity = call->identity;
    struct whoami *reply = call->out;

    (void)session;
    reply->identity = identity;
    reply->principal = identity->principal;
    memcpy(reply->fingerprint, identity->fingerprint, sizeof reply->fingerprint);
    reply->not_before_ms = identity->not_before_ms;
    reply->not_after_ms = identity->not_after_ms;
    reply->rights = call->rights;
    return IPSEC_OK;
}

enum ipsec_status
handle_get_error(struct api_call *call, struct ipsec_session *session)
{
    const char *code = strrchr(call->path, '/') + 1;
    enum ipsec_status status;

    (void)session;
    if (!ipsec_status_find(code, &status))
        return ipsec_fault_set(&call->base.fault, IPSEC_NOT_FOUND, IPSEC_FAULT_PATH, NULL,
                               "no code has the name or value %s", code);
    problem_describe(status, call->out);
    return IPSEC_OK;
}

enum ipsec_status
handle_list_errors(struct api_call *call, struct ipsec_session *session)
{
    struct error_list *reply = call->out;

    (void)session;
    reply->entries = calloc(IPSEC_STATUS_COUNT - 1, sizeof *reply->entries);
    if (reply->entries == NULL)
        return ipsec_fault_set(&call->base.fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE,
                               NULL, "no memory for the answer");
    for (int i = IPSEC_OK + 1; i < IPSEC_STATUS_COUNT; i++)
        problem_describe((enum ipsec_status)i, &reply->entries[reply->entry_count++]);
    return IPSEC_OK;
}

void
handle_clear_error_list(void *out)
{
    struct error_list *reply = out;

    free(reply->entries);
    *reply = (struct error_list){ 0 };
}
