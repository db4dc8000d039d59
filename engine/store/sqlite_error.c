/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_error.c: see sqlite_error.h. */
#include "engine/store/sqlite_error.h"

#include <errno.h>
#include <string.h>

#include <sqlite3.h>

/* By primary result code; what is not here is a bug of ours. */
static const struct {
    int result;
    enum ipsec_status opening;
    enum ipsec_status running;
} rows[] = {
    /* clang-format off */
    { SQLITE_FULL,       IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_RPC_OUT_OF_RESOURCES },
    { SQLITE_NOMEM,      IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_RPC_OUT_OF_RESOURCES },
    { SQLITE_TOOBIG,     IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_RPC_OUT_OF_RESOURCES },
    { SQLITE_NOLFS,      IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_RPC_OUT_OF_RESOURCES },
    { SQLITE_IOERR,      IPSEC_RPC_DISCONNECTED,     IPSEC_RPC_DISCONNECTED },
    { SQLITE_PROTOCOL,   IPSEC_RPC_DISCONNECTED,     IPSEC_RPC_DISCONNECTED },
    { SQLITE_READONLY,   IPSEC_RPC_ACCESS_DENIED,    IPSEC_RPC_DISCONNECTED },
    { SQLITE_CANTOPEN,   IPSEC_RPC_ACCESS_DENIED,    IPSEC_RPC_DISCONNECTED },
    { SQLITE_PERM,       IPSEC_RPC_ACCESS_DENIED,    IPSEC_RPC_DISCONNECTED },
    { SQLITE_BUSY,       IPSEC_RPC_CALL_REJECTED,    IPSEC_RPC_DISCONNECTED },
    { SQLITE_LOCKED,     IPSEC_RPC_CALL_REJECTED,    IPSEC_RPC_DISCONNECTED },
    { SQLITE_CORRUPT,    IPSEC_RPC_INVALID_DATA,     IPSEC_RPC_INVALID_DATA },
    { SQLITE_NOTADB,     IPSEC_RPC_INVALID_DATA,     IPSEC_RPC_INVALID_DATA },
    { SQLITE_CONSTRAINT, IPSEC_RPC_INVALID_DATA,     IPSEC_RPC_INVALID_DATA },
    { SQLITE_MISMATCH,   IPSEC_RPC_INVALID_DATA,     IPSEC_RPC_INVALID_DATA },
    { SQLITE_FORMAT,     IPSEC_RPC_INVALID_DATA,     IPSEC_RPC_INVALID_DATA },
    { SQLITE_SCHEMA,     IPSEC_RPC_INVALID_DATA,     IPSEC_RPC_INVALID_DATA },
    /* A statement that does not fit the tables: somebody altered them. */
    { SQLITE_ERROR,      IPSEC_RPC_INVALID_DATA,     IPSEC_RPC_INVALID_DATA },
    /* clang-format on */
};

static int system_error_of(struct sqlite3 *db, int result);
static enum ipsec_status status_of(int result, bool opening, int error);

enum ipsec_status
sqlite_error_set(struct ipsec_fault *fault,
                 struct sqlite3 *db,
                 int result,
                 bool opening,
                 const char *label,
                 const char *doing)
{
    int error = db == NULL ? 0 : system_error_of(db, result);
    enum ipsec_status status = status_of(result, opening, error);

    /* The connection's own sentence says more than the code's, unless it speaks of another call. */
    const char *cause = sqlite3_errstr(result);
    if (db != NULL && sqlite3_extended_errcode(db) == result)
        cause = sqlite3_errmsg(db);
    if (error != 0)
        return ipsec_fault_set(fault, status, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: cannot %s: %s (%s; SQLite code %d)", label, doing, cause,
                               strerror(error), result);
    return ipsec_fault_set(fault, status, IPSEC_FAULT_SERVICE, NULL,
                           "store %s: cannot %s: %s (SQLite code %d)", label, doing, cause, result);
}

/* The errno behind a result, 0 when there is none.  SQLite notes it for every statement but COMMIT;
 * there it is asked of the file that a COMMIT writes, the log. */
static int
system_error_of(struct sqlite3 *db, int result)
{
    int primary = result & 0xff;
    int error = 0;
    sqlite3_file *log = NULL;

    if (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN)
        return 0;
    error = sqlite3_system_errno(db);
    if (error != 0 || primary != SQLITE_IOERR)
        return error;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK &&
        log != NULL && log->pMethods != NULL)
        (void)log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &error);
    return error;
}

static enum ipsec_status
status_of(int result, bool opening, int error)
{
    /* Quotas, and file systems that find out late: SQLite knows only ENOSPC of write(2) as "full".
     */
    if (result == SQLITE_IOERR_NOMEM || error == ENOSPC || error == EDQUOT)
        return IPSEC_RPC_OUT_OF_RESOURCES;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].result == (result & 0xff))
            return opening ? rows[i].opening : rows[i].running;
    }
    return IPSEC_RPC_UNEXPECTED;
}
