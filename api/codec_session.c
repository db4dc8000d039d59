/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_session.c: sessions and transactions as JSON. */
#include "api/resource.h"

static const struct codec_name session_flag_rows[] = {
    { "dynamic", IPSEC_SESSION_DYNAMIC, NULL },
};
static const struct codec_names session_flags = {
    .rows = session_flag_rows,
    .count = CODEC_COUNT(session_flag_rows),
    .unknown = IPSEC_INVALID_FLAGS,
};

static const struct codec_name transaction_flag_rows[] = {
    { "readOnly", 0x1, NULL },
};
static const struct codec_names transaction_flags = {
    .rows = transaction_flag_rows,
    .count = CODEC_COUNT(transaction_flag_rows),
    .unknown = IPSEC_INVALID_FLAGS,
};

static const struct codec_name transaction_rows[] = {
    { "readOnly", IPSEC_READ_TRANSACTION, NULL },
    { "readWrite", IPSEC_WRITE_TRANSACTION, NULL },
};
static const struct codec_names transactions = {
    .rows = transaction_rows,
    .count = CODEC_COUNT(transaction_rows),
};

static enum ipsec_status check_query(struct codec_decoder *decoder, void *object);

static const struct codec_field display_data_fields[] = {
    CODEC_FIELD(ipsec_session_record,
                name,
                "name",
                .kind = CODEC_CHARS,
                .maximum = IPSEC_DISPLAY_NAME_MAX,
                .summary = "What people call it."),
};
static const struct codec_object display_data = {
    .name = "SessionDisplayData",
    .summary = "The name of a session for people; control characters are refused.",
    .fields = display_data_fields,
    .field_count = CODEC_COUNT(display_data_fields),
    .closed = true,
};

#define DISPLAY_DATA                                                                               \
    CODEC_GROUP("displayData", .kind = CODEC_OBJECT, .object = &display_data,                      \
                .summary = "Name of the session.")

static const struct codec_field new_session_fields[] = {
    DISPLAY_DATA,
    CODEC_FIELD(ipsec_session_record,
                key,
                "sessionKey",
                .kind = CODEC_GUID,
                .summary =
                    "A GUID of the caller's choice; left out or zero: the engine makes one."),
    CODEC_FIELD(ipsec_session_record,
                flags,
                "flags",
                .kind = CODEC_FLAGS,
                .names = &session_flags,
                .summary = "dynamic: what the session adds is deleted when it ends."),
    CODEC_FIELD(ipsec_session_record,
                txn_wait_timeout_ms,
                "txnWaitTimeoutMs",
                .kind = CODEC_UNSIGNED,
                .summary = "How long a call waits for another session's transaction, in "
                           "milliseconds; left out or 0: as long as the service says."),
};

const struct codec_object codec_new_session = {
    .name = "NewSession",
    .summary = "A session to open (FWPM_SESSION0).",
    .fields = new_session_fields,
    .field_count = CODEC_COUNT(new_session_fields),
    .closed = true,
};

static const struct codec_field session_fields[] = {
    DISPLAY_DATA,
    CODEC_FIELD(ipsec_session_record,
                key,
                "sessionKey",
                .kind = CODEC_GUID,
                .flags = CODEC_REQUIRED,
                .summary = "The value of Engine-Session in requests of this session."),
    CODEC_FIELD(ipsec_session_record,
                flags,
                "flags",
                .kind = CODEC_FLAGS,
                .names = &session_flags,
                .flags = CODEC_REQUIRED,
                .summary = "dynamic: what the session adds is deleted when it ends."),
    CODEC_FIELD(ipsec_session_record,
                txn_wait_timeout_ms,
                "txnWaitTimeoutMs",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "How long a call waits for another session's transaction, in "
                           "milliseconds."),
    CODEC_FIELD(ipsec_session_record,
                opened_at_ms,
                "openedAt",
                .kind = CODEC_TIME,
                .flags = CODEC_REQUIRED,
                .summary = "When the session was opened."),
    CODEC_FIELD(ipsec_session_record,
                opened_by,
                "openedBy",
                .kind = CODEC_PRINCIPAL,
                .flags = CODEC_REQUIRED,
                .summary = "The principal that opened the session."),
    CODEC_FIELD(ipsec_session_record,
                transaction,
                "transaction",
                .kind = CODEC_ENUM,
                .names = &transactions,
                .flags = CODEC_OMIT_ZERO,
                .summary = "The transaction that is open; absent: none."),
    CODEC_FIELD(ipsec_session_record,
                aborted,
                "aborted",
                .kind = CODEC_BOOLEAN,
                .flags = CODEC_OMIT_ZERO,
                .summary = "true: the session was cancelled, or ended with the engine that opened "
                           "it, and can only be closed."),
};

const struct codec_object codec_session = {
    .name = "Session",
    .summary = "A session of the caller.",
    .fields = session_fields,
    .field_count = CODEC_COUNT(session_fields),
};

static const struct codec_field begin_fields[] = {
    CODEC_FIELD(begin_transaction,
                flags,
                "flags",
                .kind = CODEC_FLAGS,
                .names = &transaction_flags,
                .summary = "readOnly: policy does not change while the transaction is open."),
};

const struct codec_object codec_begin_transaction = {
    .name = "NewTransaction",
    .summary = "A transaction to begin (FwpmTransactionBegin0); read/write unless the flags say "
               "otherwise.",
    .fields = begin_fields,
    .field_count = CODEC_COUNT(begin_fields),
    .closed = true,
};

static const struct codec_field query_fields[] = {
    PAGE_QUERY_FIELDS(session_query),
};

const struct codec_object codec_session_query = {
    .fields = query_fields,
    .field_count = CODEC_COUNT(query_fields),
    .check = check_query,
};

static const struct codec_field list_fields[] = {
    CODEC_FIELD(session_list,
                page.sessions,
                "items",
                .kind = CODEC_ARRAY,
                .object = &codec_session,
                .form = CODEC_POINTED,
                .stride = sizeof(struct ipsec_session_record),
                .count_offset = offsetof(struct session_list, page.session_count),
                .count_size = sizeof(size_t),
                .flags = CODEC_REQUIRED,
                .summary = "The caller's own, in the order they were opened."),
    PAGE_NEXT_CURSOR_FIELD(session_list),
};

const struct codec_object codec_session_list = {
    .name = "SessionList",
    .summary = "A page of sessions.",
    .fields = list_fields,
    .field_count = CODEC_COUNT(list_fields),
};

struct cursor_scope
session_query_scope(void)
{
    struct cursor_scope scope = { .size = 0 };

    cursor_scope_add(&scope, "s", 1);
    return scope;
}

static enum ipsec_status
check_query(struct codec_decoder *decoder, void *object)
{
    struct session_query *query = object;
    struct cursor_scope scope = session_query_scope();

    return page_query_check(decoder, &query->page, &scope);
}
