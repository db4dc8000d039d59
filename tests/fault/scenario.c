/* SPDX-License-Identifier: Apache-2.0
 *
 * scenario.c: see scenario.h. */
#include "tests/fault/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

enum { TEXT_MAX = 8192 };

#define FILTER(direction, Direction, name, remote, more)                                           \
    "{\"displayData\":{\"name\":\"" name "\",\"description\":\"words\"},\"layer\":\"" direction    \
    "TransportV4\",\"conditions\":[{\"field\":\"ipLocalAddress\",\"match\":\"equal\",\"value\":"   \
    "\"192.0.2.1\"},{\"field\":\"ipRemoteAddress\",\"match\":\"equal\",\"value\":"                 \
    "\"" remote "\"}]," more "\"action\":{\"type\":\"calloutTerminating\",\"callout\":"            \
    "\"ipsec" Direction "TransportV4\"}}"
#define TRAFFIC(last)                                                                              \
    "\"localAddress\":\"192.0.2.1\",\"remoteAddress\":\"198.51.100." last                          \
    "\",\"trafficType\":\"transport\",\"ipsecFilterId\":$o"
#define SA(spi)                                                                                    \
    "{\"spi\":" spi ",\"saTransformType\":\"espAuthAndCipher\",\"authTransform\":"                 \
    "\"GCM_AES_128\",\"cipherTransform\":\"GCM_AES_128\",\"cipherKey\":"                           \
    "\"hex:00112233445566778899aabbccddeeff0102" spi "\"}"
#define BUNDLE(spi)                                                                                \
    "{\"lifetime\":{\"seconds\":3600},\"keyModuleState\":{\"keyModuleKey\":"                       \
    "\"6f1c0a52-5f30-4c2e-9f43-0d7a5d2b8c11\",\"stateBlob\":\"AAAA\"},\"ipsecId\":{"               \
    "\"mmTargetName\":\"b\"},\"saList\":[" SA(spi) "]}"
#define PLAIN_BUNDLE(spi) "{\"lifetime\":{\"seconds\":3600},\"saList\":[" SA(spi) "]}"

/* clang-format off */
const struct scenario_step scenario_steps[] = {
    /* What callers read of the service itself. */
    { "GET", "/whoami", .status = 200 },
    { "GET", "/errors", .status = 200 },
    { "GET", "/errors/FWP_E_IN_USE", .status = 200 },
    { "GET", "/openapi.json", .status = 200 },
    { "GET", "/nowhere", .status = 404 },
    { "POST", "/whoami", .status = 405 },
    /* Filters, and one in a transaction, taken back once and made once. */
    { "POST", "/filters", .body = FILTER("outbound", "Outbound", "out", "198.51.100.0/24", ""),
      .status = 201, .letter = 'o', .member = "id" },
    { "POST", "/filters", .body = FILTER("inbound", "Inbound", "in", "198.51.100.0/24", ""), .key = "k-1",
      .status = 201, .letter = 'i', .member = "id" },
    { "POST", "/filters", .body = FILTER("inbound", "Inbound", "in", "198.51.100.0/24", ""), .key = "k-1", .status = 201 },
    { "POST", "/filters", .body = "{\"layer\":1}", .status = 400 },
    { "POST", "/sessions", .body = "{\"displayData\":{\"name\":\"s\"}}", .status = 201, .letter = 's', .member = "sessionKey" },
    { "POST", "/sessions/$s/transaction", .body = "{}", .status = 201 },
    { "POST", "/filters", .body = FILTER("outbound", "Outbound", "more", "203.0.113.0/24", "\"weight\":{\"range\":3},"),
      .session = "$s", .status = 201, .letter = 't', .member = "id" },
    { "DELETE", "/sessions/$s/transaction", .status = 204 },
    { "POST", "/sessions/$s/transaction", .body = "{}", .status = 201 },
    { "POST", "/filters", .body = FILTER("outbound", "Outbound", "more", "203.0.113.0/24", "\"weight\":{\"range\":3},"),
      .session = "$s", .status = 201, .letter = 't', .member = "id" },
    { "GET", "/filters", .session = "$s", .status = 200 },
    { "POST", "/sessions/$s/transaction/commit", .status = 204, .may_roll_back = true },
    { "POST", "/sessions", .body = "{\"flags\":[\"dynamic\"]}", .status = 201, .letter = 'd', .member = "sessionKey" },
    { "POST", "/filters", .body = FILTER("outbound", "Outbound", "dynamic", "192.0.2.128/25", ""), .session = "$d", .status = 201 },
    { "GET", "/sessions", .status = 200 },
    { "GET", "/filters", .query = "limit=1", .status = 200 },
    { "GET", "/filters/$o", .status = 200 },
    /* A context from its birth to its keys, step by step. */
    { "POST", "/sa-contexts", .body = "{" TRAFFIC("7") ",\"labels\":{\"site\":\"b\",\"role\":\"db\"}}",
      .key = "k-3", .status = 201, .letter = 'a', .member = "id" },
    { "POST", "/sa-contexts", .body = "{" TRAFFIC("7") ",\"labels\":{\"site\":\"b\",\"role\":\"db\"}}",
      .key = "k-3", .status = 201 },
    { "POST", "/sa-contexts", .body = "{" TRAFFIC("8") "}", .key = "k-3", .status = 422 },
    { "POST", "/sa-contexts/$a/spi", .body = "{\"ipsecFilterId\":$i}", .status = 200, .letter = 'p', .member = "spi" },
    { "POST", "/sa-contexts/$a/inbound", .body = BUNDLE("$p"), .status = 201 },
    { "POST", "/sa-contexts/$a/outbound", .body = BUNDLE("4000"), .status = 201 },
    { "PATCH", "/sa-contexts/$a", .body = "{\"labels\":{\"site\":\"c\"}}", .status = 200 },
    { "PATCH", "/sa-contexts/$a", .body = "{\"outboundTraffic\":{\"localAddress\":\"192.0.2.1\","
      "\"remoteAddress\":\"198.51.100.77\"}}", .status = 200 },
    { "POST", "/sa-contexts", .body = "{" TRAFFIC("9") "}", .status = 201, .letter = 'b', .member = "id" },
    { "PUT", "/sa-contexts/$b/spi", .body = "{\"ipsecFilterId\":$i,\"spi\":5000}", .status = 200 },
    /* All at once, and many at once. */
    { "POST", "/sa-contexts", .body = "{" TRAFFIC("10") ",\"spi\":6000,\"inbound\":" PLAIN_BUNDLE("6000")
      ",\"outbound\":" PLAIN_BUNDLE("6001") "}", .key = "k-4", .status = 201, .letter = 'c', .member = "id" },
    { "POST", "/sa-contexts/batch", .body = "{\"items\":[{" TRAFFIC("20") "},{" TRAFFIC("21")
      ",\"getSpi\":true,\"labels\":{\"n\":\"1\"}},{" TRAFFIC("22") ",\"spi\":7000,\"inbound\":"
      PLAIN_BUNDLE("7000") ",\"outbound\":" PLAIN_BUNDLE("7001") "}]}", .status = 200 },
    { "POST", "/sa-contexts/batch", .body = "{\"atomic\":false,\"items\":[{" TRAFFIC("30")
      "},{\"localAddress\":\"192.0.2.1\",\"remoteAddress\":\"198.51.100.31\",\"trafficType\":\"transport\","
      "\"ipsecFilterId\":999999},{" TRAFFIC("32") ",\"spi\":7100,\"inbound\":" PLAIN_BUNDLE("7100")
      ",\"outbound\":" PLAIN_BUNDLE("7101") "}]}", .key = "k-5", .status = 200 },
    { "POST", "/sa-contexts/$c/rotate", .body = "{\"spi\":6100,\"inbound\":" PLAIN_BUNDLE("6100")
      ",\"outbound\":" PLAIN_BUNDLE("6101") "}", .status = 201, .letter = 'r', .member = "id" },
    { "GET", "/sa-contexts", .query = "limit=2&remoteAddress=198.51.100.0/24&label=site=c", .status = 200 },
    { "GET", "/sa-contexts/$a", .status = 200 },
    { "GET", "/statistics", .status = 200 },
    /* And back. */
    { "DELETE", "/filters/$o", .status = 409 },
    { "POST", "/sa-contexts/$a/expire", .status = 204 },
    { "DELETE", "/sa-contexts/$b", .status = 204 },
    { "DELETE", "/sa-contexts/$r", .status = 204 },
    { "DELETE", "/sa-contexts/$b", .status = 404 },
    { "DELETE", "/sessions/$d", .status = 204 },
    { "POST", "/sessions/$s/transaction", .body = "{}", .status = 201 },
    { "DELETE", "/filters/$t", .session = "$s", .status = 204 },
    { "POST", "/sessions/$s/transaction/commit", .status = 204, .may_roll_back = true },
    { "DELETE", "/sessions/$s", .status = 204 },
};
/* clang-format on */
const size_t scenario_step_count = sizeof scenario_steps / sizeof *scenario_steps;

/* 'text' with its letters replaced, in 'room'; null stays null. */
static const char *
fill_in(const struct scenario *scenario, const char *text, char room[TEXT_MAX])
{
    size_t size = 0;

    if (text == NULL)
        return NULL;
    for (; *text != '\0'; text++) {
        if (*text != '$') {
            room[size++] = *text;
        } else {
            const char *value = scenario->values[*++text - 'a'];

            memcpy(room + size, value, strlen(value));
            size += strlen(value);
        }
        if (size > TEXT_MAX - sizeof *scenario->values - 1)
            abort();
    }
    room[size] = '\0';
    return room;
}

size_t
scenario_full(void)
{
    size_t step = 0;

    while (scenario_steps[step].status != 409) /* a filter in use is the first to be asked away */
        step++;
    return step;
}

const struct api_answer *
scenario_ask(struct scenario *scenario, size_t step)
{
    static char path[TEXT_MAX];
    static char query[TEXT_MAX];
    static char body[TEXT_MAX];
    static char session[TEXT_MAX];
    const struct scenario_step *row = &scenario_steps[step];
    struct service_request request = {
        .method = row->method,
        .path = fill_in(scenario, row->path, path),
        .query = fill_in(scenario, row->query, query),
        .body = fill_in(scenario, row->body, body),
        .headers = { [API_HEADER_IDEMPOTENCY_KEY] = row->key,
                     [API_HEADER_ENGINE_SESSION] = fill_in(scenario, row->session, session) },
    };

    request.body_size = request.body == NULL ? 0 : strlen(request.body);
    return service_ask(&scenario->service, &request);
}

void
scenario_note(struct scenario *scenario, size_t step)
{
    const struct scenario_step *row = &scenario_steps[step];
    size_t size = 0;
    const char *body = service_body(&scenario->service.call.answer, &size);

    if (row->member == NULL)
        return;
    json_t *root = json_loadb(body, size, 0, NULL);
    const json_t *value = json_object_get(root, row->member);
    char *room = scenario->values[row->letter - 'a'];
    if (json_is_string(value))
        (void)snprintf(room, sizeof *scenario->values, "%s", json_string_value(value));
    else if (json_is_integer(value))
        (void)snprintf(room, sizeof *scenario->values, "%lld",
                       (long long)json_integer_value(value));
    else
        abort();
    json_decref(root);
}
