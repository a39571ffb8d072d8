/* SPDX-License-Identifier: Apache-2.0 */
/* bittern_network_compile: the walk, then one layer after the other. */
#include "compile/compile.h"

#include <math.h>
#include <string.h>

/* Float32 rounding of weights that were multiplied by a scale, with some room. */
#define DEFAULT_TOLERANCE 0x1p-20
#define DEFAULT_MAX_LEVEL 127
#define LARGEST_LEVEL 255

/* The range that the file itself asks for; where it says nothing, 0 to 1. */
static bittern_status read_range(const struct bittern_model *model, enum bittern_input_range *range,
                                 struct bittern_error *err)
{
    const char *text = bittern_model_metadata(model, "input_range");
    *range = BITTERN_INPUT_0_1;
    if (!text || strcmp(text, "0-1") == 0) {
        return BITTERN_OK;
    }
    if (strcmp(text, "0-255") == 0) {
        *range = BITTERN_INPUT_0_255;
        return BITTERN_OK;
    }
    if (strcmp(text, "minus1-1") == 0) {
        *range = BITTERN_INPUT_MINUS1_1;
        return BITTERN_OK;
    }
    return bittern_error_set(err, BITTERN_ERR_FORMAT,
                             "the model's metadata 'input_range' is '%s'; it can be '0-255', '0-1' "
                             "or 'minus1-1'",
                             text);
}

static bittern_status read_options(const struct bittern_model *model,
                                   const struct bittern_compile_options *given,
                                   struct bittern_compile_options *options,
                                   struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;

    *options = (struct bittern_compile_options){0};
    if (given) {
        *options = *given;
    } else {
        status = read_range(model, &options->input_range, err);
    }
    if (options->weight_tolerance == 0) {
        options->weight_tolerance = DEFAULT_TOLERANCE;
    }
    if (options->max_weight_level == 0) {
        options->max_weight_level = DEFAULT_MAX_LEVEL;
    }
    if (status == BITTERN_OK &&
        (!(options->weight_tolerance > 0) || options->weight_tolerance > 0.5 ||
         options->max_weight_level < 1 || options->max_weight_level > LARGEST_LEVEL ||
         (unsigned)options->input_range > BITTERN_INPUT_MINUS1_1)) {
        status = bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                   "compile options: the tolerance must be in (0, 0.5], the "
                                   "largest weight level in 1..%d, and the input range a known one",
                                   LARGEST_LEVEL);
    }
    return status;
}

static bittern_status compile_chain(struct compile_context *c, const struct compile_chain *chain,
                                    struct bittern_error *err)
{
    struct compile_values values = {0};

    c->network->top_k = chain->top_k;
    bittern_status status = compile_image(c, &chain->stages[0], &values, err);
    for (size_t i = 1; i < chain->count && status == BITTERN_OK; i++) {
        compile_arena_free(&c->scratch);
        status = compile_layer(c, &chain->stages[i], i + 1 == chain->count,
                               &c->network->layers[i - 1], &values, err);
    }
    compile_arena_free(&c->scratch);
    return status;
}

bittern_status bittern_network_compile(const struct bittern_model *model,
                                       const struct bittern_compile_options *options,
                                       struct bittern_network **network, struct bittern_error *err)
{
    struct compile_context c = {.model = model};
    struct compile_arena arena = {0};
    struct compile_chain chain = {0};

    *network = NULL;
    if (!model->finished) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "the model is not finished: call bittern_model_finish first");
    }
    bittern_status status = read_options(model, options, &c.options, err);
    if (status == BITTERN_OK) {
        status = compile_walk(model, &arena, &chain, err);
    }
    if (status == BITTERN_OK) {
        status = network_create(model->name ? model->name : "", chain.count - 1, &c.network, err);
    }
    if (status == BITTERN_OK) {
        status = compile_chain(&c, &chain, err);
    }
    if (status == BITTERN_OK) {
        status = network_validate(c.network, err);
    }
    compile_arena_free(&arena);
    if (status != BITTERN_OK) {
        bittern_network_free(c.network);
        return status;
    }
    *network = c.network;
    return BITTERN_OK;
}
