/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The teacher of a distillation: a graph rebuilt from its checkpoint, which holds its recipe. It
 * is shown the very images that the student sees, augmented and quantized as the student's are:
 * so data set and normalization must be the same, while the teacher may have been trained on
 * inputs that were not quantized.
 */
#include "train/run.h"

#include <stdlib.h>
#include <string.h>

static bittern_status check_data(const struct recipe *teacher, const struct recipe *student,
                                 const char *path, struct bittern_error *err)
{
    if (strcmp(teacher->data.set, student->data.set) != 0) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "teacher '%s' was trained on %s, the recipe has data.set: %s",
                                 path, teacher->data.set, student->data.set);
    }
    if (teacher->data.normalize != student->data.normalize) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "teacher '%s' was trained with data.normalize: %s, the recipe has "
                                 "%s; they must be the same",
                                 path, teacher->data.normalize ? "true" : "false",
                                 student->data.normalize ? "true" : "false");
    }
    return BITTERN_OK;
}

static bittern_status build_teacher(struct train_run *run, const struct recipe *recipe,
                                    const char *path, struct bittern_error *err)
{
    const struct backend_tensor *input = graph_input(run->graph);
    const struct recipe_graph_options options = {.batch = input->n,
                                                 .channels = input->c,
                                                 .height = input->h,
                                                 .width = input->w,
                                                 .classes = graph_classes(run->graph)};

    bittern_status status =
        recipe_build_graph(recipe, &options, run->backend, &run->teacher.graph, err);
    if (status == BITTERN_OK) {
        status = checkpoint_load(path, run->teacher.graph, NULL, NULL, err);
    }
    if (status == BITTERN_OK) {
        status = backend_reorder_create(run->backend, input, graph_input(run->teacher.graph),
                                        &run->teacher.input, err);
    }
    return status;
}

bittern_status teacher_open(struct train_run *run, struct bittern_error *err)
{
    const char *path = run->options->teacher;
    char *text = NULL;
    uint64_t seed = 0;

    if (!run->recipe->training.distill) {
        return path ? bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                        "a teacher was given, but the recipe does not distill; set "
                                        "training.distillation.weight, e.g. to 0.5")
                    : BITTERN_OK;
    }
    if (!path) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "the recipe distills from a teacher, and none was given: name the "
                                 "checkpoint of a full-precision run (--teacher FILE), or set "
                                 "training.distillation.weight=0");
    }
    struct recipe *recipe = calloc(1, sizeof *recipe);
    bittern_status status =
        recipe ? checkpoint_read_recipe(path, &text, &seed, err)
               : bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the teacher's recipe");
    if (status == BITTERN_OK) {
        status = recipe_parse(text, strlen(text), path, false, NULL, 0, recipe, err);
    }
    if (status == BITTERN_OK) {
        status = check_data(recipe, run->recipe, path, err);
    }
    if (status == BITTERN_OK) {
        status = build_teacher(run, recipe, path, err);
    }
    free(text);
    free(recipe);
    return status;
}

void teacher_close(struct train_run *run)
{
    backend_reorder_free(run->teacher.input);
    graph_free(run->teacher.graph);
    run->teacher = (struct train_teacher){0};
}

bittern_status teacher_score(struct train_run *run, const float **scores, struct bittern_error *err)
{
    struct train_teacher *teacher = &run->teacher;
    bittern_status status = backend_reorder_run(teacher->input, graph_input(run->graph),
                                                graph_input(teacher->graph), err);
    if (status == BITTERN_OK) {
        status = graph_forward(teacher->graph, GRAPH_EVALUATE, 0, err);
    }
    *scores = graph_output(teacher->graph);
    return status;
}
