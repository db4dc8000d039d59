/* SPDX-License-Identifier: Apache-2.0
 *
 * principal.c: see principal.h. */
#include "auth/principal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/objects.h>

#include "auth/names.h"

static bool has_name(const struct principal *principal,
                     const struct auth_name *names,
                     size_t name_count,
                     bool strict);
static const char *why_unfit(struct principal *principal);
static const char *why_unfit_uri(struct principal *principal);
static const char *why_unfit_fingerprint(struct principal *principal);
static const char *why_unfit_name(const char *text);
static const char *why_unfit_type(const char *text, size_t length, bool *numeric_out);
static const char *why_unfit_value(const char *text, size_t length, bool numeric);
static size_t value_length(const char *text);
static bool is_visible_ascii(const char *text);
static bool is_below(const char *uri, const char *path);
static bool is_dot_segment(const char *segment, size_t length);

bool
principal_parse(const char *text, struct principal *principal_out, const char **cause_out)
{
    *principal_out = (struct principal){ .kind = AUTH_NAME_EVERYONE };
    if (strcmp(text, auth_name_prefix(AUTH_NAME_EVERYONE)) == 0)
        return true;

    for (int i = 0; i < AUTH_NAME_EVERYONE; i++) {
        const char *prefix = auth_name_prefix((enum auth_name_kind)i);
        if (strncmp(text, prefix, strlen(prefix)) != 0)
            continue;
        principal_out->kind = (enum auth_name_kind)i;
        text += strlen(prefix);
        if (strlen(text) > AUTH_NAME_LENGTH_MAX) {
            *cause_out = "longer than any name of a certificate that is looked at";
            return false;
        }
        principal_out->text = auth_name_copy(principal_out->kind, text, strlen(text));
        *cause_out = principal_out->text == NULL ? "no memory" : why_unfit(principal_out);
        if (*cause_out == NULL)
            return true;
        principal_clear(principal_out);
        return false;
    }
    *cause_out = "unknown form of principal, use uri:, dns:, email:, dn:, cn:, sha256: or everyone";
    return false;
}

void
principal_clear(struct principal *principal)
{
    free(principal->text);
    *principal = (struct principal){ .kind = AUTH_NAME_EVERYONE };
}

void
principal_append(const struct principal *principal, struct buffer *out)
{
    buffer_append_text(out, auth_name_prefix(principal->kind));
    if (principal->text != NULL)
        buffer_append_text(out, principal->text);
    if (principal->below)
        buffer_append_char(out, '*');
}

bool
principal_matches(const struct principal *principal, const struct auth_identity *identity)
{
    if (principal->kind == AUTH_NAME_EVERYONE)
        return true;
    if (principal->kind == AUTH_NAME_SHA256)
        return strcmp(principal->text, identity->fingerprint) == 0;
    return has_name(principal, identity->names, identity->name_count, true);
}

bool
principal_might_match(const struct principal *principal, const struct auth_identity *identity)
{
    if (principal_matches(principal, identity) || identity->left_out[principal->kind])
        return true;
    return has_name(principal, identity->names, identity->name_count + identity->further_count,
                    false);
}

static bool
has_name(const struct principal *principal,
         const struct auth_name *names,
         size_t name_count,
         bool strict)
{
    for (size_t i = 0; i < name_count; i++) {
        bool same;
        if (names[i].kind != principal->kind)
            continue;
        if (!principal->below)
            same = strcmp(names[i].text, principal->text) == 0;
        else if (strict)
            same = is_below(names[i].text, principal->text);
        else
            same = strncmp(names[i].text, principal->text, strlen(principal->text)) == 0;
        if (same)
            return true;
    }
    return false;
}

/* Brings the text into the form names are kept in; null when it is fit for comparison. */
static const char *
why_unfit(struct principal *principal)
{
    const char *text = principal->text;

    if (text[0] == '\0')
        return "nothing after the prefix";
    if (principal->kind == AUTH_NAME_URI)
        return why_unfit_uri(principal);
    if (strchr(text, '*') != NULL)
        return "a wildcard may stand only at the end of a URI's path";
    if (principal->kind == AUTH_NAME_SHA256)
        return why_unfit_fingerprint(principal);
    if (principal->kind == AUTH_NAME_DNS || principal->kind == AUTH_NAME_EMAIL) {
        const char *at = strchr(text, '@');
        if (!is_visible_ascii(text))
            return "only visible ASCII characters can match, use the IDNA form";
        if (principal->kind == AUTH_NAME_EMAIL && (at == NULL || at == text || at[1] == '\0'))
            return "not an e-mail address";
    }
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return "a control character, which no name that is compared can hold";
    }
    return principal->kind == AUTH_NAME_DN ? why_unfit_name(principal->text) : NULL;
}

static const char *
why_unfit_uri(struct principal *principal)
{
    char *text = principal->text;
    size_t length = strlen(text);
    char *star = strchr(text, '*');

    if (!is_visible_ascii(text))
        return "only visible ASCII characters can match, use percent-encoding";
    if (strchr(text, ':') == NULL || text[0] == ':')
        return "not a URI, it has no scheme";
    if (star == NULL)
        return NULL;
    if (star != text + length - 1 || star[-1] != '/')
        return "a wildcard may stand only at the end of a URI's path, as in spiffe://domain/path/*";

    /* The "//" of "spiffe://" is not the end of a path: that would be every trust domain. */
    const char *authority = strstr(text, "://");
    if (authority == NULL || authority + strlen("://") >= star || authority[strlen("://")] == '/')
        return "a wildcard needs a scheme and an authority before it, as in spiffe://domain/*";
    if (strpbrk(text, "?#") != NULL)
        return "a wildcard may not follow a query or fragment";
    *star = '\0';
    principal->below = true;
    return NULL;
}

/* 64 hexadecimal digits in either case, with colons anywhere between pairs of them. */
static const char *
why_unfit_fingerprint(struct principal *principal)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    size_t length = 0;

    for (const char *next = principal->text; *next != '\0'; next++) {
        if (*next == ':' && length > 0 && length % 2 == 0 && next[-1] != ':' && next[1] != '\0')
            continue;
        if (strchr(digits, *next) == NULL)
            return "not a SHA-256 fingerprint in hexadecimal";
        principal->text[length++] =
            (char)(*next >= 'A' && *next <= 'F' ? *next - 'A' + 'a' : *next);
    }
    principal->text[length] = '\0';
    return length == 64 ? NULL : "not a SHA-256 fingerprint, which has 64 hexadecimal digits";
}

/* A name is compared as text, so it must be written exactly as names.c prints it. */
static const char *
why_unfit_name(const char *text)
{
    for (;;) {
        size_t type = strcspn(text, "=,+");
        bool numeric;
        if (text[type] != '=')
            return "not a distinguished name (RFC 4514), such as CN=name,O=organisation";
        const char *cause = why_unfit_type(text, type, &numeric);
        if (cause != NULL)
            return cause;
        text += type + 1;
        size_t value = value_length(text);
        cause = why_unfit_value(text, value, numeric);
        if (cause != NULL || text[value] == '\0')
            return cause;
        text += value + 1;
    }
}

static const char *
why_unfit_type(const char *text, size_t length, bool *numeric_out)
{
    char type[64];
    char numbers[64] = "";
    const char *written = numbers;

    if (length > 0 && (text[0] == ' ' || text[length - 1] == ' '))
        return "a blank beside ',', '+' or '=', write CN=name,O=organisation";
    if (length >= sizeof type)
        return "an attribute type that is too long";
    memcpy(type, text, length);
    type[length] = '\0';
    ASN1_OBJECT *object = OBJ_txt2obj(type, 0);
    int known = object == NULL ? NID_undef : OBJ_obj2nid(object);
    if (known != NID_undef)
        written = OBJ_nid2sn(known);
    else if (object != NULL)
        (void)OBJ_obj2txt(numbers, sizeof numbers, object, 1);
    ASN1_OBJECT_free(object);
    ERR_clear_error();
    *numeric_out = known == NID_undef;
    return length > 0 && strcmp(written, type) == 0
               ? NULL
               : "an attribute type no name is printed with, use its short name in the usual case, "
                 "as CN, O, OU, C, ST, L, DC, emailAddress";
}

/* OpenSSL prints an attribute it does not know as the bytes of its value, the text of any other
 * with as few escapes as RFC 2253 allows. */
static const char *
why_unfit_value(const char *text, size_t length, bool numeric)
{
    if (numeric)
        return length > 1 && length % 2 == 1 && text[0] == '#' &&
                       strspn(text + 1, "0123456789ABCDEF") == length - 1
                   ? NULL
                   : "the value of a numeric attribute type is '#' and its DER in upper-case "
                     "hexadecimal";
    for (size_t i = 0; i < length; i++) {
        bool first = i == 0;
        bool escaped = text[i] == '\\';
        if (escaped && ++i == length)
            return "nothing after the last '\\'";
        bool edge =
            (first && (text[i] == ' ' || text[i] == '#')) || (i == length - 1 && text[i] == ' ');
        bool special = edge || strchr(",+\"\\<>;", text[i]) != NULL;
        if (escaped && !special)
            return "an escape where none is needed, write the character itself";
        if (!escaped && special)
            return text[i] == ' ' ? "a blank beside ',', '+' or '=', write CN=name,O=organisation"
                                  : "one of \"<>;# that needs a '\\' before it";
    }
    return NULL;
}

/* Up to the ',' or '+' that ends it. */
static size_t
value_length(const char *text)
{
    size_t length = 0;

    while (text[length] != '\0' && text[length] != ',' && text[length] != '+')
        length += text[length] == '\\' && text[length + 1] != '\0' ? 2 : 1;
    return length;
}

static bool
is_visible_ascii(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text <= 0x20 || *text >= 0x7f)
            return false;
    }
    return true;
}

/* Does 'uri' lie below 'path', which ends in '/'?  A URI that would lie elsewhere once its path is
 * normalised (RFC 3986 section 6.2.2.3) does not, nor one with an empty segment. */
static bool
is_below(const char *uri, const char *path)
{
    size_t path_length = strlen(path);

    if (strncmp(uri, path, path_length) != 0)
        return false;
    const char *segment = uri + path_length;
    for (;;) {
        size_t length = strcspn(segment, "/?#");
        if (length == 0 || is_dot_segment(segment, length))
            return false;
        if (segment[length] != '/')
            return true;
        segment += length + 1;
    }
}

/* "." or "..", each dot plain or percent-encoded. */
static bool
is_dot_segment(const char *segment, size_t length)
{
    size_t dots = 0;

    for (size_t i = 0; i < length; dots++) {
        if (segment[i] == '.')
            i += 1;
        else if (length - i >= 3 && strncasecmp(segment + i, "%2e", 3) == 0)
            i += 3;
        else
            return false;
    }
    return dots <= 2;
}
