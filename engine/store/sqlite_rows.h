/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_rows.h: records as rows of the tables, and back.
 *
 * Writers run prepared statements for one record and return SQLite's result code.  Readers walk a
 * whole table and check every value: a row that cannot have been written here ends the load with
 * IPSEC_RPC_INVALID_DATA and its table and number.  No column could hold a key. */
#pragma once

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/store/sqlite_reader.h"
#include "engine/store/store.h"

struct sqlite3;
struct sqlite3_stmt;

/* --- sqlite_rows.c: the marks, and what consists of one plain row --- */

#define SQLITE_ROWS_PUT_PRINCIPAL "INSERT INTO principal (id, name) VALUES (?1, ?2)"
NODISCARD int sqlite_rows_put_principal(struct sqlite3_stmt *statement,
                                        const struct store_principal *principal);

#define SQLITE_ROWS_PUT_SESSION                                                                    \
    "INSERT INTO session (number, session_key, name, opened_at_ms, opened_by, flags,"              \
    " txn_wait_timeout_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
NODISCARD int sqlite_rows_put_session(struct sqlite3_stmt *statement,
                                      const struct ipsec_session_record *session);

#define SQLITE_ROWS_PUT_QUARANTINE                                                                 \
    "INSERT OR REPLACE INTO spi_quarantine (spi, until_ms) VALUES (?1, ?2)"
NODISCARD int sqlite_rows_put_quarantine(struct sqlite3_stmt *statement,
                                         const struct store_quarantine *quarantine);

#define SQLITE_ROWS_PUT_DESCRIPTOR                                                                 \
    "INSERT OR REPLACE INTO descriptor (id, container, text) VALUES (?1, ?2, ?3)"
NODISCARD int sqlite_rows_put_descriptor(struct sqlite3_stmt *statement,
                                         const struct store_descriptor *descriptor);

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

#define SQLITE_ROWS_PUT_PLANE                                                                      \
    "UPDATE marks SET plane = ?1, plane_instance = ?2, plane_netns = ?3 WHERE id = 1"
NODISCARD int sqlite_rows_put_plane(struct sqlite3_stmt *statement,
                                    const struct store_plane *plane);

/* Deletes by one number: the statement's only parameter. */
NODISCARD int sqlite_rows_delete(struct sqlite3_stmt *statement, uint64_t number);

NODISCARD enum ipsec_status sqlite_rows_read_marks(struct sqlite3 *db,
                                                   const char *label,
                                                   struct store_marks *marks_out,
                                                   struct ipsec_fault *fault);

NODISCARD enum ipsec_status sqlite_rows_read_plane(struct sqlite3 *db,
                                                   const char *label,
                                                   struct store_plane *plane_out,
                                                   struct ipsec_fault *fault);

/* Hands every record to 'loader', in the order that store.h promises.  No record may have a number
 * above its mark in 'marks': it would be given out again. */
NODISCARD enum ipsec_status sqlite_rows_load(struct sqlite3 *db,
                                             const char *label,
                                             const struct store_marks *marks,
                                             const struct store_loader *loader,
                                             struct ipsec_fault *fault);

/* --- sqlite_rows_policy.c: filters and provider contexts, with their parts --- */

#define SQLITE_ROWS_PUT_FILTER                                                                     \
    "INSERT INTO filter (id, filter_key, name, description, layer, action, callout, weight_type,"  \
    " weight, effective_weight, created_at_ms, created_by, revision, lifetime, flags, sub_layer,"  \
    " provider_key, provider_context_key, provider_context_id, tunnel_id, raw_context,"            \
    " provider_data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,"    \
    " ?16, ?17, ?18, ?19, ?20, ?21, ?22)"
#define SQLITE_ROWS_PUT_CONDITION                                                                  \
    "INSERT INTO filter_condition (filter_id, position, field, match_type, value)"                 \
    " VALUES (?1, ?2, ?3, ?4, ?5)"
NODISCARD int sqlite_rows_put_filter(struct sqlite3_stmt *filter_statement,
                                     struct sqlite3_stmt *condition_statement,
                                     const struct ipsec_filter *filter);

#define SQLITE_ROWS_PUT_PROVIDER_CONTEXT                                                           \
    "INSERT INTO provider_context (id, context_key, name, description, type, lifetime, is_tunnel," \
    " provider_key, flags, provider_data, policy_flags, nd_allow_clear_timeout_seconds,"           \
    " idle_timeout_seconds, idle_timeout_fail_over_seconds, local_endpoint, remote_endpoint,"      \
    " policy, created_at_ms, created_by, revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"    \
    " ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)"
#define SQLITE_ROWS_PUT_PROPOSAL                                                                   \
    "INSERT INTO provider_context_proposal (provider_context_id, position, lifetime_seconds,"      \
    " lifetime_kilobytes, lifetime_packets, pfs_group, transform1_type, transform1_auth,"          \
    " transform1_cipher, transform2_type, transform2_auth, transform2_cipher)"                     \
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
NODISCARD int
sqlite_rows_put_provider_context(struct sqlite3_stmt *context_statement,
                                 struct sqlite3_stmt *proposal_statement,
                                 const struct ipsec_provider_context *provider_context);

/* 'reader' knows database, label and fault. */
NODISCARD enum ipsec_status sqlite_rows_load_filters(const struct sqlite_reader *reader,
                                                     const struct store_marks *marks,
                                                     const struct store_loader *loader);
NODISCARD enum ipsec_status sqlite_rows_load_provider_contexts(const struct sqlite_reader *reader,
                                                               const struct store_marks *marks,
                                                               const struct store_loader *loader);

/* --- sqlite_rows_sa.c: SA contexts, with their bundles and labels --- */

#define SQLITE_ROWS_PUT_SA_CONTEXT                                                                 \
    "INSERT INTO sa_context (id, state, traffic_type, local_address, remote_address,"              \
    " local_port, remote_port, ip_protocol, ipsec_filter_id, tunnel_policy_id, inbound_filter_id," \
    " spi, created_at_ms, created_by, revision, predecessor_id, due_at_ms)"                        \
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
#define SQLITE_ROWS_SET_SA_CONTEXT                                                                 \
    "UPDATE sa_context SET state = ?2, traffic_type = ?3, local_address = ?4,"                     \
    " remote_address = ?5, local_port = ?6, remote_port = ?7, ip_protocol = ?8,"                   \
    " ipsec_filter_id = ?9, tunnel_policy_id = ?10, inbound_filter_id = ?11, spi = ?12,"           \
    " created_at_ms = ?13, created_by = ?14, revision = ?15, predecessor_id = ?16,"                \
    " due_at_ms = ?17 WHERE id = ?1"
#define SQLITE_ROWS_PUT_BUNDLE                                                                     \
    "INSERT OR REPLACE INTO sa_bundle (context_id, direction, flags, lifetime_seconds,"            \
    " lifetime_kilobytes, lifetime_packets, idle_timeout_seconds, nd_allow_clear_timeout_seconds," \
    " nap_context, qm_sa_id, mm_sa_id, qm_filter_id, sa_lookup_context, peer_v4_private_address,"  \
    " udp_local_port, udp_remote_port, pfs_group, key_module_key, key_module_state, added_at_ms,"  \
    " expires_at_ms, sa1_spi, sa1_type, sa1_auth, sa1_cipher, sa1_auth_key_length,"                \
    " sa1_cipher_key_length, sa2_spi, sa2_type, sa2_auth, sa2_cipher, sa2_auth_key_length,"        \
    " sa2_cipher_key_length, mm_target_name, em_target_name, explicit_credentials, tokens) "       \
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"                         \
    " ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32,"   \
    " ?33, ?34, ?35, ?36, ?37)"
#define SQLITE_ROWS_DELETE_BUNDLE "DELETE FROM sa_bundle WHERE context_id = ?1 AND direction = ?2"
#define SQLITE_ROWS_PUT_LABEL                                                                      \
    "INSERT INTO sa_context_label (context_id, name, value) VALUES (?1, ?2, ?3)"

struct sqlite_sa_statements {
    struct sqlite3_stmt *put;
    struct sqlite3_stmt *set;
    struct sqlite3_stmt *remove;
    struct sqlite3_stmt *put_bundle;
    struct sqlite3_stmt *delete_bundle;
    struct sqlite3_stmt *delete_bundles;
    struct sqlite3_stmt *put_label;
    struct sqlite3_stmt *delete_labels;
};
/* A new one costs one statement unless it has parts. */
NODISCARD int sqlite_rows_put_sa_context(const struct sqlite_sa_statements *statements,
                                         const struct ipsec_sa_context *sa_context);
NODISCARD int sqlite_rows_set_sa_context(const struct sqlite_sa_statements *statements,
                                         const struct ipsec_sa_context *sa_context);
NODISCARD int sqlite_rows_delete_sa_context(const struct sqlite_sa_statements *statements,
                                            uint64_t id);
NODISCARD enum ipsec_status sqlite_rows_load_sa_contexts(const struct sqlite_reader *reader,
                                                         const struct store_marks *marks,
                                                         const struct store_loader *loader);
