/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_replay.c: a remembered answer, as the store gives it back. */
#include "api/idempotency.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buffer) record = BUFFER(1 << 20);
    struct idempotent_answer answer;

    buffer_append(&record, data, size);
    if (idempotency_read(&record, &answer)) {
        fuzz_check(answer.status >= 200 && answer.status <= 299);
        fuzz_check(strlen(answer.location) < sizeof answer.location);
        fuzz_check(answer.body >= record.data &&
                   answer.body + answer.body_size <= record.data + record.size);
    }
    return 0;
}
