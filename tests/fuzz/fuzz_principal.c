/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_principal.c: the principal of an entry, and whom it means: who matches for certain might
 * match, too. */
#include "auth/principal.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char uri[] = "spiffe://example.org/a/1";
    static char dns[] = "host.example.org";
    static char cn[] = "somebody";
    static struct auth_name names[] = { { AUTH_NAME_URI, uri },
                                        { AUTH_NAME_DNS, dns },
                                        { AUTH_NAME_CN, cn },
                                        { AUTH_NAME_EVERYONE, NULL } };
    static const struct auth_identity identity = { .principal = uri,
                                                   .names = names,
                                                   .name_count = 4 };
    char *text = fuzz_text(data, size);
    struct principal principal = { .text = NULL };
    const char *cause = NULL;

    if (principal_parse(text, &principal, &cause)) {
        fuzz_check(principal.text != NULL || principal.kind == AUTH_NAME_EVERYONE);
        if (principal_matches(&principal, &identity))
            fuzz_check(principal_might_match(&principal, &identity));
        principal_clear(&principal);
    } else {
        fuzz_check(cause != NULL);
    }
    free(text);
    return 0;
}
