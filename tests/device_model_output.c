/* SPDX-License-Identifier: Apache-2.0 */
/* The output stage of the device model: activation, max pool, and where results go. */
#include "device_model_internal.h"

#include <string.h>

/* Parameters of output channel o: four 32-bit words. */
static void read_parameters(const struct device_model *m, uint32_t o, uint32_t *parameters)
{
    uint32_t rows = (128 + m->word - 1) / m->word;
    uint32_t piece = m->bytes < 16 ? m->bytes : 16;
    for (uint32_t row = 0; row < rows; row++) {
        memcpy((uint8_t *)parameters + (size_t)row * piece,
               m->weights + ((uint64_t)row * m->oc + o) * m->bytes, piece);
    }
}

static int64_t sign_extend(uint64_t value, unsigned bits)
{
    return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

static int64_t scale(const struct device_model *m, const uint32_t *parameters, int32_t v)
{
    int64_t factor = sign_extend(parameters[0] & 0x1FFFFFF, 25);
    unsigned shift = parameters[1] & 63;
    unsigned ties = parameters[1] >> 6 & 3;
    uint64_t offset = parameters[2] | (uint64_t)(parameters[3] & 0x3FFFF) << 32;
    int64_t x = sign_extend((uint64_t)v * (uint64_t)factor + offset, 50);
    int64_t q = x >> shift;
    bool tie = ((uint64_t)x & ((UINT64_C(1) << shift) - 1)) == 0;

    if (tie && ((ties == 1 && q % 2 != 0) || (ties == 2 && q % 2 == 0))) {
        q--;
    }
    if (model_bits(m->layer, 1, 13, 1)) {
        int32_t low = (int16_t)model_bits(m->layer, 49, 0, 16);
        int32_t high = (int16_t)model_bits(m->layer, 49, 16, 16);
        q = q < low ? low : q;
        q = q > high ? high : q;
    }
    return q;
}

/* A value on its way: plus and minus, or a number in `plus`. */
struct value {
    int32_t plus, minus;
};

static struct value activate(const struct device_model *m, const uint32_t *parameters, int32_t v)
{
    int32_t descending = (int32_t)(parameters[3] >> 30 & 1);

    if (!model_bits(m->layer, 1, 12, 1)) {
        return (struct value){(int32_t)scale(m, parameters, v), 0};
    }
    int32_t below_high = v < (int32_t)parameters[0];
    int32_t below_low = v < (int32_t)parameters[1];
    return (struct value){below_high ^ !descending, below_low ^ descending};
}

static void pool(struct device_model *m, uint32_t o, bool take_min, struct value value)
{
    bool keep = m->pool_started;
    bool threshold = model_bits(m->layer, 1, 12, 1);
    int32_t minus = value.minus;

    if (!keep) {
        m->pooled[o] = value.plus;
        m->pooled_minus[o] = minus;
        return;
    }
    if (take_min ? value.plus < m->pooled[o] : value.plus > m->pooled[o]) {
        m->pooled[o] = value.plus;
    }
    /* The minus of a maximum is there only where all have it, of a minimum where any has. */
    if (threshold) {
        m->pooled_minus[o] = take_min ? m->pooled_minus[o] | minus : m->pooled_minus[o] & minus;
    }
}

/* ---- Where outputs lie ----------------------------------------------------------------------- */

static uint32_t atom_channels(const struct device_model *m)
{
    uint32_t format = model_bits(m->layer, 1, 16, 2);
    return format == 0 ? m->half : format == 1 ? m->half / 2 : m->half / 8;
}

/* Address of the pixel's plane 0. */
static uint32_t pixel_address(const struct device_model *m, uint32_t n, uint32_t y, uint32_t x)
{
    const uint32_t *l = m->layer;
    uint32_t v = y + model_bits(l, 46, 8, 8);
    uint32_t u = x + model_bits(l, 46, 0, 8);
    uint32_t address = l[40] + n * l[42];
    if (model_bits(l, 1, 19, 1)) {
        return address + (v >> 1) * l[41] + (v & 1) * l[45] + (u >> 1) + (u & 1) * l[44];
    }
    return address + y * l[41] + x;
}

/* Plane of a channel, and its place among the plane's channels. */
static void locate(const struct device_model *m, uint32_t channel, uint32_t *plane, uint32_t *place)
{
    uint32_t in_plane = atom_channels(m) * (model_bits(m->layer, 1, 18, 1) ? 1 : 2);
    *plane = channel / in_plane;
    *place = channel % in_plane;
}

static void store_bit(uint8_t *word, uint32_t bit, int32_t value)
{
    word[bit / 8] =
        (uint8_t)((word[bit / 8] & ~(1U << bit % 8)) | (unsigned)(value != 0) << bit % 8);
}

static void store_value(const struct device_model *m, uint8_t *word, uint32_t half, uint32_t lane,
                        struct value value)
{
    uint32_t format = model_bits(m->layer, 1, 16, 2);
    uint32_t bit = half * m->half;

    if (format == 0) {
        store_bit(word, bit + lane, value.plus);
    } else if (format == 1) {
        store_bit(word, bit + lane, value.plus);
        store_bit(word, bit + lane + m->half / 2, value.minus);
    } else {
        int32_t number = model_bits(m->layer, 1, 12, 1) ? value.plus - value.minus : value.plus;
        word[bit / 8 + lane] =
            (uint8_t)((uint32_t)number ^ (model_bits(m->layer, 1, 14, 1) ? 0x80U : 0));
    }
}

static void store(struct device_model *m, uint32_t channel, uint32_t address, struct value value)
{
    uint32_t plane;
    uint32_t place;
    uint32_t atom = atom_channels(m);

    locate(m, channel, &plane, &place);
    uint8_t *word = model_word(m, address + plane * m->layer[43]);
    if (!word) {
        model_fail(m, "layer %u: it writes behind the feature memory", m->layer[52]);
        return;
    }
    if (model_bits(m->layer, 1, 18, 1)) { /* OUT_DUP */
        store_value(m, word, 0, place, value);
        store_value(m, word, 1, place, value);
    } else {
        store_value(m, word, place / atom, place % atom, value);
    }
}

/* Do `writes` and `tiles_per_plane_log2` say where the channels of a tile lie? */
static void check_writes(struct device_model *m, uint32_t tile)
{
    uint32_t writes = model_bits(m->layer, 47, 0, 8);
    uint32_t log2 = model_bits(m->layer, 47, 8, 8);
    uint32_t first;
    uint32_t last;
    uint32_t place;

    locate(m, tile * m->oc, &first, &place);
    locate(m, tile * m->oc + m->oc - 1, &last, &place);
    if (last - first + 1 != writes ||
        (writes > 1 ? first != tile * writes : first != tile >> log2)) {
        model_fail(m, "layer %u: its writes do not fit its output's format", m->layer[52]);
    }
}

static void emit(struct device_model *m, uint32_t tile, const struct model_pixel *pixel)
{
    const uint32_t *l = m->layer;
    uint64_t i = (uint64_t)pixel->py * model_bits(l, 8, 0, 16) + pixel->px;
    uint32_t address = pixel_address(m, pixel->n, pixel->py, pixel->px);

    if (!model_bits(l, 1, 6, 1)) {
        check_writes(m, tile);
    }
    for (uint32_t o = 0; o < m->oc; o++) {
        struct value value = {m->pooled[o], m->pooled_minus[o]};
        if (model_bits(l, 1, 6, 1)) { /* RESULT */
            int32_t number = model_bits(l, 1, 12, 1) ? value.plus - value.minus : value.plus;
            memcpy(m->start->output + ((m->first_image + pixel->n) * (uint64_t)l[51] + i) * l[50] +
                       ((uint64_t)tile * m->oc + o) * 4,
                   &number, sizeof number);
        } else {
            store(m, tile * m->oc + o, address, value);
        }
    }
}

void model_output(struct device_model *m, uint32_t tile, uint32_t lane,
                  const struct model_pixel *pixel)
{
    int32_t y;
    int32_t x;
    uint32_t window_w = model_bits(m->layer, 7, 0, 16);
    uint32_t window_h = model_bits(m->layer, 7, 16, 16);

    if (pixel->wx == 0 && pixel->wy == 0) {
        m->pool_started = false;
    }
    if (model_counts(m, pixel, &y, &x)) {
        for (uint32_t o = 0; o < m->oc; o++) {
            uint32_t parameters[4] = {0};
            read_parameters(m, o, parameters);
            pool(m, o, parameters[3] >> 31, activate(m, parameters, m->v[lane][o]));
        }
        m->pool_started = true;
    }
    if (pixel->wx + 1 == window_w && pixel->wy + 1 == window_h && pixel->n < m->images) {
        if (!m->pool_started) {
            model_fail(m, "layer %u: a window without a value", m->layer[52]);
        }
        emit(m, tile, pixel);
    }
}

int32_t device_model_value(const struct device_model *m, size_t image, size_t channel, size_t y,
                           size_t x)
{
    uint32_t plane;
    uint32_t place;
    uint32_t atom = atom_channels(m);
    uint32_t format = model_bits(m->layer, 1, 16, 2);

    locate(m, (uint32_t)channel, &plane, &place);
    uint32_t address = pixel_address(m, (uint32_t)image, (uint32_t)y, (uint32_t)x);
    const uint8_t *word = model_word(m, address + plane * m->layer[43]);
    uint32_t half = model_bits(m->layer, 1, 18, 1) ? 0 : place / atom;
    uint32_t bit = half * m->half + (format == 2 ? 8 : 1) * (place % atom);
    int32_t plus = word[bit / 8] >> bit % 8 & 1;

    if (format == 0) {
        return plus ? 1 : -1;
    }
    if (format == 1) {
        bit += m->half / 2;
        return plus - (word[bit / 8] >> bit % 8 & 1);
    }
    return model_bits(m->layer, 1, 14, 1) ? word[bit / 8] ^ 0x80 : (int8_t)word[bit / 8];
}
