/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_member.h: the members of a struct that a field table places; for the codec itself. */
#pragma once

#include <stdlib.h>

#include "api/codec.h"

static inline void *
codec_member_of(void *object, size_t offset)
{
    return (char *)object + offset;
}

static inline uint64_t
codec_load_unsigned(const void *member, size_t size)
{
    switch (size) {
    case 1:
        return *(const uint8_t *)member;
    case 2:
        return *(const uint16_t *)member;
    case 4:
        return *(const uint32_t *)member;
    case 8:
        return *(const uint64_t *)member;
    default:
        abort();
    }
}

static inline void
codec_store_unsigned(void *member, size_t size, uint64_t value)
{
    switch (size) {
    case 1:
        *(uint8_t *)member = (uint8_t)value;
        break;
    case 2:
        *(uint16_t *)member = (uint16_t)value;
        break;
    case 4:
        *(uint32_t *)member = (uint32_t)value;
        break;
    case 8:
        *(uint64_t *)member = value;
        break;
    default:
        abort();
    }
}

static inline void
codec_mark_given(const struct codec_field *field, void *object)
{
    if (field->given_offset != 0)
        *(bool *)codec_member_of(object, field->given_offset) = true;
}
