/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_statements.c: see sqlite_statements.h. */
#include "engine/store/sqlite_statements.h"

#include <stdlib.h>

#include <sqlite3.h>

#include "engine/store/sqlite_rows.h"

static const char *const queries[SQLITE_STATEMENT_COUNT] = {
    [SQLITE_STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [SQLITE_STATEMENT_COMMIT] = "COMMIT",
    [SQLITE_STATEMENT_ROLLBACK] = "ROLLBACK",
    [SQLITE_STATEMENT_PUT_PRINCIPAL] = SQLITE_ROWS_PUT_PRINCIPAL,
    [SQLITE_STATEMENT_PUT_PROVIDER_CONTEXT] = SQLITE_ROWS_PUT_PROVIDER_CONTEXT,
    [SQLITE_STATEMENT_PUT_PROPOSAL] = SQLITE_ROWS_PUT_PROPOSAL,
    [SQLITE_STATEMENT_DELETE_PROVIDER_CONTEXT] = "DELETE FROM provider_context WHERE id = ?1",
    [SQLITE_STATEMENT_DELETE_PROPOSALS] =
        "DELETE FROM provider_context_proposal WHERE provider_context_id = ?1",
    [SQLITE_STATEMENT_PUT_FILTER] = SQLITE_ROWS_PUT_FILTER,
    [SQLITE_STATEMENT_PUT_CONDITION] = SQLITE_ROWS_PUT_CONDITION,
    [SQLITE_STATEMENT_DELETE_FILTER] = "DELETE FROM filter WHERE id = ?1",
    [SQLITE_STATEMENT_DELETE_CONDITIONS] = "DELETE FROM filter_condition WHERE filter_id = ?1",
    [SQLITE_STATEMENT_PUT_SA_CONTEXT] = SQLITE_ROWS_PUT_SA_CONTEXT,
    [SQLITE_STATEMENT_SET_SA_CONTEXT] = SQLITE_ROWS_SET_SA_CONTEXT,
    [SQLITE_STATEMENT_DELETE_SA_CONTEXT] = "DELETE FROM sa_context WHERE id = ?1",
    [SQLITE_STATEMENT_PUT_BUNDLE] = SQLITE_ROWS_PUT_BUNDLE,
    [SQLITE_STATEMENT_DELETE_BUNDLE] = SQLITE_ROWS_DELETE_BUNDLE,
    [SQLITE_STATEMENT_DELETE_BUNDLES] = "DELETE FROM sa_bundle WHERE context_id = ?1",
    [SQLITE_STATEMENT_PUT_LABEL] = SQLITE_ROWS_PUT_LABEL,
    [SQLITE_STATEMENT_DELETE_LABELS] = "DELETE FROM sa_context_label WHERE context_id = ?1",
    [SQLITE_STATEMENT_PUT_SESSION] = SQLITE_ROWS_PUT_SESSION,
    [SQLITE_STATEMENT_DELETE_SESSION] = "DELETE FROM session WHERE number = ?1",
    [SQLITE_STATEMENT_PUT_QUARANTINE] = SQLITE_ROWS_PUT_QUARANTINE,
    [SQLITE_STATEMENT_DELETE_DESCRIPTOR] = "DELETE FROM descriptor WHERE id = ?1",
    [SQLITE_STATEMENT_DELETE_QUARANTINE] = "DELETE FROM spi_quarantine WHERE spi = ?1",
    [SQLITE_STATEMENT_PUT_DESCRIPTOR] = SQLITE_ROWS_PUT_DESCRIPTOR,
    [SQLITE_STATEMENT_PUT_REPLAY] = SQLITE_ROWS_PUT_REPLAY,
    [SQLITE_STATEMENT_DELETE_REPLAY] = "DELETE FROM replay WHERE number = ?1",
    [SQLITE_STATEMENT_DELETE_REPLAYS_BELOW] = "DELETE FROM replay WHERE number < ?1",
    [SQLITE_STATEMENT_READ_REPLAY] = "SELECT answer FROM replay WHERE number = ?1",
    [SQLITE_STATEMENT_PUT_MARKS] = SQLITE_ROWS_PUT_MARKS,
    [SQLITE_STATEMENT_PROBE] = SQLITE_ROWS_PROBE,
    [SQLITE_STATEMENT_PUT_PLANE] = SQLITE_ROWS_PUT_PLANE,
};

static int write_sa_context(sqlite3_stmt *const *statements, const struct store_change *change);
static int delete_with_parts(sqlite3_stmt *row, sqlite3_stmt *parts, uint64_t id);

int
sqlite_statements_prepare(sqlite3 *db, struct sqlite_statements *statements)
{
    for (int i = 0; i < SQLITE_STATEMENT_COUNT; i++) {
        int result = sqlite3_prepare_v3(db, queries[i], -1, SQLITE_PREPARE_PERSISTENT,
                                        &statements->prepared[i], NULL);
        if (result != SQLITE_OK)
            return result;
    }
    return SQLITE_OK;
}

void
sqlite_statements_clear(struct sqlite_statements *statements)
{
    for (int i = 0; i < SQLITE_STATEMENT_COUNT; i++) {
        (void)sqlite3_finalize(statements->prepared[i]);
        statements->prepared[i] = NULL;
    }
}

int
sqlite_statements_run(const struct sqlite_statements *statements, enum sqlite_statement which)
{
    (void)sqlite3_step(statements->prepared[which]);
    return sqlite3_reset(statements->prepared[which]);
}

int
sqlite_statements_write(const struct sqlite_statements *all, const struct store_change *change)
{
    sqlite3_stmt *const *statements = all->prepared;

    switch (change->kind) {
    case STORE_PUT_PRINCIPAL:
        return sqlite_rows_put_principal(statements[SQLITE_STATEMENT_PUT_PRINCIPAL],
                                         &change->principal);
    case STORE_PUT_FILTER:
        return sqlite_rows_put_filter(statements[SQLITE_STATEMENT_PUT_FILTER],
                                      statements[SQLITE_STATEMENT_PUT_CONDITION], change->filter);
    case STORE_DELETE_FILTER:
        return delete_with_parts(statements[SQLITE_STATEMENT_DELETE_FILTER],
                                 statements[SQLITE_STATEMENT_DELETE_CONDITIONS], change->id);
    case STORE_PUT_SA_CONTEXT:
    case STORE_SET_SA_CONTEXT:
    case STORE_DELETE_SA_CONTEXT:
        return write_sa_context(statements, change);
    case STORE_PUT_PROVIDER_CONTEXT:
        return sqlite_rows_put_provider_context(statements[SQLITE_STATEMENT_PUT_PROVIDER_CONTEXT],
                                                statements[SQLITE_STATEMENT_PUT_PROPOSAL],
                                                change->provider_context);
    case STORE_DELETE_PROVIDER_CONTEXT:
        return delete_with_parts(statements[SQLITE_STATEMENT_DELETE_PROVIDER_CONTEXT],
                                 statements[SQLITE_STATEMENT_DELETE_PROPOSALS], change->id);
    case STORE_PUT_SESSION:
        return sqlite_rows_put_session(statements[SQLITE_STATEMENT_PUT_SESSION], change->session);
    case STORE_DELETE_SESSION:
        return sqlite_rows_delete(statements[SQLITE_STATEMENT_DELETE_SESSION], change->id);
    case STORE_PUT_QUARANTINE:
        return sqlite_rows_put_quarantine(statements[SQLITE_STATEMENT_PUT_QUARANTINE],
                                          change->quarantine);
    case STORE_DELETE_QUARANTINE:
        return sqlite_rows_delete(statements[SQLITE_STATEMENT_DELETE_QUARANTINE], change->id);
    case STORE_PUT_DESCRIPTOR:
        return sqlite_rows_put_descriptor(statements[SQLITE_STATEMENT_PUT_DESCRIPTOR],
                                          change->descriptor);
    case STORE_DELETE_DESCRIPTOR:
        return sqlite_rows_delete(statements[SQLITE_STATEMENT_DELETE_DESCRIPTOR], change->id);
    case STORE_PUT_REPLAY:
        return sqlite_rows_put_replay(statements[SQLITE_STATEMENT_PUT_REPLAY], change->replay);
    case STORE_DELETE_REPLAY:
        return sqlite_rows_delete(statements[SQLITE_STATEMENT_DELETE_REPLAY], change->id);
    case STORE_DELETE_REPLAYS_BELOW:
        return sqlite_rows_delete(statements[SQLITE_STATEMENT_DELETE_REPLAYS_BELOW], change->id);
    }
    abort();
}

static int
write_sa_context(sqlite3_stmt *const *statements, const struct store_change *change)
{
    const struct sqlite_sa_statements sa = {
        .put = statements[SQLITE_STATEMENT_PUT_SA_CONTEXT],
        .set = statements[SQLITE_STATEMENT_SET_SA_CONTEXT],
        .remove = statements[SQLITE_STATEMENT_DELETE_SA_CONTEXT],
        .put_bundle = statements[SQLITE_STATEMENT_PUT_BUNDLE],
        .delete_bundle = statements[SQLITE_STATEMENT_DELETE_BUNDLE],
        .delete_bundles = statements[SQLITE_STATEMENT_DELETE_BUNDLES],
        .put_label = statements[SQLITE_STATEMENT_PUT_LABEL],
        .delete_labels = statements[SQLITE_STATEMENT_DELETE_LABELS],
    };

    if (change->kind == STORE_PUT_SA_CONTEXT)
        return sqlite_rows_put_sa_context(&sa, change->sa_context);
    if (change->kind == STORE_SET_SA_CONTEXT)
        return sqlite_rows_set_sa_context(&sa, change->sa_context);
    return sqlite_rows_delete_sa_context(&sa, change->id);
}

static int
delete_with_parts(sqlite3_stmt *row, sqlite3_stmt *parts, uint64_t id)
{
    int result = sqlite_rows_delete(row, id);

    return result == SQLITE_OK ? sqlite_rows_delete(parts, id) : result;
}
