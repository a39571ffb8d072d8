/* SPDX-License-Identifier: Apache-2.0 */
/* Every layer's output as .npy files, written while the reference engine shows them. */
#include "run_result.h"

#include "base/file.h"
#include "cli.h"
#include "npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PATH 4096
#define MAX_LAYER_NAME 64

/* Writer 0 takes the input, writer l + 1 layer l's output. */
struct layer_dump {
    const struct bittern_network *network;
    struct npy_writer **writers;
    size_t count; /* of writers */
    bittern_status status;
    struct bittern_error *err;
};

static enum npy_type type_of(const struct bittern_value_type *type)
{
    if (type->kind == BITTERN_VALUE_ACC) {
        return NPY_INT32;
    }
    return type->is_signed ? NPY_INT8 : NPY_UINT8;
}

/* A layer's name as a part of a file's name: what is not plain becomes '-'. */
static void plain_name(const char *name, char *plain, size_t size)
{
    size_t length = 0;
    for (; name[length] && length + 1 < size; length++) {
        unsigned char c = (unsigned char)name[length];
        bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                        (c >= 'a' && c <= 'z') || c == '_' || c == '.';
        plain[length] = (char)(is_plain ? c : '-');
    }
    plain[length] = '\0';
}

static bittern_status open_writer(const struct layer_dump *dump, const char *folder, size_t index,
                                  size_t images, struct npy_writer **writer)
{
    char path[MAX_PATH];
    char name[MAX_LAYER_NAME];
    const struct bittern_shape *shape = NULL;
    enum npy_type type = NPY_UINT8;
    int length = 0;

    if (index == 0) {
        const struct bittern_input *input = bittern_network_input(dump->network);
        shape = &input->shape;
        type = type_of(&input->type);
        length = snprintf(path, sizeof path, "%s/input.npy", folder);
    } else {
        const struct bittern_layer *layer = bittern_network_layer(dump->network, index - 1);
        shape = &layer->output;
        type = type_of(&layer->output_type);
        plain_name(layer->name, name, sizeof name);
        length = snprintf(path, sizeof path, "%s/layer-%02zu-%s.npy", folder, index - 1, name);
    }
    if (length < 0 || (size_t)length >= sizeof path) {
        return bittern_error_set(dump->err, BITTERN_ERR_ARGUMENT, "the path '%s' is too long",
                                 folder);
    }
    const size_t dims[] = {images, shape->channels, shape->height, shape->width};
    return npy_writer_open(path, type, dims, 4, writer, dump->err);
}

static int take_values(void *user, size_t image, size_t layer, const struct bittern_shape *shape,
                       const int32_t *values)
{
    struct layer_dump *dump = user;
    size_t index = layer == SIZE_MAX ? 0 : layer + 1;
    (void)image;
    if (cli_interrupted()) {
        dump->status =
            bittern_error_set(dump->err, BITTERN_ERR_CANCELLED, "interrupted; nothing was dumped");
        return 1;
    }
    dump->status = npy_writer_append(dump->writers[index], values,
                                     shape->channels * shape->height * shape->width, dump->err);
    return dump->status != BITTERN_OK;
}

static bittern_status trace(struct layer_dump *dump,
                            const struct bittern_reference_options *options, const uint8_t *pixels,
                            size_t images)
{
    struct bittern_reference *engine = NULL;
    struct bittern_error own = {0};

    bittern_status status = bittern_reference_create(dump->network, options, &engine, dump->err);
    if (status != BITTERN_OK) {
        return status;
    }
    status = bittern_reference_trace(engine, pixels, images, take_values, dump, &own);
    bittern_reference_free(engine);
    if (dump->status != BITTERN_OK) {
        return dump->status; /* why the observer stopped it says more */
    }
    if (status != BITTERN_OK) {
        *dump->err = own;
    }
    return status;
}

static bittern_status commit(struct layer_dump *dump)
{
    bittern_status status = BITTERN_OK;
    for (size_t i = 0; status == BITTERN_OK && i < dump->count; i++) {
        status = npy_writer_commit(dump->writers[i], dump->err);
        dump->writers[i] = NULL;
    }
    return status;
}

bittern_status run_dump_layers(const char *folder, const struct bittern_network *network,
                               const struct bittern_reference_options *options,
                               const uint8_t *pixels, size_t count, struct bittern_error *err)
{
    struct layer_dump dump = {
        .network = network, .count = bittern_network_layer_count(network) + 1, .err = err};

    dump.writers = calloc(dump.count, sizeof(struct npy_writer *));
    if (!dump.writers) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to dump layers");
    }
    bittern_status status = file_make_directory(folder, err);
    for (size_t i = 0; status == BITTERN_OK && i < dump.count; i++) {
        status = open_writer(&dump, folder, i, count, &dump.writers[i]);
    }
    if (status == BITTERN_OK) {
        status = trace(&dump, options, pixels, count);
    }
    if (status == BITTERN_OK) {
        status = commit(&dump);
    }
    for (size_t i = 0; i < dump.count; i++) {
        npy_writer_abort(dump.writers[i]);
    }
    free(dump.writers);
    return status;
}
