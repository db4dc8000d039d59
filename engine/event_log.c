/* SPDX-License-Identifier: Apache-2.0
 *
 * event_log.c: see event_log.h.
 *
 * A slot is a few atomic words.  The writer announces what it is about to overwrite, then stores
 * the words with release order; a reader loads them with acquire order and looks at the
 * announcement last.  Whoever got one word of a newer event therefore sees its announcement, too,
 * and throws away what it copied. */
#include "engine/event_log.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_CAPACITY = 65536, SLOT_WORDS = 8 };

/* More numbers than a run can have given out beyond its last commit. */
#define RUN_GAP (UINT64_C(1) << 20)

struct event_slot {
    _Atomic uint64_t words[SLOT_WORDS]; /* a cache line */
};

static void put(struct event_slot *slot, const struct ipsec_event *event);
static void get(const struct event_slot *slot, struct ipsec_event *event_out);
static uint64_t sequence_at(const struct event_log *log, uint64_t position);
static uint64_t load(const _Atomic uint64_t *word);

/* Microseconds since 1970 lie above all numbers of earlier runs also when the store is another one
 * than theirs, made anew or an older copy; and with 2^53 they go on until 2255. */
uint64_t
event_log_first_sequence(uint64_t stored, int64_t now_ms)
{
    uint64_t by_clock =
        now_ms > 0 && now_ms < (int64_t)(IPSEC_LUID_MAX / 1000) ? (uint64_t)now_ms * 1000 : 0;

    return by_clock > stored + RUN_GAP ? by_clock : stored + RUN_GAP;
}

bool
event_log_init(struct event_log *log, uint32_t kept)
{
    uint64_t capacity = 1;

    while (capacity < (kept == 0 ? DEFAULT_CAPACITY : kept))
        capacity *= 2;
    *log = (struct event_log){ .capacity = capacity };
    log->slots = calloc(capacity, sizeof *log->slots);
    return log->slots != NULL;
}

void
event_log_clear(struct event_log *log)
{
    free(log->slots);
    *log = (struct event_log){ .slots = NULL };
}

void
event_log_start(struct event_log *log, uint64_t base, uint64_t start)
{
    log->base = base;
    log->start = start;
    atomic_store(&log->oldest, base);
    atomic_store(&log->sequence, base != 0 ? base : start);
}

void
event_log_publish(struct event_log *log,
                  const struct ipsec_event *events,
                  size_t count,
                  uint64_t sequence)
{
    if (log->slots != NULL && count > 0) {
        uint64_t position = load(&log->end);
        uint64_t end = position + count;

        /* Of too many only the last are kept. */
        if (count > log->capacity) {
            uint64_t left_out = count - log->capacity;

            atomic_store_explicit(&log->oldest, events[left_out - 1].sequence,
                                  memory_order_relaxed);
            events += left_out;
            position += left_out;
        } else if (end > log->capacity) {
            atomic_store_explicit(&log->oldest, sequence_at(log, end - log->capacity - 1),
                                  memory_order_relaxed);
        }
        atomic_store_explicit(&log->announced, end, memory_order_relaxed);
        for (; position < end; position++, events++)
            put(&log->slots[position & (log->capacity - 1)], events);
        atomic_store_explicit(&log->end, end, memory_order_release);
    }
    /* Last: who sees it sees all events up to it. */
    if (load(&log->sequence) < sequence)
        atomic_store_explicit(&log->sequence, sequence, memory_order_release);
}

bool
event_log_find(const struct event_log *log,
               uint64_t since,
               uint64_t last_change,
               uint64_t *position_out)
{
    uint64_t end = load(&log->end);
    uint64_t low = end > log->capacity ? end - log->capacity : 0;
    uint64_t high = end;

    if (since < load(&log->oldest) || since > last_change ||
        (since < log->start && since != log->base))
        return false;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (sequence_at(log, middle) <= since)
            low = middle + 1;
        else
            high = middle;
    }
    *position_out = low;
    return true;
}

uint64_t
event_log_oldest(const struct event_log *log)
{
    uint64_t oldest = load(&log->oldest);

    return oldest != 0 ? oldest : log->start;
}

bool
event_log_read(const struct event_log *log,
               uint64_t position,
               struct ipsec_event *events,
               size_t capacity,
               size_t *count_out)
{
    uint64_t end = atomic_load_explicit(&log->end, memory_order_acquire);
    uint64_t there = end - position;
    size_t count = there < capacity ? (size_t)there : capacity;

    *count_out = 0;
    if (there > log->capacity)
        return false;
    for (size_t i = 0; i < count; i++)
        get(&log->slots[(position + i) & (log->capacity - 1)], &events[i]);
    if (load(&log->announced) > position + log->capacity)
        return false;
    *count_out = count;
    return true;
}

static void
put(struct event_slot *slot, const struct ipsec_event *event)
{
    uint64_t words[SLOT_WORDS] = {
        event->sequence,
        event->id,
        (uint64_t)event->at_ms,
        (uint64_t)event->type | (uint64_t)event->state << 8 | (uint64_t)event->reason << 16 |
            (uint64_t)event->ip_version << 24 | (uint64_t)event->traffic_type << 32,
    };

    memcpy(&words[4], event->local_address.bytes, 16);
    memcpy(&words[6], event->remote_address.bytes, 16);
    for (size_t i = 0; i < SLOT_WORDS; i++)
        atomic_store_explicit(&slot->words[i], words[i], memory_order_release);
}

static void
get(const struct event_slot *slot, struct ipsec_event *event_out)
{
    uint64_t words[SLOT_WORDS];

    for (size_t i = 0; i < SLOT_WORDS; i++)
        words[i] = atomic_load_explicit(&slot->words[i], memory_order_acquire);
    *event_out = (struct ipsec_event){
        .sequence = words[0],
        .id = words[1],
        .at_ms = (int64_t)words[2],
        .type = (uint8_t)words[3],
        .state = (uint8_t)(words[3] >> 8),
        .reason = (uint8_t)(words[3] >> 16),
        .ip_version = (uint8_t)(words[3] >> 24),
        .traffic_type = (uint8_t)(words[3] >> 32),
    };
    memcpy(event_out->local_address.bytes, &words[4], 16);
    memcpy(event_out->remote_address.bytes, &words[6], 16);
}

static uint64_t
sequence_at(const struct event_log *log, uint64_t position)
{
    return load(&log->slots[position & (log->capacity - 1)].words[0]);
}

static uint64_t
load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}
