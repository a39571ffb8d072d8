/* SPDX-License-Identifier: Apache-2.0 */
/* The graph itself: names, order, one form for each op, and the builder's refusals. */
#include "model/graph.h"
#include "testing.h"

#include <math.h>
#include <string.h>

static struct bittern_model *create(int64_t opset)
{
    struct bittern_error err;
    struct bittern_model *model = NULL;
    assert_ok(bittern_model_create("g", opset, &model, &err), &err);
    assert_ok(bittern_model_add_input(model, "x", (int64_t[]){1, 6}, 2, &err), &err);
    return model;
}

/* A node of one or two inputs ("" for none) and one output. */
static void add(struct bittern_model *model, const char *op, const char *a, const char *b,
                const char *y)
{
    struct bittern_error err;
    assert_ok(bittern_model_add_node(model, op, NULL, (const char *const[]){a, b},
                                     b[0] == '\0' ? 1 : 2, &y, 1, NULL, 0, &err),
              &err);
}

static void add_output(struct bittern_model *model, const char *name)
{
    struct bittern_error err;
    assert_ok(bittern_model_add_output(model, name, &err), &err);
}

static void assert_sorted(const struct bittern_model *model)
{
    for (size_t n = 0; n < model->node_count; n++) {
        for (size_t i = 0; i < model->nodes[n].input_count; i++) {
            size_t tensor = model->nodes[n].inputs[i];
            assert_true(tensor < model->tensor_count);
            size_t producer = model->tensors[tensor].producer;
            assert_true(producer == GRAPH_NONE || producer < n);
        }
        assert_int_equal(model->tensors[model->nodes[n].outputs[0]].producer, n);
    }
    for (size_t t = 0; t < model->tensor_count; t++) {
        assert_int_equal(graph_find_tensor(model, model->tensors[t].name), t);
    }
}

/* Would catch: an order in which a node runs before its inputs, and names that lead elsewhere after
 * the tensors were renumbered. */
static void random_graphs_are_sorted_whatever_their_order(void **state)
{
    (void)state;
    enum { NODES = 60 };
    uint64_t seed = 5;
    for (int run = 0; run < 200; run++) {
        struct bittern_error err;
        struct bittern_model *model = create(13);
        char names[NODES + 1][16];
        size_t order[NODES] = {0};
        (void)snprintf(names[0], sizeof names[0], "x");
        for (size_t i = 0; i < NODES; i++) {
            (void)snprintf(names[i + 1], sizeof names[0], "t%zu", i);
            size_t at = random_below(&seed, i + 1);
            order[i] = order[at];
            order[at] = i;
        }
        size_t inputs[NODES][2];
        bool lives[NODES + 1] = {false};
        for (size_t i = 0; i < NODES; i++) {
            inputs[i][0] = random_below(&seed, i + 1);
            inputs[i][1] = random_below(&seed, i + 1);
        }
        for (size_t i = 0; i < NODES; i++) {
            size_t n = order[i];
            add(model, "Add", names[inputs[n][0]], names[inputs[n][1]], names[n + 1]);
        }
        add_output(model, names[NODES]);
        lives[NODES] = true;
        size_t living = 0;
        for (size_t n = NODES; n-- > 0;) {
            living += lives[n + 1];
            lives[inputs[n][0]] |= lives[n + 1];
            lives[inputs[n][1]] |= lives[n + 1];
        }
        assert_ok(graph_sort(model, &err), &err);
        assert_int_equal(model->node_count, living);
        assert_sorted(model);
        assert_ok(graph_sort(model, &err), &err); /* of a sorted graph: nothing changes */
        assert_int_equal(model->node_count, living);
        bittern_model_free(model);
    }
}

/* Would catch: a message that names a node beside the cycle, or a sort that never ends. */
static void a_cycle_is_named_by_a_node_on_it(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_model *model = create(13);
    add(model, "Add", "x", "c", "a");
    add(model, "Relu", "a", "", "b");
    add(model, "Sign", "b", "", "c");
    add(model, "Identity", "c", "", "y");
    add_output(model, "y");
    assert_int_equal(bittern_model_finish(model, &err), BITTERN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "cycle"));
    assert_null(strstr(err.message, "Identity"));
    bittern_model_free(model);
}

/* Would catch: nodes that nobody needs refused for what they are. */
static void what_the_output_does_not_need_is_dropped(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_model *model = create(13);
    add(model, "Relu", "missing", "", "dead");
    add(model, "Add", "loop", "x", "loop2");
    add(model, "Relu", "loop2", "", "loop");
    add(model, "Relu", "x", "", "y");
    assert_ok(bittern_model_add_floats(model, "w", (int64_t[]){1}, 1, (float[]){1}, &err), &err);
    add_output(model, "y");
    assert_ok(bittern_model_finish(model, &err), &err);
    assert_int_equal(model->node_count, 1);
    assert_int_equal(model->tensor_count, 2);
    assert_int_equal(graph_find_tensor(model, "w"), GRAPH_NONE);
    assert_int_equal(bittern_model_add_output(model, "y", &err), BITTERN_ERR_ARGUMENT);
    assert_ok(bittern_model_finish(model, &err), &err);
    bittern_model_free(model);
}

/* Would catch: names found in quadratic time, or lost when the table grows. */
static void many_names_are_found_again(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    struct bittern_error err;
    struct bittern_model *model = create(13);
    char name[32];
    size_t tensor;
    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(name, sizeof name, "tensor_%zu", i);
        assert_ok(graph_add_tensor(model, name, &tensor, &err), &err);
        assert_int_equal(tensor, i + 1);
    }
    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(name, sizeof name, "tensor_%zu", i);
        assert_int_equal(graph_find_tensor(model, name), i + 1);
    }
    assert_int_equal(graph_find_tensor(model, "tensor_x"), GRAPH_NONE);
    assert_ok(graph_add_unique_tensor(model, "tensor", &tensor, &err), &err);
    assert_int_equal(tensor, COUNT + 1);
    bittern_model_free(model);
}

/* Would catch: a Slice, Pad, Squeeze or TopK of an old opset whose attributes are lost. */
static void attributes_of_old_opsets_become_inputs(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_model *model = create(9);
    const struct bittern_attribute slice[3] = {
        {.name = "starts", .kind = BITTERN_ATTRIBUTE_INTS, .ints = (int64_t[]){1}, .count = 1},
        {.name = "ends", .kind = BITTERN_ATTRIBUTE_INTS, .ints = (int64_t[]){5}, .count = 1},
        {.name = "axes", .kind = BITTERN_ATTRIBUTE_INTS, .ints = (int64_t[]){1}, .count = 1}};
    const struct bittern_attribute k = {.name = "k", .kind = BITTERN_ATTRIBUTE_INT, .i = 2};
    const struct bittern_attribute pads = {.name = "pads",
                                           .kind = BITTERN_ATTRIBUTE_INTS,
                                           .ints = (int64_t[]){0, 1, 0, 1},
                                           .count = 4};
    const struct bittern_attribute value = {
        .name = "value", .kind = BITTERN_ATTRIBUTE_FLOAT, .f = 0.5f};
    const char *names[] = {"x", "s", "p", "v", "i"};
    assert_ok(
        bittern_model_add_node(model, "Slice", NULL, &names[0], 1, &names[1], 1, slice, 3, &err),
        &err);
    assert_ok(bittern_model_add_node(model, "Pad", NULL, &names[1], 1, &names[2], 1,
                                     (struct bittern_attribute[]){pads, value}, 2, &err),
              &err);
    assert_ok(bittern_model_add_node(model, "TopK", NULL, &names[2], 1, &names[3], 1, &k, 1, &err),
              &err);
    add_output(model, "v");
    assert_ok(graph_sort(model, &err), &err);
    assert_ok(graph_normalize(model, &err), &err);
    assert_int_equal(model->nodes[0].input_count, 4);
    for (size_t i = 0; i < 3; i++) {
        const struct graph_tensor *input = graph_node_input(model, &model->nodes[0], i + 1);
        assert_int_equal(input->element, BITTERN_ELEMENT_INT64);
        assert_int_equal(input->rank, 1);
        assert_true(input->constant[0] == (double)slice[i].ints[0]);
    }
    assert_int_equal(graph_node_input(model, &model->nodes[1], 1)->count, 4);
    assert_int_equal(graph_node_input(model, &model->nodes[1], 2)->rank, 0);
    assert_true(graph_node_input(model, &model->nodes[1], 2)->constant[0] == 0.5);
    assert_int_equal(graph_node_input(model, &model->nodes[2], 1)->rank, 1);
    assert_int_equal(model->nodes[2].output_count, 2);
    assert_int_not_equal(model->nodes[2].outputs[1], GRAPH_NONE);
    for (size_t n = 0; n < 3; n++) {
        assert_int_equal(model->nodes[n].attribute_count, 0);
    }
    bittern_model_free(model);
}

/* Would catch: an attribute that is quietly overruled by an input, and forms that make no sense. */
static void forms_that_contradict_themselves_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *op, *second_input;
        struct bittern_attribute attribute;
        const char *message;
    } cases[] = {
        {"Clip", "c", {.name = "min", .kind = BITTERN_ATTRIBUTE_FLOAT}, "as an attribute and"},
        {"Pad", "", {.name = "value", .kind = BITTERN_ATTRIBUTE_FLOAT}, "'pads' is missing"},
        {"Pad", "c", {.name = "mode", .kind = BITTERN_ATTRIBUTE_STRING, .s = "edge"}, "'constant'"},
        {"Slice", "c", {.name = "axes", .kind = BITTERN_ATTRIBUTE_INTS}, "'ends' is missing"},
        {"TopK", "", {.name = "axis", .kind = BITTERN_ATTRIBUTE_INT}, "'k' is missing"},
        {"Unsqueeze", "", {.name = "axes", .kind = BITTERN_ATTRIBUTE_INT}, "is an int"},
        {"Relu", "c", {.name = "axes", .kind = BITTERN_ATTRIBUTE_INT}, "has 2 inputs"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bittern_error err;
        struct bittern_model *model = create(13);
        const char *y = "y";
        assert_ok(bittern_model_add_floats(model, "c", NULL, 0, (float[]){1}, &err), &err);
        assert_ok(bittern_model_add_node(
                      model, cases[i].op, "n", (const char *const[]){"x", cases[i].second_input},
                      cases[i].second_input[0] ? 2 : 1, &y, 1, &cases[i].attribute, 1, &err),
                  &err);
        add_output(model, "y");
        assert_int_not_equal(bittern_model_finish(model, &err), BITTERN_OK);
        if (!strstr(err.message, cases[i].message)) {
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].op, err.message, cases[i].message);
        }
        bittern_model_free(model);
    }
}

/* Would catch: a builder that takes what no file could hold. */
static void the_builder_refuses_what_can_never_be_right(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_model *model = NULL;
    const char *x = "x";
    assert_int_equal(bittern_model_create("g", 8, &model, &err), BITTERN_ERR_ARGUMENT);
    assert_int_equal(bittern_model_create("g", 22, &model, &err), BITTERN_ERR_ARGUMENT);
    assert_ok(bittern_model_create("g", 21, &model, &err), &err);
    assert_int_equal(bittern_model_finish(model, &err), BITTERN_ERR_FORMAT);
    assert_int_equal(bittern_model_add_input(model, "x", (int64_t[]){1, 0}, 2, &err),
                     BITTERN_ERR_ARGUMENT);
    assert_int_equal(bittern_model_add_input(model, "x", (int64_t[]){1}, 1, &err),
                     BITTERN_ERR_ARGUMENT);
    assert_ok(bittern_model_add_input(model, "x", (int64_t[]){0, 6}, 2, &err), &err);
    assert_int_equal(bittern_model_add_input(model, "z", (int64_t[]){0, 6}, 2, &err),
                     BITTERN_ERR_ARGUMENT);
    assert_int_equal(bittern_model_add_floats(model, "x", NULL, 0, (float[]){1}, &err),
                     BITTERN_ERR_FORMAT);
    assert_int_equal(bittern_model_add_floats(model, "n", NULL, 0, (float[]){NAN}, &err),
                     BITTERN_ERR_RANGE);
    assert_int_equal(bittern_model_add_ints(model, "i", (int64_t[]){-1}, 1, NULL, &err),
                     BITTERN_ERR_FORMAT);
    assert_int_equal(bittern_model_add_node(model, "Relu", NULL, &x, 1, &x, 1, NULL, 0, &err),
                     BITTERN_ERR_FORMAT);
    assert_int_equal(bittern_model_add_node(model, "Tanh", NULL, &x, 1, &x, 1, NULL, 0, &err),
                     BITTERN_ERR_ARGUMENT);
    add_output(model, "y");
    assert_int_equal(bittern_model_add_output(model, "z", &err), BITTERN_ERR_ARGUMENT);
    bittern_model_free(model);
}

/* Would catch: an op that works but is not in the list that messages give, or the reverse. */
static void the_list_of_ops_is_complete(void **state)
{
    (void)state;
    bool found[GRAPH_OP_COUNT] = {false};
    char word[64];
    const char *at = graph_op_list();
    while (*at) {
        size_t length = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
        if (length == 0) {
            at++;
            continue;
        }
        assert_true(length < sizeof word);
        memcpy(word, at, length);
        word[length] = '\0';
        enum graph_op own = graph_op_find("", word);
        enum graph_op custom = graph_op_find("qonnx.custom_op.general", word);
        assert_int_equal(graph_op_find("ai.onnx", word), own);
        assert_true(own == GRAPH_UNKNOWN || custom == GRAPH_UNKNOWN);
        assert_true(word[0] > 'Z' || own != GRAPH_UNKNOWN || custom != GRAPH_UNKNOWN);
        found[own] = found[custom] = true;
        at += length;
    }
    for (size_t op = GRAPH_UNKNOWN + 1; op < GRAPH_OP_COUNT; op++) {
        assert_true(found[op]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_graphs_are_sorted_whatever_their_order),
        cmocka_unit_test(a_cycle_is_named_by_a_node_on_it),
        cmocka_unit_test(what_the_output_does_not_need_is_dropped),
        cmocka_unit_test(many_names_are_found_again),
        cmocka_unit_test(attributes_of_old_opsets_become_inputs),
        cmocka_unit_test(forms_that_contradict_themselves_are_refused),
        cmocka_unit_test(the_builder_refuses_what_can_never_be_right),
        cmocka_unit_test(the_list_of_ops_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
