/* SPDX-License-Identifier: Apache-2.0
 *
 * plane_mark.c: see plane_mark.h. */
#include "engine/plane_mark.h"

#include <stdio.h>
#include <string.h>

enum { PLACE_SIZE = 320 };

static void describe(const struct store_plane *mark, char text[PLACE_SIZE]);

enum ipsec_status
plane_mark_of(const struct ipsec_engine_options *options,
              const struct plane_ops *plane_ops,
              struct ipsec_fault *fault,
              struct store_plane *mark_out)
{
    const char *uri = options->plane_uri == NULL ? "none" : options->plane_uri;
    const char *argument = "";
    const struct plane_ops *ops = plane_ops != NULL ? plane_ops : plane_find(uri, &argument);
    struct plane_identity identity = { .instance = 0 };

    *mark_out = (struct store_plane){ .name = "" };
    if (ops == NULL)
        return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, "plane",
                               "\"%s\" names no data plane", uri);
    if (ops->identify == NULL)
        return IPSEC_OK;
    enum ipsec_status status = ops->identify(argument, fault, &identity);
    if (status != IPSEC_OK)
        return status;
    /* The one that the plane enters lies in no other; else it is where the process is. */
    const char *netns = identity.netns[0] == '\0' && options->plane_netns != NULL
                            ? options->plane_netns
                            : identity.netns;
    if (strlen(netns) > STORE_PLANE_NETNS_MAX)
        return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, "netns",
                               "the name of the network namespace is too long");
    mark_out->instance = identity.instance;
    (void)snprintf(mark_out->name, sizeof mark_out->name, "%s", ops->name);
    (void)snprintf(mark_out->netns, sizeof mark_out->netns, "%s", netns);
    return IPSEC_OK;
}

enum ipsec_status
plane_mark_check(const struct store_plane *remembered,
                 const struct store_plane *own,
                 struct ipsec_fault *fault)
{
    const char *option = NULL;
    char old_text[PLACE_SIZE];
    char own_text[PLACE_SIZE];

    if (remembered->name[0] == '\0')
        return IPSEC_OK;
    if (strcmp(remembered->name, own->name) != 0)
        option = "plane";
    else if (remembered->instance != own->instance)
        option = "plane-instance";
    else if (strcmp(remembered->netns, own->netns) != 0)
        option = "netns";
    else
        return IPSEC_OK;
    describe(remembered, old_text);
    describe(own, own_text);
    return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, option,
                           "put %s back, or clear the kernel with --flush: it may have SAs and "
                           "policies of this store under %s, which %s would leave behind",
                           option, old_text, own_text);
}

enum ipsec_status
plane_mark_read(const struct store_ops *ops,
                struct store *store,
                struct ipsec_fault *fault,
                struct store_plane *mark_out)
{
    *mark_out = (struct store_plane){ .name = "" };
    return ops->read_plane == NULL ? IPSEC_OK : ops->read_plane(store, mark_out, fault);
}

enum ipsec_status
plane_mark_put(const struct store_ops *ops,
               struct store *store,
               const struct store_plane *own,
               struct ipsec_fault *fault)
{
    struct store_plane remembered;

    if (ops->write_plane == NULL)
        return IPSEC_OK;
    enum ipsec_status status = plane_mark_read(ops, store, fault, &remembered);
    if (status == IPSEC_OK)
        status = plane_mark_check(&remembered, own, fault);
    if (status != IPSEC_OK || strcmp(remembered.name, own->name) == 0)
        return status;
    return ops->write_plane(store, own, fault);
}

enum ipsec_status
plane_mark_forget(const struct store_ops *ops, struct store *store, struct ipsec_fault *fault)
{
    static const struct store_plane none;
    struct store_plane remembered;

    if (ops->write_plane == NULL)
        return IPSEC_OK;
    enum ipsec_status status = plane_mark_read(ops, store, fault, &remembered);
    if (status != IPSEC_OK || remembered.name[0] == '\0')
        return status;
    return ops->write_plane(store, &none, fault);
}

static void
describe(const struct store_plane *mark, char text[PLACE_SIZE])
{
    if (mark->name[0] == '\0')
        (void)snprintf(text, PLACE_SIZE, "none");
    else if (mark->netns[0] == '\0')
        (void)snprintf(text, PLACE_SIZE, "%s, instance %u", mark->name, mark->instance);
    else
        (void)snprintf(text, PLACE_SIZE, "%s, instance %u, netns %s", mark->name, mark->instance,
                       mark->netns);
}
