/* SPDX-License-Identifier: Apache-2.0
 *
 * session.c: see session.h. */
#include "engine/session.h"

#include <stddef.h>
#include <string.h>

static const char session_header[] = "Engine-Session";

static const char *const container_names[IPSEC_CONTAINER_COUNT] = {
    [IPSEC_CONTAINER_ENGINE] = "the engine",
    [IPSEC_CONTAINER_SA_DATABASE] = "the SA database",
    [IPSEC_CONTAINER_FILTERS] = "filters",
    [IPSEC_CONTAINER_PROVIDER_CONTEXTS] = "provider contexts",
};

static const struct {
    uint32_t right;
    const char *name;
} right_names[] = {
    { FWPM_ACTRL_ADD, "FWPM_ACTRL_ADD" },
    { FWPM_ACTRL_ADD_LINK, "FWPM_ACTRL_ADD_LINK" },
    { FWPM_ACTRL_BEGIN_READ_TXN, "FWPM_ACTRL_BEGIN_READ_TXN" },
    { FWPM_ACTRL_BEGIN_WRITE_TXN, "FWPM_ACTRL_BEGIN_WRITE_TXN" },
    { FWPM_ACTRL_CLASSIFY, "FWPM_ACTRL_CLASSIFY" },
    { FWPM_ACTRL_ENUM, "FWPM_ACTRL_ENUM" },
    { FWPM_ACTRL_OPEN, "FWPM_ACTRL_OPEN" },
    { FWPM_ACTRL_READ, "FWPM_ACTRL_READ" },
    { FWPM_ACTRL_READ_STATS, "FWPM_ACTRL_READ_STATS" },
    { FWPM_ACTRL_SUBSCRIBE, "FWPM_ACTRL_SUBSCRIBE" },
    { FWPM_ACTRL_WRITE, "FWPM_ACTRL_WRITE" },
    { RIGHT_DELETE, "DELETE" },
    { RIGHT_READ_CONTROL, "READ_CONTROL" },
    { RIGHT_WRITE_DAC, "WRITE_DAC" },
    { RIGHT_WRITE_OWNER, "WRITE_OWNER" },
};

static const char *name_of_right(uint32_t rights);
static void undo_put_principal(struct engine_state *state, void *object, uint64_t number);

static const struct undo_ops put_principal = { .undo = undo_put_principal };

struct ipsec_fault *
ipsec_session_fault(struct ipsec_session *session)
{
    return session->fault;
}

enum ipsec_status
session_judge(enum ipsec_session_rule rule,
              uint32_t flags,
              enum ipsec_transaction_kind transaction,
              struct ipsec_fault *fault)
{
    bool outside = rule == IPSEC_RULE_NO_TRANSACTION || rule == IPSEC_RULE_DIRECT;

    if (outside && transaction != IPSEC_NO_TRANSACTION)
        return ipsec_fault_set(fault, IPSEC_TXN_IN_PROGRESS, IPSEC_FAULT_HEADER, session_header,
                               "not possible in a transaction: commit or abort it first");
    if (rule == IPSEC_RULE_DIRECT && (flags & IPSEC_SESSION_DYNAMIC) != 0)
        return ipsec_fault_set(fault, IPSEC_DYNAMIC_SESSION_IN_PROGRESS, IPSEC_FAULT_HEADER,
                               session_header,
                               "not possible in a dynamic session: leave Engine-Session out");
    if (rule == IPSEC_RULE_POLICY_WRITE && transaction == IPSEC_READ_TRANSACTION)
        return ipsec_fault_set(fault, IPSEC_INCOMPATIBLE_TXN, IPSEC_FAULT_HEADER, session_header,
                               "the session's transaction is read-only");
    if (rule == IPSEC_RULE_TRANSACTION && transaction == IPSEC_NO_TRANSACTION)
        return ipsec_fault_set(fault, IPSEC_NO_TXN_IN_PROGRESS, IPSEC_FAULT_PATH, NULL,
                               "the session has no transaction");
    return IPSEC_OK;
}

enum ipsec_status
session_check_rule(struct ipsec_session *session, enum ipsec_session_rule rule)
{
    return session_judge(rule, session->flags, session->transaction, session->fault);
}

enum ipsec_status
session_check_direct(struct ipsec_session *session)
{
    return session_check_rule(session, IPSEC_RULE_DIRECT);
}

enum ipsec_status
session_check_no_transaction(struct ipsec_session *session)
{
    return session_check_rule(session, IPSEC_RULE_NO_TRANSACTION);
}

enum ipsec_status
session_check_writable(struct ipsec_session *session)
{
    return session_check_rule(session, IPSEC_RULE_POLICY_WRITE);
}

enum ipsec_status
session_check_right(struct ipsec_session *session, enum ipsec_container container, uint32_t rights)
{
    if (session_has_right(session, container, rights))
        return IPSEC_OK;

    uint32_t missing = rights & ~session->caller->rights.granted[container];
    return ipsec_fault_set(session->fault, IPSEC_ACCESS_DENIED, IPSEC_FAULT_SERVICE, NULL,
                           "the caller lacks %s on %s", name_of_right(missing),
                           container_names[container]);
}

bool
session_has_right(const struct ipsec_session *session,
                  enum ipsec_container container,
                  uint32_t rights)
{
    return session->caller->principal == NULL ||
           (session->caller->rights.granted[container] & rights) == rights;
}

enum ipsec_status
session_check_revision(struct ipsec_session *session, uint64_t revision)
{
    const struct ipsec_call *call = session->call;

    if (call == NULL || call->if_match_count == 0)
        return IPSEC_OK;
    for (size_t i = 0; i < call->if_match_count; i++) {
        if (call->if_match[i] == revision)
            return IPSEC_OK;
    }
    return ipsec_fault_set(session->fault, IPSEC_HTTP_PRECONDITION_FAILED, IPSEC_FAULT_HEADER,
                           "If-Match", "the object is in revision %llu now",
                           (unsigned long long)revision);
}

enum ipsec_status
session_intern_caller(struct ipsec_session *session, uint32_t *number_out)
{
    struct engine_state *state = session->state;
    bool is_stored;

    *number_out = 0;
    if (session->caller->principal == NULL)
        return IPSEC_OK;
    if (!principal_intern(&state->principals, session->caller->principal, number_out, &is_stored))
        return session_no_memory(session);
    if (is_stored)
        return IPSEC_OK;
    const struct store_change change = {
        .kind = STORE_PUT_PRINCIPAL,
        .id = *number_out,
        .principal = { .id = *number_out, .name = principal_name(&state->principals, *number_out) },
    };
    if (!batch_reserve(&state->batch, 1) || !batch_change(&state->batch, change) ||
        !batch_undo(&state->batch, &put_principal, NULL, *number_out))
        return session_no_memory(session);
    principal_mark(&state->principals, *number_out, true);
    return IPSEC_OK;
}

bool
session_is_of(const struct principal_table *principals, uint32_t opened_by, const char *principal)
{
    if (principal == NULL || opened_by == 0)
        return principal == NULL && opened_by == 0;
    return strcmp(principal_name(principals, opened_by), principal) == 0;
}

enum ipsec_status
session_unknown(struct ipsec_fault *fault, enum ipsec_fault_place place)
{
    return ipsec_fault_set(fault, IPSEC_INVALID_HANDLE, place,
                           place == IPSEC_FAULT_HEADER ? session_header : NULL,
                           "no session has this key");
}

enum ipsec_status
session_txn_aborted(struct ipsec_fault *fault)
{
    return ipsec_fault_set(fault, IPSEC_TXN_ABORTED, IPSEC_FAULT_HEADER, session_header,
                           "the session's transaction was open for too long and was rolled back; "
                           "this call was not done, and the next will be outside a transaction");
}

enum ipsec_status
session_aborted(struct ipsec_fault *fault, enum ipsec_fault_place place)
{
    return ipsec_fault_set(fault, IPSEC_SESSION_ABORTED, place,
                           place == IPSEC_FAULT_HEADER ? session_header : NULL,
                           "the session was cancelled; close it and open another");
}

enum ipsec_status
session_no_memory(struct ipsec_session *session)
{
    return ipsec_fault_set(session->fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                           "the service is out of memory");
}

/* The name of the lowest right of the mask. */
static const char *
name_of_right(uint32_t rights)
{
    for (size_t i = 0; i < sizeof right_names / sizeof *right_names; i++) {
        if ((right_names[i].right & rights) != 0)
            return right_names[i].name;
    }
    return "a right that does not exist";
}

/* The number stays the name's; the store does not have it. */
static void
undo_put_principal(struct engine_state *state, void *object, uint64_t number)
{
    (void)object;
    principal_mark(&state->principals, (uint32_t)number, false);
}
