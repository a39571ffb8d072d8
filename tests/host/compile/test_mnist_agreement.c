/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Float graphs and integer networks agree on real images: the first ones of MNIST's test set here,
 * all 10,000 in bench/agreement. Without MNIST, on drawn digits.
 */
#include "agreement_calibrate.h"
#include "agreement_nets.h"
#include "compile_check.h"
#include "testing.h"

#include <bittern/dataset.h>
#include <string.h>

#define IMAGES 24
#define LIFE_IMAGES 200

/* MNIST where it is, else digits drawn from a fixed seed. */
static void read_images(uint8_t *images)
{
    struct bittern_dataset *mnist = NULL;
    struct bittern_error err = {0};
    uint8_t labels[LIFE_IMAGES];

    if (bittern_dataset_open("mnist", BITTERN_SPLIT_TEST, NULL, &mnist, &err) == BITTERN_OK) {
        memcpy(images, bittern_dataset_images(mnist), (size_t)LIFE_IMAGES * AGREEMENT_PIXELS);
        bittern_dataset_close(mnist);
        return;
    }
    print_message("MNIST is not here; drawn digits are used\n");
    assert_ok(bittern_dataset_draw_digits(4, LIFE_IMAGES, images, labels, &err), &err);
}

static void check_agreement(const struct agreement_net *net, const struct bittern_model *model,
                            const struct bittern_network *network, const uint8_t *images)
{
    struct compile_agreement a = {0};
    struct bittern_error err = {0};

    assert_ok(compile_check(model, network, NULL, BITTERN_INPUT_0_1, images, IMAGES, &a, &err),
              &err);
    if (a.untraced > 0 || a.off_grid > 0 || (net->must_equal && a.different + a.other_class > 0)) {
        fail_msg("%s: %llu of %llu values differ, %llu are off the grid, %zu classes differ, %zu "
                 "images are unexplained; %s",
                 net->name, (unsigned long long)a.different, (unsigned long long)a.values,
                 (unsigned long long)a.off_grid, a.other_class, a.untraced, a.first);
    }
}

/* Would catch: any rule of docs/numerics.md broken for one kind of weights or activations; a net
 * whose channels are constant, on which agreement proves nothing. */
static void every_kind_of_network_lives_and_agrees_with_its_graph(void **state)
{
    static uint8_t images[LIFE_IMAGES * AGREEMENT_PIXELS];
    struct bittern_model *model;
    struct agreement_net net;
    struct bittern_error err = {0};
    size_t nets = 0;

    (void)state;
    read_images(images);
    while (agreement_net_build(nets, images, IMAGES, &net, &model, &err)) {
        struct bittern_network *network;
        struct agreement_life life;
        struct bittern_compile_options options = {.input_range = BITTERN_INPUT_0_1};
        if (!model) {
            fail_msg("%s: %s", net.name, err.message);
        }
        assert_ok(bittern_network_compile(model, &options, &network, &err), &err);
        assert_ok(agreement_measure_life(network, images, LIFE_IMAGES, &life, &err), &err);
        if (!agreement_is_alive(&life)) {
            fail_msg("%s: %zu of %zu channels vary, %zu classes are predicted", net.name,
                     life.varied, life.channels, life.classes);
        }
        check_agreement(&net, model, network, images);
        bittern_network_free(network);
        bittern_model_free(model);
        nets++;
    }
    assert_int_equal(nets, 66);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_network_lives_and_agrees_with_its_graph),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
