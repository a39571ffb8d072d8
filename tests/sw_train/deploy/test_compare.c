/* SPDX-License-Identifier: Apache-2.0 */
/* deploy_compare: what it counts, that it finds differences, and how it stops. */
#include "deploy_nets.h"
#include "testing.h"

#include <bittern/reference.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 10
#define IMAGES 600

struct fixture {
    char folder[64];
    struct bittern_dataset *dataset;
    struct bittern_model *models[2]; /* of networks with other weights */
    struct bittern_network *networks[2];
};

static void make_model(struct fixture *f, size_t i)
{
    const struct net_options options = {
        .seed = 90 + i, .method = METHOD_TWN, .activation = {ACTIVATION_TERNARY, 0, 0}};
    struct bittern_error err;
    struct net net;
    net_build(&options, f->dataset, &net);
    assert_ok(deploy_export(net.graph, &net.encoding, "net", NULL, &f->models[i], &err), &err);
    assert_ok(bittern_model_finish(f->models[i], &err), &err);
    assert_ok(bittern_network_compile(f->models[i], NULL, &f->networks[i], &err), &err);
    net_free(&net);
}

static int set_up(void **state)
{
    static struct fixture f;
    make_folder(f.folder, sizeof f.folder);
    f.dataset = make_grey_dataset(f.folder, 8, SIDE, IMAGES);
    make_model(&f, 0);
    make_model(&f, 1);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < 2; i++) {
        bittern_network_free(f->networks[i]);
        bittern_model_free(f->models[i]);
    }
    bittern_dataset_close(f->dataset);
    remove_folder(f->folder);
    return 0;
}

static size_t count_correct(const struct fixture *f, size_t images)
{
    struct bittern_reference *engine;
    struct bittern_error err;
    int32_t *values = calloc(images * 5, sizeof *values);
    size_t correct = 0;
    assert_non_null(values);
    assert_ok(bittern_reference_create(f->networks[0], NULL, &engine, &err), &err);
    assert_ok(
        bittern_reference_run(engine, bittern_dataset_images(f->dataset), images, values, &err),
        &err);
    for (size_t i = 0; i < images; i++) {
        correct += bittern_network_classify(f->networks[0], values + i * 5) ==
                   bittern_dataset_labels(f->dataset)[i];
    }
    bittern_reference_free(engine);
    free(values);
    return correct;
}

/* Would catch: images left out at the end of a round, labels of other images, a count that depends
 * on the threads. */
static void accuracy_is_the_share_of_right_classes(void **state)
{
    const struct fixture *f = *state;
    const size_t images[] = {IMAGES, 257, 1, 0};
    for (size_t i = 0; i < 4; i++) {
        size_t expected = images[i] ? images[i] : IMAGES;
        for (size_t threads = 1; threads <= 3; threads++) {
            struct deploy_comparison r;
            struct bittern_error err;
            assert_ok(deploy_compare(f->models[0], f->networks[0], f->dataset, images[i], 7,
                                     threads, NULL, NULL, &r, &err),
                      &err);
            assert_int_equal(r.images, expected);
            assert_true(r.integer_accuracy ==
                        (double)count_correct(f, expected) / (double)expected);
            assert_int_equal(r.verified, expected < 7 ? expected : 7);
            assert_int_equal(r.verified_equal, r.verified);
            assert_int_equal(r.verified_values_differ, 0);
            assert_int_equal(r.inexact_channels, 0);
        }
    }
}

/* Would catch: a comparison that compares nothing. */
static void another_networks_model_differs(void **state)
{
    const struct fixture *f = *state;
    struct deploy_comparison r;
    struct bittern_error err;
    assert_ok(deploy_compare(f->models[1], f->networks[0], f->dataset, IMAGES, 20, 2, NULL, NULL,
                             &r, &err),
              &err);
    assert_int_equal(r.verified, 20);
    assert_true(r.verified_values_differ > 1000);
    assert_true(r.verified_equal < 20);
}

struct stop {
    const char *what;
    size_t calls;
    uint64_t at, last;
};

static int stop_at(void *user, const char *what, uint64_t done, uint64_t total)
{
    struct stop *stop = user;
    assert_true(done <= total);
    stop->calls++;
    stop->last = done;
    return strcmp(what, stop->what) == 0 && done >= stop->at;
}

/* Would catch: Ctrl-C that waits for the end of an hour's comparison. */
static void comparison_can_be_cancelled_in_both_parts(void **state)
{
    const struct fixture *f = *state;
    struct stop stops[] = {{"integer network", 0, 1, 0}, {"float64 comparison", 0, 4, 0}};
    for (size_t i = 0; i < 2; i++) {
        struct deploy_comparison r;
        struct bittern_error err;
        assert_int_equal(deploy_compare(f->models[0], f->networks[0], f->dataset, 0, 100, 2,
                                        stop_at, &stops[i], &r, &err),
                         BITTERN_ERR_CANCELLED);
        assert_non_null(strstr(err.message, stops[i].what));
        assert_true(stops[i].last < (i == 0 ? IMAGES : 100));
    }
}

/* Would catch: pixels read past the end of smaller images. */
static void data_of_another_shape_is_refused(void **state)
{
    const struct fixture *f = *state;
    struct bittern_dataset *color = make_color_dataset(f->folder, 1, 2);
    struct deploy_comparison r;
    struct bittern_error err;
    assert_int_equal(
        deploy_compare(f->models[0], f->networks[0], color, 0, 1, 1, NULL, NULL, &r, &err),
        BITTERN_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "1x10x10"));
    assert_non_null(strstr(err.message, "3x32x32"));
    bittern_dataset_close(color);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accuracy_is_the_share_of_right_classes),
        cmocka_unit_test(another_networks_model_differs),
        cmocka_unit_test(comparison_can_be_cancelled_in_both_parts),
        cmocka_unit_test(data_of_another_shape_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
