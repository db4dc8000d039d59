/* SPDX-License-Identifier: Apache-2.0
 *
 * event_log.c: see event_log.h.
 *
 * A slot is a few atomic words.  The writer moves 'begin' past what it is about to overwrite, then
 * stores the words with release order; a reader loads them with acquire order and looks at 'begin'
 * last.  Whoever got one word of a newer event therefore sees that the older one is given up, too,
 * and throws away what it copied.
 *
 * A slot holds a reference to its labels.  The writer moves 'begin' first and then gives the
 * reference up under the lock; who reads it takes one of his own under the lock, unless he sees
 * there that it was given up.  So the labels live as long as somebody may still take one. */
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

static void append(struct event_log *log, const struct ipsec_event *events, size_t count);
static uint64_t begin_with(struct event_log *log,
                           uint64_t position,
                           const struct ipsec_event *events,
                           size_t count);
static void give_up(struct event_log *log, uint64_t begin);
static void put(struct event_log *log, struct event_slot *slot, const struct ipsec_event *event);
static void get(const struct event_slot *slot, struct ipsec_event *event_out);
static bool take_labels(struct event_log *log,
                        uint64_t position,
                        const struct ipsec_event *events,
                        size_t count);
static const struct ipsec_labels *labels_of(uint64_t word);
static const struct ipsec_labels *labels_at(const struct event_log *log, uint64_t position);
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
    if (log->slots != NULL)
        give_up(log, load(&log->end));
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
    if (log->slots != NULL && count > 0)
        append(log, events, count);
    /* Last: who sees it sees all events up to it. */
    if (load(&log->sequence) < sequence)
        atomic_store_explicit(&log->sequence, sequence, memory_order_release);
}

static void
append(struct event_log *log, const struct ipsec_event *events, size_t count)
{
    /* Of too many only the last are kept. */
    size_t left_out = count > log->capacity ? count - (size_t)log->capacity : 0;
    uint64_t position = load(&log->end) + left_out;
    const struct ipsec_event *kept = events + left_out;
    uint64_t begin = begin_with(log, position, kept, count - left_out);

    if (left_out > 0)
        atomic_store_explicit(&log->oldest, events[left_out - 1].sequence, memory_order_relaxed);
    else if (begin > load(&log->begin))
        atomic_store_explicit(&log->oldest, sequence_at(log, begin - 1), memory_order_relaxed);
    give_up(log, begin);
    for (size_t i = 0; i < count - left_out; i++)
        put(log, &log->slots[(position + i) & (log->capacity - 1)], &kept[i]);
    atomic_store_explicit(&log->end, position + (count - left_out), memory_order_release);
}

/* The first position that can stay when these events come to 'position'; they stay in any case. */
static uint64_t
begin_with(struct event_log *log, uint64_t position, const struct ipsec_event *events, size_t count)
{
    uint64_t end = load(&log->end);
    uint64_t begin = load(&log->begin);
    uint64_t label_bytes = log->label_bytes;

    for (size_t i = 0; i < count; i++)
        label_bytes += sa_labels_size(events[i].labels);
    while (begin < end && (position + count - begin > log->capacity ||
                           label_bytes > log->capacity * IPSEC_EVENT_LABEL_BYTES))
        label_bytes -= sa_labels_size(labels_at(log, begin++));
    return begin < end ? begin : position;
}

static void
give_up(struct event_log *log, uint64_t begin)
{
    uint64_t position = load(&log->begin);
    uint64_t end = load(&log->end);

    atomic_store_explicit(&log->begin, begin, memory_order_relaxed);
    if (log->label_bytes == 0)
        return;
    mutex_lock(&log->lock);
    for (; position < begin && position < end; position++) {
        const struct ipsec_labels *labels = labels_at(log, position);

        log->label_bytes -= sa_labels_size(labels);
        sa_labels_unref(labels);
    }
    mutex_unlock(&log->lock);
}

bool
event_log_find(const struct event_log *log,
               uint64_t since,
               uint64_t last_change,
               uint64_t *position_out)
{
    uint64_t end = load(&log->end);
    uint64_t low = load(&log->begin);
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
    if (position < load(&log->begin))
        return false;
    for (size_t i = 0; i < count; i++)
        get(&log->slots[(position + i) & (log->capacity - 1)], &events[i]);
    if (load(&log->begin) > position || !take_labels(log, position, events, count))
        return false;
    *count_out = count;
    return true;
}

static void
put(struct event_log *log, struct event_slot *slot, const struct ipsec_event *event)
{
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
    log->label_bytes += sa_labels_size(event->labels);
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
    bool is_kept = load(&log->begin) <= position;
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

static const struct ipsec_labels *
labels_at(const struct event_log *log, uint64_t position)
{
    return labels_of(load(&log->slots[position & (log->capacity - 1)].words[WORD_LABELS]));
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
