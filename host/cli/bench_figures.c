/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What follows from the counters of a benchmark's median repetition. Bytes of the whole are
 * counted; those of a layer are planned, as the device counts them for all layers together.
 */
#include "bench.h"

#include <math.h>

#define BITS_PER_BYTE 8
/* Of docs/device-program.md: what a layer is read from and told in, once a sub-batch. */
#define DESCRIPTOR_BYTES 256
#define RECORD_BYTES 32

static double images_of(const struct bench *bench)
{
    return (double)bench->images.count;
}

static double beat_bytes(const struct bench *bench)
{
    return (double)bittern_device_get_info(bench->device)->geometry.word_bits / BITS_PER_BYTE;
}

static struct bench_figures unknown_figures(void)
{
    return (struct bench_figures){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
}

static void set_parts(struct bench_figures *f, double images, uint64_t cycles, uint64_t compute,
                      uint64_t weight, uint64_t input, uint64_t output)
{
    f->cycles = (double)cycles / images;
    f->compute = (double)compute / images;
    f->weight_stall = (double)weight / images;
    f->input_stall = (double)input / images;
    f->output_stall = (double)output / images;
    f->other = f->cycles - f->compute - f->weight_stall - f->input_stall - f->output_stall;
    f->utilization = f->cycles > 0.0 ? f->ideal / f->cycles : NAN;
}

static void set_intensity(struct bench_figures *f)
{
    double bytes = f->read_bytes + f->write_bytes;
    f->intensity = bytes > 0.0 ? f->macs / bytes : NAN;
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

struct bench_bytes bench_planned_bytes(const struct bench *bench, size_t layer)
{
    const struct bittern_geometry *geometry = &bittern_device_get_info(bench->device)->geometry;
    const struct bittern_layer_plan *plan = &bench->plan->layers[layer];
    const struct bittern_segment_plan *segment = &bench->plan->segments[plan->segment];
    const struct bittern_shape *out = &bittern_network_layer(bench->network, layer)->output;
    struct bench_bytes bytes = {0.0, 0.0};
    size_t rest = bench->images.count % bench->batch;

    /* Weights go through once a sub-batch; the last sub-batch of a start, and the last start, may
     * be smaller. */
    size_t streams = bench->images.count / bench->batch *
                     ((bench->batch + segment->sub_batch - 1) / segment->sub_batch);
    streams += (rest + segment->sub_batch - 1) / segment->sub_batch;
    double streams_an_image = (double)streams / images_of(bench);
    bytes.read = (double)(plan->weight_bytes + DESCRIPTOR_BYTES) * streams_an_image;
    bytes.written = RECORD_BYTES * streams_an_image;
    if (layer == segment->first_layer) {
        bytes.read += segment->input_words * beat_bytes(bench);
    }
    if (layer + 1 == segment->first_layer + segment->layer_count) {
        bytes.written += segment->output_words * beat_bytes(bench);
    }
    if (layer + 1 == bench->layer_count) {
        /* All channels of each tile, those behind the last one too. */
        bytes.written += (double)plan->tiles * geometry->output_channels * sizeof(int32_t) *
                         (double)(out->height * out->width);
    }
    return bytes;
}

/* ---- Figures --------------------------------------------------------------------------------- */

struct bench_figures bench_whole(const struct bench *bench)
{
    struct bench_figures f = unknown_figures();
    const struct bittern_counters *c = &bench->median->counters;

    f.macs = 0.0;
    for (size_t i = 0; i < bench->layer_count; i++) {
        f.macs += (double)bittern_layer_macs(bittern_network_layer(bench->network, i));
    }
    if (c->cycles == 0) {
        return f;
    }
    f.ideal = bench->plan ? 0.0 : NAN;
    for (size_t i = 0; bench->plan && i < bench->layer_count; i++) {
        f.ideal += (double)bench->plan->layers[i].ideal_cycles;
    }
    set_parts(&f, images_of(bench), c->cycles, c->compute_cycles, c->weight_stall_cycles,
              c->input_stall_cycles, c->output_stall_cycles);
    f.read_bytes = (double)c->read_beats * beat_bytes(bench) / images_of(bench);
    f.write_bytes = (double)c->write_beats * beat_bytes(bench) / images_of(bench);
    set_intensity(&f);
    return f;
}

struct bench_figures bench_layer(const struct bench *bench, size_t layer)
{
    struct bench_figures f = unknown_figures();
    const struct bittern_layer_profile *p = &bench->median->layers[layer];

    f.macs = (double)bittern_layer_macs(bittern_network_layer(bench->network, layer));
    if (bench->plan) {
        struct bench_bytes bytes = bench_planned_bytes(bench, layer);
        f.ideal = (double)bench->plan->layers[layer].ideal_cycles;
        f.read_bytes = bytes.read;
        f.write_bytes = bytes.written;
        set_intensity(&f);
    }
    if (p->images > 0) {
        set_parts(&f, (double)p->images, p->cycles, p->compute_cycles, p->weight_stall_cycles,
                  p->input_stall_cycles, p->output_stall_cycles);
    }
    return f;
}

static double clock_hz(const struct bench *bench)
{
    return bench->arguments->clock_mhz * 1e6;
}

double bench_images_per_second(const struct bench *bench)
{
    double cycles = (double)bench->median->counters.cycles;
    if (cycles > 0.0) {
        return images_of(bench) * clock_hz(bench) / cycles;
    }
    return bench->median->seconds > 0.0 ? images_of(bench) / bench->median->seconds : NAN;
}

double bench_first_cycles(const struct bench *bench)
{
    return bench->first.cycles > 0 ? (double)bench->first.cycles : NAN;
}

double bench_first_seconds(const struct bench *bench)
{
    return bench->first.cycles > 0 ? (double)bench->first.cycles / clock_hz(bench)
                                   : (double)bench->first.nanoseconds * 1e-9;
}

/* ---- Roofline -------------------------------------------------------------------------------- */

bool bench_roofline_of(const struct bench *bench, struct bench_roofline *roofline)
{
    const struct bittern_geometry *geometry = &bittern_device_get_info(bench->device)->geometry;
    double units = (double)geometry->output_channels * geometry->pixels;
    double lanes = geometry->word_bits;

    *roofline = (struct bench_roofline){{NAN, NAN, NAN, NAN}, NAN};
    if (!bench->plan) {
        return false;
    }
    if (geometry->units & BITTERN_UNIT_XNOR_POPCOUNT) {
        roofline->peak[BITTERN_ARRAY_BINARY] = lanes * units;
    }
    if (geometry->units & BITTERN_UNIT_TERNARY) {
        roofline->peak[BITTERN_ARRAY_TERNARY] = lanes / 2 * units;
    }
    if (geometry->units & BITTERN_UNIT_TERNARY_ACCUMULATE) {
        roofline->peak[BITTERN_ARRAY_INT] = lanes / 8 * units;
    }
    roofline->bytes_per_cycle = beat_bytes(bench) * bench->bench_case->bandwidth;
    return true;
}

double bench_roof(const struct bench_roofline *roofline, enum bittern_array_mode mode,
                  double intensity)
{
    double memory = intensity * roofline->bytes_per_cycle;
    double peak = roofline->peak[mode];
    return memory < peak ? memory : peak;
}
