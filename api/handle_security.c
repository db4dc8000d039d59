/* SPDX-License-Identifier: Apache-2.0
 *
 * handle_security.c: the security descriptors of the containers.
 *
 * The engine keeps those that were set, as text; the access file's are in the policy.  What is
 * answered and compared with If-Match is always the text that codec_security_descriptor writes. */
#include <stdlib.h>
#include <string.h>

#include "api/handle.h"
#include "api/resource.h"
#include "auth/access_policy.h"
#include "auth/descriptor.h"

/* Of all entries that there may be, each with the longest name, escaped, and all rights. */
enum { TEXT_MAXIMUM = 8 << 20 };

static enum ipsec_status read_text(struct api_call *call, const char *text);
static bool write_text(const struct descriptor *descriptor, struct buffer *text);
static bool write_file_text(const struct api_call *call, struct buffer *text);
static enum ipsec_status no_memory(struct api_call *call);

enum ipsec_status
handle_get_security(struct api_call *call, struct ipsec_session *session)
{
    AUTO(buffer) otherwise = BUFFER(TEXT_MAXIMUM);
    if (!write_file_text(call, &otherwise))
        return no_memory(call);
    const struct ipsec_security security = { call->route->container, buffer_text(&otherwise) };
    char *text = NULL;
    enum ipsec_status status = ipsec_security_get(session, &security, &text);
    if (status == IPSEC_OK)
        status = read_text(call, text);
    free(text);
    return status;
}

enum ipsec_status
handle_set_security(struct api_call *call, struct ipsec_session *session)
{
    AUTO(buffer) otherwise = BUFFER(TEXT_MAXIMUM);
    AUTO(buffer) text = BUFFER(TEXT_MAXIMUM);
    if (!write_file_text(call, &otherwise) || !write_text(call->in, &text))
        return no_memory(call);
    const struct ipsec_security security = { call->route->container, buffer_text(&otherwise) };
    enum ipsec_status status = ipsec_security_set(session, &security, buffer_text(&text));
    return status == IPSEC_OK ? read_text(call, buffer_text(&text)) : status;
}

enum ipsec_status
handle_reset_security(struct api_call *call, struct ipsec_session *session)
{
    AUTO(buffer) otherwise = BUFFER(TEXT_MAXIMUM);

    if (!write_file_text(call, &otherwise))
        return no_memory(call);
    const struct ipsec_security security = { call->route->container, buffer_text(&otherwise) };
    return ipsec_security_set(session, &security, NULL);
}

void
handle_clear_security(void *out)
{
    struct security_reply *reply = out;

    codec_clear(&codec_security_descriptor, &reply->descriptor);
    *reply = (struct security_reply){ .revision = 0 };
}

/* The text is ours: only memory can be wanting. */
static enum ipsec_status
read_text(struct api_call *call, const char *text)
{
    struct security_reply *reply = call->out;

    handle_clear_security(reply); /* of a run before a wait */
    reply->revision = ipsec_security_revision(text);
    return codec_decode(&codec_security_descriptor, text, strlen(text), &reply->descriptor,
                        &call->base.fault);
}

static bool
write_text(const struct descriptor *descriptor, struct buffer *text)
{
    struct codec_encoder encoder = { .out = text };

    codec_encode(&encoder, &codec_security_descriptor, descriptor);
    return buffer_text(text) != NULL;
}

static bool
write_file_text(const struct api_call *call, struct buffer *text)
{
    static const struct descriptor none = { 0 };
    const struct api_service *service = call->service;

    if (service->policy == NULL)
        return write_text(&none, text);
    struct access_policy *policy = service->policy(service->policy_context);
    bool good = write_text(access_policy_file_descriptor(policy, call->route->container), text);
    access_policy_unref(policy);
    return good;
}

static enum ipsec_status
no_memory(struct api_call *call)
{
    return ipsec_fault_set(&call->base.fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                           "no memory for a security descriptor");
}
