/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of commands share. */
#include "cli_fixture.h"

#include "network/network_build.h"

#include <bittern/dataset.h>
#include <bittern/model.h>
#include <bittern/program.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATHS 8
#define MAX_ARGUMENTS 32

static char folder[] = "/tmp/bittern-test-cli-XXXXXX";

int fixture_make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

int fixture_remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *fixture_path(const char *name)
{
    static char paths[PATHS][256];
    static size_t next;
    char *path = paths[next++ % PATHS];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* ---- Networks -------------------------------------------------------------------------------- */

static void fill_input(struct bittern_network *network, size_t channels, size_t side)
{
    struct bittern_error err;
    int16_t *table = network_allocate(network, channels * 256, sizeof *table, &err);
    assert_non_null(table);
    for (size_t i = 0; i < channels * 256; i++) {
        table[i] = (int16_t)(i % 256);
    }
    network->input.name = "image";
    network->input.shape = (struct bittern_shape){channels, side, side};
    network->input.type = (struct bittern_value_type){
        .kind = BITTERN_VALUE_INT, .bits = 8, .is_signed = false, .minimum = 0, .maximum = 255};
    network->input.table = table;
}

static void fill_weights(struct bittern_network *network, struct bittern_layer *layer)
{
    struct bittern_error err;
    uint64_t random = 7;
    size_t inputs = network_fan_in(layer);
    size_t words = network_words_per_output(layer);
    uint64_t *plus = network_allocate(network, words * layer->conv.channels, sizeof *plus, &err);
    assert_non_null(plus);
    for (size_t o = 0; o < layer->conv.channels; o++) {
        for (size_t i = 0; i < inputs; i++) {
            plus[o * words + i / 64] |= (random_u64(&random) & 1) << i % 64;
        }
    }
    layer->weights = (struct bittern_weights){
        .kind = BITTERN_WEIGHT_BINARY, .plane_count = 1, .words_per_output = words, .bits = 1};
    layer->weights.planes[0] = (struct bittern_plane){.multiplier = 1, .plus = plus};
}

struct bittern_network *fixture_classifier(size_t channels, size_t side, size_t outputs)
{
    struct bittern_error err;
    struct bittern_network *network = NULL;
    assert_ok(network_create("classifier", 1, &network, &err), &err);
    fill_input(network, channels, side);
    struct bittern_layer *layer = &network->layers[0];
    layer->name = "scores";
    layer->op = BITTERN_LAYER_FC;
    layer->input = network->input.shape;
    layer->conv = (struct bittern_shape){outputs, 1, 1};
    layer->output = layer->conv;
    layer->input_type = network->input.type;
    layer->window =
        (struct bittern_window){.kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1};
    fill_weights(network, layer);
    int64_t low = 0;
    int64_t high = 0;
    for (size_t o = 0; o < outputs; o++) {
        int64_t minimum = 0;
        int64_t maximum = 0;
        network_channel_range(layer, o, &minimum, &maximum);
        low = minimum < low ? minimum : low;
        high = maximum > high ? maximum : high;
    }
    layer->acc_min = (int32_t)low;
    layer->acc_max = (int32_t)high;
    layer->output_type = (struct bittern_value_type){.kind = BITTERN_VALUE_ACC,
                                                     .bits = 32,
                                                     .is_signed = true,
                                                     .minimum = (int32_t)low,
                                                     .maximum = (int32_t)high};
    double *scale = network_allocate(network, outputs, sizeof *scale, &err);
    double *bias = network_allocate(network, outputs, sizeof *bias, &err);
    assert_non_null(scale);
    assert_non_null(bias);
    for (size_t o = 0; o < outputs; o++) {
        scale[o] = 0.25;
        bias[o] = (double)o;
    }
    layer->scale = scale;
    layer->bias = bias;
    assert_ok(network_validate(network, &err), &err);
    return network;
}

void fixture_write_program(const char *name)
{
    struct bittern_error err;
    struct bittern_program *program = NULL;
    struct bittern_network *network = fixture_classifier(1, 28, 10);
    assert_ok(bittern_program_create(network, NULL, &program, &err), &err);
    assert_ok(bittern_program_write(program, fixture_path(name), &err), &err);
    bittern_program_free(program);
    bittern_network_free(network);
}

/* ---- Models ---------------------------------------------------------------------------------- */

static void add_floats(struct bittern_model *model, const char *name, const int64_t *dims,
                       size_t rank, const float *values)
{
    struct bittern_error err;
    assert_ok(bittern_model_add_floats(model, name, dims, rank, values, &err), &err);
}

/* Binary weights of one size, drawn from a seed. */
static void add_binary(struct bittern_model *model, const char *name, const int64_t *dims,
                       size_t rank, uint64_t seed)
{
    size_t count = 1;
    for (size_t i = 0; i < rank; i++) {
        count *= (size_t)dims[i];
    }
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) {
        values[i] = random_u64(&seed) & 1 ? 0.5F : -0.5F;
    }
    add_floats(model, name, dims, rank, values);
    free(values);
}

static void add_node(struct bittern_model *model, const char *op, const char *const *inputs,
                     size_t input_count, const char *output,
                     const struct bittern_attribute *attributes, size_t attribute_count)
{
    struct bittern_error err;
    assert_ok(bittern_model_add_node(model, op, output, inputs, input_count, &output, 1, attributes,
                                     attribute_count, &err),
              &err);
}

#define CHANNELS 4
#define FEATURES (CHANNELS * 26 * 26)

static void add_constants(struct bittern_model *model)
{
    const int64_t scalar[] = {1};
    const int64_t conv[] = {CHANNELS, 1, 3, 3};
    const int64_t full[] = {FEATURES, 10};
    const int64_t channels[] = {CHANNELS};
    const float one[] = {1.0F};
    const float step[] = {1.0F / 255.0F};
    const float zero[] = {0.0F};
    const float bits[] = {8.0F};
    const float ones[CHANNELS] = {1.0F, 0.5F, 1.5F, -1.0F};
    const float betas[CHANNELS] = {0.0F, 0.25F, -0.25F, 0.125F};
    const float variances[CHANNELS] = {1.0F, 2.0F, 0.5F, 1.0F};
    add_floats(model, "one", scalar, 1, one);
    add_floats(model, "step", scalar, 1, step);
    add_floats(model, "zero", scalar, 1, zero);
    add_floats(model, "bits", scalar, 1, bits);
    add_floats(model, "gamma", channels, 1, ones);
    add_floats(model, "beta", channels, 1, betas);
    add_floats(model, "mean", channels, 1, betas);
    add_floats(model, "variance", channels, 1, variances);
    add_binary(model, "conv_weight", conv, 4, 1);
    add_binary(model, "full_weight", full, 2, 2);
}

void fixture_write_model(const char *name)
{
    struct bittern_error err;
    struct bittern_model *model = NULL;
    const int64_t input[] = {0, 1, 28, 28};
    const struct bittern_attribute quant[] = {
        {.name = "signed", .kind = BITTERN_ATTRIBUTE_INT, .i = 0},
        {.name = "narrow", .kind = BITTERN_ATTRIBUTE_INT, .i = 0},
        {.name = "rounding_mode", .kind = BITTERN_ATTRIBUTE_STRING, .s = "ROUND"}};

    assert_ok(bittern_model_create("fixture", 13, &model, &err), &err);
    assert_ok(bittern_model_add_input(model, "image", input, 4, &err), &err);
    add_constants(model);
    add_node(model, "Quant", ARGS("image", "step", "zero", "bits"), 4, "quantized", quant, 3);
    add_node(model, "Conv", ARGS("quantized", "conv_weight"), 2, "conv", NULL, 0);
    add_node(model, "BatchNormalization", ARGS("conv", "gamma", "beta", "mean", "variance"), 5,
             "norm", NULL, 0);
    add_node(model, "BipolarQuant", ARGS("norm", "one"), 2, "sign", NULL, 0);
    add_node(model, "Flatten", ARGS("sign"), 1, "flat", NULL, 0);
    add_node(model, "MatMul", ARGS("flat", "full_weight"), 2, "scores", NULL, 0);
    assert_ok(bittern_model_add_output(model, "scores", &err), &err);
    assert_ok(bittern_model_set_metadata(model, "input_range", "0-1", &err), &err);
    assert_ok(bittern_model_write(model, fixture_path(name), &err), &err);
    bittern_model_free(model);
}

/* ---- Files ----------------------------------------------------------------------------------- */

void fixture_make_digits(void)
{
    struct bittern_error err;
    const struct bittern_digits_options options = {
        .seed = 1, .train_count = 10, .test_count = FIXTURE_IMAGES};
    assert_ok(bittern_dataset_make_digits(fixture_path("data"), &options, &err), &err);
}

void fixture_write_bytes(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(fixture_path(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

char *fixture_read_text(const char *name)
{
    FILE *file = fopen(fixture_path(name), "rb");
    assert_non_null(file);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    (void)fclose(file);
    return text;
}

/* ---- Commands -------------------------------------------------------------------------------- */

void fixture_run(struct command_result *result, const char *const *arguments)
{
    const char *all[MAX_ARGUMENTS + 2] = {BITTERN_COMMAND};
    const struct command_options options = {
        .folder = folder,
        .environment = ARGS("BITTERN_DATA", "XDG_DATA_HOME=/nonexistent", "BITTERN_BACKENDS")};
    for (size_t i = 0; arguments[i]; i++) {
        assert_true(i < MAX_ARGUMENTS);
        all[i + 1] = arguments[i];
    }
    run_command(result, &options, all);
}

void fixture_expect(int exit_code, const char *part, const char *const *arguments)
{
    struct command_result result;
    fixture_run(&result, arguments);
    if (result.exit_code != exit_code) {
        fail_msg("%s exited with %d, not %d: %s%s", arguments[0], result.exit_code, exit_code,
                 result.out, result.err);
    }
    const char *said = exit_code == 0 ? result.out : result.err;
    if (part && !strstr(said, part)) {
        fail_msg("'%s' is missing in: %s", part, said);
    }
    command_result_free(&result);
}

cJSON *fixture_json(const char *const *arguments)
{
    struct command_result result;
    fixture_run(&result, arguments);
    if (result.exit_code != 0) {
        fail_msg("%s exited with %d: %s", arguments[0], result.exit_code, result.err);
    }
    cJSON *json = cJSON_ParseWithOpts(result.out, NULL, 1);
    if (!json) {
        fail_msg("not JSON: %s", result.out);
    }
    command_result_free(&result);
    return json;
}

const cJSON *fixture_member(const cJSON *object, const char *path)
{
    char text[128];
    (void)snprintf(text, sizeof text, "%s", path);
    char *rest = text;
    while (object && rest) {
        object = cJSON_GetObjectItemCaseSensitive(object, strsep(&rest, "."));
    }
    if (!object) {
        fail_msg("the JSON has no %s", path);
    }
    return object;
}

double fixture_number(const cJSON *object, const char *path)
{
    const cJSON *item = fixture_member(object, path);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

const char *fixture_string(const cJSON *object, const char *path)
{
    const cJSON *item = fixture_member(object, path);
    assert_true(cJSON_IsString(item));
    return item->valuestring;
}
