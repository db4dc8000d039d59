/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_codec.c: the body of every operation: what is refused says why and leaves nothing, what is
 * taken can be written, and reads the same where it is read back.  The first byte is the route. */
#include <jansson.h>

#include "api/json_memory.h"
#include "api/resource.h"
#include "api/router.h"
#include "tests/fuzz/fuzz.h"

static void
check_json(struct buffer *text)
{
    json_t *tree = NULL;

    fuzz_check(!text->failed);
    tree = json_loadb(text->data, text->size, JSON_REJECT_DUPLICATES, NULL);
    fuzz_check(tree != NULL);
    json_decref(tree);
}

static void
write_traffic_again(const struct ipsec_traffic *traffic)
{
    AUTO(buffer) text = BUFFER(1 << 20);
    struct codec_encoder encoder = { .out = &text };
    struct ipsec_traffic again = { .ip_version = 0 };
    struct ipsec_fault fault = { .status = IPSEC_OK };

    codec_encode(&encoder, &codec_traffic, traffic);
    check_json(&text);
    fuzz_check(codec_decode(&codec_traffic, text.data, text.size, &again, &fault) == IPSEC_OK);
    fuzz_check(memcmp(&again.local_address, &traffic->local_address, 16) == 0 &&
               memcmp(&again.remote_address, &traffic->remote_address, 16) == 0 &&
               again.ipsec_filter_id == traffic->ipsec_filter_id &&
               again.tunnel_policy_id == traffic->tunnel_policy_id &&
               again.local_port == traffic->local_port &&
               again.remote_port == traffic->remote_port &&
               again.ip_protocol == traffic->ip_protocol &&
               again.ip_version == traffic->ip_version && again.type == traffic->type);
}

static void
write_bundle(const struct ipsec_sa_bundle *bundle)
{
    AUTO(buffer) text = BUFFER(1 << 20);
    struct codec_encoder encoder = { .out = &text };

    codec_encode(&encoder, &codec_sa_bundle, bundle);
    check_json(&text);
    fuzz_check(memmem(text.data, text.size, "Key\":\"", 6) == NULL ||
               memmem(text.data, text.size, "cipherKey\"", 10) == NULL);
}

static void
decode(const struct api_route *route, const char *body, size_t size)
{
    void *object = calloc(1, route->in_size);
    struct ipsec_fault fault = { .status = IPSEC_OK };

    fuzz_check(object != NULL);
    enum ipsec_status status = codec_decode(route->body, body, size, object, &fault);
    if (status != IPSEC_OK) {
        fuzz_check(fault.status == status && fault.detail[0] != '\0');
        fuzz_check(fault.pointer[0] == '\0' || fault.pointer[0] == '/');
    } else if (route->body == &codec_new_sa_context) {
        write_traffic_again(&((const struct new_sa_context *)object)->traffic);
    } else if (route->body == &codec_sa_bundle_input) {
        write_bundle(&((const struct ipsec_sa_bundle_input *)object)->bundle);
    }
    codec_clear(route->body, object);
    free(object);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool installed;
    char *body = NULL;

    if (!installed)
        json_memory_install();
    installed = true;
    if (size < 1)
        return 0;
    const struct api_route *route = router_route(data[0] % router_route_count());
    if (route->body == NULL)
        return 0;
    body = malloc(size);
    fuzz_check(body != NULL);
    memcpy(body, data + 1, size - 1);
    decode(route, body, size - 1);
    free(body);
    return 0;
}
