/* SPDX-License-Identifier: Apache-2.0 */
/* The result of a run, for people and as JSON. */
#include "network_report.h"
#include "run.h"

#include <stdio.h>

static double images_per_second(const struct run *run)
{
    return run->seconds > 0.0 ? (double)run->done / run->seconds : 0.0;
}

/* Images of one start of the device: fewer than asked for where there were no more. */
static size_t batch_size(const struct run *run)
{
    return run->done < run->batch ? run->done : run->batch;
}

/* The device's own time for such a batch. */
static double batch_milliseconds(const struct run *run)
{
    return run->done > 0 ? 1e-6 * (double)run->counters.nanoseconds / (double)run->done *
                               (double)batch_size(run)
                         : 0.0;
}

static double percent(size_t part, size_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0.0;
}

static void print_accuracy(const struct run *run)
{
    char correct[32];
    char done[32];
    if (!run->images.labels) {
        printf("Accuracy  unknown: the images have no labels\n");
        return;
    }
    struct run_accuracy accuracy =
        run_accuracy_of(run->network, run->values, run->images.labels, run->done);
    cli_format_count(run->done, done, sizeof done);
    printf("Accuracy  %.2f %% (%s of %s)\n", percent(accuracy.correct, run->done),
           cli_format_count(accuracy.correct, correct, sizeof correct), done);
    if (bittern_network_top_k(run->network) > 1) {
        printf("Top %-5zu %.2f %% (%s of %s)\n", bittern_network_top_k(run->network),
               percent(accuracy.top_k_correct, run->done),
               cli_format_count(accuracy.top_k_correct, correct, sizeof correct), done);
    }
}

static void print_cycles(const struct run *run)
{
    char count[32];
    char rate[32];
    const struct bittern_counters *counters = &run->counters;
    struct run_cycles cycles = run_cycles_of(run);

    printf("Cycles    %s; %s images/s at %.0f MHz",
           cli_format_count(counters->cycles, count, sizeof count),
           cli_format_count((uint64_t)(cycles.images_per_second + 0.5), rate, sizeof rate),
           RUN_CLOCK_HZ / 1e6);
    if (cycles.utilization >= 0.0) {
        printf(", utilization %.1f %%", 100.0 * cycles.utilization);
    }
    printf("\n          %.1f %% computing, stalled %.1f %% on weights, %.1f %% on input, "
           "%.1f %% on output\n",
           percent(counters->compute_cycles, counters->cycles),
           percent(counters->weight_stall_cycles, counters->cycles),
           percent(counters->input_stall_cycles, counters->cycles),
           percent(counters->output_stall_cycles, counters->cycles));
}

int run_print(const struct run *run)
{
    const struct bittern_device_info *info = bittern_device_get_info(run->device);
    char count[32];
    char rate[32];

    printf("Network   %s (%s)\n", bittern_network_name(run->network), run->arguments->program);
    printf("Device    %s: %s\n", info->name, info->description);
    printf("Images    %s from number %zu of %s%s%s%s\n",
           cli_format_count(run->images.count, count, sizeof count), run->images.start,
           run->images.name, run->images.dataset ? " (" : "",
           run->images.dataset ? run_split_name(run->arguments->options.choice.split) : "",
           run->images.dataset ? ")" : "");
    if (run->done < run->images.count) {
        printf("Stopped   after %s images\n", cli_format_count(run->done, count, sizeof count));
    }
    print_accuracy(run);
    printf("Speed     %s images/s; %.3f ms a batch of %zu on the device\n",
           cli_format_count((uint64_t)images_per_second(run), rate, sizeof rate),
           batch_milliseconds(run), batch_size(run));
    if (run->counters.cycles > 0) {
        print_cycles(run);
    }
    if (run->arguments->profile && !run_print_profile(run)) {
        fprintf(stderr, "bittern run: no memory for the profile\n");
        return CLI_EXIT_FAILED;
    }
    if (run->arguments->predictions) {
        printf("Wrote     %s\n", run->arguments->predictions);
    }
    if (run->arguments->dump && run->done == run->images.count) {
        printf("Wrote     %s/*.npy\n", run->arguments->dump);
    }
    return cli_finish_output("run");
}

static bool add_numbers(cJSON *json, const char *const *keys, const double *values, size_t count)
{
    bool made = json != NULL;
    for (size_t i = 0; made && i < count; i++) {
        made = cJSON_AddNumberToObject(json, keys[i], values[i]) != NULL;
    }
    return made;
}

static bool add_device(cJSON *root, const struct run *run)
{
    const struct bittern_device_info *info = bittern_device_get_info(run->device);
    cJSON *device = cJSON_AddObjectToObject(root, "device");
    cJSON *geometry = geometry_to_json(&info->geometry);
    if (!device || !geometry || !cJSON_AddStringToObject(device, "name", info->name) ||
        !cJSON_AddStringToObject(device, "description", info->description)) {
        cJSON_Delete(geometry);
        return false;
    }
    cJSON_AddItemToObject(device, "geometry", geometry);
    return true;
}

static bool add_images(cJSON *root, const struct run *run)
{
    cJSON *images = cJSON_AddObjectToObject(root, "data");
    return images && cJSON_AddStringToObject(images, "name", run->images.name) &&
           cJSON_AddStringToObject(images, "source", run->images.source) &&
           (!run->images.dataset ||
            cJSON_AddStringToObject(images, "split",
                                    run_split_name(run->arguments->options.choice.split))) &&
           cJSON_AddNumberToObject(images, "start", (double)run->images.start) &&
           cJSON_AddNumberToObject(images, "images", (double)run->images.count);
}

static bool add_accuracy(cJSON *root, const struct run *run)
{
    if (!run->images.labels) {
        return true;
    }
    struct run_accuracy accuracy =
        run_accuracy_of(run->network, run->values, run->images.labels, run->done);
    size_t k = bittern_network_top_k(run->network);
    bool made =
        cJSON_AddNumberToObject(root, "correct", (double)accuracy.correct) &&
        cJSON_AddNumberToObject(root, "accuracy", percent(accuracy.correct, run->done) / 100.0);
    if (made && k > 1) {
        made = cJSON_AddNumberToObject(root, "top_k", (double)k) &&
               cJSON_AddNumberToObject(root, "top_k_correct", (double)accuracy.top_k_correct) &&
               cJSON_AddNumberToObject(root, "top_k_accuracy",
                                       percent(accuracy.top_k_correct, run->done) / 100.0);
    }
    return made;
}

static bool add_speed(cJSON *root, const struct run *run)
{
    static const char *const keys[] = {"seconds", "images_per_second", "milliseconds_per_batch"};
    static const char *const counter_keys[] = {"cycles",
                                               "compute_cycles",
                                               "weight_stall_cycles",
                                               "input_stall_cycles",
                                               "output_stall_cycles",
                                               "read_beats",
                                               "write_beats",
                                               "nanoseconds"};
    const struct bittern_counters *counters = &run->counters;
    const double values[] = {run->seconds, images_per_second(run), batch_milliseconds(run)};
    const double counted[] = {(double)counters->cycles,
                              (double)counters->compute_cycles,
                              (double)counters->weight_stall_cycles,
                              (double)counters->input_stall_cycles,
                              (double)counters->output_stall_cycles,
                              (double)counters->read_beats,
                              (double)counters->write_beats,
                              (double)counters->nanoseconds};
    return add_numbers(root, keys, values, 3) &&
           add_numbers(cJSON_AddObjectToObject(root, "counters"), counter_keys, counted, 8);
}

/* What follows from the counters, and the layers' own, where the device counts cycles. */
static bool add_cycles(cJSON *root, const struct run *run)
{
    if (run->counters.cycles == 0) {
        return true;
    }
    struct run_cycles cycles = run_cycles_of(run);
    cJSON *accelerator = cJSON_AddObjectToObject(root, "accelerator");
    cJSON *layers = run->arguments->profile ? run_profile_to_json(run) : NULL;
    if (!accelerator || (run->arguments->profile && !layers) ||
        !cJSON_AddNumberToObject(accelerator, "clock_hz", RUN_CLOCK_HZ) ||
        !cJSON_AddNumberToObject(accelerator, "images_per_second", cycles.images_per_second) ||
        (cycles.utilization >= 0.0 &&
         !cJSON_AddNumberToObject(accelerator, "utilization", cycles.utilization))) {
        cJSON_Delete(layers);
        return false;
    }
    if (layers) {
        cJSON_AddItemToObject(accelerator, "layers", layers);
    }
    return true;
}

int run_print_json(const struct run *run)
{
    cJSON *root = cJSON_CreateObject();
    bool made = root && cJSON_AddStringToObject(root, "program", run->arguments->program) &&
                cJSON_AddStringToObject(root, "network", bittern_network_name(run->network)) &&
                cJSON_AddNumberToObject(root, "images", (double)run->done) &&
                cJSON_AddBoolToObject(root, "interrupted", run->done < run->images.count) &&
                cJSON_AddNumberToObject(root, "batch", (double)run->batch) &&
                cJSON_AddNumberToObject(root, "jobs", (double)run->job_count) &&
                add_device(root, run) && add_images(root, run) && add_accuracy(root, run) &&
                add_speed(root, run) && add_cycles(root, run);
    if (!made) {
        cJSON_Delete(root);
        root = NULL;
    }
    return json_print("run", root);
}
