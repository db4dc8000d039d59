/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_query.c: the query of every list: refused with a reason, or within its bounds.  The first
 * byte is the route. */
#include "api/query.h"
#include "api/resource.h"
#include "api/router.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const struct api_route *route = router_route(data[0] % router_route_count());
    char *query = fuzz_text(data + 1, size - 1);
    void *object = calloc(1, route->in_size + 1);
    struct ipsec_fault fault = { .status = IPSEC_OK };

    fuzz_check(object != NULL);
    if (route->body == NULL) {
        const struct query_part part = { .object = route->query, .out = object };
        enum ipsec_status status = query_decode(&part, 1, query, &fault);

        fuzz_check(status == IPSEC_OK || fault.status == status);
        fuzz_check(route->query != NULL || query[0] == '\0' || status != IPSEC_OK);
        if (status == IPSEC_OK && route->query == &codec_sa_context_query) {
            const struct sa_context_query *read = object;

            fuzz_check(read->page.limit >= 1 && read->page.limit <= LIST_LIMIT_MAXIMUM);
            fuzz_check(read->labels.count <= IPSEC_LABELS_MAX &&
                       read->page.after <= IPSEC_LUID_MAX);
        }
    }
    free(object);
    free(query);
    return 0;
}
