/* SPDX-License-Identifier: Apache-2.0
 *
 * scenario.h: a day in the life of the service, as a table of requests. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "tests/lib/service.h"

/* One request and the status that it gets.  In path, query and body "$x" stands for what an earlier
 * answer gave the letter. */
struct scenario_step {
    const char *method;
    const char *path;
    const char *query;
    const char *body;
    const char *key;     /* Idempotency-Key */
    const char *session; /* Engine-Session */
    int status;
    bool may_roll_back; /* a failure may cost the transaction */
    char letter;        /* is given ... */
    const char *member; /* ... this member of the answer; null: none */
};
extern const struct scenario_step scenario_steps[];
extern const size_t scenario_step_count;
/* Before this step all kinds of objects are there. */
size_t scenario_full(void);

/* What the letters stand for. */
struct scenario {
    struct service service;
    char values[26][64];
};

/* Asks what the step says.  The answer stays in 'scenario->service.call'. */
const struct api_answer *scenario_ask(struct scenario *scenario, size_t step);
/* Notes what the answer of a step that worked gave. */
void scenario_note(struct scenario *scenario, size_t step);
