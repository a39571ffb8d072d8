/* SPDX-License-Identifier: Apache-2.0 */
/* The search for M, B and S against brute force, and the steps of functions. */
#include "compile/compile.h"
#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define POINTS 40

/* A staircase over 0..POINTS-1 steps of the lattice, kept as one q a point. */
struct sample {
    int64_t minimum, stride;
    int32_t q[POINTS];
    struct compile_piece pieces[POINTS];
    struct compile_staircase staircase;
};

static void find_pieces(struct sample *s)
{
    s->staircase = (struct compile_staircase){0, s->pieces};
    for (size_t i = 0; i < POINTS; i++) {
        int64_t acc = s->minimum + (int64_t)i * s->stride;
        if (i == 0 || s->q[i] != s->q[i - 1]) {
            s->pieces[s->staircase.count++] = (struct compile_piece){acc, acc, 0, s->q[i]};
        }
        s->pieces[s->staircase.count - 1].last = acc;
    }
}

static int32_t apply(const struct compile_scale *scale, int64_t acc, int32_t low, int32_t high)
{
    int64_t sum = acc * scale->multiplier + scale->offset;
    int64_t q = sum >> scale->shift;
    bool is_tie = q * (INT64_C(1) << scale->shift) == sum;
    bool is_odd = q % 2 != 0;
    if (is_tie && scale->ties != BITTERN_TIES_UP && is_odd == (scale->ties == BITTERN_TIES_EVEN)) {
        q--;
    }
    return (int32_t)(q < low ? low : q > high ? high : q);
}

static uint64_t count_wrong(const struct sample *s, const struct compile_scale *scale, int32_t low,
                            int32_t high)
{
    uint64_t wrong = 0;
    for (size_t i = 0; i < POINTS; i++) {
        int32_t q = apply(scale, s->minimum + (int64_t)i * s->stride, low, high);
        wrong += q != s->q[i];
        assert_in_range(q - s->q[i] + 1, 0, 2);
    }
    return wrong;
}

static void draw_steps(uint64_t *state, struct sample *s, int32_t high)
{
    s->minimum = -(int64_t)random_below(state, 60);
    s->stride = 1 + (int64_t)random_below(state, 2);
    double slope = random_unit(state);
    double offset = random_unit(state) * high - slope * POINTS / 2;
    double noise = random_below(state, 2) ? 0 : 0.5 * random_unit(state);
    bool falls = random_below(state, 2) == 0;
    int32_t q = 0;
    for (size_t i = 0; i < POINTS; i++) {
        double value = floor(slope * (double)i + offset + noise * random_unit(state));
        int32_t next = value < 0 ? 0 : value > high ? high : (int32_t)value;
        q = next > q ? next : q; /* rising */
        s->q[falls ? POINTS - 1 - i : i] = q;
    }
    find_pieces(s);
}

/* Does any triple of this shift, found by trying all, reproduce the sample? */
static bool brute_force(const struct sample *s, unsigned shift, int32_t high)
{
    for (int64_t m = -64; m <= 64; m++) {
        int64_t from = INT64_MIN;
        int64_t to = INT64_MAX;
        for (size_t i = 0; i < POINTS; i++) {
            int64_t product = m * (s->minimum + (int64_t)i * s->stride);
            int64_t lower = ((int64_t)s->q[i] << shift) - product;
            int64_t upper = ((int64_t)(s->q[i] + 1) << shift) - 1 - product;
            from = s->q[i] > 0 && lower > from ? lower : from;
            to = s->q[i] < high && upper < to ? upper : to;
        }
        if (from <= to) {
            return true;
        }
    }
    return false;
}

/* Would catch: a bound dropped or off by one, a shift larger than needed, a wrong count. */
static void search_finds_a_triple_wherever_trying_all_does(void **state)
{
    uint64_t random = 11;
    size_t exact = 0;
    size_t nearest = 0;
    (void)state;
    for (size_t n = 0; n < 3000; n++) {
        struct sample s;
        struct compile_scale scale;
        int32_t high = 1 + (int32_t)random_below(&random, 9);
        draw_steps(&random, &s, high);
        if (!compile_find_scale(&s.staircase, s.stride, 0, high, -200, 200, &scale)) {
            for (unsigned shift = 0; shift <= 6; shift++) {
                assert_false(brute_force(&s, shift, high));
            }
            continue;
        }
        assert_int_equal(count_wrong(&s, &scale, 0, high), scale.wrong);
        exact += scale.wrong == 0 && s.staircase.count > 1;
        nearest += scale.wrong > 0;
        bool only_other = scale.wrong > 0 || scale.ties != BITTERN_TIES_UP;
        for (unsigned shift = 0; shift <= 6 && (only_other || shift < scale.shift); shift++) {
            assert_false(s.staircase.count > 1 && brute_force(&s, shift, high));
        }
    }
    assert_true(exact > 1000);
    assert_true(nearest > 50);
}

/* Would catch: overflow of a bound, or a product beyond 48 bits. Steps of accumulators wider than
 * about 16 bits need a longer M than 24 bits for some sets of 255 steps. */
static void triples_of_wide_accumulators_are_exact_and_fit_48_bits(void **state)
{
    uint64_t random = 5;
    (void)state;
    for (size_t n = 0; n < 200; n++) {
        struct compile_piece pieces[256];
        struct compile_staircase s = {256, pieces};
        int64_t limit = INT64_C(1) << (8 + random_below(&random, 6));
        double slope = 255.0 / (2.0 * (double)limit) * (0.9 + 0.2 * random_unit(&random));
        int64_t first = -limit;
        s.count = 0;
        for (int32_t q = 0; q < 256 && first <= limit; q++) {
            int64_t last = q == 255 ? limit : (int64_t)floor((q + 0.37) / slope) - limit;
            last = last > limit ? limit : last;
            pieces[s.count++] = (struct compile_piece){first, last, q, q};
            first = last + 1;
        }
        struct compile_scale scale;
        assert_true(compile_find_scale(&s, 1, 0, 255, -limit, limit, &scale));
        assert_int_equal(scale.wrong, 0);
        for (size_t i = 0; i < s.count; i++) {
            assert_int_equal(apply(&scale, pieces[i].first, 0, 255), pieces[i].q);
            assert_int_equal(apply(&scale, pieces[i].last, 0, 255), pieces[i].q);
        }
        assert_true(llabs(limit * scale.multiplier) + llabs(scale.offset) < INT64_C(1) << 48);
        assert_true(abs(scale.multiplier) <= NETWORK_MAX_MULTIPLIER);
    }
}

/* Would catch: a rule for ties that is not found, is the wrong one of the two, or is taken where
 * none is needed. */
static void ties_to_even_are_exact_at_powers_of_two(void **state)
{
    (void)state;
    for (int divisor = 2; divisor <= 8; divisor *= 2) {
        for (int32_t added = 0; added <= 1; added++) {
            for (int falls = 0; falls <= 1; falls++) {
                struct sample s = {.minimum = -20, .stride = 1};
                struct compile_scale scale;
                for (size_t i = 0; i < POINTS; i++) {
                    double acc = (double)(s.minimum + (int64_t)i);
                    s.q[i] = (int32_t)rint((falls ? -acc : acc) / divisor) + added;
                }
                find_pieces(&s);
                assert_true(compile_find_scale(&s.staircase, 1, -128, 127, -20, 19, &scale));
                assert_int_equal(scale.wrong, 0);
                assert_int_equal(count_wrong(&s, &scale, -128, 127), 0);
                assert_int_equal(scale.ties, added ? BITTERN_TIES_ODD : BITTERN_TIES_EVEN);
            }
        }
    }
}

/* Would catch: ties that no rule reproduces, but that pass for exact or are counted wrong. */
static void ties_at_other_distances_are_counted(void **state)
{
    struct sample s = {.minimum = -20, .stride = 1};
    struct compile_scale scale;
    (void)state;
    for (size_t i = 0; i < POINTS; i++) {
        s.q[i] = (int32_t)rint((double)(s.minimum + (int64_t)i) / 6);
    }
    find_pieces(&s);
    assert_true(compile_find_scale(&s.staircase, 1, -128, 127, -20, 19, &scale));
    assert_int_equal(count_wrong(&s, &scale, -128, 127), scale.wrong);
    assert_in_range(scale.wrong, 1, 4); /* of the six ties -15, -9, ... 15 */
}

/* Would catch: a constant channel that depends on its accumulator. */
static void constant_staircase_has_no_multiplier(void **state)
{
    struct compile_piece piece = {-5, 900, 0, -7};
    struct compile_staircase s = {1, &piece};
    struct compile_scale scale;
    (void)state;
    assert_true(compile_find_scale(&s, 1, -8, 7, -5, 900, &scale));
    assert_int_equal(scale.multiplier, 0);
    assert_int_equal(apply(&scale, 900, -8, 7), -7);
    assert_int_equal(scale.wrong, 0);
}

/* Would catch: an activation far from any straight line accepted. */
static void staircase_far_from_a_line_is_refused(void **state)
{
    struct compile_piece pieces[12];
    struct compile_staircase s = {12, pieces};
    for (int32_t q = 0; q < 12; q++) { /* six steps, a long way, six more */
        int64_t first = q < 6 ? q : 900 + q;
        pieces[q] = (struct compile_piece){first, q == 5 ? 905 : first, 0, q};
    }
    struct compile_scale scale;
    (void)state;
    assert_false(compile_find_scale(&s, 1, 0, 15, 0, 911, &scale));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search_finds_a_triple_wherever_trying_all_does),
        cmocka_unit_test(triples_of_wide_accumulators_are_exact_and_fit_48_bits),
        cmocka_unit_test(ties_to_even_are_exact_at_powers_of_two),
        cmocka_unit_test(ties_at_other_distances_are_counted),
        cmocka_unit_test(constant_staircase_has_no_multiplier),
        cmocka_unit_test(staircase_far_from_a_line_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
