/* SPDX-License-Identifier: Apache-2.0
 *
 * text.c: see text.h. */
#include "engine/text.h"

#include <stddef.h>
#include <string.h>

#include "engine/types.h"

static enum ipsec_status
check_text(const char *text, size_t maximum, const char *pointer, struct ipsec_fault *fault);
static size_t printable_length(const unsigned char *text);

bool
text_is_printable(const char *text)
{
    return text[printable_length((const unsigned char *)text)] == '\0';
}

enum ipsec_status
text_check_is_named(const char *name, const char *what, struct ipsec_fault *fault)
{
    if (name != NULL && name[0] != '\0')
        return IPSEC_OK;
    return ipsec_fault_set(fault, IPSEC_NULL_DISPLAY_NAME, IPSEC_FAULT_BODY, "/displayData/name",
                           "%s needs a display name", what);
}

enum ipsec_status
text_check_display_data(const char *name, const char *description, struct ipsec_fault *fault)
{
    enum ipsec_status status = check_text(name, IPSEC_DISPLAY_NAME_MAX, "/displayData/name", fault);
    if (status != IPSEC_OK || description == NULL)
        return status;
    return check_text(description, IPSEC_DISPLAY_DESCRIPTION_MAX, "/displayData/description",
                      fault);
}

static enum ipsec_status
check_text(const char *text, size_t maximum, const char *pointer, struct ipsec_fault *fault)
{
    size_t length = strnlen(text, maximum + 1);

    if (length > maximum)
        return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_BODY, pointer,
                               "is longer than %zu bytes", maximum);
    if (printable_length((const unsigned char *)text) != length)
        return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_BODY, pointer,
                               "must be UTF-8 without control characters");
    return IPSEC_OK;
}

/* How many bytes from the start are UTF-8 without control characters (C0, DEL, C1). */
static size_t
printable_length(const unsigned char *text)
{
    static const uint32_t lowest[] = { 0, 0x80, 0x800, 0x10000 };
    size_t i = 0;

    while (text[i] != '\0') {
        unsigned char lead = text[i];
        size_t more = lead < 0x80 ? 0 : lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
        uint32_t code = lead;

        if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4)
            return i;
        if (more > 0)
            code = lead & (0x3fu >> more);
        for (size_t j = 1; j <= more; j++) {
            if ((text[i + j] & 0xc0) != 0x80)
                return i;
            code = code << 6 | (text[i + j] & 0x3f);
        }
        if (code < lowest[more] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ||
            code < 0x20 || (code >= 0x7f && code <= 0x9f))
            return i;
        i += more + 1;
    }
    return i;
}
