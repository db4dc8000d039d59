/* SPDX-License-Identifier: Apache-2.0
 *
 * names.c: reads the names out of a certificate.
 *
 * A CA may sign more than it looked at.  A name with NUL reads differently in C than in the CA's
 * own tools, control bytes and broken UTF-8 read differently on every screen, and of two common
 * names nobody knows which one was meant; so none of these can be what grants something.  It must
 * not escape an entry that denies either: that a name was left out is kept, and further common
 * names are kept apart. */
#include "auth/names.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509v3.h>

static enum auth_verdict
read_alternative_names(X509 *certificate, struct auth_identity *identity, const char **cause_out);
static enum auth_verdict
read_subject(X509 *certificate, struct auth_identity *identity, const char **cause_out);
static enum auth_verdict read_common_names(const X509_NAME *subject,
                                           struct auth_identity *identity,
                                           size_t *count,
                                           const char **cause_out);
static enum auth_verdict read_distinguished_name(const X509_NAME *subject,
                                                 struct auth_identity *identity,
                                                 const char **cause_out);
static enum auth_verdict add_name(struct auth_identity *identity,
                                  size_t *count,
                                  enum auth_name_kind kind,
                                  const void *text,
                                  size_t size,
                                  const char **cause_out);
static enum auth_verdict choose_principal(struct auth_identity *identity, const char **cause_out);
static char *join(const char *prefix, const char *text);
static bool is_plain_subject(const X509_NAME *subject);
static bool is_plain_text(const unsigned char *text, int size);
static bool is_visible_ascii(const unsigned char *text, int size);

enum auth_verdict
auth_names_read(X509 *certificate, struct auth_identity *identity, const char **cause_out)
{
    enum auth_verdict verdict = read_alternative_names(certificate, identity, cause_out);
    if (verdict == AUTH_GOOD)
        verdict = read_subject(certificate, identity, cause_out);
    if (verdict == AUTH_GOOD)
        verdict = choose_principal(identity, cause_out);
    return verdict;
}

void
auth_name_show(const X509_NAME *name, char *text, size_t size)
{
    BIO *printed = BIO_new(BIO_s_mem());
    int length = -1;

    if (printed != NULL && X509_NAME_print_ex(printed, name, 0, XN_FLAG_RFC2253) >= 0)
        length = BIO_read(printed, text, (int)size - 1);
    text[length < 0 ? 0 : length] = '\0';
    BIO_free(printed);
}

static enum auth_verdict
read_alternative_names(X509 *certificate, struct auth_identity *identity, const char **cause_out)
{
    int found = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &found, NULL);
    if (names == NULL && found == -1)
        return AUTH_GOOD;
    if (names == NULL) {
        *cause_out = "subject alternative names that do not parse";
        return AUTH_MALFORMED;
    }

    enum auth_verdict verdict = AUTH_GOOD;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && verdict == AUTH_GOOD; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        enum auth_name_kind kind;
        if (name->type == GEN_URI)
            kind = AUTH_NAME_URI;
        else if (name->type == GEN_DNS)
            kind = AUTH_NAME_DNS;
        else if (name->type == GEN_EMAIL)
            kind = AUTH_NAME_EMAIL;
        else
            continue;
        const ASN1_IA5STRING *text = name->d.ia5;
        if (is_visible_ascii(ASN1_STRING_get0_data(text), ASN1_STRING_length(text)))
            verdict = add_name(identity, &identity->name_count, kind, ASN1_STRING_get0_data(text),
                               (size_t)ASN1_STRING_length(text), cause_out);
        else
            identity->left_out[kind] = true;
    }
    GENERAL_NAMES_free(names);
    return verdict;
}

static enum auth_verdict
read_subject(X509 *certificate, struct auth_identity *identity, const char **cause_out)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    if (X509_NAME_entry_count(subject) == 0)
        return AUTH_GOOD;

    int first = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    bool several = first >= 0 && X509_NAME_get_index_by_NID(subject, NID_commonName, first) >= 0;
    enum auth_verdict verdict = AUTH_GOOD;
    if (!several)
        verdict = read_common_names(subject, identity, &identity->name_count, cause_out);
    if (verdict == AUTH_GOOD)
        verdict = read_distinguished_name(subject, identity, cause_out);
    if (verdict == AUTH_GOOD && several)
        verdict = read_common_names(subject, identity, &identity->further_count, cause_out);
    return verdict;
}

/* Adds each and counts it in 'count'. */
static enum auth_verdict
read_common_names(const X509_NAME *subject,
                  struct auth_identity *identity,
                  size_t *count,
                  const char **cause_out)
{
    enum auth_verdict verdict = AUTH_GOOD;
    int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    while (index >= 0 && verdict == AUTH_GOOD) {
        unsigned char *text = NULL;
        int size = ASN1_STRING_to_UTF8(
            &text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
        if (size > 0 && is_plain_text(text, size))
            verdict = add_name(identity, count, AUTH_NAME_CN, text, (size_t)size, cause_out);
        else
            identity->left_out[AUTH_NAME_CN] = true;
        OPENSSL_free(text);
        index = X509_NAME_get_index_by_NID(subject, NID_commonName, index);
    }
    return verdict;
}

static enum auth_verdict
read_distinguished_name(const X509_NAME *subject,
                        struct auth_identity *identity,
                        const char **cause_out)
{
    enum auth_verdict verdict;

    if (!is_plain_subject(subject)) {
        identity->left_out[AUTH_NAME_DN] = true;
        return AUTH_GOOD;
    }
    /* RFC 4514: last RDN first, special characters escaped, UTF-8 left as it is. */
    BIO *printed = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (printed == NULL ||
        X509_NAME_print_ex(printed, subject, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0) {
        *cause_out = "no memory";
        verdict = AUTH_INTERNAL;
    } else {
        long size = BIO_get_mem_data(printed, &text);
        verdict =
            add_name(identity, &identity->name_count, AUTH_NAME_DN, text, (size_t)size, cause_out);
    }
    BIO_free(printed);
    return verdict;
}

/* Adds behind all others, so those counted in 'further_count' must come last. */
static enum auth_verdict
add_name(struct auth_identity *identity,
         size_t *count,
         enum auth_name_kind kind,
         const void *text,
         size_t size,
         const char **cause_out)
{
    size_t total = identity->name_count + identity->further_count;

    if (total == AUTH_NAMES_MAX || size > AUTH_NAME_LENGTH_MAX) {
        *cause_out = size > AUTH_NAME_LENGTH_MAX ? "a name that is too long" : "too many names";
        return AUTH_MALFORMED;
    }
    /* Most certificates have a handful of names: grow by that much. */
    if (total % 4 == 0) {
        struct auth_name *names = realloc(identity->names, (total + 4) * sizeof *names);
        if (names == NULL) {
            *cause_out = "no memory";
            return AUTH_INTERNAL;
        }
        identity->names = names;
    }

    struct auth_name *name = &identity->names[total];
    *name = (struct auth_name){ .kind = kind, .text = auth_name_copy(kind, text, size) };
    if (name->text == NULL) {
        *cause_out = "no memory";
        return AUTH_INTERNAL;
    }
    ++*count;
    return AUTH_GOOD;
}

static enum auth_verdict
choose_principal(struct auth_identity *identity, const char **cause_out)
{
    static const enum auth_name_kind preferred[] = { AUTH_NAME_URI, AUTH_NAME_DNS, AUTH_NAME_EMAIL,
                                                     AUTH_NAME_DN };
    enum auth_name_kind kind = AUTH_NAME_SHA256;
    const char *text = identity->fingerprint;

    for (size_t i = 0; i < sizeof preferred / sizeof *preferred && kind == AUTH_NAME_SHA256; i++) {
        for (size_t j = 0; j < identity->name_count; j++) {
            if (identity->names[j].kind == preferred[i]) {
                kind = preferred[i];
                text = identity->names[j].text;
                break;
            }
        }
    }
    identity->principal = join(auth_name_prefix(kind), text);
    if (identity->principal == NULL) {
        *cause_out = "no memory";
        return AUTH_INTERNAL;
    }
    return AUTH_GOOD;
}

static char *
join(const char *prefix, const char *text)
{
    size_t size = strlen(prefix) + strlen(text) + 1;
    char *joined = malloc(size);

    if (joined != NULL)
        (void)snprintf(joined, size, "%s%s", prefix, text);
    return joined;
}

/* Every attribute must be fit for comparison, or the whole distinguished name is not. */
static bool
is_plain_subject(const X509_NAME *subject)
{
    bool plain = true;

    for (int i = 0; i < X509_NAME_entry_count(subject) && plain; i++) {
        unsigned char *text = NULL;
        int size =
            ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i)));
        plain = size >= 0 && is_plain_text(text, size);
        OPENSSL_free(text);
    }
    return plain;
}

/* UTF-8 (RFC 3629) without the control characters U+0000..U+001F and U+007F..U+009F. */
static bool
is_plain_text(const unsigned char *text, int size)
{
    while (size > 0) {
        unsigned long character = 0;
        int length = UTF8_getc(text, size, &character);
        if (length <= 0 || character < 0x20 || (character >= 0x7f && character < 0xa0) ||
            (character >= 0xd800 && character < 0xe000) || character > 0x10ffff)
            return false;
        text += length;
        size -= length;
    }
    return true;
}

/* What a URI, a DNS name or an e-mail address of an IA5String may consist of. */
static bool
is_visible_ascii(const unsigned char *text, int size)
{
    for (int i = 0; i < size; i++) {
        if (text[i] <= 0x20 || text[i] >= 0x7f)
            return false;
    }
    return size > 0;
}
