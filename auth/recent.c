/* SPDX-License-Identifier: Apache-2.0
 *
 * recent.c: see recent.h. */
#include "auth/recent.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "engine/base/mutex.h"

enum { SLOT_COUNT = 1024 }; /* a power of two */

struct recent_slot {
    struct recent_key key;
    struct auth_identity *identity; /* null: empty */
    int64_t from_ms;
    int64_t until_ms;
};

struct recent_chains {
    struct mutex lock;
    GUARDED_VAR struct recent_slot slots[SLOT_COUNT];
};

static size_t slot_index(const struct recent_key *key);

bool
recent_key_make(const struct auth_der *chain, size_t chain_length, struct recent_key *key_out)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;

    for (size_t i = 0; i < chain_length && good; i++) {
        uint64_t size = chain[i].size;
        good = EVP_DigestUpdate(context, &size, sizeof size) == 1 &&
               EVP_DigestUpdate(context, chain[i].data, chain[i].size) == 1;
    }
    good = good && EVP_DigestFinal_ex(context, key_out->digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

struct recent_chains *
recent_chains_new(void)
{
    struct recent_chains *chains = calloc(1, sizeof *chains);

    if (chains != NULL)
        mutex_init(&chains->lock);
    return chains;
}

void
recent_chains_free(struct recent_chains *chains)
{
    if (chains == NULL)
        return;
    mutex_lock(&chains->lock);
    for (size_t i = 0; i < SLOT_COUNT; i++)
        auth_identity_unref(chains->slots[i].identity);
    mutex_unlock(&chains->lock);
    mutex_clear(&chains->lock);
    free(chains);
}

struct auth_identity *
recent_chains_find(struct recent_chains *chains,
                   const struct recent_key *key,
                   int64_t now_ms,
                   int64_t *until_ms_out)
{
    struct auth_identity *found = NULL;

    mutex_lock(&chains->lock);
    const struct recent_slot *slot = &chains->slots[slot_index(key)];
    if (slot->identity != NULL && now_ms >= slot->from_ms && now_ms < slot->until_ms &&
        memcmp(slot->key.digest, key->digest, sizeof key->digest) == 0) {
        found = auth_identity_ref(slot->identity);
        *until_ms_out = slot->until_ms;
    }
    mutex_unlock(&chains->lock);
    return found;
}

void
recent_chains_add(struct recent_chains *chains,
                  const struct recent_key *key,
                  struct auth_identity *identity,
                  int64_t from_ms,
                  int64_t until_ms)
{
    mutex_lock(&chains->lock);
    struct recent_slot *slot = &chains->slots[slot_index(key)];
    struct auth_identity *displaced = slot->identity;
    *slot = (struct recent_slot){ .key = *key,
                                  .identity = auth_identity_ref(identity),
                                  .from_ms = from_ms,
                                  .until_ms = until_ms };
    mutex_unlock(&chains->lock);
    auth_identity_unref(displaced);
}

/* The digest is as good as random, so two of its bytes are a good place. */
static size_t
slot_index(const struct recent_key *key)
{
    return ((size_t)key->digest[0] << 8 | key->digest[1]) % SLOT_COUNT;
}
