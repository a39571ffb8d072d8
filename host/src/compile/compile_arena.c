/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of one compilation, and errors that name a node. */
#include "base/checked.h"
#include "compile/compile.h"

#include <stdlib.h>

struct compile_block {
    struct compile_block *next;
    max_align_t data[];
};

void *compile_allocate(struct compile_arena *arena, size_t count, size_t size,
                       struct bittern_error *err)
{
    size_t bytes;
    struct compile_block *block = NULL;

    if (checked_mul_size(count, size, &bytes) && checked_add_size(bytes, sizeof *block, &bytes)) {
        block = calloc(1, bytes);
    }
    if (!block) {
        (void)bittern_error_set(err, BITTERN_ERR_MEMORY,
                                "no memory to compile with: %zu items of %zu bytes", count, size);
        return NULL;
    }
    block->next = arena->blocks;
    arena->blocks = block;
    return block->data;
}

void compile_arena_free(struct compile_arena *arena)
{
    while (arena->blocks) {
        struct compile_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
}
