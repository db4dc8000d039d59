/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.c: the endless answer of a watcher, piece by piece; see api.h.
 *
 * Server-sent events (WHATWG HTML, section 9.2): a change is its JSON line as data with its
 * sequence as id; a heartbeat is a comment with an id alone, which moves the reader's last event id
 * on without an event.  As NDJSON a heartbeat is an object of the type "heartbeat". */
#include <string.h>

#include "api/problem.h"
#include "api/resource.h"
#include "api/router.h"
#include "api/text.h"

enum { CHANGES_AT_ONCE = 64 };

static struct ipsec_subscription *subscription_of(const struct api_call *call);
static void append_change(const struct api_call *call,
                          struct codec_encoder *encoder,
                          const struct ipsec_event *event);
static void append_heartbeat(const struct api_call *call, struct buffer *out);
static bool end(struct api_call *call, struct buffer *out);

bool
api_stream_has_news(const struct api_call *call)
{
    return ipsec_subscription_has_news(subscription_of(call));
}

bool
api_stream_is_allowed(const struct api_call *call, const struct ipsec_rights *rights)
{
    const struct api_route *route = call->route;

    return (rights->granted[route->container] & route->right) == route->right;
}

bool
api_stream_read(struct api_call *call,
                const struct ipsec_rights *rights,
                bool heartbeat,
                struct buffer *out)
{
    struct codec_encoder encoder = { .out = out, .engine = call->service->engine };
    struct ipsec_event events[CHANGES_AT_ONCE];
    size_t count = 0;

    if (!api_stream_is_allowed(call, rights)) {
        (void)!ipsec_fault_set(&call->base.fault, IPSEC_ACCESS_DENIED, IPSEC_FAULT_SERVICE, NULL,
                               "the right to watch was taken away");
        return end(call, out);
    }
    if (ipsec_subscription_read(subscription_of(call), events, CHANGES_AT_ONCE, &count,
                                &call->base.fault) != IPSEC_OK)
        return end(call, out);
    for (size_t i = 0; i < count; i++) {
        append_change(call, &encoder, &events[i]);
        ipsec_event_unref(&events[i]);
    }
    if (count == 0 && heartbeat)
        append_heartbeat(call, out);
    return true;
}

static struct ipsec_subscription *
subscription_of(const struct api_call *call)
{
    return ((const struct sa_context_watch *)call->out)->subscription;
}

static void
append_change(const struct api_call *call,
              struct codec_encoder *encoder,
              const struct ipsec_event *event)
{
    struct buffer *out = encoder->out;

    if (!call->answer.lines) {
        buffer_append_text(out, "id: ");
        text_append_unsigned(out, event->sequence);
        buffer_append_text(out, "\ndata: ");
    }
    codec_encode(encoder, &codec_sa_context_change, event);
    buffer_append_text(out, call->answer.lines ? "\n" : "\n\n");
}

static void
append_heartbeat(const struct api_call *call, struct buffer *out)
{
    buffer_append_text(out, call->answer.lines ? "{\"sequence\":" : ": heartbeat\nid: ");
    text_append_unsigned(out, ipsec_subscription_sequence(subscription_of(call)));
    buffer_append_text(out, call->answer.lines ? ",\"type\":\"heartbeat\"}\n" : "\n\n");
}

/* The fault is the last thing that the watcher gets to hear. */
static bool
end(struct api_call *call, struct buffer *out)
{
    const struct ipsec_fault *fault = &call->base.fault;
    int http_status = problem_http_status(fault->status, fault->place);

    buffer_append_text(out, call->answer.lines ? "{\"type\":\"error\",\"problem\":"
                                               : "event: error\ndata: ");
    problem_encode(fault, http_status, call->request_id, out);
    buffer_append_text(out, call->answer.lines ? "}\n" : "\n\n");
    return false;
}
