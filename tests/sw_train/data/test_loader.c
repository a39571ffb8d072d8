/* SPDX-License-Identifier: Apache-2.0 */
/* The loader as a whole: which images come, in which order, and to whom. */
#include "data/loader.h"

#include "backend/backend_bf16.h"
#include "base/rng.h"
#include "data/made_dataset.h"
#include "testing.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define IMAGES 37
#define HEIGHT 5
#define WIDTH 7
#define IMAGE_VALUES (HEIGHT * WIDTH)

struct fixture {
    struct bittern_dataset *dataset;
    struct input_encoding encoding;
    float table[256];
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->dataset = made_dataset_open(1, IMAGES, HEIGHT, WIDTH, 11);
    struct bittern_error err;
    assert_ok(input_encoding_choose(fixture->dataset, true, true, &fixture->encoding, &err), &err);
    input_encoding_table(&fixture->encoding, fixture->table);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    bittern_dataset_close(fixture->dataset);
    free(fixture);
    return 0;
}

static struct loader_options default_options(const struct fixture *fixture)
{
    return (struct loader_options){.dataset = fixture->dataset,
                                   .encoding = &fixture->encoding,
                                   .shuffle = true,
                                   .seed = 5,
                                   .ranks = 1};
}

static struct backend_tensor make_tensor(size_t batch)
{
    struct backend_tensor tensor = {
        .n = batch, .c = 1, .h = HEIGHT, .w = WIDTH, .type = BACKEND_F32, .layout = BACKEND_PLANAR};
    tensor.data = malloc(batch * IMAGE_VALUES * sizeof(float));
    assert_non_null(tensor.data);
    return tensor;
}

static struct loader *make_loader(const struct loader_options *options,
                                  const struct backend_tensor *tensor)
{
    struct loader *loader = NULL;
    struct bittern_error err;
    assert_ok(loader_create(options, tensor, &loader, &err), &err);
    return loader;
}

/* Which image of the data set a row of the batch is, without augmentation. */
static size_t find_image(const struct fixture *fixture, const float *values)
{
    const uint8_t *pixels = bittern_dataset_images(fixture->dataset);
    for (size_t i = 0; i < IMAGES; i++) {
        size_t equal = 0;
        while (equal < IMAGE_VALUES &&
               fixture->table[pixels[i * IMAGE_VALUES + equal]] == values[equal]) {
            equal++;
        }
        if (equal == IMAGE_VALUES) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* Run an epoch and write down which image stood at each position; checks labels, counts, zeros. */
static size_t run_epoch(const struct fixture *fixture, struct loader *loader,
                        struct backend_tensor *tensor, uint64_t epoch, size_t *seen)
{
    struct loader_batch batch;
    size_t position = 0;
    loader_seek(loader, epoch, 0);
    while (loader_next(loader, tensor, &batch)) {
        assert_int_equal(batch.first_position, position);
        const float *values = tensor->data;
        for (size_t n = 0; n < batch.count; n++) {
            seen[position] = find_image(fixture, values + n * IMAGE_VALUES);
            assert_true(seen[position] < IMAGES);
            assert_int_equal(batch.labels[n],
                             bittern_dataset_labels(fixture->dataset)[seen[position]]);
            position++;
        }
        for (size_t i = batch.count * IMAGE_VALUES; i < tensor->n * IMAGE_VALUES; i++) {
            assert_true(values[i] == 0.0F);
        }
        for (size_t n = batch.count; n < tensor->n; n++) {
            assert_int_equal(batch.labels[n], 0);
        }
    }
    return position;
}

/* Would catch: an image left out or seen twice, a label of another image, rubbish behind the last
 * image of a partial batch. */
static void epoch_holds_every_image_once_with_its_label(void **state)
{
    struct fixture *fixture = *state;
    struct backend_tensor tensor = make_tensor(8);
    struct loader_options options = default_options(fixture);
    struct loader *loader = make_loader(&options, &tensor);
    assert_int_equal(loader_batches(loader), 5);
    assert_int_equal(loader_images(loader), IMAGES);
    size_t seen[IMAGES];
    assert_int_equal(run_epoch(fixture, loader, &tensor, 0, seen), IMAGES);
    bool found[IMAGES] = {false};
    for (size_t i = 0; i < IMAGES; i++) {
        assert_false(found[seen[i]]);
        found[seen[i]] = true;
    }
    loader_free(loader);
    free(tensor.data);
}

/* Would catch: an order that depends on the loader's past, on nothing, or on other things than
 * Fisher and Yates' shuffle from (seed, epoch). */
static void order_depends_on_seed_and_epoch_alone(void **state)
{
    struct fixture *fixture = *state;
    struct backend_tensor tensor = make_tensor(4);
    size_t seen[IMAGES];
    for (size_t run = 0; run < 6; run++) {
        struct loader_options options = default_options(fixture);
        options.seed = 3 + run / 3;
        uint64_t epoch = 2 - run % 3;
        size_t expected[IMAGES];
        struct rng rng = rng_start(options.seed, RNG_SHUFFLE, epoch);
        for (size_t i = 0; i < IMAGES; i++) {
            expected[i] = i;
        }
        for (size_t i = IMAGES - 1; i > 0; i--) {
            size_t j = rng_below(&rng, i + 1);
            size_t swap = expected[i];
            expected[i] = expected[j];
            expected[j] = swap;
        }
        struct loader *loader = make_loader(&options, &tensor);
        if (run % 2 == 1) {
            (void)run_epoch(fixture, loader, &tensor, 77, seen);
        }
        assert_int_equal(run_epoch(fixture, loader, &tensor, epoch, seen), IMAGES);
        assert_memory_equal(seen, expected, sizeof(expected));
        loader_free(loader);
    }
    free(tensor.data);
}

/* Would catch: evaluation that shuffles, or that leaves the part of the data set it was given. */
static void without_shuffle_the_part_comes_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct backend_tensor tensor = make_tensor(4);
    struct loader_options options = default_options(fixture);
    options.shuffle = false;
    options.first = 9;
    options.count = 14;
    size_t seen[IMAGES];
    struct loader *loader = make_loader(&options, &tensor);
    assert_int_equal(run_epoch(fixture, loader, &tensor, 3, seen), 14);
    for (size_t i = 0; i < 14; i++) {
        assert_int_equal(seen[i], 9 + i);
    }
    loader_free(loader);
    options.shuffle = true;
    loader = make_loader(&options, &tensor);
    assert_int_equal(run_epoch(fixture, loader, &tensor, 3, seen), 14);
    bool found[IMAGES] = {false};
    for (size_t i = 0; i < 14; i++) {
        assert_in_range(seen[i], 9, 22);
        assert_false(found[seen[i]]);
        found[seen[i]] = true;
    }
    loader_free(loader);
    free(tensor.data);
}

/* Would catch: a partial batch in training, or a whole one that is dropped. */
static void drop_last_leaves_out_the_partial_batch_alone(void **state)
{
    struct fixture *fixture = *state;
    static const size_t counts[] = {8, 15, 16, 17, 37};
    struct backend_tensor tensor = make_tensor(8);
    size_t seen[IMAGES];
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct loader_options options = default_options(fixture);
        options.count = counts[i];
        options.drop_last = true;
        struct loader *loader = make_loader(&options, &tensor);
        assert_int_equal(loader_batches(loader), counts[i] / 8);
        assert_int_equal(loader_images(loader), counts[i] / 8 * 8);
        assert_int_equal(run_epoch(fixture, loader, &tensor, i, seen), counts[i] / 8 * 8);
        loader_free(loader);
    }
    free(tensor.data);
}

static void augment_all(struct loader_options *options)
{
    options->augmentation = (struct augmentation){.crop = 2, .flip = true, .cutout = 3};
}

/* Would catch: random numbers that go on from batch to batch, so that a resumed run sees other
 * images; a batch of the old request given after a seek. */
static void seek_gives_the_batches_of_a_run_through(void **state)
{
    struct fixture *fixture = *state;
    struct backend_tensor tensor = make_tensor(6);
    struct backend_tensor other = make_tensor(6);
    size_t bytes = 6 * IMAGE_VALUES * sizeof(float);
    struct loader_options options = default_options(fixture);
    augment_all(&options);
    struct loader *through = make_loader(&options, &tensor);
    struct loader *seeking = make_loader(&options, &tensor);
    uint64_t seed = 21;
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
        loader_seek(through, epoch, 0);
        for (size_t b = 0; b < loader_batches(through); b++) {
            struct loader_batch batch;
            struct loader_batch other_batch;
            assert_true(loader_next(through, &tensor, &batch));
            for (size_t i = 0; i < 3; i++) {
                loader_seek(seeking, random_below(&seed, 3), random_below(&seed, 7));
            }
            loader_seek(seeking, epoch, b);
            assert_true(loader_next(seeking, &other, &other_batch));
            assert_memory_equal(tensor.data, other.data, bytes);
            assert_memory_equal(batch.labels, other_batch.labels, 6);
            assert_int_equal(batch.count, other_batch.count);
            assert_int_equal(batch.first_position, other_batch.first_position);
        }
    }
    loader_free(through);
    loader_free(seeking);
    free(tensor.data);
    free(other.data);
}

/* Would catch: a bf16 batch that is cut off instead of rounded, or that has float32's size. */
static void bf16_batches_are_the_float_ones_rounded(void **state)
{
    struct fixture *fixture = *state;
    struct backend_tensor tensor = make_tensor(6);
    struct backend_tensor narrow = make_tensor(6);
    struct loader_options options = default_options(fixture);
    augment_all(&options);
    narrow.type = BACKEND_BF16;
    struct loader *loader = make_loader(&options, &tensor);
    struct loader *narrow_loader = make_loader(&options, &narrow);
    struct loader_batch batch;
    loader_seek(loader, 1, 0);
    loader_seek(narrow_loader, 1, 0);
    while (loader_next(loader, &tensor, &batch)) {
        assert_true(loader_next(narrow_loader, &narrow, &batch));
        for (size_t i = 0; i < 6 * IMAGE_VALUES; i++) {
            assert_int_equal(((const uint16_t *)narrow.data)[i],
                             bf16_from_float(((const float *)tensor.data)[i]));
        }
    }
    assert_false(loader_next(narrow_loader, &narrow, &batch));
    loader_free(loader);
    loader_free(narrow_loader);
    free(tensor.data);
    free(narrow.data);
}

#define LARGE_BATCH 150

/* Would catch: a batch that the thread was still making for an older seek, given to the caller. */
static void seek_throws_away_what_the_thread_is_making(void **state)
{
    (void)state;
    struct bittern_dataset *dataset = made_dataset_open(3, 2 * LARGE_BATCH, 32, 32, 6);
    struct input_encoding encoding;
    struct bittern_error err;
    assert_ok(input_encoding_choose(dataset, true, true, &encoding, &err), &err);
    const struct loader_options options = {.dataset = dataset, .encoding = &encoding, .ranks = 1};
    struct backend_tensor tensor = {.n = LARGE_BATCH, .c = 3, .h = 32, .w = 32};
    size_t bytes = (size_t)LARGE_BATCH * 3072 * sizeof(float);
    float *expected[2] = {malloc(bytes), malloc(bytes)};
    tensor.data = malloc(bytes);
    assert_true(expected[0] && expected[1] && tensor.data);
    struct loader *loader = make_loader(&options, &tensor);
    struct loader_batch batch;
    loader_seek(loader, 0, 0);
    for (size_t b = 0; b < 2; b++) {
        assert_true(loader_next(loader, &tensor, &batch));
        memcpy(expected[b], tensor.data, bytes);
    }
    uint64_t seed = 12;
    for (size_t run = 0; run < 300; run++) {
        size_t wanted = run % 2;
        loader_seek(loader, 0, 1 - wanted);
        const struct timespec pause = {.tv_nsec = (long)random_below(&seed, 500000)};
        (void)nanosleep(&pause, NULL);
        loader_seek(loader, 0, wanted);
        assert_true(loader_next(loader, &tensor, &batch));
        assert_int_equal(batch.first_position, wanted * LARGE_BATCH);
        assert_memory_equal(tensor.data, expected[wanted], bytes);
    }
    loader_free(loader);
    free(expected[0]);
    free(expected[1]);
    free(tensor.data);
    bittern_dataset_close(dataset);
}

/* Compare an epoch of `ranks` loaders of batch 4 with one of batch 4 * ranks. */
static void check_ranks(const struct fixture *fixture, size_t ranks, bool drop_last)
{
    struct backend_tensor whole = make_tensor(4 * ranks);
    struct backend_tensor part = make_tensor(4);
    struct loader_options options = default_options(fixture);
    augment_all(&options);
    options.drop_last = drop_last;
    struct loader *alone = make_loader(&options, &whole);
    for (size_t rank = 0; rank < ranks; rank++) {
        options.ranks = ranks;
        options.rank = rank;
        struct loader *loader = make_loader(&options, &part);
        assert_int_equal(loader_batches(loader), loader_batches(alone));
        assert_int_equal(loader_images(loader), loader_images(alone));
        struct loader_batch batch;
        struct loader_batch part_batch;
        loader_seek(alone, 4, 0);
        loader_seek(loader, 4, 0);
        while (loader_next(alone, &whole, &batch)) {
            assert_true(loader_next(loader, &part, &part_batch));
            assert_memory_equal((float *)whole.data + rank * 4 * IMAGE_VALUES, part.data,
                                4 * IMAGE_VALUES * sizeof(float));
            assert_memory_equal(batch.labels + rank * 4, part_batch.labels, 4);
            size_t left = batch.count > 4 * rank ? batch.count - 4 * rank : 0;
            assert_int_equal(part_batch.count, left < 4 ? left : 4);
            assert_int_equal(part_batch.first_position, batch.first_position + 4 * rank);
        }
        assert_false(loader_next(loader, &part, &part_batch));
        loader_free(loader);
    }
    loader_free(alone);
    free(whole.data);
    free(part.data);
}

/* Would catch: ranks that see the same images, or an end of the epoch that one rank does not reach
 * (which would leave the others waiting for ever). */
static void ranks_together_see_what_one_process_sees(void **state)
{
    struct fixture *fixture = *state;
    for (size_t ranks = 1; ranks <= 5; ranks++) {
        check_ranks(fixture, ranks, false);
        check_ranks(fixture, ranks, true);
    }
}

/* Would catch: a thread that is not told to stop, or that waits for a caller that is gone. */
static void loader_can_be_freed_at_any_moment(void **state)
{
    struct fixture *fixture = *state;
    struct backend_tensor tensor = make_tensor(4);
    struct loader_options options = default_options(fixture);
    augment_all(&options);
    struct loader_batch batch;
    for (size_t i = 0; i < 200; i++) {
        struct loader *loader = make_loader(&options, &tensor);
        if (i % 5 == 0) {
            assert_false(loader_next(loader, &tensor, &batch));
        } else {
            loader_seek(loader, i, 0);
            for (size_t b = 0; b < i % 13; b++) {
                assert_true(loader_next(loader, &tensor, &batch) == (b < loader_batches(loader)));
            }
        }
        if (i % 3 == 0) {
            loader_seek(loader, i, i % 9);
        }
        loader_free(loader);
    }
    loader_free(NULL);
    free(tensor.data);
}

/* Would catch: a wait that is not counted, or not reset. */
static void wait_is_taken_once(void **state)
{
    struct fixture *fixture = *state;
    struct backend_tensor tensor = make_tensor(4);
    struct loader_options options = default_options(fixture);
    struct loader *loader = make_loader(&options, &tensor);
    struct loader_batch batch;
    assert_true(loader_take_wait(loader) == 0.0);
    loader_seek(loader, 0, 0);
    while (loader_next(loader, &tensor, &batch)) {
    }
    assert_true(loader_take_wait(loader) >= 0.0);
    assert_true(loader_take_wait(loader) == 0.0);
    loader_free(loader);
    free(tensor.data);
}

static void expect_refusal(const struct loader_options *options,
                           const struct backend_tensor *tensor, bittern_status status,
                           const char *part)
{
    struct loader *loader = NULL;
    struct bittern_error err = {BITTERN_OK, ""};
    assert_int_equal(loader_create(options, tensor, &loader, &err), status);
    assert_null(loader);
    assert_int_equal(err.status, status);
    if (!strstr(err.message, part)) {
        fail_msg("'%s' does not say '%s'", err.message, part);
    }
}

/* Would catch: reading past the data set, or training on nothing. */
static void wrong_options_are_refused_with_the_reason(void **state)
{
    struct fixture *fixture = *state;
    struct backend_tensor tensor = make_tensor(8);
    struct backend_tensor wrong = tensor;
    struct loader_options options = default_options(fixture);
    wrong.w = 8;
    expect_refusal(&options, &wrong, BITTERN_ERR_MISMATCH, "1x5x7");
    wrong = tensor;
    wrong.layout = BACKEND_BLOCKED;
    expect_refusal(&options, &wrong, BITTERN_ERR_ARGUMENT, "blocks");
    options.first = 30;
    options.count = 8;
    expect_refusal(&options, &tensor, BITTERN_ERR_RANGE, "has 37");
    options.first = 37;
    options.count = 0;
    expect_refusal(&options, &tensor, BITTERN_ERR_RANGE, "from image 37 on");
    options = default_options(fixture);
    options.drop_last = true;
    options.ranks = 5;
    expect_refusal(&options, &tensor, BITTERN_ERR_RANGE, "37 images do not fill one batch of 40");
    options.ranks = 0;
    expect_refusal(&options, &tensor, BITTERN_ERR_ARGUMENT, "rank 0 of 0");
    options = default_options(fixture);
    options.augmentation.crop = 5;
    expect_refusal(&options, &tensor, BITTERN_ERR_RANGE, "at most 4 and 5");
    options.augmentation = (struct augmentation){.cutout = 6};
    expect_refusal(&options, &tensor, BITTERN_ERR_RANGE, "at most 4 and 5");
    free(tensor.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(epoch_holds_every_image_once_with_its_label),
        cmocka_unit_test(order_depends_on_seed_and_epoch_alone),
        cmocka_unit_test(without_shuffle_the_part_comes_in_order),
        cmocka_unit_test(drop_last_leaves_out_the_partial_batch_alone),
        cmocka_unit_test(seek_gives_the_batches_of_a_run_through),
        cmocka_unit_test(bf16_batches_are_the_float_ones_rounded),
        cmocka_unit_test(seek_throws_away_what_the_thread_is_making),
        cmocka_unit_test(ranks_together_see_what_one_process_sees),
        cmocka_unit_test(loader_can_be_freed_at_any_moment),
        cmocka_unit_test(wait_is_taken_once),
        cmocka_unit_test(wrong_options_are_refused_with_the_reason),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
