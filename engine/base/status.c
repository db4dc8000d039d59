/* SPDX-License-Identifier: Apache-2.0
 *
 * status.c: names of statuses and the filling of faults. */
#include "engine/base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct status_row {
    const char *name;
    const char *text;
    uint32_t value;
};

static const struct status_row status_rows[IPSEC_STATUS_COUNT] = {
    [IPSEC_OK] = { "ERROR_SUCCESS", "success", 0 },
#define STATUS(symbol, name, value, text) [symbol] = { name, text, value },
#include "engine/base/status.def"
#undef STATUS
};

static const struct status_row *row_of(enum ipsec_status status);
static void cut_at_character(char *text, size_t length);

const char *
ipsec_status_name(enum ipsec_status status)
{
    return row_of(status)->name;
}

uint32_t
ipsec_status_value(enum ipsec_status status)
{
    return row_of(status)->value;
}

const char *
ipsec_status_text(enum ipsec_status status)
{
    return row_of(status)->text;
}

enum ipsec_status
ipsec_status_of_errno(int error)
{
    return error == EACCES || error == EPERM ? IPSEC_RPC_ACCESS_DENIED : IPSEC_RPC_SYS_CALL_FAILED;
}

bool
ipsec_status_find(const char *name_or_value, enum ipsec_status *status_out)
{
    char value[sizeof "0x00000000"];

    for (int i = 1; i < IPSEC_STATUS_COUNT; i++) {
        const struct status_row *row = &status_rows[i];

        (void)snprintf(value, sizeof value, "0x%08X", row->value);
        if (strcmp(row->name, name_or_value) == 0 || strcasecmp(value, name_or_value) == 0) {
            *status_out = (enum ipsec_status)i;
            return true;
        }
    }
    return false;
}

enum ipsec_status
ipsec_fault_set(struct ipsec_fault *fault,
                enum ipsec_status status,
                enum ipsec_fault_place place,
                const char *pointer,
                const char *format,
                ...)
{
    if (fault == NULL)
        return status;

    va_list arguments;
    va_start(arguments, format);
    int detail_length = vsnprintf(fault->detail, sizeof fault->detail, format, arguments);
    va_end(arguments);
    int pointer_length =
        snprintf(fault->pointer, sizeof fault->pointer, "%s", pointer == NULL ? "" : pointer);

    if (detail_length >= (int)sizeof fault->detail)
        cut_at_character(fault->detail, sizeof fault->detail - 1);
    if (pointer_length >= (int)sizeof fault->pointer)
        cut_at_character(fault->pointer, sizeof fault->pointer - 1);
    fault->status = status;
    fault->place = place;
    fault->oldest_sequence = 0;
    return status;
}

enum ipsec_status
ipsec_fault_prefix(struct ipsec_fault *fault, const char *prefix)
{
    char pointer[sizeof fault->pointer];

    if (fault->place != IPSEC_FAULT_BODY)
        return fault->status;
    memcpy(pointer, fault->pointer, sizeof pointer);
    int length = snprintf(fault->pointer, sizeof fault->pointer, "%s%s", prefix, pointer);
    if (length >= (int)sizeof fault->pointer)
        cut_at_character(fault->pointer, sizeof fault->pointer - 1);
    return fault->status;
}

static const struct status_row *
row_of(enum ipsec_status status)
{
    if ((unsigned)status >= IPSEC_STATUS_COUNT)
        abort();
    return &status_rows[status];
}

/* Drops the bytes of a UTF-8 character that the end of the buffer cut in two. */
static void
cut_at_character(char *text, size_t length)
{
    size_t start = length;

    while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t expected = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (length - (start - 1) < expected)
        text[start - 1] = '\0';
}
