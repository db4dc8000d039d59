/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_builtin.c: providers, layers, sublayers and callouts, which are built in, as JSON. */
#include "api/filter_names.h"
#include "api/resource.h"

static const struct codec_field display_data_fields[] = {
    CODEC_FIELD(ipsec_builtin,
                name,
                "name",
                .kind = CODEC_TEXT,
                .flags = CODEC_REQUIRED,
                .summary = "The name of its key in WFP's headers."),
    CODEC_FIELD(ipsec_builtin,
                description,
                "description",
                .kind = CODEC_TEXT,
                .flags = CODEC_REQUIRED,
                .summary = "What it is for."),
};
static const struct codec_object display_data = {
    .name = "BuiltinDisplayData",
    .summary = "Name and description for people.",
    .fields = display_data_fields,
    .field_count = CODEC_COUNT(display_data_fields),
};

#define KEY                                                                                        \
    CODEC_FIELD(ipsec_builtin, key, "key", .kind = CODEC_GUID, .flags = CODEC_REQUIRED,            \
                .summary = "WFP's key of it.")
#define NAME(table)                                                                                \
    CODEC_FIELD(ipsec_builtin, number, "name", .kind = CODEC_ENUM, .names = &(table),              \
                .flags = CODEC_REQUIRED, .summary = "What filters call it.")
#define DISPLAY_DATA                                                                               \
    CODEC_GROUP("displayData", .kind = CODEC_OBJECT, .object = &display_data,                      \
                .flags = CODEC_REQUIRED, .summary = "Name and description.")

static const struct codec_field provider_fields[] = { KEY, DISPLAY_DATA };
static const struct codec_field layer_fields[] = { KEY, NAME(filter_layers), DISPLAY_DATA };
static const struct codec_field sub_layer_fields[] = { KEY, NAME(filter_sub_layers), DISPLAY_DATA };
static const struct codec_field callout_fields[] = {
    KEY,
    NAME(filter_callouts),
    CODEC_FIELD(ipsec_builtin,
                layer,
                "layer",
                .kind = CODEC_ENUM,
                .names = &filter_layers,
                .flags = CODEC_REQUIRED,
                .summary = "The layer at which it works."),
    DISPLAY_DATA,
};

const struct codec_object codec_provider = {
    .name = "Provider",
    .summary = "Who may own policy (FWPM_PROVIDER0).",
    .fields = provider_fields,
    .field_count = CODEC_COUNT(provider_fields),
};
const struct codec_object codec_layer = {
    .name = "Layer",
    .summary = "Where in the stack filters are asked (FWPM_LAYER0).",
    .fields = layer_fields,
    .field_count = CODEC_COUNT(layer_fields),
};
const struct codec_object codec_sub_layer = {
    .name = "SubLayer",
    .summary = "A group of a layer's filters (FWPM_SUBLAYER0).",
    .fields = sub_layer_fields,
    .field_count = CODEC_COUNT(sub_layer_fields),
};
const struct codec_object codec_callout = {
    .name = "Callout",
    .summary = "What filters may ask about a packet (FWPM_CALLOUT0).",
    .fields = callout_fields,
    .field_count = CODEC_COUNT(callout_fields),
};

#define ITEMS(element)                                                                             \
    CODEC_FIELD(builtin_list, objects, "items", .kind = CODEC_ARRAY, .form = CODEC_POINTED,        \
                .object = &(element), .stride = sizeof(struct ipsec_builtin),                      \
                .count_offset = offsetof(struct builtin_list, count),                              \
                .count_size = sizeof(size_t), .flags = CODEC_REQUIRED, .summary = "All of them.")

static const struct codec_field provider_list_fields[] = { ITEMS(codec_provider) };
static const struct codec_field layer_list_fields[] = { ITEMS(codec_layer) };
static const struct codec_field sub_layer_list_fields[] = { ITEMS(codec_sub_layer) };
static const struct codec_field callout_list_fields[] = { ITEMS(codec_callout) };

const struct codec_object codec_provider_list = {
    .name = "ProviderList",
    .summary = "The providers.",
    .fields = provider_list_fields,
    .field_count = CODEC_COUNT(provider_list_fields),
};
const struct codec_object codec_layer_list = {
    .name = "LayerList",
    .summary = "The layers.",
    .fields = layer_list_fields,
    .field_count = CODEC_COUNT(layer_list_fields),
};
const struct codec_object codec_sub_layer_list = {
    .name = "SubLayerList",
    .summary = "The sublayers.",
    .fields = sub_layer_list_fields,
    .field_count = CODEC_COUNT(sub_layer_list_fields),
};
const struct codec_object codec_callout_list = {
    .name = "CalloutList",
    .summary = "The callouts.",
    .fields = callout_list_fields,
    .field_count = CODEC_COUNT(callout_list_fields),
};
