/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_fixture.h: what tests of policy objects ask of several sessions at once. */
#pragma once

#include "tests/unit/engine_fixture.h"

static inline void
begin(struct ipsec_session *session, bool read_only)
{
    assert_int_equal(ipsec_transaction_begin(session, read_only), IPSEC_OK);
}

/* As at the end of a batch. */
static inline void
end_batch(struct fixture *fixture)
{
    state_settle(&fixture->state);
}

static inline void
commit(struct fixture *fixture, struct ipsec_session *session)
{
    assert_int_equal(ipsec_transaction_commit(session), IPSEC_OK);
    end_batch(fixture);
}

static inline void
roll_back(struct fixture *fixture, struct ipsec_session *session)
{
    assert_int_equal(ipsec_transaction_abort(session), IPSEC_OK);
    end_batch(fixture);
}

static inline uint64_t
add_filter_in(struct ipsec_session *session, const struct ipsec_filter *filter)
{
    struct ipsec_guid key;
    uint64_t id = 0;

    assert_int_equal(ipsec_filter_add(session, filter, &id, &key), IPSEC_OK);
    return id;
}

static inline bool
sees_filter(struct ipsec_session *session, uint64_t id)
{
    const struct ipsec_filter *filter = NULL;
    enum ipsec_status status = ipsec_filter_get_by_id(session, id, &filter);

    assert_true(status == IPSEC_OK || status == IPSEC_FILTER_NOT_FOUND);
    ipsec_filter_unref(filter);
    return status == IPSEC_OK;
}

/* How many filters an enumeration shows. */
static inline size_t
count_filters(struct ipsec_session *session)
{
    struct ipsec_filter_page page;

    assert_int_equal(ipsec_filter_enum(session, -1, 0, 1000, &page), IPSEC_OK);
    size_t count = page.filter_count;
    ipsec_filter_page_clear(&page);
    return count;
}

/* How many changes of a kind the batch has for the store. */
static inline size_t
count_changes(const struct fixture *fixture, enum store_change_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < fixture->state.batch.change_count; i++)
        count += fixture->state.batch.changes[i].kind == kind;
    return count;
}
