/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One case of a benchmark: open, warm up, measure, compare. Every value that a measured start gives
 * is compared with the reference engine's. A simulated device must take the same cycles each time.
 */
#include "bench.h"

#include <bittern/reference.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_REPETITIONS 3
#define REFERENCE_SLICE 256 /* images between looks for an interrupt */

/* ---- Open and close -------------------------------------------------------------------------- */

static bittern_status choose_batch(struct bench *bench, struct bittern_error *err)
{
    size_t images = bench->images.count;
    size_t batch = bench->bench_case->batch;

    if (batch > images) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "a batch of %zu images needs at least as many, but there are %zu: "
                                 "give more with --images, or a smaller batch",
                                 batch, images);
    }
    bench->batch = batch > 0 ? batch : images < RUN_DEFAULT_BATCH ? images : RUN_DEFAULT_BATCH;
    return BITTERN_OK;
}

/* Simulated devices show the same cycles each time, and none need to warm up. */
static void choose_counts(struct bench *bench)
{
    const struct bench_arguments *arguments = bench->arguments;
    bool simulated = bench->bench_case->simulated;
    size_t batches = (bench->images.count + bench->batch - 1) / bench->batch;
    size_t jobs = simulated ? run_usable_cpus() : 1;

    jobs = arguments->options.jobs > 0 ? arguments->options.jobs : jobs;
    bench->jobs = jobs < batches ? jobs : batches;
    bench->repetition_count = simulated ? 1 : DEFAULT_REPETITIONS;
    if (arguments->repetitions > 0) {
        bench->repetition_count = arguments->repetitions;
    }
    bench->warmup = arguments->warmup != SIZE_MAX ? arguments->warmup : !simulated;
}

static const char *data_name(const struct run_images *images)
{
    const char *slash = strrchr(images->name, '/');
    return slash ? slash + 1 : images->name;
}

/* Only what changes the figures; jobs and repetitions do not. */
static void set_key(struct bench *bench)
{
    char part[64] = "";
    const struct image_choice *choice = &bench->arguments->options.choice;

    if (choice->random) {
        (void)snprintf(part, sizeof part, ":%" PRIu64, choice->seed);
    } else if (bench->images.dataset) {
        (void)snprintf(part, sizeof part, "/%s+%zu", run_split_name(choice->split), choice->start);
    } else {
        (void)snprintf(part, sizeof part, "+%zu", choice->start);
    }
    (void)snprintf(bench->key, sizeof bench->key, "%s %.256s images=%zu batch=%zu %s%s clock=%g",
                   bench->bench_case->stem, bench->device_name, bench->images.count, bench->batch,
                   data_name(&bench->images), part, bench->arguments->clock_mhz);
}

static bittern_status open_program(struct bench *bench, struct bittern_error *err)
{
    struct load_options load = bench->arguments->options.load;

    bittern_status status =
        run_load_program(bench->bench_case->program, bench->device, &load, &bench->program, err);
    if (status != BITTERN_OK) {
        return status;
    }
    bench->crc32 = bittern_energy_program_crc32(bench->program);
    bench->network = bittern_program_network(bench->program);
    bench->layer_count = bittern_network_layer_count(bench->network);
    return BITTERN_OK;
}

static bool is_accelerator(const struct bench *bench)
{
    return bittern_device_get_info(bench->device)->geometry.version > 0;
}

bittern_status bench_open(struct bench *bench, const struct bench_arguments *arguments,
                          const struct bench_case *bench_case, struct bittern_error *err)
{
    struct run_options options = arguments->options;

    *bench =
        (struct bench){.arguments = arguments, .bench_case = bench_case, .started = cli_seconds()};
    options.device = bench_case->device;
    run_options_device_name(&options, bench->device_name, sizeof bench->device_name);
    bittern_status status = bittern_device_open(bench->device_name, &bench->device, err);
    if (status == BITTERN_OK) {
        status = open_program(bench, err);
    }
    if (status == BITTERN_OK) {
        status = run_images_open(&options.choice, bench->network, &bench->images, err);
    }
    if (status == BITTERN_OK) {
        status = choose_batch(bench, err);
    }
    if (status == BITTERN_OK) {
        choose_counts(bench);
        set_key(bench);
    }
    return status;
}

void bench_close(struct bench *bench)
{
    for (size_t i = 0; bench->repetitions && i < bench->repetition_count; i++) {
        free(bench->repetitions[i].layers);
    }
    bench_energy_close(bench);
    free(bench->repetitions);
    free(bench->values);
    free(bench->expected);
    free(bench->before);
    run_jobs_free(bench->runs);
    bittern_accelerator_plan_free(bench->plan);
    run_images_close(&bench->images);
    bittern_program_free(bench->program);
    bittern_device_close(bench->device);
    *bench = (struct bench){0};
}

/* ---- Reference ------------------------------------------------------------------------------- */

/* What all values must be. The reference as a device is compared with another of its kernels. */
static bittern_status run_reference(struct bench *bench, struct bittern_error *err)
{
    struct bittern_reference *engine = NULL;
    struct bittern_reference_options options = {0};
    size_t outputs = bittern_network_output_count(bench->network);
    const struct bittern_shape *shape = &bittern_network_input(bench->network)->shape;

    if (run_device_is_reference(bench->device_name)) {
        const char *used = bench->arguments->options.kernel;
        const char *best = bittern_reference_kernel_name(0);
        options.kernel =
            !used || (best && strcmp(used, best) == 0) ? bittern_reference_kernel_name(1) : best;
    }
    size_t image = shape->channels * shape->height * shape->width;
    bittern_status status = bittern_reference_create(bench->network, &options, &engine, err);
    for (size_t i = 0; status == BITTERN_OK && i < bench->images.count; i += REFERENCE_SLICE) {
        size_t left = bench->images.count - i;
        status = bittern_reference_run(engine, bench->images.pixels + i * image,
                                       left < REFERENCE_SLICE ? left : REFERENCE_SLICE,
                                       bench->expected + i * outputs, err);
        if (status == BITTERN_OK && cli_interrupted()) {
            status = bittern_error_set(err, BITTERN_ERR_CANCELLED, "interrupted");
        }
    }
    bittern_reference_free(engine);
    return status;
}

static void compare_values(struct bench *bench, size_t images)
{
    size_t count = images * bittern_network_output_count(bench->network);

    bench->compared_images += images;
    bench->compared_values += count;
    for (size_t i = 0; i < count; i++) {
        bench->different += bench->values[i] != bench->expected[i];
    }
    /* What the next start does not write is seen. */
    memset(bench->values, 0x55, count * sizeof *bench->values);
}

/* ---- Measurement ----------------------------------------------------------------------------- */

static int on_progress(void *user, size_t done, size_t total)
{
    struct bench *bench = user;
    (void)total;
    cli_progress_update(&bench->progress, bench->progress_base + done, bench->progress_total);
    return cli_interrupted();
}

static bittern_status run_some(struct bench *bench, size_t images,
                               struct bittern_counters *counters, struct bittern_error *err)
{
    bittern_status status =
        run_jobs_run(bench->runs, bench->images.pixels, images, bench->values, counters, err);
    if (status == BITTERN_OK) {
        bench->progress_base += images;
        bench->device_nanoseconds += counters->nanoseconds;
    }
    return status;
}

static bittern_status check_cycles(const struct bench *bench, const char *what, size_t repetition,
                                   uint64_t first, uint64_t now, struct bittern_error *err)
{
    if (first == now || !bench->bench_case->simulated) {
        return BITTERN_OK;
    }
    return bittern_error_set(err, BITTERN_ERR_DEVICE,
                             "repetition %zu took %" PRIu64 " cycles for %s, the first one "
                             "%" PRIu64 ", but a simulated device must take the same each time; "
                             "with random stalls (stall=) it does not: measure those once",
                             repetition + 1, now, what, first);
}

/* Cycles where they are counted, else time. */
static uint64_t cost_of(const struct bittern_counters *counters)
{
    return counters->cycles > 0 ? counters->cycles : counters->nanoseconds;
}

static int compare_counters(const void *a, const void *b)
{
    uint64_t cost_a = cost_of(a);
    uint64_t cost_b = cost_of(b);
    return (cost_a > cost_b) - (cost_a < cost_b);
}

/* The latency of one image, as often as there are repetitions. */
static bittern_status measure_first(struct bench *bench, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    struct bittern_counters *starts = calloc(bench->repetition_count, sizeof *starts);

    if (!starts) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the repetitions");
    }
    for (size_t i = 0; status == BITTERN_OK && i < bench->repetition_count; i++) {
        status = run_some(bench, 1, &starts[i], err);
        if (status == BITTERN_OK) {
            compare_values(bench, 1);
            status = check_cycles(bench, "one image", i, starts[0].cycles, starts[i].cycles, err);
        }
    }
    qsort(starts, bench->repetition_count, sizeof *starts, compare_counters);
    bench->first = starts[(bench->repetition_count - 1) / 2];
    free(starts);
    return status;
}

static void subtract_profile(struct bittern_layer_profile *layers,
                             const struct bittern_layer_profile *before, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        layers[i].images -= before[i].images;
        layers[i].cycles -= before[i].cycles;
        layers[i].compute_cycles -= before[i].compute_cycles;
        layers[i].weight_stall_cycles -= before[i].weight_stall_cycles;
        layers[i].input_stall_cycles -= before[i].input_stall_cycles;
        layers[i].output_stall_cycles -= before[i].output_stall_cycles;
    }
}

static bittern_status measure_repetition(struct bench *bench, size_t index,
                                         struct bittern_error *err)
{
    struct bench_repetition *repetition = &bench->repetitions[index];

    bittern_status status = run_jobs_profile(bench->runs, bench->before, bench->layer_count, err);
    if (status != BITTERN_OK) {
        return status;
    }
    double started = cli_seconds();
    status = run_some(bench, bench->images.count, &repetition->counters, err);
    repetition->seconds = cli_seconds() - started;
    if (status != BITTERN_OK) {
        return status;
    }
    status = run_jobs_profile(bench->runs, repetition->layers, bench->layer_count, err);
    if (status != BITTERN_OK) {
        return status;
    }
    subtract_profile(repetition->layers, bench->before, bench->layer_count);
    if (index == 0 && bench->images.labels) {
        bench->accuracy = run_accuracy_of(bench->network, bench->values, bench->images.labels,
                                          bench->images.count);
    }
    compare_values(bench, bench->images.count);
    return check_cycles(bench, "the images", index, bench->repetitions[0].counters.cycles,
                        repetition->counters.cycles, err);
}

/* Of an even number the faster one of the two in the middle: a row's figures are of one repetition.
 */
static const struct bench_repetition *find_median(const struct bench *bench)
{
    for (size_t i = 0; i < bench->repetition_count; i++) {
        const struct bench_repetition *candidate = &bench->repetitions[i];
        size_t before = 0;
        for (size_t j = 0; j < bench->repetition_count; j++) {
            const struct bench_repetition *other = &bench->repetitions[j];
            bool counted = candidate->counters.cycles > 0;
            double a = counted ? (double)candidate->counters.cycles : candidate->seconds;
            double b = counted ? (double)other->counters.cycles : other->seconds;
            before += b < a || (b == a && j < i);
        }
        if (before == (bench->repetition_count - 1) / 2) {
            return candidate;
        }
    }
    return &bench->repetitions[0];
}

static bittern_status prepare(struct bench *bench, struct bittern_error *err)
{
    const struct run_options *options = &bench->arguments->options;
    struct run_options timeout = *options;
    size_t outputs = bittern_network_output_count(bench->network);
    bittern_status status = BITTERN_OK;

    bench->values = calloc(bench->images.count, outputs * sizeof *bench->values);
    bench->expected = calloc(bench->images.count, outputs * sizeof *bench->expected);
    bench->before = calloc(bench->layer_count, sizeof *bench->before);
    bench->repetitions = calloc(bench->repetition_count, sizeof *bench->repetitions);
    bool made = bench->values && bench->expected && bench->before && bench->repetitions;
    for (size_t i = 0; made && i < bench->repetition_count; i++) {
        bench->repetitions[i].layers = calloc(bench->layer_count, sizeof *bench->before);
        made = bench->repetitions[i].layers != NULL;
    }
    if (!made) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the outputs of %zu images",
                                 bench->images.count);
    }
    if (is_accelerator(bench)) {
        status = bittern_accelerator_plan_create(bench->program, bench->batch, &bench->plan, err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    timeout.device = bench->bench_case->device;
    const struct run_jobs_options jobs = {.count = bench->jobs,
                                          .batch = bench->batch,
                                          .timeout_ms = run_options_timeout_ms(&timeout),
                                          .progress = on_progress,
                                          .user = bench};
    return run_jobs_create(bench->device, bench->device_name, bench->program, &jobs, &bench->runs,
                           err);
}

static bittern_status measure_all(struct bench *bench, struct bittern_error *err)
{
    struct bittern_counters ignored;
    bittern_status status = BITTERN_OK;

    for (size_t i = 0; status == BITTERN_OK && i < bench->warmup; i++) {
        status = run_some(bench, bench->batch, &ignored, err);
    }
    if (status == BITTERN_OK) {
        status = measure_first(bench, err);
    }
    if (status == BITTERN_OK) {
        status = bench_energy_start(bench, err);
    }
    for (size_t i = 0; status == BITTERN_OK && i < bench->repetition_count; i++) {
        status = measure_repetition(bench, i, err);
    }
    if (status == BITTERN_OK) {
        status = bench_energy_stop(bench, err);
    }
    return status;
}

bittern_status bench_measure(struct bench *bench, struct bittern_error *err)
{
    bittern_status status = prepare(bench, err);
    if (status == BITTERN_OK) {
        status = bench_energy_open(bench, err);
    }
    if (status == BITTERN_OK) {
        status = run_reference(bench, err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    bench->progress_total = (uint64_t)bench->warmup * bench->batch +
                            (uint64_t)bench->repetition_count * (bench->images.count + 1);
    cli_progress_start(&bench->progress, bench->bench_case->stem, "images",
                       bench->arguments->quiet);
    status = measure_all(bench, err);
    cli_progress_finish(&bench->progress);
    if (status == BITTERN_OK) {
        bench->median = find_median(bench);
        status = bench_energy_model(bench, err);
        bench->seconds = cli_seconds() - bench->started;
    }
    return status;
}
