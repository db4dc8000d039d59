/* SPDX-License-Identifier: Apache-2.0
 *
 * file.h: reads an operator's file and says what is wrong with it. */
#pragma once

#include "engine/base/attributes.h"
#include "engine/base/buffer.h"
#include "engine/base/status.h"

/* Reads the whole of a regular file into 'contents', whose maximum is the largest size accepted.
 * 'fault' names file and cause. */
NODISCARD enum ipsec_status
auth_file_read(const char *file, struct ipsec_fault *fault, struct buffer *contents);

/* Fills 'fault' with "FILE: POINTER: cause" and returns 'status'.  'pointer' may be null or empty.
 * The front of a very long path is left out, never the cause. */
NODISCARD enum ipsec_status auth_file_fault(struct ipsec_fault *fault,
                                            enum ipsec_status status,
                                            const char *file,
                                            const char *pointer,
                                            const char *format,
                                            ...) PRINTF_FORMAT(5, 6);
