/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Losses against their formulas written down once more, plainly and in double, and their gradients
 * against central differences of those.
 */
#include "loss/loss.h"

#include "testing.h"

#include <math.h>
#include <stdlib.h>

#define MAX_COUNT 8
#define MAX_CLASSES 12
#define MAX_SCORES (MAX_COUNT * MAX_CLASSES)

struct example {
    size_t count, classes;
    double scores[MAX_SCORES];
    float scores_f32[MAX_SCORES], teacher[MAX_SCORES];
    uint8_t labels[MAX_COUNT];
    double divisor, temperature, weight;
};

static struct example draw_example(uint64_t *seed)
{
    struct example e = {0};
    e.count = 1 + random_below(seed, MAX_COUNT);
    e.classes = 2 + random_below(seed, MAX_CLASSES - 1);
    for (size_t i = 0; i < e.count * e.classes; i++) {
        e.scores_f32[i] = (float)(6.0 * random_unit(seed) - 3.0);
        e.scores[i] = (double)e.scores_f32[i];
        e.teacher[i] = (float)(6.0 * random_unit(seed) - 3.0);
    }
    for (size_t n = 0; n < e.count; n++) {
        e.labels[n] = (uint8_t)random_below(seed, e.classes);
    }
    e.divisor = 1.0 + (double)random_below(seed, 20);
    e.temperature = 0.5 + 4.0 * random_unit(seed);
    e.weight = random_unit(seed);
    return e;
}

/* Probability of class c for scores / temperature, by the book. */
static double slow_softmax(const double *scores, size_t classes, size_t c, double temperature)
{
    double sum = 0.0;
    for (size_t k = 0; k < classes; k++) {
        sum += exp(scores[k] / temperature);
    }
    return exp(scores[c] / temperature) / sum;
}

static double slow_cross_entropy(const struct example *e)
{
    double sum = 0.0;
    for (size_t n = 0; n < e->count; n++) {
        sum -= log(slow_softmax(e->scores + n * e->classes, e->classes, e->labels[n], 1.0));
    }
    return sum / e->divisor;
}

static double slow_squared_hinge(const struct example *e)
{
    double sum = 0.0;
    for (size_t n = 0; n < e->count; n++) {
        for (size_t c = 0; c < e->classes; c++) {
            double score = e->scores[n * e->classes + c];
            double hinge = fmax(0.0, c == e->labels[n] ? 1.0 - score : 1.0 + score);
            sum += hinge * hinge / (double)e->classes;
        }
    }
    return sum / e->divisor;
}

static double slow_distillation(const struct example *e)
{
    double soft = 0.0;
    for (size_t n = 0; n < e->count; n++) {
        double teacher[MAX_CLASSES];
        for (size_t c = 0; c < e->classes; c++) {
            teacher[c] = (double)e->teacher[n * e->classes + c];
        }
        for (size_t c = 0; c < e->classes; c++) {
            soft -= slow_softmax(teacher, e->classes, c, e->temperature) *
                    log(slow_softmax(e->scores + n * e->classes, e->classes, c, e->temperature));
        }
    }
    return (1.0 - e->weight) * slow_cross_entropy(e) +
           e->weight * e->temperature * e->temperature * soft / e->divisor;
}

static double fast_cross_entropy(const struct example *e, float *gradient)
{
    return loss_cross_entropy(e->scores_f32, e->labels, e->count, e->classes, e->divisor, gradient);
}

static double fast_squared_hinge(const struct example *e, float *gradient)
{
    return loss_squared_hinge(e->scores_f32, e->labels, e->count, e->classes, e->divisor, gradient);
}

static double fast_distillation(const struct example *e, float *gradient)
{
    return loss_distillation(e->scores_f32, e->teacher, e->labels, e->count, e->classes,
                             e->temperature, e->weight, e->divisor, gradient);
}

/* Value within 1e-9 of the slow one, each gradient within 1e-3 (in truth float32 rounding) of the
 * central difference of the slow one, relative to the largest. */
static void check_loss(double (*fast)(const struct example *, float *),
                       double (*slow)(const struct example *))
{
    uint64_t seed = 2024;
    for (size_t run = 0; run < 200; run++) {
        struct example e = draw_example(&seed);
        size_t count = e.count * e.classes;
        float gradient[MAX_SCORES];
        double difference[MAX_SCORES];
        double largest = 0.0;
        double value = fast(&e, gradient);
        assert_true(fabs(value - slow(&e)) <= 1e-9 * fabs(value) + 1e-12);
        assert_true(fast(&e, NULL) == value);
        for (size_t i = 0; i < count; i++) {
            struct example moved = e;
            moved.scores[i] = e.scores[i] + 1e-5;
            double above = slow(&moved);
            moved.scores[i] = e.scores[i] - 1e-5;
            difference[i] = (above - slow(&moved)) / 2e-5;
            largest = fmax(largest, fabs(difference[i]));
        }
        for (size_t i = 0; i < count; i++) {
            if (!(fabs((double)gradient[i] - difference[i]) <= 1e-4 * largest)) {
                fail_msg("run %zu, score %zu: gradient %g, difference %g", run, i,
                         (double)gradient[i], difference[i]);
            }
        }
    }
}

/* Would catch: a wrong sign, a forgotten division by the batch, a mistaken class. */
static void cross_entropy_is_its_formula_and_its_gradient_the_slope(void **state)
{
    (void)state;
    check_loss(fast_cross_entropy, slow_cross_entropy);
}

/* Would catch: a hinge that is not squared, or not divided by the classes. */
static void squared_hinge_is_its_formula_and_its_gradient_the_slope(void **state)
{
    (void)state;
    check_loss(fast_squared_hinge, slow_squared_hinge);
}

/* Would catch: a forgotten T^2, student and teacher exchanged, weights exchanged. */
static void distillation_is_its_formula_and_its_gradient_the_slope(void **state)
{
    (void)state;
    check_loss(fast_distillation, slow_distillation);
}

/* Would catch: natural and other logarithms confused, a margin other than 1. */
static void small_examples_give_known_answers(void **state)
{
    (void)state;
    static const float scores[] = {0.0F, 0.0F, 0.0F, 0.0F, 2.0F, -3.0F, 0.5F, 0.0F};
    static const uint8_t labels[] = {1, 2};
    float gradient[8];
    double loss = loss_cross_entropy(scores, labels, 1, 4, 1.0, gradient);
    assert_true(fabs(loss - 1.3862943611198906) < 1e-15); /* log 4 */
    assert_true(gradient[0] == 0.25F && gradient[1] == -0.75F && gradient[3] == 0.25F);
    /* (1+2)^2 + 0 + (1-0.5)^2 + 1 = 10.25, over 4 classes and 2 images */
    loss = loss_squared_hinge(scores + 4, labels + 1, 1, 4, 2.0, gradient);
    assert_true(loss == 10.25 / 8.0);
    assert_true(gradient[0] == 0.75F && gradient[1] == 0.0F && gradient[2] == -0.125F &&
                gradient[3] == 0.25F);
    /* a teacher that the student equals: the entropy of (1/2, 1/2), and no slope */
    loss = loss_distillation(scores, scores, labels, 1, 2, 3.0, 1.0, 1.0, gradient);
    assert_true(fabs(loss - 9.0 * 0.6931471805599453) < 1e-14);
    assert_true(gradient[0] == 0.0F && gradient[1] == 0.0F);
}

/* Would catch: exp that overflows, log of 0, 0 * infinity. */
static void scores_as_large_as_floats_go_give_finite_losses(void **state)
{
    (void)state;
    static const float scores[] = {3e38F, -3e38F, 0.0F, 1e30F, 5000.0F, -5000.0F};
    static const uint8_t labels[] = {0, 1};
    float gradient[6];
    double loss = loss_cross_entropy(scores, labels, 2, 3, 2.0, gradient);
    assert_true(isfinite(loss) && loss > 4e29);
    assert_true(gradient[0] == 0.0F && gradient[1] == 0.0F && gradient[3] == 0.5F &&
                gradient[4] == -0.5F);
    loss = loss_distillation(scores, scores, labels, 2, 3, 2.0, 0.5, 2.0, gradient);
    assert_true(isfinite(loss));
    loss = loss_squared_hinge(scores, labels, 2, 3, 2.0, gradient);
    assert_true(isfinite(loss) && isfinite(gradient[0]) && isfinite(gradient[1]));
}

/* Would catch: a NaN that is clipped to a harmless loss, so that training goes on with nothing. */
static void not_a_number_stays_visible_in_every_loss(void **state)
{
    (void)state;
    static const uint8_t labels[] = {0};
    for (size_t at = 0; at < 3; at++) {
        float scores[] = {1.0F, 2.0F, 3.0F};
        static const float teacher[] = {1.0F, 2.0F, 3.0F};
        scores[at] = NAN;
        assert_true(isnan(loss_cross_entropy(scores, labels, 1, 3, 1.0, NULL)));
        assert_true(isnan(loss_squared_hinge(scores, labels, 1, 3, 1.0, NULL)));
        assert_true(isnan(loss_distillation(scores, teacher, labels, 1, 3, 2.0, 0.5, 1.0, NULL)));
    }
}

/* Would catch: the highest class taken where scores are equal. */
static void lowest_class_counts_where_scores_are_equal(void **state)
{
    (void)state;
    static const float scores[] = {1.0F, 1.0F,       0.0F,  /**/ 0.0F, 2.0F,
                                   2.0F, /**/ -3.0F, -2.0F, -1.0F};
    assert_int_equal(loss_count_correct(scores, (const uint8_t[]){0, 1, 2}, 3, 3), 3);
    assert_int_equal(loss_count_correct(scores, (const uint8_t[]){1, 2, 2}, 3, 3), 1);
    assert_int_equal(loss_count_correct(scores, (const uint8_t[]){0, 1, 2}, 0, 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cross_entropy_is_its_formula_and_its_gradient_the_slope),
        cmocka_unit_test(squared_hinge_is_its_formula_and_its_gradient_the_slope),
        cmocka_unit_test(distillation_is_its_formula_and_its_gradient_the_slope),
        cmocka_unit_test(small_examples_give_known_answers),
        cmocka_unit_test(scores_as_large_as_floats_go_give_finite_losses),
        cmocka_unit_test(not_a_number_stays_visible_in_every_loss),
        cmocka_unit_test(lowest_class_counts_where_scores_are_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
