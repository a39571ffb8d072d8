/* SPDX-License-Identifier: Apache-2.0 */
/* The array of the device model: addresses, padding and raw sums of one group of lanes. */
#include "device_model_internal.h"

/* The kernel's digits; those of lo and hi go side by side. */
struct digits {
    uint32_t c, s, r;
};

static void add_digits(const struct device_model *m, struct digits *d, struct digits step)
{
    uint32_t atoms = model_bits(m->layer, 22, 0, 16);
    uint32_t kernel_w = model_bits(m->layer, 23, 0, 16);

    d->c += step.c;
    d->s += step.s;
    d->r += step.r;
    if (d->c >= atoms) {
        d->c -= atoms;
        d->s++;
    }
    if (d->s >= kernel_w) {
        d->s -= kernel_w;
        d->r++;
    }
}

bool model_counts(const struct device_model *m, const struct model_pixel *pixel, int32_t *y,
                  int32_t *x)
{
    *y = (int32_t)(pixel->py * model_bits(m->layer, 12, 8, 8) + pixel->wy) -
         (int32_t)model_bits(m->layer, 12, 24, 8);
    *x = (int32_t)(pixel->px * model_bits(m->layer, 12, 0, 8) + pixel->wx) -
         (int32_t)model_bits(m->layer, 12, 16, 8);
    return pixel->n < m->images && *y >= 0 && *y < (int32_t)model_bits(m->layer, 13, 16, 16) &&
           *x >= 0 && *x < (int32_t)model_bits(m->layer, 13, 0, 16);
}

/* Where one half of a step reads, and what it reads there. */
struct tap {
    uint32_t address;
    bool past_end, padding, last_c;
};

static struct tap find_tap(const struct device_model *m, uint32_t tile,
                           const struct model_pixel *pixel, const struct digits *d, uint32_t big_r,
                           uint32_t big_s)
{
    const uint32_t *l = m->layer;
    struct tap tap = {.last_c = d->c + 1 == model_bits(l, 22, 0, 16),
                      .past_end = d->r >= model_bits(l, 23, 16, 16)};
    int32_t y;
    int32_t x;
    (void)model_counts(m, pixel, &y, &x);
    uint32_t row = big_r * model_bits(l, 24, 24, 8) + d->r;
    uint32_t column = big_s * model_bits(l, 24, 16, 8) + d->s;
    int64_t in_y = (int64_t)y * model_bits(l, 14, 8, 8) + row - model_bits(l, 14, 24, 8);
    int64_t in_x = (int64_t)x * model_bits(l, 14, 0, 8) + column - model_bits(l, 14, 16, 8);
    tap.padding = in_y < 0 || in_y >= model_bits(l, 15, 16, 16) || in_x < 0 ||
                  in_x >= model_bits(l, 15, 0, 16);

    tap.address =
        l[16] + pixel->n * l[18] + (tile >> model_bits(l, 29, 0, 5)) * l[28] + d->c * l[19];
    if (model_bits(l, 1, 9, 1)) { /* IN_PHASE */
        tap.address += ((uint32_t)y + (row >> 1)) * l[17] + (row & 1) * l[21] + (uint32_t)x +
                       (column >> 1) + (column & 1) * l[20];
    } else {
        tap.address += ((uint32_t)y * model_bits(l, 14, 8, 8) + row) * l[17] +
                       (uint32_t)x * model_bits(l, 14, 0, 8) + column;
    }
    return tap;
}

/* All lanes are read in one cycle, those that do not count as well. */
static void check_banks(struct device_model *m, const struct tap *taps, uint32_t lanes)
{
    uint64_t used = 0;
    for (uint32_t i = 0; i < lanes; i++) {
        uint64_t bank = UINT64_C(1) << taps[i].address % m->px;
        if (used & bank) {
            model_fail(m, "layer %u: two lanes read bank %u", m->layer[52],
                       taps[i].address % m->px);
        }
        used |= bank;
    }
}

static struct model_half lane_mask(const struct device_model *m, unsigned half)
{
    struct model_half mask = {{0}};
    for (uint32_t i = 0; i < m->half; i++) {
        uint32_t bit = half * m->half + i;
        mask.bits[i / 64] |= (uint64_t)(m->layer[32 + bit / 32] >> bit % 32 & 1) << i % 64;
    }
    return mask;
}

/* Half `half` of output channel o's word in a row of weights. */
static struct model_half weight_half(const struct device_model *m, uint32_t row, uint32_t o,
                                     unsigned half)
{
    struct model_half w = {{0}};
    const uint8_t *bytes =
        m->weights + ((uint64_t)row * m->oc + o) * m->bytes + half * (m->half / 8);
    for (uint32_t i = 0; i < m->half / 8; i++) {
        w.bits[i / 8] |= (uint64_t)bytes[i] << 8 * (i % 8);
    }
    return w;
}

static uint32_t ones(uint64_t x)
{
    return (uint32_t)__builtin_popcountll(x);
}

static bool bit_of(const struct model_half *h, uint32_t i)
{
    return h->bits[i / 64] >> i % 64 & 1;
}

static int32_t binary_count(const struct device_model *m, const struct model_half *a,
                            const struct model_half *w)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < MODEL_HALF_WORDS; i++) {
        uint32_t first = 64 * i;
        uint64_t in_half = first >= m->half        ? 0
                           : m->half - first >= 64 ? UINT64_MAX
                                                   : (UINT64_C(1) << (m->half - first)) - 1;
        count += ones(~(a->bits[i] ^ w->bits[i]) & in_half);
    }
    return (int32_t)count;
}

static int32_t ternary_count(const struct device_model *m, const struct model_half *a,
                             const struct model_half *w)
{
    int32_t count = (int32_t)m->half / 2;
    uint32_t n = m->half / 2;
    uint64_t mask = n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
    uint64_t a_plus = a->bits[0] & mask;
    uint64_t w_plus = w->bits[0] & mask;
    uint64_t a_minus = n == 64 ? a->bits[1] : a->bits[0] >> n & mask;
    uint64_t w_minus = n == 64 ? w->bits[1] : w->bits[0] >> n & mask;
    count += (int32_t)ones(a_plus & w_plus) + (int32_t)ones(a_minus & w_minus);
    count -= (int32_t)ones(a_plus & w_minus) + (int32_t)ones(a_minus & w_plus);
    return count;
}

/* XNOR: 2 * count + odd of one half. */
static int32_t xnor_half(const struct device_model *m, const struct tap *tap, struct model_half a,
                         unsigned half, uint32_t row, uint32_t o)
{
    bool ternary = model_bits(m->layer, 1, 1, 1);
    struct model_half w = weight_half(m, row, o, half);

    if (tap->past_end) {
        return (int32_t)m->half;
    }
    if (tap->padding) {
        return (int32_t)(m->half + (tap->last_c ? model_bits(m->layer, 1, 10 + half, 1) : 0));
    }
    if (tap->last_c) {
        struct model_half mask = lane_mask(m, half);
        a.bits[0] &= mask.bits[0];
        a.bits[1] &= mask.bits[1];
    }
    return 2 * (ternary ? ternary_count(m, &a, &w) : binary_count(m, &a, &w));
}

static int32_t signed_byte(uint64_t byte)
{
    return (int32_t)(byte ^ 0x80) - 0x80;
}

/* INT: sum of one half. */
static int32_t int_half(const struct device_model *m, const struct tap *tap,
                        const struct model_half *a, const struct model_half *mask, unsigned half,
                        uint32_t row, uint32_t part, uint32_t o)
{
    bool wide = model_bits(m->layer, 1, 3, 1);
    uint32_t lanes = m->word / 8;
    const uint8_t *word = m->weights + ((uint64_t)row * m->oc + o) * m->bytes;
    int32_t sum = 0;

    for (uint32_t i = 0; i < lanes / 2; i++) {
        uint32_t lane = half * (lanes / 2) + i;
        uint32_t bit = part * lanes * (wide ? 2 : 1) + lane;
        bool nonzero = !wide || (word[bit / 8] >> bit % 8 & 1);
        bit += wide ? lanes : 0;
        bool negative = word[bit / 8] >> bit % 8 & 1;
        int32_t v = signed_byte(a->bits[i / 8] >> 8 * (i % 8) & 0xFF);
        if (tap->padding) {
            v = signed_byte(model_bits(m->layer, 30, 0, 8));
        }
        if (tap->past_end || (tap->last_c && !bit_of(mask, 8 * i))) {
            v = 0;
        }
        v = nonzero ? v : 0;
        sum += negative ? ~v : v;
    }
    return sum;
}

static int32_t wrap24(int32_t value)
{
    return (int32_t)((uint32_t)value << 8) >> 8;
}

/* One half of one step, for all lanes and output channels. */
static void add_half(struct device_model *m, uint32_t tile, const struct model_pixel *pixels,
                     unsigned half, const struct digits *d, const uint32_t *loops, uint32_t k,
                     uint32_t row)
{
    bool is_int = model_bits(m->layer, 1, 0, 1);
    uint32_t lanes = model_bits(m->layer, 6, 0, 8);
    uint32_t per_row = !is_int ? 1 : (model_bits(m->layer, 1, 3, 1) ? 4 : 8);
    struct model_half mask = lane_mask(m, half);
    struct tap taps[MODEL_MAX_LANES];

    for (uint32_t i = 0; i < lanes; i++) {
        taps[i] = find_tap(m, tile, &pixels[i], d, loops[0], loops[1]);
    }
    check_banks(m, taps, lanes);
    for (uint32_t i = 0; i < lanes; i++) {
        int32_t y;
        int32_t x;
        if (!model_counts(m, &pixels[i], &y, &x)) {
            continue;
        }
        struct model_half a = model_read(m, taps[i].address, half);
        for (uint32_t o = 0; o < m->oc; o++) {
            int32_t sum =
                is_int ? int_half(m, &taps[i], &a, &mask, half, row + k / per_row, k % per_row, o)
                       : xnor_half(m, &taps[i], a, half, row + k, o);
            m->raw[i][o] = wrap24((int32_t)((uint32_t)m->raw[i][o] + (uint32_t)sum));
        }
    }
}

/* One pass over the kernel. */
static void add_kernel(struct device_model *m, uint32_t tile, const struct model_pixel *pixels,
                       const uint32_t *loops, uint32_t row)
{
    const uint32_t *l = m->layer;
    struct digits step = {model_bits(l, 26, 0, 16), model_bits(l, 26, 16, 8),
                          model_bits(l, 26, 24, 8)};
    struct digits lo = {0, 0, 0};
    struct digits hi = {model_bits(l, 27, 0, 16), model_bits(l, 27, 16, 8),
                        model_bits(l, 27, 24, 8)};

    for (uint32_t k = 0; k < model_bits(l, 25, 0, 16); k++) {
        add_half(m, tile, pixels, 0, &lo, loops, k, row);
        add_half(m, tile, pixels, 1, &hi, loops, k, row);
        add_digits(m, &lo, step);
        add_digits(m, &hi, step);
    }
}

void model_sums(struct device_model *m, uint32_t tile, const struct model_pixel *pixels)
{
    const uint32_t *l = m->layer;
    uint32_t planes = model_bits(l, 2, 0, 4);
    uint32_t lanes = model_bits(l, 6, 0, 8);
    uint32_t parameter_rows = (128 + m->word - 1) / m->word;

    for (uint32_t i = 0; i < lanes; i++) {
        for (uint32_t o = 0; o < m->oc; o++) {
            m->v[i][o] = 0;
        }
    }
    for (uint32_t p = 0; p < planes; p++) {
        uint32_t row = parameter_rows + p * model_bits(l, 31, 0, 16);
        uint32_t loops[2];
        for (uint32_t i = 0; i < lanes; i++) {
            for (uint32_t o = 0; o < m->oc; o++) {
                m->raw[i][o] = 0;
            }
        }
        for (loops[0] = 0; loops[0] <= model_bits(l, 24, 8, 8); loops[0]++) {
            for (loops[1] = 0; loops[1] <= model_bits(l, 24, 0, 8); loops[1]++) {
                add_kernel(m, tile, pixels, loops, row);
            }
        }
        uint32_t multiplier = planes == 1 ? 1 : model_bits(l, 3 + p / 4, 8 * (p % 4), 8);
        for (uint32_t i = 0; i < lanes; i++) {
            for (uint32_t o = 0; o < m->oc; o++) {
                m->v[i][o] = (int32_t)((uint32_t)m->v[i][o] + multiplier * (uint32_t)m->raw[i][o]);
            }
        }
    }
}
