/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of whole runs share. */
#include "train_fixture.h"

#include "checkpoint/safetensors.h"

#include <bittern/dataset.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATHS 8
#define MAX_CHANGES 16

const char fixture_recipe_text[] = "title: a small network on drawn digits\n"
                                   "name: tiny\n"
                                   "data:\n"
                                   "  set: digits\n"
                                   "  normalize: true\n"
                                   "  input_bits: 8\n"
                                   "network:\n"
                                   "  layers: 4C5p0-MP2-8C5p0-MP2-32-10\n"
                                   "  order: conv-pool-norm-act\n"
                                   "  activation: quant\n"
                                   "  bits: 4\n"
                                   "  range: 2\n"
                                   "weights:\n"
                                   "  method: twn\n"
                                   "training:\n"
                                   "  epochs: 2\n"
                                   "  batch: 40\n"
                                   "  optimizer: adam\n"
                                   "  learning_rate: 0.01\n"
                                   "  statistics_batches: 5\n";

static char folder[] = "/tmp/bittern-test-train-XXXXXX";

int fixture_make_folder(void **state)
{
    struct bittern_error err;
    const struct bittern_digits_options digits = {
        .seed = 3, .train_count = FIXTURE_TRAIN_IMAGES, .test_count = FIXTURE_TEST_IMAGES};
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    return bittern_dataset_make_digits(fixture_path("data"), &digits, &err) == BITTERN_OK ? 0 : -1;
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

void fixture_recipe(struct recipe *recipe, const char *const *overrides)
{
    struct bittern_error err;
    size_t count = 0;
    while (overrides[count]) {
        count++;
    }
    assert_ok(recipe_parse(fixture_recipe_text, sizeof fixture_recipe_text - 1, "tiny.yaml", false,
                           overrides, count, recipe, &err),
              &err);
}

struct trainer_options fixture_options(const char *name)
{
    static char folders[PATHS][256];
    static char data[256];
    static size_t next;
    char *run = folders[next++ % PATHS];
    (void)snprintf(run, sizeof folders[0], "%s", fixture_path(name));
    (void)snprintf(data, sizeof data, "%s", fixture_path("data"));
    return (struct trainer_options){.data_dir = data,
                                    .folder = run,
                                    .seed = 5,
                                    .threads = 2,
                                    .precision = BACKEND_PRECISION_F32,
                                    .verify_images = 20};
}

void fixture_expect(const struct recipe *recipe, const struct trainer_options *options,
                    bittern_status expected, const char *part)
{
    struct bittern_error err;
    struct trainer_result result;
    bittern_status status = trainer_run(recipe, options, &result, &err);
    if (status != expected || !strstr(err.message, part)) {
        fail_msg("%s instead of %s, and '%s' in: %s", bittern_status_name(status),
                 bittern_status_name(expected), part, status == BITTERN_OK ? "" : err.message);
    }
    assert_null(result.layers);
}

int fixture_stop_progress(void *user, const struct trainer_progress *progress)
{
    struct fixture_stop *stop = user;
    if (progress->phase != stop->phase || stop->calls == SIZE_MAX) {
        return 0;
    }
    stop->calls--;
    return stop->calls == 0;
}

void fixture_assert_same_tensors(const char *path, const char *other_path)
{
    static const size_t sizes[] = {
        [SAFETENSORS_F32] = 4, [SAFETENSORS_U64] = 8, [SAFETENSORS_U8] = 1};
    struct bittern_error err;
    struct safetensors *file = NULL;
    struct safetensors *other = NULL;
    assert_ok(safetensors_read(path, &file, &err), &err);
    assert_ok(safetensors_read(other_path, &other, &err), &err);
    assert_true(safetensors_count(file) > 0);
    assert_int_equal(safetensors_count(file), safetensors_count(other));
    for (size_t i = 0; i < safetensors_count(file); i++) {
        const struct safetensors_tensor *a = safetensors_get(file, i);
        const struct safetensors_tensor *b = safetensors_find(other, a->name);
        size_t bytes = sizes[a->type];
        assert_non_null(b);
        assert_int_equal(a->type, b->type);
        assert_int_equal(a->rank, b->rank);
        for (size_t d = 0; d < a->rank; d++) {
            assert_int_equal(a->shape[d], b->shape[d]);
            bytes *= a->shape[d];
        }
        if (memcmp(a->data, b->data, bytes) != 0) {
            fail_msg("tensor %s differs", a->name);
        }
    }
    safetensors_free(file);
    safetensors_free(other);
}

char *fixture_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        fail_msg("cannot open %s", path);
        return NULL;
    }
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    bytes[*size] = '\0';
    assert_int_equal(fclose(file), 0);
    return bytes;
}
