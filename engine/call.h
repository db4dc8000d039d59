/* SPDX-License-Identifier: Apache-2.0
 *
 * call.h: running one call: its session, its right, the answer it got before, its changes undone
 * when it fails or was not to have any.
 *
 * The order is that of the reference: the session is known and alive, its transaction, its kind,
 * the right; then the operation.  A call that has to wait for the lock on policy is undone and
 * parked, and runs again from its start. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
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

/* One call of the batch under way. */
struct batch_call {
    struct ipsec_call *call;
    bool exposed; /* it may have seen changes that are not committed yet */
    bool refused; /* the data plane did not take what it, or an item of it, wants */
    /* Its changes in the batch. */
    size_t first_change;
    size_t last_change; /* the one behind */
};

enum call_outcome {
    CALL_REFUSED = 0, /* turned away without a look at the objects */
    CALL_RAN,
    CALL_HAS_TO_WAIT, /* to be parked until 'call->wait.deadline_ms'; it left nothing behind */
};

/* Runs 'call' and leaves status and fault in it.  A call that fails leaves nothing in the batch. */
NODISCARD enum call_outcome call_run(const struct call_runner *runner, struct ipsec_call *call);

/* The changes of a call that succeeded did not come through for the store's 'status': its answer
 * must not be given.  Paths and causes of the store are for the log, not for callers. */
void call_take_back(struct ipsec_call *call, enum ipsec_status status);

/* The data plane refused what a committed call wants; it was taken back, and so is its answer. */
void
call_refuse(struct engine_state *state, struct ipsec_call *call, const struct ipsec_fault *fault);
/* The same of some items of a call, which has another answer now. */
void call_answer_again(struct engine_state *state, struct ipsec_call *call);
/* A repeat in the same batch gets what 'call' gets. */
void call_repeat_again(struct ipsec_call *repeat, const struct ipsec_call *call);

/* Sets status and fault of a call and returns the status. */
enum ipsec_status call_fail(struct ipsec_call *call, enum ipsec_status status, const char *detail);
