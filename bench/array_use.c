/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How well does a network use the accelerator's array, in cycle-accurate simulation?
 *
 *     array_use cnv [--images N]     CNV-W1A1: images a second at 100 MHz; bar: more than 10,000
 *     array_use vgg7 [--images N]    VGG-7 in seven kinds: utilization; bars: 90 % on each of
 *                                    convolutions 2 to 6, 80 % over the network
 *
 * Networks have random weights and images, which changes nothing about cycles. Memory: 64 cycles
 * latency, one beat a cycle. Every output value is compared with the reference engine's. The bars
 * of VGG-7 are for its first four kinds; the others show what mixed weights cost.
 *
 * Utilization = ideal / measured cycles; ideal: nominal multiplications, padding counted, at the
 * array's full rate in the layer's mode.
 */
#include "network_cnv.h"
#include "network_vgg7.h"

#include <bittern/accelerator.h>
#include <bittern/device.h>
#include <bittern/program.h>
#include <bittern/reference.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GEOMETRY "edge"
#define CLOCK_MHZ 100.0
#define CNV_IMAGES 64
#define CNV_MIN_IMAGES_PER_SECOND 10000.0
#define VGG7_IMAGES 16
#define VGG7_MIN_LAYER 0.90
#define VGG7_MIN_NETWORK 0.80
#define SEED UINT64_C(20231)

/* One network on the device. */
struct measurement {
    size_t layer_count;
    struct bittern_layer_profile *profile; /* [layer_count] */
    struct bittern_accelerator_plan *plan;
    struct bittern_counters counters;
    size_t images;
    size_t different; /* output values that are not the reference engine's */
    double ideal;     /* cycles of all layers, an image */
    double *layer_ideal;
};

static void measurement_free(struct measurement *m)
{
    free(m->profile);
    free(m->layer_ideal);
    bittern_accelerator_plan_free(m->plan);
    *m = (struct measurement){0};
}

static double mode_rate(const struct bittern_geometry *geometry, enum bittern_array_mode mode)
{
    double lanes = geometry->word_bits;
    if (mode != BITTERN_ARRAY_BINARY) {
        lanes /= mode == BITTERN_ARRAY_TERNARY ? 2 : 8;
    }
    return lanes * geometry->output_channels * geometry->pixels;
}

static void fill_random(uint8_t *bytes, size_t count)
{
    uint64_t state = SEED;
    for (size_t i = 0; i < count; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        bytes[i] = (uint8_t)(state >> 56);
    }
}

static size_t count_differences(const int32_t *a, const int32_t *b, size_t count)
{
    size_t different = 0;
    for (size_t i = 0; i < count; i++) {
        different += a[i] != b[i];
    }
    return different;
}

static bittern_status run_both(struct bittern_session *session,
                               const struct bittern_network *network, size_t images,
                               struct measurement *m, struct bittern_error *err)
{
    const struct bittern_shape *shape = &bittern_network_input(network)->shape;
    size_t pixels = shape->channels * shape->height * shape->width;
    size_t outputs = bittern_network_output_count(network);
    struct bittern_reference *engine = NULL;
    uint8_t *input = malloc(images * pixels);
    int32_t *values = calloc(images * outputs, sizeof *values);
    int32_t *expected = calloc(images * outputs, sizeof *expected);
    bittern_status status = BITTERN_OK;

    if (!input || !values || !expected) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for %zu images", images);
        goto cleanup;
    }
    fill_random(input, images * pixels);
    status = bittern_session_run(session, input, images, values, &m->counters, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = bittern_session_profile(session, m->profile, m->layer_count, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = bittern_reference_create(network, NULL, &engine, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = bittern_reference_run(engine, input, images, expected, err);
    m->different = count_differences(values, expected, images * outputs);

cleanup:
    bittern_reference_free(engine);
    free(input);
    free(values);
    free(expected);
    return status;
}

/* Takes over the network. */
static bittern_status measure(struct bittern_device *device, struct bittern_network *network,
                              size_t images, struct measurement *m, struct bittern_error *err)
{
    const struct bittern_geometry *geometry = &bittern_device_get_info(device)->geometry;
    const struct bittern_session_options options = {.batch = images, .timeout_ms = 3600000};
    struct bittern_program *program = NULL;
    struct bittern_session *session = NULL;

    *m =
        (struct measurement){.layer_count = bittern_network_layer_count(network), .images = images};
    m->profile = calloc(m->layer_count, sizeof *m->profile);
    m->layer_ideal = calloc(m->layer_count, sizeof *m->layer_ideal);
    bittern_status status =
        m->profile && m->layer_ideal
            ? bittern_program_create(network, geometry, &program, err)
            : bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the profile");
    if (status == BITTERN_OK) {
        status = bittern_accelerator_plan_create(program, images, &m->plan, err);
    }
    if (status == BITTERN_OK) {
        status = bittern_session_create(device, program, &options, &session, err);
    }
    if (status == BITTERN_OK) {
        status = run_both(session, network, images, m, err);
    }
    for (size_t i = 0; status == BITTERN_OK && i < m->layer_count; i++) {
        m->layer_ideal[i] = (double)bittern_layer_macs(bittern_network_layer(network, i)) /
                            mode_rate(geometry, m->plan->layers[i].mode);
        m->ideal += m->layer_ideal[i];
        m->plan->layers[i].name = NULL; /* it is the program's, which goes now */
    }
    bittern_session_free(session);
    bittern_program_free(program);
    bittern_network_free(network);
    return status;
}

static double layer_use(const struct measurement *m, size_t layer)
{
    return m->layer_ideal[layer] * (double)m->images / (double)m->profile[layer].cycles;
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0.0;
}

static void print_measurement(const struct measurement *m, const char *const *names)
{
    for (size_t i = 0; i < m->plan->segment_count; i++) {
        const struct bittern_segment_plan *segment = &m->plan->segments[i];
        printf("  layers %zu to %zu: %" PRIu32 " images at once\n", segment->first_layer + 1,
               segment->first_layer + segment->layer_count, segment->sub_batch);
    }
    printf("  %-7s %-8s %12s %12s %7s | of its cycles: %7s %8s %6s %7s %6s\n", "layer", "mode",
           "cycles/image", "ideal", "use %", "compute", "weights", "input", "output", "other");
    for (size_t i = 0; i < m->layer_count; i++) {
        const struct bittern_layer_profile *p = &m->profile[i];
        uint64_t other = p->cycles - p->compute_cycles - p->weight_stall_cycles -
                         p->input_stall_cycles - p->output_stall_cycles;
        printf("  %-7s %-8s %12.1f %12.1f %7.1f |                %7.1f %8.1f %6.1f %7.1f %6.1f\n",
               names[i], bittern_array_mode_name(m->plan->layers[i].mode),
               (double)p->cycles / (double)m->images, m->layer_ideal[i], 100.0 * layer_use(m, i),
               percent(p->compute_cycles, p->cycles), percent(p->weight_stall_cycles, p->cycles),
               percent(p->input_stall_cycles, p->cycles),
               percent(p->output_stall_cycles, p->cycles), percent(other, p->cycles));
    }
    printf("  all     %-8s %12.1f %12.1f %7.1f   (%.1f predicted); %zu of the output values "
           "differ from the reference engine's\n",
           "", (double)m->counters.cycles / (double)m->images, m->ideal,
           100.0 * m->ideal * (double)m->images / (double)m->counters.cycles,
           (double)m->plan->cycles / (double)m->images, m->different);
}

/* ---- CNV ------------------------------------------------------------------------------------- */

static bittern_status run_cnv(struct bittern_device *device, size_t images, bool *kept,
                              struct bittern_error *err)
{
    static const char *const names[] = {"conv1", "conv2", "conv3", "conv4", "conv5",
                                        "conv6", "fc1",   "fc2",   "fc3"};
    const struct network_cnv_options options = {
        .weights = BITTERN_WEIGHT_BINARY, .activation = BITTERN_ACTIVATION_SIGN, .seed = SEED};
    struct bittern_network *network = NULL;
    struct measurement m = {0};

    printf("CNV-W1A1 on '" GEOMETRY "', one start of %zu images, seed %" PRIu64 "\n", images, SEED);
    bittern_status status = network_cnv_create(&options, &network, err);
    if (status == BITTERN_OK) {
        status = measure(device, network, images, &m, err);
    }
    if (status == BITTERN_OK) {
        double cycles = (double)m.counters.cycles / (double)images;
        print_measurement(&m, names);
        *kept = m.different == 0 && CLOCK_MHZ * 1e6 / cycles > CNV_MIN_IMAGES_PER_SECOND;
        printf("%.1f cycles an image: %.0f images/s at %.0f MHz (bar: more than %.0f)\n", cycles,
               CLOCK_MHZ * 1e6 / cycles, CLOCK_MHZ, CNV_MIN_IMAGES_PER_SECOND);
    }
    measurement_free(&m);
    return status;
}

/* ---- VGG-7 ----------------------------------------------------------------------------------- */

#define B BITTERN_WEIGHT_BINARY
#define T BITTERN_WEIGHT_TERNARY

static const struct vgg7_kind {
    const char *title;
    bool has_bar;
    struct network_vgg7_options options;
} vgg7_kinds[] = {
    {"ternary weights, 8-bit activations",
     true,
     {.weights = T, .activation = BITTERN_ACTIVATION_SCALE, .seed = SEED}},
    {"ternary weights, ternary activations",
     true,
     {.weights = T, .activation = BITTERN_ACTIVATION_TERNARY, .seed = SEED}},
    {"ternary weights, binary activations",
     true,
     {.weights = T, .activation = BITTERN_ACTIVATION_SIGN, .seed = SEED}},
    {"binary weights, binary activations",
     true,
     {.weights = B, .activation = BITTERN_ACTIVATION_SIGN, .seed = SEED}},
    {"binary weights, 8-bit activations",
     false,
     {.weights = B, .activation = BITTERN_ACTIVATION_SCALE, .seed = SEED}},
    {"mixed 2-1-1-1-2-2-2 bits a weight, 8-bit activations",
     false,
     {.weights = T,
      .activation = BITTERN_ACTIVATION_SCALE,
      .seed = SEED,
      .layer_weights = {T, B, B, B, T, T, T, T}}},
};
#define VGG7_KINDS (sizeof vgg7_kinds / sizeof vgg7_kinds[0])

struct vgg7_summary {
    double cycles, use, worst_layer;
    uint64_t read_beats;
};

static bittern_status run_vgg7_kind(struct bittern_device *device, const struct vgg7_kind *kind,
                                    size_t images, struct vgg7_summary *summary, bool *exact,
                                    struct bittern_error *err)
{
    static const char *const names[] = {"conv1", "conv2", "conv3", "conv4",
                                        "conv5", "conv6", "fc1",   "fc2"};
    struct bittern_network *network = NULL;
    struct measurement m = {0};

    printf("VGG-7, %s\n", kind->title);
    bittern_status status = network_vgg7_create(&kind->options, &network, err);
    if (status == BITTERN_OK) {
        status = measure(device, network, images, &m, err);
    }
    if (status == BITTERN_OK) {
        print_measurement(&m, names);
        *summary = (struct vgg7_summary){
            .cycles = (double)m.counters.cycles / (double)images,
            .use = m.ideal * (double)images / (double)m.counters.cycles,
            .worst_layer = 1.0,
            .read_beats = m.counters.read_beats / images,
        };
        for (size_t i = 1; i <= 5; i++) {
            double use = layer_use(&m, i);
            summary->worst_layer = use < summary->worst_layer ? use : summary->worst_layer;
        }
        *exact = m.different == 0;
        (void)fflush(stdout);
    }
    measurement_free(&m);
    return status;
}

static bittern_status run_vgg7(struct bittern_device *device, size_t images, bool *kept,
                               struct bittern_error *err)
{
    struct vgg7_summary summary[VGG7_KINDS];
    double worst_layer = 1.0;
    double worst_use = 1.0;
    bool all_exact = true;

    printf("VGG-7 on '" GEOMETRY "', one start of %zu images, seed %" PRIu64 "\n", images, SEED);
    for (size_t i = 0; i < VGG7_KINDS; i++) {
        bool exact = false;
        bittern_status status =
            run_vgg7_kind(device, &vgg7_kinds[i], images, &summary[i], &exact, err);
        if (status != BITTERN_OK) {
            return status;
        }
        all_exact = all_exact && exact;
        if (vgg7_kinds[i].has_bar) {
            worst_layer =
                summary[i].worst_layer < worst_layer ? summary[i].worst_layer : worst_layer;
            worst_use = summary[i].use < worst_use ? summary[i].use : worst_use;
        }
    }
    printf("%-54s %12s %9s %8s %12s\n", "", "cycles/image", "images/s", "use %", "bytes/image");
    for (size_t i = 0; i < VGG7_KINDS; i++) {
        printf("%-54s %12.0f %9.1f %8.1f %12.0f\n", vgg7_kinds[i].title, summary[i].cycles,
               CLOCK_MHZ * 1e6 / summary[i].cycles, 100.0 * summary[i].use,
               (double)summary[i].read_beats * 16.0);
    }
    *kept = all_exact && worst_layer >= VGG7_MIN_LAYER && worst_use >= VGG7_MIN_NETWORK;
    printf(
        "worst of convolutions 2 to 6: %.1f %% (bar: %.0f %%); worst network: %.1f %% (bar: %.0f "
        "%%)%s\n",
        100.0 * worst_layer, 100.0 * VGG7_MIN_LAYER, 100.0 * worst_use, 100.0 * VGG7_MIN_NETWORK,
        all_exact ? "" : "; values differ");
    return BITTERN_OK;
}

int main(int argc, char **argv)
{
    struct bittern_device *device = NULL;
    struct bittern_error err = {0};
    bool cnv = argc > 1 && strcmp(argv[1], "cnv") == 0;
    bool vgg7 = argc > 1 && strcmp(argv[1], "vgg7") == 0;
    unsigned long images = cnv ? CNV_IMAGES : VGG7_IMAGES;
    bool kept = false;

    if (argc == 4 && strcmp(argv[2], "--images") == 0) {
        images = strtoul(argv[3], NULL, 10);
    }
    if ((!cnv && !vgg7) || (argc != 2 && argc != 4) || images < 1 || images > 4096) {
        fprintf(stderr, "usage: array_use cnv|vgg7 [--images N]\n");
        return 2;
    }
    bittern_status status = bittern_device_open("sim:" GEOMETRY, &device, &err);
    if (status == BITTERN_OK) {
        status = cnv ? run_cnv(device, images, &kept, &err) : run_vgg7(device, images, &kept, &err);
    }
    bittern_device_close(device);
    if (status != BITTERN_OK) {
        fprintf(stderr, "array_use: %s\n", err.message);
        return 2;
    }
    return kept ? 0 : 1;
}
