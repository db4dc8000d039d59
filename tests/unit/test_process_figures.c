/* SPDX-License-Identifier: Apache-2.0
 *
 * test_process_figures.c: what the kernel says of the process is of this process. */
#include "server/process_figures.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "engine/base/clock.h"

enum { MORE_FILES = 5, MORE_BYTES = 64 << 20 };

static void
descriptors_are_counted(void **state)
{
    struct process_figures before;
    struct process_figures after;
    int fds[MORE_FILES];

    (void)state;
    process_figures_read(&before);
    assert_true(before.has_descriptors);
    for (size_t i = 0; i < MORE_FILES; i++) {
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_true(fds[i] >= 0);
    }
    process_figures_read(&after);
    assert_int_equal(after.open_descriptors, before.open_descriptors + MORE_FILES);
    for (size_t i = 0; i < MORE_FILES; i++)
        assert_int_equal(close(fds[i]), 0);
    process_figures_read(&after);
    assert_int_equal(after.open_descriptors, before.open_descriptors);
}

static void
the_limit_of_descriptors_is_the_soft_one(void **state)
{
    struct process_figures figures;
    struct rlimit before;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit lower = { .rlim_cur = 100, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lower), 0);
    process_figures_read(&figures);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(figures.max_descriptors, 100);
}

static void
memory_is_what_is_mapped_and_what_of_it_is_there(void **state)
{
    struct process_figures before;
    struct process_figures mapped;
    struct process_figures touched;

    (void)state;
    process_figures_read(&before);
    assert_true(before.has_memory);
    volatile char *bytes =
        mmap(NULL, MORE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(bytes != MAP_FAILED);
    process_figures_read(&mapped);
    for (size_t i = 0; i < MORE_BYTES; i += 4096)
        bytes[i] = 1;
    process_figures_read(&touched);
    assert_int_equal(munmap((void *)(uintptr_t)bytes, MORE_BYTES), 0);
    assert_true(mapped.virtual_bytes >= before.virtual_bytes + MORE_BYTES);
    assert_true(touched.resident_bytes >= mapped.resident_bytes + MORE_BYTES / 2);
    assert_true(touched.virtual_bytes >= touched.resident_bytes);
}

static void
time_was_spent_since_the_start(void **state)
{
    struct process_figures first;
    struct process_figures figures;

    (void)state;
    process_figures_read(&first);
    do {
        process_figures_read(&figures);
    } while (figures.cpu_us == first.cpu_us);
    assert_true(figures.cpu_us > first.cpu_us);
}

/* A child starts after this process did, and not long before now. */
static void
the_start_is_that_of_the_process(void **state)
{
    int64_t before_ms = clock_wall_ms();
    int status = -1;

    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) { /* the kernel counts in hundredths */
        int64_t started_ms = process_started_ms();
        _exit(started_ms >= before_ms - 100 && started_ms <= clock_wall_ms() + 100 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_in_range(process_started_ms(), 1, before_ms + 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_are_counted),
        cmocka_unit_test(the_limit_of_descriptors_is_the_soft_one),
        cmocka_unit_test(memory_is_what_is_mapped_and_what_of_it_is_there),
        cmocka_unit_test(time_was_spent_since_the_start),
        cmocka_unit_test(the_start_is_that_of_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
