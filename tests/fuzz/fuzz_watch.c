/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_watch.c: where a watcher goes on: Last-Event-ID, which wins, and the query with 'since' and
 * the filters.  Whoever is let in gets every change after the number that was understood, and no
 * other; whoever would miss one is told so.
 *
 * The first byte chooses the service, one that keeps all changes of its run and one that has lost
 * some; the second how much of the rest is the header.  "@" in either stands for a number near one
 * that means something, by the two bytes behind it. */
#include <ctype.h>

#include "engine/base/log.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/service.h"

enum { KEPT = 16, EARLIER = 5, FEW = 9, MANY = 27, TEXT_SIZE = 512, EVENTS_MAX = 64 };

struct history {
    struct service service;
    uint64_t base;             /* the last number of the run before */
    uint64_t start;            /* where this run begins */
    uint64_t last;             /* and where it is */
    uint64_t kept[EVENTS_MAX]; /* numbers of the changes that can still be read */
    size_t kept_count;
};
static struct history histories[2];

/* --- Services -----------------------------------------------------------------------------------
 */

static uint64_t
number_behind(const char *text, const char *member)
{
    const char *found = strstr(text, member);

    fuzz_check(found != NULL);
    return strtoull(found + strlen(member), NULL, 10);
}

static uint64_t
ask_for_number(struct service *service, const struct service_request *request, const char *member)
{
    size_t size = 0;
    const char *body = service_body(service_ask(service, request), &size);

    fuzz_check(body != NULL);
    char *text = fuzz_text((const uint8_t *)body, size);
    uint64_t number = number_behind(text, member);
    free(text);
    return number;
}

static uint64_t
post(struct service *service, const char *path, const char *body)
{
    const struct service_request request = {
        .method = "POST",
        .path = path,
        .body = body,
        .body_size = strlen(body),
    };

    return ask_for_number(service, &request, "\"id\":");
}

static uint64_t
sequence_of(struct service *service)
{
    const struct service_request request = { .method = "GET", .path = "/sa-contexts" };

    return ask_for_number(service, &request, "\"sequence\":");
}

static void
create_contexts(struct service *service, uint64_t filter, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char body[256];

        (void)snprintf(body, sizeof body,
                       "{\"localAddress\":\"192.0.2.1\",\"remoteAddress\":\"198.51.100.%zu\","
                       "\"trafficType\":\"transport\",\"ipsecFilterId\":%llu}",
                       1 + i % 4, (unsigned long long)filter);
        (void)post(service, "/sa-contexts", body);
    }
}

static void
open_service(struct service *service, const char *store)
{
    struct ipsec_engine_options options = service_options();
    struct ipsec_fault fault;

    options.plane_uri = "none";
    options.kept_events = KEPT;
    fuzz_check(service_open_unthreaded(service, &options, store, &fault) == IPSEC_OK);
}

/* Some changes, a restart, and 'count' more. */
static void
make_history(struct history *history, const char *store, size_t count)
{
    static const char filter_body[] =
        "{\"displayData\":{\"name\":\"n\"},\"layer\":\"outboundTransportV4\",\"action\":{\"type\":"
        "\"calloutTerminating\",\"callout\":\"ipsecOutboundTransportV4\"}}";
    struct service *service = &history->service;

    open_service(service, store);
    uint64_t filter = post(service, "/filters", filter_body);
    create_contexts(service, filter, EARLIER);
    history->base = sequence_of(service);
    service_close(service);
    open_service(service, store);
    fuzz_check(sequence_of(service) == history->base);
    create_contexts(service, filter, count);
    history->last = sequence_of(service);
    history->start = history->last - count;
    for (size_t i = count < KEPT ? 0 : count - KEPT; i < count; i++)
        history->kept[history->kept_count++] = history->start + 1 + i;
}

/* --- What is asked -------------------------------------------------------------------------------
 */

/* The text with its numbers written out, into 'text'; as far as there is room. */
static void
write_out(const struct history *history, const uint8_t *data, size_t size, char text[TEXT_SIZE])
{
    const uint64_t marks[] = {
        0, history->base, history->start, history->kept[0], history->last, IPSEC_LUID_MAX
    };
    size_t length = 0;

    for (size_t i = 0; i < size && data[i] != '\0' && length + 24 < TEXT_SIZE; i++) {
        if (data[i] == '@' && i + 2 < size) {
            uint64_t mark = marks[data[i + 1] % (sizeof marks / sizeof *marks)];

            length += (size_t)snprintf(text + length, TEXT_SIZE - length, "%llu",
                                       (unsigned long long)(mark + data[i + 2] - 128));
            i += 2;
        } else {
            text[length++] = (char)data[i];
        }
    }
    text[length] = '\0';
}

/* Whether all changes after it are there to be read. */
static bool
can_go_on_from(const struct history *history, uint64_t since)
{
    uint64_t oldest = history->kept[0] - 1;

    if (since == history->base)
        return history->start == oldest;
    return since >= history->start && since >= oldest && since <= history->last;
}

/* --- What is answered ---------------------------------------------------------------------------
 */

static void
check_stream(const struct history *history, struct api_call *call, uint64_t since, bool filtered)
{
    AUTO(buffer) out = BUFFER(1 << 20);
    uint64_t last = since;
    size_t count = 0;
    size_t wanted = 0;

    for (size_t before = SIZE_MAX; out.size != before;) {
        before = out.size;
        fuzz_check(api_stream_read(call, &call->rights, false, &out));
    }
    buffer_append_char(&out, '\0');
    for (const char *next = out.data; (next = strstr(next, "\"sequence\":")) != NULL; count++) {
        uint64_t sequence = number_behind(next, "\"sequence\":");

        fuzz_check(sequence > last && sequence <= history->last);
        last = sequence;
        next++;
    }
    for (size_t i = 0; i < history->kept_count; i++)
        wanted += history->kept[i] > since;
    fuzz_check(filtered ? count <= wanted : count == wanted);

    buffer_reset(&out);
    fuzz_check(api_stream_read(call, &call->rights, true, &out));
    buffer_append_char(&out, '\0');
    fuzz_check(number_behind(out.data, call->answer.lines ? "\"sequence\":" : "id: ") ==
               history->last);
}

static bool
is_number(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    return digits > 0 && text[digits] == '\0' && (digits == 1 || text[0] != '0') && digits <= 16 &&
           strtoull(text, NULL, 10) <= IPSEC_LUID_MAX;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char header[TEXT_SIZE];
    char query[TEXT_SIZE];

    if (histories[0].service.api.engine == NULL) {
        log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
        make_history(&histories[0], "0", FEW);
        make_history(&histories[1], "1", MANY);
    }
    if (size < 2)
        return 0;
    struct history *history = &histories[data[0] & 1];
    struct api_call *call = &history->service.call;
    size_t header_size = data[1] < size - 2 ? data[1] : size - 2;
    write_out(history, data + 2, header_size, header);
    write_out(history, data + 2 + header_size, size - 2 - header_size, query);

    const struct service_request request = {
        .method = "GET",
        .path = "/sa-contexts/events",
        .query = query[0] == '\0' ? NULL : query,
        .headers = { [API_HEADER_LAST_EVENT_ID] = (data[0] & 2) != 0 ? header : NULL,
                     [API_HEADER_ACCEPT] = (data[0] & 4) != 0 ? "application/x-ndjson" : NULL },
    };
    int status = service_ask(&history->service, &request)->status;
    bool has_header = (data[0] & 2) != 0 && header[0] != '\0';
    bool filtered = strchr(query, '=') != NULL && strncmp(query, "since=", 6) != 0;

    fuzz_check(status == 200 || status == 400 || status == 410 || status == 422);
    if (has_header && !is_number(header))
        fuzz_check(status == 400 || status == 422);
    if (has_header && is_number(header)) {
        uint64_t since = strtoull(header, NULL, 10);

        fuzz_check(status != (can_go_on_from(history, since) ? 410 : 200));
        if (status == 200)
            check_stream(history, call, since, query[0] != '\0');
    } else if (!has_header && strncmp(query, "since=", 6) == 0 && is_number(query + 6)) {
        uint64_t since = strtoull(query + 6, NULL, 10);

        fuzz_check(status == (can_go_on_from(history, since) ? 200 : 410));
        if (status == 200)
            check_stream(history, call, since, false);
    } else if (status == 200 && strstr(query, "since") == NULL && strchr(query, '%') == NULL) {
        check_stream(history, call, history->last, filtered);
    }
    api_call_clear(call);
    return 0;
}
