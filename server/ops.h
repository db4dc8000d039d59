/* SPDX-License-Identifier: Apache-2.0
 *
 * ops.h: the listener for operators: plain HTTP with /livez, /healthz, /readyz and /metrics.
 *
 * It has a thread of its own and touches nothing that a request could wait for, so it answers when
 * the service is overloaded. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"

struct worker;
struct worker_common;

struct ops_source {
    struct worker_common *common;
    struct worker *const *workers;
    size_t worker_count;
    _Atomic uint64_t reloads;
    _Atomic uint64_t reload_failures;
};

struct ops;

/* Serves on 'fd_take', a listening socket, until ops_stop(). */
NODISCARD enum ipsec_status
ops_start(struct ops_source *source, int fd_take, struct ipsec_fault *fault, struct ops **ops_out);
void ops_stop(struct ops *ops); /* accepts null */
