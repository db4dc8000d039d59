/* SPDX-License-Identifier: Apache-2.0
 *
 * stored_descriptors.h: security descriptors that callers have set: the store keeps them, and they
 * are in force instead of the access file's. */
#pragma once

#include <stdbool.h>

#include "engine/engine.h"

struct security_holder;

struct stored_descriptors {
    struct security_holder *holder; /* where they come into force */
    bool resetting;                 /* they are about to be forgotten */
    bool is_check;                  /* nothing is told of what comes into force */
};

/* For the engine's options; 'descriptors' is borrowed as long as it is open. */
struct ipsec_security_listener stored_descriptors_listener(struct stored_descriptors *descriptors);

/* Forgets all of them in the store, and with that 'resetting' ends. */
NODISCARD enum ipsec_status stored_descriptors_reset(struct stored_descriptors *descriptors,
                                                     struct ipsec_engine *engine,
                                                     struct ipsec_fault *fault);
