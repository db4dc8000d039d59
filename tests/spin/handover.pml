/* SPDX-License-Identifier: Apache-2.0
 *
 * handover.pml: calls from workers to the engine thread and back, and the end of the service, as a
 * model for spin: engine/handover.c, the loops of engine/rounds.c and server/worker.c, drain() of
 * server/main.c.  run.sh checks it.
 *
 * A critical section is an atomic step.  Waiting has no time limit here, but where the code gives up
 * waiting for more calls or for the lock on policy: so a wake-up that is missed is a deadlock, which
 * spin reports.  Each BUG_… breaks the protocol in one place; run.sh sees that every one is found. */

#define WORKERS 2
#ifdef SMALL
#define CALLS 1 /* of each worker */
#else
#define CALLS 2
#endif
#define TOTAL (WORKERS * CALLS)
#define MAX_BATCH 2
#define WANTED 2     /* how many calls the engine may gather before it commits */

mtype = { IDLE, QUEUED, TAKEN, PARKED, RAN, DELIVERED, REPLIED };
mtype = { UNKNOWN, DURABLE, FAILED };

mtype state[TOTAL] = IDLE;
mtype effect[TOTAL] = UNKNOWN;  /* what became of the change of a call */
mtype answer[TOTAL] = UNKNOWN;  /* what its caller is told */

/* struct handover */
byte queued;
bool sleeping;
bool closed;
bool nudged;
bool draining;
byte reserved;

/* Its condition variable: a signal without a waiter is lost. */
bool waiting;
bool woken;

/* struct ipsec_completion, one for each worker */
bool signalled[WORKERS];
bool event_fd[WORKERS];
bool completion_closed[WORKERS];

/* struct worker */
bool stop[WORKERS];
bool wake_fd[WORKERS];
byte in_flight[WORKERS];
bool worker_ended[WORKERS];

bool engine_ended;
bool finished;

inline signal() {
    if
    :: waiting -> woken = true
    :: else
    fi
}

/* --- The engine thread --------------------------------------------------------------------------- */

byte taken;         /* engine->waiting */
byte parked;        /* calls that wait for the lock on policy */
bool policy_stopped;

/* wait_for_calls(): 'timed' when it may give up. */
inline wait_for_calls(wanted, timed) {
    do
    :: atomic {
           queued < wanted && !closed && !nudged ->
#ifndef BUG_NOT_SLEEPING
           sleeping = true;
#endif
           waiting = true; woken = false
       }
       if
       :: atomic { woken -> waiting = false; woken = false }
       :: atomic { timed -> waiting = false; woken = false; break }
       fi
    :: atomic { !(queued < wanted && !closed && !nudged) -> break }
    od;
    atomic { sleeping = false; nudged = false }
}

/* handover_deliver(): a list for each worker, its descriptor written under its lock. */
inline deliver(w) {
    atomic {
        any = false;
        for (c : w * CALLS .. (w + 1) * CALLS - 1) {
            if
            :: state[c] == RAN -> state[c] = DELIVERED; any = true
            :: else
            fi
        }
        if
        :: any ->
            assert(!completion_closed[w]);
            if
            :: !signalled[w] -> event_fd[w] = true
            :: else
            fi;
            signalled[w] = true
        :: else
        fi;
        any = false;
        c = 0
    }
}

/* A batch in memory; nobody else looks at what it works on.  First who waited for the lock on
 * policy, then who is new. */
inline run_batch() {
    for (c : 0 .. TOTAL - 1) {
        if
        :: batch < MAX_BATCH && state[c] == PARKED && policy_stopped ->
            state[c] = RAN; parked--; batch++; answer[c] = FAILED
        :: batch < MAX_BATCH && state[c] == PARKED && !policy_stopped -> /* the lock is free */
            state[c] = RAN; parked--; batch++; answer[c] = DURABLE
        :: batch < MAX_BATCH && state[c] == PARKED && !policy_stopped -> skip
        :: batch < MAX_BATCH && state[c] == TAKEN && !policy_stopped ->
            state[c] = PARKED; parked++; taken--; reserved--
        :: batch < MAX_BATCH && state[c] == TAKEN ->
            state[c] = RAN; taken--; reserved--; batch++; answer[c] = DURABLE
        :: else
        fi
    }
    batch = 0;
    c = 0
}

/* It works or does not. */
inline commit() {
    if
    :: committed = true
    :: committed = false
    fi;
    for (c : 0 .. TOTAL - 1) {
        if
        :: state[c] == RAN && answer[c] == DURABLE && committed -> effect[c] = DURABLE
        :: state[c] == RAN && answer[c] == DURABLE && !committed ->
            effect[c] = FAILED; answer[c] = FAILED
        :: state[c] == RAN && answer[c] == FAILED -> effect[c] = FAILED
        :: else
        fi
    }
    committed = false;
    c = 0
}

/* handover_take() */
inline take() {
    atomic {
        for (c : 0 .. TOTAL - 1) {
            if
            :: state[c] == QUEUED -> state[c] = TAKEN; taken++
            :: else
            fi
        }
        queued = 0;
        closed_seen = closed;
        c = 0
    }
}

inline run_and_deliver() {
    atomic {
        policy_stopped = policy_stopped || closed_seen || draining;
        run_batch();
#ifndef BUG_EARLY_DELIVERY
        commit()
#endif
    }
    deliver(0);
    deliver(1);
#ifdef BUG_EARLY_DELIVERY
    atomic { commit() }
#endif
}

active proctype engine()
{
    byte c;
    byte batch;
    bool any;
    bool closed_seen;
    bool committed;

    do
    :: atomic { closed_seen && taken == 0 && parked == 0 && queued == 0 -> break }
    :: atomic { !(closed_seen && taken == 0 && parked == 0 && queued == 0) && taken > 0 }
        run_and_deliver()
    :: atomic { !closed_seen && taken == 0 && queued == 0 && !closed } wait_for_calls(1, parked > 0);
        take();
        run_and_deliver()
    :: atomic { !closed_seen && taken == 0 && queued > 0 && !closed }
        wait_for_calls(WANTED, true); /* handover_gather() */
        take();
        run_and_deliver()
    :: atomic { !closed_seen && taken == 0 && (queued > 0 || closed) }
        take();
        run_and_deliver()
    :: atomic { closed_seen && taken == 0 && (parked > 0 || queued > 0) }
        take();
        run_and_deliver()
    od;
    engine_ended = true
}

/* --- The workers --------------------------------------------------------------------------------- */

/* finish_calls(): what was delivered is answered, with what is so. */
inline finish_calls() {
    atomic {
        for (c : id * CALLS .. (id + 1) * CALLS - 1) {
            if
            :: state[c] == DELIVERED ->
                assert(answer[c] != UNKNOWN);
                assert(answer[c] == effect[c]); /* acknowledged is durable, refused left nothing */
                state[c] = REPLIED;
                in_flight[id]--
            :: else
            fi
        }
        c = 0;
#ifdef BUG_CLEAR_LATE
    }
    atomic {
#endif
        if
        :: signalled[id] -> event_fd[id] = false
        :: else
        fi;
#ifndef BUG_SIGNALLED_ONCE
        signalled[id] = false
#endif
    }
}

/* A round: any number of the requests that have not come yet are read and handed over with one
 * lock, handover_submit(). */
inline submit_round() {
    atomic {
        for (c : id * CALLS .. (id + 1) * CALLS - 1) {
            if
            :: state[c] == IDLE && !quiesced ->
                state[c] = QUEUED; in_flight[id]++; reserved++; queued++; submitted = true
            :: true
            fi
        }
        wake = submitted && sleeping;
        if
        :: submitted -> sleeping = false
        :: else
        fi;
        submitted = false;
        c = 0
    }
#ifndef BUG_NO_SIGNAL
    atomic {
        if
        :: wake -> signal()
        :: else
        fi;
        wake = false
    }
#endif
}

proctype worker(byte id)
{
    byte c;
    bool quiesced;
    bool submitted;
    bool wake;

    do
    :: finish_calls();
        submit_round();
        atomic {
            quiesced = quiesced || draining;
            if
#ifdef BUG_LEAVES_EARLY
            :: quiesced && stop[id] -> break
#else
            :: quiesced && stop[id] && in_flight[id] == 0 -> break
#endif
            :: else
            fi
        }
        /* poll(): a completion, a wake-up from main(), or a request. */
        if
        :: event_fd[id]
        :: atomic { wake_fd[id] -> wake_fd[id] = false }
        :: !quiesced && (state[id * CALLS] == IDLE || state[(id + 1) * CALLS - 1] == IDLE)
        fi
    od;
    atomic { completion_closed[id] = true; worker_ended[id] = true }
}

/* --- main(): somebody sends SIGTERM --------------------------------------------------------------- */

init
{
    byte c;

    atomic {
#ifndef SMALL
        state[TOTAL - 1] = REPLIED; /* three calls are enough */
#endif
        run worker(0);
        run worker(1)
    }
    draining = true;
    atomic { nudged = true; sleeping = false; signal() } /* handover_drain() */
    atomic { stop[0] = true; wake_fd[0] = true } /* worker_drain() */
    atomic { stop[1] = true; wake_fd[1] = true }
    (worker_ended[0] && worker_ended[1]);
    atomic { closed = true; sleeping = false; signal() } /* handover_close() */
    engine_ended;
    atomic {
        for (c : 0 .. TOTAL - 1) {
            assert(state[c] == IDLE || state[c] == REPLIED) /* no completion is lost */
        }
        assert(reserved == 0 && queued == 0);
        finished = true
    }
}

ltl drain_ends { <> finished }
