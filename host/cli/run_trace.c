/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator chooses by descriptors: each segment has one of its own in front of its layers'. */
#include "run_trace.h"

#include "cli.h"

#include <bittern/accelerator.h>
#include <stdio.h>
#include <string.h>

static bittern_status layers_error(const struct bittern_accelerator_plan *plan, const char *layers,
                                   struct bittern_error *err)
{
    char names[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < plan->layer_count && used < sizeof names - 48; i++) {
        int written = snprintf(names + used, sizeof names - used, "%s%zu (%.32s)",
                               i > 0 ? ", " : "", i, plan->layers[i].name);
        used += written > 0 ? (size_t)written : 0;
    }
    return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                             "--trace takes 'all', 'layer:N', 'layer:A-B' or 'layer:NAME', not "
                             "'%.64s'; the layers are %s",
                             layers, names);
}

/* "3", "2-4" or a layer's name; a name that is a number counts as one. */
static bool parse_layers(const struct bittern_accelerator_plan *plan, const char *text,
                         size_t *first, size_t *last)
{
    char part[24];
    const char *dash = strchr(text, '-');

    if (cli_parse_size(text, 0, plan->layer_count - 1, first)) {
        *last = *first;
        return true;
    }
    if (dash && (size_t)(dash - text) < sizeof part) {
        (void)snprintf(part, sizeof part, "%.*s", (int)(dash - text), text);
        if (cli_parse_size(part, 0, plan->layer_count - 1, first) &&
            cli_parse_size(dash + 1, *first, plan->layer_count - 1, last)) {
            return true;
        }
    }
    for (size_t i = 0; i < plan->layer_count; i++) {
        if (strcmp(plan->layers[i].name, text) == 0) {
            *first = *last = i;
            return true;
        }
    }
    return false;
}

bittern_status run_trace_device_name(const struct bittern_program *program, const char *layers,
                                     const char *file, const char *device, char *name, size_t size,
                                     struct bittern_error *err)
{
    size_t first = 0;
    size_t last = 0;
    struct bittern_accelerator_plan *plan = NULL;
    char range[64] = "";
    const char prefix[] = "layer:";

    if (strchr(file, ',')) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "--trace-out '%.64s': the simulator takes no comma in a name",
                                 file);
    }
    bittern_status status = bittern_accelerator_plan_create(program, 1, &plan, err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (strncmp(layers, prefix, sizeof prefix - 1) == 0) {
        if (!parse_layers(plan, layers + sizeof prefix - 1, &first, &last)) {
            status = layers_error(plan, layers, err);
            goto cleanup;
        }
        (void)snprintf(range, sizeof range, ",trace-descriptors=%zu-%zu",
                       first + plan->layers[first].segment + 1,
                       last + plan->layers[last].segment + 1);
    } else if (strcmp(layers, "all") != 0) {
        status = layers_error(plan, layers, err);
        goto cleanup;
    }
    int written = snprintf(name, size, "%s%strace=%s%s", device, strchr(device, ':') ? "," : ":",
                           file, range);
    if (written < 0 || (size_t)written >= size) {
        status =
            bittern_error_set(err, BITTERN_ERR_ARGUMENT, "the name '%.64s...' is too long", file);
    }

cleanup:
    bittern_accelerator_plan_free(plan);
    return status;
}
