/* SPDX-License-Identifier: Apache-2.0
 *
 * test_session.c: transactions, dynamic sessions, rights, and the names of callers. */
#include "engine/session.h"

#include <stdio.h>

#include "tests/unit/engine_fixture.h"

static void
a_transaction_is_refused_before_a_dynamic_session(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session *session = &fixture->session;
    static const struct {
        uint32_t flags;
        enum ipsec_transaction_kind transaction;
        enum ipsec_status direct;
        enum ipsec_status writable;
    } cases[] = {
        { 0, IPSEC_NO_TRANSACTION, IPSEC_OK, IPSEC_OK },
        { 0, IPSEC_READ_TRANSACTION, IPSEC_TXN_IN_PROGRESS, IPSEC_INCOMPATIBLE_TXN },
        { 0, IPSEC_WRITE_TRANSACTION, IPSEC_TXN_IN_PROGRESS, IPSEC_OK },
        { IPSEC_SESSION_DYNAMIC, IPSEC_NO_TRANSACTION, IPSEC_DYNAMIC_SESSION_IN_PROGRESS,
          IPSEC_OK },
        { IPSEC_SESSION_DYNAMIC, IPSEC_WRITE_TRANSACTION, IPSEC_TXN_IN_PROGRESS, IPSEC_OK },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        session->flags = cases[i].flags;
        session->transaction = cases[i].transaction;
        assert_int_equal(session_check_direct(session), cases[i].direct);
        assert_int_equal(session_check_writable(session), cases[i].writable);
    }
}

static void
every_right_of_the_mask_is_needed(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session *session = &fixture->session;

    fixture->caller.rights = (struct ipsec_rights){
        .granted = { [IPSEC_CONTAINER_FILTERS] = FWPM_ACTRL_ENUM },
    };
    assert_int_equal(session_check_right(session, IPSEC_CONTAINER_FILTERS, FWPM_ACTRL_ENUM),
                     IPSEC_OK);
    assert_int_equal(session_check_right(session, IPSEC_CONTAINER_SA_DATABASE, FWPM_ACTRL_ENUM),
                     IPSEC_ACCESS_DENIED);
    assert_int_equal(
        session_check_right(session, IPSEC_CONTAINER_FILTERS, FWPM_ACTRL_ENUM | FWPM_ACTRL_READ),
        IPSEC_ACCESS_DENIED);
    assert_string_equal(fixture->fault.detail, "the caller lacks FWPM_ACTRL_READ on filters");
    assert_ptr_equal(ipsec_session_fault(session), &fixture->fault);
}

static void
the_process_itself_is_not_checked(void **state)
{
    struct fixture *fixture = *state;
    uint32_t number = 99;

    fixture->caller = (struct ipsec_caller){ .principal = NULL };
    assert_int_equal(
        session_check_right(&fixture->session, IPSEC_CONTAINER_SA_DATABASE, RIGHT_DELETE),
        IPSEC_OK);
    assert_int_equal(session_intern_caller(&fixture->session, &number), IPSEC_OK);
    assert_int_equal(number, 0);
    assert_int_equal(fixture->state.batch.change_count, 0);
    assert_string_equal(principal_name(&fixture->state.principals, 0), "process");
}

static void
a_new_name_goes_to_the_store_once(void **state)
{
    struct fixture *fixture = *state;
    struct batch *batch = &fixture->state.batch;
    uint32_t first = 0;
    uint32_t again = 0;

    assert_int_equal(session_intern_caller(&fixture->session, &first), IPSEC_OK);
    assert_int_equal(session_intern_caller(&fixture->session, &again), IPSEC_OK);
    assert_int_equal(first, 1);
    assert_int_equal(again, 1);
    assert_int_equal(batch->change_count, 1);
    assert_int_equal(batch->changes[0].kind, STORE_PUT_PRINCIPAL);
    assert_string_equal(batch->changes[0].principal.name, fixture->caller.principal);

    state_settle(&fixture->state);
    assert_int_equal(session_intern_caller(&fixture->session, &again), IPSEC_OK);
    assert_int_equal(batch->change_count, 0);
}

static void
a_name_whose_change_was_undone_goes_again(void **state)
{
    struct fixture *fixture = *state;
    uint32_t first = 0;
    uint32_t again = 0;

    assert_int_equal(session_intern_caller(&fixture->session, &first), IPSEC_OK);
    state_undo(&fixture->state, (struct batch_mark){ .undo_count = 0 });
    assert_int_equal(session_intern_caller(&fixture->session, &again), IPSEC_OK);
    assert_int_equal(first, again);
    assert_int_equal(fixture->state.batch.change_count, 1);
}

static void
many_names_keep_their_numbers(void **state)
{
    struct fixture *fixture = *state;
    struct principal_table *table = &fixture->state.principals;
    char name[32];

    for (uint32_t i = 1; i <= 5000; i++) {
        uint32_t number;
        bool is_stored;

        (void)snprintf(name, sizeof name, "cn:caller %u", i);
        assert_true(principal_intern(table, name, &number, &is_stored));
        assert_int_equal(number, i);
        assert_false(is_stored);
    }
    for (uint32_t i = 1; i <= 5000; i++) {
        (void)snprintf(name, sizeof name, "cn:caller %u", i);
        assert_string_equal(principal_name(table, i), name);
    }
    assert_string_equal(principal_name(table, 5001), "");
    assert_string_equal(principal_name(table, UINT32_MAX), "");
}

static void
loaded_names_ascend_and_differ(void **state)
{
    struct fixture *fixture = *state;
    struct principal_table *table = &fixture->state.principals;
    uint32_t number;
    bool is_stored;

    assert_int_equal(principal_load(table, 2, "cn:b"), IPSEC_OK);
    assert_int_equal(principal_load(table, 2, "cn:c"), IPSEC_RPC_INVALID_DATA);
    assert_int_equal(principal_load(table, 1, "cn:a"), IPSEC_RPC_INVALID_DATA);
    assert_int_equal(principal_load(table, 3, "cn:b"), IPSEC_RPC_INVALID_DATA);
    assert_int_equal(principal_load(table, UINT32_MAX, "cn:far"), IPSEC_RPC_INVALID_DATA);
    assert_int_equal(principal_load(table, 5, "cn:e"), IPSEC_OK);
    assert_true(principal_intern(table, "cn:b", &number, &is_stored));
    assert_int_equal(number, 2);
    assert_true(is_stored);
    assert_true(principal_intern(table, "cn:new", &number, &is_stored));
    assert_int_equal(number, 6);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_transaction_is_refused_before_a_dynamic_session),
        FIXTURE_TEST(every_right_of_the_mask_is_needed),
        FIXTURE_TEST(the_process_itself_is_not_checked),
        FIXTURE_TEST(a_new_name_goes_to_the_store_once),
        FIXTURE_TEST(a_name_whose_change_was_undone_goes_again),
        FIXTURE_TEST(many_names_keep_their_numbers),
        FIXTURE_TEST(loaded_names_ascend_and_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
