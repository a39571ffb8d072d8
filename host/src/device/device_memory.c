/* SPDX-License-Identifier: Apache-2.0 */
/* A list of allocations under a lock. Addresses are not used a second time, so that a stale one is
 * noticed, too. A session has five allocations: walking the list costs nothing. */
#include "device/device_memory.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct memory_block {
    uint64_t address;
    uint64_t size;
    uint8_t *data;
    struct memory_block *next;
};

struct device_memory {
    pthread_mutex_t lock;
    uint64_t capacity;
    uint64_t used;
    uint64_t next_address;
    struct memory_block *blocks;
};

bittern_status device_memory_create(uint64_t capacity, uint64_t first,
                                    struct device_memory **memory_out, struct bittern_error *err)
{
    struct device_memory *memory = calloc(1, sizeof *memory);
    *memory_out = NULL;
    if (!memory || pthread_mutex_init(&memory->lock, NULL) != 0) {
        free(memory);
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a device's memory");
    }
    memory->capacity = capacity;
    memory->next_address = first ? first : DEVICE_MEMORY_ALIGNMENT;
    *memory_out = memory;
    return BITTERN_OK;
}

void device_memory_free(struct device_memory *memory)
{
    if (!memory) {
        return;
    }
    while (memory->blocks) {
        struct memory_block *block = memory->blocks;
        memory->blocks = block->next;
        free(block->data);
        free(block);
    }
    pthread_mutex_destroy(&memory->lock);
    free(memory);
}

bittern_status device_memory_allocate(struct device_memory *memory, uint64_t size,
                                      uint64_t *address, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    struct memory_block *block = calloc(1, sizeof *block);

    pthread_mutex_lock(&memory->lock);
    uint64_t left = memory->capacity - memory->used;
    if (size <= left && block) {
        block->data = calloc(1, (size_t)size);
    }
    if (!block || !block->data) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY,
                                   "cannot allocate %" PRIu64 " bytes of device memory; %" PRIu64
                                   " of %" PRIu64 " are free",
                                   size, left, memory->capacity);
        free(block);
    } else {
        /* Capacity bounds the sum of sizes; one gap and the rounding take at most 8 KiB each. */
        uint64_t pages = (size + DEVICE_MEMORY_ALIGNMENT - 1) / DEVICE_MEMORY_ALIGNMENT;
        block->address = memory->next_address;
        block->size = size;
        block->next = memory->blocks;
        memory->blocks = block;
        memory->used += size;
        memory->next_address += (pages + 1) * DEVICE_MEMORY_ALIGNMENT;
        *address = block->address;
    }
    pthread_mutex_unlock(&memory->lock);
    return status;
}

bittern_status device_memory_release(struct device_memory *memory, uint64_t address,
                                     struct bittern_error *err)
{
    struct memory_block *block = NULL;

    pthread_mutex_lock(&memory->lock);
    struct memory_block **link = &memory->blocks;
    while (*link && (*link)->address != address) {
        link = &(*link)->next;
    }
    block = *link;
    if (block) {
        *link = block->next;
        memory->used -= block->size;
    }
    pthread_mutex_unlock(&memory->lock);
    if (!block) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "no allocation starts at address 0x%" PRIx64, address);
    }
    free(block->data);
    free(block);
    return BITTERN_OK;
}

bittern_status device_memory_find(struct device_memory *memory, const char *what, uint64_t address,
                                  uint64_t size, uint8_t **data, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;

    *data = NULL;
    pthread_mutex_lock(&memory->lock);
    for (const struct memory_block *block = memory->blocks; block; block = block->next) {
        if (address >= block->address && address - block->address <= block->size &&
            size <= block->size - (address - block->address)) {
            *data = block->data + (address - block->address);
            break;
        }
    }
    pthread_mutex_unlock(&memory->lock);
    if (!*data) {
        status = bittern_error_set(err, BITTERN_ERR_DEVICE,
                                   "%s: %" PRIu64 " bytes at address 0x%" PRIx64
                                   " are not within one allocation",
                                   what, size, address);
    }
    return status;
}

bittern_status device_memory_write(struct device_memory *memory, uint64_t address, const void *data,
                                   size_t size, struct bittern_error *err)
{
    uint8_t *place = NULL;
    bittern_status status = device_memory_find(memory, "write", address, size, &place, err);
    if (status == BITTERN_OK) {
        memcpy(place, data, size);
    }
    return status;
}

bittern_status device_memory_read(struct device_memory *memory, uint64_t address, void *data,
                                  size_t size, struct bittern_error *err)
{
    uint8_t *place = NULL;
    bittern_status status = device_memory_find(memory, "read", address, size, &place, err);
    if (status == BITTERN_OK) {
        memcpy(data, place, size);
    }
    return status;
}
