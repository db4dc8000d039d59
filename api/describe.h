/* SPDX-License-Identifier: Apache-2.0
 *
 * describe.h: the contract as the code has it. */
#pragma once

#include <jansson.h>

/* The OpenAPI 3.1 document of all routes and the schemas they use: new, or null without memory.
 * openapi.json is this, written out; a test holds them together. */
json_t *describe_service(const char *version);
