/* SPDX-License-Identifier: Apache-2.0 */
/* An optimizer of a graph: of all its parameters, in the graph's order. */
#include "optimizer/optimizer.h"

#include <stdlib.h>

bittern_status optimizer_create(const struct optimizer_config *config, struct graph *graph,
                                struct optimizer **optimizer, struct bittern_error *err)
{
    *optimizer = NULL;
    size_t count = graph_parameter_count(graph);
    struct parameter **parameters = calloc(count ? count : 1, sizeof(struct parameter *));
    if (!parameters) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for %zu parameters",
                                 count);
    }
    for (size_t i = 0; i < count; i++) {
        parameters[i] = graph_parameter(graph, i);
    }
    bittern_status status = optimizer_create_list(config, parameters, count, optimizer, err);
    free(parameters);
    return status;
}
