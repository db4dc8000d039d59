/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_rows.h: records as rows of the tables, and back.
 *
 * Writers run a prepared statement for one record and return SQLite's result code.  Readers walk a
 * whole table and check every value: a row that cannot have been written here ends the load with
 * IPSEC_RPC_INVALID_DATA and its table and number. */
#pragma once

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/store/store.h"

struct sqlite3;
struct sqlite3_stmt;

#define SQLITE_ROWS_PUT_PRINCIPAL "INSERT INTO principal (id, name) VALUES (?1, ?2)"
NODISCARD int sqlite_rows_put_principal(struct sqlite3_stmt *statement,
                                        const struct store_principal *principal);

#define SQLITE_ROWS_PUT_FILTER                                                                     \
    "INSERT INTO filter (id, filter_key, name, description, layer, action, callout, weight_type,"  \
    " weight, effective_weight, created_at_ms, created_by, revision)"                              \
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
#define SQLITE_ROWS_PUT_CONDITION                                                                  \
    "INSERT INTO filter_condition (filter_id, position, field, match_type, value)"                 \
    " VALUES (?1, ?2, ?3, ?4, ?5)"
NODISCARD int sqlite_rows_put_filter(struct sqlite3_stmt *filter_statement,
                                     struct sqlite3_stmt *condition_statement,
                                     const struct ipsec_filter *filter);

#define SQLITE_ROWS_PUT_SA_CONTEXT                                                                 \
    "INSERT INTO sa_context (id, state, traffic_type, local_address, remote_address,"              \
    " local_port, remote_port, ip_protocol, ipsec_filter_id, tunnel_policy_id, inbound_filter_id," \
    " spi, created_at_ms, created_by, revision)"                                                   \
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
NODISCARD int sqlite_rows_put_sa_context(struct sqlite3_stmt *statement,
                                         const struct ipsec_sa_context *sa_context);

#define SQLITE_ROWS_PUT_REPLAY                                                                     \
    "INSERT INTO replay (number, created_at_ms, key_digest, request_digest, answer)"               \
    " VALUES (?1, ?2, ?3, ?4, ?5)"
NODISCARD int sqlite_rows_put_replay(struct sqlite3_stmt *statement,
                                     const struct store_replay *replay);

/* Both change a row only where the marks are still 'previous': no row means that somebody else
 * wrote the store.  SQLite writes no page for an update that changes nothing, hence the count. */
#define SQLITE_ROWS_WHERE_MARKS                                                                    \
    " WHERE id = 1 AND last_luid = ?4 AND revision = ?5 AND last_replay_number = ?6"
#define SQLITE_ROWS_PUT_MARKS                                                                      \
    "UPDATE marks SET last_luid = ?1, revision = ?2, last_replay_number = "                        \
    "?3" SQLITE_ROWS_WHERE_MARKS
#define SQLITE_ROWS_PROBE                                                                          \
    "UPDATE marks SET probes = probes + 1, last_luid = ?1, revision = ?2,"                         \
    " last_replay_number = ?3" SQLITE_ROWS_WHERE_MARKS
NODISCARD int sqlite_rows_put_marks(struct sqlite3_stmt *statement,
                                    const struct store_marks *marks,
                                    const struct store_marks *previous);

/* Deletes by one number: the statement's only parameter. */
NODISCARD int sqlite_rows_delete(struct sqlite3_stmt *statement, uint64_t number);

NODISCARD enum ipsec_status sqlite_rows_read_marks(struct sqlite3 *db,
                                                   const char *label,
                                                   struct store_marks *marks_out,
                                                   struct ipsec_fault *fault);

/* Hands every record to 'loader', in the order that store.h promises.  No record may have a number
 * above its mark in 'marks': it would be given out again. */
NODISCARD enum ipsec_status sqlite_rows_load(struct sqlite3 *db,
                                             const char *label,
                                             const struct store_marks *marks,
                                             const struct store_loader *loader,
                                             struct ipsec_fault *fault);
