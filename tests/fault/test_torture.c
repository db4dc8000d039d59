/* SPDX-License-Identifier: Apache-2.0
 *
 * test_torture.c: the service in process with the n-th allocation, store call and data plane action
 * of every request of a scenario failing, for every n.
 *
 * A request that fails says so with the right code and leaves no trace: what callers see, what the
 * data plane has and what a restart would load are as before, to the byte.  One that worked in
 * spite of the failure has done all of its work, and the scenario goes on from there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>

#include "api/json_memory.h"
#include "engine/base/log.h"
#include "tests/fault/fault_memory.h"
#include "tests/fault/scenario.h"
#include "tests/unit/fake_plane.h"

static struct scenario scenario;
static size_t points;

/* --- A data plane whose n-th action fails --------------------------------------------------------
 */

static struct {
    size_t fail_at; /* from 1; 0: none */
    size_t count;
    bool failed;
    enum plane_action_kind kind; /* of the one that failed */
} plane;

static void
apply(struct plane *opaque, struct plane_action *actions, size_t action_count)
{
    for (size_t i = 0; i < action_count; i++) {
        if (++plane.count != plane.fail_at) {
            fake_plane.apply(opaque, &actions[i], 1);
            continue;
        }
        plane.failed = true;
        plane.kind = actions[i].kind;
        actions[i].status = IPSEC_RPC_OUT_OF_RESOURCES;
        actions[i].reason = "the test wants it";
    }
}

static struct plane_ops torture_plane;

/* --- State as text -------------------------------------------------------------------------------
 */

struct picture {
    struct buffer live;   /* what callers see, and the data plane */
    struct buffer reload; /* what a restart would show */
};

static void
picture_clear(struct picture *picture)
{
    buffer_clear(&picture->live);
    buffer_clear(&picture->reload);
}
AUTO_DEFINE(picture, picture_clear)

#define PICTURE                                                                                    \
    {                                                                                              \
        BUFFER(SIZE_MAX / 4), BUFFER(SIZE_MAX / 4)                                                 \
    }

static int
compare_sas(const void *left, const void *right)
{
    const struct fake_sa *a = left;
    const struct fake_sa *b = right;

    if (a->context_id != b->context_id)
        return a->context_id < b->context_id ? -1 : 1;
    return a->direction - b->direction;
}

static void
render_plane(struct buffer *text)
{
    qsort(fake_plane_state.sas, fake_plane_state.sa_count, sizeof *fake_plane_state.sas,
          compare_sas);
    for (size_t i = 0; i < fake_plane_state.sa_count; i++) {
        const struct fake_sa *sa = &fake_plane_state.sas[i];

        buffer_append_format(text, "sa %llu %d %u to %d.%d\n", (unsigned long long)sa->context_id,
                             sa->direction, sa->spi, sa->remote_address.bytes[2],
                             sa->remote_address.bytes[3]);
    }
}

/* Loads a copy of the store into an engine of its own. */
static void
render_reload(struct buffer *text)
{
    const struct ipsec_engine_options options = service_options();
    static struct service other;
    struct ipsec_fault fault;

    buffer_reset(text);
    kept_store_copy();
    if (service_open(&other, &options, "1", &torture_plane, &fault) != IPSEC_OK)
        fail_msg("%s", fault.detail);
    assert_true(service_render(&other, text));
    service_close(&other);
}

static void
render_live(struct buffer *text)
{
    buffer_reset(text);
    assert_true(service_render(&scenario.service, text));
    render_plane(text);
}

/* What the data plane refuses was committed and is taken back by another commit: that changes
 * nothing but revisions. */
static void
blank_revisions(struct buffer *text)
{
    static const char member[] = "\"revision\":";
    size_t written = 0;

    for (size_t i = 0; i < text->size;) {
        if (text->size - i > sizeof member &&
            memcmp(text->data + i, member, sizeof member - 1) == 0) {
            i += sizeof member - 1;
            while (text->data[i] >= '0' && text->data[i] <= '9')
                i++;
        } else {
            text->data[written++] = text->data[i++];
        }
    }
    text->size = written;
}

static void
take_picture(struct picture *picture, bool with_revisions)
{
    render_live(&picture->live);
    render_reload(&picture->reload);
    if (!with_revisions) {
        blank_revisions(&picture->live);
        blank_revisions(&picture->reload);
    }
}

/* Shows both from where they begin to differ. */
static void
assert_same(const struct buffer *now, const struct buffer *before, const char *what, size_t n)
{
    size_t at = 0;

    while (at < now->size && at < before->size && now->data[at] == before->data[at])
        at++;
    if (at == now->size && at == before->size)
        return;
    size_t from = at < 100 ? 0 : at - 100;
    fail_msg("failure %zu of %s\nis now    %.*s\nand was   %.*s", n, what,
             (int)(now->size - from < 400 ? now->size - from : 400), now->data + from,
             (int)(before->size - from < 400 ? before->size - from : 400), before->data + from);
}

static void
assert_restart_unchanged(const struct picture *before,
                         bool with_revisions,
                         const char *where,
                         size_t n)
{
    AUTO(picture) now = PICTURE;
    char what[160];

    render_reload(&now.reload);
    if (!with_revisions)
        blank_revisions(&now.reload);
    (void)snprintf(what, sizeof what, "%s: what a restart shows", where);
    assert_same(&now.reload, &before->reload, what, n);
}

static void
assert_unchanged(const struct picture *before, bool with_revisions, const char *where, size_t n)
{
    AUTO(picture) now = PICTURE;
    char what[160];

    take_picture(&now, with_revisions);
    (void)snprintf(what, sizeof what, "%s: what callers see", where);
    assert_same(&now.live, &before->live, what, n);
    (void)snprintf(what, sizeof what, "%s: what a restart shows", where);
    assert_same(&now.reload, &before->reload, what, n);
}

/* --- The scenario --------------------------------------------------------------------------------
 */

static void
open_service(void)
{
    const struct ipsec_engine_options options = service_options();
    struct ipsec_fault fault;

    if (service_open(&scenario.service, &options, "0", &torture_plane, &fault) != IPSEC_OK)
        fail_msg("%s", fault.detail);
}

static void
name_step(size_t step, char name[128])
{
    (void)snprintf(name, 128, "step %zu, %s %s", step, scenario_steps[step].method,
                   scenario_steps[step].path);
}

/* The step without a failure. */
static void
do_step(size_t step)
{
    const struct api_answer *answer = scenario_ask(&scenario, step);
    char name[128];

    name_step(step, name);
    if (answer->status != scenario_steps[step].status)
        fail_msg("%s: status %d: %.*s", name, answer->status, (int)answer->body.size,
                 answer->body.data);
    scenario_note(&scenario, step);
}

static void
end_scenario(void)
{
    service_close(&scenario.service);
    kept_store_clear();
    memset(&fake_plane_state, 0, sizeof fake_plane_state);
}

/* A fresh service on which the steps before 'step' were done. */
static void
begin_before(size_t step)
{
    open_service();
    for (size_t i = 0; i < step; i++)
        do_step(i);
}

/* What is there now is whole: everything else works, and a restart changes nothing. */
static void
go_on_behind(size_t step)
{
    AUTO(buffer) live = BUFFER(SIZE_MAX / 4);
    AUTO(buffer) reload = BUFFER(SIZE_MAX / 4);

    for (size_t i = step + 1; i < scenario_step_count; i++)
        do_step(i);
    assert_true(service_render(&scenario.service, &live));
    render_reload(&reload);
    assert_same(&reload, &live, "a restart behind the last step", 0);
}

/* --- Answers -------------------------------------------------------------------------------------
 */

/* The code of a problem. */
static void
read_code(const struct api_answer *answer, char code[64])
{
    size_t size = 0;
    const char *body = service_body(answer, &size);
    json_t *root = body == NULL ? NULL : json_loadb(body, size, 0, NULL);
    const char *text = json_string_value(json_object_get(root, "code"));

    (void)snprintf(code, 64, "%s", text == NULL ? "" : text);
    if (root != NULL)
        assert_int_equal(json_integer_value(json_object_get(root, "status")), answer->status);
    json_decref(root);
}

enum outcome { WORKED, DENIED, UNSURE };

/* UNSURE: it was executed or may have been, and the code says so. */
static enum outcome
judge(const struct api_answer *answer, size_t step, const char *wanted_code, size_t n)
{
    char code[64];
    char name[128];

    name_step(step, name);
    if (answer->status == scenario_steps[step].status)
        return WORKED;
    read_code(answer, code);
    if (strcmp(code, "RPC_E_SERVER_CANTMARSHAL_DATA") == 0)
        return UNSURE;
    if (strcmp(code, wanted_code) != 0)
        fail_msg("%s, failure %zu: status %d, code %s, expected %s", name, n, answer->status, code,
                 wanted_code);
    return DENIED;
}

static void
wait_until_writable(void)
{
    struct ipsec_engine_figures figures;
    const struct timespec pause = { .tv_nsec = 1000000 };

    ipsec_engine_read_figures(scenario.service.api.engine, &figures);
    while (!figures.writable) {
        (void)nanosleep(&pause, NULL);
        ipsec_engine_read_figures(scenario.service.api.engine, &figures);
    }
}

/* --- The failures --------------------------------------------------------------------------------
 */

static void
plan_memory(size_t n, bool lasting)
{
    fault_memory_plan(&(struct fault_memory_plan){ .first = n, .lasting = lasting });
}

static void
plan_store(size_t n, bool lasting)
{
    kept_store_plan(&(struct kept_plan){ .first = n, .lasting = lasting });
}

static void
plan_plane(size_t n, bool lasting)
{
    (void)lasting;
    plane.fail_at = n;
    plane.count = 0;
    plane.failed = false;
}

static bool
plane_failed(void)
{
    return plane.failed;
}

struct failure {
    const char *name;
    void (*plan)(size_t n, bool lasting);
    bool (*failed)(void);
    const char *code;
    bool keeps_revisions;
};
static const struct failure memory_failure = { "allocation", plan_memory, fault_memory_failed,
                                               "RPC_E_OUT_OF_RESOURCES", true };
static const struct failure store_failure = { "store call", plan_store, kept_store_failed,
                                              "RPC_E_DISCONNECTED", true };
static const struct failure plane_failure = { "data plane action", plan_plane, plane_failed,
                                              "RPC_E_OUT_OF_RESOURCES", false };

/* One request with every failure.  The service stands before the step, and behind it afterwards. */
static void
torture_step(const struct failure *failure, size_t step, bool lasting)
{
    AUTO(picture) before = PICTURE;
    char name[128];

    name_step(step, name);
    take_picture(&before, failure->keeps_revisions);
    for (size_t n = 1;; n++) {
        failure->plan(n, lasting);
        const struct api_answer *answer = scenario_ask(&scenario, step);
        bool failed = failure->failed();
        failure->plan(0, false);
        if (!failed) {
            if (answer->status != scenario_steps[step].status)
                fail_msg("%s: status %d: %.*s", name, answer->status, (int)answer->body.size,
                         answer->body.data);
            scenario_note(&scenario, step);
            return;
        }
        points++;
        enum outcome outcome = judge(answer, step, failure->code, n);
        if (outcome == WORKED)
            scenario_note(&scenario, step);
        wait_until_writable();
        if (outcome == DENIED && scenario_steps[step].may_roll_back) {
            assert_restart_unchanged(&before, failure->keeps_revisions, name, n);
        } else if (outcome == DENIED) {
            assert_unchanged(&before, failure->keeps_revisions, name, n);
            continue;
        }
        if (outcome == WORKED)
            go_on_behind(step);
        end_scenario();
        begin_before(step);
        take_picture(&before, failure->keeps_revisions);
    }
}

static void
torture(const struct failure *failure, bool lasting)
{
    points = 0;
    open_service();
    for (size_t i = 0; i < scenario_step_count; i++)
        torture_step(failure, i, lasting);
    end_scenario();
    print_message("%zu points: %s %s\n", points, failure->name,
                  lasting ? "and all after it" : "alone");
}

static void
every_allocation_of_every_request_fails_once(void **state)
{
    (void)state;
    torture(&memory_failure, false);
}

static void
from_every_allocation_on_all_fail(void **state)
{
    (void)state;
    torture(&memory_failure, true);
}

static void
every_store_call_of_every_request_fails_once(void **state)
{
    (void)state;
    torture(&store_failure, false);
}

static void
from_every_store_call_on_all_fail(void **state)
{
    (void)state;
    torture(&store_failure, true);
}

static void
every_action_of_the_data_plane_fails_once(void **state)
{
    (void)state;
    torture(&plane_failure, false);
}

/* The engine opens, or says why not and leaves nothing; and opens then as if nothing had been. */
static void
torture_open(const struct failure *failure)
{
    const struct ipsec_engine_options options = service_options();
    AUTO(buffer) before = BUFFER(SIZE_MAX / 4);
    AUTO(buffer) now = BUFFER(SIZE_MAX / 4);
    bool failed = true;

    points = 0;
    begin_before(scenario_full());
    service_close(&scenario.service);
    open_service();
    render_live(&before);
    service_close(&scenario.service);
    for (size_t n = 1; failed; n++) {
        struct ipsec_fault fault = { .status = IPSEC_OK };

        failure->plan(n, false);
        enum ipsec_status status =
            service_open(&scenario.service, &options, "0", &torture_plane, &fault);
        failed = failure->failed();
        failure->plan(0, false);
        points += failed;
        if (status != IPSEC_OK) {
            assert_true(failed);
            assert_string_equal(ipsec_status_name(status), failure->code);
            assert_null(scenario.service.api.engine);
            open_service();
        }
        render_live(&now);
        assert_same(&now, &before, "a start", n);
        service_close(&scenario.service);
    }
    end_scenario();
    print_message("%zu points: %s of a start\n", points, failure->name);
}

static void
every_allocation_of_a_start_fails_once(void **state)
{
    (void)state;
    torture_open(&memory_failure);
}

static void
every_store_call_of_a_start_fails_once(void **state)
{
    (void)state;
    torture_open(&store_failure);
}

static int
tear_down(void **state)
{
    (void)state;
    fault_memory_plan(&(struct fault_memory_plan){ .first = 0 });
    end_scenario();
    return 0;
}

int
main(void)
{
#ifdef __SANITIZE_THREAD__
    puts("SKIP: two engines, each with its thread, share one double of the data plane here");
    return 77;
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_allocation_of_every_request_fails_once, tear_down),
        cmocka_unit_test_teardown(from_every_allocation_on_all_fail, tear_down),
        cmocka_unit_test_teardown(every_store_call_of_every_request_fails_once, tear_down),
        cmocka_unit_test_teardown(from_every_store_call_on_all_fail, tear_down),
        cmocka_unit_test_teardown(every_action_of_the_data_plane_fails_once, tear_down),
        cmocka_unit_test_teardown(every_allocation_of_a_start_fails_once, tear_down),
        cmocka_unit_test_teardown(every_store_call_of_a_start_fails_once, tear_down),
    };

    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    /* The parser's small trees need no allocation; nor would jansson survive all failures of one.
     */
    json_memory_install();
    torture_plane = fake_plane;
    torture_plane.apply = apply;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
