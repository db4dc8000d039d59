/* SPDX-License-Identifier: Apache-2.0
 *
 * handle.h: the handlers of the operations, and what goes with them. */
#pragma once

#include "api/router.h"

api_handler handle_create_sa_context;
api_handler handle_create_sa_contexts;
enum ipsec_status handle_prepare_sa_context_results(struct api_call *call);
void handle_clear_sa_context_results(void *out);
void handle_refuse_sa_context_item(struct ipsec_call *base,
                                   uint32_t item,
                                   const struct ipsec_fault *fault);
api_handler handle_get_spi;
api_handler handle_set_spi;
api_handler handle_add_inbound;
api_handler handle_add_outbound;
api_handler handle_update_sa_context;
api_handler handle_expire_sa_context;
api_handler handle_rotate_sa_context;
api_handler handle_get_statistics;
api_handler handle_list_capabilities;
api_handler handle_get_drift;
api_handler handle_reconcile;
void handle_clear_sa_context(void *out);
api_handler handle_get_sa_context;
api_handler handle_list_sa_contexts;
api_handler handle_delete_sa_context;
void handle_conclude_sa_context_list(struct api_call *call);
void handle_clear_sa_context_list(void *out);

api_handler handle_add_filter;
api_handler handle_get_filter;
api_handler handle_list_filters;
api_handler handle_delete_filter;
void handle_conclude_filter_list(struct api_call *call);
void handle_clear_filter_reply(void *out);
void handle_clear_filter_list(void *out);

api_handler handle_list_providers;
api_handler handle_get_provider;
api_handler handle_delete_provider;
api_handler handle_list_layers;
api_handler handle_get_layer;
api_handler handle_delete_layer;
api_handler handle_list_sub_layers;
api_handler handle_get_sub_layer;
api_handler handle_delete_sub_layer;
api_handler handle_list_callouts;
api_handler handle_get_callout;
api_handler handle_delete_callout;

api_handler handle_add_provider_context;
api_handler handle_get_provider_context;
api_handler handle_list_provider_contexts;
api_handler handle_delete_provider_context;
void handle_conclude_provider_context_list(struct api_call *call);
void handle_clear_provider_context_reply(void *out);
void handle_clear_provider_context_list(void *out);

api_handler handle_add_tunnel;
api_handler handle_get_tunnel;
api_handler handle_list_tunnels;
void handle_conclude_tunnel_list(struct api_call *call);
void handle_clear_tunnel_list(void *out);
api_handler handle_delete_tunnel;

api_handler handle_open_session;
api_handler handle_get_session;
api_handler handle_list_sessions;
api_handler handle_close_session;
api_handler handle_begin_transaction;
api_handler handle_commit_transaction;
api_handler handle_abort_transaction;
void handle_conclude_session_list(struct api_call *call);
void handle_clear_session_list(void *out);

api_handler handle_watch_sa_contexts;
void handle_clear_watch(void *out);
api_handler handle_list_subscriptions;
void handle_clear_subscription_list(void *out);
api_handler handle_get_security;
api_handler handle_set_security;
api_handler handle_reset_security;
void handle_clear_security(void *out);

api_handler handle_get_index;
api_handler handle_get_openapi;
api_handler handle_get_whoami;
api_handler handle_get_error;
api_handler handle_list_errors;
void handle_clear_error_list(void *out);
