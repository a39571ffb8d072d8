/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The images of a run. They must have the network's shape; a network whose input is a flat vector
 * takes images of as many values, in [channel][row][column] order, as flattening makes of them.
 */
#include "run_images.h"

#include "base/checked.h"
#include "network_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t shape_values(const struct bittern_shape *shape)
{
    return shape->channels * shape->height * shape->width;
}

static bool shapes_fit(const struct bittern_shape *network, const struct bittern_shape *images)
{
    bool equal = network->channels == images->channels && network->height == images->height &&
                 network->width == images->width;
    bool flat = network->height == 1 && network->width == 1;
    return equal || (flat && shape_values(network) == shape_values(images));
}

static bittern_status shape_error(const struct bittern_network *network, const char *name,
                                  const struct bittern_shape *shape, struct bittern_error *err)
{
    char wanted[64];
    char found[64];
    const struct bittern_shape *input = &bittern_network_input(network)->shape;
    return bittern_error_set(
        err, BITTERN_ERR_MISMATCH,
        "the images of '%s' are %s, but the network takes %s; choose a data set of that shape "
        "('bittern data list' shows them), or resize the images to it",
        name, shape_text(shape, found, sizeof found), shape_text(input, wanted, sizeof wanted));
}

/* ---- Which data set -------------------------------------------------------------------------- */

static bool info_fits(const struct bittern_dataset_info *info,
                      const struct bittern_network *network)
{
    const struct bittern_shape shape = {info->channels, info->height, info->width};
    return shapes_fit(&bittern_network_input(network)->shape, &shape) &&
           info->classes == bittern_network_output_count(network);
}

static bool is_found(const char *name, const struct image_choice *choice)
{
    char *source = NULL;
    bool found =
        bittern_dataset_locate(name, choice->split, choice->data_dir, &source, NULL) == BITTERN_OK;
    free(source);
    return found;
}

/* The only one that fits, or of those the only one that is found. */
static bittern_status choose_dataset(const struct image_choice *choice,
                                     const struct bittern_network *network, const char **name,
                                     struct bittern_error *err)
{
    char fitting[256] = "";
    char shape[64];
    size_t count = 0;
    size_t found_count = 0;
    size_t used = 0;
    const char *found = NULL;

    for (size_t i = 0; bittern_dataset_known(i); i++) {
        const struct bittern_dataset_info *info = bittern_dataset_known(i);
        if (!info_fits(info, network)) {
            continue;
        }
        *name = info->name;
        if (is_found(info->name, choice)) {
            found = info->name;
            found_count++;
        }
        int length = snprintf(fitting + used, sizeof fitting - used, "%s%s", count > 0 ? ", " : "",
                              info->name);
        used += length > 0 && (size_t)length < sizeof fitting - used ? (size_t)length : 0;
        count++;
    }
    if (found_count == 1) {
        *name = found;
    }
    if (count == 1 || found_count == 1) {
        return BITTERN_OK;
    }
    (void)shape_text(&bittern_network_input(network)->shape, shape, sizeof shape);
    if (count == 0) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "no known data set has images of %s and %zu classes, as the "
                                 "network does; name one with --dataset, or give images with "
                                 "--input FILE.npy",
                                 shape, bittern_network_output_count(network));
    }
    return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                             "which data set? Several have images of %s and %zu classes, as the "
                             "network does: choose one with --dataset (%s)",
                             shape, bittern_network_output_count(network), fitting);
}

/* ---- Opening --------------------------------------------------------------------------------- */

static bittern_status open_dataset(const struct image_choice *choice,
                                   const struct bittern_network *network, struct run_images *images,
                                   struct bittern_error *err)
{
    const char *name = choice->dataset;
    bittern_status status = name ? BITTERN_OK : choose_dataset(choice, network, &name, err);
    if (status == BITTERN_OK) {
        status = bittern_dataset_open(name, choice->split, choice->data_dir, &images->dataset, err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    (void)snprintf(images->name, sizeof images->name, "%s", name);
    images->source = bittern_dataset_source(images->dataset);
    images->pixels = bittern_dataset_images(images->dataset);
    images->labels = bittern_dataset_labels(images->dataset);
    images->count = bittern_dataset_count(images->dataset);

    const struct bittern_shape shape = {bittern_dataset_channels(images->dataset),
                                        bittern_dataset_height(images->dataset),
                                        bittern_dataset_width(images->dataset)};
    if (!shapes_fit(&bittern_network_input(network)->shape, &shape)) {
        return shape_error(network, name, &shape, err);
    }
    size_t classes = bittern_dataset_classes(images->dataset);
    if (classes > bittern_network_output_count(network)) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "'%s' has %zu classes, but the network has %zu outputs; choose "
                                 "the data set that it was trained on",
                                 name, classes, bittern_network_output_count(network));
    }
    return BITTERN_OK;
}

/* [N][C][H][W]; [N][H][W] is one channel, [N][values] a flat vector. */
static struct bittern_shape array_shape(const struct npy_array *array)
{
    const size_t *shape = array->shape;
    switch (array->rank) {
    case 4:
        return (struct bittern_shape){shape[1], shape[2], shape[3]};
    case 3:
        return (struct bittern_shape){1, shape[1], shape[2]};
    case 2:
        return (struct bittern_shape){shape[1], 1, 1};
    default:
        return (struct bittern_shape){1, 1, 1};
    }
}

static bittern_status open_array(const struct image_choice *choice,
                                 const struct bittern_network *network, struct run_images *images,
                                 struct bittern_error *err)
{
    bittern_status status = npy_read_uint8(choice->input, &images->array, err);
    if (status != BITTERN_OK) {
        return status;
    }
    (void)snprintf(images->name, sizeof images->name, "%s", choice->input);
    images->source = choice->input;
    images->pixels = images->array.data;
    images->count = images->array.shape[0];
    const struct bittern_shape shape = array_shape(&images->array);
    if (!shapes_fit(&bittern_network_input(network)->shape, &shape)) {
        return shape_error(network, choice->input, &shape, err);
    }
    return BITTERN_OK;
}

/* Every pixel value as often as any other. */
static bittern_status open_random(const struct image_choice *choice,
                                  const struct bittern_network *network, struct run_images *images,
                                  struct bittern_error *err)
{
    size_t bytes = 0;
    uint64_t state = choice->seed;
    size_t count = choice->start + choice->images;

    if (!checked_mul_size(count, shape_values(&bittern_network_input(network)->shape), &bytes) ||
        !(images->array.data = malloc(bytes))) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for %zu random images", count);
    }
    for (size_t i = 0; i < bytes; i++) {
        /* Knuth's MMIX generator; its high bits are the good ones. */
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        images->array.data[i] = (uint8_t)(state >> 56);
    }
    (void)snprintf(images->name, sizeof images->name, "random");
    images->source = "random";
    images->pixels = images->array.data;
    images->count = count;
    return BITTERN_OK;
}

static bittern_status choose_part(const struct image_choice *choice,
                                  const struct bittern_network *network, struct run_images *images,
                                  struct bittern_error *err)
{
    if (choice->start >= images->count) {
        return bittern_error_set(err, BITTERN_ERR_RANGE,
                                 "there is no image %zu: '%s' has %zu images, counted from 0",
                                 choice->start, images->name, images->count);
    }
    size_t left = images->count - choice->start;
    images->start = choice->start;
    images->count = choice->images > 0 && choice->images < left ? choice->images : left;
    images->pixels += choice->start * shape_values(&bittern_network_input(network)->shape);
    images->labels = images->labels ? images->labels + choice->start : NULL;
    return BITTERN_OK;
}

bittern_status run_images_open(const struct image_choice *choice,
                               const struct bittern_network *network, struct run_images *images,
                               struct bittern_error *err)
{
    *images = (struct run_images){0};
    bittern_status status = choice->random  ? open_random(choice, network, images, err)
                            : choice->input ? open_array(choice, network, images, err)
                                            : open_dataset(choice, network, images, err);
    if (status == BITTERN_OK) {
        status = choose_part(choice, network, images, err);
    }
    if (status != BITTERN_OK) {
        run_images_close(images);
    }
    return status;
}

void run_images_close(struct run_images *images)
{
    bittern_dataset_close(images->dataset);
    free(images->array.data);
    *images = (struct run_images){0};
}
