/* SPDX-License-Identifier: Apache-2.0
 *
 * store_record.h: what tests put into stores: records made from a number, and changes made from
 * records. */
#pragma once

#include <stdint.h>

#include "engine/store/store.h"

/* Records whose every member depends on the number.  Strings, and the parts of a context (every
 * twentieth has some), are static. */
struct ipsec_sa_context store_record_context(uint64_t id);
struct ipsec_filter store_record_filter(uint64_t id);
struct ipsec_provider_context store_record_provider_context(uint64_t id);
struct ipsec_session_record store_record_session(uint64_t number);

struct store_change store_record_put_principal(uint32_t id, const char *name);
struct store_change store_record_put_filter(const struct ipsec_filter *filter);
struct store_change store_record_put_context(const struct ipsec_sa_context *sa_context);
struct store_change store_record_put_replay(uint64_t number, const char *answer);
struct store_change store_record_delete(enum store_change_kind kind, uint64_t id);
