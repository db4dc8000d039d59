/* SPDX-License-Identifier: Apache-2.0
 *
 * precondition.c: see precondition.h. */
#include "api/precondition.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/router.h"
#include "api/text.h"

/* One element of the list of an If header. */
struct entity_tag {
    const char *text; /* between the quotes */
    size_t size;
    bool is_weak;
};

/* No object is ever in this revision: tags that are not ours stand for it. */
enum { NO_REVISION = 0 };

static enum ipsec_status check_use(struct api_call *call, enum api_header about);
static enum ipsec_status check_syntax(struct api_call *call, enum api_header about);
static enum ipsec_status read_if_match(struct api_call *call);
static bool next_tag(const char **next, struct entity_tag *tag_out);
static uint64_t revision_of(const struct entity_tag *tag);
static bool is_any(const char *header);
static enum ipsec_status refuse(struct api_call *call, enum api_header about, const char *detail);

enum ipsec_status
precondition_read(struct api_call *call)
{
    static const enum api_header headers[] = { API_HEADER_IF_MATCH, API_HEADER_IF_NONE_MATCH };
    enum ipsec_status status = IPSEC_OK;

    for (size_t i = 0; i < sizeof headers / sizeof *headers && status == IPSEC_OK; i++) {
        if (call->headers[headers[i]] == NULL)
            continue;
        status = check_use(call, headers[i]);
        if (status == IPSEC_OK)
            status = check_syntax(call, headers[i]);
    }
    if (status != IPSEC_OK || call->headers[API_HEADER_IF_MATCH] == NULL)
        return status;
    return read_if_match(call);
}

void
precondition_tag(const struct api_call *call, char tag[ENTITY_TAG_SIZE])
{
    const struct api_route *route = call->route;
    const char *out = call->out;

    tag[0] = '\0';
    if (route->revision_offset == 0)
        return;
    const uint64_t *revision = (const void *)(out + route->revision_offset);
    (void)snprintf(tag, ENTITY_TAG_SIZE, "%" PRIu64, *revision);
}

/* Weak comparison: a weak tag of ours, which a cache on the way may have made of it, will do. */
bool
precondition_has_tag(const struct api_call *call, const char *text)
{
    const char *next = call->headers[API_HEADER_IF_NONE_MATCH];
    struct entity_tag tag;

    if (next == NULL)
        return false;
    if (is_any(next))
        return true;
    while (*next != '\0' && next_tag(&next, &tag)) {
        if (tag.size == strlen(text) && memcmp(tag.text, text, tag.size) == 0)
            return true;
    }
    return false;
}

/* A condition that nobody would look at is refused: its caller counts on it. */
static enum ipsec_status
check_use(struct api_call *call, enum api_header about)
{
    if (!call->route->versioned)
        return refuse(call, about, "nothing here has an entity tag");
    if (about == API_HEADER_IF_NONE_MATCH && strcmp(call->route->method, "GET") != 0)
        return refuse(call, about, "is for GET and HEAD; use If-Match to change what you know");
    return IPSEC_OK;
}

static enum ipsec_status
check_syntax(struct api_call *call, enum api_header about)
{
    const char *next = call->headers[about];
    size_t count = 0;
    struct entity_tag tag;

    if (is_any(next))
        return IPSEC_OK;
    while (*next != '\0' && next_tag(&next, &tag))
        count++;
    if (*next != '\0' || count == 0)
        return refuse(call, about, "must be * or a list of entity tags like \"42\"");
    return IPSEC_OK;
}

/* Strong comparison: a weak tag equals none. */
static enum ipsec_status
read_if_match(struct api_call *call)
{
    struct ipsec_call *base = &call->base;
    const char *next = call->headers[API_HEADER_IF_MATCH];
    size_t room = sizeof base->if_match / sizeof *base->if_match;
    struct entity_tag tag;

    if (is_any(next))
        return IPSEC_OK; /* what is not there is not found */
    while (*next != '\0' && next_tag(&next, &tag)) {
        uint64_t revision = tag.is_weak ? NO_REVISION : revision_of(&tag);
        if (revision == NO_REVISION)
            continue;
        if (base->if_match_count == room)
            return refuse(call, API_HEADER_IF_MATCH, "lists more than 4 entity tags");
        base->if_match[base->if_match_count++] = revision;
    }
    if (base->if_match_count == 0)
        base->if_match[base->if_match_count++] = NO_REVISION;
    return IPSEC_OK;
}

/* Takes one element of a list with what separates it from the next; empty elements between commas
 * are passed over.  False, with '*next' where it stopped, when there is no element like that. */
static bool
next_tag(const char **next, struct entity_tag *tag_out)
{
    const char *text = *next + strspn(*next, " \t,");

    tag_out->is_weak = strncmp(text, "W/", 2) == 0;
    text += tag_out->is_weak ? 2 : 0;
    if (*text != '"')
        return false;
    tag_out->text = text + 1;
    tag_out->size = 0;
    while ((unsigned char)tag_out->text[tag_out->size] > ' ' && tag_out->text[tag_out->size] != '"')
        tag_out->size++;
    text = tag_out->text + tag_out->size;
    if (*text++ != '"')
        return false;
    text += strspn(text, " \t");
    if (*text != ',' && *text != '\0')
        return false;
    *next = text + strspn(text, " \t,");
    return true;
}

static uint64_t
revision_of(const struct entity_tag *tag)
{
    uint64_t revision;

    return text_parse_unsigned(tag->text, tag->size, &revision) ? revision : NO_REVISION;
}

static bool
is_any(const char *header)
{
    header += strspn(header, " \t");
    return header[0] == '*' && header[1 + strspn(header + 1, " \t")] == '\0';
}

static enum ipsec_status
refuse(struct api_call *call, enum api_header about, const char *detail)
{
    return ipsec_fault_set(&call->base.fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_HEADER,
                           api_header_names[about], "%s", detail);
}
