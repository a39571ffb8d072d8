/* SPDX-License-Identifier: Apache-2.0 */
/* The backend itself, tensors, their layouts, and the reorder between them. */
#include "backend_check.h"

#include "backend/backend_bf16.h"

#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* Would catch: a thread count that is not the affinity's, or one that is not obeyed. */
static void zero_threads_mean_as_many_as_the_process_may_use(void **state)
{
    const struct backend_options options = {.threads = 0, .precision = BACKEND_PRECISION_F32};
    struct backend *backend = NULL;
    struct bittern_error err;
    cpu_set_t allowed;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    assert_ok(backend_create(&options, &backend, &err), &err);
    assert_int_equal(backend_threads(backend), CPU_COUNT(&allowed));
    assert_non_null(strstr(backend_description(backend), "oneDNN"));
    assert_non_null(strstr(backend_description(backend), "f32"));
    backend_free(backend);
}

/* Would catch: a bf16 backend on a CPU that crashes on its instructions, or an AUTO that emulates.
 */
static void bf16_is_chosen_or_refused_by_what_the_cpu_can(void **state)
{
    struct backend_options options = {.threads = 1, .precision = BACKEND_PRECISION_BF16};
    struct backend *backend = NULL;
    struct bittern_error err;
    bittern_status status = backend_create(&options, &backend, &err);
    bool computes = status == BITTERN_OK;

    (void)state;
    if (!computes) {
        assert_int_equal(status, BITTERN_ERR_UNSUPPORTED);
        assert_non_null(strstr(err.message, "bf16"));
        assert_null(backend);
    } else {
        assert_int_equal(backend_activation_type(backend), BACKEND_BF16);
        assert_int_equal(backend_block_channels(backend), 0);
    }
    backend_free(backend);
    options.precision = BACKEND_PRECISION_AUTO;
    assert_ok(backend_create(&options, &backend, &err), &err);
    assert_true(computes || backend_activation_type(backend) == BACKEND_F32);
    backend_free(backend);
}

/* Would catch: an options check that lets nonsense through to the library. */
static void impossible_options_are_refused(void **state)
{
    struct backend *backend = NULL;
    struct bittern_error err;

    (void)state;
    assert_int_equal(
        backend_create(&(const struct backend_options){.threads = 1000000}, &backend, &err),
        BITTERN_ERR_RANGE);
    assert_null(backend);
}

static void check_reorder(struct backend *backend, const struct backend_tensor *shape,
                          enum backend_layout from_layout, enum backend_layout to_layout,
                          uint64_t *random)
{
    struct backend_tensor from =
        check_tensor(backend, shape->n, shape->c, shape->h, shape->w, BACKEND_F32, from_layout);
    struct backend_tensor to =
        check_tensor(backend, shape->n, shape->c, shape->h, shape->w, BACKEND_F32, to_layout);
    struct backend_reorder *op = NULL;
    struct bittern_error err;
    double *values = check_fill(backend, &from, random);

    assert_ok(backend_reorder_create(backend, &from, &to, &op, &err), &err);
    assert_ok(backend_reorder_run(op, &from, &to, &err), &err);
    double *moved = check_read(backend, &to);
    assert_memory_equal(moved, values, backend_tensor_count(&from) * sizeof *values);
    free(moved);
    free(values);
    backend_reorder_free(op);
    backend_tensor_release(backend, &from);
    backend_tensor_release(backend, &to);
}

/* Would catch: another order of channels in a block than elementwise code and the loader assume. */
static void every_value_keeps_its_place_between_all_layouts(void **state)
{
    static const enum backend_layout layouts[] = {BACKEND_CHANNELS_LAST, BACKEND_PLANAR,
                                                  BACKEND_BLOCKED};
    struct backend *backend = check_backend(BACKEND_PRECISION_F32);
    size_t block = backend_block_channels(backend);
    uint64_t random = 1;

    (void)state;
    for (size_t round = 0; round < 20; ++round) {
        bool blocks = block > 0 && round % 2 == 0;
        struct backend_tensor shape = {.n = 1 + random_below(&random, 4),
                                       .c = 1 + random_below(&random, 20),
                                       .h = 1 + random_below(&random, 9),
                                       .w = 1 + random_below(&random, 9)};
        if (blocks) {
            shape.c = block * (1 + random_below(&random, 4));
        }
        for (size_t i = 0; i < 9; ++i) {
            if (blocks ||
                (layouts[i / 3] != BACKEND_BLOCKED && layouts[i % 3] != BACKEND_BLOCKED)) {
                check_reorder(backend, &shape, layouts[i / 3], layouts[i % 3], &random);
            }
        }
    }
    backend_free(backend);
}

/* Would catch: a reorder that is run on a tensor of another size, reading past its end. */
static void tensors_that_do_not_fit_are_refused(void **state)
{
    struct backend *backend = check_backend(BACKEND_PRECISION_F32);
    struct backend_tensor a = check_tensor(backend, 2, 3, 4, 5, BACKEND_F32, BACKEND_CHANNELS_LAST);
    struct backend_tensor b = check_tensor(backend, 2, 3, 4, 5, BACKEND_F32, BACKEND_PLANAR);
    struct backend_tensor other = a;
    struct backend_reorder *op = NULL;
    struct bittern_error err;

    (void)state;
    other.c = 4;
    assert_int_equal(backend_reorder_create(backend, &a, &other, &op, &err), BITTERN_ERR_ARGUMENT);
    assert_null(op);
    assert_ok(backend_reorder_create(backend, &a, &b, &op, &err), &err);
    assert_int_equal(backend_reorder_run(op, &other, &b, &err), BITTERN_ERR_ARGUMENT);
    other = a;
    other.data = NULL;
    assert_int_equal(backend_reorder_run(op, &other, &b, &err), BITTERN_ERR_ARGUMENT);
    backend_reorder_free(op);

    other.layout = BACKEND_BLOCKED; /* 3 channels are no whole block */
    assert_int_equal(backend_tensor_allocate(backend, &other, &err), BITTERN_ERR_UNSUPPORTED);
    other = (struct backend_tensor){.n = 0, .c = 1, .h = 1, .w = 1};
    assert_int_equal(backend_tensor_allocate(backend, &other, &err), BITTERN_ERR_ARGUMENT);
    other = (struct backend_tensor){.n = SIZE_MAX / 2, .c = 8, .h = 1, .w = 1};
    assert_int_equal(backend_tensor_allocate(backend, &other, &err), BITTERN_ERR_ARGUMENT);
    backend_tensor_release(backend, &a);
    backend_tensor_release(backend, &b);
    backend_free(backend);
}

/* Would catch: rounding half away or down, and a NaN that becomes infinite. */
static void bf16_conversion_rounds_to_the_nearest_and_ties_to_even(void **state)
{
    uint64_t random = 2;

    (void)state;
    assert_int_equal(bf16_from_float(1.0F), 0x3F80);
    assert_int_equal(bf16_from_float(1.00390625F), 0x3F80); /* half way: even below */
    assert_int_equal(bf16_from_float(1.01171875F), 0x3F82); /* half way: even above */
    assert_int_equal(bf16_from_float(0x1.010002p0F), 0x3F81);
    assert_int_equal(bf16_from_float(-0.0F), 0x8000);
    assert_int_equal(bf16_from_float(INFINITY), 0x7F80);
    assert_int_equal(bf16_from_float(0x1.fffffep127F), 0x7F80);
    assert_true(isnan(bf16_to_float(bf16_from_float(NAN))));
    for (int round = 0; round < 100000; ++round) {
        uint32_t bits = (uint32_t)random_u64(&random);
        float value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) {
            continue;
        }
        /* The neighbours of what it became are not nearer. */
        uint16_t half = bf16_from_float(value);
        double error = fabs((double)bf16_to_float(half) - (double)value);
        if (isinf(bf16_to_float(half))) {
            continue;
        }
        for (int side = -1; side <= 1; side += 2) {
            double other = fabs((double)bf16_to_float((uint16_t)(half + side)) - (double)value);
            assert_true(isnan(other) || error < other || (error == other && half % 2 == 0));
        }
    }
}

/* Would catch: a reorder that truncates, or bf16 that only the backend understands. */
static void reorders_to_bf16_equal_our_own_conversion(void **state)
{
    struct backend *backend = check_backend(BACKEND_PRECISION_BF16);
    struct backend_tensor from = check_tensor(backend, 3, 5, 7, 6, BACKEND_F32, BACKEND_PLANAR);
    struct backend_tensor to =
        check_tensor(backend, 3, 5, 7, 6, BACKEND_BF16, BACKEND_CHANNELS_LAST);
    struct backend_reorder *op = NULL;
    struct bittern_error err;
    uint64_t random = 3;
    double *values = check_fill(backend, &from, &random);

    (void)state;
    assert_ok(backend_reorder_create(backend, &from, &to, &op, &err), &err);
    assert_ok(backend_reorder_run(op, &from, &to, &err), &err);
    double *moved = check_read(backend, &to);
    for (size_t i = 0; i < backend_tensor_count(&from); ++i) {
        assert_true(moved[i] == (double)bf16_to_float(bf16_from_float((float)values[i])));
    }
    free(moved);
    free(values);
    backend_reorder_free(op);
    backend_tensor_release(backend, &from);
    backend_tensor_release(backend, &to);
    backend_free(backend);
}

/* Would catch: a clock that is not counted, or never reset. */
static void time_in_primitives_is_counted_and_reset(void **state)
{
    struct backend *backend = check_backend(BACKEND_PRECISION_F32);
    struct backend_tensor a =
        check_tensor(backend, 2, 8, 40, 40, BACKEND_F32, BACKEND_CHANNELS_LAST);
    struct backend_tensor b = check_tensor(backend, 2, 8, 40, 40, BACKEND_F32, BACKEND_PLANAR);
    struct backend_reorder *op = NULL;
    struct bittern_error err;

    (void)state;
    assert_ok(backend_reorder_create(backend, &a, &b, &op, &err), &err);
    assert_true(backend_primitive_seconds(backend) == 0.0);
    assert_ok(backend_reorder_run(op, &a, &b, &err), &err);
    assert_true(backend_primitive_seconds(backend) > 0.0);
    backend_reset_primitive_seconds(backend);
    assert_true(backend_primitive_seconds(backend) == 0.0);
    backend_reorder_free(op);
    backend_tensor_release(backend, &a);
    backend_tensor_release(backend, &b);
    backend_free(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_threads_mean_as_many_as_the_process_may_use),
        cmocka_unit_test(bf16_is_chosen_or_refused_by_what_the_cpu_can),
        cmocka_unit_test(impossible_options_are_refused),
        cmocka_unit_test(every_value_keeps_its_place_between_all_layouts),
        cmocka_unit_test(tensors_that_do_not_fit_are_refused),
        cmocka_unit_test(bf16_conversion_rounds_to_the_nearest_and_ties_to_even),
        cmocka_unit_test(reorders_to_bf16_equal_our_own_conversion),
        cmocka_unit_test(time_in_primitives_is_counted_and_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
