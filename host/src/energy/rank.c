/* SPDX-License-Identifier: Apache-2.0 */
/* Two programs under the same draws: what is not known of a coefficient is the same for both. */
#include "model.h"

#include <stdlib.h>

#define DEFAULT_DRAWS 10000
#define MAX_DRAWS 1000000

bittern_status bittern_energy_rank(const struct bittern_energy_coefficients *coefficients,
                                   const struct bittern_energy_candidate *a,
                                   const struct bittern_energy_candidate *b, size_t draws,
                                   uint64_t seed, struct bittern_energy_ranking *ranking,
                                   struct bittern_error *err)
{
    const struct energy_family *family = NULL;
    const struct energy_family *other = NULL;
    double values[ENERGY_COEFFICIENTS];
    size_t less = 0;

    draws = draws > 0 ? draws : DEFAULT_DRAWS;
    if (draws > MAX_DRAWS) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "at most %d draws", MAX_DRAWS);
    }
    bittern_status status = energy_check(coefficients, a->activity, a->load, &family, err);
    if (status == BITTERN_OK) {
        status = energy_check(coefficients, b->activity, b->load, &other, err);
    }
    if (status == BITTERN_OK && family != other) {
        status = bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                   "'%s' and '%s' are two families: their coefficients are not "
                                   "drawn together",
                                   family->name, other->name);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    double *ratios = calloc(draws, sizeof *ratios);
    if (!ratios) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for %zu draws", draws);
    }
    for (size_t d = 0; d < draws; d++) {
        energy_coefficients_draw(family, &seed, values);
        double of_a = energy_total(family, values, a->activity, a->load);
        double of_b = energy_total(family, values, b->activity, b->load);
        less += of_a < of_b;
        ratios[d] = of_b > 0.0 ? of_a / of_b : 1.0;
    }
    energy_coefficients_end(family, 0, values);
    double of_a = energy_total(family, values, a->activity, a->load);
    double of_b = energy_total(family, values, b->activity, b->load);
    ranking->share = (double)less / (double)draws;
    energy_percentiles(ratios, draws, of_b > 0.0 ? of_a / of_b : 1.0, &ranking->ratio);
    free(ratios);
    return BITTERN_OK;
}
