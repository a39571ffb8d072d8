/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a run, all of it in f32: every layer's final weights are decided first, then batch
 * norm statistics are estimated anew with these weights (a layer that was ternary in training may
 * just have become binary), then the graph is evaluated, exported, compiled, and compared with the
 * integer network.
 */
#include "train/run.h"

#include "base/file.h"

#include <bittern/program.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bittern_status load_best(struct train_run *run, struct bittern_error *err)
{
    char *path = run_path(run->options->folder, "best.safetensors", err);
    if (!path) {
        return BITTERN_ERR_MEMORY;
    }
    bittern_status status = checkpoint_load(path, run->graph, NULL, NULL, err);
    free(path);
    return status;
}

static bittern_status sum_statistics(struct train_run *run, struct loader *loader, size_t batches,
                                     struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    struct loader_batch batch;
    struct trainer_progress progress = {
        .phase = TRAINER_STATISTICS, .epoch = run->position.epoch, .batches = batches};

    /* The order of an epoch that training has not had. */
    loader_seek(loader, run->recipe->training.epochs, 0);
    while (status == BITTERN_OK && progress.batch < batches &&
           loader_next(loader, graph_input(run->graph), &batch)) {
        status = graph_forward(run->graph, GRAPH_STATISTICS, 0, err);
        if (status != BITTERN_OK) {
            return status;
        }
        progress.batch++;
        status = run_report(run, &progress, BITTERN_OK, err);
    }
    return status;
}

static bittern_status estimate_statistics(struct train_run *run, struct bittern_error *err)
{
    struct loader *loader = NULL;
    size_t batches = run->recipe->training.statistics_batches;
    if (batches == 0) {
        return BITTERN_OK;
    }
    bittern_status status = run_open_plain_loader(run, &loader, err);
    if (status == BITTERN_OK) {
        if (batches > loader_batches(loader)) {
            batches = loader_batches(loader);
        }
        graph_begin_statistics(run->graph);
        status = sum_statistics(run, loader, batches, err);
    }
    if (status == BITTERN_OK) {
        status = graph_end_statistics(run->graph, err);
    }
    loader_free(loader);
    return status;
}

/* ---- Files ----------------------------------------------------------------------------------- */

static char *output_path(const struct train_run *run, const char *suffix, struct bittern_error *err)
{
    char name[sizeof run->recipe->base_name + 16];
    (void)snprintf(name, sizeof name, "%s%s", run->recipe->base_name, suffix);
    return run_path(run->options->folder, name, err);
}

static bittern_status write_model(const struct train_run *run, const struct bittern_model *model,
                                  struct bittern_error *err)
{
    char *path = output_path(run, ".onnx", err);
    bittern_status status = path ? bittern_model_write(model, path, err) : BITTERN_ERR_MEMORY;
    free(path);
    return status;
}

static bittern_status write_program(const struct train_run *run,
                                    const struct bittern_network *network,
                                    struct bittern_error *err)
{
    struct bittern_program *program = NULL;
    char *path = output_path(run, ".btn", err);
    bittern_status status =
        path ? bittern_program_create(network, NULL, &program, err) : BITTERN_ERR_MEMORY;
    if (status == BITTERN_OK) {
        status = bittern_program_write(program, path, err);
    }
    bittern_program_free(program);
    free(path);
    return status;
}

static bittern_status write_result(struct train_run *run, struct bittern_error *err)
{
    char *text = result_json(run, true, err);
    char *line = text ? result_json(run, false, err) : NULL;
    char *path = line ? run_path(run->options->folder, "result.json", err) : NULL;
    bittern_status status = path ? file_write(path, text, strlen(text), err) : BITTERN_ERR_MEMORY;
    if (status == BITTERN_OK) {
        status = metrics_add_json(run->metrics, line, err);
    }
    free(text);
    free(line);
    free(path);
    return status;
}

/* ---- Deployment ------------------------------------------------------------------------------ */

/* What the recipe itself keeps in floating point: that is what a user can change. */
static void list_float_keys(const struct recipe *recipe, char *text, size_t size)
{
    const enum activation_kind activation = recipe->network.activation.kind;
    const bool all_full = recipe->weights.kind == METHOD_FULL;
    const struct {
        bool is_float;
        const char *setting;
    } keys[] = {
        {!recipe->data.quantize, "data.input_bits: 32"},
        {activation == ACTIVATION_RELU, "network.activation: relu"},
        {activation == ACTIVATION_CLIP, "network.activation: clip"},
        {all_full, "weights.method: full"},
        {!all_full && recipe->first_weights.kind == METHOD_FULL, "weights.first.method: full"},
        {!all_full && recipe->last_weights.kind == METHOD_FULL, "weights.last.method: full"},
    };
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < sizeof keys / sizeof keys[0] && used < size; i++) {
        if (keys[i].is_float) {
            int length =
                snprintf(text + used, size - used, "%s%s", used ? ", " : "", keys[i].setting);
            used += length > 0 ? (size_t)length : 0;
        }
    }
}

static void give_reason(struct train_run *run, const char *compiler_message)
{
    char keys[256];
    struct trainer_result *result = run->result;
    list_float_keys(run->recipe, keys, sizeof keys);
    (void)snprintf(result->reason, sizeof result->reason, "%s%s%s",
                   keys[0] ? "the recipe keeps floating point (" : "", keys,
                   keys[0] ? "), which has no integer form; the compiler stopped at " : "");
    size_t used = strlen(result->reason);
    (void)snprintf(result->reason + used, sizeof result->reason - used, "%s", compiler_message);
}

/* A network that has no integer form (a 32-bit layer, float input) is no failure of the run. */
static bittern_status compile(struct train_run *run, const struct bittern_model *model,
                              struct bittern_network **network, struct bittern_error *err)
{
    const struct bittern_compile_options options = {.input_range = BITTERN_INPUT_0_1};
    struct bittern_error reason;
    struct trainer_result *result = run->result;

    bittern_status status = bittern_network_compile(model, &options, network, &reason);
    if (status == BITTERN_ERR_UNSUPPORTED || status == BITTERN_ERR_RANGE) {
        give_reason(run, reason.message);
        return BITTERN_OK;
    }
    if (status != BITTERN_OK) {
        return bittern_error_set(err, status, "%s", reason.message);
    }
    result->compiled = true;
    return BITTERN_OK;
}

static bittern_status compare(struct train_run *run, const struct bittern_model *model,
                              const struct bittern_network *network, struct bittern_error *err)
{
    const struct trainer_options *options = run->options;
    size_t images = run->recipe->data.test_images ? run->recipe->data.test_images
                                                  : bittern_dataset_count(run->test);
    size_t verify = options->verify_images < images ? options->verify_images : images;
    return deploy_compare(model, network, run->test, images, verify, options->threads,
                          options->deploy_progress, options->user, &run->result->comparison, err);
}

static bittern_status deploy(struct train_run *run, struct bittern_error *err)
{
    struct bittern_model *model = NULL;
    struct bittern_network *network = NULL;

    bittern_status status = deploy_export(run->graph, &run->encoding, run->recipe->base_name,
                                          run->recipe_text, &model, err);
    if (status == BITTERN_OK) {
        status = write_model(run, model, err);
    }
    if (status == BITTERN_OK) {
        status = bittern_model_finish(model, err);
    }
    if (status == BITTERN_OK) {
        status = compile(run, model, &network, err);
    }
    if (status == BITTERN_OK && run->result->compiled) {
        status = write_program(run, network, err);
        if (status == BITTERN_OK) {
            status = compare(run, model, network, err);
        }
    }
    bittern_network_free(network);
    bittern_model_free(model);
    return status;
}

bittern_status run_finish(struct train_run *run, struct bittern_error *err)
{
    struct trainer_result *result = run->result;
    struct evaluation test = {0};

    bittern_status status =
        run->options->export_best ? run_agree(run, load_best(run, err), err) : BITTERN_OK;
    if (status == BITTERN_OK) {
        status = run_agree(run, run_widen(run, err), err);
    }
    if (status == BITTERN_OK) {
        graph_finish_weights(run->graph);
        status = estimate_statistics(run, err);
    }
    if (status == BITTERN_OK) {
        status = run_evaluate(run, &test, err);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    result->float_accuracy = test.accuracy;
    result->epochs = run->position.epoch;
    result->best_accuracy = run->position.best_accuracy;
    result->best_epoch = run->position.best_epoch;
    status =
        deploy_layers(run->graph, &result->layers, &result->layer_count, &result->compression, err);
    if (status == BITTERN_OK && run->writes) {
        status = deploy(run, err);
        result->seconds = run_seconds() - run->started;
        if (status == BITTERN_OK) {
            status = write_result(run, err);
        }
    }
    return status;
}
