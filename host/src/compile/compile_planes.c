/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Integer weights as bit planes: one kind, and one list of multipliers, for the whole layer.
 *
 * Candidates, of which the cheapest that is exact wins:
 *
 *     one binary plane     {-1,+1}
 *     one ternary plane    {-1,0,+1}
 *     two levels           {-a,+b}: (a+b) * t + |b-a| * (+-1), at half the step
 *     odd                  odd integers below 2^n: n binary planes of 1, 2, 4, ...
 *     halves               integers up to 2^(n-2): twice them as n binary planes of 1, 1, 2, 4, ...
 *     three levels         {-a,0,+b}: a ternary plane of a and one of b
 *     magnitudes           integers below 2^n: n ternary planes of 1, 2, 4, ...
 *
 * Cost is bits a weight where the input is binary or ternary, since XNOR units take time by bits,
 * and planes where it is an integer, since adding or skipping takes time by planes.
 *
 * A channel all zero fits every plan: where a plan has no zero, its weights are set to a level and
 * its step to 0, so that its function is a constant whatever the weights are. A layer that is all
 * zero is ternary.
 */
#include "compile/compile.h"

#include <stdlib.h>
#include <string.h>

#define LEVELS 255 /* largest |level| in front of doubling */
#define COST_OF_UNIT 64

struct plan {
    size_t count;
    int32_t multipliers[BITTERN_MAX_PLANES];
    bool ternary;
    int32_t factor;  /* 1 or 2: levels are multiplied, steps divided */
    int32_t filling; /* level for a channel all zero; 0: zero itself */
    int32_t a, b;    /* {-a,[0,]+b}: channels with one level are moved to these; 0: not needed */
    int8_t digits[2 * LEVELS + 1][BITTERN_MAX_PLANES]; /* of each level */
};

/* What occurs in a layer. */
struct survey {
    bool zero;       /* in a channel that has other values, too */
    bool even;       /* a non-zero even level */
    int32_t largest; /* magnitude */
    bool same_pair;  /* every channel has no levels but -a and +b (and 0) */
    int32_t a, b;
};

static void set_digit(struct plan *plan, int32_t level, size_t plane, int digit)
{
    plan->digits[level + LEVELS][plane] = (int8_t)digit;
}

/* ---- What occurs -------------------------------------------------------------------------------
 */

struct channel_survey {
    bool zero, other;
    int32_t low, high; /* largest magnitude of negative and of positive levels */
    bool single_low, single_high;
};

static struct channel_survey survey_channel(const int32_t *levels, size_t count)
{
    struct channel_survey s = {.single_low = true, .single_high = true};
    for (size_t i = 0; i < count; i++) {
        int32_t k = levels[i];
        if (k == 0) {
            s.zero = true;
            continue;
        }
        s.other = true;
        int32_t *side = k < 0 ? &s.low : &s.high;
        bool *single = k < 0 ? &s.single_low : &s.single_high;
        *single = *single && (*side == 0 || *side == abs(k));
        *side = abs(k) > *side ? abs(k) : *side;
    }
    return s;
}

static struct survey survey_layer(const struct compile_weights *w)
{
    struct survey s = {.same_pair = true};
    for (size_t o = 0; o < w->outputs; o++) {
        const int32_t *levels = w->levels + o * w->inputs;
        struct channel_survey c = survey_channel(levels, w->inputs);
        s.zero = s.zero || (c.zero && c.other);
        s.largest = c.low > s.largest ? c.low : s.largest;
        s.largest = c.high > s.largest ? c.high : s.largest;
        for (size_t i = 0; i < w->inputs && !s.even; i++) {
            s.even = levels[i] != 0 && levels[i] % 2 == 0;
        }
        s.same_pair = s.same_pair && c.single_low && c.single_high;
        if (c.low && c.high) {
            s.same_pair = s.same_pair && (s.a == 0 || (s.a == c.low && s.b == c.high));
            s.a = c.low;
            s.b = c.high;
        }
    }
    s.same_pair = s.same_pair && s.a > 0;
    return s;
}

/* ---- Plans -------------------------------------------------------------------------------------
 */

/* Binary digits of an odd number, |odd| < 2^count, from plane `first` on: +-1, +-2, +-4, ... */
static void set_odd_digits(struct plan *plan, int32_t level, int32_t odd, size_t first,
                           size_t count)
{
    /* odd = 2 * bits - (2^count - 1), where bit i set means +2^i. */
    uint32_t bits = (uint32_t)(odd + (1 << count) - 1) / 2;
    for (size_t i = 0; i < count; i++) {
        set_digit(plan, level, first + i, bits >> i & 1 ? 1 : -1);
    }
}

static bool plan_ternary(const struct survey *s, struct plan *plan)
{
    if (s->largest > 1) {
        return false;
    }
    plan->count = 1;
    plan->ternary = true;
    plan->multipliers[0] = 1;
    for (int32_t k = -1; k <= 1; k++) {
        set_digit(plan, k, 0, k);
    }
    return true;
}

static bool plan_two_levels(const struct survey *s, struct plan *plan)
{
    int32_t sum = s->a + s->b;
    int32_t difference = abs(s->b - s->a);
    plan->factor = sum % 2 == 0 ? 1 : 2;
    int32_t divisor = plan->factor == 1 ? 2 : 1;
    if (s->zero || !s->same_pair || difference == 0 || sum / divisor > LEVELS) {
        return false;
    }
    plan->count = 2;
    plan->multipliers[0] = sum / divisor;
    plan->multipliers[1] = difference / divisor;
    plan->a = s->a;
    plan->b = s->b;
    plan->filling = s->b;
    for (int sign = -1; sign <= 1; sign += 2) {
        int32_t level = sign < 0 ? -s->a : s->b;
        set_digit(plan, level, 0, sign);
        set_digit(plan, level, 1, s->b > s->a ? 1 : -1);
    }
    return true;
}

static bool plan_odd(const struct survey *s, struct plan *plan)
{
    if (s->zero || s->even || s->largest == 0) {
        return false;
    }
    while (1 << plan->count <= s->largest) {
        plan->multipliers[plan->count] = 1 << plan->count;
        plan->count++;
    }
    plan->filling = 1;
    for (int32_t k = -s->largest; k <= s->largest; k += 2) {
        set_odd_digits(plan, k, k, 0, plan->count);
    }
    return true;
}

static bool plan_halves(const struct survey *s, struct plan *plan)
{
    plan->count = 2;
    while (1 << (plan->count - 2) < s->largest) {
        plan->count++;
    }
    if (plan->count > BITTERN_MAX_PLANES || s->largest == 0) {
        return false;
    }
    plan->factor = 2;
    plan->multipliers[0] = 1;
    for (size_t i = 1; i < plan->count; i++) {
        plan->multipliers[i] = 1 << (i - 1);
    }
    for (int32_t k = -s->largest; k <= s->largest; k++) {
        int32_t first = k > 0 ? 1 : -1;
        set_digit(plan, k, 0, first);
        set_odd_digits(plan, k, 2 * k - first, 1, plan->count - 1);
    }
    return true;
}

static bool plan_three_levels(const struct survey *s, struct plan *plan)
{
    if (!s->same_pair) {
        return false;
    }
    plan->ternary = true;
    plan->count = 2;
    plan->multipliers[0] = s->a;
    plan->multipliers[1] = s->b;
    plan->a = s->a;
    plan->b = s->b;
    set_digit(plan, 0, 0, 0);
    set_digit(plan, -s->a, 0, -1);
    set_digit(plan, s->b, 1, 1);
    return true;
}

static bool plan_magnitudes(const struct survey *s, struct plan *plan)
{
    if (s->largest == 0) {
        return false;
    }
    plan->ternary = true;
    while (1 << plan->count <= s->largest) {
        plan->multipliers[plan->count] = 1 << plan->count;
        plan->count++;
    }
    for (int32_t k = -s->largest; k <= s->largest; k++) {
        for (size_t i = 0; i < plan->count; i++) {
            int sign = k < 0 ? -1 : 1;
            set_digit(plan, k, i, abs(k) >> i & 1 ? sign : 0);
        }
    }
    return true;
}

static size_t plan_cost(const struct plan *plan, bool counts_planes)
{
    size_t bits = plan->count * (plan->ternary ? 2 : 1);
    return counts_planes ? plan->count * COST_OF_UNIT + bits : bits * COST_OF_UNIT + plan->count;
}

static void choose_plan(const struct survey *s, bool counts_planes, struct plan *best)
{
    static bool (*const makers[])(const struct survey *, struct plan *) = {
        plan_odd, plan_ternary, plan_two_levels, plan_three_levels, plan_magnitudes, plan_halves,
    };
    size_t best_cost = SIZE_MAX;
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
        struct plan plan = {.factor = 1};
        if (makers[i](s, &plan) && plan_cost(&plan, counts_planes) < best_cost) {
            best_cost = plan_cost(&plan, counts_planes);
            *best = plan;
        }
    }
}

/* ---- Packing -----------------------------------------------------------------------------------
 */

/* Move a channel to the levels that the plan has. */
static void adapt_channel(const struct plan *plan, int32_t *levels, size_t count, double *step)
{
    struct channel_survey s = survey_channel(levels, count);
    int32_t scale = 1;
    if (!s.other) {
        for (size_t i = 0; i < count; i++) {
            levels[i] = plan->filling;
        }
        *step = 0;
        return;
    }
    if (plan->a > 0 && s.low == 0) {
        scale = plan->b;
    } else if (plan->a > 0 && s.high == 0) {
        scale = plan->a;
    }
    /* One level only: it is +1 or -1, the smallest integer. */
    for (size_t i = 0; i < count && scale > 1; i++) {
        levels[i] *= scale;
    }
    *step /= scale;
}

/* Bit of input i: inputs are packed tap by tap, each tap's channels from a new word on; a full
 * connection is one tap. */
static size_t bit_position(const struct bittern_layer *layer, size_t input)
{
    if (layer->op == BITTERN_LAYER_FC) {
        return input;
    }
    size_t channels = layer->input.channels;
    return input / channels * ((channels + 63) / 64 * 64) + input % channels;
}

static void pack_channel(const struct bittern_layer *layer, const struct plan *plan,
                         const int32_t *levels, size_t count, uint64_t *const *plus,
                         uint64_t *const *minus, size_t output)
{
    size_t base = output * layer->weights.words_per_output;
    for (size_t i = 0; i < count; i++) {
        size_t position = bit_position(layer, i);
        size_t word = base + position / 64;
        uint64_t bit = UINT64_C(1) << (position % 64);
        const int8_t *digits = plan->digits[levels[i] + LEVELS];
        for (size_t p = 0; p < plan->count; p++) {
            if (digits[p] > 0) {
                plus[p][word] |= bit;
            } else if (digits[p] < 0 && plan->ternary) {
                minus[p][word] |= bit;
            }
        }
    }
}

bittern_status compile_pack_weights(struct bittern_network *network, struct bittern_layer *layer,
                                    struct compile_weights *w, struct bittern_error *err)
{
    struct plan plan = {.factor = 1};
    uint64_t *plus[BITTERN_MAX_PLANES] = {0};
    uint64_t *minus[BITTERN_MAX_PLANES] = {0};
    struct survey survey = survey_layer(w);

    choose_plan(&survey, layer->input_type.kind == BITTERN_VALUE_INT, &plan);
    struct bittern_weights *out = &layer->weights;
    out->kind = plan.count > 1 ? BITTERN_WEIGHT_PLANES
                : plan.ternary ? BITTERN_WEIGHT_TERNARY
                               : BITTERN_WEIGHT_BINARY;
    out->plane_count = plan.count;
    out->bits = plan.count * (plan.ternary ? 2 : 1);
    out->words_per_output = network_words_per_output(layer);
    for (size_t p = 0; p < plan.count; p++) {
        size_t words = w->outputs * out->words_per_output;
        plus[p] = network_allocate(network, words, sizeof(uint64_t), err);
        minus[p] = plan.ternary ? network_allocate(network, words, sizeof(uint64_t), err) : NULL;
        if (!plus[p] || (plan.ternary && !minus[p])) {
            return BITTERN_ERR_MEMORY;
        }
        out->planes[p] = (struct bittern_plane){plan.multipliers[p], plus[p], minus[p]};
    }
    for (size_t o = 0; o < w->outputs; o++) {
        int32_t *levels = w->levels + o * w->inputs;
        adapt_channel(&plan, levels, w->inputs, &w->step[o]);
        pack_channel(layer, &plan, levels, w->inputs, plus, minus, o);
        for (size_t i = 0; i < w->inputs && plan.factor > 1; i++) {
            levels[i] *= plan.factor;
        }
        w->step[o] /= plan.factor;
    }
    return BITTERN_OK;
}
