/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public face of the reference engine: choice of kernel, threads, and a batch cut into groups
 * of images. A plan (read-only) is shared; each thread has a worker with its own buffers.
 */
#include "reference/engine.h"
#include "base/checked.h"
#include "reference/pool.h"
#include "reference/run.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_THREADS = 1024,
    /* Images that a thread takes at once: enough for weights to be reused where rows are short. */
    GROUP_IMAGES = 8
};
/* Less where a group's values would take more than this. */
#define GROUP_BYTES ((size_t)16 << 20)

struct bittern_reference {
    struct reference_plan *plan;
    struct reference_pool *pool;
    size_t thread_count;
    struct reference_worker *workers; /* [thread] */
};

/* One call of bittern_reference_run. */
struct batch {
    struct bittern_reference *engine;
    const uint8_t *images;
    size_t count, group, image_bytes, outputs;
    const int16_t *value_of; /* [256], or NULL: the network's tables */
    int32_t *values;
};

static const struct reference_kernel *const kernels[] = {
#ifdef BITTERN_KERNEL_AVX512
    &reference_kernel_avx512,
#endif
#ifdef BITTERN_KERNEL_AVX2
    &reference_kernel_avx2,
#endif
#ifdef BITTERN_KERNEL_NEON
    &reference_kernel_neon,
#endif
    &reference_kernel_portable,
};

const struct reference_kernel *reference_kernel_at(size_t index)
{
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; ++i) {
        if (kernels[i]->is_supported() && index-- == 0) {
            return kernels[i];
        }
    }
    return NULL;
}

const char *bittern_reference_kernel_name(size_t index)
{
    const struct reference_kernel *kernel = reference_kernel_at(index);
    return kernel ? kernel->name : NULL;
}

static bittern_status choose_kernel(const char *name, const struct reference_kernel **kernel,
                                    struct bittern_error *err)
{
    char names[128] = "";
    for (size_t i = 0; (*kernel = reference_kernel_at(i)) != NULL; ++i) {
        if (!name || strcmp(name, (*kernel)->name) == 0) {
            return BITTERN_OK;
        }
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "", (*kernel)->name);
    }
    return bittern_error_set(err, BITTERN_ERR_NOT_FOUND,
                             "no kernel '%s' runs on this CPU; there are: %s", name, names);
}

static size_t available_cpus(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? (size_t)count : 1;
}

/* Images a group, at most: so that buffers stay small, whatever the network. */
static size_t group_images(const struct reference_plan *plan)
{
    size_t bytes = plan->image_bytes;
    bytes = plan->acc_bytes > bytes ? plan->acc_bytes : bytes;
    bytes = plan->code_bytes > bytes ? plan->code_bytes : bytes;
    size_t images = GROUP_BYTES / (bytes + 1);
    images = images < GROUP_IMAGES ? images : GROUP_IMAGES;
    return images > 0 ? images : 1;
}

bittern_status reference_engine_create(const struct bittern_network *network,
                                       const struct reference_kernel *kernel, size_t threads,
                                       struct bittern_reference **engine, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    *engine = NULL;
    struct bittern_reference *made = calloc(1, sizeof *made);
    if (!made) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the reference engine");
    }
    status = reference_plan_create(network, kernel, &made->plan, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    made->workers = calloc(threads, sizeof *made->workers);
    if (made->workers) {
        made->thread_count = threads;
    }
    for (size_t i = 0; i < threads; ++i) {
        if (!made->workers ||
            !reference_worker_prepare(&made->workers[i], made->plan, group_images(made->plan))) {
            status = bittern_error_set(err, BITTERN_ERR_MEMORY,
                                       "no memory for the values of network '%s' in %zu threads",
                                       bittern_network_name(network), threads);
            goto cleanup;
        }
    }
    status = reference_pool_create(threads, &made->pool, err);
    if (status == BITTERN_OK) {
        *engine = made;
        made = NULL;
    }
cleanup:
    bittern_reference_free(made);
    return status;
}

bittern_status bittern_reference_create(const struct bittern_network *network,
                                        const struct bittern_reference_options *options,
                                        struct bittern_reference **engine,
                                        struct bittern_error *err)
{
    const struct reference_kernel *kernel = NULL;
    size_t threads = options ? options->threads : 0;
    *engine = NULL;
    if (threads > MAX_THREADS) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "%zu threads asked for; the reference engine takes up to %d",
                                 threads, MAX_THREADS);
    }
    bittern_status status = choose_kernel(options ? options->kernel : NULL, &kernel, err);
    if (status != BITTERN_OK) {
        return status;
    }
    return reference_engine_create(network, kernel, threads > 0 ? threads : available_cpus(),
                                   engine, err);
}

void bittern_reference_free(struct bittern_reference *engine)
{
    if (!engine) {
        return;
    }
    reference_pool_free(engine->pool);
    for (size_t i = 0; i < engine->thread_count; ++i) {
        reference_worker_release(&engine->workers[i]);
    }
    free(engine->workers);
    reference_plan_free(engine->plan);
    free(engine);
}

const char *bittern_reference_kernel(const struct bittern_reference *engine)
{
    return engine->plan->kernel->name;
}

size_t bittern_reference_threads(const struct bittern_reference *engine)
{
    return engine->thread_count;
}

static size_t image_bytes(const struct bittern_reference *engine)
{
    const struct bittern_shape *shape = &bittern_network_input(engine->plan->network)->shape;
    return shape->channels * shape->height * shape->width;
}

static void run_group(void *user, size_t thread, size_t item)
{
    const struct batch *batch = user;
    size_t first = item * batch->group;
    size_t count = batch->count - first < batch->group ? batch->count - first : batch->group;
    reference_worker_run(&batch->engine->workers[thread],
                         batch->images + first * batch->image_bytes, batch->value_of, count,
                         batch->values + first * batch->outputs);
}

static bittern_status run_batch(struct bittern_reference *engine, const uint8_t *images,
                                const int16_t *value_of, size_t count, int32_t *values,
                                struct bittern_error *err)
{
    if (count == 0) {
        return BITTERN_OK;
    }
    if (!images || !values) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "the reference engine got %zu images, but no memory for %s", count,
                                 images ? "their outputs" : "them");
    }
    /* Smaller groups where there would be too few for all threads. */
    size_t share = (count - 1) / engine->thread_count + 1;
    struct batch batch = {.engine = engine,
                          .images = images,
                          .count = count,
                          .group =
                              share < engine->workers[0].images ? share : engine->workers[0].images,
                          .image_bytes = image_bytes(engine),
                          .outputs = bittern_network_output_count(engine->plan->network)};
    batch.value_of = value_of;
    batch.values = values;
    reference_pool_run(engine->pool, (count - 1) / batch.group + 1, run_group, &batch);
    return BITTERN_OK;
}

bittern_status bittern_reference_run(struct bittern_reference *engine, const uint8_t *images,
                                     size_t count, int32_t *values, struct bittern_error *err)
{
    return run_batch(engine, images, NULL, count, values, err);
}

bittern_status bittern_reference_run_values(struct bittern_reference *engine, const uint8_t *input,
                                            size_t count, int32_t *values,
                                            struct bittern_error *err)
{
    const struct bittern_value_type *type = &bittern_network_input(engine->plan->network)->type;
    int16_t value_of[256];
    for (int i = 0; i < 256; ++i) {
        value_of[i] = (int16_t)(type->is_signed && i > 127 ? i - 256 : i);
    }
    size_t bytes = input ? count * image_bytes(engine) : 0;
    for (size_t i = 0; i < bytes; ++i) {
        if (value_of[input[i]] < type->minimum || value_of[input[i]] > type->maximum) {
            return bittern_error_set(err, BITTERN_ERR_RANGE,
                                     "input value %d, number %zu of image %zu, is outside of the "
                                     "network's %d to %d",
                                     value_of[input[i]], i % image_bytes(engine),
                                     i / image_bytes(engine), type->minimum, type->maximum);
        }
    }
    return run_batch(engine, input, value_of, count, values, err);
}

/* Values of the largest input or output. */
static size_t largest_values(const struct reference_plan *plan)
{
    size_t largest = 1;
    for (size_t i = 0; i <= plan->layer_count; ++i) {
        const struct bittern_shape *shape =
            i < plan->layer_count ? &plan->layers[i].input.shape : &plan->output.shape;
        size_t values = shape->channels * shape->height * shape->width;
        largest = values > largest ? values : largest;
    }
    return largest;
}

bittern_status bittern_reference_trace(struct bittern_reference *engine, const uint8_t *images,
                                       size_t count, bittern_layer_observer observer, void *user,
                                       struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    if (count > 0 && (!images || !observer)) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "a trace of %zu images needs %s", count,
                                 images ? "an observer" : "images");
    }
    int32_t *values = reference_allocate(largest_values(engine->plan), sizeof *values);
    if (!values) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a layer's output");
    }
    for (size_t i = 0; status == BITTERN_OK && i < count; ++i) {
        status = reference_worker_trace(&engine->workers[0], images + i * image_bytes(engine), i,
                                        observer, user, values, err);
    }
    free(values);
    return status;
}
