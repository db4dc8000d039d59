/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_statements.h: the statements of a connection, prepared once, and how a change of a batch
 * is written with them. */
#pragma once

#include "engine/base/attributes.h"
#include "engine/store/store.h"

struct sqlite3;
struct sqlite3_stmt;

enum sqlite_statement {
    SQLITE_STATEMENT_BEGIN,
    SQLITE_STATEMENT_COMMIT,
    SQLITE_STATEMENT_ROLLBACK,
    SQLITE_STATEMENT_PUT_PRINCIPAL,
    SQLITE_STATEMENT_PUT_PROVIDER_CONTEXT,
    SQLITE_STATEMENT_PUT_PROPOSAL,
    SQLITE_STATEMENT_DELETE_PROVIDER_CONTEXT,
    SQLITE_STATEMENT_DELETE_PROPOSALS,
    SQLITE_STATEMENT_PUT_FILTER,
    SQLITE_STATEMENT_PUT_CONDITION,
    SQLITE_STATEMENT_DELETE_FILTER,
    SQLITE_STATEMENT_DELETE_CONDITIONS,
    SQLITE_STATEMENT_PUT_SA_CONTEXT,
    SQLITE_STATEMENT_SET_SA_CONTEXT,
    SQLITE_STATEMENT_DELETE_SA_CONTEXT,
    SQLITE_STATEMENT_PUT_BUNDLE,
    SQLITE_STATEMENT_DELETE_BUNDLE,
    SQLITE_STATEMENT_DELETE_BUNDLES,
    SQLITE_STATEMENT_PUT_LABEL,
    SQLITE_STATEMENT_DELETE_LABELS,
    SQLITE_STATEMENT_PUT_SESSION,
    SQLITE_STATEMENT_DELETE_SESSION,
    SQLITE_STATEMENT_PUT_QUARANTINE,
    SQLITE_STATEMENT_DELETE_QUARANTINE,
    SQLITE_STATEMENT_DELETE_DESCRIPTOR,
    SQLITE_STATEMENT_PUT_DESCRIPTOR,
    SQLITE_STATEMENT_PUT_REPLAY,
    SQLITE_STATEMENT_DELETE_REPLAY,
    SQLITE_STATEMENT_DELETE_REPLAYS_BELOW,
    SQLITE_STATEMENT_READ_REPLAY,
    SQLITE_STATEMENT_PUT_MARKS,
    SQLITE_STATEMENT_PROBE,
    SQLITE_STATEMENT_PUT_PLANE,
    SQLITE_STATEMENT_COUNT
};

struct sqlite_statements {
    struct sqlite3_stmt *prepared[SQLITE_STATEMENT_COUNT];
};

/* Results are SQLite's.  After a failure some are prepared: sqlite_statements_clear() ends them. */
NODISCARD int sqlite_statements_prepare(struct sqlite3 *db, struct sqlite_statements *statements);
void sqlite_statements_clear(struct sqlite_statements *statements);

/* One without parameters and rows. */
int sqlite_statements_run(const struct sqlite_statements *statements, enum sqlite_statement which);

NODISCARD int sqlite_statements_write(const struct sqlite_statements *statements,
                                      const struct store_change *change);
