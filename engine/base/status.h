/* SPDX-License-Identifier: Apache-2.0
 *
 * status.h: the one enumeration of outcomes, and the fault that says what was wrong.
 *
 * The table is status.def.  A status travels as the return value; the field it is about and the
 * reason travel beside it in a 'struct ipsec_fault' owned by whoever made the call. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/attributes.h"

enum ipsec_status {
    IPSEC_OK = 0,
#define STATUS(symbol, name, value, text) symbol,
#include "engine/base/status.def"
#undef STATUS
    IPSEC_STATUS_COUNT
};

/* Name ("FWP_E_FILTER_NOT_FOUND"), value (0x80320003) and text ("unknown filter") of a status.
 * IPSEC_OK is "ERROR_SUCCESS", 0, "success".  The strings are static. */
const char *ipsec_status_name(enum ipsec_status status);
uint32_t ipsec_status_value(enum ipsec_status status);
const char *ipsec_status_text(enum ipsec_status status);

/* Finds a status by its name or by its value in hexadecimal ("0x80320003", any letter case).
 * Returns false when no row has it. */
bool ipsec_status_find(const char *name_or_value, enum ipsec_status *status_out);

/* Where the thing that was refused stood.  An unknown object is 404 in the path, 422 in the body.
 */
enum ipsec_fault_place {
    IPSEC_FAULT_SERVICE = 0, /* not the caller's doing */
    IPSEC_FAULT_PATH,
    IPSEC_FAULT_QUERY,
    IPSEC_FAULT_HEADER,
    IPSEC_FAULT_BODY,
};

/* What was wrong.  Fixed size, no ownership; a zeroed one means "nothing".  'pointer' is a JSON
 * pointer into the body ("/conditions/1/value") or the bare name of a query member or header.
 * 'detail' is one sentence without a full stop; bytes of callers in it are escaped by whoever
 * prints it.  Both are cut, at a character boundary, when too long. */
struct ipsec_fault {
    enum ipsec_status status;
    enum ipsec_fault_place place;
    char pointer[96];
    char detail[352];
    uint64_t oldest_sequence; /* with IPSEC_NOTIFICATION_DROPPED: from where to go on; else 0 */
};

/* Fills 'fault' and returns 'status', so that a check can end in "return ipsec_fault_set(...)".
 * 'pointer' may be null; 'fault' may be null, then only the status is returned. */
NODISCARD enum ipsec_status ipsec_fault_set(struct ipsec_fault *fault,
                                            enum ipsec_status status,
                                            enum ipsec_fault_place place,
                                            const char *pointer,
                                            const char *format,
                                            ...) PRINTF_FORMAT(5, 6);

/* For a call of the system that failed: IPSEC_RPC_ACCESS_DENIED when the process may not, whatever
 * it was; else IPSEC_RPC_SYS_CALL_FAILED. */
NODISCARD enum ipsec_status ipsec_status_of_errno(int error);

/* Puts 'prefix' ("/inbound") before the pointer of a fault in a body and returns its status: the
 * thing that was checked stands in a larger one. */
NODISCARD enum ipsec_status ipsec_fault_prefix(struct ipsec_fault *fault, const char *prefix);
