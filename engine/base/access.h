/* SPDX-License-Identifier: Apache-2.0
 *
 * access.h: the bits of the WFP access rights and the containers they are granted on, as the engine
 * checks them.  Names, generic mappings and descriptors are in auth/.  Values: fwpmu.h, winnt.h. */
#pragma once

#include <stdint.h>

enum ipsec_right {
    FWPM_ACTRL_ADD = 0x00000001,
    FWPM_ACTRL_ADD_LINK = 0x00000002,
    FWPM_ACTRL_BEGIN_READ_TXN = 0x00000004,
    FWPM_ACTRL_BEGIN_WRITE_TXN = 0x00000008,
    FWPM_ACTRL_CLASSIFY = 0x00000010,
    FWPM_ACTRL_ENUM = 0x00000020,
    FWPM_ACTRL_OPEN = 0x00000040,
    FWPM_ACTRL_READ = 0x00000080,
    FWPM_ACTRL_READ_STATS = 0x00000100,
    FWPM_ACTRL_SUBSCRIBE = 0x00000200,
    FWPM_ACTRL_WRITE = 0x00000400,
    RIGHT_DELETE = 0x00010000,
    RIGHT_READ_CONTROL = 0x00020000,
    RIGHT_WRITE_DAC = 0x00040000,
    RIGHT_WRITE_OWNER = 0x00080000,
};

/* One security descriptor each; the engine's is inherited by the others. */
enum ipsec_container {
    IPSEC_CONTAINER_ENGINE = 0,
    IPSEC_CONTAINER_SA_DATABASE,
    IPSEC_CONTAINER_FILTERS,
    IPSEC_CONTAINER_PROVIDER_CONTEXTS,
    IPSEC_CONTAINER_COUNT
};

/* What a caller may do: for each container the mask of granted rights.  Zeroed grants nothing. */
struct ipsec_rights {
    uint32_t granted[IPSEC_CONTAINER_COUNT];
};
