/* SPDX-License-Identifier: Apache-2.0
 *
 * test_options.c: where options come from, which wins, and what is refused. */
#include "server/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define REQUIRED "--tls-cert", "c", "--tls-key", "k", "--client-ca", "a", "--access", "x"

/* 'fault' gets the first problem. */
static enum ipsec_status
read_words(struct options *options, struct ipsec_fault *fault, const char *const *words)
{
    char *argv[32] = { (char *)(uintptr_t) "sa-contextd" };
    int argc = 1;

    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    *fault = (struct ipsec_fault){ 0 };
    if (options_read(argc, argv, options)) {
        assert_int_equal(options->problem_count, 0);
        return IPSEC_OK;
    }
    assert_true(options->problem_count > 0);
    *fault = options->problems[0];
    return fault->status;
}
#define READ(options, fault, ...)                                                                  \
    read_words(options, fault, (const char *const[]){ __VA_ARGS__, NULL })

/* A file with 'text', named in 'name' (a mkstemp template). */
static void
write_file(char *name, const char *text)
{
    int fd = mkstemp(name);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void
defaults_stand_where_nothing_is_said(void **state)
{
    (void)state;
    struct options options;
    struct ipsec_fault fault;

    assert_int_equal(READ(&options, &fault, REQUIRED), IPSEC_OK);
    assert_string_equal(options.listen, "127.0.0.1:8443");
    assert_string_equal(options.store, "sqlite:/var/lib/sa-contextd/state.db");
    assert_int_equal(options.queue_depth, 16384);
    assert_int_equal(options.max_body_bytes, 65536);
    assert_false(options.check);
    options_clear(&options);
}

static void
flag_wins_over_environment_over_file(void **state)
{
    (void)state;
    char name[] = "/tmp/test_options_XXXXXX";
    struct options options;
    struct ipsec_fault fault;

    write_file(name, "{\"workers\": 3, \"max-batch\": 7, \"queue-depth\": 9, \"listen\": \"f:1\"}");
    setenv("SA_CONTEXTD_WORKERS", "4", 1);
    setenv("SA_CONTEXTD_MAX_BATCH", "8", 1);
    assert_int_equal(READ(&options, &fault, REQUIRED, "--config", name, "--workers=5"), IPSEC_OK);
    assert_int_equal(options.workers, 5);
    assert_int_equal(options.max_batch, 8);
    assert_int_equal(options.queue_depth, 9);
    assert_string_equal(options.listen, "f:1");
    options_clear(&options);
    unsetenv("SA_CONTEXTD_WORKERS");
    unsetenv("SA_CONTEXTD_MAX_BATCH");
    unlink(name);
}

static void
bad_usage_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *words[4];
        const char *mention;
    } cases[] = {
        { { "--unknown", "1" }, "--unknown" },
        { { "stray" }, "stray" },
        { { "--workers" }, "--workers" },
        { { "--workers", "x" }, "workers" },
        { { "--workers", "-1" }, "workers" },
        { { "--workers", " 1" }, "workers" },
        { { "--workers", "257" }, "256" },
        { { "--workers", "1", "--workers", "1" }, "twice" },
        { { "--queue-depth", "0" }, "queue-depth" },
        { { "--max-batch", "99999999999999999999" }, "max-batch" },
        { { "--log-level", "loud" }, "loud" },
        { { "--plane", "fpga" }, "plane" },
        { { "--check=yes" }, "--check" },
        { { "--config", "/nonexistent/file" }, "/nonexistent/file" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct options options;
        struct ipsec_fault fault;
        const char *const *words = cases[i].words;

        assert_int_not_equal(READ(&options, &fault, REQUIRED, words[0], words[1],
                                  words[1] == NULL ? NULL : words[2],
                                  words[1] == NULL || words[2] == NULL ? NULL : words[3]),
                             IPSEC_OK);
        if (strstr(fault.detail, cases[i].mention) == NULL)
            fail_msg("%s: %s", cases[i].words[0], fault.detail);
        options_clear(&options);
    }
}

static void
required_options_are_asked_for_when_serving(void **state)
{
    (void)state;
    struct options options;
    struct ipsec_fault fault;

    assert_int_not_equal(READ(&options, &fault, "--tls-cert", "c"), IPSEC_OK);
    assert_non_null(strstr(fault.detail, "tls-key"));
    options_clear(&options);
    assert_int_equal(READ(&options, &fault, "--help"), IPSEC_OK);
    assert_true(options.help);
    options_clear(&options);
    assert_int_equal(READ(&options, &fault, "--healthcheck"), IPSEC_OK);
    assert_true(options.healthcheck);
    options_clear(&options);
}

static void
unknown_members_and_variables_are_refused(void **state)
{
    (void)state;
    static const char *const files[] = {
        "[]",
        "{\"workes\": 1}",
        "{\"workers\": \"1\"}",
        "{\"listen\": 1}",
        "{\"config\": \"x\"}",
        "{\"workers\": 1, \"workers\": 2}",
        "{\"check\": true}",
        "{",
        "{\"workers\": -1}",
    };
    struct options options;
    struct ipsec_fault fault;

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char name[] = "/tmp/test_options_XXXXXX";
        write_file(name, files[i]);
        if (READ(&options, &fault, REQUIRED, "--config", name) == IPSEC_OK)
            fail_msg("taken: %s", files[i]);
        options_clear(&options);
        unlink(name);
    }
    /* What a Kubernetes service of that name puts there is not ours. */
    static const char *const links[] = { "SA_CONTEXTD_SERVICE_HOST", "SA_CONTEXTD_SERVICE_PORT",
                                         "SA_CONTEXTD_SERVICE_PORT_HTTPS", "SA_CONTEXTD_PORT",
                                         "SA_CONTEXTD_PORT_8443_TCP_ADDR" };
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        setenv(links[i], "tcp://192.0.2.1:8443", 1);
    assert_int_equal(READ(&options, &fault, REQUIRED), IPSEC_OK);
    options_clear(&options);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        unsetenv(links[i]);
    setenv("SA_CONTEXTD_WORKES", "1", 1);
    assert_int_not_equal(READ(&options, &fault, REQUIRED), IPSEC_OK);
    assert_non_null(strstr(fault.detail, "SA_CONTEXTD_WORKES"));
    options_clear(&options);
    unsetenv("SA_CONTEXTD_WORKES");
}

static void
members_of_the_file_have_json_types(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *mention; /* null: it is taken */
    } cases[] = {
        { "{\"allow-weak-transforms\": true, \"reset-security\": false}", NULL },
        { "{\"allow-weak-transforms\": \"true\"}",
          "'allow-weak-transforms' must be true or false" },
        { "{\"reset-security\": 1}", "'reset-security' must be true or false, not an integer" },
        { "{\"reset-security\": null}", "not null" },
        { "{\"workers\": \"1\"}", "'workers' must be an integer, not a string" },
        { "{\"workers\": 1.5}", "'workers' must be an integer, not a fraction" },
        { "{\"workers\": true}", "'workers' must be an integer, not a boolean" },
        { "{\"listen\": 1}", "'listen' must be a string, not an integer" },
        { "{\"listen\": [\"a:1\"]}", "'listen' must be a string, not an array" },
        { "{\"log-level\": {}}", "'log-level' must be a string, not an object" },
    };
    struct options options;
    struct ipsec_fault fault;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[] = "/tmp/test_options_XXXXXX";
        write_file(name, cases[i].text);
        enum ipsec_status status = READ(&options, &fault, REQUIRED, "--config", name);
        unlink(name);
        if (cases[i].mention == NULL) {
            assert_int_equal(status, IPSEC_OK);
            assert_true(options.allow_weak_transforms);
            assert_false(options.reset_security);
        } else if (status == IPSEC_OK || strstr(fault.detail, cases[i].mention) == NULL) {
            fail_msg("%s: '%s'", cases[i].text, fault.detail);
        }
        options_clear(&options);
    }
    assert_int_equal(READ(&options, &fault, REQUIRED, "--allow-weak-transforms", "true"), IPSEC_OK);
    assert_true(options.allow_weak_transforms);
    options_clear(&options);
    assert_int_not_equal(READ(&options, &fault, REQUIRED, "--reset-security", "yes"), IPSEC_OK);
    assert_non_null(strstr(fault.detail, "true or false"));
    options_clear(&options);
}

static void
everything_wrong_is_told_once(void **state)
{
    (void)state;
    char name[] = "/tmp/test_options_XXXXXX";
    struct options options;
    struct ipsec_fault fault;
    static const char *const told[] = {
        "workers",   /* twice on the command line */
        "",          /* --surprise, and its value is no stray word */
        "",          /* stray */
        "",          /* SA_CONTEXTD_WORKES */
        "listen",    /* of another type */
        "max-batch", /* of another type, but the command line wins */
        "tls-key",   /* of another type, and not asked for as well */
        "",          /* no option of the file's */
        "queue-depth",
        "allow-weak-transforms",
        "log-level", /* their values */
        "tls-cert",
        "client-ca", /* required */
    };

    write_file(name, "{\"listen\": 8443, \"max-batch\": \"x\", \"tls-key\": 1, \"surprise\": 1, "
                     "\"queue-depth\": 0, \"access\": \"x\"}");
    setenv("SA_CONTEXTD_WORKES", "1", 1);
    assert_int_not_equal(READ(&options, &fault, "--workers", "3", "--workers", "4", "--surprise",
                              "x", "--check", "stray", "--config", name, "--max-batch", "7",
                              "--allow-weak-transforms", "yes", "--log-level", "loud"),
                         IPSEC_OK);
    unsetenv("SA_CONTEXTD_WORKES");
    unlink(name);
    assert_int_equal(options.problem_count, sizeof told / sizeof *told);
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        assert_string_equal(options.problems[i].pointer, told[i]);

    /* What was good holds, for the rest a default stands in. */
    assert_true(options.check);
    assert_int_equal(options.workers, 3);
    assert_int_equal(options.max_batch, 7);
    assert_int_equal(options.queue_depth, 16384);
    assert_false(options.allow_weak_transforms);
    assert_string_equal(options.log_level, "info");
    assert_string_equal(options.tls_key, "");
    assert_string_equal(options.access, "x");
    assert_true(options_is_stand_in(&options, "queue-depth"));
    assert_true(options_is_stand_in(&options, "listen"));
    assert_true(options_is_stand_in(&options, "tls-cert"));
    assert_false(options_is_stand_in(&options, "workers"));
    assert_false(options_is_stand_in(&options, "max-batch"));
    assert_false(options_is_stand_in(&options, "access"));
    assert_false(options_is_stand_in(&options, "surprise"));
    options_clear(&options);

    /* A file that could not be read may have had the required ones. */
    assert_int_not_equal(READ(&options, &fault, "--config", "/nonexistent/file", "--workers", "x"),
                         IPSEC_OK);
    assert_true(options.has_unread_file);
    assert_int_equal(options.problem_count, 2);
    assert_string_equal(options.problems[0].pointer, "config");
    assert_string_equal(options.problems[1].pointer, "workers");
    options_clear(&options);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_stand_where_nothing_is_said),
        cmocka_unit_test(flag_wins_over_environment_over_file),
        cmocka_unit_test(bad_usage_is_refused_by_name),
        cmocka_unit_test(required_options_are_asked_for_when_serving),
        cmocka_unit_test(unknown_members_and_variables_are_refused),
        cmocka_unit_test(members_of_the_file_have_json_types),
        cmocka_unit_test(everything_wrong_is_told_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
