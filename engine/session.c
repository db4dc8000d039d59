/* SPDX-License-Identifier: Apache-2.0
 *
 * session.c: see session.h. */
#include "engine/session.h"

#include <stddef.h>

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

struct ipsec_fault *
ipsec_session_fault(struct ipsec_session *session)
{
    return session->fault;
}

enum ipsec_status
session_check_direct(struct ipsec_session *session)
{
    if (session->transaction != SESSION_NO_TRANSACTION)
        return ipsec_fault_set(session->fault, IPSEC_TXN_IN_PROGRESS, IPSEC_FAULT_HEADER,
                               "Engine-Session",
                               "the SA database is not part of transactions; end this session's "
                               "first");
    if ((session->flags & SESSION_DYNAMIC) != 0)
        return ipsec_fault_set(session->fault, IPSEC_DYNAMIC_SESSION_IN_PROGRESS,
                               IPSEC_FAULT_HEADER, "Engine-Session",
                               "SA contexts outlive sessions and can't belong to a dynamic one");
    return IPSEC_OK;
}

enum ipsec_status
session_check_writable(struct ipsec_session *session)
{
    if (session->transaction == SESSION_READ_TRANSACTION)
        return ipsec_fault_set(session->fault, IPSEC_INCOMPATIBLE_TXN, IPSEC_FAULT_HEADER,
                               "Engine-Session", "the session's transaction is read-only");
    return IPSEC_OK;
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
    if (!batch_put_principal(&state->batch, *number_out,
                             principal_name(&state->principals, *number_out)))
        return session_no_memory(session);
    principal_mark(&state->principals, *number_out, true);
    return IPSEC_OK;
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
