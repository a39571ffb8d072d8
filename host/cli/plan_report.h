/* SPDX-License-Identifier: Apache-2.0 */
/* How a program runs on an accelerator, and how fast it should be. */
#ifndef BITTERN_CLI_PLAN_REPORT_H
#define BITTERN_CLI_PLAN_REPORT_H

#include <bittern/accelerator.h>
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdio.h>

#define PLAN_REPORT_IMAGES 64 /* of the start that the prediction is for */

/* Images a second at a clock in MHz. */
double plan_images_per_second(const struct bittern_accelerator_plan *plan, double clock);

/* Tables of segments and layers, and the prediction; false: out of memory. */
bool plan_print(const struct bittern_accelerator_plan *plan, double clock, FILE *out);

/* NULL where memory runs out. */
cJSON *plan_to_json(const struct bittern_accelerator_plan *plan, double clock);

#endif
