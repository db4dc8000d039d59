/* SPDX-License-Identifier: Apache-2.0
 *
 * access_policy.c: see access_policy.h.  Nothing in the file is skipped: what is not understood
 * might have been the entry that denies. */
#include "auth/access_policy.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "auth/descriptor.h"
#include "auth/file.h"
#include "auth/rights.h"
#include "engine/base/buffer.h"

enum { FILE_MAXIMUM = 16 << 20, POINTER_SIZE = 96, SHOWN_MAXIMUM = 48 };

/* Shared by the policies that have it. */
struct shared_descriptor {
    _Atomic uint32_t references;
    struct descriptor descriptor;
};

struct access_policy {
    _Atomic uint32_t references;
    struct shared_descriptor *from_file[IPSEC_CONTAINER_COUNT];
    struct shared_descriptor *set[IPSEC_CONTAINER_COUNT]; /* null: the file's is in force */
};

/* A value of the file and where it stands, for the error that may have to name it. */
struct place {
    const char *file;
    struct ipsec_fault *fault;
    char pointer[POINTER_SIZE]; /* "" is the whole */
};

struct member {
    const char *name;
    json_t *value; /* out */
};

static struct access_policy *new_policy(void);
static struct shared_descriptor *new_descriptor(void);
static struct shared_descriptor *ref_descriptor(struct shared_descriptor *shared);
static void unref_descriptor(struct shared_descriptor *shared);
static const struct descriptor *in_force(const struct access_policy *policy, size_t container);
static enum ipsec_status
parse_descriptor(const struct place *place, const char *text, struct descriptor *descriptor);
static enum ipsec_status
read_policy(const struct place *place, json_t *json, struct access_policy *policy);
static enum ipsec_status
read_descriptor(const struct place *place, json_t *json, struct descriptor *descriptor);
static enum ipsec_status
read_entry(const struct place *place, json_t *json, struct descriptor_entry *entry);
static enum ipsec_status
read_type(const struct place *place, const json_t *json, enum descriptor_entry_type *type_out);
static enum ipsec_status
read_principal(const struct place *place, const json_t *json, struct principal *principal_out);
static enum ipsec_status
read_rights(const struct place *place, const json_t *json, uint32_t *mask_out);
static enum ipsec_status
read_right(const struct place *place, const json_t *json, uint32_t *mask_out);
static enum ipsec_status
read_members(const struct place *place, json_t *json, struct member *members, size_t member_count);
static struct place below(const struct place *place, const char *name);
static struct place below_index(const struct place *place, size_t index);
static enum ipsec_status refuse(const struct place *place, const char *cause);
static enum ipsec_status
refuse_value(const struct place *place, const char *value, const char *cause);
static enum ipsec_status no_memory(const struct place *place);

enum ipsec_status
access_policy_load(const char *file, struct ipsec_fault *fault, struct access_policy **policy_out)
{
    AUTO(buffer) contents = BUFFER(FILE_MAXIMUM);
    struct place whole = { .file = file, .fault = fault };

    *policy_out = NULL;
    enum ipsec_status status = auth_file_read(file, fault, &contents);
    if (status != IPSEC_OK)
        return status;

    json_error_t error;
    json_t *json = json_loadb(contents.data, contents.size, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL)
        return auth_file_fault(fault, IPSEC_INVALID_PARAMETER, file, NULL, "line %d column %d: %s",
                               error.line, error.column, error.text);
    struct access_policy *policy = new_policy();
    status = policy == NULL ? no_memory(&whole) : read_policy(&whole, json, policy);
    json_decref(json);
    if (status != IPSEC_OK) {
        access_policy_unref(policy);
        return status;
    }
    *policy_out = policy;
    return IPSEC_OK;
}

struct access_policy *
access_policy_ref(struct access_policy *policy)
{
    if (policy != NULL)
        atomic_fetch_add_explicit(&policy->references, 1, memory_order_relaxed);
    return policy;
}

void
access_policy_unref(struct access_policy *policy)
{
    if (policy == NULL ||
        atomic_fetch_sub_explicit(&policy->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < IPSEC_CONTAINER_COUNT; i++) {
        unref_descriptor(policy->from_file[i]);
        unref_descriptor(policy->set[i]);
    }
    free(policy);
}

enum ipsec_status
access_policy_replace(const struct access_policy *policy,
                      enum ipsec_container container,
                      const char *text,
                      struct ipsec_fault *fault,
                      struct access_policy **policy_out)
{
    struct place whole = { .file = container_name(container), .fault = fault };
    struct access_policy *copy = calloc(1, sizeof *copy);
    enum ipsec_status status = IPSEC_OK;

    *policy_out = NULL;
    if (copy == NULL)
        return no_memory(&whole);
    atomic_init(&copy->references, 1);
    for (size_t i = 0; i < IPSEC_CONTAINER_COUNT; i++) {
        copy->from_file[i] = ref_descriptor(policy->from_file[i]);
        if (i != container)
            copy->set[i] = ref_descriptor(policy->set[i]);
    }
    if (text != NULL) {
        copy->set[container] = new_descriptor();
        status = copy->set[container] == NULL
                     ? no_memory(&whole)
                     : parse_descriptor(&whole, text, &copy->set[container]->descriptor);
    }
    if (status != IPSEC_OK) {
        access_policy_unref(copy);
        return status;
    }
    *policy_out = copy;
    return IPSEC_OK;
}

const struct descriptor *
access_policy_file_descriptor(const struct access_policy *policy, enum ipsec_container container)
{
    return &policy->from_file[container]->descriptor;
}

void
access_policy_rights(const struct access_policy *policy,
                     const struct auth_identity *identity,
                     struct ipsec_rights *rights_out)
{
    const struct descriptor *engine = in_force(policy, IPSEC_CONTAINER_ENGINE);

    *rights_out = (struct ipsec_rights){ { 0 } };
    if (identity == NULL)
        return;
    rights_out->granted[IPSEC_CONTAINER_ENGINE] = descriptor_rights(engine, NULL, identity);
    for (size_t i = IPSEC_CONTAINER_ENGINE + 1; i < IPSEC_CONTAINER_COUNT; i++)
        rights_out->granted[i] = descriptor_rights(in_force(policy, i), engine, identity);
}

/* With an empty descriptor for each container. */
static struct access_policy *
new_policy(void)
{
    struct access_policy *policy = calloc(1, sizeof *policy);

    if (policy == NULL)
        return NULL;
    atomic_init(&policy->references, 1);
    for (size_t i = 0; i < IPSEC_CONTAINER_COUNT; i++) {
        policy->from_file[i] = new_descriptor();
        if (policy->from_file[i] == NULL) {
            access_policy_unref(policy);
            return NULL;
        }
    }
    return policy;
}

static struct shared_descriptor *
new_descriptor(void)
{
    struct shared_descriptor *shared = calloc(1, sizeof *shared);

    if (shared != NULL)
        atomic_init(&shared->references, 1);
    return shared;
}

static struct shared_descriptor *
ref_descriptor(struct shared_descriptor *shared)
{
    if (shared != NULL)
        atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
    return shared;
}

static void
unref_descriptor(struct shared_descriptor *shared)
{
    if (shared == NULL ||
        atomic_fetch_sub_explicit(&shared->references, 1, memory_order_acq_rel) != 1)
        return;
    descriptor_clear(&shared->descriptor);
    free(shared);
}

static const struct descriptor *
in_force(const struct access_policy *policy, size_t container)
{
    const struct shared_descriptor *set = policy->set[container];

    return set != NULL ? &set->descriptor : &policy->from_file[container]->descriptor;
}

static enum ipsec_status
parse_descriptor(const struct place *place, const char *text, struct descriptor *descriptor)
{
    json_error_t error;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);

    if (json == NULL)
        return refuse(place, error.text);
    enum ipsec_status status = read_descriptor(place, json, descriptor);
    json_decref(json);
    return status;
}

static enum ipsec_status
read_policy(const struct place *place, json_t *json, struct access_policy *policy)
{
    const char *name;
    json_t *value;

    if (!json_is_object(json))
        return refuse(place, "must be an object");
    json_object_foreach(json, name, value)
    {
        struct place member = below(place, name);
        enum ipsec_container container;
        if (!container_find(name, &container))
            return refuse(&member,
                          "unknown container, use engine, saDatabase, filters or providerContexts");
        enum ipsec_status status =
            read_descriptor(&member, value, &policy->from_file[container]->descriptor);
        if (status != IPSEC_OK)
            return status;
    }
    return IPSEC_OK;
}

static enum ipsec_status
read_descriptor(const struct place *place, json_t *json, struct descriptor *descriptor)
{
    struct member dacl = { .name = "dacl" };

    enum ipsec_status status = read_members(place, json, &dacl, 1);
    if (status != IPSEC_OK)
        return status;
    struct place list = below(place, "dacl");
    if (!json_is_array(dacl.value))
        return refuse(&list, "must be an array");
    if (json_array_size(dacl.value) > DESCRIPTOR_ENTRIES_MAX)
        return auth_file_fault(list.fault, IPSEC_INVALID_PARAMETER, list.file, list.pointer,
                               "has %zu entries, %d are possible", json_array_size(dacl.value),
                               DESCRIPTOR_ENTRIES_MAX);

    for (size_t i = 0; i < json_array_size(dacl.value); i++) {
        struct place item = below_index(&list, i);
        struct descriptor_entry entry = { .type = DESCRIPTOR_DENY };
        status = read_entry(&item, json_array_get(dacl.value, i), &entry);
        if (status == IPSEC_OK && !descriptor_add_take(descriptor, &entry))
            status = no_memory(&item);
        if (status != IPSEC_OK) {
            principal_clear(&entry.principal);
            return status;
        }
    }
    return IPSEC_OK;
}

static enum ipsec_status
read_entry(const struct place *place, json_t *json, struct descriptor_entry *entry)
{
    enum { TYPE, PRINCIPAL, RIGHTS, MEMBER_COUNT };
    struct member members[MEMBER_COUNT] = { { .name = "type" },
                                            { .name = "principal" },
                                            { .name = "rights" } };
    struct place places[MEMBER_COUNT];

    enum ipsec_status status = read_members(place, json, members, MEMBER_COUNT);
    if (status != IPSEC_OK)
        return status;
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        places[i] = below(place, members[i].name);
    status = read_type(&places[TYPE], members[TYPE].value, &entry->type);
    if (status == IPSEC_OK)
        status = read_rights(&places[RIGHTS], members[RIGHTS].value, &entry->rights);
    if (status == IPSEC_OK)
        status = read_principal(&places[PRINCIPAL], members[PRINCIPAL].value, &entry->principal);
    return status;
}

static enum ipsec_status
read_type(const struct place *place, const json_t *json, enum descriptor_entry_type *type_out)
{
    const char *text = json_string_value(json);

    if (text == NULL)
        return refuse(place, "must be a string");
    if (strcmp(text, "allow") == 0)
        *type_out = DESCRIPTOR_ALLOW;
    else if (strcmp(text, "deny") == 0)
        *type_out = DESCRIPTOR_DENY;
    else
        return refuse_value(place, text, "must be \"allow\" or \"deny\"");
    return IPSEC_OK;
}

static enum ipsec_status
read_principal(const struct place *place, const json_t *json, struct principal *principal_out)
{
    const char *text = json_string_value(json);
    const char *cause;

    if (text == NULL)
        return refuse(place, "must be a string");
    if (!principal_parse(text, principal_out, &cause))
        return refuse_value(place, text, cause);
    return IPSEC_OK;
}

static enum ipsec_status
read_rights(const struct place *place, const json_t *json, uint32_t *mask_out)
{
    if (!json_is_array(json))
        return refuse(place, "must be an array");
    for (size_t i = 0; i < json_array_size(json); i++) {
        struct place item = below_index(place, i);
        enum ipsec_status status = read_right(&item, json_array_get(json, i), mask_out);
        if (status != IPSEC_OK)
            return status;
    }
    return IPSEC_OK;
}

static enum ipsec_status
read_right(const struct place *place, const json_t *json, uint32_t *mask_out)
{
    const char *name = json_string_value(json);
    uint32_t mask;

    if (name == NULL)
        return refuse(place, "must be a string");
    if (!rights_find(name, &mask)) {
        const char *cause = rights_why_ungrantable(name);
        return refuse_value(place, name, cause == NULL ? "unknown right" : cause);
    }
    *mask_out |= mask;
    return IPSEC_OK;
}

/* Finds each of 'members', all of them required, and refuses any other. */
static enum ipsec_status
read_members(const struct place *place, json_t *json, struct member *members, size_t member_count)
{
    const char *name;
    json_t *value;

    if (!json_is_object(json))
        return refuse(place, "must be an object");
    json_object_foreach(json, name, value)
    {
        size_t i = 0;
        while (i < member_count && strcmp(members[i].name, name) != 0)
            i++;
        if (i == member_count) {
            struct place unknown = below(place, name);
            return refuse(&unknown, "unknown member");
        }
        members[i].value = value;
    }
    for (size_t i = 0; i < member_count; i++) {
        if (members[i].value == NULL) {
            struct place missing = below(place, members[i].name);
            return refuse(&missing, "missing");
        }
    }
    return IPSEC_OK;
}

/* The place of a member; its name is escaped as RFC 6901 says, and cut when very long. */
static struct place
below(const struct place *place, const char *name)
{
    struct place deeper = *place;
    size_t length = strlen(deeper.pointer);

    if (length < POINTER_SIZE - 1)
        deeper.pointer[length++] = '/';
    for (; *name != '\0' && length < POINTER_SIZE - 2; name++) {
        if (*name == '~' || *name == '/') {
            deeper.pointer[length++] = '~';
            deeper.pointer[length++] = *name == '~' ? '0' : '1';
        } else {
            deeper.pointer[length++] = *name;
        }
    }
    deeper.pointer[length] = '\0';
    return deeper;
}

static struct place
below_index(const struct place *place, size_t index)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%zu", index);
    return below(place, text);
}

static enum ipsec_status
refuse(const struct place *place, const char *cause)
{
    return auth_file_fault(place->fault, IPSEC_INVALID_PARAMETER, place->file, place->pointer, "%s",
                           cause);
}

static enum ipsec_status
refuse_value(const struct place *place, const char *value, const char *cause)
{
    return auth_file_fault(place->fault, IPSEC_INVALID_PARAMETER, place->file, place->pointer,
                           "\"%.*s\": %s", SHOWN_MAXIMUM, value, cause);
}

static enum ipsec_status
no_memory(const struct place *place)
{
    return auth_file_fault(place->fault, IPSEC_RPC_OUT_OF_RESOURCES, place->file, place->pointer,
                           "no memory");
}
