/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host memory that plays a device's memory: allocations at multiples of 4096 in an address space of
 * its own, which has nothing at 0 and a gap behind each allocation, so that a wrong address is an
 * error and not somebody else's data. Calls for one memory may come from several threads.
 */
#ifndef BITTERN_DEVICE_MEMORY_H
#define BITTERN_DEVICE_MEMORY_H

#include <bittern/error.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_MEMORY_ALIGNMENT UINT64_C(4096)

struct device_memory;

/* @param capacity  bytes that may be allocated at one time
 * @param first     the first address, a multiple of the alignment, with twice the capacity behind
 * it; 0: the first multiple, so that nothing is at 0 */
bittern_status device_memory_create(uint64_t capacity, uint64_t first,
                                    struct device_memory **memory, struct bittern_error *err);
void device_memory_free(struct device_memory *memory);

/* The memory is zeroed. */
bittern_status device_memory_allocate(struct device_memory *memory, uint64_t size,
                                      uint64_t *address, struct bittern_error *err);
bittern_status device_memory_release(struct device_memory *memory, uint64_t address,
                                     struct bittern_error *err);

/* Where address .. address + size - 1 stand in host memory, until the allocation is released;
 * BITTERN_ERR_DEVICE where they are not within one allocation. `what` is for the message. */
bittern_status device_memory_find(struct device_memory *memory, const char *what, uint64_t address,
                                  uint64_t size, uint8_t **data, struct bittern_error *err);

/* Copy into an allocation, and out of one; fails as device_memory_find does. */
bittern_status device_memory_write(struct device_memory *memory, uint64_t address, const void *data,
                                   size_t size, struct bittern_error *err);
bittern_status device_memory_read(struct device_memory *memory, uint64_t address, void *data,
                                  size_t size, struct bittern_error *err);

#endif
