/* SPDX-License-Identifier: Apache-2.0
 *
 * test_wfp_security.c: security descriptors (specification sections 7.9 and 11), and what is built
 * in (section 6.3). */
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/wfp.h"

/* --- 7.9: the descriptor of the SA database, and those of the other containers -----------------
 */

static const char *const container_names[IPSEC_CONTAINER_COUNT] = {
    [IPSEC_CONTAINER_ENGINE] = "the engine",
    [IPSEC_CONTAINER_SA_DATABASE] = "the SA database",
    [IPSEC_CONTAINER_FILTERS] = "filters",
    [IPSEC_CONTAINER_PROVIDER_CONTEXTS] = "provider contexts",
};
static const enum ipsec_container containers[IPSEC_CONTAINER_COUNT] = {
    IPSEC_CONTAINER_ENGINE,
    IPSEC_CONTAINER_SA_DATABASE,
    IPSEC_CONTAINER_FILTERS,
    IPSEC_CONTAINER_PROVIDER_CONTEXTS,
};

static enum ipsec_status
set_security(struct wfp *wfp, enum ipsec_container container, const char *text)
{
    struct wfp_call call = { .operation = WFP_SECURITY_SET, .container = container, .text = text };

    return wfp_run(wfp, &call);
}

/* Null: the call failed with 'expected'. */
static char *
get_security(struct wfp *wfp, enum ipsec_container container, enum ipsec_status expected)
{
    struct wfp_call call = { .operation = WFP_SECURITY_GET, .container = container };

    WFP_ASSERT(wfp_run(wfp, &call), expected);
    return call.text_out;
}

static void
security_is(struct wfp *wfp, enum ipsec_container container, const char *expected)
{
    char *text = get_security(wfp, container, IPSEC_OK);

    assert_string_equal(text, expected);
    free(text);
}

/* The engine keeps the text as it is: what it says is for whoever grants rights. */
static void
what_was_set_is_read(void **state)
{
    const enum ipsec_container container = *(const enum ipsec_container *)*state;
    struct wfp wfp;
    const struct ipsec_engine_options options = wfp_options();

    wfp_open(&wfp, &options);
    security_is(&wfp, container, WFP_OPERATORS_DESCRIPTOR);
    WFP_ASSERT(set_security(&wfp, container, "one"), IPSEC_OK);
    WFP_ASSERT(set_security(&wfp, container, "two"), IPSEC_OK);
    for (unsigned i = 0; i < IPSEC_CONTAINER_COUNT; i++)
        security_is(&wfp, (enum ipsec_container)i,
                    i == (unsigned)container ? "two" : WFP_OPERATORS_DESCRIPTOR);
    WFP_ASSERT(set_security(&wfp, container, NULL), IPSEC_OK);
    security_is(&wfp, container, WFP_OPERATORS_DESCRIPTOR);
    wfp_close(&wfp);
}

static void
rights_on_the_container_decide(void **state)
{
    const enum ipsec_container container = *(const enum ipsec_container *)*state;
    struct wfp wfp;
    const struct ipsec_engine_options options = wfp_options();

    wfp_open(&wfp, &options);
    uint32_t *granted = &wfp.rights.granted[container];
    *granted = ~(uint32_t)RIGHT_READ_CONTROL;
    WFP_ASSERT(set_security(&wfp, container, "set"), IPSEC_OK);
    assert_null(get_security(&wfp, container, IPSEC_ACCESS_DENIED));
    *granted = ~(uint32_t)RIGHT_WRITE_DAC;
    security_is(&wfp, container, "set");
    WFP_ASSERT(set_security(&wfp, container, "other"), IPSEC_ACCESS_DENIED);
    WFP_ASSERT(set_security(&wfp, container, NULL), IPSEC_ACCESS_DENIED);
    security_is(&wfp, container, "set");
    wfp_close(&wfp);
}

/* WFP's general rule of section 6.2: in a transaction first, then in a dynamic session. */
static void
not_in_a_transaction_nor_a_dynamic_session(void **state)
{
    const enum ipsec_container container = *(const enum ipsec_container *)*state;
    struct wfp wfp;
    const struct ipsec_engine_options options = wfp_options();

    wfp_open(&wfp, &options);
    (void)wfp_enter(&wfp, WFP_DYNAMIC);
    WFP_ASSERT(set_security(&wfp, container, "set"), IPSEC_DYNAMIC_SESSION_IN_PROGRESS);
    WFP_ASSERT(wfp_begin(&wfp, true), IPSEC_OK);
    WFP_ASSERT(set_security(&wfp, container, "set"), IPSEC_TXN_IN_PROGRESS);
    security_is(&wfp, container, WFP_OPERATORS_DESCRIPTOR);
    wfp_close(&wfp);
}

/* --- 11: contexts have no descriptor of their own -----------------------------------------------
 */

static void
who_may_delete_one_context_may_delete_all(void **state)
{
    struct wfp *wfp = *state;

    wfp->principal = "uri:spiffe://example.org/somebody-else";
    memset(&wfp->rights, 0, sizeof wfp->rights);
    wfp->rights.granted[IPSEC_CONTAINER_SA_DATABASE] = RIGHT_DELETE;
    for (unsigned i = 0; i <= IPSEC_SA_CONTEXT_EXPIRING; i++)
        WFP_ASSERT(wfp_call(wfp, WFP_DELETE_BY_ID, wfp->contexts[i]), IPSEC_OK);
}

static void
rights_on_another_container_are_none(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_traffic traffic = wfp_traffic(wfp);
    struct ipsec_rights *rights = &wfp->rights;

    rights->granted[IPSEC_CONTAINER_SA_DATABASE] = 0;
    WFP_ASSERT(wfp_create(wfp, &traffic, NULL), IPSEC_ACCESS_DENIED);
    WFP_ASSERT(wfp_call(wfp, WFP_DELETE_BY_ID, wfp->contexts[0]), IPSEC_ACCESS_DENIED);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_GET, wfp->outbound_filter), IPSEC_OK);
}

/* --- 6.3: what is built in ----------------------------------------------------------------------
 */

static const struct {
    enum ipsec_builtin_kind kind;
    const char *name;
    struct ipsec_guid key;
    enum ipsec_status not_found;
} kinds[] = {
    { IPSEC_BUILTIN_PROVIDER,
      "FwpmProviderDeleteByKey0",
      { { 0x10, 0xad, 0x92, 0x16, 0xcc, 0xde, 0x45, 0x6c, 0x8b, 0x16, 0xe9, 0xf0, 0x4e, 0x60, 0xa9,
          0x0b } },
      IPSEC_PROVIDER_NOT_FOUND },
    { IPSEC_BUILTIN_LAYER,
      "deleting a layer",
      { { 0x59, 0x26, 0xdf, 0xc8, 0xe3, 0xcf, 0x44, 0x26, 0xa2, 0x83, 0xdc, 0x39, 0x3f, 0x5d, 0x0f,
          0x9d } },
      IPSEC_LAYER_NOT_FOUND },
    { IPSEC_BUILTIN_SUB_LAYER,
      "FwpmSubLayerDeleteByKey0",
      { { 0x83, 0xf2, 0x99, 0xed, 0x9f, 0xf4, 0x49, 0x67, 0xaf, 0xf4, 0xc3, 0x09, 0xf4, 0xda, 0xb8,
          0x27 } },
      IPSEC_SUBLAYER_NOT_FOUND },
    { IPSEC_BUILTIN_CALLOUT,
      "FwpmCalloutDeleteByKey0",
      { { 0x70, 0xa4, 0x19, 0x6c, 0x83, 0x5b, 0x4f, 0xb0, 0x98, 0xe8, 0x07, 0x5f, 0x4d, 0x97, 0x7d,
          0x46 } },
      IPSEC_CALLOUT_NOT_FOUND },
};

static void
what_is_built_in_stays(void **state)
{
    const size_t row = *(const size_t *)*state;
    const struct ipsec_engine_options options = wfp_options();
    struct wfp_call call = { .operation = WFP_BUILTIN_DELETE,
                             .kind = kinds[row].kind,
                             .key = kinds[row].key };
    struct wfp wfp;

    wfp_open(&wfp, &options);
    WFP_ASSERT(wfp_run(&wfp, &call), IPSEC_BUILTIN_OBJECT);
    (void)wfp_enter(&wfp, WFP_STATIC);
    WFP_ASSERT(wfp_begin(&wfp, true), IPSEC_OK);
    WFP_ASSERT(wfp_run(&wfp, &call), IPSEC_INCOMPATIBLE_TXN);
    wfp_leave(&wfp);
    call.key.bytes[0] ^= 1;
    WFP_ASSERT(wfp_run(&wfp, &call), kinds[row].not_found);
    wfp.rights.granted[IPSEC_CONTAINER_FILTERS] = ~(uint32_t)RIGHT_DELETE;
    WFP_ASSERT(wfp_run(&wfp, &call), IPSEC_ACCESS_DENIED);
    wfp_close(&wfp);
}

int
main(void)
{
    static const size_t numbers[] = { 0, 1, 2, 3 };
    struct wfp_suite suite = { .count = 0 };

    for (size_t i = 0; i < IPSEC_CONTAINER_COUNT; i++) {
        const char *name = container_names[containers[i]];

        wfp_case(&suite, what_was_set_is_read, &containers[i],
                 "%s: GetSecurityInfo reads what SetSecurityInfo set, and no other has it", name);
        wfp_case(&suite, rights_on_the_container_decide, &containers[i],
                 "%s: GetSecurityInfo without READ_CONTROL, SetSecurityInfo without WRITE_DAC: "
                 "ERROR_ACCESS_DENIED",
                 name);
        wfp_case(&suite, not_in_a_transaction_nor_a_dynamic_session, &containers[i],
                 "%s: SetSecurityInfo: FWP_E_TXN_IN_PROGRESS, FWP_E_DYNAMIC_SESSION_IN_PROGRESS",
                 name);
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        wfp_case(&suite, what_is_built_in_stays, &numbers[i], "%s: FWP_E_BUILTIN_OBJECT; none: %s",
                 kinds[i].name, ipsec_status_name(kinds[i].not_found));
    wfp_sentence(&suite, who_may_delete_one_context_may_delete_all,
                 "one descriptor for the database: who may delete one context may delete all");
    wfp_sentence(&suite, rights_on_another_container_are_none,
                 "rights on filters are none on SA contexts: ERROR_ACCESS_DENIED");
    return wfp_run_suite(&suite, "WFP security descriptors and what is built in");
}
