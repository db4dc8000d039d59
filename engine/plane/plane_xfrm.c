/* SPDX-License-Identifier: Apache-2.0
 *
 * plane_xfrm.c: the Linux kernel as data plane. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <linux/xfrm.h>

#include "engine/base/log.h"
#include "engine/plane/network_namespace.h"
#include "engine/plane/xfrm_bundle.h"
#include "engine/plane/xfrm_bypass.h"
#include "engine/plane/xfrm_filter.h"
#include "engine/plane/xfrm_owner.h"
#include "engine/plane/xfrm_plane.h"

#define NAMESPACE_MAX 255
#define EXPIRE_GROUP (1U << (XFRMNLGRP_EXPIRE - 1))

struct settings {
    char namespace[NAMESPACE_MAX + 1]; /* "": the process's own */
    uint32_t instance;
};

static enum ipsec_status
parse(const char *argument, struct settings *settings_out, struct ipsec_fault *fault);
static enum ipsec_status
open_sockets(struct plane *plane, const struct settings *settings, struct ipsec_fault *fault);
static enum ipsec_status take_place(struct plane *plane, struct ipsec_fault *fault);
static int bind_place(void *context);
static void read_event(void *context, const struct nlmsghdr *message, size_t size);

static void
xfrm_close(struct plane *plane)
{
    if (plane == NULL)
        return;
    netlink_close(plane->requests);
    netlink_close(plane->events);
    netlink_close(plane->changes);
    if (plane->place_fd >= 0)
        close(plane->place_fd);
    xfrm_stat_close(&plane->stat);
    xfrm_udp_close(&plane->udp);
    number_map_clear(&plane->installed);
    number_map_clear(&plane->filters);
    number_map_clear(&plane->found_places);
    xfrm_places_clear(plane);
    free(plane->found);
    free(plane->exemptions);
    free(plane);
}

/* Its sockets, and nobody else has the instance. */
static enum ipsec_status
open_place(const char *argument, struct ipsec_fault *fault, struct plane **plane_out)
{
    struct settings settings = { .instance = 0 };
    struct plane *plane = NULL;
    enum ipsec_status status = parse(argument, &settings, fault);

    *plane_out = NULL;
    if (status != IPSEC_OK)
        return status;
    plane = calloc(1, sizeof *plane);
    if (plane == NULL)
        return IPSEC_RPC_OUT_OF_RESOURCES;
    plane->stat.fd = -1;
    plane->place_fd = -1;
    plane->instance = settings.instance;
    number_map_init(&plane->installed);
    number_map_init(&plane->filters);
    number_map_init(&plane->found_places);
    xfrm_places_init(plane);
    status = open_sockets(plane, &settings, fault);
    if (status == IPSEC_OK)
        status = take_place(plane, fault);
    if (status != IPSEC_OK) {
        xfrm_close(plane);
        return status;
    }
    *plane_out = plane;
    return IPSEC_OK;
}

/* Changes nothing in the kernel. */
static enum ipsec_status
xfrm_open(const char *argument, struct ipsec_fault *fault, struct plane **plane_out)
{
    enum ipsec_status status = open_place(argument, fault, plane_out);

    if (status == IPSEC_OK)
        status = xfrm_probe(*plane_out, fault);
    if (status != IPSEC_OK) {
        xfrm_close(*plane_out);
        *plane_out = NULL;
    }
    return status;
}

static enum ipsec_status
xfrm_clear(const char *argument, struct ipsec_fault *fault, struct plane_removed *removed_out)
{
    struct plane *plane;
    enum ipsec_status status = open_place(argument, fault, &plane);

    *removed_out = (struct plane_removed){ .sas = 0 };
    if (status != IPSEC_OK)
        return status;
    status = xfrm_take_away(plane, removed_out);
    if (status != IPSEC_OK)
        status = ipsec_fault_set(fault, status, IPSEC_FAULT_SERVICE, "plane",
                                 "the kernel may still have SAs and policies of plane-instance "
                                 "%u: %s",
                                 plane->instance, ipsec_status_text(status));
    xfrm_close(plane);
    return status;
}

static enum ipsec_status
xfrm_identify(const char *argument, struct ipsec_fault *fault, struct plane_identity *identity_out)
{
    struct settings settings = { .instance = 0 };
    enum ipsec_status status = parse(argument, &settings, fault);

    *identity_out = (struct plane_identity){ .instance = settings.instance };
    memcpy(identity_out->netns, settings.namespace, sizeof settings.namespace);
    return status;
}

static enum ipsec_status
xfrm_check(const char *argument, struct ipsec_fault *fault)
{
    struct plane *plane;
    enum ipsec_status status = xfrm_open(argument, fault, &plane);

    xfrm_close(plane);
    return status;
}

static void
xfrm_apply(struct plane *plane, struct plane_action *actions, size_t action_count)
{
    size_t first = 0;

    /* Runs of bundles go together; a filter in between is done in its place. */
    for (size_t i = 0; i < action_count; i++) {
        if (actions[i].kind < PLANE_ADD_FILTER)
            continue;
        xfrm_states_apply(plane, actions + first, i - first);
        xfrm_policies_apply(plane, &actions[i]);
        first = i + 1;
    }
    xfrm_states_apply(plane, actions + first, action_count - first);
}

static enum ipsec_status
xfrm_read_counters(struct plane *plane,
                   const struct plane_bundle *what,
                   struct plane_counters *counters_out)
{
    struct kernel_sa states[IPSEC_SA_MAX];
    const char *reason = NULL;
    enum ipsec_status status = xfrm_bundle_states(what, plane->instance, false, states, &reason);

    *counters_out = (struct plane_counters){ .bytes = 0 };
    for (size_t i = 0; status == IPSEC_OK && i < what->bundle->sa_count; i++) {
        const struct kernel_sa_id id = xfrm_msg_id_of(&states[i]);
        struct kernel_sa there;

        status = xfrm_states_ask(plane, &id, &there);
        /* Both SAs of a bundle carry the same packets: the inner one counts. */
        if (status == IPSEC_OK && i == 0)
            *counters_out = xfrm_states_counters(&there);
    }
    return status;
}

static uint32_t
low(uint64_t count)
{
    /* WFP's are 32 bits and wrap. */
    return (uint32_t)count;
}

static void
xfrm_read_statistics(struct plane *plane, struct plane_statistics *statistics_out)
{
    uint64_t counts[XFRM_STAT_COUNT];
    uint64_t dropped = 0;

    xfrm_stat_read(&plane->stat, counts);
    for (size_t i = 0; i < XFRM_STAT_IN_END; i++)
        dropped += counts[i];
    *statistics_out = (struct plane_statistics){
        .drops = {
            .invalid_spis_on_inbound = low(counts[XFRM_STAT_IN_NO_STATES]),
            .decryption_failures_on_inbound = low(counts[XFRM_STAT_IN_STATE_PROTO_ERROR]),
            .replay_check_failures_on_inbound = low(counts[XFRM_STAT_IN_STATE_SEQUENCE_ERROR]),
            .sa_not_initialized_on_inbound = low(counts[XFRM_STAT_ACQUIRE_ERROR]),
        },
        .udp_esp_validation_failures_on_inbound = low(counts[XFRM_STAT_IN_STATE_MISMATCH]),
        .invalid_clear_text_inbound = low(counts[XFRM_STAT_IN_TEMPLATE_MISMATCH] +
                                          counts[XFRM_STAT_IN_POLICY_BLOCK]),
        .receive_over_incorrect_sa_inbound = low(counts[XFRM_STAT_IN_STATE_MODE_ERROR]),
        .secure_receives_not_matching_filters = low(counts[XFRM_STAT_IN_NO_POLICIES]),
        .total_drop_packets_inbound = low(dropped),
    };
    xfrm_traffic_read(plane, statistics_out);
}

static enum ipsec_status
xfrm_check_filter(struct plane *plane, const struct plane_filter *filter, struct ipsec_fault *fault)
{
    struct kernel_policy policies[XFRM_FILTER_POLICIES_MAX];
    size_t count = 0;

    return xfrm_filter_policies(filter, plane->instance, policies, &count, fault);
}

static enum ipsec_status
xfrm_bypass_socket(int fd, uint8_t ip_version)
{
    const char *reason = NULL;

    return xfrm_status_of(xfrm_bypass(fd, ip_version), NULL, NULL, &reason);
}

static int
xfrm_event_fd(const struct plane *plane)
{
    return netlink_fd(plane->events);
}

struct listener {
    struct plane *plane;
    plane_event_sink *sink;
    void *context;
};

static bool
xfrm_read_events(struct plane *plane, plane_event_sink *sink, void *context)
{
    struct listener listener = { .plane = plane, .sink = sink, .context = context };
    int error = netlink_receive(plane->events, read_event, &listener);

    xfrm_udp_tidy(&plane->udp);
    if (error != 0 && error != ENOBUFS)
        log_error("the kernel's events can't be read", LOG_NUMBER("errno", error));
    return error == 0;
}

static const struct plane_capability *
xfrm_capability(const struct plane *plane, size_t index)
{
    return index < plane->capability_count ? &plane->capabilities[index] : NULL;
}

const struct plane_ops plane_xfrm = {
    .name = "xfrm",
    .open = xfrm_open,
    .start = xfrm_exempt_neighbours,
    .identify = xfrm_identify,
    .clear = xfrm_clear,
    .check = xfrm_check,
    .close = xfrm_close,
    .apply = xfrm_apply,
    .read_counters = xfrm_read_counters,
    .read_statistics = xfrm_read_statistics,
    .resume = xfrm_resume,
    .resume_done = xfrm_resume_done,
    .check_filter = xfrm_check_filter,
    .exempt = xfrm_exempt_service,
    .bypass = xfrm_bypass_socket,
    .flush = xfrm_flush,
    .event_fd = xfrm_event_fd,
    .read_events = xfrm_read_events,
    .take_doubt = xfrm_watch_take,
    .capability = xfrm_capability,
    .find_drift = xfrm_find_drift,
};

/* A hard expiry is the end: the kernel deleted the state and says nothing more.  Expiries of other
 * people's states, of larval ones (SPI 0) and soft ones are not ours. */
static void
read_event(void *context, const struct nlmsghdr *message, size_t size)
{
    const struct listener *listener = context;
    struct plane *plane = listener->plane;
    struct xfrm_msg read;
    struct plane_event event = { .context_id = 0 };
    uint64_t key = 0;
    uint64_t value = 0;

    if (!xfrm_msg_read(message, size, &read) || read.kind != XFRM_MSG_KIND_EXPIRED ||
        !read.is_hard || read.sa.spi == 0)
        return;
    key = xfrm_state_key(plane, &read.id);
    value = xfrm_state_find(plane, key);
    if (value == 0)
        return;
    xfrm_state_forget(plane, key);
    xfrm_udp_leave(&plane->udp, key);
    event.context_id = value >> 1;
    event.direction = value & 1;
    event.counters = xfrm_states_counters(&read.sa);
    xfrm_traffic_add(&plane->ended[event.direction], &read.sa);
    listener->sink(listener->context, &event);
}

/* --- Opening ---------------------------------------------------------------------------------- */

static enum ipsec_status
refuse_argument(struct ipsec_fault *fault, const char *what)
{
    return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, "plane",
                           "the plane \"xfrm\" takes netns=NAME and instance=NUMBER: %s", what);
}

static enum ipsec_status
parse_one(const char *text, size_t length, struct settings *settings, struct ipsec_fault *fault)
{
    static const char namespace[] = "netns=";
    static const char instance[] = "instance=";
    char number[16] = "";
    char *end = NULL;
    unsigned long long value = 0;

    if (length > sizeof namespace - 1 && strncmp(text, namespace, sizeof namespace - 1) == 0) {
        length -= sizeof namespace - 1;
        if (length > NAMESPACE_MAX)
            return refuse_argument(fault, "the name is too long");
        memcpy(settings->namespace, text + sizeof namespace - 1, length);
        settings->namespace[length] = '\0';
        return IPSEC_OK;
    }
    if (length > sizeof instance - 1 && strncmp(text, instance, sizeof instance - 1) == 0) {
        length -= sizeof instance - 1;
        if (length >= sizeof number)
            return refuse_argument(fault, "the number is too large");
        memcpy(number, text + sizeof instance - 1, length);
        value = strtoull(number, &end, 10);
        if (number[0] < '0' || number[0] > '9' || *end != '\0' || value > UINT32_MAX)
            return refuse_argument(fault, "an instance is a number up to 4294967295");
        settings->instance = (uint32_t)value;
        return IPSEC_OK;
    }
    return refuse_argument(fault, "it was given something else");
}

static enum ipsec_status
parse(const char *argument, struct settings *settings_out, struct ipsec_fault *fault)
{
    enum ipsec_status status = IPSEC_OK;

    while (status == IPSEC_OK && *argument != '\0') {
        size_t length = strcspn(argument, ",");

        status = parse_one(argument, length, settings_out, fault);
        argument += length + (argument[length] == ',');
    }
    return status;
}

static enum ipsec_status
refuse_socket(struct ipsec_fault *fault, const struct settings *settings, int error)
{
    if (error == EPROTONOSUPPORT)
        return ipsec_fault_set(fault, IPSEC_RPC_NOT_REGISTERED, IPSEC_FAULT_SERVICE, "plane",
                               "the kernel has no XFRM: the module xfrm_user is missing");
    if (error == EPERM)
        return ipsec_fault_set(fault, IPSEC_RPC_ACCESS_DENIED, IPSEC_FAULT_SERVICE, "plane",
                               "the plane \"xfrm\" takes CAP_NET_ADMIN%s",
                               settings->namespace[0] == '\0'
                                   ? ""
                                   : ", and CAP_SYS_ADMIN to enter a network namespace");
    return ipsec_fault_set(fault, IPSEC_RPC_DISCONNECTED, IPSEC_FAULT_SERVICE, "plane",
                           "no socket to the kernel's IPsec%s%s: %s",
                           settings->namespace[0] == '\0' ? "" : " in the network namespace ",
                           settings->namespace, strerrordesc_np(error));
}

/* Two with one instance would take each other's SAs and policies for their own left-overs.  The
 * name of a socket is held for as long as the process lives, and is of the network namespace. */
static enum ipsec_status
take_place(struct plane *plane, struct ipsec_fault *fault)
{
    const enum network_place place = plane->namespace[0] == '\0' ? NETWORK_HERE : NETWORK_NAMED;
    int error = network_namespace_run(place, plane->namespace, bind_place, plane);

    if (error == 0)
        return IPSEC_OK;
    if (error == EADDRINUSE)
        return ipsec_fault_set(fault, IPSEC_RPC_CALL_REJECTED, IPSEC_FAULT_SERVICE, "plane",
                               "another service keeps the SAs of this network namespace that have "
                               "plane-instance %u: give this one another",
                               plane->instance);
    return ipsec_fault_set(fault, IPSEC_RPC_SYS_CALL_FAILED, IPSEC_FAULT_SERVICE, "plane",
                           "the place of plane-instance %u can't be taken: %s", plane->instance,
                           strerror(error));
}

static int
bind_place(void *context)
{
    struct plane *plane = context;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    /* Behind a NUL: a name without a file. */
    int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1,
                          "sa-contextd/plane-xfrm/%u", plane->instance);

    plane->place_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (plane->place_fd < 0 ||
        bind(plane->place_fd, (const struct sockaddr *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)) != 0)
        return errno;
    return 0;
}

static enum ipsec_status
open_sockets(struct plane *plane, const struct settings *settings, struct ipsec_fault *fault)
{
    enum network_place place = settings->namespace[0] == '\0' ? NETWORK_HERE : NETWORK_NAMED;
    int error = netlink_open(place, settings->namespace, &plane->requests);

    memcpy(plane->namespace, settings->namespace, sizeof settings->namespace);
    xfrm_udp_init(&plane->udp, place, plane->namespace);
    if (error == 0)
        error = netlink_listen(place, settings->namespace, EXPIRE_GROUP, &plane->events);
    if (error == 0)
        error = xfrm_watch_open(plane, place, settings->namespace);
    if (error != 0)
        return refuse_socket(fault, settings, error);
    error = xfrm_stat_open(place, settings->namespace, &plane->stat);
    if (error != 0)
        log_warning("the kernel's IPsec statistics can't be read: drops are not counted",
                    LOG_NUMBER("errno", error));
    return IPSEC_OK;
}
