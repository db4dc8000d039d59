/* SPDX-License-Identifier: Apache-2.0
 *
 * event_log.c: see event_log.h.
 *
 * A slot is a few atomic words.  The writer announces what it is about to overwrite, then stores
 * the words with release order; a reader loads them with acquire order and looks at the
 * announcement last.  Whoever got one word of a newer event therefore sees its announcement, too,
 * and throws away what it copied.
 *
 * A slot holds a reference to its labels.  Who overwrites it announces that first and then gives
 * the reference up under the lock; who reads it takes one of his own under the lock, unless he sees
 * the announcement there.  So the labels live as long as somebody may still take one. */
#include "engine/event_log.h"

#include <stdlib.h>
#include <string.h>

#include "engine/sa_labels.h"

enum { DEFAULT_CAPACITY = 65536 };

/* In a slot.  Small numbers are together in one: bit offsets. */
enum {
    WORD_SEQUENCE = 0,
    WORD_ID,
    WORD_TIME,
    WORD_NUMBERS,
    WORD_LOCAL,
    WORD_REMOTE = WORD_LOCAL + 2,
    WORD_PREDECESSOR = WORD_REMOTE + 2,
    WORD_LABELS,
    SLOT_WORDS
};
enum {
    TYPE_BIT = 0,
    STATE_BIT = 8,
    REASON_BIT = 16,
    VERSION_BIT = 24,
    MODE_BIT = 28,
    SPI_BIT = 32
};

/* More numbers than a run can have given out beyond its last commit. */
#define RUN_GAP (UINT64_C(1) << 20)

struct event_slot {
    _Atomic uint64_t words[SLOT_WORDS];
};

static void
put_all(struct event_log *log, uint64_t position, const struct ipsec_event *events, size_t count);
static void put(struct event_log *log, struct event_slot *slot, const struct ipsec_event *event);
static void get(const struct event_slot *slot, struct ipsec_event *event_out);
static bool take_labels(struct event_log *log,
                        uint64_t position,
                        const struct ipsec_event *events,
                        size_t count);
static const struct ipsec_labels *labels_of(uint64_t word);
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
    mutex_init(&log->lock);
    log->slots = calloc(capacity, sizeof *log->slots);
    return log->slots != NULL;
}

void
event_log_clear(struct event_log *log)
{
    for (uint64_t i = 0; log->labelled > 0 && i < log->capacity; i++)
        sa_labels_unref(labels_of(load(&log->slots[i].words[WORD_LABELS])));
    free(log->slots);
    if (log->capacity > 0)
        mutex_clear(&log->lock);
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
        if (log->labelled > 0) {
            mutex_lock(&log->lock);
            put_all(log, position, events, (size_t)(end - position));
            mutex_unlock(&log->lock);
        } else {
            put_all(log, position, events, (size_t)(end - position));
        }
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
event_log_read(struct event_log *log,
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
    if (load(&log->announced) > position + log->capacity ||
        !take_labels(log, position, events, count))
        return false;
    *count_out = count;
    return true;
}

static void
put_all(struct event_log *log, uint64_t position, const struct ipsec_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put(log, &log->slots[(position + i) & (log->capacity - 1)], &events[i]);
}

static void
put(struct event_log *log, struct event_slot *slot, const struct ipsec_event *event)
{
    const struct ipsec_labels *overwritten = labels_of(load(&slot->words[WORD_LABELS]));
    uint64_t words[SLOT_WORDS] = {
        [WORD_SEQUENCE] = event->sequence,
        [WORD_ID] = event->id,
        [WORD_TIME] = (uint64_t)event->at_ms,
        [WORD_NUMBERS] =
            (uint64_t)event->type << TYPE_BIT | (uint64_t)event->state << STATE_BIT |
            (uint64_t)event->reason << REASON_BIT | (uint64_t)event->ip_version << VERSION_BIT |
            (uint64_t)event->traffic_type << MODE_BIT | (uint64_t)event->spi << SPI_BIT,
        [WORD_PREDECESSOR] = event->predecessor_id,
        [WORD_LABELS] = (uint64_t)(uintptr_t)sa_labels_ref(event->labels),
    };

    memcpy(&words[WORD_LOCAL], event->local_address.bytes, 16);
    memcpy(&words[WORD_REMOTE], event->remote_address.bytes, 16);
    for (size_t i = 0; i < SLOT_WORDS; i++)
        atomic_store_explicit(&slot->words[i], words[i], memory_order_release);
    log->labelled += event->labels != NULL;
    log->labelled -= overwritten != NULL;
    sa_labels_unref(overwritten);
}

static void
get(const struct event_slot *slot, struct ipsec_event *event_out)
{
    uint64_t words[SLOT_WORDS];

    for (size_t i = 0; i < SLOT_WORDS; i++)
        words[i] = atomic_load_explicit(&slot->words[i], memory_order_acquire);
    uint64_t numbers = words[WORD_NUMBERS];
    *event_out = (struct ipsec_event){
        .sequence = words[WORD_SEQUENCE],
        .id = words[WORD_ID],
        .at_ms = (int64_t)words[WORD_TIME],
        .type = (uint8_t)(numbers >> TYPE_BIT),
        .state = (uint8_t)(numbers >> STATE_BIT),
        .reason = (uint8_t)(numbers >> REASON_BIT),
        .ip_version = numbers >> VERSION_BIT & 0xf,
        .traffic_type = numbers >> MODE_BIT & 0xf,
        .spi = (uint32_t)(numbers >> SPI_BIT),
        .predecessor_id = words[WORD_PREDECESSOR],
        .labels = labels_of(words[WORD_LABELS]),
    };
    memcpy(event_out->local_address.bytes, &words[WORD_LOCAL], 16);
    memcpy(event_out->remote_address.bytes, &words[WORD_REMOTE], 16);
}

/* False: meanwhile the first of them is no longer kept. */
static bool
take_labels(struct event_log *log,
            uint64_t position,
            const struct ipsec_event *events,
            size_t count)
{
    size_t first = 0;

    while (first < count && events[first].labels == NULL)
        first++;
    if (first == count)
        return true;
    mutex_lock(&log->lock);
    bool is_kept = load(&log->announced) <= position + log->capacity;
    for (size_t i = first; is_kept && i < count; i++)
        (void)sa_labels_ref(events[i].labels);
    mutex_unlock(&log->lock);
    return is_kept;
}

static const struct ipsec_labels *
labels_of(uint64_t word)
{
    return (const struct ipsec_labels *)(uintptr_t)word;
}

static uint64_t
sequence_at(const struct event_log *log, uint64_t position)
{
    return load(&log->slots[position & (log->capacity - 1)].words[WORD_SEQUENCE]);
}

static uint64_t
load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}
