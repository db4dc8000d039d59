/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_access.c: access.json: refused with file and cause, or a policy that grants nothing to who
 * has no certificate, and no right that does not exist. */
#include "auth/access_policy.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char uri[] = "spiffe://example.org/orchestrator/1";
    static struct auth_name names[] = { { AUTH_NAME_URI, uri }, { AUTH_NAME_EVERYONE, NULL } };
    static const struct auth_identity identity = { .principal = uri,
                                                   .names = names,
                                                   .name_count = 2 };
    struct ipsec_fault fault = { .status = IPSEC_OK };
    struct access_policy *policy = NULL;
    struct ipsec_rights rights;

    enum ipsec_status status = access_policy_load(fuzz_file(data, size), &fault, &policy);
    fuzz_check((status == IPSEC_OK) == (policy != NULL));
    if (policy == NULL) {
        fuzz_check(fault.status == status && strstr(fault.detail, "/proc/self") != NULL);
        return 0;
    }
    access_policy_rights(policy, &identity, &rights);
    for (size_t i = 0; i < IPSEC_CONTAINER_COUNT; i++)
        fuzz_check((rights.granted[i] & ~UINT32_C(0x000F07FF)) == 0);
    access_policy_rights(policy, NULL, &rights);
    for (size_t i = 0; i < IPSEC_CONTAINER_COUNT; i++)
        fuzz_check(rights.granted[i] == 0);
    access_policy_unref(policy);
    return 0;
}
