/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_schema.c: see sqlite_schema.h.
 *
 * A released step is never edited: files of that version exist.  A change is a new step at the
 * end. */
#include "engine/store/sqlite_schema.h"

#include <stdbool.h>
#include <stdio.h>

#include <sqlite3.h>

#include "engine/store/sqlite_error.h"

/* Version 1: the records.  Rows are in the order of their numbers, so that new ones go to the end
 * of the file's trees.  0 means "none" in references to filters, policies and principals.  An
 * unsigned 64-bit weight does not fit an INTEGER; as "0x" and 16 digits it sorts right. */
static const char create_records[] = "CREATE TABLE marks ("
                                     "  id INTEGER PRIMARY KEY CHECK (id = 1),"
                                     "  last_luid INTEGER NOT NULL,"
                                     "  revision INTEGER NOT NULL,"
                                     "  last_replay_number INTEGER NOT NULL,"
                                     "  probes INTEGER NOT NULL"
                                     ") STRICT;"
                                     "INSERT INTO marks VALUES (1, 0, 0, 0, 0);"
                                     "CREATE TABLE principal ("
                                     "  id INTEGER PRIMARY KEY,"
                                     "  name TEXT NOT NULL"
                                     ") STRICT;"
                                     "CREATE TABLE filter ("
                                     "  id INTEGER PRIMARY KEY,"
                                     "  filter_key TEXT NOT NULL,"
                                     "  name TEXT NOT NULL,"
                                     "  description TEXT,"
                                     "  layer TEXT NOT NULL,"
                                     "  action TEXT NOT NULL,"
                                     "  callout TEXT NOT NULL,"
                                     "  weight_type TEXT NOT NULL,"
                                     "  weight TEXT NOT NULL,"
                                     "  effective_weight TEXT NOT NULL,"
                                     "  created_at_ms INTEGER NOT NULL,"
                                     "  created_by INTEGER NOT NULL,"
                                     "  revision INTEGER NOT NULL"
                                     ") STRICT;"
                                     "CREATE TABLE filter_condition ("
                                     "  filter_id INTEGER NOT NULL,"
                                     "  position INTEGER NOT NULL,"
                                     "  field TEXT NOT NULL,"
                                     "  match_type TEXT NOT NULL,"
                                     "  value TEXT NOT NULL,"
                                     "  PRIMARY KEY (filter_id, position)"
                                     ") STRICT, WITHOUT ROWID;"
                                     "CREATE TABLE sa_context ("
                                     "  id INTEGER PRIMARY KEY,"
                                     "  state TEXT NOT NULL,"
                                     "  traffic_type TEXT NOT NULL,"
                                     "  local_address TEXT NOT NULL,"
                                     "  remote_address TEXT NOT NULL,"
                                     "  local_port INTEGER NOT NULL,"
                                     "  remote_port INTEGER NOT NULL,"
                                     "  ip_protocol INTEGER NOT NULL,"
                                     "  ipsec_filter_id INTEGER NOT NULL,"
                                     "  tunnel_policy_id INTEGER NOT NULL,"
                                     "  inbound_filter_id INTEGER NOT NULL,"
                                     "  spi INTEGER NOT NULL,"
                                     "  created_at_ms INTEGER NOT NULL,"
                                     "  created_by INTEGER NOT NULL,"
                                     "  revision INTEGER NOT NULL"
                                     ") STRICT;"
                                     "CREATE TABLE replay ("
                                     "  number INTEGER PRIMARY KEY,"
                                     "  created_at_ms INTEGER NOT NULL,"
                                     "  key_digest BLOB NOT NULL,"
                                     "  request_digest BLOB NOT NULL,"
                                     "  answer BLOB NOT NULL"
                                     ") STRICT;";

/* Version 2: the same for people, with times, SPIs and principals in words. */
static const char create_views[] =
    "CREATE VIEW sa_context_text AS"
    "  SELECT c.id, c.state, c.traffic_type, c.local_address, c.remote_address, c.local_port,"
    "         c.remote_port, c.ip_protocol, c.ipsec_filter_id, c.tunnel_policy_id,"
    "         c.inbound_filter_id, printf('0x%08x', c.spi) AS spi,"
    "         strftime('%Y-%m-%dT%H:%M:%fZ', c.created_at_ms / 1000.0, 'unixepoch') AS created_at,"
    "         p.name AS created_by, c.revision"
    "  FROM sa_context AS c LEFT JOIN principal AS p ON p.id = c.created_by;"
    "CREATE VIEW filter_text AS"
    "  SELECT f.id, f.filter_key, f.name, f.description, f.layer,"
    "         (SELECT group_concat(field || ' ' || match_type || ' ' || value, ', ')"
    "          FROM filter_condition WHERE filter_id = f.id) AS conditions,"
    "         f.action, f.callout, f.weight_type, f.effective_weight,"
    "         strftime('%Y-%m-%dT%H:%M:%fZ', f.created_at_ms / 1000.0, 'unixepoch') AS created_at,"
    "         p.name AS created_by, f.revision"
    "  FROM filter AS f LEFT JOIN principal AS p ON p.id = f.created_by;";

/* Version 3: sessions, policy objects, descriptors. */
static const char create_policy[] =
    "DROP VIEW filter_text;"
    "ALTER TABLE filter ADD COLUMN lifetime TEXT NOT NULL DEFAULT 'static';"
    "ALTER TABLE filter ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE filter ADD COLUMN sub_layer TEXT NOT NULL DEFAULT 'universal';"
    "ALTER TABLE filter ADD COLUMN provider_key TEXT;"
    "ALTER TABLE filter ADD COLUMN provider_context_key TEXT;"
    "ALTER TABLE filter ADD COLUMN provider_context_id INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE filter ADD COLUMN tunnel_id INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE filter ADD COLUMN raw_context TEXT NOT NULL DEFAULT '0x0000000000000000';"
    "ALTER TABLE filter ADD COLUMN provider_data BLOB;"
    "CREATE TABLE provider_context ("
    "  id INTEGER PRIMARY KEY,"
    "  context_key TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  description TEXT,"
    "  type TEXT NOT NULL,"
    "  lifetime TEXT NOT NULL,"
    "  is_tunnel INTEGER NOT NULL,"
    "  provider_key TEXT,"
    "  flags INTEGER NOT NULL,"
    "  provider_data BLOB,"
    "  policy_flags INTEGER NOT NULL,"
    "  nd_allow_clear_timeout_seconds INTEGER NOT NULL,"
    "  idle_timeout_seconds INTEGER NOT NULL,"
    "  idle_timeout_fail_over_seconds INTEGER NOT NULL,"
    "  local_endpoint TEXT,"
    "  remote_endpoint TEXT,"
    "  policy TEXT,"
    "  created_at_ms INTEGER NOT NULL,"
    "  created_by INTEGER NOT NULL,"
    "  revision INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE provider_context_proposal ("
    "  provider_context_id INTEGER NOT NULL,"
    "  position INTEGER NOT NULL,"
    "  lifetime_seconds INTEGER NOT NULL,"
    "  lifetime_kilobytes INTEGER NOT NULL,"
    "  lifetime_packets INTEGER NOT NULL,"
    "  pfs_group TEXT NOT NULL,"
    "  transform1_type TEXT NOT NULL,"
    "  transform1_auth TEXT NOT NULL,"
    "  transform1_cipher TEXT NOT NULL,"
    "  transform2_type TEXT,"
    "  transform2_auth TEXT,"
    "  transform2_cipher TEXT,"
    "  PRIMARY KEY (provider_context_id, position)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE session ("
    "  number INTEGER PRIMARY KEY,"
    "  session_key TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  opened_at_ms INTEGER NOT NULL,"
    "  opened_by INTEGER NOT NULL,"
    "  flags INTEGER NOT NULL,"
    "  txn_wait_timeout_ms INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE descriptor ("
    "  id INTEGER PRIMARY KEY,"
    "  container TEXT NOT NULL,"
    "  text TEXT NOT NULL"
    ") STRICT;"
    "CREATE VIEW filter_text AS"
    "  SELECT f.id, f.filter_key, f.name, f.description, f.layer, f.sub_layer,"
    "         (SELECT group_concat(field || ' ' || match_type || ' ' || value, ', ')"
    "          FROM filter_condition WHERE filter_id = f.id) AS conditions,"
    "         f.action, f.callout, f.provider_context_key, f.weight_type, f.effective_weight,"
    "         f.lifetime,"
    "         strftime('%Y-%m-%dT%H:%M:%fZ', f.created_at_ms / 1000.0, 'unixepoch') AS created_at,"
    "         p.name AS created_by, f.revision"
    "  FROM filter AS f LEFT JOIN principal AS p ON p.id = f.created_by;";

/* Version 4: keyed SAs.  There is no column that could hold a key. */
static const char create_keyed_sas[] =
    "DROP VIEW sa_context_text;"
    "ALTER TABLE sa_context ADD COLUMN predecessor_id INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE sa_context ADD COLUMN due_at_ms INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE sa_bundle ("
    "  context_id INTEGER NOT NULL,"
    "  direction TEXT NOT NULL,"
    "  flags INTEGER NOT NULL,"
    "  lifetime_seconds INTEGER NOT NULL,"
    "  lifetime_kilobytes INTEGER NOT NULL,"
    "  lifetime_packets INTEGER NOT NULL,"
    "  idle_timeout_seconds INTEGER NOT NULL,"
    "  nd_allow_clear_timeout_seconds INTEGER NOT NULL,"
    "  nap_context INTEGER NOT NULL,"
    "  qm_sa_id INTEGER NOT NULL,"
    "  mm_sa_id TEXT NOT NULL,"
    "  qm_filter_id TEXT NOT NULL,"
    "  sa_lookup_context TEXT,"
    "  peer_v4_private_address TEXT,"
    "  udp_local_port INTEGER NOT NULL,"
    "  udp_remote_port INTEGER NOT NULL,"
    "  pfs_group TEXT NOT NULL,"
    "  key_module_key TEXT,"
    "  key_module_state BLOB,"
    "  added_at_ms INTEGER NOT NULL,"
    "  expires_at_ms INTEGER NOT NULL,"
    "  sa1_spi INTEGER NOT NULL,"
    "  sa1_type TEXT NOT NULL,"
    "  sa1_auth TEXT NOT NULL,"
    "  sa1_cipher TEXT NOT NULL,"
    "  sa1_auth_key_length INTEGER NOT NULL,"
    "  sa1_cipher_key_length INTEGER NOT NULL,"
    "  sa2_spi INTEGER,"
    "  sa2_type TEXT,"
    "  sa2_auth TEXT,"
    "  sa2_cipher TEXT,"
    "  sa2_auth_key_length INTEGER,"
    "  sa2_cipher_key_length INTEGER,"
    "  PRIMARY KEY (context_id, direction)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE sa_context_label ("
    "  context_id INTEGER NOT NULL,"
    "  name TEXT NOT NULL,"
    "  value TEXT NOT NULL,"
    "  PRIMARY KEY (context_id, name)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE spi_quarantine ("
    "  spi INTEGER PRIMARY KEY,"
    "  until_ms INTEGER NOT NULL"
    ") STRICT;"
    "CREATE VIEW sa_context_text AS"
    "  SELECT c.id, c.state, c.traffic_type, c.local_address, c.remote_address, c.local_port,"
    "         c.remote_port, c.ip_protocol, c.ipsec_filter_id, c.tunnel_policy_id,"
    "         c.inbound_filter_id, printf('0x%08x', c.spi) AS spi, c.predecessor_id,"
    "         (SELECT group_concat(name || '=' || value, ', ')"
    "          FROM sa_context_label WHERE context_id = c.id) AS labels,"
    "         strftime('%Y-%m-%dT%H:%M:%fZ', c.created_at_ms / 1000.0, 'unixepoch') AS created_at,"
    "         p.name AS created_by, c.revision"
    "  FROM sa_context AS c LEFT JOIN principal AS p ON p.id = c.created_by;";

/* Version 5: whom a keying module has authenticated.  Null: a bundle says nothing of it. */
static const char add_ipsec_ids[] = "ALTER TABLE sa_bundle ADD COLUMN mm_target_name TEXT;"
                                    "ALTER TABLE sa_bundle ADD COLUMN em_target_name TEXT;"
                                    "ALTER TABLE sa_bundle ADD COLUMN explicit_credentials TEXT;"
                                    "ALTER TABLE sa_bundle ADD COLUMN tokens TEXT;";

/* Version 6: which data plane may have objects of this store, "" for none.  A file of before says
 * that none has, whatever there is: nobody wrote it down. */
static const char add_plane[] =
    "ALTER TABLE marks ADD COLUMN plane TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE marks ADD COLUMN plane_instance INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE marks ADD COLUMN plane_netns TEXT NOT NULL DEFAULT '';";

/* Step i leads from version i to i + 1. */
static const char *const steps[] = { create_records,   create_views,  create_policy,
                                     create_keyed_sas, add_ipsec_ids, add_plane };
_Static_assert(sizeof steps / sizeof *steps == SQLITE_SCHEMA_VERSION, "a step for each version");

static int read_integer(struct sqlite3 *db, const char *query, int *value_out);
static int migrate(struct sqlite3 *db);

void
sqlite_schema_distrust(struct sqlite3 *db)
{
    static const struct {
        int option;
        int value;
    } options[] = {
        { SQLITE_DBCONFIG_DEFENSIVE, 1 },      { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
        { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 }, { SQLITE_DBCONFIG_DQS_DML, 0 },
        { SQLITE_DBCONFIG_DQS_DDL, 0 },
    };

    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        (void)sqlite3_db_config(db, options[i].option, options[i].value, NULL);
}

bool
sqlite_schema_is_current(struct sqlite3 *db)
{
    int version = 0;

    return read_integer(db, "PRAGMA user_version", &version) == SQLITE_OK &&
           version == SQLITE_SCHEMA_VERSION;
}

enum ipsec_status
sqlite_schema_check(struct sqlite3 *db, const char *label, struct ipsec_fault *fault)
{
    int application_id = 0;
    int version = 0;
    int table_count = 0;
    int result = read_integer(db, "PRAGMA application_id", &application_id);

    if (result == SQLITE_OK)
        result = read_integer(db, "PRAGMA user_version", &version);
    if (result == SQLITE_OK)
        result = read_integer(db, "SELECT count(*) FROM sqlite_schema", &table_count);
    if (result != SQLITE_OK)
        return sqlite_error_set(fault, db, result, true, label, "read its header");

    if (application_id == 0 && version == 0 && table_count == 0)
        return IPSEC_OK;
    if (application_id != SQLITE_SCHEMA_APPLICATION_ID)
        return ipsec_fault_set(fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: the file is a database of another application", label);
    if (version > SQLITE_SCHEMA_VERSION)
        return ipsec_fault_set(fault, IPSEC_RPC_VERSION_MISMATCH, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: the file has schema version %d, this program knows "
                               "versions up to %d",
                               label, version, (int)SQLITE_SCHEMA_VERSION);
    if (version < 1)
        return ipsec_fault_set(fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: the file has the impossible schema version %d", label,
                               version);
    return IPSEC_OK;
}

enum ipsec_status
sqlite_schema_migrate(struct sqlite3 *db, const char *label, struct ipsec_fault *fault)
{
    int result = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    if (result == SQLITE_OK)
        result = migrate(db);
    if (result == SQLITE_OK)
        result = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (result == SQLITE_OK)
        return IPSEC_OK;

    enum ipsec_status status =
        sqlite_error_set(fault, db, result, true, label, "bring its tables to this version");
    if (sqlite3_get_autocommit(db) == 0)
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

static int
migrate(struct sqlite3 *db)
{
    char pragmas[96];
    int version = 0;
    int result = read_integer(db, "PRAGMA user_version", &version);

    if (result != SQLITE_OK || version == SQLITE_SCHEMA_VERSION)
        return result;
    for (int i = version; i < SQLITE_SCHEMA_VERSION && result == SQLITE_OK; i++)
        result = sqlite3_exec(db, steps[i], NULL, NULL, NULL);
    if (result != SQLITE_OK)
        return result;
    (void)snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                   (int)SQLITE_SCHEMA_APPLICATION_ID, (int)SQLITE_SCHEMA_VERSION);
    return sqlite3_exec(db, pragmas, NULL, NULL, NULL);
}

static int
read_integer(struct sqlite3 *db, const char *query, int *value_out)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(db, query, -1, &statement, NULL);

    if (result == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        *value_out = sqlite3_column_int(statement, 0);
    /* Finalising a statement whose step failed reports that failure. */
    int finalized = sqlite3_finalize(statement);
    return result == SQLITE_OK ? finalized : result;
}
