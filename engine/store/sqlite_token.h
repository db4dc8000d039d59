/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_token.h: the tokens of an ipsecId in one column, for an operator to read:
 * "machine local main 0x000000000000002a, impersonation peer extended 0x0000000000000001". */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "engine/types.h"

#define SQLITE_TOKENS_SIZE (IPSEC_TOKENS_MAX * (size_t)64)
/* Nothing for no tokens. */
void sqlite_tokens_format(const struct ipsec_id *id, char text[SQLITE_TOKENS_SIZE]);
/* Reads what the formatter writes, and nothing else. */
bool sqlite_tokens_parse(const char *text, struct ipsec_id *id);
