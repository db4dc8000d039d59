/* SPDX-License-Identifier: Apache-2.0
 *
 * harden.c: see harden.h. */
#include "server/harden.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <seccomp.h>

#include "engine/base/log.h"

/* Files, the store, the ops listener's connections, and room for a reload. */
enum { DESCRIPTORS_BESIDE = 192, DESCRIPTORS_A_WORKER = 72 };

/* The sanitizers trace their own process and make calls of their own: with them, and only with
 * them, the process stays traceable and unfiltered. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

/* What glibc, its allocator, GnuTLS, OpenSSL, the HTTP library's epoll loop and SQLite's files need
 * once the process serves. */
static const int allowed_calls[] = {
    SCMP_SYS(accept4),
    SCMP_SYS(access),
    SCMP_SYS(brk),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(close),
    SCMP_SYS(dup),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(eventfd2),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(fallocate),
    SCMP_SYS(fchmod),
    SCMP_SYS(fchown),
    SCMP_SYS(fcntl),
    SCMP_SYS(fdatasync),
    SCMP_SYS(flock),
    SCMP_SYS(fstat),
    SCMP_SYS(fstatfs),
    SCMP_SYS(fsync),
    SCMP_SYS(ftruncate),
    SCMP_SYS(futex),
    SCMP_SYS(getcwd),
    SCMP_SYS(getdents64), /* /proc/self/fd, to count it */
    SCMP_SYS(getegid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getpeername),
    SCMP_SYS(getpid),
    SCMP_SYS(getrandom),
    SCMP_SYS(getrusage),
    SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt),
    SCMP_SYS(gettid),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getuid),
    SCMP_SYS(lseek),
    SCMP_SYS(lstat),
    SCMP_SYS(madvise),
    SCMP_SYS(membarrier),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(mmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(mremap),
    SCMP_SYS(munmap),
    SCMP_SYS(nanosleep),
    SCMP_SYS(newfstatat),
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(prctl),
    SCMP_SYS(pread64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(read),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(readv),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rseq),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(setsockopt),
    SCMP_SYS(shutdown),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(stat),
    SCMP_SYS(statx),
    SCMP_SYS(sysinfo),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(uname),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(utimensat),
    SCMP_SYS(write),
    SCMP_SYS(writev),
};

static enum ipsec_status switch_user(const char *user, struct ipsec_fault *fault);
static enum ipsec_status drop_capabilities(bool keeps_net_admin, struct ipsec_fault *fault);
static enum ipsec_status refuse(struct ipsec_fault *fault, const char *what, int error);

void
harden_binding(char **arguments)
{
    static const char variable[] = "LD_BIND_NOW";
    char program[PATH_MAX] = "";
    const char *value = getenv(variable);

    if (value != NULL && value[0] != '\0')
        return;
    /* By its name: it is what ps(1) shows. */
    if (setenv(variable, "1", 1) == 0 &&
        readlink("/proc/self/exe", program, sizeof program - 1) > 0)
        (void)execv(program, arguments);
    log_warning("the program can't be executed again: the stack may keep pieces of the first keys",
                LOG_TEXT("program", program), LOG_NUMBER("errno", errno));
}

enum ipsec_status
harden_process(struct ipsec_fault *fault)
{
    const struct rlimit none = { 0, 0 };
    struct sigaction ignore = { .sa_handler = SIG_IGN };

    (void)umask(0077);
    /* A closed pipe or a file at its size limit is an error of that write, not our end. */
    if (sigaction(SIGPIPE, &ignore, NULL) != 0 || sigaction(SIGXFSZ, &ignore, NULL) != 0)
        return refuse(fault, "cannot ignore signals", errno);
    if (setrlimit(RLIMIT_CORE, &none) != 0 ||
        (!sanitized && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0))
        return refuse(fault, "cannot switch core dumps off", errno);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return refuse(fault, "cannot set no-new-privileges", errno);
    return IPSEC_OK;
}

unsigned int
harden_descriptor_limit(unsigned int connections, size_t workers)
{
    rlim_t beside = DESCRIPTORS_BESIDE + DESCRIPTORS_A_WORKER * (rlim_t)workers;
    rlim_t wanted = (rlim_t)connections + beside;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return connections;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= wanted)
        return connections;
    unsigned int fit = limit.rlim_cur > beside ? (unsigned int)(limit.rlim_cur - beside) : 1;
    /* What is soft of the limit was raised. */
    log_warning("the hard limit of descriptors is too low for max-connections: no more than "
                "'connections' are taken at once; raise it to 'wanted' (LimitNOFILE= of systemd, "
                "--ulimit nofile= of a container, ulimit -Hn as root) or lower max-connections",
                LOG_NUMBER("limit", limit.rlim_cur), LOG_NUMBER("wanted", wanted),
                LOG_NUMBER("connections", fit));
    return fit;
}

enum ipsec_status
harden_privileges(const char *user, bool keeps_net_admin, struct ipsec_fault *fault)
{
    enum ipsec_status status = IPSEC_OK;

    /* Else changing the user would take all capabilities with it. */
    if (keeps_net_admin && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
        return refuse(fault, "cannot keep capabilities", errno);
    if (user[0] != '\0')
        status = switch_user(user, fault);
    if (status == IPSEC_OK)
        status = drop_capabilities(keeps_net_admin, fault);
    /* Changing the user made the process dumpable again. */
    if (status == IPSEC_OK && !sanitized && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return refuse(fault, "cannot switch core dumps off", errno);
    return status;
}

enum ipsec_status
harden_thread(struct ipsec_fault *fault)
{
    return drop_capabilities(false, fault);
}

enum ipsec_status
harden_check_user(const char *user, struct ipsec_fault *fault)
{
    if (user[0] == '\0' || getpwnam(user) != NULL)
        return IPSEC_OK;
    return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, "user",
                           "there is no user '%s'", user);
}

enum ipsec_status
harden_system_calls(bool needs_udp, struct ipsec_fault *fault)
{
    if (sanitized)
        return IPSEC_OK;

    /* Calls that only one value of an argument allows. */
    const struct {
        int call;
        struct scmp_arg_cmp argument;
    } narrowed[] = {
        /* Threads, not processes.  clone3() hides its flags behind a pointer; without it the C
         * library falls back to this. */
        { SCMP_SYS(clone), { 0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD } },
        /* The service manager's socket. */
        { SCMP_SYS(socket), { 0, SCMP_CMP_EQ, AF_UNIX, 0 } },
        /* Signals to ourselves: abort() and the like. */
        { SCMP_SYS(kill), { 0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0 } },
        { SCMP_SYS(tgkill), { 0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0 } },
        /* Our own limits. */
        { SCMP_SYS(prlimit64), { 0, SCMP_CMP_EQ, 0, 0 } },
        /* Is it a terminal?  Others would type into it. */
        { SCMP_SYS(ioctl), { 1, SCMP_CMP_EQ, TCGETS, 0 } },
    };
    static const struct scmp_arg_cmp udp_socket[] = {
        { .arg = 0, .op = SCMP_CMP_EQ, .datum_a = AF_INET },
        { .arg = 1, .op = SCMP_CMP_EQ, .datum_a = SOCK_DGRAM | SOCK_CLOEXEC },
    };
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int error = filter == NULL ? -ENOMEM : 0;

    for (size_t i = 0; i < sizeof allowed_calls / sizeof *allowed_calls && error == 0; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_calls[i], 0);
    for (size_t i = 0; i < sizeof narrowed / sizeof *narrowed && error == 0; i++)
        error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, narrowed[i].call, 1,
                                       &narrowed[i].argument);
    if (needs_udp && error == 0)
        error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket),
                                       sizeof udp_socket / sizeof *udp_socket, udp_socket);
    if (needs_udp && error == 0)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(bind), 0);
    if (error == 0)
        error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (error == 0)
        error = seccomp_load(filter);
    if (filter != NULL)
        seccomp_release(filter);
    if (error != 0)
        return refuse(fault, "cannot restrict system calls", -error);
    return IPSEC_OK;
}

static enum ipsec_status
switch_user(const char *user, struct ipsec_fault *fault)
{
    enum ipsec_status status = harden_check_user(user, fault);

    if (status != IPSEC_OK)
        return status;
    const struct passwd *entry = getpwnam(user);
    if (entry == NULL || initgroups(user, entry->pw_gid) != 0 || setgid(entry->pw_gid) != 0 ||
        setuid(entry->pw_uid) != 0)
        return ipsec_fault_set(fault, ipsec_status_of_errno(errno), IPSEC_FAULT_SERVICE, "user",
                               "the process can't become user '%s': %s", user, strerror(errno));
    return IPSEC_OK;
}

static enum ipsec_status
drop_capabilities(bool keeps_net_admin, struct ipsec_fault *fault)
{
    static const cap_value_t kept = CAP_NET_ADMIN;
    cap_t left = cap_init();
    bool may_shrink_bounds = false;

    if (left == NULL)
        return refuse(fault, "cannot drop capabilities", errno);
    cap_t current = cap_get_proc();
    if (current != NULL) {
        cap_flag_value_t value = CAP_CLEAR;
        (void)cap_get_flag(current, CAP_SETPCAP, CAP_EFFECTIVE, &value);
        may_shrink_bounds = value == CAP_SET;
        (void)cap_get_flag(current, kept, CAP_PERMITTED, &value);
        if (keeps_net_admin && value == CAP_SET) {
            (void)cap_set_flag(left, CAP_PERMITTED, 1, &kept, CAP_SET);
            (void)cap_set_flag(left, CAP_EFFECTIVE, 1, &kept, CAP_SET);
        }
        (void)cap_free(current);
    }
    for (cap_value_t value = 0; may_shrink_bounds && value < cap_max_bits(); value++) {
        if (cap_get_bound(value) > 0 && cap_drop_bound(value) != 0) {
            int error = errno;
            (void)cap_free(left);
            return refuse(fault, "cannot shrink the capability bounds", error);
        }
    }
    int result = cap_set_proc(left);
    int error = errno;
    (void)cap_free(left);
    if (result != 0)
        return refuse(fault, "cannot drop capabilities", error);
    return IPSEC_OK;
}

static enum ipsec_status
refuse(struct ipsec_fault *fault, const char *what, int error)
{
    return ipsec_fault_set(fault, ipsec_status_of_errno(error), IPSEC_FAULT_SERVICE, NULL, "%s: %s",
                           what, strerror(error));
}
