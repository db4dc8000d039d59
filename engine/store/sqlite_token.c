/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_token.c: see sqlite_token.h. */
#include "engine/store/sqlite_token.h"

#include <stdio.h>
#include <string.h>

#include "engine/store/sqlite_text.h"

enum { WORD_SIZE = 16 };

static const char *const types[] = { "machine", "impersonation" };
static const char *const principals[] = { "local", "peer" };
static const char *const modes[] = { "main", "extended" };
_Static_assert(sizeof types / sizeof *types == IPSEC_TOKEN_TYPE_COUNT, "every type");
_Static_assert(sizeof principals / sizeof *principals == IPSEC_TOKEN_PRINCIPAL_COUNT, "every one");
_Static_assert(sizeof modes / sizeof *modes == IPSEC_TOKEN_MODE_COUNT, "every mode");

static bool parse_token(const char *text, struct ipsec_token *token, size_t *taken_out);
static bool parse_word(const char *word, const char *const words[2], uint8_t *value_out);

void
sqlite_tokens_format(const struct ipsec_id *id, char text[SQLITE_TOKENS_SIZE])
{
    size_t size = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < id->token_count; i++) {
        const struct ipsec_token *token = &id->tokens[i];
        char number[SQLITE_WEIGHT_SIZE];

        sqlite_weight_format(token->token, number);
        int added =
            snprintf(text + size, SQLITE_TOKENS_SIZE - size, "%s%s %s %s %s", i == 0 ? "" : ", ",
                     types[token->type], principals[token->principal], modes[token->mode], number);
        size += (size_t)added;
    }
}

bool
sqlite_tokens_parse(const char *text, struct ipsec_id *id)
{
    id->token_count = 0;
    while (*text != '\0') {
        size_t taken = 0;

        if (id->token_count > 0) {
            if (strncmp(text, ", ", 2) != 0)
                return false;
            text += 2;
        }
        if (id->token_count == IPSEC_TOKENS_MAX ||
            !parse_token(text, &id->tokens[id->token_count], &taken))
            return false;
        id->token_count++;
        text += taken;
    }
    return true;
}

static bool
parse_token(const char *text, struct ipsec_token *token, size_t *taken_out)
{
    char type[WORD_SIZE];
    char principal[WORD_SIZE];
    char mode[WORD_SIZE];
    char number[SQLITE_WEIGHT_SIZE];
    int taken = 0;

    if (sscanf(text, "%15[a-z] %15[a-z] %15[a-z] %18[0-9a-fx]%n", type, principal, mode, number,
               &taken) != 4)
        return false;
    *taken_out = (size_t)taken;
    /* sscanf() takes any white space for a blank. */
    return *taken_out == strlen(type) + strlen(principal) + strlen(mode) + strlen(number) + 3 &&
           strcspn(text, "\t\n\v\f\r") >= *taken_out && parse_word(type, types, &token->type) &&
           parse_word(principal, principals, &token->principal) &&
           parse_word(mode, modes, &token->mode) && sqlite_weight_parse(number, &token->token);
}

static bool
parse_word(const char *word, const char *const words[2], uint8_t *value_out)
{
    for (uint8_t i = 0; i < 2; i++) {
        if (strcmp(word, words[i]) == 0) {
            *value_out = i;
            return true;
        }
    }
    return false;
}
