/* SPDX-License-Identifier: Apache-2.0
 *
 * wiping.c: see wiping.h. */
#include "server/wiping.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>

/* The linker's names. */
void __real_free(void *object);
void __wrap_free(void *object);
void *__wrap_realloc(void *object, size_t size);

void
wiping_install(void)
{
    gnutls_free = __wrap_free;
    gnutls_realloc = __wrap_realloc;
}

void
__wrap_free(void *object)
{
    if (object != NULL)
        explicit_bzero(object, malloc_usable_size(object));
    __real_free(object);
}

/* Never in place, and no copy stays behind. */
void *
__wrap_realloc(void *object, size_t size)
{
    void *moved = malloc(size == 0 ? 1 : size);

    if (moved == NULL || object == NULL)
        return moved;
    size_t there = malloc_usable_size(object);
    memcpy(moved, object, there < size ? there : size);
    __wrap_free(object);
    return moved;
}
