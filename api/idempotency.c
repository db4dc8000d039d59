/* SPDX-License-Identifier: Apache-2.0
 *
 * idempotency.c: see idempotency.h. */
#include "api/idempotency.h"

#include <string.h>

#include <openssl/evp.h>

#include "api/router.h"
#include "api/text.h"

/* Version 1 had no entity tag. */
enum { RECORD_VERSION = 2, OLDEST_RECORD_VERSION = 1 };

/* One stretch of bytes of a digest; each is preceded by its length, so that no two lists of parts
 * are the same bytes. */
struct part {
    const void *bytes;
    size_t size;
};

static struct part text_part(const char *text);
static bool digest(const struct part *parts, size_t count, uint8_t digest_out[32]);
static bool read_tag(const char **text, const char *end, char tag_out[ENTITY_TAG_SIZE]);
static bool read_number(const char **text, const char *end, char stop, uint64_t *number_out);

enum ipsec_status
idempotency_want(struct api_call *call, const char *body, size_t size)
{
    const struct part key[] = {
        text_part(call->identity->principal),
        text_part(call->route->operation),
        text_part(call->headers[API_HEADER_IDEMPOTENCY_KEY]),
    };
    const char *session = call->headers[API_HEADER_ENGINE_SESSION];
    const char *if_match = call->headers[API_HEADER_IF_MATCH];
    const struct part request[] = {
        /* First, for bodies with keys only: what is stored is no bare digest of a key. */
        text_part(call->headers[API_HEADER_IDEMPOTENCY_KEY]),
        text_part(call->method),
        text_part(call->path),
        text_part(call->query == NULL ? "" : call->query),
        { body, size },
        text_part(session == NULL ? "" : session),
        text_part(if_match == NULL ? "" : if_match),
    };
    /* What is not there adds nothing, so that digests of requests from before it existed stay. */
    size_t part_count = CODEC_COUNT(request) - (if_match != NULL ? 0 : session != NULL ? 1 : 2);
    size_t first = call->route->secret ? 0 : 1;
    struct ipsec_replay *replay = &call->base.replay;

    if (!digest(key, sizeof key / sizeof *key, replay->key_digest) ||
        !digest(request + first, part_count - first, replay->request_digest))
        return ipsec_fault_set(&call->base.fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE,
                               NULL, "no memory to digest the request");
    replay->wanted = true;
    return IPSEC_OK;
}

void
idempotency_append_head(int status, const char *tag, const char *location, struct buffer *answer)
{
    text_append_unsigned(answer, RECORD_VERSION);
    buffer_append_char(answer, ' ');
    text_append_unsigned(answer, (uint64_t)status);
    buffer_append_char(answer, ' ');
    buffer_append_text(answer, tag);
    buffer_append_char(answer, ' ');
    buffer_append_text(answer, location);
    buffer_append_char(answer, '\n');
}

bool
idempotency_read(const struct buffer *answer, struct idempotent_answer *answer_out)
{
    const char *next = answer->data;
    const char *end = answer->size == 0 ? next : memchr(next, '\n', answer->size);
    uint64_t version;
    uint64_t status;
    struct idempotent_answer read = { .status = 0 };

    if (end == NULL || !read_number(&next, end, ' ', &version) || version < OLDEST_RECORD_VERSION ||
        version > RECORD_VERSION || !read_number(&next, end, ' ', &status) || status < 200 ||
        status > 299)
        return false;
    if (version >= 2 && !read_tag(&next, end, read.tag))
        return false;
    size_t location_size = (size_t)(end - next);
    if (location_size >= sizeof answer_out->location)
        return false;
    read.status = (int)status;
    read.body = end + 1;
    read.body_size = answer->size - (size_t)(end + 1 - answer->data);
    memcpy(read.location, next, location_size);
    *answer_out = read;
    return true;
}

static struct part
text_part(const char *text)
{
    return (struct part){ text, strlen(text) };
}

static bool
digest(const struct part *parts, size_t count, uint8_t digest_out[32])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;

    for (size_t i = 0; i < count && good; i++) {
        uint64_t size = parts[i].size;
        good = EVP_DigestUpdate(context, &size, sizeof size) == 1 &&
               EVP_DigestUpdate(context, parts[i].bytes, parts[i].size) == 1;
    }
    good = good && EVP_DigestFinal_ex(context, digest_out, NULL) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

/* Reads up to a space and steps behind it. */
static bool
read_tag(const char **text, const char *end, char tag_out[ENTITY_TAG_SIZE])
{
    const char *stop = memchr(*text, ' ', (size_t)(end - *text));

    if (stop == NULL || stop - *text >= ENTITY_TAG_SIZE)
        return false;
    memcpy(tag_out, *text, (size_t)(stop - *text));
    *text = stop + 1;
    return true;
}

/* Reads digits up to 'stop' and steps behind it. */
static bool
read_number(const char **text, const char *end, char stop, uint64_t *number_out)
{
    const char *stop_at = *text == NULL ? NULL : memchr(*text, stop, (size_t)(end - *text));

    if (stop_at == NULL || !text_parse_unsigned(*text, (size_t)(stop_at - *text), number_out))
        return false;
    *text = stop_at + 1;
    return true;
}
