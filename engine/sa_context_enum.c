/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_context_enum.c: listing SA contexts. */
#include <stdlib.h>

#include "engine/classify.h"
#include "engine/engine.h"
#include "engine/sa_context.h"
#include "engine/sa_labels.h"
#include "engine/state.h"

static enum ipsec_status
check_subnet(struct ipsec_session *session, const struct ipsec_subnet *subnet, const char *name);
static enum ipsec_status find_by_spi(struct ipsec_session *session,
                                     const struct ipsec_sa_context_template *match,
                                     uint64_t after,
                                     struct ipsec_sa_context_page *page);
static enum ipsec_status walk(struct ipsec_session *session,
                              const struct ipsec_sa_context_template *match,
                              uint64_t after,
                              size_t limit,
                              struct ipsec_sa_context_page *page);
static bool matches(const struct ipsec_sa_context *context,
                    const struct ipsec_sa_context_template *match);

enum ipsec_status
ipsec_sa_context_enum(struct ipsec_session *session,
                      const struct ipsec_sa_context_template *match,
                      uint64_t after,
                      size_t limit,
                      struct ipsec_sa_context_page *page_out)
{
    enum ipsec_status status;

    *page_out = (struct ipsec_sa_context_page){ .sequence = state_sequence(session->state) };
    status = session_check_right(session, IPSEC_CONTAINER_SA_DATABASE,
                                 FWPM_ACTRL_ENUM | FWPM_ACTRL_READ);
    if (status != IPSEC_OK)
        return status;
    status = sa_context_check_template(session, match);
    if (status != IPSEC_OK)
        return status;
    if (limit == 0)
        return ipsec_fault_set(session->fault, IPSEC_OUT_OF_BOUNDS, IPSEC_FAULT_QUERY, "limit",
                               "a page has at least one place");
    return match->spi != 0 ? find_by_spi(session, match, after, page_out)
                           : walk(session, match, after, limit, page_out);
}

void
ipsec_sa_context_page_clear(struct ipsec_sa_context_page *page)
{
    for (size_t i = 0; i < page->context_count; i++)
        ipsec_sa_context_unref(&page->contexts[i]);
    free(page->contexts);
    *page = (struct ipsec_sa_context_page){ .context_count = 0 };
}

enum ipsec_status
sa_context_check_template(struct ipsec_session *session,
                          const struct ipsec_sa_context_template *match)
{
    enum ipsec_status status;

    status = check_subnet(session, &match->local_subnet, "localAddress");
    if (status != IPSEC_OK)
        return status;
    status = check_subnet(session, &match->remote_subnet, "remoteAddress");
    if (status != IPSEC_OK)
        return status;
    if (match->state_given && match->state >= IPSEC_SA_CONTEXT_STATE_COUNT)
        return ipsec_fault_set(session->fault, IPSEC_INVALID_ENUMERATOR, IPSEC_FAULT_QUERY, "state",
                               "no state has this number");
    if (match->traffic_type_given && match->traffic_type > IPSEC_TRAFFIC_TYPE_TUNNEL)
        return ipsec_fault_set(session->fault, IPSEC_INVALID_ENUMERATOR, IPSEC_FAULT_QUERY,
                               "trafficType", "is neither transport nor tunnel");
    if (match->local_subnet.given && match->remote_subnet.given &&
        match->local_subnet.ip_version != match->remote_subnet.ip_version)
        return ipsec_fault_set(session->fault, IPSEC_NEVER_MATCH, IPSEC_FAULT_QUERY,
                               "remoteAddress", "the two addresses differ in IP version");
    return IPSEC_OK;
}

bool
sa_context_in_subnet(const struct ipsec_subnet *subnet,
                     uint8_t ip_version,
                     const struct ipsec_address *address)
{
    return !subnet->given || (ip_version == subnet->ip_version &&
                              address_matches(address, &subnet->address, subnet->prefix_length));
}

static enum ipsec_status
check_subnet(struct ipsec_session *session, const struct ipsec_subnet *subnet, const char *name)
{
    if (!subnet->given)
        return IPSEC_OK;
    if (subnet->ip_version != IPSEC_IP_VERSION_V4 && subnet->ip_version != IPSEC_IP_VERSION_V6)
        return ipsec_fault_set(session->fault, IPSEC_INVALID_ENUMERATOR, IPSEC_FAULT_QUERY, name,
                               "is neither an IPv4 nor an IPv6 address");
    if (subnet->prefix_length > (subnet->ip_version == IPSEC_IP_VERSION_V4 ? 32 : 128))
        return ipsec_fault_set(session->fault, IPSEC_INVALID_NET_MASK, IPSEC_FAULT_QUERY, name,
                               "the prefix is longer than the address");
    return IPSEC_OK;
}

/* There is at most one. */
static enum ipsec_status
find_by_spi(struct ipsec_session *session,
            const struct ipsec_sa_context_template *match,
            uint64_t after,
            struct ipsec_sa_context_page *page)
{
    struct engine_state *state = session->state;
    uint64_t id = spi_table_owner(&state->sa.spis, match->spi);

    if (id <= after || !matches(sa_find(state, id), match))
        return IPSEC_OK;
    page->contexts = malloc(sizeof *page->contexts);
    if (page->contexts == NULL)
        return session_no_memory(session);
    page->contexts[page->context_count++] = sa_copy(state, sa_find(state, id));
    return IPSEC_OK;
}

static enum ipsec_status
walk(struct ipsec_session *session,
     const struct ipsec_sa_context_template *match,
     uint64_t after,
     size_t limit,
     struct ipsec_sa_context_page *page)
{
    struct engine_state *state = session->state;
    const struct id_table *contexts = &state->contexts;
    size_t budget = state_scan_budget(state);
    size_t room = limit < budget ? limit : budget;

    room = room < contexts->count ? room : contexts->count;
    if (room == 0)
        return IPSEC_OK;
    page->contexts = malloc(room * sizeof *page->contexts);
    if (page->contexts == NULL)
        return session_no_memory(session);

    struct id_table_cursor cursor = id_table_seek(contexts, after);
    for (size_t looked_at = 0; looked_at <= budget; looked_at++) {
        const struct ipsec_sa_context *context = id_table_next(contexts, &cursor);

        if (context == NULL) {
            page->next = 0;
            break;
        }
        if (page->context_count == room || looked_at == budget)
            break;
        page->next = context->id;
        state->scanned++;
        if (matches(context, match))
            page->contexts[page->context_count++] = sa_copy(state, context);
    }
    return IPSEC_OK;
}

static bool
matches(const struct ipsec_sa_context *context, const struct ipsec_sa_context_template *match)
{
    const struct ipsec_traffic *traffic = &context->outbound_traffic;

    if ((match->state_given && context->state != match->state) ||
        (match->traffic_type_given && traffic->type != match->traffic_type) ||
        (match->spi != 0 && context->spi != match->spi))
        return false;
    if (!sa_context_in_subnet(&match->local_subnet, traffic->ip_version, &traffic->local_address) ||
        !sa_context_in_subnet(&match->remote_subnet, traffic->ip_version, &traffic->remote_address))
        return false;
    return sa_labels_match(context->labels, match->labels);
}
