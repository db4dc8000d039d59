/* SPDX-License-Identifier: Apache-2.0
 *
 * fault_memory.c: see fault_memory.h. */
#include "tests/fault/fault_memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The names are the linker's. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *object, size_t size);
void *__real_reallocarray(void *object, size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *object, size_t size);
void *__wrap_reallocarray(void *object, size_t count, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
int __wrap_asprintf(char **text_out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static struct {
    _Atomic uint64_t first;
    _Atomic bool lasting;
    _Atomic uint64_t count;
    _Atomic bool failed;
} fault;

void
fault_memory_plan(const struct fault_memory_plan *plan)
{
    fault.first = 0;
    fault.lasting = plan->lasting;
    fault.count = 0;
    fault.failed = false;
    fault.first = plan->first;
}

bool
fault_memory_failed(void)
{
    return fault.failed;
}

static bool
fails(void)
{
    uint64_t first = fault.first;

    if (first == 0)
        return false;
    uint64_t number = atomic_fetch_add(&fault.count, 1) + 1;
    if (fault.lasting ? number < first : number != first)
        return false;
    fault.failed = true;
    errno = ENOMEM;
    return true;
}

void *
fault_memory_take(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *object, size_t size)
{
    return fails() ? NULL : __real_realloc(object, size);
}

void *
__wrap_reallocarray(void *object, size_t count, size_t size)
{
    return fails() ? NULL : __real_reallocarray(object, count, size);
}

void *
__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

char *
__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *
__wrap_strndup(const char *text, size_t size)
{
    return fails() ? NULL : __real_strndup(text, size);
}

int
__wrap_asprintf(char **text_out, const char *format, ...)
{
    va_list arguments;

    if (fails())
        return -1;
    va_start(arguments, format);
    int length = vasprintf(text_out, format, arguments);
    va_end(arguments);
    return length;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
