/* SPDX-License-Identifier: Apache-2.0 */
/* The card's memory: the host says which parts of it are buffers; nothing else is there. */
#ifndef BITTERN_SIM_XRT_CARD_MEMORY_H
#define BITTERN_SIM_XRT_CARD_MEMORY_H

#include <bittern/error.h>
#include <stdint.h>

struct card_memory;

/* Costs no memory before it is written. */
bittern_status card_memory_create(uint64_t base, uint64_t bytes, struct card_memory **memory,
                                  struct bittern_error *err);
void card_memory_free(struct card_memory *memory);

/* New buffers are 0. BITTERN_ERR_RANGE outside of memory, or within another buffer. */
bittern_status card_memory_allocate(struct card_memory *memory, uint64_t address, uint64_t size,
                                    struct bittern_error *err);
bittern_status card_memory_release(struct card_memory *memory, uint64_t address,
                                   struct bittern_error *err);
/* Where size bytes at an address stand; NULL where they are not within one buffer. */
uint8_t *card_memory_find(const struct card_memory *memory, uint64_t address, uint64_t size);

#endif
