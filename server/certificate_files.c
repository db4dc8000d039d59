/* SPDX-License-Identifier: Apache-2.0
 *
 * certificate_files.c: see certificate_files.h.
 *
 * The library takes both files in one step and tells one error for both, often of its inner parts
 * ("ASN1 parser: Error in TAG").  So after a failure each is looked at by itself.  Nor does it ask
 * what kind of file it reads, and how much. */
#include "server/certificate_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include <gnutls/x509.h>

#include "server/options.h"

enum { FILE_MAXIMUM = 1 << 20 };

static enum ipsec_status read_facts(gnutls_certificate_credentials_t credentials,
                                    struct certificate_facts *facts_out);
static enum ipsec_status explain(const struct options *options,
                                 const gnutls_datum_t *certificate,
                                 const gnutls_datum_t *key,
                                 int error,
                                 struct ipsec_fault *fault);
static enum ipsec_status read_file(const char *option,
                                   const char *file,
                                   struct ipsec_fault *fault,
                                   gnutls_datum_t *contents);
static const char *certificate_fault(const gnutls_datum_t *contents, int *error_out);
static const char *key_fault(const gnutls_datum_t *contents, int *error_out);
static void forget(gnutls_datum_t *contents);
static enum ipsec_status refuse(
    struct ipsec_fault *fault, const char *option, const char *file, const char *cause, int error);

enum ipsec_status
certificate_files_load(const struct options *options,
                       gnutls_certificate_credentials_t credentials,
                       struct certificate_facts *facts_out,
                       struct ipsec_fault *fault)
{
    gnutls_datum_t certificate = { NULL, 0 };
    gnutls_datum_t key = { NULL, 0 };
    enum ipsec_status status = read_file("tls-cert", options->tls_cert, fault, &certificate);

    if (status == IPSEC_OK)
        status = read_file("tls-key", options->tls_key, fault, &key);
    if (status == IPSEC_OK) {
        int error = gnutls_certificate_set_x509_key_mem(credentials, &certificate, &key,
                                                        GNUTLS_X509_FMT_PEM);
        if (error < 0)
            status = explain(options, &certificate, &key, error, fault);
    }
    forget(&certificate);
    forget(&key);
    if (status == IPSEC_OK && read_facts(credentials, facts_out) != IPSEC_OK)
        return refuse(fault, "tls-cert", options->tls_cert, "cannot be read",
                      GNUTLS_E_MEMORY_ERROR);
    return status;
}

enum ipsec_status
certificate_files_name_authorities(const struct options *options,
                                   gnutls_certificate_credentials_t credentials,
                                   struct ipsec_fault *fault)
{
    int error = gnutls_certificate_set_x509_trust_file(credentials, options->client_ca,
                                                       GNUTLS_X509_FMT_PEM);

    if (error >= 0)
        return IPSEC_OK;
    return refuse(fault, "client-ca", options->client_ca, "is not taken by the TLS library", error);
}

static enum ipsec_status
read_facts(gnutls_certificate_credentials_t credentials, struct certificate_facts *facts_out)
{
    gnutls_x509_crt_t *chain = NULL;
    unsigned int chain_length = 0;

    if (gnutls_certificate_get_x509_crt(credentials, 0, &chain, &chain_length) != 0)
        return IPSEC_RPC_OUT_OF_RESOURCES;
    facts_out->from_ms = (int64_t)gnutls_x509_crt_get_activation_time(chain[0]) * 1000;
    facts_out->until_ms = (int64_t)gnutls_x509_crt_get_expiration_time(chain[0]) * 1000;
    /* One without an extended key usage is for all purposes.  One with anyExtendedKeyUsage alone a
     * client may refuse (RFC 5280 section 4.2.1.12), and those with OpenSSL do. */
    facts_out->is_for_servers =
        gnutls_x509_crt_check_key_purpose(chain[0], GNUTLS_KP_TLS_WWW_SERVER,
                                          GNUTLS_KP_FLAG_DISALLOW_ANY) != 0;
    for (unsigned int i = 0; i < chain_length; i++)
        gnutls_x509_crt_deinit(chain[i]);
    gnutls_free(chain);
    return IPSEC_OK;
}

static enum ipsec_status
explain(const struct options *options,
        const gnutls_datum_t *certificate,
        const gnutls_datum_t *key,
        int error,
        struct ipsec_fault *fault)
{
    int own_error;
    const char *cause = certificate_fault(certificate, &own_error);

    if (cause != NULL)
        return refuse(fault, "tls-cert", options->tls_cert, cause, own_error);
    cause = key_fault(key, &own_error);
    if (cause != NULL)
        return refuse(fault, "tls-key", options->tls_key, cause, own_error);
    return refuse(fault, "tls-key", options->tls_key,
                  error == GNUTLS_E_CERTIFICATE_KEY_MISMATCH
                      ? "is not the key of the certificate in tls-cert"
                      : "and the certificate in tls-cert are not taken by the TLS library",
                  error);
}

static enum ipsec_status
read_file(const char *option, const char *file, struct ipsec_fault *fault, gnutls_datum_t *contents)
{
    struct stat properties = { .st_mode = 0 };
    /* Without O_NONBLOCK a FIFO in place of the file would hold the start for ever. */
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int failed = fd < 0 || fstat(fd, &properties) != 0 ? errno : 0;
    const char *cause = NULL;

    if (failed == 0 && !S_ISREG(properties.st_mode))
        cause = "not a regular file";
    else if (failed == 0 && properties.st_size > FILE_MAXIMUM)
        cause = "larger than 1048576 bytes";
    if (fd >= 0)
        (void)close(fd);
    if (failed != 0 || cause != NULL)
        return ipsec_fault_set(
            fault, failed != 0 ? ipsec_status_of_errno(failed) : IPSEC_INVALID_PARAMETER,
            IPSEC_FAULT_SERVICE, option, "%s %s: %s", option, file,
            failed != 0 ? strerror(failed) : cause);
    int error = gnutls_load_file(file, contents);
    return error == 0 ? IPSEC_OK : refuse(fault, option, file, "cannot be read", error);
}

/* Null: there is nothing to say against it. */
static const char *
certificate_fault(const gnutls_datum_t *contents, int *error_out)
{
    gnutls_x509_crt_t *chain = NULL;
    unsigned int count = 0;

    *error_out = gnutls_x509_crt_list_import2(&chain, &count, contents, GNUTLS_X509_FMT_PEM, 0);
    if (*error_out < 0)
        return "holds no certificate in PEM";
    for (unsigned int i = 0; i < count; i++)
        gnutls_x509_crt_deinit(chain[i]);
    gnutls_free(chain);
    return NULL;
}

static const char *
key_fault(const gnutls_datum_t *contents, int *error_out)
{
    gnutls_x509_privkey_t key;

    *error_out = gnutls_x509_privkey_init(&key);
    if (*error_out != 0)
        return "cannot be read";
    *error_out = gnutls_x509_privkey_import2(key, contents, GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_x509_privkey_deinit(key);
    if (*error_out == GNUTLS_E_DECRYPTION_FAILED)
        return "is encrypted, and nobody could be asked for the passphrase";
    return *error_out < 0 ? "holds no private key in PEM" : NULL;
}

static void
forget(gnutls_datum_t *contents)
{
    if (contents->data != NULL)
        explicit_bzero(contents->data, contents->size);
    gnutls_free(contents->data);
}

static enum ipsec_status
refuse(
    struct ipsec_fault *fault, const char *option, const char *file, const char *cause, int error)
{
    return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, option,
                           "%s %s: %s (%s)", option, file, cause, gnutls_strerror(error));
}
