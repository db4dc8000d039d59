/* SPDX-License-Identifier: Apache-2.0
 *
 * plane_check.h: comparing what the data plane has with what it should have, and mending it.
 *
 * From time to time, and when a caller asks.  Each comparison walks all that the plane has, so they
 * come seldom while none finds a difference, and never take more than a thousandth of the time;
 * those of callers who may only look not more than a hundredth. */
#pragma once

#include <stdint.h>

#include "engine/due.h"
#include "engine/plane/plane.h"

struct plane_check {
    int64_t next_ms; /* CLOCK_BOOTTIME; 0: not decided yet */
    int64_t interval_ms;
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
