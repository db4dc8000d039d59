/* SPDX-License-Identifier: Apache-2.0
 *
 * security_table.c: see security_table.h and ipsec_security_get(). */
#include "engine/security_table.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/log.h"
#include "engine/session.h"
#include "engine/state.h"

static enum ipsec_status
check(struct ipsec_session *session, const struct ipsec_security *security, uint32_t right);
static enum ipsec_status
put_change(struct ipsec_session *session, enum ipsec_container container, const char *text);
static const char *effective_text(const struct engine_state *state,
                                  const struct ipsec_security *security);
static enum ipsec_status
tell(const struct engine_state *state, enum ipsec_container container, struct ipsec_fault *fault);
static void undo_set(struct engine_state *state, void *object, uint64_t number);
static void settle_set(struct engine_state *state, void *object, uint64_t number);

static const struct undo_ops set_ops = { .undo = undo_set, .settle = settle_set };

enum ipsec_status
ipsec_security_get(struct ipsec_session *session,
                   const struct ipsec_security *security,
                   char **text_out)
{
    enum ipsec_status status = check(session, security, RIGHT_READ_CONTROL);

    if (status != IPSEC_OK)
        return status;
    *text_out = strdup(effective_text(session->state, security));
    return *text_out == NULL ? session_no_memory(session) : IPSEC_OK;
}

enum ipsec_status
ipsec_security_set(struct ipsec_session *session,
                   const struct ipsec_security *security,
                   const char *text)
{
    struct engine_state *state = session->state;
    char **place = &state->security.texts[security->container];
    enum ipsec_status status = session_check_direct(session);

    if (status == IPSEC_OK)
        status = check(session, security, RIGHT_WRITE_DAC);
    if (status != IPSEC_OK || (text == NULL && *place == NULL))
        return status;

    char *copy = text == NULL ? NULL : strdup(text);
    if ((text != NULL && copy == NULL) || !batch_reserve(&state->batch, 1)) {
        free(copy);
        return session_no_memory(session);
    }
    status = put_change(session, security->container, copy);
    if (status == IPSEC_OK && !batch_undo(&state->batch, &set_ops, *place, security->container))
        status = session_no_memory(session);
    if (status != IPSEC_OK) {
        free(copy);
        return status;
    }
    *place = copy;
    return IPSEC_OK;
}

/* FNV-1a, folded to what an entity tag's number may be. */
uint64_t
ipsec_security_revision(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    hash = (hash ^ hash >> 53) & IPSEC_LUID_MAX;
    return hash == 0 ? 1 : hash;
}

void
security_table_clear(struct security_table *table)
{
    for (size_t i = 0; i < IPSEC_CONTAINER_COUNT; i++) {
        free(table->texts[i]);
        table->texts[i] = NULL;
    }
}

enum ipsec_status
security_table_load(struct engine_state *state,
                    const struct store_descriptor *descriptor,
                    struct ipsec_fault *fault)
{
    char *copy = strdup(descriptor->text);

    if (copy == NULL || descriptor->container >= IPSEC_CONTAINER_COUNT) {
        free(copy);
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "no memory for a security descriptor");
    }
    state->security.texts[descriptor->container] = copy;
    return tell(state, (enum ipsec_container)descriptor->container, fault);
}

static enum ipsec_status
check(struct ipsec_session *session, const struct ipsec_security *security, uint32_t right)
{
    enum ipsec_status status = session_check_right(session, security->container, right);

    if (status != IPSEC_OK)
        return status;
    return session_check_revision(
        session, ipsec_security_revision(effective_text(session->state, security)));
}

static enum ipsec_status
put_change(struct ipsec_session *session, enum ipsec_container container, const char *text)
{
    struct batch *batch = &session->state->batch;
    const struct store_descriptor descriptor = { .container = (uint8_t)container, .text = text };
    struct store_change change = { .kind = STORE_DELETE_DESCRIPTOR, .id = container + UINT64_C(1) };

    if (text != NULL) {
        change.kind = STORE_PUT_DESCRIPTOR;
        change.descriptor = batch_copy(batch, &descriptor, sizeof descriptor);
        if (change.descriptor == NULL)
            return session_no_memory(session);
    }
    return batch_change(batch, change) ? IPSEC_OK : session_no_memory(session);
}

static const char *
effective_text(const struct engine_state *state, const struct ipsec_security *security)
{
    const char *text = state->security.texts[security->container];

    return text != NULL ? text : security->otherwise;
}

static enum ipsec_status
tell(const struct engine_state *state, enum ipsec_container container, struct ipsec_fault *fault)
{
    const struct ipsec_security_listener *listener = &state->security.listener;

    if (listener->changed == NULL)
        return IPSEC_OK;
    return listener->changed(listener->context, container, state->security.texts[container], fault);
}

static void
undo_set(struct engine_state *state, void *object, uint64_t number)
{
    free(state->security.texts[number]);
    state->security.texts[number] = object;
}

/* It is durable and has to hold from now on; a service that can't do so must not go on granting
 * what was there before.  It finds the descriptor in its store when it is started again. */
static void
settle_set(struct engine_state *state, void *object, uint64_t number)
{
    struct ipsec_fault fault = { .status = IPSEC_OK };

    free(object);
    if (tell(state, (enum ipsec_container)number, &fault) == IPSEC_OK)
        return;
    log_error("a security descriptor can't take effect, ending the process",
              LOG_TEXT("reason", fault.detail), LOG_TEXT("code", ipsec_status_name(fault.status)));
    abort();
}
