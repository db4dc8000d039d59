/* SPDX-License-Identifier: Apache-2.0
 *
 * plane_check.h: comparing what the data plane has with what it should have, and mending it.
 *
 * From time to time, when a caller asks, and at once when the plane has reason to doubt.  Each
 * comparison walks all that the plane has, so they come seldom while none finds a difference, and
 * take no more than a thousandth of the time while one takes less than a second; those of callers
 * who may only look no more than a hundredth, those that are sure to find something no more than a
 * tenth, mending not counted.  However many doubts come, one comparison answers them all: a second
 * passes between two, and more and more while those for faint doubts find nothing new, as beside a
 * keying daemon that replaces policies of its own, or while mending does not help.  What somebody
 * does meanwhile is answered by its own count: the first time at once, then less and less.
 */
#pragma once

#include <stdint.h>

#include "engine/due.h"
#include "engine/plane/plane.h"

struct plane_check {
    int64_t next_ms; /* CLOCK_BOOTTIME; 0: not decided yet */
    int64_t interval_ms;
    enum plane_doubt doubt;    /* that no comparison has answered yet */
    int64_t soon_ms;           /* with one: when it is to be answered; CLOCK_BOOTTIME */
    int64_t doubt_rest_ms;     /* from a comparison to one for a faint doubt; 0: the shortest */
    int64_t sure_rest_ms;      /* the same for a sure one */
    bool mends_in_vain;        /* the difference was the same as before the last mend */
    uint64_t refused;          /* filters, by the last mend */
    int64_t compared_clock_ms; /* CLOCK_BOOTTIME of the last comparison; 0: none */
    int64_t took_us;
    uint64_t plane_failures; /* actions that the plane refused or failed, whoever wanted them */
    uint64_t checks;
    uint64_t failures; /* checks that the plane did not answer */
    uint64_t repairs;  /* checks that found a difference, and calls that asked */
    uint64_t overruns; /* times that ends of SAs came too fast, and all were asked for */
    /* The last one. */
    struct plane_drift drift; /* of the last that did not fail */
    enum ipsec_status status;
    int64_t compared_at_ms; /* wall clock */
    int64_t told_until_ms;  /* CLOCK_BOOTTIME: callers get it until then */
};

extern const struct due_source plane_check_source;

struct engine_state;

/* What the plane says of it: a comparison comes as soon as may be. */
void plane_check_doubt(struct engine_state *state, enum plane_doubt doubt);
