/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_labels.c: see sa_labels.h. */
#include "engine/sa_labels.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/text.h"

enum { POINTER_SIZE = 160 };

/* What stands behind every 'const struct ipsec_labels *' of a context; the texts follow. */
struct labels_object {
    struct ipsec_labels labels;
    _Atomic uint32_t reference_count;
    uint32_t texts_size;
    char texts[];
};

static enum ipsec_status check_pair(const struct ipsec_label *pair, struct ipsec_fault *fault);
static bool is_name(const char *name);
static bool is_value(const char *value);
static enum ipsec_status
refuse(struct ipsec_fault *fault, enum ipsec_status status, const char *name, const char *detail);
static void sort(struct ipsec_labels *labels);
static char *append(char **end, const char *text);
static struct labels_object *object_of(const struct ipsec_labels *labels);

enum ipsec_status
sa_labels_check(const struct ipsec_labels *labels, struct ipsec_fault *fault)
{
    if (labels == NULL)
        return IPSEC_OK;
    if (labels->count > IPSEC_LABELS_MAX)
        return refuse(fault, IPSEC_OUT_OF_BOUNDS, NULL, "a context has at most 16 labels");
    for (uint32_t i = 0; i < labels->count; i++) {
        enum ipsec_status status = check_pair(&labels->pairs[i], fault);

        if (status != IPSEC_OK)
            return status;
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(labels->pairs[i].name, labels->pairs[j].name) == 0)
                return refuse(fault, IPSEC_INVALID_PARAMETER, labels->pairs[i].name,
                              "the label is given twice");
        }
    }
    return IPSEC_OK;
}

bool
sa_labels_new(const struct ipsec_labels *labels, const struct ipsec_labels **labels_out)
{
    size_t size = 0;

    *labels_out = NULL;
    if (labels == NULL || labels->count == 0)
        return true;
    for (uint32_t i = 0; i < labels->count; i++)
        size += strlen(labels->pairs[i].name) + strlen(labels->pairs[i].value) + 2;
    struct labels_object *object = malloc(sizeof *object + size);
    if (object == NULL)
        return false;
    object->labels = (struct ipsec_labels){ .count = labels->count };
    object->texts_size = (uint32_t)size;
    atomic_init(&object->reference_count, 1);
    char *end = object->texts;
    for (uint32_t i = 0; i < labels->count; i++) {
        object->labels.pairs[i].name = append(&end, labels->pairs[i].name);
        object->labels.pairs[i].value = append(&end, labels->pairs[i].value);
    }
    sort(&object->labels);
    *labels_out = &object->labels;
    return true;
}

const struct ipsec_labels *
sa_labels_ref(const struct ipsec_labels *labels)
{
    if (labels != NULL)
        (void)atomic_fetch_add_explicit(&object_of(labels)->reference_count, 1,
                                        memory_order_relaxed);
    return labels;
}

void
sa_labels_unref(const struct ipsec_labels *labels)
{
    if (labels == NULL)
        return;
    struct labels_object *object = object_of(labels);
    if (atomic_fetch_sub_explicit(&object->reference_count, 1, memory_order_acq_rel) == 1)
        free(object);
}

size_t
sa_labels_size(const struct ipsec_labels *labels)
{
    return labels == NULL ? 0 : sizeof(struct labels_object) + object_of(labels)->texts_size;
}

bool
sa_labels_match(const struct ipsec_labels *labels, const struct ipsec_labels *wanted)
{
    if (wanted == NULL)
        return true;
    for (uint32_t i = 0; i < wanted->count; i++) {
        bool found = false;

        for (uint32_t j = 0; labels != NULL && j < labels->count && !found; j++)
            found = strcmp(labels->pairs[j].name, wanted->pairs[i].name) == 0 &&
                    (wanted->pairs[i].value == NULL ||
                     strcmp(labels->pairs[j].value, wanted->pairs[i].value) == 0);
        if (!found)
            return false;
    }
    return true;
}

static enum ipsec_status
check_pair(const struct ipsec_label *pair, struct ipsec_fault *fault)
{
    if (!is_name(pair->name))
        return refuse(fault, IPSEC_INVALID_PARAMETER, pair->name,
                      "a label's name has 1 to 63 letters, digits and, inside, -, _, . and /");
    if (strlen(pair->value) > IPSEC_LABEL_VALUE_MAX)
        return refuse(fault, IPSEC_OUT_OF_BOUNDS, pair->name,
                      "a label's value has at most 255 bytes");
    if (!is_value(pair->value))
        return refuse(fault, IPSEC_INVALID_PARAMETER, pair->name,
                      "a label's value must be UTF-8 without control characters");
    return IPSEC_OK;
}

static bool
is_name(const char *name)
{
    static const char outside[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    static const char inside[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./";
    size_t length = strlen(name);

    return length > 0 && length <= IPSEC_LABEL_NAME_MAX && strspn(name, inside) == length &&
           strspn(name, outside) > 0 && strchr(outside, name[length - 1]) != NULL;
}

static bool
is_value(const char *value)
{
    return text_is_printable(value);
}

/* 'name' null: the labels as a whole. */
static enum ipsec_status
refuse(struct ipsec_fault *fault, enum ipsec_status status, const char *name, const char *detail)
{
    char pointer[POINTER_SIZE] = "/labels";
    size_t length = strlen(pointer);

    for (const char *c = name; c != NULL && *c != '\0' && length + 3 < sizeof pointer; c++) {
        if (c == name)
            pointer[length++] = '/';
        if (*c == '~' || *c == '/') {
            pointer[length++] = '~';
            pointer[length++] = *c == '~' ? '0' : '1';
        } else {
            pointer[length++] = *c;
        }
    }
    pointer[length] = '\0';
    return ipsec_fault_set(fault, status, IPSEC_FAULT_BODY, pointer, "%s", detail);
}

/* There are a few, mostly in order. */
static void
sort(struct ipsec_labels *labels)
{
    for (uint32_t i = 1; i < labels->count; i++) {
        struct ipsec_label pair = labels->pairs[i];
        uint32_t place = i;

        for (; place > 0 && strcmp(labels->pairs[place - 1].name, pair.name) > 0; place--)
            labels->pairs[place] = labels->pairs[place - 1];
        labels->pairs[place] = pair;
    }
}

static char *
append(char **end, const char *text)
{
    size_t size = strlen(text) + 1;
    char *start = *end;

    memcpy(start, text, size);
    *end += size;
    return start;
}

/* Only the count behind the immutable labels is ever written through this. */
static struct labels_object *
object_of(const struct ipsec_labels *labels)
{
    return (struct labels_object *)((uintptr_t)labels - offsetof(struct labels_object, labels));
}
