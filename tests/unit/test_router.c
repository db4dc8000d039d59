/* SPDX-License-Identifier: Apache-2.0
 *
 * test_router.c: which operation a method and a path mean, and that the table is sound. */
#include "api/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/metrics.h"

static void
methods_and_paths_find_their_operation(void **state)
{
    static const struct {
        const char *method;
        const char *path;
        const char *operation; /* null: none */
        const char *argument;  /* null: none */
    } cases[] = {
        { "POST", "/sa-contexts", "createSaContext", NULL },
        { "GET", "/sa-contexts", "listSaContexts", NULL },
        { "HEAD", "/sa-contexts", "listSaContexts", NULL },
        { "GET", "/sa-contexts/7", "getSaContext", "7" },
        { "GET", "/sa-contexts/x y", "getSaContext", "x y" },
        { "DELETE", "/sa-contexts/7", "deleteSaContext", "7" },
        { "POST", "/filters", "addFilter", NULL },
        { "GET", "/filters", "listFilters", NULL },
        { "GET", "/filters/7", "getFilter", "7" },
        { "DELETE", "/filters/7", "deleteFilter", "7" },
        { "GET", "/", "getIndex", NULL },
        { "GET", "/whoami", "whoami", NULL },
        { "GET", "/errors", "listErrors", NULL },
        { "GET", "/errors/FWP_E_IN_USE", "getError", "FWP_E_IN_USE" },
        { "GET", "/openapi.json", "getOpenapi", NULL },
        { "GET", "", NULL, NULL },
        { "GET", "//", NULL, NULL },
        { "GET", "/sa-contexts/", NULL, NULL },
        { "GET", "/sa-contexts//", NULL, NULL },
        { "GET", "/sa-contexts/7/", NULL, NULL },
        { "GET", "/sa-contexts/7/spi", NULL, NULL },
        { "GET", "/SA-contexts", NULL, NULL },
        { "GET", "/sa-context", NULL, NULL },
        { "GET", "/sa-contextsx", NULL, NULL },
        { "get", "/whoami", NULL, NULL },
        { "PUT", "/sa-contexts", NULL, NULL },
        { "OPTIONS", "/sa-contexts", NULL, NULL },
        { "GET", "/sessions", "listSessions", NULL },
        { "GET", "/sa-contexts/security", "getSaDatabaseSecurity", NULL },
        { "DELETE", "/filters/security", "resetFiltersSecurity", NULL },
        { "PATCH", "/sa-contexts/security", NULL, NULL },
        { "GET", "/sa-contexts/batch", NULL, NULL },
        { "GET", "/sa-contexts/securit", "getSaContext", "securit" },
        { "POST", "/sessions/k/transaction", "beginTransaction", "k/transaction" },
        { "POST", "/sessions/k/transaction/commit", "commitTransaction", "k/transaction/commit" },
        { "DELETE", "/sessions/k/transaction", "abortTransaction", "k/transaction" },
        { "GET", "/sessions/k/transaction", NULL, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *argument = "untouched";
        const struct api_route *route = router_match(cases[i].method, cases[i].path, &argument);
        print_message("%s %s\n", cases[i].method, cases[i].path);
        if (cases[i].operation == NULL) {
            assert_null(route);
            continue;
        }
        assert_non_null(route);
        assert_string_equal(route->operation, cases[i].operation);
        if (cases[i].argument == NULL)
            assert_null(argument);
        else
            assert_string_equal(argument, cases[i].argument);
    }
}

static void
allowed_methods_are_those_of_the_path(void **state)
{
    static const struct {
        const char *path;
        const char *methods;
    } cases[] = {
        { "/sa-contexts", "POST, GET, HEAD" },
        { "/sa-contexts/7", "GET, HEAD, DELETE, PATCH" },
        { "/sa-contexts/security", "GET, HEAD, PUT, DELETE" },
        { "/sa-contexts/batch", "POST" },
        { "/whoami", "GET, HEAD" },
        { "/errors/{code}", "GET, HEAD" }, /* braces are nothing special in a path */
        { "/nowhere", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char methods[64];
        assert_int_equal(router_allowed(cases[i].path, methods, sizeof methods),
                         cases[i].methods[0] != '\0');
        assert_string_equal(methods, cases[i].methods);
    }
}

static void
every_row_is_sound(void **state)
{
    (void)state;
    assert_int_equal(router_index(NULL), router_route_count());
    assert_true(router_route_count() < METRICS_OPERATIONS); /* each is counted by itself */
    for (size_t i = 0; i < router_route_count(); i++) {
        const struct api_route *route = router_route(i);
        bool has_argument = strchr(route->path, '{') != NULL;

        print_message("%s\n", route->operation);
        assert_int_equal(router_index(route), i);
        assert_non_null(route->handler);
        assert_non_null(route->summary);
        /* Where there is a description it is of whole sentences. */
        size_t length = route->description == NULL ? 0 : strlen(route->description);
        assert_true(route->description == NULL ||
                    (length > 0 && route->description[length - 1] == '.'));
        /* What has no success is refused with a code of its own. */
        assert_true(route->success == 0 ? route->out == NULL && route->codes != NULL
                                        : route->success >= 200 && route->success < 300);
        /* What makes an object and answers it shows a revision to begin with. */
        assert_true(route->revision_offset == 0 || route->versioned || route->location != NULL);
        assert_int_equal(route->body != NULL || route->query != NULL, route->in_size > 0);
        assert_int_equal(route->out != NULL, route->out_size > 0);
        assert_true(route->success != 204 || route->out == NULL);
        assert_true(route->location == NULL || route->success == 201);
        assert_int_equal(has_argument, route->not_found != IPSEC_OK);
        /* What the engine does is guarded by a right, or is the business of a session's owner. */
        assert_true(route->local || route->right != 0 || route->session_in_path);
        assert_true(!route->session_in_path || strstr(route->path, "{key}") != NULL);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(route->operation, router_route(j)->operation);
            assert_true(strcmp(route->method, router_route(j)->method) != 0 ||
                        strcmp(route->path, router_route(j)->path) != 0);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_and_paths_find_their_operation),
        cmocka_unit_test(allowed_methods_are_those_of_the_path),
        cmocka_unit_test(every_row_is_sound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
