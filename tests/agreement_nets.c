/* SPDX-License-Identifier: Apache-2.0 */
/* See agreement_nets.h: a table of kinds, and the one builder that model_build.h lacks. */
#include "agreement_nets.h"

#include "agreement_calibrate.h"
#include "model_build.h"
#include "testing.h"

#include <stdlib.h>

#define TFC_NETS 3
#define HIDDEN 48

static const int tfc_bits[TFC_NETS][2] = {{1, 1}, {1, 2}, {2, 2}};

/* WEIGHTS_FLOAT stands for {-a,0,+b} here. */
static const struct {
    const char *name;
    enum weight_kind kind;
} weight_kinds[] = {
    {"binary", WEIGHTS_BIPOLAR}, {"ternary", WEIGHTS_TERNARY}, {"4-bit", WEIGHTS_INT4},
    {"8-bit", WEIGHTS_INT8},     {"{-a,0,+b}", WEIGHTS_FLOAT},
};
static const struct {
    const char *name;
    enum activation_kind kind;
    int bits;
} activation_kinds[] = {
    {"binary", ACTIVATION_BIPOLAR, 1},          {"ternary", ACTIVATION_TERNARY, 2},
    {"2-bit unsigned", ACTIVATION_UNSIGNED, 2}, {"4-bit signed", ACTIVATION_SIGNED, 4},
    {"4-bit unsigned", ACTIVATION_UNSIGNED, 4}, {"8-bit unsigned", ACTIVATION_UNSIGNED, 8},
    {"8-bit signed", ACTIVATION_SIGNED, 8},
};
#define WEIGHT_KINDS (sizeof weight_kinds / sizeof weight_kinds[0])
#define ACTIVATION_KINDS (sizeof activation_kinds / sizeof activation_kinds[0])

/* A full connection with weights -3s, 0 and +2s, s differing between outputs. */
static void build_three_levels(struct model_builder *b, int64_t units)
{
    static const float levels[] = {-3, 0, 2};
    const int64_t inputs = b->dims[1];
    const int64_t dims[] = {units, inputs};
    const struct bittern_attribute transposed = {
        .name = "transB", .kind = BITTERN_ATTRIBUTE_INT, .i = 1};
    float *weights = malloc((size_t)(units * inputs) * sizeof *weights);
    if (!weights) {
        b->status = BITTERN_ERR_MEMORY;
        return;
    }
    for (int64_t o = 0; o < units; o++) {
        /* 2^-7 * n: all products are exact in float32. */
        float scale = 0x1p-7F * (float)(1 + random_below(&b->seed, 100));
        for (int64_t i = 0; i < inputs; i++) {
            weights[o * inputs + i] = scale * levels[random_below(&b->seed, 3)];
        }
    }
    build_append(b, "Gemm", (const char *[]){build_floats(b, dims, 2, weights), NULL}, &transposed,
                 1);
    b->dims[1] = units;
    free(weights);
}

static bittern_status build_asymmetric(uint64_t seed, enum activation_kind kind, int bits,
                                       struct bittern_model **model, struct bittern_error *err)
{
    struct model_builder b;
    build_begin(&b, "asymmetric", 13, (int64_t[]){0, 1, 28, 28}, 4, seed, err);
    build_quant(&b, 1.0 / 255, 0, 8, false, false, "ROUND");
    build_flatten(&b);
    for (int layer = 0; layer < 2; layer++) {
        build_three_levels(&b, HIDDEN);
        build_batch_norm_of(&b, true, layer == 0 ? 5 : 4);
        build_activation(&b, kind, bits, kind == ACTIVATION_BIPOLAR ? 1 : 2.0 / (1 << bits));
    }
    build_three_levels(&b, 10);
    build_batch_norm(&b, false);
    return build_end(&b, model);
}

static bittern_status build_conv_net(uint64_t seed, size_t weights, size_t activations,
                                     bool power_of_two, struct bittern_model **model,
                                     struct bittern_error *err)
{
    const struct conv_net_options options = {
        .seed = seed,
        .side = 28,
        .channels = 1,
        .filters = 4,
        .kernel = 3,
        .padding = 1,
        .weights = weight_kinds[weights].kind,
        .activations = activation_kinds[activations].kind,
        .activation_bits = activation_kinds[activations].bits,
        .pool = "MaxPool",
        .pool_place = (enum pool_place)(1 + seed % 3),
        .negative_gammas = true,
        .per_channel_scales = seed % 2 == 0,
        .power_of_two = power_of_two,
        .scores_batch_norm = true,
    };
    return conv_net_build(&options, model, err);
}

static void build_tfc(size_t index, struct agreement_net *net, struct bittern_model **model,
                      struct bittern_error *err)
{
    int w = tfc_bits[index][0];
    int a = tfc_bits[index][1];
    (void)snprintf(net->name, sizeof net->name, "TFC-w%da%d", w, a);
    net->must_equal = true;
    (void)tfc_build(index + 1, w, a, model, err);
}

static void build_kind(size_t weights, size_t activations, bool power_of_two,
                       struct agreement_net *net, struct bittern_model **model,
                       struct bittern_error *err)
{
    enum activation_kind kind = activation_kinds[activations].kind;
    int bits = activation_kinds[activations].bits;
    uint64_t seed = weights * ACTIVATION_KINDS + activations + 100;

    (void)snprintf(net->name, sizeof net->name, "%s weights, %s activations%s",
                   weight_kinds[weights].name, activation_kinds[activations].name,
                   power_of_two ? ", ties" : "");
    net->must_equal = kind == ACTIVATION_BIPOLAR || kind == ACTIVATION_TERNARY;
    if (weight_kinds[weights].kind == WEIGHTS_FLOAT) {
        (void)build_asymmetric(seed, kind, bits, model, err);
    } else {
        (void)build_conv_net(seed, weights, activations, power_of_two, model, err);
    }
}

bool agreement_net_build(size_t index, const uint8_t *images, size_t count,
                         struct agreement_net *net, struct bittern_model **model,
                         struct bittern_error *err)
{
    const size_t plain = WEIGHT_KINDS * ACTIVATION_KINDS;
    const size_t ties =
        (WEIGHT_KINDS - 1) * ACTIVATION_KINDS; /* all but the last, asymmetric one */

    *model = NULL;
    *net = (struct agreement_net){.must_equal = false};
    if (index < TFC_NETS) {
        build_tfc(index, net, model, err);
    } else if (index - TFC_NETS < plain + ties) {
        index -= TFC_NETS;
        bool power_of_two = index >= plain;
        index -= power_of_two ? plain : 0;
        build_kind(index / ACTIVATION_KINDS, index % ACTIVATION_KINDS, power_of_two, net, model,
                   err);
    } else {
        return false;
    }
    if (*model && agreement_calibrate(*model, images, count, err) != BITTERN_OK) {
        bittern_model_free(*model);
        *model = NULL;
    }
    return true;
}
