/* SPDX-License-Identifier: Apache-2.0
 *
 * process_figures.h: what the kernel knows of this process, for the metrics that every Prometheus
 * client library has.
 *
 * Works behind harden_system_calls() and without any capability: a process may always look at
 * itself in /proc.  Where there is no /proc, what comes from it is not there. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct process_figures {
    uint64_t cpu_us; /* user and system, all threads */
    bool has_memory;
    uint64_t resident_bytes;
    uint64_t virtual_bytes;
    bool has_descriptors;
    uint64_t open_descriptors;
    uint64_t max_descriptors; /* UINT64_MAX: no limit */
};
void process_figures_read(struct process_figures *figures_out);

/* When the process started, wall clock: to be asked once, for a clock that is set later moves it.
 * Without /proc: now. */
int64_t process_started_ms(void);
