/* SPDX-License-Identifier: Apache-2.0
 *
 * fault_vfs.h: a file system for SQLite that fails when told to, and that can lose its power.
 *
 * It stands before the real one as the default, so the code under test needs no hook.  A sync only
 * notes what is durable; fault_vfs_cut_power() takes back what was not. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum fault_operation {
    FAULT_WRITE = 1,
    FAULT_SYNC = 2,
    FAULT_READ = 4,
    FAULT_TRUNCATE = 8,
    FAULT_OPEN = 16,
};

struct fault_plan {
    unsigned operations; /* which count and fail: FAULT_WRITE | … */
    uint64_t first;      /* the first to fail, from 1; 0: none */
    bool lasting;        /* and all after it */
    int error;           /* ENOSPC, EIO, … */
    bool short_write;    /* half of a failing write arrives */
};

void fault_vfs_install(void);
void fault_vfs_remove(void);

/* Starts counting anew. */
void fault_vfs_plan(const struct fault_plan *plan);
/* How many operations of the plan were seen, and whether one failed. */
uint64_t fault_vfs_count(void);
bool fault_vfs_failed(void);
/* For how long waiting was asked for since then; nobody really waits. */
uint64_t fault_vfs_slept_us(void);

/* From now on nothing is written.  When the files are closed, one of these: */
void fault_vfs_stop(void);
/* The process died: all that it wrote is there, synced or not. */
void fault_vfs_restart(void);
/* The machine died: of every unsynced sector there is its old or its new contents, as 'seed' has
 * it. What a failed sync should have written counts as unsynced until it is written anew. */
void fault_vfs_cut_power(uint64_t seed);
