/* SPDX-License-Identifier: Apache-2.0
 *
 * test_security_table.c: security descriptors that callers set, up to who is told and when. */
#include "engine/security_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/engine_fixture.h"

static const struct ipsec_security filters = { IPSEC_CONTAINER_FILTERS, "file" };

static struct {
    int count;
    enum ipsec_container container;
    char text[16];
} told;

static enum ipsec_status
take_notice(void *context,
            enum ipsec_container container,
            const char *text,
            struct ipsec_fault *fault)
{
    (void)context;
    (void)fault;
    told.count++;
    told.container = container;
    (void)snprintf(told.text, sizeof told.text, "%s", text == NULL ? "-" : text);
    return IPSEC_OK;
}

static void
expect_text(struct fixture *fixture, const char *expected)
{
    char *text = NULL;

    assert_int_equal(ipsec_security_get(&fixture->session, &filters, &text), IPSEC_OK);
    assert_string_equal(text, expected);
    free(text);
}

static void
who_listens_is_told_after_the_commit_and_of_nothing_undone(void **state)
{
    struct fixture *fixture = *state;

    told.count = 0;
    fixture->state.security.listener.changed = take_notice;
    expect_text(fixture, "file");
    assert_int_equal(ipsec_security_set(&fixture->session, &filters, "a"), IPSEC_OK);
    expect_text(fixture, "a");
    state_undo(&fixture->state, (struct batch_mark){ 0 });
    expect_text(fixture, "file");
    assert_int_equal(fixture->state.batch.change_count, 0);

    assert_int_equal(ipsec_security_set(&fixture->session, &filters, "a"), IPSEC_OK);
    assert_int_equal(ipsec_security_set(&fixture->session, &filters, "b"), IPSEC_OK);
    assert_int_equal(fixture->state.batch.changes[0].kind, STORE_PUT_DESCRIPTOR);
    assert_string_equal(fixture->state.batch.changes[0].descriptor->text, "a");
    assert_string_equal(fixture->state.batch.changes[1].descriptor->text, "b");
    assert_int_equal(told.count, 0);
    state_settle(&fixture->state);
    assert_true(told.count >= 1);
    assert_int_equal(told.container, IPSEC_CONTAINER_FILTERS);
    assert_string_equal(told.text, "b");

    assert_int_equal(ipsec_security_set(&fixture->session, &filters, NULL), IPSEC_OK);
    assert_int_equal(fixture->state.batch.changes[0].kind, STORE_DELETE_DESCRIPTOR);
    assert_int_equal(fixture->state.batch.changes[0].id, IPSEC_CONTAINER_FILTERS + 1);
    state_undo(&fixture->state, (struct batch_mark){ 0 });
    expect_text(fixture, "b");
    assert_int_equal(ipsec_security_set(&fixture->session, &filters, NULL), IPSEC_OK);
    state_settle(&fixture->state);
    assert_string_equal(told.text, "-");
    assert_int_equal(ipsec_security_set(&fixture->session, &filters, NULL), IPSEC_OK);
    assert_int_equal(fixture->state.batch.change_count, 0);
    expect_text(fixture, "file");
}

static void
rights_and_sessions_are_looked_at(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session *session = &fixture->session;
    char *text = NULL;

    fixture->caller.principal = "uri:a";
    fixture->caller.rights = (struct ipsec_rights){ { 0 } };
    assert_int_equal(ipsec_security_get(session, &filters, &text), IPSEC_ACCESS_DENIED);
    fixture->caller.rights.granted[IPSEC_CONTAINER_FILTERS] = RIGHT_READ_CONTROL;
    assert_int_equal(ipsec_security_set(session, &filters, "a"), IPSEC_ACCESS_DENIED);
    fixture->caller.rights.granted[IPSEC_CONTAINER_FILTERS] = RIGHT_WRITE_DAC;
    assert_int_equal(ipsec_security_get(session, &filters, &text), IPSEC_ACCESS_DENIED);
    session->flags = IPSEC_SESSION_DYNAMIC;
    assert_int_equal(ipsec_security_set(session, &filters, "a"), IPSEC_DYNAMIC_SESSION_IN_PROGRESS);
    session->transaction = IPSEC_READ_TRANSACTION;
    assert_int_equal(ipsec_security_set(session, &filters, "a"), IPSEC_TXN_IN_PROGRESS);
    session->flags = 0;
    session->transaction = IPSEC_NO_TRANSACTION;
    assert_int_equal(ipsec_security_set(session, &filters, "a"), IPSEC_OK);
}

static void
if_match_is_asked_of_what_is_in_force(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_call call = { .if_match_count = 1,
                               .if_match = { ipsec_security_revision("file") } };

    fixture->session.call = &call;
    assert_int_equal(ipsec_security_set(&fixture->session, &filters, "a"), IPSEC_OK);
    assert_int_equal(ipsec_security_set(&fixture->session, &filters, "b"),
                     IPSEC_HTTP_PRECONDITION_FAILED);
    call.if_match[0] = ipsec_security_revision("a");
    assert_int_equal(ipsec_security_set(&fixture->session, &filters, NULL), IPSEC_OK);
    call.if_match_count = 0;
    expect_text(fixture, "file");
    assert_true(ipsec_security_revision("") >= 1);
    assert_true(ipsec_security_revision("file") <= IPSEC_LUID_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(who_listens_is_told_after_the_commit_and_of_nothing_undone),
        FIXTURE_TEST(rights_and_sessions_are_looked_at),
        FIXTURE_TEST(if_match_is_asked_of_what_is_in_force),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
