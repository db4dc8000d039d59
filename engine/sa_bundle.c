/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_bundle.c: the objects of sa_bundle.h. */
#include "engine/sa_bundle.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "engine/base/clock.h"

enum { DIGEST_KEY_SIZE = 32 };

/* What stands behind every 'const struct ipsec_sa_bundle *' of a context. */
struct bundle_object {
    struct ipsec_sa_bundle bundle;
    struct sa_bundle_private beside;
    _Atomic uint32_t reference_count;
    /* First the ipsecId, where there is one, then the state of the keying module. */
    _Alignas(struct ipsec_id) uint8_t rest[];
};

static struct bundle_object *object_of(const struct ipsec_sa_bundle *bundle);

const struct ipsec_sa_bundle *
sa_bundle_new(const struct ipsec_sa_bundle *bundle, const struct sa_bundle_private *beside)
{
    const size_t id_size = bundle->ipsec_id == NULL ? 0 : sizeof *bundle->ipsec_id;
    struct bundle_object *object = malloc(sizeof *object + id_size + bundle->key_module_state_size);

    if (object == NULL)
        return NULL;
    object->bundle = *bundle;
    object->beside = *beside;
    atomic_init(&object->reference_count, 1);
    object->bundle.ipsec_id = NULL;
    object->bundle.key_module_state = NULL;
    if (id_size > 0)
        object->bundle.ipsec_id = memcpy(object->rest, bundle->ipsec_id, id_size);
    if (bundle->key_module_state_size > 0)
        object->bundle.key_module_state =
            memcpy(object->rest + id_size, bundle->key_module_state, bundle->key_module_state_size);
    return &object->bundle;
}

const struct ipsec_sa_bundle *
sa_bundle_ref(const struct ipsec_sa_bundle *bundle)
{
    if (bundle != NULL)
        (void)atomic_fetch_add_explicit(&object_of(bundle)->reference_count, 1,
                                        memory_order_relaxed);
    return bundle;
}

void
sa_bundle_unref(const struct ipsec_sa_bundle *bundle)
{
    if (bundle == NULL)
        return;
    struct bundle_object *object = object_of(bundle);
    if (atomic_fetch_sub_explicit(&object->reference_count, 1, memory_order_acq_rel) > 1)
        return;
    explicit_bzero(&object->beside.digest, sizeof object->beside.digest);
    free(object);
}

const struct sa_bundle_private *
sa_bundle_private(const struct ipsec_sa_bundle *bundle)
{
    return &object_of(bundle)->beside;
}

void
sa_bundle_see(const struct ipsec_sa_bundle *bundle, uint64_t packets, int64_t now_ms)
{
    struct sa_bundle_private *beside = &object_of(bundle)->beside;

    if (packets > beside->seen_packets)
        beside->seen_ms = now_ms;
    beside->seen_packets = packets;
}

/* HMAC-SHA-256, kept with its key because finding it takes longer than using it.  It is a MAC
 * context of the library under another name. */
struct sa_digester *
sa_digester_new(void)
{
    char name[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    EVP_MAC_CTX *context = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    uint8_t key[DIGEST_KEY_SIZE];

    EVP_MAC_free(mac);
    if (context == NULL)
        return NULL;
    random_bytes(key, sizeof key);
    int done = EVP_MAC_init(context, key, sizeof key, parameters);
    explicit_bzero(key, sizeof key);
    if (done == 1)
        return (struct sa_digester *)context;
    EVP_MAC_CTX_free(context);
    return NULL;
}

void
sa_digester_free(struct sa_digester *digester)
{
    EVP_MAC_CTX_free((EVP_MAC_CTX *)digester);
}

void
sa_bundle_digest(struct sa_digester *digester,
                 const struct ipsec_sa_bundle_input *input,
                 struct sa_key_digest *digest_out)
{
    const struct ipsec_sa *sa = &input->bundle.sas[0];
    const struct secret *key = sa->transform.type == IPSEC_TRANSFORM_ESP_AUTH
                                   ? &input->keys[0].auth
                                   : &input->keys[0].cipher;
    uint8_t whole[EVP_MAX_MD_SIZE];
    EVP_MAC_CTX *context = (EVP_MAC_CTX *)digester;
    size_t size = 0;

    *digest_out = (struct sa_key_digest){ .given = false };
    if (!sa_uses_nonces(sa))
        return;
    if (EVP_MAC_init(context, NULL, 0, NULL) != 1 ||
        EVP_MAC_update(context, key->bytes, key->size) != 1 ||
        EVP_MAC_final(context, whole, &size, sizeof whole) != 1 || size < SA_KEY_DIGEST_SIZE)
        abort();
    memcpy(digest_out->bytes, whole, SA_KEY_DIGEST_SIZE);
    digest_out->given = true;
    explicit_bzero(whole, sizeof whole);
}

bool
sa_key_digest_equal(const struct sa_key_digest *a, const struct sa_key_digest *b)
{
    return a->given && b->given && CRYPTO_memcmp(a->bytes, b->bytes, SA_KEY_DIGEST_SIZE) == 0;
}

/* Only the count behind the immutable bundle is ever written through this. */
static struct bundle_object *
object_of(const struct ipsec_sa_bundle *bundle)
{
    return (struct bundle_object *)((uintptr_t)bundle - offsetof(struct bundle_object, bundle));
}
