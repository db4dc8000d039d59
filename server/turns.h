/* SPDX-License-Identifier: Apache-2.0
 *
 * turns.h: how much of a worker, and of the engine behind it, one principal has at a time.
 *
 * A whole request takes a turn before its body is decoded, and gives it back once it is answered. A
 * principal's requests beyond what he may have in flight wait, in their order, while others go on;
 * so what he asks for at once, over however many connections, delays nobody by more than that.  One
 * who is alone may have much, which makes large commits; as soon as there is another, each has
 * little.  What a request takes is told from its size, or, without a body, from the answers before:
 * that is what decoding, engine and encoding go by.
 *
 * The engine lets some calls wait for the end of a transaction, which may be in a request that has
 * no turn yet.  So turns that nothing came of for a while do not count any more. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"

/* Work, in something like a microsecond of a slow core. */
enum {
    TURN_COST = 50,             /* of any request: TLS, headers, hand-over */
    TURN_BODY_BYTES = 16,       /* of a request's body that cost one more */
    TURN_ANSWER_BYTES = 64,     /* of an answer's */
    TURN_SHARED_BUDGET = 800,   /* in flight at once while others are served, too */
    TURN_ALONE_BUDGET = 100000, /* while nobody else is */
    TURN_SHARED_MS = 2000,      /* others are served for so long after their last request */
    TURN_STALL_MS = 200,
};

/* Who was served last, in all workers.  All zero at the begin. */
struct turn_board {
    _Atomic uint64_t latest; /* a number for him, 0: nobody */
    _Atomic int64_t latest_ms;
    _Atomic int64_t other_ms; /* when somebody else than 'latest' was */
};

struct turn_caller; /* one principal on one worker */

/* Part of a request; all zero at the begin. */
struct turn {
    struct turn *next;
    struct turn_caller *caller; /* null: no turn taken */
    uint32_t cost;
    uint32_t round; /* of its caller, when it was taken */
    bool waits;
    bool has_body;
};

/* A worker's.  All zero but for the board at the begin. */
struct turn_queue {
    struct turn_board *board;
    struct turn_caller *callers;
    struct turn_caller *first_waiting; /* a ring's order: who comes next */
    struct turn_caller *last_waiting;
    uint32_t waiting; /* turns */
};

/* One more connection of 'principal'; null when there is no memory. */
struct turn_caller *turn_queue_enter(struct turn_queue *queue, const char *principal);
/* No turn of that connection is left. */
void turn_queue_leave(struct turn_queue *queue, struct turn_caller *caller);

/* True: go on.  False: 'turn' waits until turn_queue_next() returns it. */
NODISCARD bool turn_queue_take(struct turn_queue *queue,
                               struct turn_caller *caller,
                               struct turn *turn,
                               size_t body_size,
                               int64_t now_ms);
/* Accepts one that was not taken, or was given back. */
void turn_give_back(struct turn *turn, size_t answer_size, int64_t now_ms);
/* The next that waited and may go on now, one of each principal after another; null: none. */
struct turn *turn_queue_next(struct turn_queue *queue, int64_t now_ms);
