/* SPDX-License-Identifier: Apache-2.0 */
/* Learning-rate schedules: closed formulas of the epochs done, so that a resumed run needs no state
 * of theirs. */
#include "optimizer/optimizer.h"

#include <math.h>

#define SCHEDULE_PI 3.14159265358979323846

static size_t milestones_passed(const struct schedule *schedule, double epoch)
{
    size_t passed = 0;
    for (size_t i = 0; i < schedule->milestone_count; i++) {
        passed += epoch >= schedule->milestones[i];
    }
    return passed;
}

double schedule_rate(const struct schedule *schedule, double epoch)
{
    double done = schedule->epochs > 0.0 ? epoch / schedule->epochs : 0.0;
    done = fmin(fmax(done, 0.0), 1.0);
    double rate = schedule->rate;
    switch (schedule->kind) {
    case SCHEDULE_CONSTANT:
        break;
    case SCHEDULE_STEPS:
        rate *= pow(schedule->factor, (double)milestones_passed(schedule, epoch));
        break;
    case SCHEDULE_COSINE:
        rate = schedule->final +
               (schedule->rate - schedule->final) / 2.0 * (1.0 + cos(SCHEDULE_PI * done));
        break;
    case SCHEDULE_EXPONENTIAL:
        rate *= pow(schedule->final / schedule->rate, done);
        break;
    }
    if (schedule->warmup > 0.0 && epoch < schedule->warmup) {
        rate *= fmax(epoch, 0.0) / schedule->warmup;
    }
    return rate;
}
