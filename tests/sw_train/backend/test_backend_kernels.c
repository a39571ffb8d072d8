/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does oneDNN have a real kernel for everything that the recipes' networks need? Its own report
 * (DNNL_VERBOSE=2) names the implementation of each primitive that is created; the slow fallback
 * for any shape is called "ref...". The library reads the variable once, so this program starts
 * itself anew with it.
 */
#include "backend_check.h"

#include "run_command.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 128 };

struct geometry {
    struct backend *backend;
    enum backend_layout layout;
};

static struct backend_tensor describe(const struct geometry *g, size_t c, size_t size)
{
    return (struct backend_tensor){.n = BATCH,
                                   .c = c,
                                   .h = size,
                                   .w = size,
                                   .type = backend_activation_type(g->backend),
                                   .layout = size == 1 ? BACKEND_CHANNELS_LAST : g->layout,
                                   .data = NULL};
}

static void create_norm(const struct geometry *g, size_t c, size_t size)
{
    struct backend_tensor tensor = describe(g, c, size);
    struct bittern_error err;
    for (int relu = 0; relu < 2; ++relu) {
        struct backend_norm *op = NULL;
        assert_ok(backend_norm_create(g->backend, &tensor, 1e-5, relu != 0, &op, &err), &err);
        backend_norm_free(op);
    }
}

static void create_conv(const struct geometry *g, size_t in, size_t size, size_t out, size_t kernel,
                        size_t pad)
{
    size_t out_size = size + 2 * pad - kernel + 1;
    const struct backend_conv_shape shape = {BATCH, in, size, size, out,      kernel,  kernel,
                                             1,     1,  pad,  pad,  out_size, out_size};
    struct backend_tensor src = describe(g, in, size);
    struct backend_tensor dst = describe(g, out, out_size);
    struct backend_conv *op = NULL;
    struct bittern_error err;
    bool image = in <= 3;

    if (image && g->layout == BACKEND_BLOCKED) {
        src.layout = BACKEND_PLANAR;
    }
    assert_ok(backend_conv_create(g->backend, &shape, &src, &dst, !image, &op, &err), &err);
    backend_conv_free(op);
    create_norm(g, out, out_size);
}

static void create_fc(const struct geometry *g, size_t in, size_t out)
{
    struct backend_tensor src = describe(g, in, 1);
    struct backend_tensor dst = describe(g, out, 1);
    struct backend_fc *op = NULL;
    struct bittern_error err;

    assert_ok(backend_fc_create(g->backend, &src, &dst, true, &op, &err), &err);
    backend_fc_free(op);
    create_norm(g, out, 1);
}

static void create_pool(const struct geometry *g, size_t c, size_t size)
{
    struct backend_pool_shape shape = {BACKEND_POOL_MAX, 2, 2, 2, 2, 0, 0};
    struct backend_tensor src = describe(g, c, size);
    struct backend_tensor dst = describe(g, c, size / 2);
    struct bittern_error err;

    for (int average = 0; average < 2; ++average) {
        struct backend_pool *op = NULL;
        shape.kind = average ? BACKEND_POOL_AVERAGE : BACKEND_POOL_MAX;
        assert_ok(backend_pool_create(g->backend, &shape, &src, &dst, &op, &err), &err);
        backend_pool_free(op);
    }
}

static void create_lenet5(const struct geometry *g)
{
    create_conv(g, 1, 32, 6, 5, 0);
    create_pool(g, 6, 28);
    create_conv(g, 6, 14, 16, 5, 0);
    create_pool(g, 16, 10);
    create_fc(g, 400, 120);
    create_fc(g, 120, 84);
    create_fc(g, 84, 10);
}

static void create_lenet5_wide(const struct geometry *g)
{
    create_conv(g, 1, 28, 32, 5, 2);
    create_pool(g, 32, 28);
    create_conv(g, 32, 14, 64, 5, 2);
    create_pool(g, 64, 14);
    create_fc(g, 3136, 512);
    create_fc(g, 512, 10);
}

static void create_vgg7(const struct geometry *g)
{
    create_conv(g, 3, 32, 128, 3, 1);
    create_conv(g, 128, 32, 128, 3, 1);
    create_pool(g, 128, 32);
    create_conv(g, 128, 16, 256, 3, 1);
    create_conv(g, 256, 16, 256, 3, 1);
    create_pool(g, 256, 16);
    create_conv(g, 256, 8, 512, 3, 1);
    create_conv(g, 512, 8, 512, 3, 1);
    create_pool(g, 512, 8);
    create_fc(g, 8192, 1024);
    create_fc(g, 1024, 10);
}

/* In the process with the variable set: what follows is oneDNN's own output. */
static int create_networks(void)
{
    const struct backend_options options = {.threads = 2, .precision = BACKEND_PRECISION_AUTO};
    struct backend *backend = NULL;
    struct bittern_error err;

    if (backend_create(&options, &backend, &err) != BITTERN_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    struct geometry g = {backend, BACKEND_CHANNELS_LAST};
    create_lenet5(&g);
    create_lenet5_wide(&g);
    create_vgg7(&g);
    if (backend_block_channels(backend) > 0) {
        g.layout = BACKEND_BLOCKED;
        create_lenet5_wide(&g);
        create_vgg7(&g);
    }
    backend_free(backend);
    return 0;
}

/* Would catch: a layout or flag for which oneDNN falls back to its slow kernel without a word. */
static void no_primitive_of_the_recipes_networks_is_a_fallback(void **state)
{
    const struct command_options options = {.environment =
                                                (const char *const[]){"DNNL_VERBOSE=2", NULL}};
    struct command_result result;
    size_t primitives = 0;

    (void)state;
    run_command(&result, &options, (const char *const[]){"/proc/self/exe", "create", NULL});
    if (result.exit_code != 0) {
        fail_msg("exit code %d: %s", result.exit_code, result.err);
    }
    for (char *line = strtok(result.out, "\n"); line; line = strtok(NULL, "\n")) {
        primitives += strstr(line, ",create") != NULL;
        if (strstr(line, ",ref")) {
            fail_msg("a fallback: %s", line);
        }
    }
    assert_true(primitives > 100); /* else oneDNN has not reported, and nothing was checked */
    command_result_free(&result);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_primitive_of_the_recipes_networks_is_a_fallback),
    };
    if (argc == 2 && strcmp(argv[1], "create") == 0) {
        return create_networks();
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
