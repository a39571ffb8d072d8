/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints of small graphs: a run that is loaded goes on as one that never stopped, and a file
 * that does not fit or is damaged changes nothing.
 */
#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors.h"
#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 4
#define SIDE 6
#define CLASSES 3

static char folder[] = "/tmp/bittern-test-checkpoint-XXXXXX";
static char path[128];
static struct backend *backend;

static int set_up(void **state)
{
    (void)state;
    const struct backend_options options = {.threads = 2, .precision = BACKEND_PRECISION_F32};
    if (!mkdtemp(folder)) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/last.safetensors", folder);
    return backend_create(&options, &backend, NULL) == BITTERN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    backend_free(backend);
    (void)unlink(path);
    return rmdir(folder);
}

struct run {
    struct graph *graph;
    struct optimizer *optimizer;
};

/* conv (filters) - norm with ReLU - fc; both layers with the method. */
static struct run open_run(enum method_kind method, enum optimizer_kind optimizer, size_t filters,
                           uint64_t seed)
{
    struct bittern_error err;
    struct run run = {NULL, NULL};
    const struct graph_options options = {
        .batch = BATCH, .channels = 2, .height = SIDE, .width = SIDE, .seed = seed};
    const struct norm_config norm = {.epsilon = 1e-5, .momentum = 0.1};
    struct conv_config conv = {.filters = filters, .kernel = 3, .stride = 1, .pad = 1};
    const struct optimizer_config config = {.kind = optimizer,
                                            .momentum = 0.9,
                                            .beta1 = 0.9,
                                            .beta2 = 0.999,
                                            .epsilon = 1e-8,
                                            .decay = 1e-4};
    size_t tensor;
    conv.method = method_defaults(method);
    assert_ok(graph_create(backend, &options, &run.graph, &err), &err);
    assert_ok(graph_add_conv(run.graph, "conv1", 0, &conv, &tensor, &err), &err);
    assert_ok(graph_add_norm(run.graph, "norm1", tensor, &norm, true, &tensor, &err), &err);
    conv.filters = CLASSES;
    conv.bias = true;
    assert_ok(graph_add_fc(run.graph, "fc2", tensor, &conv, &tensor, &err), &err);
    assert_ok(graph_seal(run.graph, &err), &err);
    assert_ok(optimizer_create(&config, run.graph, &run.optimizer, &err), &err);
    return run;
}

static void close_run(struct run *run)
{
    optimizer_free(run->optimizer);
    graph_free(run->graph);
}

/* Input and loss gradient depend on the step alone. */
static void train(struct run *run, uint64_t first_step, uint64_t steps)
{
    struct bittern_error err;
    for (uint64_t step = first_step; step < first_step + steps; step++) {
        uint64_t seed = 1000 + step;
        struct backend_tensor *input = graph_input(run->graph);
        float *values = input->data;
        assert_int_equal(input->type, BACKEND_F32);
        for (size_t i = 0; i < backend_tensor_count(input); i++) {
            values[i] = (float)random_unit(&seed) - 0.5F;
        }
        assert_ok(graph_forward(run->graph, GRAPH_TRAIN, step, &err), &err);
        for (size_t i = 0; i < (size_t)BATCH * CLASSES; i++) {
            float target = (float)random_unit(&seed);
            graph_output_gradient(run->graph)[i] = graph_output(run->graph)[i] - target;
        }
        assert_ok(graph_backward(run->graph, &err), &err);
        (void)graph_add_method_losses(run->graph);
        optimizer_step(run->optimizer, 0.01);
        graph_after_update(run->graph);
    }
}

/* Outputs in evaluation, on the input that is there. */
static void evaluate(struct run *run, float *scores)
{
    struct bittern_error err;
    uint64_t seed = 5;
    float *values = graph_input(run->graph)->data;
    for (size_t i = 0; i < backend_tensor_count(graph_input(run->graph)); i++) {
        values[i] = (float)random_unit(&seed) - 0.5F;
    }
    assert_ok(graph_forward(run->graph, GRAPH_EVALUATE, 0, &err), &err);
    memcpy(scores, graph_output(run->graph), sizeof(float) * BATCH * CLASSES);
}

static void assert_same_state(struct run *a, struct run *b)
{
    assert_int_equal(graph_parameter_count(a->graph), graph_parameter_count(b->graph));
    for (size_t i = 0; i < graph_parameter_count(a->graph); i++) {
        const struct parameter *p = graph_parameter(a->graph, i);
        assert_memory_equal(p->value, graph_parameter(b->graph, i)->value,
                            p->count * sizeof(float));
    }
    for (size_t i = 0; i < graph_buffer_count(a->graph); i++) {
        const struct graph_buffer *p = graph_buffer(a->graph, i);
        assert_memory_equal(p->value, graph_buffer(b->graph, i)->value, p->count * sizeof(float));
    }
    for (size_t i = 0; i < optimizer_state_count(a->optimizer); i++) {
        const struct graph_buffer *p = optimizer_state(a->optimizer, i);
        assert_memory_equal(p->value, optimizer_state(b->optimizer, i)->value,
                            p->count * sizeof(float));
    }
    assert_int_equal(optimizer_steps(a->optimizer), optimizer_steps(b->optimizer));
}

static const struct checkpoint_position somewhere = {.seed = UINT64_MAX,
                                                     .epoch = 3,
                                                     .batch = 17,
                                                     .step = (UINT64_C(1) << 53) + 1,
                                                     .best_accuracy = 0.1 + 0.2,
                                                     .best_epoch = 2,
                                                     .loss_sum = 1.0 / 3.0,
                                                     .method_loss_sum = 1.0 / 7.0,
                                                     .correct = 12,
                                                     .images = 34,
                                                     .seconds = 0.7,
                                                     .wait_seconds = 0.1,
                                                     .computed_by = "a machine",
                                                     .mixed = 1};
static const char recipe[] = "title: \"a test\"\ntraining:\n  epochs: 3\n";

static void save(struct run *run)
{
    struct bittern_error err;
    assert_ok(checkpoint_save(path, run->graph, run->optimizer, &somewhere, recipe, &err), &err);
}

/* Would catch: any array, step count or decision that a checkpoint forgets, in any method. */
static void a_loaded_run_goes_on_bit_for_bit(void **state)
{
    (void)state;
    struct bittern_error err;
    for (int method = 0; method < METHOD_KIND_COUNT; method++) {
        for (int kind = 0; kind < 2; kind++) {
            struct run whole = open_run((enum method_kind)method, (enum optimizer_kind)kind, 4, 7);
            train(&whole, 0, 3);
            save(&whole);
            struct run loaded = open_run((enum method_kind)method, (enum optimizer_kind)kind, 4, 8);
            float expected[BATCH * CLASSES];
            float scores[BATCH * CLASSES];
            evaluate(&loaded, scores); /* what was quantized before must not stay */
            assert_ok(checkpoint_load(path, loaded.graph, loaded.optimizer, NULL, &err), &err);
            assert_same_state(&whole, &loaded);
            evaluate(&whole, expected);
            evaluate(&loaded, scores);
            assert_memory_equal(scores, expected, sizeof scores);
            close_run(&loaded);
            /* Same seed, as a resumed run has it: stochastic methods draw from it. */
            loaded = open_run((enum method_kind)method, (enum optimizer_kind)kind, 4, 7);
            assert_ok(checkpoint_load(path, loaded.graph, loaded.optimizer, NULL, &err), &err);
            train(&whole, 3, 4);
            train(&loaded, 3, 4);
            assert_same_state(&whole, &loaded);
            close_run(&loaded);
            close_run(&whole);
        }
    }
}

/* Would catch: a counter or sum that loses digits on its way through text. */
static void the_position_comes_back_exactly(void **state)
{
    (void)state;
    struct bittern_error err;
    struct run run = open_run(METHOD_SQ, OPTIMIZER_ADAM, 4, 7);
    uint64_t seed = 3;
    print_message("random seed %ju\n", (uintmax_t)seed);
    for (size_t i = 0; i < 50; i++) {
        struct checkpoint_position position = {.seed = random_u64(&seed),
                                               .epoch = random_u64(&seed),
                                               .batch = random_u64(&seed),
                                               .step = random_u64(&seed),
                                               .best_accuracy = random_unit(&seed),
                                               .best_epoch = random_u64(&seed),
                                               .loss_sum = ldexp(random_unit(&seed), (int)i - 25),
                                               .method_loss_sum = random_unit(&seed),
                                               .correct = random_u64(&seed),
                                               .images = random_u64(&seed),
                                               .seconds = random_unit(&seed),
                                               .wait_seconds = random_unit(&seed),
                                               .computed_by = "oneDNN; \"2\" threads",
                                               .mixed = random_u64(&seed)};
        struct checkpoint_position read;
        if (i == 0) {
            position.best_accuracy = -INFINITY;
        }
        assert_ok(checkpoint_save(path, run.graph, run.optimizer, &position, recipe, &err), &err);
        memset(&read, 0xFF, sizeof read);
        assert_ok(checkpoint_load(path, run.graph, run.optimizer, &read, &err), &err);
        assert_memory_equal(&read, &position, sizeof read);
    }
    char *text;
    uint64_t recipe_seed = 0;
    save(&run);
    assert_ok(checkpoint_read_recipe(path, &text, &recipe_seed, &err), &err);
    assert_string_equal(text, recipe);
    assert_int_equal(recipe_seed, UINT64_MAX);
    free(text);
    close_run(&run);
}

/* Would catch: a weight's rows or a moment's name that a Python reader would miss. */
static void tensors_have_names_and_shapes(void **state)
{
    (void)state;
    struct bittern_error err;
    struct safetensors *file;
    struct run run = open_run(METHOD_SQ, OPTIMIZER_ADAM, 4, 7);
    static const struct {
        const char *name;
        size_t rank, shape[2];
    } expected[] = {{"conv1.weight", 2, {4, 18}},
                    {"fc2.weight", 2, {CLASSES, 4 * SIDE * SIDE}},
                    {"fc2.bias", 1, {CLASSES, 0}},
                    {"norm1.mean", 1, {4, 0}},
                    {"conv1.beta", 1, {1, 0}},
                    {"optimizer.adam.m.conv1.weight", 2, {4, 18}},
                    {"optimizer.adam.v.fc2.bias", 1, {CLASSES, 0}}};
    save(&run);
    assert_ok(safetensors_read(path, &file, &err), &err);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const struct safetensors_tensor *tensor = safetensors_find(file, expected[i].name);
        if (!tensor) {
            fail_msg("%s is missing", expected[i].name);
            return;
        }
        assert_int_equal(tensor->rank, expected[i].rank);
        assert_memory_equal(tensor->shape, expected[i].shape, tensor->rank * sizeof(size_t));
    }
    assert_string_equal(safetensors_metadata(file, "format"), "bittern-checkpoint");
    safetensors_free(file);
    close_run(&run);
}

/* Loads into a fresh run, which must refuse and stay as it is. */
static void assert_refused(struct run *run, bittern_status expected, const char *word,
                           const char *word2)
{
    struct bittern_error err = {.message = ""};
    struct run copy = open_run(METHOD_SQ, OPTIMIZER_ADAM, 4, 21);
    struct checkpoint_position position = somewhere;
    bittern_status status = checkpoint_load(path, run->graph, run->optimizer, &position, &err);
    if (status != expected || !strstr(err.message, word) || !strstr(err.message, word2)) {
        fail_msg("%s: %s", bittern_status_name(status), err.message);
    }
    assert_memory_equal(&position, &somewhere, sizeof position);
    assert_same_state(run, &copy);
    close_run(&copy);
}

/* Would catch: weights of another network that are taken, wholly or in part. */
static void a_checkpoint_of_another_network_changes_nothing(void **state)
{
    (void)state;
    struct bittern_error err;
    struct run run = open_run(METHOD_SQ, OPTIMIZER_ADAM, 4, 21);
    static const struct {
        enum method_kind method;
        enum optimizer_kind optimizer;
        size_t filters;
        const char *word, *word2;
    } others[] = {{METHOD_SQ, OPTIMIZER_ADAM, 5, "'conv1.weight' has shape [5, 18]", "[4, 18]"},
                  {METHOD_BWN, OPTIMIZER_ADAM, 4, "no tensor 'conv1.", "of shape ["},
                  {METHOD_SQ, OPTIMIZER_SGD, 4, "optimizer.adam.m.", "another optimizer"}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct run other = open_run(others[i].method, others[i].optimizer, others[i].filters, 9);
        save(&other);
        assert_refused(&run, BITTERN_ERR_MISMATCH, others[i].word, others[i].word2);
        close_run(&other);
    }
    /* Surplus: a network with more than this one. */
    struct run bwn = open_run(METHOD_BWN, OPTIMIZER_ADAM, 4, 21);
    save(&run);
    assert_int_equal(checkpoint_load(path, bwn.graph, bwn.optimizer, NULL, &err),
                     BITTERN_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "this one has no tensor"));
    close_run(&bwn);
    close_run(&run);
}

/* Would catch: a final model that cannot be read as a teacher, or one that is resumed from. */
static void weights_can_be_loaded_without_an_optimizer(void **state)
{
    (void)state;
    struct bittern_error err;
    struct run trained = open_run(METHOD_SQ, OPTIMIZER_ADAM, 4, 7);
    struct run run = open_run(METHOD_SQ, OPTIMIZER_ADAM, 4, 21);
    train(&trained, 0, 2);
    assert_ok(checkpoint_save(path, trained.graph, NULL, &somewhere, recipe, &err), &err);
    assert_refused(&run, BITTERN_ERR_MISMATCH, "optimizer.adam", "without optimizer state");
    for (int with_state = 0; with_state < 2; with_state++) {
        struct run teacher = open_run(METHOD_SQ, OPTIMIZER_SGD, 4, 30);
        assert_ok(checkpoint_save(path, trained.graph, with_state ? trained.optimizer : NULL,
                                  &somewhere, recipe, &err),
                  &err);
        assert_ok(checkpoint_load(path, teacher.graph, NULL, NULL, &err), &err);
        float expected[BATCH * CLASSES];
        float scores[BATCH * CLASSES];
        evaluate(&trained, expected);
        evaluate(&teacher, scores);
        assert_memory_equal(scores, expected, sizeof scores);
        close_run(&teacher);
    }
    close_run(&run);
    close_run(&trained);
}

static void write_bytes(const uint8_t *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Would catch: half a checkpoint, or one with a flipped bit, that training goes on from. */
static void a_damaged_checkpoint_changes_nothing(void **state)
{
    (void)state;
    static uint8_t bytes[1 << 18];
    struct bittern_error err;
    struct run run = open_run(METHOD_SQ, OPTIMIZER_ADAM, 4, 21);
    struct run other = open_run(METHOD_SQ, OPTIMIZER_ADAM, 4, 9);
    uint64_t seed = 4;
    save(&other);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    assert_true(size < sizeof bytes);
    (void)fclose(file);
    size_t header = 8 + bytes[0] + 256U * bytes[1];
    print_message("random seed %ju\n", (uintmax_t)seed);
    for (size_t i = 0; i < 20; i++) {
        write_bytes(bytes, i == 0 ? size - 1 : random_below(&seed, size));
        assert_refused(&run, BITTERN_ERR_FORMAT, path, "");
        size_t bit = header * 8 + random_below(&seed, (size - header) * 8);
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        write_bytes(bytes, size);
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_refused(&run, BITTERN_ERR_CHECKSUM, path, "another copy");
    }
    /* a digit of the position */
    char *epoch = memmem(bytes, header, "\"epoch\":\"3\"", 11);
    assert_non_null(epoch);
    epoch[9] = '4';
    write_bytes(bytes, size);
    assert_refused(&run, BITTERN_ERR_CHECKSUM, path, "");
    write_bytes(bytes, size);
    char *text;
    uint64_t recipe_seed;
    assert_int_equal(checkpoint_read_recipe(path, &text, &recipe_seed, &err), BITTERN_ERR_CHECKSUM);
    assert_null(text);
    close_run(&other);
    close_run(&run);
}

/* Would catch: another program's file, or a later version, that is taken for ours. */
static void files_of_another_kind_are_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    struct run run = open_run(METHOD_SQ, OPTIMIZER_ADAM, 4, 21);
    struct safetensors_entry entries[] = {{"format", "pt"}, {"version", "1"}, {"seed", "1"}};
    const float value = 1.0F;
    const struct safetensors_tensor tensor = {.name = "x", .data = &value};
    assert_ok(safetensors_write(path, &tensor, 1, NULL, 0, &err), &err);
    assert_refused(&run, BITTERN_ERR_FORMAT, "no checkpoint of Bittern", "missing");
    assert_ok(safetensors_write(path, &tensor, 1, entries, 3, &err), &err);
    assert_refused(&run, BITTERN_ERR_FORMAT, "no checkpoint of Bittern", "pt");
    entries[0].value = "bittern-checkpoint";
    assert_ok(safetensors_write(path, &tensor, 1, entries, 3, &err), &err);
    assert_refused(&run, BITTERN_ERR_FORMAT, "'epoch'", "missing");
    char *text;
    uint64_t seed;
    assert_int_equal(checkpoint_read_recipe(path, &text, &seed, &err), BITTERN_ERR_FORMAT);
    entries[1].value = "2";
    assert_ok(safetensors_write(path, &tensor, 1, entries, 3, &err), &err);
    assert_refused(&run, BITTERN_ERR_UNSUPPORTED, "version 2", "version 1");
    (void)unlink(path);
    assert_refused(&run, BITTERN_ERR_NOT_FOUND, path, "");
    close_run(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loaded_run_goes_on_bit_for_bit),
        cmocka_unit_test(the_position_comes_back_exactly),
        cmocka_unit_test(tensors_have_names_and_shapes),
        cmocka_unit_test(a_checkpoint_of_another_network_changes_nothing),
        cmocka_unit_test(weights_can_be_loaded_without_an_optimizer),
        cmocka_unit_test(a_damaged_checkpoint_changes_nothing),
        cmocka_unit_test(files_of_another_kind_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
