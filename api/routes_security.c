/* SPDX-License-Identifier: Apache-2.0
 *
 * routes_security.c: the operations on the security descriptors of the containers; see routes.h. */
#include "api/handle.h"
#include "api/resource.h"
#include "api/routes.h"

/* The security descriptor of a container: to read, to set, to have the access file's again. */
/* clang-format off */
/* NOLINTBEGIN(bugprone-macro-parentheses): texts are joined. */
#define SECURITY_ROUTES(folder, noun, text, object_container, get_call, set_call)                  \
    { .method = "GET",                                                                             \
      .path = folder "/security",                                                                  \
      .operation = "get" noun "Security",                                                          \
      .summary = "Read the security descriptor of " text,                                          \
      .description = "What is in force: what a caller has set, or else the access file's.",        \
      .wfp = get_call,                                                                             \
      .container = object_container,                                                               \
      .right = RIGHT_READ_CONTROL,                                                                 \
      .versioned = true,                                                                           \
      .revision_offset = offsetof(struct security_reply, revision),                                \
      .out = &codec_security_descriptor,                                                           \
      .out_size = sizeof(struct security_reply),                                                   \
      .clear_out = handle_clear_security,                                                          \
      .success = 200,                                                                              \
      .handler = handle_get_security },                                                            \
    { .method = "PUT",                                                                             \
      .path = folder "/security",                                                                  \
      .operation = "set" noun "Security",                                                          \
      .summary = "Set the security descriptor of " text,                                           \
      .description = "It is kept, and holds instead of the access file's from the answer on, for " \
                     "open connections too, until it is reset. Nothing keeps a caller from "       \
                     "locking everybody out. Refused in a transaction and in a dynamic session.",  \
      .wfp = set_call,                                                                             \
      .container = object_container,                                                               \
      .right = RIGHT_WRITE_DAC,                                                                    \
      .rule = IPSEC_RULE_DIRECT,                                                                   \
      .versioned = true,                                                                           \
      .revision_offset = offsetof(struct security_reply, revision),                                \
      .body = &codec_security_descriptor,                                                          \
      .in_size = sizeof(struct descriptor),                                                        \
      .out = &codec_security_descriptor,                                                           \
      .out_size = sizeof(struct security_reply),                                                   \
      .clear_out = handle_clear_security,                                                          \
      .success = 200,                                                                              \
      .handler = handle_set_security },                                                            \
    { .method = "DELETE",                                                                          \
      .path = folder "/security",                                                                  \
      .operation = "reset" noun "Security",                                                        \
      .summary = "Put in force again what the access file says of " text,                          \
      .description = "What a caller has set is forgotten. Refused in a transaction and in a "      \
                     "dynamic session.",                                                           \
      .container = object_container,                                                               \
      .right = RIGHT_WRITE_DAC,                                                                    \
      .rule = IPSEC_RULE_DIRECT,                                                                   \
      .versioned = true,                                                                           \
      .success = 204,                                                                              \
      .handler = handle_reset_security }
/* NOLINTEND(bugprone-macro-parentheses) */
/* clang-format on */

static const struct api_route routes[] = {
    SECURITY_ROUTES("/sa-contexts",
                    "SaDatabase",
                    "the SA database",
                    IPSEC_CONTAINER_SA_DATABASE,
                    "IPsecSaDbGetSecurityInfo0",
                    "IPsecSaDbSetSecurityInfo0"),
    SECURITY_ROUTES("/filters",
                    "Filters",
                    "the filters",
                    IPSEC_CONTAINER_FILTERS,
                    "FwpmFilterGetSecurityInfoByKey0",
                    "FwpmFilterSetSecurityInfoByKey0"),
    SECURITY_ROUTES("/provider-contexts",
                    "ProviderContexts",
                    "the provider contexts",
                    IPSEC_CONTAINER_PROVIDER_CONTEXTS,
                    "FwpmProviderContextGetSecurityInfoByKey0",
                    "FwpmProviderContextSetSecurityInfoByKey0"),
    SECURITY_ROUTES("/engine",
                    "Engine",
                    "the engine, which the others inherit",
                    IPSEC_CONTAINER_ENGINE,
                    "FwpmEngineGetSecurityInfo0",
                    "FwpmEngineSetSecurityInfo0"),
};
const struct route_group routes_security = { routes, CODEC_COUNT(routes) };
