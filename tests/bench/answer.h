/* SPDX-License-Identifier: Apache-2.0
 *
 * answer.h: reads one HTTP/1.1 answer from bytes as they come (RFC 9112).
 *
 * The body is walked over, not kept: the load generator wants to know where the answer ends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ANSWER_LINE_MAX = 4096 };

enum answer_progress {
    ANSWER_MORE,      /* all bytes taken, the answer goes on */
    ANSWER_DONE,      /* the answer is complete */
    ANSWER_MALFORMED, /* this is not HTTP/1.1, or its framing is ambiguous */
};

enum answer_state {
    ANSWER_STATUS_LINE,
    ANSWER_FIELDS,
    ANSWER_BODY,
    ANSWER_BODY_TO_CLOSE,
    ANSWER_CHUNK_SIZE,
    ANSWER_CHUNK_DATA,
    ANSWER_CHUNK_END,
    ANSWER_TRAILERS,
    ANSWER_COMPLETE,
};

struct answer {
    enum answer_state state;
    int status;  /* of the final answer; 1xx are skipped */
    bool closes; /* the connection ends after this answer */
    bool chunked;
    bool has_length;
    uint64_t remaining; /* bytes of body or chunk to come */
    size_t line_size;   /* bytes of an unfinished line in 'line' */
    char line[ANSWER_LINE_MAX];
};

void answer_begin(struct answer *answer);
/* Takes bytes up to the answer's end; '*taken_out' says how many. */
enum answer_progress
answer_feed(struct answer *answer, const char *bytes, size_t size, size_t *taken_out);
/* The peer closed: was that the end of a body without a length? */
bool answer_end_of_stream(struct answer *answer);
