/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the image in 0..1 to the graph's input: subtract the mean, divide by the deviation, quantize
 * to 8 bits. The compiler evaluates these nodes in float64 at each pixel value and makes its input
 * table of them, so the same is done here, and compared with the table that the trainer used.
 */
#include "deploy/export.h"

#include <math.h>

static bool is_normalized(const struct input_encoding *encoding)
{
    for (size_t c = 0; c < encoding->channels; c++) {
        if (encoding->mean[c] != 0 || encoding->deviation[c] != 1) {
            return true;
        }
    }
    return false;
}

/* What the exported nodes compute: the quantizer's integer for pixel value u. */
static double exported_level(const struct input_encoding *encoding, size_t channel, unsigned u)
{
    double minimum = encoding->is_signed ? -127 : 0;
    double maximum = encoding->is_signed ? 127 : 255;
    double x = u / 255.0;

    if (is_normalized(encoding)) {
        x = (x - (float)encoding->mean[channel]) / (float)encoding->deviation[channel];
    }
    return rint(fmin(fmax(x / (float)encoding->step, minimum), maximum));
}

static void check_table(struct exporter *e, const struct input_encoding *encoding)
{
    float table[INPUT_ENCODING_MAX_CHANNELS * 256];

    input_encoding_table(encoding, table);
    for (size_t c = 0; c < encoding->channels && e->status == BITTERN_OK; c++) {
        for (unsigned u = 0; u < 256; u++) {
            double trained = (double)table[c * 256 + u] / encoding->step;
            if (rint(trained) != exported_level(encoding, c, u)) {
                e->status = bittern_error_set(
                    e->err, BITTERN_ERR_MISMATCH,
                    "the input was trained with %g steps for pixel value %u of channel %zu, and "
                    "would be exported with %g: mean, deviation and step must be float32 numbers",
                    rint(trained), u, c, exported_level(encoding, c, u));
                break;
            }
        }
    }
}

static void add_channel_constant(struct exporter *e, const char *name, size_t channels,
                                 const double *values)
{
    const int64_t dims[] = {1, (int64_t)channels, 1, 1};
    float singles[INPUT_ENCODING_MAX_CHANNELS];

    for (size_t c = 0; c < channels; c++) {
        singles[c] = (float)values[c];
    }
    export_floats(e, name, dims, 4, singles);
}

static const char *normalize(struct exporter *e, const struct input_encoding *encoding)
{
    add_channel_constant(e, "image.mean", encoding->channels, encoding->mean);
    add_channel_constant(e, "image.deviation", encoding->channels, encoding->deviation);
    export_node(e, "Sub", "image.centered", (const char *const[]){"image", "image.mean", NULL},
                NULL, 0);
    export_node(e, "Div", "image.normalized",
                (const char *const[]){"image.centered", "image.deviation", NULL}, NULL, 0);
    return "image.normalized";
}

void export_input(struct exporter *e, const struct input_encoding *encoding)
{
    const struct backend_tensor *input = graph_tensor(e->graph, 0);
    const int64_t dims[] = {0, (int64_t)input->c, (int64_t)input->h, (int64_t)input->w};
    const char *tensor = "image";

    if (encoding->channels != input->c || input->c > INPUT_ENCODING_MAX_CHANNELS) {
        e->status = bittern_error_set(
            e->err, BITTERN_ERR_MISMATCH,
            "the input encoding is for %zu channels, the graph's input has %zu (%d at most)",
            encoding->channels, input->c, INPUT_ENCODING_MAX_CHANNELS);
        return;
    }
    e->status = bittern_model_add_input(e->model, "image", dims, 4, e->err);
    if (is_normalized(encoding)) {
        tensor = normalize(e, encoding);
    }
    if (encoding->quantized) {
        const struct export_quant quant = {"image.step", 8, encoding->is_signed,
                                           encoding->is_signed};
        check_table(e, encoding);
        export_scalar(e, "image.step", encoding->step);
        export_quant(e, "image.quantized", tensor, &quant);
        tensor = "image.quantized";
    }
    e->tensors[0].is_map = true;
    export_join(e, tensor, NULL, e->tensors[0].name);
}
