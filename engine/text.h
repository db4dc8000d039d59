/* SPDX-License-Identifier: Apache-2.0
 *
 * text.h: texts of callers: names, descriptions, values of labels. */
#pragma once

#include <stdbool.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"

/* Whether the text is UTF-8 without control characters. */
bool text_is_printable(const char *text);

/* IPSEC_NULL_DISPLAY_NAME unless there is a name; 'what' says of what. */
NODISCARD enum ipsec_status
text_check_is_named(const char *name, const char *what, struct ipsec_fault *fault);
/* IPSEC_INVALID_PARAMETER for display data that is too long or not printable.  'description' may be
 * null. */
NODISCARD enum ipsec_status
text_check_display_data(const char *name, const char *description, struct ipsec_fault *fault);
