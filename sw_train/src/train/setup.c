/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that a run needs before its first step, and its end. */
#include "train/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- The folder ------------------------------------------------------------------------------ */

/* A run that is there must not be lost by mistake. */
static bittern_status check_folder(struct train_run *run, struct bittern_error *err)
{
    const struct trainer_options *options = run->options;
    bittern_status status = BITTERN_OK;
    if (!run->writes) {
        return BITTERN_OK;
    }
    char *last = run_path(options->folder, "last.safetensors", err);
    if (!last) {
        return BITTERN_ERR_MEMORY;
    }
    bool there = run_file_exists(last);
    if (there && !options->resume && !options->replace) {
        status = bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                   "'%s' holds a run already: go on with it (--resume), replace it "
                                   "(--force), or choose another folder (--out)",
                                   options->folder);
    } else if (!there && options->resume) {
        status = bittern_error_set(err, BITTERN_ERR_NOT_FOUND,
                                   "there is nothing to resume: '%s' is missing", last);
    }
    free(last);
    return status;
}

/* Files of the run that is replaced: none of them may stand beside those of the new one. */
static bittern_status remove_old_files(const struct train_run *run, struct bittern_error *err)
{
    const char *const suffixes[] = {".onnx", ".btn"};
    const char *const names[] = {"last.safetensors", "best.safetensors", "result.json"};
    char name[sizeof run->recipe->base_name + 8];

    for (size_t i = 0; i < 5; i++) {
        (void)snprintf(name, sizeof name, "%s%s", i < 3 ? names[i] : run->recipe->base_name,
                       i < 3 ? "" : suffixes[i - 3]);
        char *path = run_path(run->options->folder, name, err);
        if (!path) {
            return BITTERN_ERR_MEMORY;
        }
        (void)unlink(path);
        free(path);
    }
    return BITTERN_OK;
}

/* Nothing is written before everything else of the run stands. */
static bittern_status start_folder(struct train_run *run, struct bittern_error *err)
{
    const struct trainer_options *options = run->options;
    if (!run->writes) {
        return BITTERN_OK;
    }
    /* The metrics hold the folder's lock: a run that still writes there keeps its files. */
    bittern_status status = metrics_open(options->folder, options->resume ? run->position.epoch : 0,
                                         &run->metrics, err);
    if (status == BITTERN_OK && !options->resume && options->replace) {
        status = remove_old_files(run, err);
    }
    return status;
}

/* ---- Data ------------------------------------------------------------------------------------ */

static bittern_status check_batch(const struct train_run *run, struct bittern_error *err)
{
    size_t batch = run->recipe->training.batch;
    size_t ranks = comm_size(run->options->comm);
    if (batch % ranks != 0) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "a batch of %zu images does not divide among %zu processes; set "
                                 "training.batch to a multiple of %zu",
                                 batch, ranks, ranks);
    }
    return BITTERN_OK;
}

static bittern_status open_split(const struct train_run *run, enum bittern_split split,
                                 size_t wanted, struct bittern_dataset **dataset,
                                 struct bittern_error *err)
{
    bool train = split == BITTERN_SPLIT_TRAIN;
    bittern_status status =
        bittern_dataset_open(run->recipe->data.set, split, run->options->data_dir, dataset, err);
    if (status == BITTERN_OK && bittern_dataset_count(*dataset) < (wanted ? wanted : 1)) {
        status = bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                   "data.%s_images is %zu, but the %s split of %s in '%s' has only "
                                   "%zu",
                                   train ? "train" : "test", wanted, train ? "train" : "test",
                                   run->recipe->data.set, bittern_dataset_source(*dataset),
                                   bittern_dataset_count(*dataset));
    }
    return status;
}

static bittern_status open_data(struct train_run *run, struct bittern_error *err)
{
    const struct recipe *recipe = run->recipe;
    bittern_status status =
        open_split(run, BITTERN_SPLIT_TRAIN, recipe->data.train_images, &run->train, err);
    if (status == BITTERN_OK) {
        status = open_split(run, BITTERN_SPLIT_TEST, recipe->data.test_images, &run->test, err);
    }
    if (status == BITTERN_OK) {
        status = input_encoding_choose(run->train, recipe->data.normalize, recipe->data.quantize,
                                       &run->encoding, err);
    }
    return status;
}

static struct loader_options loader_options_of(const struct train_run *run, bool train)
{
    const struct recipe *recipe = run->recipe;
    return (struct loader_options){.dataset = train ? run->train : run->test,
                                   .encoding = &run->encoding,
                                   .shuffle = train,
                                   .drop_last = train,
                                   .count =
                                       train ? recipe->data.train_images : recipe->data.test_images,
                                   .seed = run->options->seed,
                                   .rank = comm_rank(run->options->comm),
                                   .ranks = comm_size(run->options->comm)};
}

bittern_status run_open_plain_loader(struct train_run *run, struct loader **loader,
                                     struct bittern_error *err)
{
    struct loader_options options = loader_options_of(run, true);
    return loader_create(&options, graph_input(run->graph), loader, err);
}

static bittern_status open_loaders(struct train_run *run, struct bittern_error *err)
{
    struct loader_options train = loader_options_of(run, true);
    struct loader_options test = loader_options_of(run, false);
    const struct backend_tensor *input = graph_input(run->graph);

    train.augmentation = run->recipe->data.augmentation;
    bittern_status status = loader_create(&train, input, &run->train_loader, err);
    if (status == BITTERN_OK) {
        status = loader_create(&test, input, &run->test_loader, err);
    }
    return status;
}

/* ---- The graph ------------------------------------------------------------------------------- */

/* The recipe's graph on a backend of its own. */
static bittern_status build_graph(const struct train_run *run, enum backend_precision precision,
                                  struct backend **backend, struct graph **graph,
                                  struct bittern_error *err)
{
    const struct backend_options options = {.threads = run->options->threads,
                                            .precision = precision};
    const struct recipe_graph_options shape = {.batch = run->recipe->training.batch /
                                                        comm_size(run->options->comm),
                                               .channels = bittern_dataset_channels(run->train),
                                               .height = bittern_dataset_height(run->train),
                                               .width = bittern_dataset_width(run->train),
                                               .classes = bittern_dataset_classes(run->train),
                                               .seed = run->options->seed,
                                               .comm = run->options->comm};

    bittern_status status = backend_create(&options, backend, err);
    return status == BITTERN_OK ? recipe_build_graph(run->recipe, &shape, *backend, graph, err)
                                : status;
}

static bittern_status open_graph(struct train_run *run, struct bittern_error *err)
{
    bittern_status status =
        build_graph(run, run->options->precision, &run->backend, &run->graph, err);
    if (status == BITTERN_OK) {
        status =
            optimizer_create(&run->recipe->training.optimizer, run->graph, &run->optimizer, err);
    }
    return status == BITTERN_OK ? layer_metrics_create(run, err) : status;
}

static void copy_values(struct graph *from, struct graph *to)
{
    for (size_t i = 0; i < graph_parameter_count(from); i++) {
        const struct parameter *parameter = graph_parameter(from, i);
        memcpy(graph_parameter(to, i)->value, parameter->value, parameter->count * sizeof(float));
    }
    for (size_t i = 0; i < graph_buffer_count(from); i++) {
        const struct graph_buffer *buffer = graph_buffer(from, i);
        memcpy(graph_buffer(to, i)->value, buffer->value, buffer->count * sizeof(float));
    }
    graph_weights_changed(to);
}

/* Frees what trains; data, recipe and metrics stay. */
static void close_graph(struct train_run *run)
{
    loader_free(run->train_loader);
    loader_free(run->test_loader);
    teacher_close(run);
    optimizer_free(run->optimizer);
    graph_free(run->graph);
    backend_free(run->backend);
    free(run->layers);
    run->train_loader = run->test_loader = NULL;
    run->optimizer = NULL;
    run->graph = NULL;
    run->backend = NULL;
    run->layers = NULL;
    run->layer_count = 0;
}

bittern_status run_widen(struct train_run *run, struct bittern_error *err)
{
    struct backend *backend = NULL;
    struct graph *graph = NULL;
    if (backend_activation_type(run->backend) == BACKEND_F32) {
        return BITTERN_OK;
    }
    bittern_status status = build_graph(run, BACKEND_PRECISION_F32, &backend, &graph, err);
    if (status != BITTERN_OK) {
        backend_free(backend);
        return status;
    }
    copy_values(run->graph, graph);
    close_graph(run);
    run->backend = backend;
    run->graph = graph;
    return open_loaders(run, err);
}

void run_describe_computer(const struct train_run *run, char text[CHECKPOINT_COMPUTED_BY_SIZE])
{
    size_t processes = comm_size(run->options->comm);
    (void)snprintf(text, CHECKPOINT_COMPUTED_BY_SIZE, "%s; %zu process%s",
                   backend_description(run->backend), processes, processes == 1 ? "" : "es");
}

static bittern_status open_parts(struct train_run *run, struct bittern_error *err)
{
    bittern_status status = check_batch(run, err);
    if (status == BITTERN_OK) {
        status = check_folder(run, err);
    }
    if (status == BITTERN_OK) {
        status = recipe_write(run->recipe, &run->recipe_text, err);
    }
    if (status == BITTERN_OK) {
        status = open_data(run, err);
    }
    if (status == BITTERN_OK) {
        status = open_graph(run, err);
    }
    if (status == BITTERN_OK) {
        status = open_loaders(run, err);
    }
    if (status == BITTERN_OK) {
        status = teacher_open(run, err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    run_describe_computer(run, run->position.computed_by);
    return run->options->resume ? run_resume(run, err) : BITTERN_OK;
}

bittern_status run_open(struct train_run *run, struct bittern_error *err)
{
    run->position.seed = run->options->seed;
    bittern_status status = run_agree(run, open_parts(run, err), err);
    if (status == BITTERN_OK) {
        status = run_agree(run, run_check_ranks(run, err), err);
    }
    if (status == BITTERN_OK) {
        status = run_agree(run, start_folder(run, err), err);
    }
    run->last_saved = run_seconds();
    return status;
}

void run_close(struct train_run *run)
{
    close_graph(run);
    bittern_dataset_close(run->train);
    bittern_dataset_close(run->test);
    metrics_close(run->metrics);
    free(run->recipe_text);
}
