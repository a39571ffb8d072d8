/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz the ONNX reader. What is accepted must evaluate, if it is small, and come back the same from
 * its own bytes; the compiler may refuse it, with a message.
 */
#include "fuzz.h"

#include "model_build.h"

#include <bittern/model.h>
#include <bittern/network.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORK 2000000 /* values, weighed by what each may cost */
#define MAX_NODES 64

static size_t values_of(const struct bittern_tensor_info *info)
{
    size_t count = 1;
    for (size_t i = 0; i < info->rank; i++) {
        count *= (size_t)info->dims[i];
    }
    return count;
}

/* No node may cost much: each output value at most a look at every value of a node before it. */
static bool is_small(const struct bittern_model *model)
{
    size_t nodes = bittern_model_node_count(model);
    struct bittern_tensor_info info;
    bittern_model_input(model, &info);
    size_t largest = values_of(&info);
    size_t all = largest;
    for (size_t i = 0; i < nodes && nodes <= MAX_NODES; i++) {
        struct bittern_node_info node;
        bittern_model_node(model, i, &node);
        size_t count = values_of(&node.output);
        largest = count > largest ? count : largest;
        all += count;
    }
    return nodes <= MAX_NODES && largest <= 4096 && all * largest <= MAX_WORK * (size_t)16;
}

static void evaluate(const struct bittern_model *model)
{
    struct bittern_error err = {0};
    struct bittern_tensor_info info;
    bittern_model_input(model, &info);
    double *image = calloc(values_of(&info), sizeof *image);
    bittern_model_output(model, &info);
    double *scores = calloc(values_of(&info), sizeof *scores);
    if (!image || !scores) {
        abort();
    }
    if (bittern_model_evaluate(model, image, 1, NULL, NULL, scores, &err) != BITTERN_OK &&
        err.message[0] == '\0') {
        abort();
    }
    free(image);
    free(scores);
}

static void compile(const struct bittern_model *model)
{
    struct bittern_error err = {0};
    struct bittern_network *network = NULL;
    bittern_status status = bittern_network_compile(model, NULL, &network, &err);
    if ((status == BITTERN_OK) != (network != NULL) ||
        (status != BITTERN_OK && err.message[0] == '\0')) {
        abort();
    }
    bittern_network_free(network);
}

static void write_again(const struct bittern_model *model)
{
    struct bittern_error err = {0};
    struct bittern_model *again = NULL;
    void *bytes = NULL;
    size_t size = 0;
    if (bittern_model_write_memory(model, &bytes, &size, &err) != BITTERN_OK) {
        abort();
    }
    /* A folded float may become infinite when it is rounded to its type; nothing else may fail. */
    if (bittern_model_read_memory(bytes, size, "again", &again, &err) == BITTERN_OK) {
        if (bittern_model_node_count(again) != bittern_model_node_count(model)) {
            abort();
        }
    } else if (err.status != BITTERN_ERR_RANGE && err.status != BITTERN_ERR_UNSUPPORTED) {
        abort();
    }
    free(bytes);
    bittern_model_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bittern_error err = {0};
    struct bittern_model *model = NULL;
    if (bittern_model_read_memory(data, size, "fuzz", &model, &err) != BITTERN_OK) {
        if (model || err.message[0] == '\0') {
            abort();
        }
        return 0;
    }
    if (is_small(model)) {
        evaluate(model);
        write_again(model);
        compile(model);
    }
    bittern_model_free(model);
    return 0;
}

/* ---- Seeds: small models that have every op between them ------------------------------------- */

static bittern_status build_convolutions(bool matmul, struct bittern_model **model,
                                         struct bittern_error *err)
{
    struct model_builder b;
    build_begin(&b, "conv", 13, (int64_t[]){0, 1, 6, 6}, 4, 5, err);
    b.matmul = matmul;
    build_arithmetic(&b, "Sub", 0.5);
    build_arithmetic(&b, "Div", 0.25);
    build_conv(&b, 2, 3, 1, 1, WEIGHTS_BIPOLAR, true);
    build_batch_norm(&b, true);
    build_activation(&b, matmul ? ACTIVATION_TERNARY : ACTIVATION_BIPOLAR, 2, 1);
    build_pool(&b, matmul ? "AveragePool" : "MaxPool", 2, 2, 0);
    build_flatten(&b);
    build_linear(&b, 3, matmul ? WEIGHTS_INT4 : WEIGHTS_TERNARY, !matmul);
    return build_end_unfinished(&b, model);
}

static bittern_status build_linears(bool sign, struct bittern_model **model,
                                    struct bittern_error *err)
{
    struct model_builder b;
    build_begin(&b, "linear", sign ? 9 : 17, (int64_t[]){1, 8}, 2, 6, err);
    build_quant(&b, 0.125, 0, 4, true, true, "ROUND");
    build_linear(&b, 4, WEIGHTS_INT8, false);
    build_activation(&b, sign ? ACTIVATION_SIGN : ACTIVATION_UNSIGNED, 4, 0.5);
    build_unary(&b, "Identity");
    build_linear(&b, 3, WEIGHTS_BIPOLAR, true);
    build_unary(&b, "Softmax");
    return build_end_unfinished(&b, model);
}

static const char *scalar(struct model_builder *b, double value)
{
    return build_scalar(b, value);
}

static bittern_status build_shapes(struct bittern_model **model, struct bittern_error *err)
{
    struct model_builder b;
    build_begin(&b, "shapes", 13, (int64_t[]){1, 2, 2, 2}, 4, 7, err);
    const struct bittern_attribute axis = {.name = "axis", .kind = BITTERN_ATTRIBUTE_INT, .i = 0};
    const struct bittern_attribute perm = {.name = "perm",
                                           .kind = BITTERN_ATTRIBUTE_INTS,
                                           .ints = (int64_t[]){0, 2, 3, 1},
                                           .count = 4};
    const struct bittern_attribute to = {.name = "to", .kind = BITTERN_ATTRIBUTE_INT, .i = 7};
    const char *shape = build_node(&b, "Shape", (const char *[]){"x", NULL}, NULL, 0);
    const char *zero = build_ints(&b, (int64_t[]){0}, 1);
    const char *batch = build_node(&b, "Gather", (const char *[]){shape, zero, NULL}, &axis, 1);
    const char *cast = build_node(&b, "Cast", (const char *[]){batch, NULL}, &to, 1);
    const char *rest = build_ints(&b, (int64_t[]){-1}, 1);
    const char *target = build_node(&b, "Concat", (const char *[]){cast, rest, NULL}, &axis, 1);
    build_append(&b, "Transpose", (const char *[]){NULL}, &perm, 1);
    const char *pads = build_ints(&b, (int64_t[]){0, 0, 0, 0, 0, 1, 0, 0}, 8);
    build_append(&b, "Pad", (const char *[]){pads, scalar(&b, 0.5), NULL}, NULL, 0);
    build_append(&b, "Clip", (const char *[]){scalar(&b, -1), scalar(&b, 1), NULL}, NULL, 0);
    build_append(&b, "Reshape", (const char *[]){target, NULL}, NULL, 0);
    const char *thresholds = build_floats(&b, (int64_t[]){1, 2}, 2, (float[]){-0.5f, 0.5f});
    build_append(&b, "MultiThreshold", (const char *[]){thresholds, NULL}, NULL, 0);
    build_append(&b, "Trunc",
                 (const char *[]){scalar(&b, 1), scalar(&b, 0), scalar(&b, 4), scalar(&b, 3), NULL},
                 NULL, 0);
    build_append(&b, "ArgMax", (const char *[]){NULL}, NULL, 0);
    return build_end_unfinished(&b, model);
}

size_t fuzz_seed(size_t index, uint8_t *buffer, size_t capacity)
{
    struct bittern_error err = {0};
    struct bittern_model *model = NULL;
    void *bytes = NULL;
    size_t size = 0;
    bittern_status status = BITTERN_OK;
    switch (index) {
    case 0:
    case 1:
        status = build_convolutions(index == 1, &model, &err);
        break;
    case 2:
    case 3:
        status = build_linears(index == 3, &model, &err);
        break;
    case 4:
        status = build_shapes(&model, &err);
        break;
    default:
        return 0;
    }
    if (status != BITTERN_OK ||
        bittern_model_write_memory(model, &bytes, &size, &err) != BITTERN_OK || size > capacity) {
        (void)fprintf(stderr, "seed %zu: %s\n", index, err.message);
        abort(); /* a seed must be sound */
    }
    memcpy(buffer, bytes, size);
    free(bytes);
    bittern_model_free(model);
    return size;
}
