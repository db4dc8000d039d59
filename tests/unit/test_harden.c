/* SPDX-License-Identifier: Apache-2.0
 *
 * test_harden.c: what the process can't do any more, each tried in a child of its own. */
#include "server/harden.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "server/process_figures.h"

/* With sanitizers there is no filter. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

/* Runs 'body' in a child and returns the number of the first line that was not as it should be. */
static int
in_child(int (*body)(void))
{
    int status = -1;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(body());
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

#define EXPECT(what)                                                                               \
    do {                                                                                           \
        if (!(what))                                                                               \
            return __LINE__;                                                                       \
    } while (false)

static bool
is_refused(long result)
{
    return result == -1 && errno == ENOSYS;
}

static int
restrict_and_try(void)
{
    struct ipsec_fault fault;
    struct process_figures figures;
    struct rlimit limit;
    char key = 'x';
    pid_t parent = getppid();

    EXPECT(harden_process(&fault) == IPSEC_OK);
    EXPECT(harden_system_calls(false, &fault) == IPSEC_OK);

    EXPECT(is_refused(syscall(SYS_execve, "/bin/true", NULL, NULL)));
    EXPECT(is_refused(syscall(SYS_fork)));
    EXPECT(is_refused(syscall(SYS_ptrace, 0, 0, 0, 0)));
    EXPECT(is_refused(socket(AF_INET, SOCK_STREAM, 0)));
    EXPECT(is_refused(socket(AF_NETLINK, SOCK_RAW, 0)));
    EXPECT(is_refused(kill(parent, 0)));
    EXPECT(is_refused(syscall(SYS_tgkill, parent, parent, 0)));
    EXPECT(is_refused(prlimit(parent, RLIMIT_CORE, NULL, &limit)));
    EXPECT(is_refused(ioctl(STDERR_FILENO, TIOCSTI, &key)));

    EXPECT(kill(getpid(), 0) == 0);
    EXPECT(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), 0) == 0);
    EXPECT(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0);
    EXPECT(isatty(STDERR_FILENO) == 1 || errno != ENOSYS);
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    EXPECT(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
    int unix_fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    EXPECT(unix_fd >= 0 && close(unix_fd) == 0);
    process_figures_read(&figures);
    EXPECT(figures.has_memory && figures.has_descriptors && figures.max_descriptors != 0);
    return 0;
}

static int
drop_and_look(void)
{
    struct ipsec_fault fault;
    bool was_root = geteuid() == 0;

    EXPECT(harden_process(&fault) == IPSEC_OK);
    EXPECT(harden_privileges("", false, &fault) == IPSEC_OK);
    cap_t now = cap_get_proc();
    cap_t none = cap_init();
    EXPECT(now != NULL && none != NULL);
    EXPECT(cap_compare(now, none) == 0);
    for (cap_value_t value = 0; was_root && value < cap_max_bits(); value++)
        EXPECT(cap_get_bound(value) <= 0);
    (void)cap_free(now);
    (void)cap_free(none);
    EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    return 0;
}

static void
system_calls_that_serving_does_not_need_are_refused(void **state)
{
    (void)state;
    if (sanitized)
        skip();
    assert_int_equal(in_child(restrict_and_try), 0);
}

static void
no_capability_is_left(void **state)
{
    (void)state;
    assert_int_equal(in_child(drop_and_look), 0);
}

static void
a_user_that_is_none_is_refused(void **state)
{
    struct ipsec_fault fault;

    (void)state;
    assert_int_equal(harden_check_user("", &fault), IPSEC_OK);
    assert_int_equal(harden_check_user("no such user", &fault), IPSEC_INVALID_PARAMETER);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_calls_that_serving_does_not_need_are_refused),
        cmocka_unit_test(no_capability_is_left),
        cmocka_unit_test(a_user_that_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
