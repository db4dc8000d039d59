/* SPDX-License-Identifier: Apache-2.0
 *
 * turns.c: see turns.h. */
#include "server/turns.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

enum { ANSWER_SIZE_FADES = 16 };

struct turn_caller {
    UT_hash_handle hh;
    uint64_t principal; /* a number for his name */
    uint32_t connections;
    uint32_t in_flight; /* cost of the turns that were taken in this round */
    uint32_t round;
    int64_t moved_ms;   /* when a turn was last taken or given back */
    size_t answer_size; /* what to expect of a request without body: the largest of late */
    struct turn *first; /* those that wait */
    struct turn *last;
    struct turn_caller *next_waiting;
};

static uint64_t number_of(const char *principal);
static void note_caller(struct turn_board *board, uint64_t principal, int64_t now_ms);
static uint32_t budget_of(const struct turn_board *board, uint64_t principal, int64_t now_ms);
static uint32_t cost_of(size_t body_size, size_t answer_size);
static bool fits(const struct turn_caller *caller, uint32_t cost, uint32_t budget);
static void go_on(struct turn_caller *caller, struct turn *turn, int64_t now_ms);
static void append_waiting(struct turn_queue *queue, struct turn_caller *caller);

struct turn_caller *
turn_queue_enter(struct turn_queue *queue, const char *principal)
{
    const uint64_t number = number_of(principal);
    struct turn_caller *caller;

    HASH_FIND(hh, queue->callers, &number, sizeof number, caller);
    if (caller == NULL) {
        caller = calloc(1, sizeof *caller);
        if (caller == NULL)
            return NULL;
        caller->principal = number;
        HASH_ADD(hh, queue->callers, principal, sizeof caller->principal, caller);
        if (caller->hh.tbl == NULL) { /* no memory for the table */
            free(caller);
            return NULL;
        }
    }
    caller->connections++;
    return caller;
}

void
turn_queue_leave(struct turn_queue *queue, struct turn_caller *caller)
{
    if (--caller->connections > 0)
        return;
    HASH_DEL(queue->callers, caller);
    free(caller);
}

bool
turn_queue_take(struct turn_queue *queue,
                struct turn_caller *caller,
                struct turn *turn,
                size_t body_size,
                int64_t now_ms)
{
    note_caller(queue->board, caller->principal, now_ms);
    *turn = (struct turn){
        .caller = caller,
        .cost = cost_of(body_size, body_size > 0 ? 0 : caller->answer_size),
        .has_body = body_size > 0,
    };
    uint32_t budget = budget_of(queue->board, caller->principal, now_ms);
    if (caller->first == NULL && fits(caller, turn->cost, budget)) {
        go_on(caller, turn, now_ms);
        return true;
    }
    turn->waits = true;
    if (caller->first == NULL) {
        caller->first = turn;
        append_waiting(queue, caller);
    } else {
        caller->last->next = turn;
    }
    caller->last = turn;
    queue->waiting++;
    return false;
}

void
turn_give_back(struct turn *turn, size_t answer_size, int64_t now_ms)
{
    struct turn_caller *caller = turn->caller;

    if (caller == NULL)
        return;
    if (turn->round == caller->round)
        caller->in_flight -= turn->cost;
    caller->moved_ms = now_ms;
    turn->caller = NULL;
    if (turn->has_body)
        return;
    if (answer_size >= caller->answer_size)
        caller->answer_size = answer_size;
    else
        caller->answer_size -= (caller->answer_size - answer_size) / ANSWER_SIZE_FADES;
}

struct turn *
turn_queue_next(struct turn_queue *queue, int64_t now_ms)
{
    const struct turn_caller *last = queue->last_waiting;
    bool seen_all = queue->first_waiting == NULL;

    while (!seen_all) {
        struct turn_caller *caller = queue->first_waiting;
        struct turn *turn = caller->first;
        uint32_t budget = budget_of(queue->board, caller->principal, now_ms);
        if (now_ms - caller->moved_ms >= TURN_STALL_MS) {
            caller->round++;
            caller->in_flight = 0;
        }
        bool goes = fits(caller, turn->cost, budget);

        seen_all = caller == last;
        queue->first_waiting = caller->next_waiting;
        if (queue->first_waiting == NULL)
            queue->last_waiting = NULL;
        if (goes) {
            caller->first = turn->next;
            go_on(caller, turn, now_ms);
            queue->waiting--;
        }
        if (caller->first != NULL)
            append_waiting(queue, caller);
        if (goes)
            return turn;
    }
    return NULL;
}

/* The same whenever he comes back: FNV-1a.  Two who had the same would share their turns. */
static uint64_t
number_of(const char *principal)
{
    uint64_t number = UINT64_C(0xcbf29ce484222325);

    for (; *principal != '\0'; principal++)
        number = (number ^ (unsigned char)*principal) * UINT64_C(0x100000001b3);
    return number;
}

/* Workers may overtake each other here; then somebody is found alone, or not, a request later. */
static void
note_caller(struct turn_board *board, uint64_t principal, int64_t now_ms)
{
    int64_t latest_ms = atomic_load_explicit(&board->latest_ms, memory_order_relaxed);

    if (atomic_load_explicit(&board->latest, memory_order_relaxed) != principal) {
        atomic_store_explicit(&board->other_ms, latest_ms, memory_order_relaxed);
        atomic_store_explicit(&board->latest, principal, memory_order_relaxed);
    }
    if (latest_ms != now_ms)
        atomic_store_explicit(&board->latest_ms, now_ms, memory_order_relaxed);
}

static uint32_t
budget_of(const struct turn_board *board, uint64_t principal, int64_t now_ms)
{
    bool is_latest = atomic_load_explicit(&board->latest, memory_order_relaxed) == principal;
    int64_t other_ms = is_latest ? atomic_load_explicit(&board->other_ms, memory_order_relaxed)
                                 : atomic_load_explicit(&board->latest_ms, memory_order_relaxed);

    return other_ms == 0 || now_ms - other_ms >= TURN_SHARED_MS ? TURN_ALONE_BUDGET
                                                                : TURN_SHARED_BUDGET;
}

static uint32_t
cost_of(size_t body_size, size_t answer_size)
{
    size_t cost = TURN_COST + body_size / TURN_BODY_BYTES + answer_size / TURN_ANSWER_BYTES;

    /* So that no sum of them overflows: one beyond the budget goes alone anyway. */
    return cost < TURN_ALONE_BUDGET ? (uint32_t)cost : TURN_ALONE_BUDGET;
}

static bool
fits(const struct turn_caller *caller, uint32_t cost, uint32_t budget)
{
    return caller->in_flight == 0 || caller->in_flight + cost <= budget;
}

static void
go_on(struct turn_caller *caller, struct turn *turn, int64_t now_ms)
{
    caller->in_flight += turn->cost;
    caller->moved_ms = now_ms;
    turn->round = caller->round;
    turn->next = NULL;
    turn->waits = false;
}

static void
append_waiting(struct turn_queue *queue, struct turn_caller *caller)
{
    caller->next_waiting = NULL;
    if (queue->last_waiting == NULL)
        queue->first_waiting = caller;
    else
        queue->last_waiting->next_waiting = caller;
    queue->last_waiting = caller;
}
