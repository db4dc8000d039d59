/* SPDX-License-Identifier: Apache-2.0
 *
 * event_log.h: the last changes of SA contexts, for those who watch.
 *
 * A ring that the engine thread writes after each commit and that any thread reads.  A reader that
 * was overtaken notices it after copying, and is told; writer and readers wait for each other only
 * while they take or give up references to labels, for a few instructions an event.  Events are in
 * the order of their sequence, and an event's position counts all events since the start.
 *
 * Sequences.  A run of the engine begins its numbers above all that earlier runs gave out (see
 * event_log_first_sequence()).  So whoever watched an earlier run may go on only where that run
 * ended, and is told otherwise; nothing is missed in silence. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/mutex.h"
#include "engine/types.h"

#define IPSEC_EVENT_LABEL_BYTES UINT64_C(1024)

struct event_slot;

struct event_log {
    struct event_slot *slots;  /* null: nothing is kept */
    uint64_t capacity;         /* a power of two */
    uint64_t base;             /* the last sequence of the run before */
    uint64_t start;            /* this run's are higher */
    _Atomic uint64_t begin;    /* positions below are given up */
    _Atomic uint64_t end;      /* positions below can be read, unless given up */
    _Atomic uint64_t sequence; /* there is no other event up to here */
    _Atomic uint64_t oldest;   /* who has seen all up to here misses nothing that is not kept */
    uint64_t label_bytes;      /* of labels in slots, those of one context counted for each event */
    struct mutex lock;         /* of references to labels in slots: taking and giving up */
};

/* Where the numbers of a run begin whose store has 'stored' as its last. */
uint64_t event_log_first_sequence(uint64_t stored, int64_t now_ms);

/* Makes room for 'kept' events at least, 0: the default; for fewer when their labels take more than
 * IPSEC_EVENT_LABEL_BYTES an event in the mean.  False: no memory. */
NODISCARD bool event_log_init(struct event_log *log, uint32_t kept);
void event_log_clear(struct event_log *log);

/* The engine thread. */
void event_log_start(struct event_log *log, uint64_t base, uint64_t start);
/* 'sequence' is the engine's last change, of whatever kind.  Labels of 'events' are borrowed. */
void event_log_publish(struct event_log *log,
                       const struct ipsec_event *events,
                       size_t count,
                       uint64_t sequence);
/* Where the events after 'since' begin, given the engine's last change.  False: some of them are
 * not kept, or 'since' is not of this store. */
NODISCARD bool event_log_find(const struct event_log *log,
                              uint64_t since,
                              uint64_t last_change,
                              uint64_t *position_out);

/* Any thread: the lowest 'since' that is certain to be found. */
uint64_t event_log_oldest(const struct event_log *log);

/* Any thread: copies the events at 'position' and behind, and says how many; the references to
 * their labels are the caller's.  False: the first of them is no longer kept. */
NODISCARD bool event_log_read(struct event_log *log,
                              uint64_t position,
                              struct ipsec_event *events,
                              size_t capacity,
                              size_t *count_out);
