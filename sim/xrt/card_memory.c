/* SPDX-License-Identifier: Apache-2.0 */
/* One mapping for all of memory, whose pages come when they are first written; a list of buffers.
 */
#include "card_memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE UINT64_C(4096)

struct buffer {
    uint64_t address, size;
};

struct card_memory {
    uint64_t base, bytes;
    uint8_t *data;
    size_t count, room;
    struct buffer *buffers;
};

bittern_status card_memory_create(uint64_t base, uint64_t bytes, struct card_memory **memory_out,
                                  struct bittern_error *err)
{
    struct card_memory *memory = calloc(1, sizeof *memory);

    *memory_out = NULL;
    if (!memory) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the card's memory");
    }
    void *data = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) {
        free(memory);
        return bittern_error_set(err, BITTERN_ERR_MEMORY,
                                 "cannot map %" PRIu64 " MiB of address space for the card's "
                                 "memory: %s",
                                 bytes >> 20, strerror(errno));
    }
    *memory = (struct card_memory){.base = base, .bytes = bytes, .data = data};
    *memory_out = memory;
    return BITTERN_OK;
}

void card_memory_free(struct card_memory *memory)
{
    if (memory) {
        (void)munmap(memory->data, (size_t)memory->bytes);
        free(memory->buffers);
        free(memory);
    }
}

bittern_status card_memory_allocate(struct card_memory *memory, uint64_t address, uint64_t size,
                                    struct bittern_error *err)
{
    if (address < memory->base || size > memory->bytes ||
        address - memory->base > memory->bytes - size) {
        return bittern_error_set(err, BITTERN_ERR_RANGE,
                                 "a buffer of %" PRIu64 " bytes at 0x%" PRIx64
                                 " lies outside of the card's memory",
                                 size, address);
    }
    for (size_t i = 0; i < memory->count; i++) {
        const struct buffer *other = &memory->buffers[i];
        if (address < other->address + other->size && other->address < address + size) {
            return bittern_error_set(err, BITTERN_ERR_RANGE,
                                     "a buffer at 0x%" PRIx64 " lies within another one", address);
        }
    }
    if (memory->count == memory->room) {
        size_t room = memory->room * 2 + 16;
        struct buffer *larger = realloc(memory->buffers, room * sizeof *larger);
        if (!larger) {
            return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a buffer");
        }
        memory->buffers = larger;
        memory->room = room;
    }
    memory->buffers[memory->count++] = (struct buffer){address, size};
    return BITTERN_OK;
}

bittern_status card_memory_release(struct card_memory *memory, uint64_t address,
                                   struct bittern_error *err)
{
    for (size_t i = 0; i < memory->count; i++) {
        if (memory->buffers[i].address != address) {
            continue;
        }
        /* Whole pages go back; what is left of the first and the last is cleared by hand. */
        uint8_t *data = memory->data + (address - memory->base);
        uint64_t size = memory->buffers[i].size;
        if (address % PAGE == 0 &&
            madvise(data, (size_t)(size / PAGE * PAGE), MADV_DONTNEED) == 0) {
            memset(data + size / PAGE * PAGE, 0, (size_t)(size % PAGE));
        } else {
            memset(data, 0, (size_t)size);
        }
        memory->buffers[i] = memory->buffers[--memory->count];
        return BITTERN_OK;
    }
    return bittern_error_set(err, BITTERN_ERR_NOT_FOUND, "there is no buffer at 0x%" PRIx64,
                             address);
}

uint8_t *card_memory_find(const struct card_memory *memory, uint64_t address, uint64_t size)
{
    for (size_t i = 0; i < memory->count; i++) {
        const struct buffer *buffer = &memory->buffers[i];
        if (address >= buffer->address && size <= buffer->size &&
            address - buffer->address <= buffer->size - size) {
            return memory->data + (address - memory->base);
        }
    }
    return NULL;
}
