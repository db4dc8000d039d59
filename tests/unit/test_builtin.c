/* SPDX-License-Identifier: Apache-2.0
 *
 * test_builtin.c: the objects that are always there. */
#include "engine/builtin.h"

#include "engine/guid.h"
#include "engine/layer.h"
#include "tests/unit/engine_fixture.h"

static const size_t counts[IPSEC_BUILTIN_KIND_COUNT] = { 4, IPSEC_LAYER_COUNT,
                                                         IPSEC_SUB_LAYER_COUNT,
                                                         IPSEC_CALLOUT_COUNT - 1 };

static void
every_number_has_its_object_and_every_object_a_key_of_its_own(void **state)
{
    struct fixture *fixture = *state;

    for (int kind = 0; kind < IPSEC_BUILTIN_KIND_COUNT; kind++) {
        const struct ipsec_builtin *objects;
        const struct ipsec_builtin *found;
        size_t count;

        assert_int_equal(
            ipsec_builtin_enum(&fixture->session, (enum ipsec_builtin_kind)kind, &objects, &count),
            IPSEC_OK);
        assert_int_equal(count, counts[kind]);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(objects[i].number, kind == IPSEC_BUILTIN_CALLOUT ? i + 1 : i);
            if (kind == IPSEC_BUILTIN_CALLOUT)
                assert_int_equal(objects[i].layer,
                                 callout_layer((enum ipsec_callout)objects[i].number));
            assert_int_equal(ipsec_builtin_get_by_key(&fixture->session,
                                                      (enum ipsec_builtin_kind)kind,
                                                      &objects[i].key, &found),
                             IPSEC_OK);
            assert_ptr_equal(found, &objects[i]);
        }
    }
}

static void
a_key_is_read_as_it_is_written(void **state)
{
    (void)state;
    const struct ipsec_guid key = { .bytes = { 0x59, 0x26, 0xdf, 0xc8, 0xe3, 0xcf, 0x44, 0x26, 0xa2,
                                               0x83, 0xdc, 0x39, 0x3f, 0x5d, 0x0f, 0x9d } };

    assert_string_equal(builtin_find(IPSEC_BUILTIN_LAYER, &key)->name,
                        "FWPM_LAYER_INBOUND_TRANSPORT_V4");
    assert_null(builtin_find(IPSEC_BUILTIN_CALLOUT, &key));
}

static void
nothing_of_it_can_be_deleted(void **state)
{
    struct fixture *fixture = *state;
    static const enum ipsec_status missing[IPSEC_BUILTIN_KIND_COUNT] = {
        IPSEC_PROVIDER_NOT_FOUND,
        IPSEC_LAYER_NOT_FOUND,
        IPSEC_SUBLAYER_NOT_FOUND,
        IPSEC_CALLOUT_NOT_FOUND,
    };

    for (int kind = 0; kind < IPSEC_BUILTIN_KIND_COUNT; kind++) {
        const struct ipsec_guid none = { .bytes = { 1 } };
        const struct ipsec_builtin *objects;
        size_t count;

        assert_int_equal(
            ipsec_builtin_enum(&fixture->session, (enum ipsec_builtin_kind)kind, &objects, &count),
            IPSEC_OK);
        assert_int_equal(ipsec_builtin_delete_by_key(
                             &fixture->session, (enum ipsec_builtin_kind)kind, &objects[0].key),
                         IPSEC_BUILTIN_OBJECT);
        assert_int_equal(fixture->fault.place, IPSEC_FAULT_PATH);
        assert_int_equal(
            ipsec_builtin_delete_by_key(&fixture->session, (enum ipsec_builtin_kind)kind, &none),
            missing[kind]);
        assert_int_equal(fixture->fault.place, IPSEC_FAULT_PATH);
    }
}

static void
rights_on_the_engine_decide(void **state)
{
    struct fixture *fixture = *state;
    uint32_t *granted = &fixture->caller.rights.granted[IPSEC_CONTAINER_FILTERS];
    const struct ipsec_guid none = { .bytes = { 1 } };
    const struct ipsec_builtin *objects;
    size_t count;

    *granted = ~(uint32_t)FWPM_ACTRL_ENUM;
    assert_int_equal(ipsec_builtin_enum(&fixture->session, IPSEC_BUILTIN_LAYER, &objects, &count),
                     IPSEC_ACCESS_DENIED);
    *granted = ~(uint32_t)FWPM_ACTRL_READ;
    assert_int_equal(ipsec_builtin_enum(&fixture->session, IPSEC_BUILTIN_LAYER, &objects, &count),
                     IPSEC_ACCESS_DENIED);
    assert_int_equal(
        ipsec_builtin_get_by_key(&fixture->session, IPSEC_BUILTIN_LAYER, &none, &objects),
        IPSEC_ACCESS_DENIED);
    *granted = ~(uint32_t)RIGHT_DELETE;
    assert_int_equal(ipsec_builtin_delete_by_key(&fixture->session, IPSEC_BUILTIN_LAYER, &none),
                     IPSEC_ACCESS_DENIED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(every_number_has_its_object_and_every_object_a_key_of_its_own),
        cmocka_unit_test(a_key_is_read_as_it_is_written),
        FIXTURE_TEST(nothing_of_it_can_be_deleted),
        FIXTURE_TEST(rights_on_the_engine_decide),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
