/* SPDX-License-Identifier: Apache-2.0
 *
 * attributes.h: compiler attributes under names that read well. */
#pragma once

/* The result tells whether the call worked; ignoring it is a bug. */
#define NODISCARD __attribute__((warn_unused_result))

#define PRINTF_FORMAT(format_index, first_argument)                                                \
    __attribute__((format(printf, format_index, first_argument)))

/* A local that owns: released when it goes out of scope, so it needs an initialiser, whatever
 * returns first.  'type' is a struct tag whose module
 * offers 'type_clear(struct type *)' and the AUTO_DEFINE line in its header. */
#define AUTO(type) __attribute__((cleanup(type##_auto_clear))) struct type
#define AUTO_DEFINE(type, clear)                                                                   \
    static inline void type##_auto_clear(struct type *object) { clear(object); }

/* Thread-safety annotations, checked by clang's -Wthread-safety and empty elsewhere. */
#if defined(__clang__)
#define THREAD_ANNOTATION(x) __attribute__((x))
#else
#define THREAD_ANNOTATION(x)
#endif
#define CAPABILITY(name) THREAD_ANNOTATION(capability(name))
#define GUARDED_VAR THREAD_ANNOTATION(guarded_var)
#define REQUIRES(...) THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define RELEASE(...) THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS THREAD_ANNOTATION(no_thread_safety_analysis)
