/* SPDX-License-Identifier: Apache-2.0 */
/* A few threads that wait for work. The caller's thread works too, as number 0. */
#ifndef BITTERN_REFERENCE_POOL_H
#define BITTERN_REFERENCE_POOL_H

#include <bittern/error.h>
#include <stddef.h>

struct reference_pool;

/* threads - 1 new threads. */
bittern_status reference_pool_create(size_t threads, struct reference_pool **pool,
                                     struct bittern_error *err);
void reference_pool_free(struct reference_pool *pool);

/* Call work(user, thread, item) once for every item 0..items-1, and return when all are done. */
typedef void (*reference_work)(void *user, size_t thread, size_t item);
void reference_pool_run(struct reference_pool *pool, size_t items, reference_work work, void *user);

#endif
