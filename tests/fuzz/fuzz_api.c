/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_api.c: the whole service in process, asked what the input spells: creates, keys, deletes,
 * sessions, transactions, repeats, restarts, and requests of any bytes.
 *
 * A small model knows which contexts there must be: what was answered 201 is there until it was
 * deleted, what was refused left nothing, ids only grow; a restart changes none of it.  And every
 * answer is JSON with the right status in it, and never holds a key. */
#include <stdio.h>

#include <jansson.h>

#include "engine/base/log.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/service.h"

enum {
    CONTEXTS_MAX = 256,
    FILTERS_MAX = 32,
    TUNNELS_MAX = 8,
    SESSIONS_MAX = 4,
    BODY_MAX = 8192,
    REQUESTS_MAX = 48
};

static struct {
    const uint8_t *data;
    size_t size;
} input;

static struct service service;
static struct {
    uint64_t contexts[CONTEXTS_MAX];
    size_t context_count;
    uint64_t filters[FILTERS_MAX];
    size_t filter_count;
    uint64_t tunnels[TUNNELS_MAX];
    size_t tunnel_count;
    char sessions[SESSIONS_MAX][40];
    size_t session_count;
    uint64_t highest_id;
} model;

static char body[BODY_MAX];
static size_t body_size;

/* --- Reading the input ---------------------------------------------------------------------------
 */

static uint8_t
take_byte(void)
{
    if (input.size == 0)
        return 0;
    input.size--;
    return *input.data++;
}

static bool
take_bool(void)
{
    return (take_byte() & 1) != 0;
}

static uint64_t
take_id(const uint64_t *known, size_t count)
{
    static const uint64_t odd[] = {
        0, 1, 2, 999, UINT64_C(9007199254740991), UINT64_C(9007199254740992), UINT64_MAX
    };
    uint8_t byte = take_byte();

    if (byte < 240 && count > 0)
        return known[byte % count];
    return odd[byte % (sizeof odd / sizeof *odd)];
}

static const char *
take_session(void)
{
    uint8_t byte = take_byte();

    if (model.session_count == 0 || byte >= 64)
        return NULL;
    return model.sessions[byte % model.session_count];
}

static void __attribute__((format(printf, 1, 2))) add(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(body + body_size, sizeof body - body_size, format, arguments);
    va_end(arguments);
    if (length > 0 && (size_t)length < sizeof body - body_size)
        body_size += (size_t)length;
}

/* --- Bodies -------------------------------------------------------------------------------------
 */

static void
add_traffic(void)
{
    bool is_v6 = take_byte() > 250;
    uint8_t type = take_byte();

    if (type > 200 && model.tunnel_count > 0) {
        add("\"localAddress\":\"192.0.2.1\",\"remoteAddress\":\"198.51.100.%u\","
            "\"trafficType\":\"tunnel\",\"tunnelPolicyId\":%llu",
            7 + type % 2U, (unsigned long long)take_id(model.tunnels, model.tunnel_count));
        return;
    }
    add("\"localAddress\":\"%s\",\"remoteAddress\":\"%s%u\",\"trafficType\":\"%s\","
        "\"ipsecFilterId\":%llu",
        is_v6 ? "2001:db8::1" : "192.0.2.1", is_v6 ? "2001:db8:1::" : "198.51.100.",
        take_byte() % 8U, type > 250 ? "tunnel" : "transport",
        (unsigned long long)take_id(model.filters, model.filter_count));
}

static void
add_bundle(void)
{
    static const char *const transforms[] = { "espAuthAndCipher", "espAuth", "ah", "espCipher" };
    static const char *const auths[] = { "GCM_AES_128", "HMAC_SHA_256_128", "HMAC_SHA_1_96" };
    static const char *const ciphers[] = { "GCM_AES_128", "AES_128", "AES_256" };
    uint8_t kind = take_byte();

    add("{\"lifetime\":{\"seconds\":%u},\"saList\":[{\"spi\":%u,\"saTransformType\":\"%s\","
        "\"authTransform\":\"%s\",\"cipherTransform\":\"%s\","
        "\"cipherKey\":\"hex:c0ffeec0ffeec0ffeec0ffeec0ffee%02x01020304\"",
        kind > 250 ? 0 : 3600, 1000U + take_byte() % 32U, transforms[kind > 200 ? kind % 4 : 0],
        auths[kind > 200 ? kind % 3 : 0], ciphers[kind > 200 ? kind % 3 : 0], take_byte());
    if (kind > 200 && take_bool())
        add(",\"authKey\":\"wP/uwP/uwP/uwP/uwP/uwP/uwP/uwP/uwP/uwP/uwP8=\"");
    add("}]}");
}

static void
add_context(void)
{
    uint8_t parts = take_byte();

    add("{");
    add_traffic();
    if ((parts & 1) != 0)
        add(",\"labels\":{\"site\":\"%c\"}", 'a' + take_byte() % 3);
    if ((parts & 6) == 2)
        add(",\"spi\":%u", 1000U + take_byte() % 32U);
    if ((parts & 6) == 4)
        add(",\"getSpi\":true");
    if ((parts & 8) != 0) {
        add(",\"inbound\":");
        add_bundle();
    }
    if ((parts & 16) != 0) {
        add(",\"outbound\":");
        add_bundle();
    }
    add("}");
}

static void
add_filter(void)
{
    bool outbound = take_bool();
    bool is_v6 = take_byte() > 250;
    uint8_t more = take_byte();

    add("{\"displayData\":{\"name\":\"n\"},\"layer\":\"%sTransportV%c\",\"conditions\":[",
        outbound ? "outbound" : "inbound", is_v6 ? '6' : '4');
    if ((more & 1) != 0)
        add("{\"field\":\"ipRemoteAddress\",\"match\":\"equal\",\"value\":\"198.51.100.%u/%u\"}",
            more & 4U, more > 128 ? 32U : 30U);
    add("],\"action\":{\"type\":\"calloutTerminating\",\"callout\":\"ipsec%sTransportV%c\"}",
        outbound ? "Outbound" : "Inbound", is_v6 ? '6' : '4');
    if ((more & 2) != 0)
        add(",\"weight\":{\"range\":%u}", more % 17U);
    add("}");
}

static void
add_tunnel(void)
{
    uint8_t more = take_byte();

    add("{\"tunnelPolicy\":{\"displayData\":{\"name\":\"t\"},\"type\":\"ipsecIkeQmTunnelContext\","
        "\"tunnelPolicy\":{\"tunnelEndpoints\":{\"localAddress\":\"192.0.2.1\","
        "\"remoteAddress\":\"198.51.100.7\"},\"ipsecProposals\":[{\"lifetime\":{\"seconds\":%u},"
        "\"saTransforms\":[{\"saTransformType\":\"espAuthAndCipher\",\"authTransform\":"
        "\"GCM_AES_128\",\"cipherTransform\":\"GCM_AES_128\"}]}]}",
        more > 250 ? 0 : 3600);
    if ((more & 1) != 0)
        add(",\"key\":\"6f1c2b3a-0000-4000-8000-00000000000%u\"", more / 2 % 4U);
    add("},\"conditions\":[");
    if ((more & 8) != 0)
        add("{\"field\":\"%s\",\"match\":\"equal\",\"value\":%s}",
            more > 240 ? "ipProtocol" : "ipRemoteAddress", more > 240 ? "6" : "\"10.2.0.0/16\"");
    add("]");
    if ((more & 16) != 0)
        add(",\"flags\":[\"pointToPoint\"]");
    if ((more & 32) != 0)
        add(",\"mainModePolicy\":{\"displayData\":{\"name\":\"%s\"},"
            "\"type\":\"ipsecIkeMmContext\",\"policy\":{}}",
            more > 245 ? "" : "m");
    add("}");
}

/* --- Answers ------------------------------------------------------------------------------------
 */

static void
check_no_key(const char *text, size_t size)
{
    fuzz_check(memmem(text, size, "c0ffee", 6) == NULL);
    fuzz_check(memmem(text, size, "wP/uwP/u", 8) == NULL);
}

/* The body as a tree; null without one. */
static json_t *
read_answer(const struct api_answer *answer)
{
    size_t size = 0;
    const char *text = service_body(answer, &size);
    json_t *tree = NULL;

    fuzz_check(answer->status >= 200 && answer->status <= 599);
    if (text == NULL) {
        fuzz_check(answer->status == 204 || answer->status == 200);
        return NULL;
    }
    tree = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    fuzz_check(json_is_object(tree));
    if (answer->status >= 400) {
        fuzz_check(json_integer_value(json_object_get(tree, "status")) == answer->status);
        fuzz_check(json_is_string(json_object_get(tree, "code")));
        fuzz_check(answer->status != 500);
    } else {
        check_no_key(text, size);
    }
    return tree;
}

static json_t *
ask(const char *method, const char *path, const char *query, const char *session, const char *key)
{
    struct service_request request = {
        .method = method,
        .path = path,
        .query = query,
        .body = body_size > 0 ? body : NULL,
        .body_size = body_size,
        .headers = { [API_HEADER_ENGINE_SESSION] = session, [API_HEADER_IDEMPOTENCY_KEY] = key },
    };

    /* Now and then a byte is another. */
    if (body_size > 0 && take_byte() > 240)
        body[take_byte() * body_size / 256] = (char)take_byte();
    json_t *tree = read_answer(service_ask(&service, &request));
    body_size = 0;
    return tree;
}

static int
status(void)
{
    return service.call.answer.status;
}

/* --- The model ----------------------------------------------------------------------------------
 */

static bool
is_known(uint64_t id)
{
    for (size_t i = 0; i < model.context_count; i++) {
        if (model.contexts[i] == id)
            return true;
    }
    return false;
}

static void
note_context(const json_t *created)
{
    uint64_t id = (uint64_t)json_integer_value(json_object_get(created, "id"));

    if (service.call.base.replay.replayed)
        return; /* what was made then may be gone by now */
    fuzz_check(id > model.highest_id && model.context_count < CONTEXTS_MAX);
    model.highest_id = id;
    model.contexts[model.context_count++] = id;
}

static void
forget_context(uint64_t id)
{
    fuzz_check(is_known(id));
    for (size_t i = 0; i < model.context_count; i++) {
        if (model.contexts[i] == id)
            model.contexts[i] = model.contexts[--model.context_count];
    }
}

static void
check_context(const json_t *context)
{
    const char *state = json_string_value(json_object_get(context, "state"));
    bool inbound = json_object_get(context, "inbound") != NULL;
    bool outbound = json_object_get(context, "outbound") != NULL;
    bool has_spi = json_integer_value(json_object_get(context, "spi")) != 0;

    fuzz_check(state != NULL);
    if (strcmp(state, "created") == 0)
        fuzz_check(!inbound && !outbound && !has_spi);
    if (strcmp(state, "spiSet") == 0)
        fuzz_check(!inbound && !outbound && has_spi);
    if (strcmp(state, "inbound") == 0)
        fuzz_check(inbound && !outbound && has_spi);
    if (strcmp(state, "active") == 0)
        fuzz_check(inbound && outbound && has_spi);
}

/* All contexts that must be there, and no other. */
static void
check_contexts(void)
{
    char query[128] = "limit=3";
    uint64_t last = 0;
    size_t count = 0;

    while (query[0] != '\0') {
        json_t *tree = ask("GET", "/sa-contexts", query, NULL, NULL);
        const json_t *items = json_object_get(tree, "items");
        const char *cursor = json_string_value(json_object_get(tree, "nextCursor"));

        fuzz_check(status() == 200);
        for (size_t i = 0; i < json_array_size(items); i++) {
            const json_t *item = json_array_get(items, i);
            uint64_t id = (uint64_t)json_integer_value(json_object_get(item, "id"));

            fuzz_check(id > last && is_known(id));
            last = id;
            count++;
            check_context(item);
        }
        query[0] = '\0';
        if (cursor != NULL)
            (void)snprintf(query, sizeof query, "limit=3&cursor=%s", cursor);
        json_decref(tree);
    }
    fuzz_check(count == model.context_count);
}

static void
open_service(void)
{
    struct ipsec_engine_options options = service_options();
    struct ipsec_fault fault;

    options.plane_uri = "none";
    options.txn_wait_ms = 0; /* time is all that waiting would cost here */
    options.kept_events = 64;
    fuzz_check(service_open_unthreaded(&service, &options, "0", &fault) == IPSEC_OK);
}

/* --- Requests -----------------------------------------------------------------------------------
 */

static void
add_one_filter(void)
{
    add_filter();
    json_t *tree = ask("POST", "/filters", NULL, take_session(), NULL);
    uint64_t id = (uint64_t)json_integer_value(json_object_get(tree, "id"));

    if (status() == 201) {
        fuzz_check(id > model.highest_id);
        model.highest_id = id;
        model.filters[model.filter_count++ % FILTERS_MAX] = id;
        if (model.filter_count > FILTERS_MAX)
            model.filter_count = FILTERS_MAX;
    }
    json_decref(tree);
}

static void
create_one(void)
{
    static const char *const keys[] = { "a", "b", "c" };
    uint8_t key = take_byte();

    add_context();
    json_t *tree =
        ask("POST", "/sa-contexts", NULL, take_session(), key < 64 ? keys[key % 3] : NULL);
    if (status() == 201)
        note_context(tree);
    json_decref(tree);
}

static void
create_many(void)
{
    size_t count = take_byte() % 4U;

    add("{");
    if (take_bool())
        add("\"atomic\":%s,", take_bool() ? "true" : "false");
    add("\"items\":[");
    for (size_t i = 0; i < count; i++) {
        add_context();
        if (i + 1 < count)
            add(",");
    }
    add("]}");
    json_t *tree = ask("POST", "/sa-contexts/batch", NULL, NULL, take_bool() ? "batch" : NULL);
    const json_t *results = json_object_get(tree, "items");
    if (status() == 200)
        fuzz_check(json_is_array(results));
    for (size_t i = 0; status() == 200 && i < json_array_size(results); i++) {
        const json_t *result = json_array_get(results, i);

        if (json_object_get(result, "id") != NULL)
            note_context(result);
    }
    json_decref(tree);
}

static void
key_one(uint8_t kind)
{
    static const char *const paths[] = { "spi", "spi", "inbound", "outbound", "rotate" };
    static const char *const methods[] = { "POST", "PUT", "POST", "POST", "POST" };
    uint64_t id = take_id(model.contexts, model.context_count);
    char path[64];

    (void)snprintf(path, sizeof path, "/sa-contexts/%llu/%s", (unsigned long long)id, paths[kind]);
    if (kind <= 1) {
        add("{\"ipsecFilterId\":%llu",
            (unsigned long long)take_id(model.filters, model.filter_count));
        if (kind == 1)
            add(",\"spi\":%u", 1000U + take_byte() % 32U);
        add("}");
    } else if (kind <= 3) {
        add_bundle();
    } else {
        add("{\"spi\":%u,\"inbound\":", 1000U + take_byte() % 32U);
        add_bundle();
        if (take_bool()) {
            add(",\"outbound\":");
            add_bundle();
        }
        add("}");
    }
    json_t *tree = ask(methods[kind], path, NULL, take_session(), NULL);
    if (kind == 4 && status() == 201)
        note_context(tree);
    json_decref(tree);
}

static void
change_one(void)
{
    uint64_t id = take_id(model.contexts, model.context_count);
    char path[64];

    (void)snprintf(path, sizeof path, "/sa-contexts/%llu", (unsigned long long)id);
    if (take_bool())
        add("{\"labels\":{\"site\":\"%c\"}}", 'a' + take_byte() % 3);
    else
        add("{\"outboundTraffic\":{\"localAddress\":\"192.0.2.1\",\"remoteAddress\":"
            "\"198.51.100.%u\"}}",
            take_byte() % 8U);
    json_decref(ask("PATCH", path, NULL, take_session(), NULL));
}

static void
end_one(void)
{
    uint64_t id = take_id(model.contexts, model.context_count);
    char path[64];

    (void)snprintf(path, sizeof path, "/sa-contexts/%llu", (unsigned long long)id);
    if (take_bool()) {
        json_decref(ask("DELETE", path, NULL, NULL, NULL));
        fuzz_check((status() == 204) == is_known(id));
        if (status() == 204)
            forget_context(id);
        return;
    }
    char expire[80];
    (void)snprintf(expire, sizeof expire, "%s/expire", path);
    json_decref(ask("POST", expire, NULL, NULL, NULL));
    fuzz_check((status() == 204) == is_known(id));
    json_t *tree = ask("GET", path, NULL, NULL, NULL);
    if (status() == 404 && is_known(id))
        forget_context(id); /* it had no SAs */
    json_decref(tree);
}

/* All of it or nothing. */
static void
use_tunnel(void)
{
    char path[64];

    if (take_bool()) {
        add_tunnel();
        json_t *tree = ask("POST", "/tunnels", NULL, take_session(), NULL);
        uint64_t id = (uint64_t)json_integer_value(json_object_get(tree, "id"));
        const json_t *filters = json_object_get(tree, "filterIds");

        if (status() == 201) {
            fuzz_check(id > model.highest_id && json_array_size(filters) >= 2);
            model.tunnels[model.tunnel_count % TUNNELS_MAX] = id;
            model.tunnel_count += model.tunnel_count < TUNNELS_MAX;
            model.highest_id = id;
        }
        for (size_t i = 0; i < json_array_size(filters); i++) {
            uint64_t filter = (uint64_t)json_integer_value(json_array_get(filters, i));

            fuzz_check(filter > model.highest_id);
            model.highest_id = filter;
        }
        json_decref(tree);
        return;
    }
    (void)snprintf(path, sizeof path, "/tunnels/%llu",
                   (unsigned long long)take_id(model.tunnels, model.tunnel_count));
    json_decref(ask("DELETE", path, NULL, take_session(), NULL));
    int deleted = status();
    json_decref(ask("GET", path, NULL, NULL, NULL));
    fuzz_check(deleted != 404 || status() == 404 || status() == 200);
}

static void
delete_filter(void)
{
    uint64_t id = take_id(model.filters, model.filter_count);
    char path[64];

    (void)snprintf(path, sizeof path, "/filters/%llu", (unsigned long long)id);
    json_decref(ask("DELETE", path, NULL, take_session(), NULL));
}

static void
use_session(uint8_t kind)
{
    char path[128];

    if (kind == 0) {
        add("{\"flags\":[%s]}", take_bool() ? "\"dynamic\"" : "");
        json_t *tree = ask("POST", "/sessions", NULL, NULL, NULL);
        const char *key = json_string_value(json_object_get(tree, "sessionKey"));

        if (status() == 201 && model.session_count < SESSIONS_MAX) {
            (void)snprintf(model.sessions[model.session_count++], sizeof *model.sessions, "%s",
                           key);
        } else if (status() == 201) {
            (void)snprintf(path, sizeof path, "/sessions/%s", key);
            json_decref(ask("DELETE", path, NULL, NULL, NULL));
        }
        json_decref(tree);
        return;
    }
    if (model.session_count == 0)
        return;
    const char *session = model.sessions[take_byte() % model.session_count];
    bool begins = kind == 1;
    (void)snprintf(path, sizeof path, "/sessions/%s%s", session,
                   kind == 2   ? "/transaction/commit"
                   : kind == 4 ? ""
                               : "/transaction");
    if (begins)
        add("{\"flags\":[%s]}", take_byte() > 200 ? "\"readOnly\"" : "");
    json_decref(ask(begins || kind == 2 ? "POST" : "DELETE", path, NULL, NULL, NULL));
}

static void
read_something(void)
{
    static const char *const paths[] = { "/",        "/whoami",   "/errors",      "/statistics",
                                         "/filters", "/sessions", "/sa-contexts", "/openapi.json" };
    static const char *const queries[] = {
        NULL, "limit=1", "state=active", "label=site=a", "remoteAddress=198.51.100.0/30", "limit=0"
    };

    json_decref(ask("GET", paths[take_byte() % 8], queries[take_byte() % 6], take_session(), NULL));
}

/* Any bytes: a method, a line for path and query, the rest of a length as the body. */
static void
ask_anything(void)
{
    static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "X" };
    const char *method = methods[take_byte() % 7];
    size_t path_size = take_byte() % 64U;
    size_t wanted = take_byte();
    char *text;
    char *query;

    path_size = path_size > input.size ? input.size : path_size;
    text = fuzz_text(input.data, path_size);
    input.data += path_size;
    input.size -= path_size;
    for (char *c = text; *c != '\0'; c++) /* the guard lets no others through */
        *c = (unsigned char)*c < 0x20 || *c == 0x7f ? '/' : *c;
    query = strchr(text, '?');
    if (query != NULL)
        *query++ = '\0';
    body_size = wanted > input.size ? input.size : wanted;
    memcpy(body, input.data, body_size);
    input.data += body_size;
    input.size -= body_size;
    bool creates = strncmp(text, "/sa-contexts", 12) == 0 || strncmp(text, "/filters", 8) == 0 ||
                   strncmp(text, "/sessions", 9) == 0 || strncmp(text, "/tunnels", 8) == 0;
    if (!creates || strcmp(method, "GET") == 0)
        json_decref(ask(method, text, query, NULL, NULL));
    body_size = 0;
    free(text);
}

static void
restart(void)
{
    service_close(&service);
    open_service();
    model.session_count = 0;
    check_contexts();
}

/* Ends the sessions, and with them what is dynamic or not committed: what is left is all there
 * after a restart, to the last byte. */
static void
check_restart(void)
{
    AUTO(buffer) before = BUFFER(1 << 22);
    AUTO(buffer) after = BUFFER(1 << 22);
    char path[64];

    for (size_t i = 0; i < model.session_count; i++) {
        (void)snprintf(path, sizeof path, "/sessions/%s", model.sessions[i]);
        json_decref(ask("DELETE", path, NULL, NULL, NULL));
    }
    fuzz_check(service_render(&service, &before));
    service_close(&service);
    open_service();
    fuzz_check(service_render(&service, &after));
    fuzz_check(before.size == after.size && memcmp(before.data, after.data, after.size) == 0);
}

static void
do_one(void)
{
    uint8_t kind = take_byte() % 34;

    if (kind < 3)
        add_one_filter();
    else if (kind < 8)
        create_one();
    else if (kind < 16)
        key_one(kind % 5);
    else if (kind < 18)
        change_one();
    else if (kind < 20)
        end_one();
    else if (kind < 21)
        delete_filter();
    else if (kind < 26)
        use_session(kind % 5);
    else if (kind < 28)
        create_many();
    else if (kind < 29)
        read_something();
    else if (kind < 31)
        ask_anything();
    else if (kind < 33)
        use_tunnel();
    else
        restart();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input.data = data;
    input.size = size;
    memset(&model, 0, sizeof model);
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    open_service();
    for (size_t i = 0; input.size > 0 && i < REQUESTS_MAX; i++)
        do_one();
    check_contexts();
    check_restart();
    service_close(&service);
    kept_store_clear();
    return 0;
}
