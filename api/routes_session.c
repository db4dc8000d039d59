/* SPDX-License-Identifier: Apache-2.0
 *
 * routes_session.c: the operations on sessions and their transactions; see routes.h. */
#include "api/handle.h"
#include "api/resource.h"
#include "api/routes.h"

static const enum ipsec_status open_session_codes[] = {
    IPSEC_INVALID_FLAGS,
    IPSEC_ALREADY_EXISTS,
    IPSEC_RPC_SERVERCALL_RETRYLATER,
    IPSEC_OK,
};
static const enum ipsec_status begin_transaction_codes[] = {
    IPSEC_INVALID_FLAGS,
    IPSEC_ACCESS_DENIED,
    IPSEC_TIMEOUT,
    IPSEC_OK,
};
static const enum ipsec_status commit_transaction_codes[] = {
    IPSEC_ACCESS_DENIED,
    IPSEC_IN_USE,
    IPSEC_ALREADY_EXISTS,
    IPSEC_OK,
};

static const struct api_route routes[] = {
    { .method = "POST",
      .path = "/sessions",
      .operation = "openSession",
      .summary = "Open a session",
      .description = "Name its key in Engine-Session to make a call in it; for other principals "
                     "it does not exist. Unused for session-idle-seconds it is cancelled, and "
                     "then answers FWP_E_SESSION_ABORTED until it is closed. With the flag "
                     "dynamic its filters, provider contexts and tunnels end with it, and "
                     "creating, rotating and deleting SA contexts is refused in it.",
      .wfp = "FwpmEngineOpen0",
      .container = IPSEC_CONTAINER_ENGINE,
      .right = FWPM_ACTRL_OPEN,
      .body = &codec_new_session,
      .in_size = sizeof(struct ipsec_session_record),
      .out = &codec_session,
      .out_size = sizeof(struct ipsec_session_record),
      .success = 201,
      .location = "/sessions/",
      .location_is_key = true,
      .handler = handle_open_session,
      .codes = open_session_codes },
    { .method = "GET",
      .path = "/sessions",
      .operation = "listSessions",
      .summary = "List the caller's sessions",
      .wfp = "FwpmSessionEnum0",
      .container = IPSEC_CONTAINER_ENGINE,
      .right = FWPM_ACTRL_OPEN,
      .query = &codec_session_query,
      .in_size = sizeof(struct session_query),
      .out = &codec_session_list,
      .out_size = sizeof(struct session_list),
      .clear_out = handle_clear_session_list,
      .success = 200,
      .handler = handle_list_sessions,
      .conclude = handle_conclude_session_list },
    { .method = "GET",
      .path = "/sessions/{key}",
      .operation = "getSession",
      .summary = "Read a session",
      .container = IPSEC_CONTAINER_ENGINE,
      .right = FWPM_ACTRL_OPEN,
      .out = &codec_session,
      .out_size = sizeof(struct ipsec_session_record),
      .success = 200,
      .handler = handle_get_session,
      .not_found = IPSEC_INVALID_HANDLE },
    { .method = "DELETE",
      .path = "/sessions/{key}",
      .operation = "closeSession",
      .summary = "Close a session: its transaction is rolled back, its dynamic objects are deleted",
      .wfp = "FwpmEngineClose0",
      .container = IPSEC_CONTAINER_ENGINE,
      .right = FWPM_ACTRL_OPEN,
      .success = 204,
      .handler = handle_close_session,
      .not_found = IPSEC_INVALID_HANDLE },
    { .method = "POST",
      .path = "/sessions/{key}/transaction",
      .operation = "beginTransaction",
      .summary = "Begin the session's transaction on policy",
      .description = "It is on filters, provider contexts and tunnels; every change of SA "
                     "contexts is refused in it. There is one writer or many readers (flag "
                     "readOnly), first come first served: the call waits for the others, at "
                     "most txnWaitTimeoutMs of the session, then fails with FWP_E_TIMEOUT. One "
                     "that is open for txn-hold-seconds (3600 unless the operator says "
                     "otherwise) is rolled back, and the next call in the session, whichever it "
                     "is, is told FWP_E_TXN_ABORTED and not done. It is told once, as by WFP: "
                     "calls after it are outside a transaction, and what they change takes "
                     "effect by itself.",
      .wfp = "FwpmTransactionBegin0",
      .rule = IPSEC_RULE_NO_TRANSACTION,
      .session_in_path = true,
      .body = &codec_begin_transaction,
      .in_size = sizeof(struct begin_transaction),
      .out = &codec_session,
      .out_size = sizeof(struct ipsec_session_record),
      .success = 201,
      .location = "/sessions/",
      .location_is_key = true,
      .handler = handle_begin_transaction,
      .not_found = IPSEC_INVALID_HANDLE,
      .codes = begin_transaction_codes },
    { .method = "POST",
      .path = "/sessions/{key}/transaction/commit",
      .operation = "commitTransaction",
      .summary = "Make all that the transaction did take effect, or nothing",
      .description = "When an object that it deletes has come into use meanwhile this is "
                     "FWP_E_IN_USE, and the transaction stays open. Within a write transaction "
                     "this is the only call that takes an Idempotency-Key.",
      .wfp = "FwpmTransactionCommit0",
      .rule = IPSEC_RULE_TRANSACTION,
      .session_in_path = true,
      .success = 204,
      .handler = handle_commit_transaction,
      .not_found = IPSEC_INVALID_HANDLE,
      .codes = commit_transaction_codes },
    { .method = "DELETE",
      .path = "/sessions/{key}/transaction",
      .operation = "abortTransaction",
      .summary = "Roll the transaction back",
      .description = "Nothing that it did has taken effect.",
      .wfp = "FwpmTransactionAbort0",
      .rule = IPSEC_RULE_TRANSACTION,
      .session_in_path = true,
      .success = 204,
      .handler = handle_abort_transaction,
      .not_found = IPSEC_INVALID_HANDLE },
};
const struct route_group routes_session = { routes, CODEC_COUNT(routes) };
