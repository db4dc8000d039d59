/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_schema.h: the tables, their version, and the way from older versions to this one. */
#pragma once

#include <stdbool.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"

struct sqlite3;

/* Marks a database as ours, in its header: "saCx". */
#define SQLITE_SCHEMA_APPLICATION_ID 0x73614378

/* What this program writes; kept in "PRAGMA user_version". */
enum { SQLITE_SCHEMA_VERSION = 6 };

/* The file may have been written by others: nothing in its schema is to run code of its own. Before
 * the first statement. */
void sqlite_schema_distrust(struct sqlite3 *db);

/* Looks at a database without changing it: IPSEC_OK for an empty one and for ours up to our
 * version, IPSEC_RPC_INVALID_DATA for anybody else's, IPSEC_RPC_VERSION_MISMATCH for a newer. */
NODISCARD enum ipsec_status
sqlite_schema_check(struct sqlite3 *db, const char *label, struct ipsec_fault *fault);

/* Whether there is nothing to migrate. */
bool sqlite_schema_is_current(struct sqlite3 *db);

/* Brings the database to this version, in one transaction. */
NODISCARD enum ipsec_status
sqlite_schema_migrate(struct sqlite3 *db, const char *label, struct ipsec_fault *fault);
