/* SPDX-License-Identifier: Apache-2.0
 *
 * security.c: see security.h. */
#include "server/security.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/mutex.h"
#include "server/options.h"

struct security_holder {
    struct mutex mutex;
    struct security *current GUARDED_VAR;
    GUARDED_VAR char *descriptors[IPSEC_CONTAINER_COUNT]; /* those that were set; null: none */
    _Atomic uint64_t generation;
    gnutls_datum_t ticket_key;
};

/* The files of one or two options. */
typedef enum ipsec_status
load_part(const struct options *options, struct security *security, struct ipsec_fault *fault);
static load_part load_certificate, load_trust, load_policy;
static load_part *const parts[] = { load_certificate, load_trust, load_policy };

static struct security *make_security(struct ipsec_fault *fault);
static struct security *exchange(struct security_holder *holder, struct security *next_take)
    REQUIRES(holder->mutex);
static void derive(struct security *from, struct security *next);
static enum ipsec_status replace_descriptor(struct security *security,
                                            enum ipsec_container container,
                                            const char *text,
                                            struct ipsec_fault *fault);

enum ipsec_status
security_load(const struct options *options,
              struct ipsec_fault *fault,
              struct security **security_out)
{
    struct security *security = make_security(fault);
    enum ipsec_status status = security != NULL ? IPSEC_OK : IPSEC_RPC_OUT_OF_RESOURCES;

    *security_out = NULL;
    for (size_t i = 0; i < sizeof parts / sizeof(load_part *) && status == IPSEC_OK; i++)
        status = parts[i](options, security, fault);
    if (status != IPSEC_OK) {
        security_unref(security);
        return status;
    }
    *security_out = security;
    return IPSEC_OK;
}

struct security *
security_examine(const struct options *options, problem_sink *sink, void *context)
{
    struct ipsec_fault fault = { 0 };
    struct security *security = make_security(&fault);
    bool is_good = security != NULL;

    if (security == NULL)
        sink(context, &fault);
    for (size_t i = 0; i < sizeof parts / sizeof(load_part *) && security != NULL; i++) {
        if (parts[i](options, security, &fault) == IPSEC_OK)
            continue;
        sink(context, &fault);
        is_good = false;
    }
    if (is_good)
        return security;
    security_unref(security);
    return NULL;
}

enum ipsec_status
security_check_purpose(const struct security *security,
                       const struct options *options,
                       struct ipsec_fault *fault)
{
    if (security->certificate.is_for_servers)
        return IPSEC_OK;
    return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, "tls-cert",
                           "tls-cert %s: the certificate is not for a TLS server: its extended key "
                           "usage is without serverAuth",
                           options->tls_cert);
}

enum ipsec_status
security_check_certificate(const struct security *security,
                           const struct options *options,
                           struct ipsec_fault *fault)
{
    int64_t now_ms = clock_wall_ms();
    bool is_early = now_ms < security->certificate.from_ms;

    if (!is_early && now_ms < security->certificate.until_ms)
        return IPSEC_OK;
    return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, "tls-cert",
                           "tls-cert %s: the certificate %s", options->tls_cert,
                           is_early ? "is not valid yet" : "has expired");
}

enum ipsec_status
security_check_authorities(const struct security *security,
                           const struct options *options,
                           struct ipsec_fault *fault)
{
    if (clock_wall_ms() < auth_trust_times(security->trust)->authorities_until_ms)
        return IPSEC_OK;
    return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, "client-ca",
                           "client-ca %s: a CA in it has expired, and its clients are refused",
                           options->client_ca);
}

struct security *
security_ref(struct security *security)
{
    atomic_fetch_add_explicit(&security->references, 1, memory_order_relaxed);
    return security;
}

void
security_unref(struct security *security)
{
    if (security == NULL ||
        atomic_fetch_sub_explicit(&security->references, 1, memory_order_acq_rel) != 1)
        return;
    if (security->base != NULL) {
        security_unref(security->base);
    } else {
        if (security->credentials != NULL)
            gnutls_certificate_free_credentials(security->credentials);
        auth_trust_unref(security->trust);
    }
    access_policy_unref(security->policy);
    free(security);
}

enum ipsec_status
security_holder_open(struct security *first_take,
                     struct security_holder **holder_out,
                     struct ipsec_fault *fault)
{
    struct security_holder *holder = calloc(1, sizeof *holder);

    *holder_out = NULL;
    if (holder == NULL || gnutls_session_ticket_key_generate(&holder->ticket_key) != 0) {
        free(holder);
        security_unref(first_take);
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "no memory");
    }
    mutex_init(&holder->mutex);
    mutex_lock(&holder->mutex);
    holder->current = first_take;
    mutex_unlock(&holder->mutex);
    atomic_init(&holder->generation, first_take->generation);
    *holder_out = holder;
    return IPSEC_OK;
}

void
security_holder_close(struct security_holder *holder)
{
    if (holder == NULL)
        return;
    mutex_lock(&holder->mutex);
    security_unref(holder->current);
    for (size_t i = 0; i < IPSEC_CONTAINER_COUNT; i++)
        free(holder->descriptors[i]);
    mutex_unlock(&holder->mutex);
    gnutls_memset(holder->ticket_key.data, 0, holder->ticket_key.size);
    gnutls_free(holder->ticket_key.data);
    mutex_clear(&holder->mutex);
    free(holder);
}

struct security *
security_holder_get(struct security_holder *holder)
{
    mutex_lock(&holder->mutex);
    struct security *security = security_ref(holder->current);
    mutex_unlock(&holder->mutex);
    return security;
}

bool
security_holder_is_current(const struct security_holder *holder, uint64_t generation)
{
    return atomic_load_explicit(&holder->generation, memory_order_acquire) == generation;
}

enum ipsec_status
security_holder_swap(struct security_holder *holder,
                     struct security *next_take,
                     struct ipsec_fault *fault)
{
    enum ipsec_status status = IPSEC_OK;

    mutex_lock(&holder->mutex);
    for (size_t i = 0; i < IPSEC_CONTAINER_COUNT && status == IPSEC_OK; i++) {
        if (holder->descriptors[i] != NULL)
            status = replace_descriptor(next_take, (enum ipsec_container)i, holder->descriptors[i],
                                        fault);
    }
    if (status == IPSEC_OK)
        next_take = exchange(holder, next_take);
    mutex_unlock(&holder->mutex);
    security_unref(next_take);
    return status;
}

enum ipsec_status
security_holder_set_descriptor(struct security_holder *holder,
                               enum ipsec_container container,
                               const char *text,
                               struct ipsec_fault *fault)
{
    char *copy = text == NULL ? NULL : strdup(text);
    struct security *next = calloc(1, sizeof *next);
    enum ipsec_status status = IPSEC_OK;

    if (next == NULL || (text != NULL && copy == NULL)) {
        free(next);
        free(copy);
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "no memory");
    }
    mutex_lock(&holder->mutex);
    derive(holder->current, next);
    status = replace_descriptor(next, container, text, fault);
    if (status == IPSEC_OK) {
        char *previous = holder->descriptors[container];

        holder->descriptors[container] = copy;
        copy = previous;
        next = exchange(holder, next);
    }
    mutex_unlock(&holder->mutex);
    free(copy);
    security_unref(next);
    return status;
}

struct access_policy *
security_holder_policy(struct security_holder *holder)
{
    mutex_lock(&holder->mutex);
    struct access_policy *policy = access_policy_ref(holder->current->policy);
    mutex_unlock(&holder->mutex);
    return policy;
}

const gnutls_datum_t *
security_holder_ticket_key(const struct security_holder *holder)
{
    return &holder->ticket_key;
}

/* Returns what was current before. */
static struct security *
exchange(struct security_holder *holder, struct security *next_take)
{
    struct security *previous = holder->current;

    next_take->generation = previous->generation + 1;
    holder->current = next_take;
    atomic_store_explicit(&holder->generation, next_take->generation, memory_order_release);
    return previous;
}

/* Certificates as they are; the policy may then be changed. */
static void
derive(struct security *from, struct security *next)
{
    atomic_init(&next->references, 1);
    next->base = security_ref(from->base != NULL ? from->base : from);
    next->credentials = from->credentials;
    next->trust = from->trust;
    next->policy = access_policy_ref(from->policy);
    next->certificate = from->certificate;
}

/* 'security' is nobody else's yet. */
static enum ipsec_status
replace_descriptor(struct security *security,
                   enum ipsec_container container,
                   const char *text,
                   struct ipsec_fault *fault)
{
    struct access_policy *policy;
    enum ipsec_status status =
        access_policy_replace(security->policy, container, text, fault, &policy);

    if (status != IPSEC_OK)
        return status;
    access_policy_unref(security->policy);
    security->policy = policy;
    return IPSEC_OK;
}

static struct security *
make_security(struct ipsec_fault *fault)
{
    struct security *security = calloc(1, sizeof *security);

    if (security == NULL)
        (void)!ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "no memory");
    else
        atomic_init(&security->references, 1);
    return security;
}

static enum ipsec_status
load_certificate(const struct options *options,
                 struct security *security,
                 struct ipsec_fault *fault)
{
    if (gnutls_certificate_allocate_credentials(&security->credentials) != 0)
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "no memory");
    return certificate_files_load(options, security->credentials, &security->certificate, fault);
}

static enum ipsec_status
load_trust(const struct options *options, struct security *security, struct ipsec_fault *fault)
{
    const char *crl_file = options->client_crl[0] == '\0' ? NULL : options->client_crl;
    enum ipsec_status status =
        auth_trust_load(options->client_ca, crl_file, fault, &security->trust);

    if (status == IPSEC_OK && security->credentials != NULL)
        return certificate_files_name_authorities(options, security->credentials, fault);
    if (status == IPSEC_OK)
        return IPSEC_OK;
    /* Which of the two files it was. */
    struct auth_trust *trust = NULL;
    bool is_crl = auth_trust_load(options->client_ca, NULL, NULL, &trust) == IPSEC_OK;
    auth_trust_unref(trust);
    return problem_name_option(fault, is_crl ? "client-crl" : "client-ca");
}

static enum ipsec_status
load_policy(const struct options *options, struct security *security, struct ipsec_fault *fault)
{
    enum ipsec_status status = access_policy_load(options->access, fault, &security->policy);

    return status == IPSEC_OK ? IPSEC_OK : problem_name_option(fault, "access");
}
