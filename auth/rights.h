/* SPDX-License-Identifier: Apache-2.0
 *
 * rights.h: the WFP access rights by name and their generic mappings (fwpmu.h, winnt.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/access.h"

/* The mask that a name in access.json stands for: every right, standard right and generic right of
 * the WFP table ("FWPM_ACTRL_ADD", "DELETE", "FWPM_GENERIC_READ", "GENERIC_ALL", …), generic ones
 * already mapped.  False for a name that is none. */
bool rights_find(const char *name, uint32_t *mask_out);

/* Why a right of Win32 that exists cannot stand in a descriptor here ("MAXIMUM_ALLOWED"); null for
 * any other name. */
const char *rights_why_ungrantable(const char *name);

/* The single rights of a mask, one after another: start with '*position' 0; null at the end. */
const char *rights_next_name(uint32_t mask, size_t *position);

/* "engine", "saDatabase", "filters", "providerContexts". */
const char *container_name(enum ipsec_container container);
bool container_find(const char *name, enum ipsec_container *container_out);
