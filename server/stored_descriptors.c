/* SPDX-License-Identifier: Apache-2.0
 *
 * stored_descriptors.c: see stored_descriptors.h. */
#include "server/stored_descriptors.h"

#include <stddef.h>

#include "auth/rights.h"
#include "engine/base/log.h"
#include "server/security.h"

static enum ipsec_status
changed(void *context, enum ipsec_container container, const char *text, struct ipsec_fault *fault);
static enum ipsec_status explain(enum ipsec_container container, struct ipsec_fault *fault);
static enum ipsec_status forget(struct ipsec_call *call, struct ipsec_session *session);

struct ipsec_security_listener
stored_descriptors_listener(struct stored_descriptors *descriptors)
{
    return (struct ipsec_security_listener){ .changed = changed, .context = descriptors };
}

enum ipsec_status
stored_descriptors_reset(struct stored_descriptors *descriptors,
                         struct ipsec_engine *engine,
                         struct ipsec_fault *fault)
{
    struct ipsec_call call = { .run = forget };
    enum ipsec_status status = ipsec_engine_call(engine, &call);

    *fault = call.fault;
    descriptors->resetting = false;
    return status;
}

static enum ipsec_status
changed(void *context, enum ipsec_container container, const char *text, struct ipsec_fault *fault)
{
    const struct stored_descriptors *descriptors = context;

    if (descriptors->resetting)
        return IPSEC_OK;
    enum ipsec_status status =
        security_holder_set_descriptor(descriptors->holder, container, text, fault);
    if (status != IPSEC_OK)
        return explain(container, fault);
    if (!descriptors->is_check)
        log_info(text == NULL ? "the access file's security descriptor is in force"
                              : "a security descriptor set by a caller is in force",
                 LOG_TEXT("container", container_name(container)));
    return status;
}

/* Else it would seem to be of the access file. */
static enum ipsec_status
explain(enum ipsec_container container, struct ipsec_fault *fault)
{
    const struct ipsec_fault cause = *fault;

    return ipsec_fault_set(fault, cause.status, IPSEC_FAULT_SERVICE, "store",
                           "store: the security descriptor of %s that a caller had set: %s "
                           "(reset-security forgets it)",
                           container_name(container), cause.detail);
}

static enum ipsec_status
forget(struct ipsec_call *call, struct ipsec_session *session)
{
    enum ipsec_status status = IPSEC_OK;

    (void)call;
    for (size_t i = 0; i < IPSEC_CONTAINER_COUNT && status == IPSEC_OK; i++) {
        const struct ipsec_security security = { (enum ipsec_container)i, "" };

        status = ipsec_security_set(session, &security, NULL);
    }
    return status;
}
