/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_file.h: the database file as the file system knows it: who may have it, and whether it is
 * still where it was. */
#pragma once

#include <stdbool.h>

#include <sys/stat.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"

struct sqlite_file {
    char *path;       /* absolute, its directory free of symbolic links */
    char *log_path;   /* of the write-ahead log */
    char *index_path; /* of that log */
    char *lock_path;
    char label[96]; /* the path for sentences; of a long one the end */
    int lock_fd;    /* PATH.lock, locked as long as it is open */
    struct stat identity;
    struct stat log_identity;
    struct stat lock_identity;
};

/* Makes sure that the file can be read and written, creates it (mode 0600) if it is not there, and
 * keeps every other process out until sqlite_file_clear().  Statuses as struct store_ops' open. */
NODISCARD enum ipsec_status
sqlite_file_open(const char *path, struct ipsec_fault *fault, struct sqlite_file *file_out);
/* Whether sqlite_file_open() would succeed, without creating or keeping anything: the lock is held
 * for as long as it takes to see that it could be had.  'is_there_out': there is a file already.
 * What it fills is for sqlite_file_clear(). */
NODISCARD enum ipsec_status sqlite_file_look(const char *path,
                                             struct ipsec_fault *fault,
                                             struct sqlite_file *file_out,
                                             bool *is_there_out);
/* Only where its files are; they are not looked at. */
NODISCARD enum ipsec_status
sqlite_file_find(const char *path, struct ipsec_fault *fault, struct sqlite_file *file_out);
/* Whether something has that name; also when that can't be found out. */
bool sqlite_file_is_there(const char *path);
void sqlite_file_clear(struct sqlite_file *file);

/* Makes the names of new files durable. */
NODISCARD enum ipsec_status sqlite_file_sync_directory(const struct sqlite_file *file,
                                                       struct ipsec_fault *fault);

/* Remembers which log stands beside the file now, for the next function. */
NODISCARD enum ipsec_status sqlite_file_note_log(struct sqlite_file *file,
                                                 struct ipsec_fault *fault);

/* Whether file, log and lock still have their names.  Writes to a file that was deleted or moved
 * succeed and are lost with it; a lock of another name keeps nobody out. */
NODISCARD enum ipsec_status sqlite_file_check_place(const struct sqlite_file *file,
                                                    struct ipsec_fault *fault);
