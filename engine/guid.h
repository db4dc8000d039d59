/* SPDX-License-Identifier: Apache-2.0
 *
 * guid.h: making and comparing the keys of objects. */
#pragma once

#include <stdbool.h>

#include "engine/types.h"

/* A random GUID (RFC 9562, version 4). */
struct ipsec_guid guid_new(void);
bool guid_is_zero(const struct ipsec_guid *guid);
bool guid_equal(const struct ipsec_guid *left, const struct ipsec_guid *right);
