/* SPDX-License-Identifier: Apache-2.0
 *
 * session_calls.c: opening, closing and reading explicit sessions. */
#include <stdlib.h>

#include "engine/engine.h"
#include "engine/guid.h"
#include "engine/session.h"
#include "engine/session_end.h"
#include "engine/state.h"

static enum ipsec_status check_options(struct ipsec_session *session,
                                       const struct ipsec_session_record *options);
static enum ipsec_status check_share(struct ipsec_session *session, uint32_t principal);
static enum ipsec_status find_own(struct ipsec_session *session,
                                  const struct ipsec_guid *key,
                                  struct session_entry **entry_out);
static bool is_own(const struct ipsec_session *session, const struct session_entry *entry);

enum ipsec_status
ipsec_session_open(struct ipsec_session *session,
                   const struct ipsec_session_record *options,
                   struct ipsec_session_record *record_out)
{
    struct engine_state *state = session->state;
    const struct session_table *table = &state->sessions;
    enum ipsec_status status;

    status = session_check_right(session, IPSEC_CONTAINER_ENGINE, FWPM_ACTRL_OPEN);
    if (status != IPSEC_OK)
        return status;
    status = check_options(session, options);
    if (status != IPSEC_OK)
        return status;
    if (table->live >= table->limits.maximum)
        return ipsec_fault_set(session->fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE,
                               NULL, "the limit of %u sessions is reached", table->limits.maximum);

    struct ipsec_session_record record = *options;
    record.opened_at_ms = state->now_ms;
    record.transaction = IPSEC_NO_TRANSACTION;
    record.aborted = false;
    if (guid_is_zero(&record.key))
        record.key = guid_new();
    if (record.txn_wait_timeout_ms == 0)
        record.txn_wait_timeout_ms = table->limits.wait_ms;
    status = session_intern_caller(session, &record.opened_by);
    if (status == IPSEC_OK)
        status = check_share(session, record.opened_by);
    if (status != IPSEC_OK)
        return status;
    if (!luid_next(&state->luids, &record.number) || !session_add(state, &record))
        return session_no_memory(session);
    *record_out = record;
    return IPSEC_OK;
}

enum ipsec_status
ipsec_session_close(struct ipsec_session *session, const struct ipsec_guid *key)
{
    struct session_entry *entry;
    enum ipsec_status status = find_own(session, key, &entry);

    if (status != IPSEC_OK)
        return status;
    if (!session_close(session, entry))
        return session_no_memory(session);
    return IPSEC_OK;
}

enum ipsec_status
ipsec_session_get(struct ipsec_session *session,
                  const struct ipsec_guid *key,
                  struct ipsec_session_record *record_out)
{
    struct session_entry *entry;
    enum ipsec_status status = find_own(session, key, &entry);

    if (status != IPSEC_OK)
        return status;
    if (entry->record.aborted)
        return session_aborted(session->fault, IPSEC_FAULT_PATH);
    *record_out = entry->record;
    return IPSEC_OK;
}

enum ipsec_status
ipsec_session_current(struct ipsec_session *session, struct ipsec_session_record *record_out)
{
    if (session->entry == NULL)
        return session_unknown(session->fault, IPSEC_FAULT_HEADER);
    *record_out = session->entry->record;
    return IPSEC_OK;
}

enum ipsec_status
ipsec_session_enum(struct ipsec_session *session,
                   uint64_t after,
                   size_t limit,
                   struct ipsec_session_page *page_out)
{
    struct engine_state *state = session->state;
    const struct id_table *numbers = &state->sessions.numbers;
    enum ipsec_status status;

    *page_out = (struct ipsec_session_page){ .session_count = 0 };
    status = session_check_right(session, IPSEC_CONTAINER_ENGINE, FWPM_ACTRL_OPEN);
    if (status != IPSEC_OK)
        return status;
    if (limit == 0)
        return ipsec_fault_set(session->fault, IPSEC_OUT_OF_BOUNDS, IPSEC_FAULT_QUERY, "limit",
                               "a page has at least one place");

    size_t budget = state_scan_budget(state);
    size_t room = limit < numbers->count ? limit : numbers->count;
    if (room == 0)
        return IPSEC_OK;
    page_out->sessions = malloc(room * sizeof *page_out->sessions);
    if (page_out->sessions == NULL)
        return session_no_memory(session);

    struct id_table_cursor cursor = id_table_seek(numbers, after);
    for (size_t looked_at = 0; looked_at <= budget; looked_at++) {
        const struct session_row *row = id_table_next(numbers, &cursor);

        if (row == NULL) {
            page_out->next = 0;
            break;
        }
        if (page_out->session_count == room || looked_at == budget)
            break;
        page_out->next = row->number;
        state->scanned++;
        if (is_own(session, row->entry))
            page_out->sessions[page_out->session_count++] = row->entry->record;
    }
    return IPSEC_OK;
}

void
ipsec_session_page_clear(struct ipsec_session_page *page)
{
    free(page->sessions);
    *page = (struct ipsec_session_page){ .session_count = 0 };
}

static enum ipsec_status
check_options(struct ipsec_session *session, const struct ipsec_session_record *options)
{
    if ((options->flags & ~IPSEC_SESSION_DYNAMIC) != 0)
        return ipsec_fault_set(session->fault, IPSEC_INVALID_FLAGS, IPSEC_FAULT_BODY, "/flags",
                               "dynamic is the only flag of a session");
    for (const char *next = options->name; *next != '\0'; next++) {
        if ((unsigned char)*next < ' ' || *next == 0x7f)
            return ipsec_fault_set(session->fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_BODY,
                                   "/displayData/name", "a name has no control characters");
    }
    if (!guid_is_zero(&options->key) &&
        session_table_find(&session->state->sessions, &options->key) != NULL)
        return ipsec_fault_set(session->fault, IPSEC_ALREADY_EXISTS, IPSEC_FAULT_BODY,
                               "/sessionKey", "another session has this key");
    return IPSEC_OK;
}

/* Nobody takes all the sessions there may be. */
static enum ipsec_status
check_share(struct ipsec_session *session, uint32_t principal)
{
    const struct engine_state *state = session->state;
    uint32_t maximum = state->sessions.limits.per_principal;

    if (maximum == 0 || principal_sessions(&state->principals, principal) < maximum)
        return IPSEC_OK;
    return ipsec_fault_set(
        session->fault, IPSEC_RPC_SERVERCALL_RETRYLATER, IPSEC_FAULT_SERVICE, NULL,
        "the caller has %u sessions, as many as max-sessions-per-principal allows: close one",
        maximum);
}

/* A session of another principal does not exist. */
static enum ipsec_status
find_own(struct ipsec_session *session,
         const struct ipsec_guid *key,
         struct session_entry **entry_out)
{
    enum ipsec_status status =
        session_check_right(session, IPSEC_CONTAINER_ENGINE, FWPM_ACTRL_OPEN);

    if (status != IPSEC_OK)
        return status;
    *entry_out = session_table_find(&session->state->sessions, key);
    if (*entry_out == NULL || !is_own(session, *entry_out))
        return session_unknown(session->fault, IPSEC_FAULT_PATH);
    return IPSEC_OK;
}

static bool
is_own(const struct ipsec_session *session, const struct session_entry *entry)
{
    return session_is_of(&session->state->principals, entry->record.opened_by,
                         session->caller->principal);
}
