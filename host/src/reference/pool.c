/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that take items one by one from a shared counter, so that slow ones get fewer. */
#include "reference/pool.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct pool_thread {
    struct reference_pool *pool;
    size_t number;
    pthread_t handle;
};

struct reference_pool {
    size_t thread_count; /* that were started */
    struct pool_thread *threads;
    pthread_mutex_t mutex;
    pthread_cond_t start, finish;
    /* Under the mutex */
    size_t round; /* counts runs */
    size_t busy;  /* threads that have not finished this round */
    bool stop;
    /* Written before a round starts */
    reference_work work;
    void *user;
    size_t items;
    atomic_size_t next;
};

static void take_items(struct reference_pool *pool, size_t thread)
{
    for (;;) {
        size_t item = atomic_fetch_add(&pool->next, 1);
        if (item >= pool->items) {
            return;
        }
        pool->work(pool->user, thread, item);
    }
}

static void *run_thread(void *argument)
{
    struct pool_thread *thread = argument;
    struct reference_pool *pool = thread->pool;
    size_t round = 0;
    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        while (!pool->stop && pool->round == round) {
            pthread_cond_wait(&pool->start, &pool->mutex);
        }
        if (pool->stop) {
            break;
        }
        round = pool->round;
        pthread_mutex_unlock(&pool->mutex);
        take_items(pool, thread->number);
        pthread_mutex_lock(&pool->mutex);
        if (--pool->busy == 0) {
            pthread_cond_signal(&pool->finish);
        }
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

bittern_status reference_pool_create(size_t threads, struct reference_pool **pool,
                                     struct bittern_error *err)
{
    *pool = NULL;
    struct reference_pool *made = calloc(1, sizeof *made);
    if (!made) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the engine's threads");
    }
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->start, NULL);
    pthread_cond_init(&made->finish, NULL);
    made->threads = calloc(threads, sizeof *made->threads);
    if (!made->threads) {
        reference_pool_free(made);
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for %zu threads", threads);
    }
    for (size_t i = 0; i + 1 < threads; ++i) {
        struct pool_thread *thread = &made->threads[i];
        thread->pool = made;
        thread->number = i + 1;
        int code = pthread_create(&thread->handle, NULL, run_thread, thread);
        if (code != 0) {
            reference_pool_free(made);
            return bittern_error_set(err, BITTERN_ERR_MEMORY,
                                     "cannot start thread %zu of %zu: %s; ask for fewer threads",
                                     i + 2, threads, strerror(code));
        }
        ++made->thread_count;
    }
    *pool = made;
    return BITTERN_OK;
}

void reference_pool_free(struct reference_pool *pool)
{
    if (!pool) {
        return;
    }
    pthread_mutex_lock(&pool->mutex);
    pool->stop = true;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->mutex);
    for (size_t i = 0; i < pool->thread_count; ++i) {
        pthread_join(pool->threads[i].handle, NULL);
    }
    pthread_cond_destroy(&pool->start);
    pthread_cond_destroy(&pool->finish);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->threads);
    free(pool);
}

void reference_pool_run(struct reference_pool *pool, size_t items, reference_work work, void *user)
{
    pthread_mutex_lock(&pool->mutex);
    pool->work = work;
    pool->user = user;
    pool->items = items;
    atomic_store(&pool->next, 0);
    pool->busy = pool->thread_count;
    ++pool->round;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->mutex);
    take_items(pool, 0);
    pthread_mutex_lock(&pool->mutex);
    while (pool->busy > 0) {
        pthread_cond_wait(&pool->finish, &pool->mutex);
    }
    pthread_mutex_unlock(&pool->mutex);
}
