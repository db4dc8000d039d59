/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_labels.h: labels of SA contexts: immutable counted objects, ascending by name. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/types.h"

/* Number, names, values; null is fine.  Pointers of faults begin with "/labels". */
NODISCARD enum ipsec_status sa_labels_check(const struct ipsec_labels *labels,
                                            struct ipsec_fault *fault);

/* A copy of valid labels, in order, with one reference.  False: no memory.  No labels at all, or
 * null, give null. */
NODISCARD bool sa_labels_new(const struct ipsec_labels *labels,
                             const struct ipsec_labels **labels_out);
const struct ipsec_labels *sa_labels_ref(const struct ipsec_labels *labels);
/* Any thread.  Accepts null. */
void sa_labels_unref(const struct ipsec_labels *labels);

/* Of the memory it takes; 0 for null. */
size_t sa_labels_size(const struct ipsec_labels *labels);

/* Whether 'labels' has all that 'wanted' names; there a value of null is any value.  Null: no
 * labels, and nothing wanted. */
bool sa_labels_match(const struct ipsec_labels *labels, const struct ipsec_labels *wanted);
