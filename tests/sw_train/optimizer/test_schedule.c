/* SPDX-License-Identifier: Apache-2.0 */
#include "optimizer/optimizer.h"

#include "testing.h"

#include <math.h>

static void expect_rate(const struct schedule *schedule, double epoch, double rate)
{
    double found = schedule_rate(schedule, epoch);
    if (!(fabs(found - rate) <= 1e-12 * fabs(rate) + 1e-18)) {
        fail_msg("epoch %g: rate %.15g, not %.15g", epoch, found, rate);
    }
}

/* Would catch: a milestone that takes effect an epoch or a batch too late or too early. */
static void steps_change_the_rate_at_each_milestone(void **state)
{
    (void)state;
    const struct schedule schedule = {.kind = SCHEDULE_STEPS,
                                      .rate = 0.1,
                                      .factor = 0.5,
                                      .milestones = {80.0, 120.5},
                                      .milestone_count = 2,
                                      .epochs = 160.0};
    expect_rate(&schedule, 0.0, 0.1);
    expect_rate(&schedule, 79.999, 0.1);
    expect_rate(&schedule, 80.0, 0.05);
    expect_rate(&schedule, 120.499, 0.05);
    expect_rate(&schedule, 120.5, 0.025);
    expect_rate(&schedule, 160.0, 0.025);
}

/* Would catch: a half wave of another length, or one that ends at 0 whatever `final` says. */
static void cosine_goes_from_the_rate_to_the_final_one(void **state)
{
    (void)state;
    struct schedule schedule = {.kind = SCHEDULE_COSINE, .rate = 0.005, .epochs = 60.0};
    expect_rate(&schedule, 0.0, 0.005);
    expect_rate(&schedule, 15.0, 0.0025 * (1.0 + sqrt(0.5)));
    expect_rate(&schedule, 30.0, 0.0025);
    expect_rate(&schedule, 60.0, 0.0);
    expect_rate(&schedule, 61.0, 0.0);
    schedule.final = 0.001;
    expect_rate(&schedule, 0.0, 0.005);
    expect_rate(&schedule, 30.0, 0.003);
    expect_rate(&schedule, 60.0, 0.001);
}

/* Would catch: a decay linear in the rate rather than in its logarithm. */
static void exponential_goes_from_the_rate_to_the_final_one(void **state)
{
    (void)state;
    const struct schedule schedule = {
        .kind = SCHEDULE_EXPONENTIAL, .rate = 1e-2, .final = 1e-6, .epochs = 200.0};
    expect_rate(&schedule, 0.0, 1e-2);
    expect_rate(&schedule, 50.0, 1e-3);
    expect_rate(&schedule, 100.0, 1e-4);
    expect_rate(&schedule, 200.0, 1e-6);
    expect_rate(&schedule, 250.0, 1e-6);
}

/* Would catch: a warm-up that jumps at its end, or that goes on behind it. */
static void warmup_rises_linearly_to_the_schedule(void **state)
{
    (void)state;
    struct schedule schedule = {
        .kind = SCHEDULE_CONSTANT, .rate = 0.2, .epochs = 20.0, .warmup = 4.0};
    expect_rate(&schedule, 0.0, 0.0);
    expect_rate(&schedule, 1.0, 0.05);
    expect_rate(&schedule, 3.0, 0.15);
    expect_rate(&schedule, 4.0, 0.2);
    expect_rate(&schedule, 20.0, 0.2);
    schedule.kind = SCHEDULE_COSINE;
    expect_rate(&schedule, 2.0, 0.5 * 0.1 * (1.0 + cos(3.14159265358979323846 / 10.0)));
    expect_rate(&schedule, 10.0, 0.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_change_the_rate_at_each_milestone),
        cmocka_unit_test(cosine_goes_from_the_rate_to_the_final_one),
        cmocka_unit_test(exponential_goes_from_the_rate_to_the_final_one),
        cmocka_unit_test(warmup_rises_linearly_to_the_schedule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
