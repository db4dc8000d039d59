/* SPDX-License-Identifier: Apache-2.0
 *
 * spi_table.h: inbound SPIs: who has which, and which rest for a while.
 *
 * An SPI is drawn at random from the configured range; a range of up to 2^26 is also held as a
 * bitmap, so that the last free SPI of it is found as fast as the first. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/number_map.h"

#define SPI_FIRST UINT32_C(256) /* RFC 4303: 0 is no SA, 1 to 255 are reserved */

struct spi_bitmap;

struct spi_table {
    uint32_t minimum;
    uint32_t maximum;
    struct number_map owners;      /* SPI: SA context */
    struct number_map quarantined; /* SPI: until when, CLOCK_BOOTTIME */
    uint64_t taken;                /* SPIs of the range that are not free */
    struct spi_bitmap *bitmap;     /* of the range; null: it is too large for one */
    uint64_t randoms[32];          /* drawn from the kernel together */
    unsigned randoms_left;
};

/* The range begins at SPI_FIRST or above and is not empty.  False: no memory. */
NODISCARD bool spi_table_init(struct spi_table *table, uint32_t minimum, uint32_t maximum);
void spi_table_clear(struct spi_table *table);

/* Room for one more owner and one more in quarantine.  False: no memory. */
NODISCARD bool spi_table_reserve(struct spi_table *table);

/* The context that has the SPI, 0 for none. */
uint64_t spi_table_owner(const struct spi_table *table, uint32_t spi);
/* A random SPI of the range that nobody has and that does not rest.  False: there is none. */
NODISCARD bool spi_table_draw(struct spi_table *table, uint32_t *spi_out);
/* There is room, and nobody has it. */
void spi_table_take(struct spi_table *table, uint32_t spi, uint64_t context_id);
void spi_table_release(struct spi_table *table, uint32_t spi, uint64_t context_id);

/* Lets an SPI rest until then; 0: no longer.  Returns what it was before; there is room. */
int64_t spi_table_quarantine(struct spi_table *table, uint32_t spi, int64_t until_ms);
/* Until when it rests, 0: it does not. */
int64_t spi_table_resting(const struct spi_table *table, uint32_t spi);

/* Gives back memory.  Not while a change may be undone. */
void spi_table_tidy(struct spi_table *table);
