/* SPDX-License-Identifier: Apache-2.0
 *
 * ipsec_id.c: see ipsec_id.h. */
#include "engine/ipsec_id.h"

#include <stdio.h>
#include <string.h>

#include "engine/text.h"
#include "engine/types.h"

static enum ipsec_status
check_name(const char *name, const char *pointer, struct ipsec_fault *fault);
static enum ipsec_status
check_token(const struct ipsec_token *token, unsigned index, struct ipsec_fault *fault);

enum ipsec_status
ipsec_id_check(const struct ipsec_id *id, struct ipsec_fault *fault)
{
    enum ipsec_status status = check_name(id->mm_target_name, "/ipsecId/mmTargetName", fault);

    if (status == IPSEC_OK)
        status = check_name(id->em_target_name, "/ipsecId/emTargetName", fault);
    if (status == IPSEC_OK && id->token_count > IPSEC_TOKENS_MAX)
        return ipsec_fault_set(fault, IPSEC_OUT_OF_BOUNDS, IPSEC_FAULT_BODY, "/ipsecId/tokens",
                               "has more than %d tokens", IPSEC_TOKENS_MAX);
    for (unsigned i = 0; i < id->token_count && status == IPSEC_OK; i++)
        status = check_token(&id->tokens[i], i, fault);
    return status;
}

static enum ipsec_status
check_name(const char *name, const char *pointer, struct ipsec_fault *fault)
{
    if (memchr(name, '\0', IPSEC_TARGET_NAME_MAX + 1) != NULL && text_is_printable(name))
        return IPSEC_OK;
    return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_BODY, pointer,
                           "must be UTF-8 of at most %d bytes, without control characters",
                           IPSEC_TARGET_NAME_MAX);
}

static enum ipsec_status
check_token(const struct ipsec_token *token, unsigned index, struct ipsec_fault *fault)
{
    char pointer[40];

    if (token->type < IPSEC_TOKEN_TYPE_COUNT && token->principal < IPSEC_TOKEN_PRINCIPAL_COUNT &&
        token->mode < IPSEC_TOKEN_MODE_COUNT)
        return IPSEC_OK;
    (void)snprintf(pointer, sizeof pointer, "/ipsecId/tokens/%u", index);
    return ipsec_fault_set(fault, IPSEC_INVALID_ENUMERATOR, IPSEC_FAULT_BODY, pointer,
                           "has a type, a principal or a mode that there is not");
}
