/* SPDX-License-Identifier: Apache-2.0
 *
 * rounds.h: the work of the engine thread: takes calls, runs them in batches, commits, gives them
 * back.
 *
 * While the store fails the engine is read-only: calls that change something are undone and refused
 * with the store's status, reads are answered from memory, and a probe write from time to time
 * tells when the store is well again. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/call.h"
#include "engine/engine.h"
#include "engine/figures.h"
#include "engine/handover.h"
#include "engine/state.h"

struct ipsec_engine {
    struct ipsec_engine_options options;
    struct handover handover;
    struct figures figures;
    bool has_thread; /* or the thread of its caller runs it */
    pthread_t thread;

    /* The engine thread's; names of principals are for all. */
    struct engine_state state;
    struct call_runner runner;
    struct batch_call *batch_calls; /* 'options.max_batch' places */
    struct ipsec_call *waiting;     /* taken from the queue, for the next batches */
    int64_t next_probe_ms;
};

/* Waits for something to do and does it.  False: it is closed, and nothing is left to do. */
bool rounds_run(struct ipsec_engine *engine);
