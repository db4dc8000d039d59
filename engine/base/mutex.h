/* SPDX-License-Identifier: Apache-2.0
 *
 * mutex.h: a pthread mutex that clang's thread-safety analysis understands.  Failure of a lock call
 * is a bug of ours (an uninitialised or destroyed mutex) and aborts. */
#pragma once

#include <pthread.h>
#include <stdlib.h>

#include "engine/base/attributes.h"

struct CAPABILITY("mutex") mutex {
    pthread_mutex_t native;
};

#define MUTEX_INITIALIZER                                                                          \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER                                                                  \
    }

static inline void
mutex_init(struct mutex *mutex)
{
    if (pthread_mutex_init(&mutex->native, NULL) != 0)
        abort();
}

static inline void
mutex_clear(struct mutex *mutex)
{
    if (pthread_mutex_destroy(&mutex->native) != 0)
        abort();
}

static inline void
mutex_lock(struct mutex *mutex) ACQUIRE(*mutex) NO_THREAD_SAFETY_ANALYSIS
{
    if (pthread_mutex_lock(&mutex->native) != 0)
        abort();
}

static inline void
mutex_unlock(struct mutex *mutex) RELEASE(*mutex) NO_THREAD_SAFETY_ANALYSIS
{
    if (pthread_mutex_unlock(&mutex->native) != 0)
        abort();
}
