/* SPDX-License-Identifier: Apache-2.0
 *
 * rights.c: see rights.h.  Values: fwpmu.h and winnt.h; the generic rights of WFP are its own. */
#include "auth/rights.h"

#include <string.h>

struct right_row {
    const char *name;
    uint32_t mask;
};

/* clang-format off */

/* One bit each, ascending. */
static const struct right_row single_rights[] = {
    { "FWPM_ACTRL_ADD",             FWPM_ACTRL_ADD },
    { "FWPM_ACTRL_ADD_LINK",        FWPM_ACTRL_ADD_LINK },
    { "FWPM_ACTRL_BEGIN_READ_TXN",  FWPM_ACTRL_BEGIN_READ_TXN },
    { "FWPM_ACTRL_BEGIN_WRITE_TXN", FWPM_ACTRL_BEGIN_WRITE_TXN },
    { "FWPM_ACTRL_CLASSIFY",        FWPM_ACTRL_CLASSIFY },
    { "FWPM_ACTRL_ENUM",            FWPM_ACTRL_ENUM },
    { "FWPM_ACTRL_OPEN",            FWPM_ACTRL_OPEN },
    { "FWPM_ACTRL_READ",            FWPM_ACTRL_READ },
    { "FWPM_ACTRL_READ_STATS",      FWPM_ACTRL_READ_STATS },
    { "FWPM_ACTRL_SUBSCRIBE",       FWPM_ACTRL_SUBSCRIBE },
    { "FWPM_ACTRL_WRITE",           FWPM_ACTRL_WRITE },
    { "DELETE",                     RIGHT_DELETE },
    { "READ_CONTROL",               RIGHT_READ_CONTROL },
    { "WRITE_DAC",                  RIGHT_WRITE_DAC },
    { "WRITE_OWNER",                RIGHT_WRITE_OWNER },
    { "SYNCHRONIZE",                0x00100000u },
};

/* Sums of the above.  The four GENERIC_* of Win32 stand for WFP's own, as its objects map them. */
#define GENERIC_READ_MAPPED    0x000201D4u
#define GENERIC_EXECUTE_MAPPED 0x00020220u
#define GENERIC_WRITE_MAPPED   0x0003040Bu
#define GENERIC_ALL_MAPPED     0x000F07FFu
static const struct right_row combined_rights[] = {
    { "FWPM_GENERIC_READ",        GENERIC_READ_MAPPED },
    { "FWPM_GENERIC_EXECUTE",     GENERIC_EXECUTE_MAPPED },
    { "FWPM_GENERIC_WRITE",       GENERIC_WRITE_MAPPED },
    { "FWPM_GENERIC_ALL",         GENERIC_ALL_MAPPED },
    { "GENERIC_READ",             GENERIC_READ_MAPPED },
    { "GENERIC_EXECUTE",          GENERIC_EXECUTE_MAPPED },
    { "GENERIC_WRITE",            GENERIC_WRITE_MAPPED },
    { "GENERIC_ALL",              GENERIC_ALL_MAPPED },
    { "STANDARD_RIGHTS_REQUIRED", 0x000F0000u },
    { "STANDARD_RIGHTS_READ",     RIGHT_READ_CONTROL },
    { "STANDARD_RIGHTS_WRITE",    RIGHT_READ_CONTROL },
    { "STANDARD_RIGHTS_EXECUTE",  RIGHT_READ_CONTROL },
};

static const struct {
    const char *name;
    const char *why;
} ungrantable_rights[] = {
    { "MAXIMUM_ALLOWED",        "asks for whatever is granted and so cannot be granted itself" },
    { "ACCESS_SYSTEM_SECURITY", "guards audit lists (SACLs), which WFP ignores" },
};

/* clang-format on */

static const char *const container_names[IPSEC_CONTAINER_COUNT] = {
    [IPSEC_CONTAINER_ENGINE] = "engine",
    [IPSEC_CONTAINER_SA_DATABASE] = "saDatabase",
    [IPSEC_CONTAINER_FILTERS] = "filters",
    [IPSEC_CONTAINER_PROVIDER_CONTEXTS] = "providerContexts",
};

static bool
find_row(const struct right_row *rows, size_t count, const char *name, uint32_t *mask_out);

bool
rights_find(const char *name, uint32_t *mask_out)
{
    return find_row(single_rights, sizeof single_rights / sizeof *single_rights, name, mask_out) ||
           find_row(combined_rights, sizeof combined_rights / sizeof *combined_rights, name,
                    mask_out);
}

const char *
rights_why_ungrantable(const char *name)
{
    for (size_t i = 0; i < sizeof ungrantable_rights / sizeof *ungrantable_rights; i++) {
        if (strcmp(ungrantable_rights[i].name, name) == 0)
            return ungrantable_rights[i].why;
    }
    return NULL;
}

const char *
rights_next_name(uint32_t mask, size_t *position)
{
    while (*position < sizeof single_rights / sizeof *single_rights) {
        const struct right_row *row = &single_rights[(*position)++];
        if ((mask & row->mask) != 0)
            return row->name;
    }
    return NULL;
}

const char *
container_name(enum ipsec_container container)
{
    return (unsigned)container < IPSEC_CONTAINER_COUNT ? container_names[container] : NULL;
}

bool
container_find(const char *name, enum ipsec_container *container_out)
{
    for (int i = 0; i < IPSEC_CONTAINER_COUNT; i++) {
        if (strcmp(container_names[i], name) == 0) {
            *container_out = (enum ipsec_container)i;
            return true;
        }
    }
    return false;
}

static bool
find_row(const struct right_row *rows, size_t count, const char *name, uint32_t *mask_out)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            *mask_out = rows[i].mask;
            return true;
        }
    }
    return false;
}
