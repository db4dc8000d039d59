/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_certificate.c: a client's certificate to its names, and a chain to its verdict: no name has
 * a byte that could fool a comparison or a log, and nobody gets in whom the CA did not sign. */
#include <stdatomic.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "auth/certificate.h"
#include "auth/names.h"
#include "tests/fuzz/fuzz.h"

static void
check_text(const char *text)
{
    fuzz_check(text != NULL);
    for (const char *c = text; *c != '\0'; c++)
        fuzz_check((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static void
read_names(const uint8_t *data, size_t size)
{
    const unsigned char *at = data;
    X509 *certificate = d2i_X509(NULL, &at, (long)size);
    struct auth_identity *identity = calloc(1, sizeof *identity);
    const char *cause = NULL;

    fuzz_check(identity != NULL);
    atomic_init(&identity->references, 1);
    identity->fingerprint[0] = '0';
    if (certificate != NULL) {
        char shown[100];

        if (auth_names_read(certificate, identity, &cause) == AUTH_GOOD) {
            check_text(identity->principal);
            fuzz_check(strchr(identity->principal, ':') != NULL);
            for (size_t i = 0; i < identity->name_count + identity->further_count; i++) {
                if (identity->names[i].kind != AUTH_NAME_EVERYONE)
                    check_text(identity->names[i].text);
            }
        } else {
            fuzz_check(cause != NULL);
        }
        auth_name_show(X509_get_subject_name(certificate), shown, sizeof shown);
        check_text(shown);
    }
    auth_identity_unref(identity);
    X509_free(certificate);
}

static void
judge(const uint8_t *data, size_t size)
{
    static struct auth_trust *trust;
    const struct auth_der chain[2] = { { data, size }, { data, size / 2 } };
    struct auth_identity *identity = NULL;
    struct ipsec_fault fault;
    char reason[AUTH_REASON_SIZE];
    int64_t until_ms = 0;

    if (trust == NULL)
        fuzz_check(auth_trust_load(SAC_FUZZ_DIR "/ca.pem", NULL, &fault, &trust) == IPSEC_OK);
    for (size_t count = 1; count <= 2; count++) {
        enum auth_verdict verdict =
            auth_judge(trust, chain, count, 1000, &identity, &until_ms, reason);

        fuzz_check(verdict != AUTH_GOOD && identity == NULL);
        check_text(reason);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);

    fuzz_check(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    read_names(copy, size);
    judge(copy, size);
    ERR_clear_error();
    free(copy);
    return 0;
}
