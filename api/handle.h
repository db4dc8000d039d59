/* SPDX-License-Identifier: Apache-2.0
 *
 * handle.h: the handlers of the operations, and what goes with them. */
#pragma once

#include "api/router.h"

api_handler handle_create_sa_context;
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

api_handler handle_get_index;
api_handler handle_get_openapi;
api_handler handle_get_whoami;
api_handler handle_get_error;
api_handler handle_list_errors;
void handle_clear_error_list(void *out);
