/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a program of a CNV-shaped network with random weights, for bench/energy.
 *
 *     cnv_program binary|ternary|mixed sign|ternary|int8 GEOMETRY OUT.btn
 *
 * Mixed: the layers with most weights binary (conv5, conv6, fc1), all others ternary.
 */
#include "network_cnv.h"

#include <bittern/accelerator.h>
#include <bittern/program.h>
#include <stdio.h>
#include <string.h>

#define SEED UINT64_C(20231)
#define B BITTERN_WEIGHT_BINARY
#define T BITTERN_WEIGHT_TERNARY

static const struct {
    const char *name;
    enum bittern_weight_kind weights[NETWORK_CNV_LAYERS];
} weight_names[] = {{"binary", {B, B, B, B, B, B, B, B, B}},
                    {"ternary", {T, T, T, T, T, T, T, T, T}},
                    {"mixed", {T, T, T, T, B, B, B, T, T}}};

static const struct {
    const char *name;
    enum bittern_activation_kind activation;
} activation_names[] = {{"sign", BITTERN_ACTIVATION_SIGN},
                        {"ternary", BITTERN_ACTIVATION_TERNARY},
                        {"int8", BITTERN_ACTIVATION_SCALE}};

static bittern_status write_program(const enum bittern_weight_kind *weights,
                                    enum bittern_activation_kind activation, const char *geometry,
                                    const char *path, struct bittern_error *err)
{
    const struct network_cnv_options options = {.activation = activation, .seed = SEED};
    struct bittern_geometry found;
    struct bittern_network *network = NULL;
    struct bittern_program *program = NULL;

    bittern_status status = bittern_geometry_find(geometry, &found, err);
    if (status == BITTERN_OK) {
        status = network_cnv_create_mixed(&options, weights, &network, err);
    }
    if (status == BITTERN_OK) {
        status = bittern_program_create(network, &found, &program, err);
    }
    if (status == BITTERN_OK) {
        status = bittern_program_write(program, path, err);
    }
    bittern_program_free(program);
    bittern_network_free(network);
    return status;
}

int main(int argc, char **argv)
{
    struct bittern_error err;

    for (size_t w = 0; argc == 5 && w < 3; w++) {
        for (size_t a = 0; a < 3; a++) {
            if (strcmp(argv[1], weight_names[w].name) != 0 ||
                strcmp(argv[2], activation_names[a].name) != 0) {
                continue;
            }
            if (write_program(weight_names[w].weights, activation_names[a].activation, argv[3],
                              argv[4], &err) == BITTERN_OK) {
                return 0;
            }
            fprintf(stderr, "cnv_program: %s\n", err.message);
            return 1;
        }
    }
    fprintf(stderr, "usage: cnv_program binary|ternary|mixed sign|ternary|int8 GEOMETRY OUT.btn\n");
    return 2;
}
