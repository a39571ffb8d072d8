/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the readers of data sets, from memory. The first byte chooses the form; two more say how
 * long the first of a pair of files is. Whatever is accepted must be consistent.
 */
#include "dataset/load.h"
#include "fuzz.h"
#include "host/dataset/dataset_bytes.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum form { FORM_IDX, FORM_LETTERS, FORM_CIFAR10_TAR, FORM_CIFAR100_TAR, FORM_ZIP, FORM_COUNT };

static const char *const set_names[FORM_COUNT] = {NULL, "emnist-letters", "cifar10", "cifar100",
                                                  "emnist-digits"};

static bittern_status load_pair(struct bittern_dataset *dataset, const uint8_t *data, size_t size)
{
    struct stream *images = NULL;
    struct stream *labels = NULL;
    if (size < 2) {
        return BITTERN_ERR_FORMAT;
    }
    size_t first = (size_t)data[0] << 8 | data[1];
    data += 2;
    size -= 2;
    first = first < size ? first : size;
    bittern_status status = stream_open_memory(data, first, "images", &images, NULL);
    if (status == BITTERN_OK && first < size) {
        status = stream_open_memory(data + first, size - first, "labels", &labels, NULL);
    }
    if (status == BITTERN_OK) {
        status = load_idx(dataset, BITTERN_SPLIT_TEST, images, labels, NULL);
    }
    stream_close(images);
    stream_close(labels);
    return status;
}

static bittern_status load_archive(struct bittern_dataset *dataset, bool zip, const uint8_t *data,
                                   size_t size)
{
    struct stream *stream = NULL;
    struct members *members = NULL;
    bittern_status status;
    if (zip) {
        status = members_open_zip_memory(data, size, "archive", &members, NULL);
    } else {
        status = stream_open_memory(data, size, "archive", &stream, NULL);
        if (status == BITTERN_OK) {
            status = members_open_tar(stream, load_archive_limit(dataset->known), &members, NULL);
        }
    }
    if (status == BITTERN_OK) {
        status = load_members(dataset, BITTERN_SPLIT_TEST, members, "archive", NULL);
    }
    members_close(members);
    stream_close(stream);
    return status;
}

/* Ask everything of an accepted set; sanitizers see reads outside of it. */
static void use(const struct bittern_dataset *dataset)
{
    double mean[3];
    double deviation[3];
    size_t histogram[256];
    if (dataset->count == 0 || dataset->classes == 0 || dataset->classes > 256 ||
        dataset->channels == 0 || dataset->channels > 3) {
        abort();
    }
    for (size_t i = 0; i < dataset->count; i++) {
        if (dataset->labels[i] >= dataset->classes) {
            abort();
        }
    }
    bittern_dataset_statistics(dataset, mean, deviation, histogram);
    if (!(mean[0] >= 0.0 && mean[0] <= 1.0) || !(deviation[0] >= 0.0 && deviation[0] <= 0.5001)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    enum form form = (enum form)(data[0] % FORM_COUNT);
    struct bittern_dataset *dataset = calloc(1, sizeof *dataset);
    if (!dataset) {
        return 0;
    }
    bittern_status status;
    dataset->known = set_names[form] ? dataset_known_find(set_names[form]) : NULL;
    if (form == FORM_IDX || form == FORM_LETTERS) {
        status = load_pair(dataset, data + 1, size - 1);
    } else {
        status = load_archive(dataset, form == FORM_ZIP, data + 1, size - 1);
    }
    if (status == BITTERN_OK) {
        use(dataset);
    }
    bittern_dataset_close(dataset);
    return 0;
}

static struct bytes pair_seed(uint32_t side, uint8_t first, int images_packing, int labels_packing)
{
    struct bytes plain[2] = {bytes_idx_images(3, side, side), bytes_idx_labels(3, first, 10)};
    const int packings[2] = {images_packing, labels_packing};
    struct bytes packed[2];
    for (int i = 0; i < 2; i++) {
        packed[i] = packings[i] == 0   ? bytes_copy(plain[i].data, plain[i].size)
                    : packings[i] == 1 ? bytes_gzip(plain[i])
                                       : bytes_xz(plain[i], 0);
        free(plain[i].data);
    }
    uint8_t length[2] = {(uint8_t)(packed[0].size >> 8), (uint8_t)packed[0].size};
    struct bytes joined = bytes_join(packed[0], packed[1]);
    struct bytes seed = bytes_join((struct bytes){.data = length, .size = 2}, joined);
    free(packed[0].data);
    free(packed[1].data);
    free(joined.data);
    return seed;
}

static struct bytes tar_seed(const char *path, size_t label_bytes, int packing)
{
    const struct bytes_member member = {.path = path, .content = bytes_cifar(2, label_bytes, 10)};
    struct bytes tar = bytes_tar(&member, 1);
    struct bytes seed = packing == 0   ? bytes_copy(tar.data, tar.size)
                        : packing == 1 ? bytes_gzip(tar)
                                       : bytes_xz(tar, 0);
    free(member.content.data);
    free(tar.data);
    return seed;
}

static struct bytes zip_seed(void)
{
    struct bytes images = bytes_idx_images(2, 28, 28);
    const struct bytes_member members[] = {
        {.path = "gzip/emnist-digits-test-images-idx3-ubyte.gz", .content = bytes_gzip(images)},
        {.path = "gzip/emnist-digits-test-labels-idx1-ubyte",
         .content = bytes_idx_labels(2, 0, 10)}};
    struct bytes seed = bytes_zip(members, 2);
    free(images.data);
    free(members[0].content.data);
    free(members[1].content.data);
    return seed;
}

size_t fuzz_seed(size_t index, uint8_t *buffer, size_t capacity)
{
    struct bytes seed;
    enum form form = FORM_IDX;
    if (index < 4) {
        /* plain, gzip, xz, mixed */
        seed = pair_seed(5, 0, (int)(index % 3), index == 3 ? 1 : (int)index);
    } else if (index == 4) {
        form = FORM_LETTERS;
        seed = pair_seed(28, 1, 0, 0);
    } else if (index < 8) {
        form = FORM_CIFAR100_TAR;
        seed = tar_seed("cifar-100-binary/test.bin", 2, (int)index - 5);
    } else if (index == 8) {
        form = FORM_CIFAR10_TAR;
        seed = tar_seed("cifar-10-batches-bin/test_batch.bin", 1, 0);
    } else if (index == 9) {
        form = FORM_ZIP;
        seed = zip_seed();
    } else {
        return 0;
    }
    size_t size = seed.size + 1;
    if (size > capacity) {
        abort();
    }
    buffer[0] = (uint8_t)form;
    memcpy(buffer + 1, seed.data, seed.size);
    free(seed.data);
    return size;
}
