/* SPDX-License-Identifier: Apache-2.0
 *
 * call.h: running one call: its right, the answer it got before, its changes undone when it fails.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/engine.h"
#include "engine/state.h"
#include "engine/store/store.h"

/* What calls run on. */
struct call_runner {
    struct engine_state *state;
    const struct store_ops *store_ops;
    struct store *store;
    struct ipsec_fault store_fault; /* why no changes are taken; status IPSEC_OK: they are */
    uint32_t abandoned_after_ms;
};

/* Runs 'call' and leaves status and fault in it.  A call that fails leaves nothing in the batch.
 * False: it was turned away without a look at the objects. */
bool call_run(const struct call_runner *runner, struct ipsec_call *call);

/* The changes of a call that succeeded did not come through for the store's 'status': its answer
 * must not be given.  Paths and causes of the store are for the log, not for callers. */
void call_take_back(struct ipsec_call *call, enum ipsec_status status);

/* Sets status and fault of a call and returns the status. */
enum ipsec_status call_fail(struct ipsec_call *call, enum ipsec_status status, const char *detail);
