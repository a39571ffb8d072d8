/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Float graphs and integer networks agree on real images: the first ones of MNIST's test set here,
 * all 10,000 in bench/agreement. Without MNIST, on drawn digits.
 */
#include "agreement_nets.h"
#include "compile_check.h"
#include "testing.h"

#include <bittern/dataset.h>
#include <stdlib.h>
#include <string.h>

#define IMAGES 24
#define PIXELS (28 * 28)

/* MNIST where it is, else digits drawn from a fixed seed. */
static void read_images(uint8_t *images)
{
    struct bittern_dataset *mnist = NULL;
    struct bittern_error err = {0};
    uint8_t labels[IMAGES];

    if (bittern_dataset_open("mnist", BITTERN_SPLIT_TEST, NULL, &mnist, &err) == BITTERN_OK) {
        memcpy(images, bittern_dataset_images(mnist), IMAGES * PIXELS);
        bittern_dataset_close(mnist);
        return;
    }
    print_message("MNIST is not here; drawn digits are used\n");
    assert_ok(bittern_dataset_draw_digits(4, IMAGES, images, labels, &err), &err);
}

/* Would catch: any rule of docs/numerics.md broken for one kind of weights or activations. */
static void every_kind_of_network_agrees_with_its_graph(void **state)
{
    static uint8_t images[IMAGES * PIXELS];
    struct bittern_model *model;
    struct agreement_net net;
    struct bittern_error err = {0};
    size_t nets = 0;

    (void)state;
    read_images(images);
    while (agreement_net_build(nets, &net, &model, &err)) {
        struct bittern_network *network;
        struct compile_agreement a = {0};
        struct bittern_compile_options options = {.input_range = BITTERN_INPUT_0_1};
        if (!model) {
            fail_msg("%s: %s", net.name, err.message);
        }
        assert_ok(bittern_network_compile(model, &options, &network, &err), &err);
        assert_ok(compile_check(model, network, BITTERN_INPUT_0_1, images, IMAGES, &a, &err), &err);
        if (a.off_grid > 0 || (net.must_equal && a.different + a.other_class > 0) ||
            a.untraced > 0) {
            fail_msg("%s: %llu of %llu values differ, %zu classes, %zu of them unexplained; %s",
                     net.name, (unsigned long long)a.different, (unsigned long long)a.values,
                     a.other_class, a.untraced, a.first);
        }
        bittern_network_free(network);
        bittern_model_free(model);
        nets++;
    }
    assert_int_equal(nets, 38);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_network_agrees_with_its_graph),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
