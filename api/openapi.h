/* SPDX-License-Identifier: Apache-2.0
 *
 * openapi.h: the bytes of openapi.json, made part of the program by the build. */
#pragma once

#include <stddef.h>

extern const char openapi_document[];
extern const size_t openapi_document_size;
