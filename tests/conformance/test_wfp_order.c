/* SPDX-License-Identifier: Apache-2.0
 *
 * test_wfp_order.c: the order of checks (specification section 12).  Each case has two things wrong
 * with one call; the answer names the one of the earlier step. */
#include <string.h>

#include "tests/conformance/wfp.h"

/* What can be wrong, in the order of the steps that find it. */
enum flaw {
    UNKNOWN_SESSION = 0, /* step 2 */
    TRANSACTION,         /* 3 */
    DYNAMIC_SESSION,     /* 4 */
    NO_RIGHT,            /* 5 */
    MISSING_MEMBER,      /* 6 */
    BAD_VALUE,           /* 7 */
    UNKNOWN_OBJECT,      /* 8 */
    UNKNOWN_REFERENCE,   /* 9 */
    WRONG_REFERENCE,     /* 9 */
    WRONG_MEANING,       /* 10 */
    WRONG_STATE,         /* 11 */
    FLAW_COUNT
};
static const char *const flaw_names[FLAW_COUNT] = {
    "an unknown session", "a transaction",        "a dynamic session",
    "a missing right",    "a missing member",     "a bad value",
    "an unknown object",  "an unknown reference", "a reference that does not suit",
    "a wrong meaning",    "a wrong state",
};

/* What a call answers to each flaw; IPSEC_OK: it can't have it. */
static const struct {
    enum wfp_operation operation;
    enum ipsec_status statuses[FLAW_COUNT];
} calls[] = {
    { WFP_CREATE,
      { [UNKNOWN_SESSION] = IPSEC_INVALID_HANDLE,
        [TRANSACTION] = IPSEC_TXN_IN_PROGRESS,
        [DYNAMIC_SESSION] = IPSEC_DYNAMIC_SESSION_IN_PROGRESS,
        [NO_RIGHT] = IPSEC_ACCESS_DENIED,
        [MISSING_MEMBER] = IPSEC_NULL_POINTER,
        [BAD_VALUE] = IPSEC_INVALID_ENUMERATOR,
        [UNKNOWN_REFERENCE] = IPSEC_FILTER_NOT_FOUND,
        [WRONG_REFERENCE] = IPSEC_INCOMPATIBLE_LAYER,
        [WRONG_MEANING] = IPSEC_INVALID_PARAMETER } },
    { WFP_SET_SPI,
      { [UNKNOWN_SESSION] = IPSEC_INVALID_HANDLE,
        [TRANSACTION] = IPSEC_TXN_IN_PROGRESS,
        [NO_RIGHT] = IPSEC_ACCESS_DENIED,
        [BAD_VALUE] = IPSEC_OUT_OF_BOUNDS,
        [UNKNOWN_OBJECT] = IPSEC_NOT_FOUND,
        [UNKNOWN_REFERENCE] = IPSEC_FILTER_NOT_FOUND,
        [WRONG_REFERENCE] = IPSEC_INCOMPATIBLE_LAYER,
        [WRONG_MEANING] = IPSEC_TRAFFIC_MISMATCH,
        [WRONG_STATE] = IPSEC_INCOMPATIBLE_SA_STATE } },
    { WFP_GET_SPI,
      { [UNKNOWN_SESSION] = IPSEC_INVALID_HANDLE,
        [TRANSACTION] = IPSEC_TXN_IN_PROGRESS,
        [NO_RIGHT] = IPSEC_ACCESS_DENIED,
        [UNKNOWN_OBJECT] = IPSEC_NOT_FOUND,
        [UNKNOWN_REFERENCE] = IPSEC_FILTER_NOT_FOUND,
        [WRONG_REFERENCE] = IPSEC_INCOMPATIBLE_LAYER,
        [WRONG_MEANING] = IPSEC_TRAFFIC_MISMATCH,
        [WRONG_STATE] = IPSEC_INCOMPATIBLE_SA_STATE } },
    { WFP_ADD_INBOUND,
      { [UNKNOWN_SESSION] = IPSEC_INVALID_HANDLE,
        [TRANSACTION] = IPSEC_TXN_IN_PROGRESS,
        [NO_RIGHT] = IPSEC_ACCESS_DENIED,
        [MISSING_MEMBER] = IPSEC_NULL_POINTER,
        [BAD_VALUE] = IPSEC_INVALID_ENUMERATOR,
        [UNKNOWN_OBJECT] = IPSEC_NOT_FOUND,
        [WRONG_MEANING] = IPSEC_INVALID_FLAGS,
        [WRONG_STATE] = IPSEC_INCOMPATIBLE_SA_STATE } },
    { WFP_ADD_OUTBOUND,
      { [UNKNOWN_SESSION] = IPSEC_INVALID_HANDLE,
        [TRANSACTION] = IPSEC_TXN_IN_PROGRESS,
        [NO_RIGHT] = IPSEC_ACCESS_DENIED,
        [MISSING_MEMBER] = IPSEC_NULL_POINTER,
        [BAD_VALUE] = IPSEC_INVALID_ENUMERATOR,
        [UNKNOWN_OBJECT] = IPSEC_NOT_FOUND,
        [WRONG_MEANING] = IPSEC_INVALID_FLAGS,
        [WRONG_STATE] = IPSEC_INCOMPATIBLE_SA_STATE } },
    { WFP_UPDATE,
      { [UNKNOWN_SESSION] = IPSEC_INVALID_HANDLE,
        [TRANSACTION] = IPSEC_TXN_IN_PROGRESS,
        [NO_RIGHT] = IPSEC_ACCESS_DENIED,
        [BAD_VALUE] = IPSEC_INVALID_FLAGS,
        [UNKNOWN_OBJECT] = IPSEC_NOT_FOUND,
        [WRONG_MEANING] = IPSEC_TRAFFIC_MISMATCH,
        [WRONG_STATE] = IPSEC_INCOMPATIBLE_SA_STATE } },
    { WFP_EXPIRE,
      { [UNKNOWN_SESSION] = IPSEC_INVALID_HANDLE,
        [TRANSACTION] = IPSEC_TXN_IN_PROGRESS,
        [NO_RIGHT] = IPSEC_ACCESS_DENIED,
        [UNKNOWN_OBJECT] = IPSEC_NOT_FOUND } },
    { WFP_DELETE_BY_ID,
      { [UNKNOWN_SESSION] = IPSEC_INVALID_HANDLE,
        [TRANSACTION] = IPSEC_TXN_IN_PROGRESS,
        [DYNAMIC_SESSION] = IPSEC_DYNAMIC_SESSION_IN_PROGRESS,
        [NO_RIGHT] = IPSEC_ACCESS_DENIED,
        [UNKNOWN_OBJECT] = IPSEC_NOT_FOUND } },
    { WFP_GET_STATISTICS,
      { [UNKNOWN_SESSION] = IPSEC_INVALID_HANDLE,
        [TRANSACTION] = IPSEC_TXN_IN_PROGRESS,
        [NO_RIGHT] = IPSEC_ACCESS_DENIED } },
    { WFP_FILTER_ADD,
      { [UNKNOWN_SESSION] = IPSEC_INVALID_HANDLE,
        [NO_RIGHT] = IPSEC_ACCESS_DENIED,
        [MISSING_MEMBER] = IPSEC_NULL_DISPLAY_NAME,
        [BAD_VALUE] = IPSEC_INVALID_WEIGHT } },
    { WFP_FILTER_DELETE,
      { [UNKNOWN_SESSION] = IPSEC_INVALID_HANDLE,
        [NO_RIGHT] = IPSEC_ACCESS_DENIED,
        [UNKNOWN_OBJECT] = IPSEC_FILTER_NOT_FOUND } },
};

struct pair {
    size_t call; /* its row */
    enum flaw first;
    enum flaw second;
};

/* --- Making a call that has some flaws --- */

#define HAS(flaws, flaw) (((flaws) & (1u << (flaw))) != 0)

static void
spoil_caller(struct wfp *wfp, unsigned flaws)
{
    if (HAS(flaws, TRANSACTION) || HAS(flaws, DYNAMIC_SESSION))
        (void)wfp_enter(wfp, HAS(flaws, DYNAMIC_SESSION) ? WFP_DYNAMIC : WFP_STATIC);
    if (HAS(flaws, TRANSACTION))
        WFP_ASSERT(wfp_begin(wfp, false), IPSEC_OK);
    if (HAS(flaws, UNKNOWN_SESSION)) {
        wfp->session = (struct ipsec_guid){ .bytes = { 1, 2, 3 } };
        wfp->in_session = true;
    }
    if (HAS(flaws, NO_RIGHT)) {
        wfp->rights.granted[IPSEC_CONTAINER_SA_DATABASE] = 0;
        wfp->rights.granted[IPSEC_CONTAINER_FILTERS] &= FWPM_ACTRL_READ;
    }
}

static void
spoil_traffic(struct ipsec_traffic *traffic, unsigned flaws, uint64_t wrong_filter)
{
    if (HAS(flaws, UNKNOWN_REFERENCE))
        traffic->ipsec_filter_id = 999999;
    else if (HAS(flaws, WRONG_REFERENCE))
        traffic->ipsec_filter_id = wrong_filter;
    if (HAS(flaws, MISSING_MEMBER))
        traffic->ipsec_filter_id = 0;
    if (HAS(flaws, BAD_VALUE))
        traffic->ip_version = 9;
    if (HAS(flaws, WRONG_MEANING))
        traffic->remote_address = wfp_address("224.0.0.1");
}

static void
spoil_bundle(struct ipsec_sa_bundle_input *bundle, unsigned flaws)
{
    if (HAS(flaws, MISSING_MEMBER))
        secret_clear(&bundle->keys[0].cipher);
    if (HAS(flaws, BAD_VALUE))
        bundle->bundle.pfs_group = IPSEC_PFS_COUNT;
    if (HAS(flaws, WRONG_MEANING))
        bundle->bundle.flags = IPSEC_SA_BUNDLE_CLEAR_DF_ON_TUNNEL;
}

/* A context in the state that the call wants, or in one that it does not. */
static uint64_t
context_for(const struct wfp *wfp, enum wfp_operation operation, bool wrong)
{
    static const struct {
        uint8_t right;
        uint8_t wrong;
    } states[WFP_OPERATION_COUNT] = {
        [WFP_GET_SPI] = { IPSEC_SA_CONTEXT_CREATED, IPSEC_SA_CONTEXT_ACTIVE },
        [WFP_SET_SPI] = { IPSEC_SA_CONTEXT_CREATED, IPSEC_SA_CONTEXT_ACTIVE },
        [WFP_ADD_INBOUND] = { IPSEC_SA_CONTEXT_SPI_SET, IPSEC_SA_CONTEXT_CREATED },
        [WFP_ADD_OUTBOUND] = { IPSEC_SA_CONTEXT_INBOUND, IPSEC_SA_CONTEXT_SPI_SET },
        [WFP_UPDATE] = { IPSEC_SA_CONTEXT_ACTIVE, IPSEC_SA_CONTEXT_CREATED },
    };

    return wfp->contexts[wrong ? states[operation].wrong : states[operation].right];
}

static enum ipsec_status
call_with(struct wfp *wfp, enum wfp_operation operation, unsigned flaws)
{
    bool is_create = operation == WFP_CREATE;
    bool is_filter = operation == WFP_FILTER_DELETE;
    const struct ipsec_filter v6_filter = wfp_filter(IPSEC_LAYER_INBOUND_TRANSPORT_V6);
    struct ipsec_filter filter = wfp_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    struct ipsec_traffic traffic = wfp_traffic(wfp);
    struct ipsec_sa_context_update update = { .parts = IPSEC_UPDATE_TRAFFIC, .traffic = traffic };
    uint64_t context = context_for(wfp, operation, HAS(flaws, WRONG_STATE));
    uint64_t v6_id = wfp_add_filter(wfp, &v6_filter);
    struct ipsec_sa_bundle_input bundle = wfp_bundle(wfp_spi(wfp, context), 77);

    if (!is_create)
        traffic = (struct ipsec_traffic){ .ipsec_filter_id = wfp->inbound_filter };
    if (bundle.bundle.sas[0].spi == 0 || operation == WFP_ADD_OUTBOUND)
        bundle.bundle.sas[0].spi = 0xabcdef01;
    spoil_traffic(&traffic, is_create ? flaws : flaws & ~(1u << BAD_VALUE), v6_id);
    spoil_bundle(&bundle, flaws);
    if (HAS(flaws, MISSING_MEMBER))
        filter.name = NULL;
    if (HAS(flaws, BAD_VALUE)) {
        filter.weight_type = IPSEC_WEIGHT_RANGE;
        filter.weight = 16;
        update.inbound_parts = 0x80;
    }
    if (HAS(flaws, WRONG_MEANING))
        update.traffic.ip_version = IPSEC_IP_VERSION_V6;

    struct wfp_call call = {
        .operation = operation,
        .id = HAS(flaws, UNKNOWN_OBJECT) ? 999999
              : is_filter                ? v6_id
                                         : context,
        .spi = operation == WFP_SET_SPI && HAS(flaws, BAD_VALUE) ? 255 : 0x4711,
        .traffic = &traffic,
        .filter = &filter,
        .update = &update,
        .bundle = &bundle,
    };
    spoil_caller(wfp, flaws);
    enum ipsec_status status = wfp_run(wfp, &call);
    wfp_clear(&call);
    wfp_clear_bundle(&bundle);
    return status;
}

static void
run_pair(void **state)
{
    const struct pair *pair = *state;
    void *furnished = NULL;

    assert_int_equal(wfp_setup(&furnished), 0);
    WFP_ASSERT(
        call_with(furnished, calls[pair->call].operation, 1u << pair->first | 1u << pair->second),
        calls[pair->call].statuses[pair->first]);
    (void)wfp_teardown(&furnished);
}

/* A transaction of a dynamic session is both; an unknown session is neither.  One reference is
 * either unknown or does not suit. */
static bool
go_together(enum wfp_operation operation, enum flaw first, enum flaw second)
{
    if (first == UNKNOWN_REFERENCE && second == WRONG_REFERENCE)
        return false;
    /* The filter that is missing can't be unknown. */
    if (operation == WFP_CREATE && first == MISSING_MEMBER)
        return second != UNKNOWN_REFERENCE && second != WRONG_REFERENCE;
    return true;
}

int
main(void)
{
    static struct pair pairs[sizeof calls / sizeof *calls * FLAW_COUNT * FLAW_COUNT];
    struct wfp_suite suite = { .count = 0 };
    struct pair *next = pairs;

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const enum ipsec_status *statuses = calls[i].statuses;

        for (unsigned first = 0; first < FLAW_COUNT; first++) {
            for (unsigned second = first; second < FLAW_COUNT; second++) {
                if (statuses[first] == IPSEC_OK || statuses[second] == IPSEC_OK ||
                    !go_together(calls[i].operation, (enum flaw)first, (enum flaw)second))
                    continue;
                *next = (struct pair){ i, (enum flaw)first, (enum flaw)second };
                if (first == second)
                    wfp_case(&suite, run_pair, next, "%s with %s: %s", wfp_name(calls[i].operation),
                             flaw_names[first], ipsec_status_name(statuses[first]));
                else
                    wfp_case(&suite, run_pair, next, "%s with %s and %s: %s",
                             wfp_name(calls[i].operation), flaw_names[first], flaw_names[second],
                             ipsec_status_name(statuses[first]));
                next++;
            }
        }
    }
    return wfp_run_suite(&suite, "WFP order of checks");
}
