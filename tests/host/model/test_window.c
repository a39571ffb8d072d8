/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of Conv and pools: kernel, strides, pads and auto_pad, against counting positions. */
#include "model/graph.h"
#include "testing.h"

#include <string.h>

struct window_case {
    struct bittern_model *model;
    struct graph_node *node;
    struct bittern_error err;
};

static struct bittern_attribute ints(const char *name, const int64_t *values, size_t count)
{
    return (struct bittern_attribute){
        .name = name, .kind = BITTERN_ATTRIBUTE_INTS, .ints = values, .count = count};
}

static struct bittern_attribute one_int(const char *name, int64_t value)
{
    return (struct bittern_attribute){.name = name, .kind = BITTERN_ATTRIBUTE_INT, .i = value};
}

static struct bittern_attribute string(const char *name, const char *value)
{
    return (struct bittern_attribute){.name = name, .kind = BITTERN_ATTRIBUTE_STRING, .s = value};
}

/* An unfinished graph with one node over x; a Conv has weights w of [2, channels, kernel...]. */
static void begin(struct window_case *c, const char *op, const int64_t *dims, size_t rank,
                  int64_t kernel_h, int64_t kernel_w)
{
    const struct graph_node_description description = {.op = op,
                                                       .domain = "",
                                                       .name = "n",
                                                       .inputs = (const char *const[]){"x", "w"},
                                                       .input_count = op[0] == 'C' ? 2 : 1,
                                                       .outputs = (const char *const[]){"y"},
                                                       .output_count = 1};
    const int64_t kernel[2] = {kernel_h, kernel_w};
    const int64_t weights[4] = {2, 3, kernel_h, kernel_w};
    size_t x;
    size_t w;
    assert_ok(graph_create("g", 13, &c->model, &c->err), &c->err);
    assert_ok(graph_add_node(c->model, &description, &c->node, &c->err), &c->err);
    assert_ok(graph_add_tensor(c->model, "x", &x, &c->err), &c->err);
    assert_ok(graph_add_tensor(c->model, "w", &w, &c->err), &c->err);
    assert_ok(graph_set_shape(&c->model->tensors[x], dims, rank, &c->err), &c->err);
    assert_ok(graph_set_shape(&c->model->tensors[w], weights, 4, &c->err), &c->err);
    if (op[0] != 'C') {
        const struct bittern_attribute attribute = ints("kernel_shape", kernel, 2);
        assert_ok(graph_node_add_attribute(c->node, &attribute, &c->err), &c->err);
    }
}

static void add(struct window_case *c, struct bittern_attribute attribute)
{
    assert_ok(graph_node_add_attribute(c->node, &attribute, &c->err), &c->err);
}

/* Frees the case. */
static void end_refused(struct window_case *c, bittern_status wanted, const char *part)
{
    struct graph_window window;
    bittern_status status = graph_node_window(c->model, c->node, &window, &c->err);
    if (status != wanted || !strstr(c->err.message, part)) {
        fail_msg("got %s, wanted %s with \"%s\"", status == BITTERN_OK ? "ok" : c->err.message,
                 bittern_status_name(wanted), part);
    }
    bittern_model_free(c->model);
}

static struct graph_window end_accepted(struct window_case *c)
{
    struct graph_window window;
    assert_ok(graph_node_window(c->model, c->node, &window, &c->err), &c->err);
    bittern_model_free(c->model);
    return window;
}

/* How many windows start within the padded input and end within it. */
static size_t count_windows(int64_t in, int64_t kernel, int64_t stride, int64_t before,
                            int64_t after)
{
    size_t count = 0;
    for (int64_t at = -before; at + kernel <= in + after; at += stride) {
        count++;
    }
    return count;
}

/* Would catch: rows and columns exchanged, begin and end pads mixed up, an output one too large. */
static void sizes_and_pads_equal_a_count_of_positions(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (int i = 0; i < 2000; i++) {
        struct window_case c;
        int64_t kernel[2] = {1 + (int64_t)random_below(&seed, 4),
                             1 + (int64_t)random_below(&seed, 4)};
        int64_t in[2] = {4 + (int64_t)random_below(&seed, 9), 4 + (int64_t)random_below(&seed, 9)};
        int64_t strides[2] = {1 + (int64_t)random_below(&seed, 3),
                              1 + (int64_t)random_below(&seed, 3)};
        int64_t pads[4];
        for (size_t p = 0; p < 4; p++) {
            pads[p] = (int64_t)random_below(&seed, (size_t)kernel[p % 2]);
        }
        static const char *const ops[] = {"Conv", "MaxPool", "AveragePool"};
        begin(&c, ops[i % 3], (int64_t[]){1, 3, in[0], in[1]}, 4, kernel[0], kernel[1]);
        add(&c, ints("strides", strides, 2));
        add(&c, ints("pads", pads, 4));
        struct graph_window w = end_accepted(&c);
        assert_int_equal(w.kernel_h, kernel[0]);
        assert_int_equal(w.kernel_w, kernel[1]);
        assert_int_equal(w.stride_h, strides[0]);
        assert_int_equal(w.stride_w, strides[1]);
        assert_int_equal(w.pad_top, pads[0]);
        assert_int_equal(w.pad_left, pads[1]);
        assert_int_equal(w.pad_bottom, pads[2]);
        assert_int_equal(w.pad_right, pads[3]);
        assert_int_equal(w.out_h, count_windows(in[0], kernel[0], strides[0], pads[0], pads[2]));
        assert_int_equal(w.out_w, count_windows(in[1], kernel[1], strides[1], pads[1], pads[3]));
    }
}

/* Would catch: SAME with the odd pad on the wrong side, or an output other than ceil(in/stride). */
static void same_pads_give_ceil_of_in_by_stride(void **state)
{
    (void)state;
    for (int64_t in = 1; in <= 9; in++) {
        for (int64_t kernel = 1; kernel <= 4; kernel++) {
            for (int64_t stride = 1; stride <= 3; stride++) {
                struct graph_window w[2];
                for (int lower = 0; lower < 2; lower++) {
                    struct window_case c;
                    begin(&c, "Conv", (int64_t[]){1, 3, in, in}, 4, kernel, kernel);
                    add(&c, ints("strides", (int64_t[]){stride, stride}, 2));
                    add(&c, string("auto_pad", lower ? "SAME_LOWER" : "SAME_UPPER"));
                    w[lower] = end_accepted(&c);
                    assert_int_equal(w[lower].out_h, (in + stride - 1) / stride);
                }
                assert_int_equal(w[0].pad_top, w[1].pad_bottom);
                assert_int_equal(w[0].pad_bottom, w[1].pad_top);
                assert_in_range(w[0].pad_bottom, w[0].pad_top, w[0].pad_top + 1);
            }
        }
    }
}

/* Would catch: defaults that are not ONNX's: no pads, strides of one. */
static void without_attributes_strides_are_one_and_pads_zero(void **state)
{
    (void)state;
    struct window_case c;
    begin(&c, "MaxPool", (int64_t[]){1, 3, 6, 5}, 4, 3, 2);
    add(&c, string("auto_pad", "VALID"));
    add(&c, one_int("ceil_mode", 1));
    add(&c, ints("dilations", (int64_t[]){1, 1}, 2));
    struct graph_window w = end_accepted(&c);
    assert_int_equal(w.out_h, 4);
    assert_int_equal(w.out_w, 4);
    assert_int_equal(w.stride_h + w.stride_w, 2);
    assert_int_equal(w.pad_top + w.pad_left + w.pad_bottom + w.pad_right, 0);
}

/* Would catch: 1-D and 3-D windows, groups, dilations and others computed as if they were plain. */
static void what_the_hardware_does_not_do_is_refused_with_the_reason(void **state)
{
    (void)state;
    struct window_case c;
    const int64_t dims[5] = {1, 3, 8, 8, 8};
    begin(&c, "Conv", dims, 3, 3, 3);
    end_refused(&c, BITTERN_ERR_UNSUPPORTED, "3 dimensions; only 2-D");
    begin(&c, "AveragePool", dims, 5, 3, 3);
    end_refused(&c, BITTERN_ERR_UNSUPPORTED, "5 dimensions");
    begin(&c, "Conv", dims, 4, 3, 3);
    add(&c, one_int("group", 3));
    end_refused(&c, BITTERN_ERR_UNSUPPORTED, "group is 3");
    begin(&c, "Conv", dims, 4, 3, 3);
    add(&c, ints("dilations", (int64_t[]){1, 2}, 2));
    end_refused(&c, BITTERN_ERR_UNSUPPORTED, "dilations must be 1");
    begin(&c, "MaxPool", dims, 4, 2, 2);
    add(&c, one_int("storage_order", 1));
    end_refused(&c, BITTERN_ERR_UNSUPPORTED, "storage_order");
    begin(&c, "MaxPool", dims, 4, 3, 3);
    add(&c, one_int("ceil_mode", 1));
    add(&c, ints("strides", (int64_t[]){2, 2}, 2));
    end_refused(&c, BITTERN_ERR_UNSUPPORTED, "ceil_mode 1");
    begin(&c, "MaxPool", dims, 4, 2, 2);
    add(&c, ints("pads", (int64_t[]){2, 0, 0, 0}, 4));
    end_refused(&c, BITTERN_ERR_UNSUPPORTED, "without a value");
}

/* Would catch: attributes that contradict each other, the shapes, or arithmetic. */
static void windows_that_cannot_be_right_are_refused(void **state)
{
    (void)state;
    struct window_case c;
    const int64_t dims[4] = {1, 3, 8, 8};
    begin(&c, "Conv", dims, 4, 9, 3);
    end_refused(&c, BITTERN_ERR_FORMAT, "does not fit");
    begin(&c, "Conv", (int64_t[]){1, 4, 8, 8}, 4, 3, 3);
    end_refused(&c, BITTERN_ERR_FORMAT, "has 4 channels, its weights 'w' take 3");
    begin(&c, "Conv", dims, 4, 3, 3);
    add(&c, ints("kernel_shape", (int64_t[]){3, 5}, 2));
    end_refused(&c, BITTERN_ERR_FORMAT, "differs");
    begin(&c, "Conv", dims, 4, 3, 3);
    add(&c, ints("strides", (int64_t[]){0, 1}, 2));
    end_refused(&c, BITTERN_ERR_RANGE, "'strides' holds 0");
    begin(&c, "Conv", dims, 4, 3, 3);
    add(&c, ints("pads", (int64_t[]){0, -1, 0, 0}, 4));
    end_refused(&c, BITTERN_ERR_RANGE, "'pads' holds -1");
    begin(&c, "Conv", dims, 4, 3, 3);
    add(&c, ints("pads", (int64_t[]){0, 0, 0, INT64_MAX}, 4));
    end_refused(&c, BITTERN_ERR_RANGE, "'pads' holds 9223372036854775807");
    begin(&c, "Conv", dims, 4, 3, 3);
    add(&c, ints("pads", (int64_t[]){0, 0}, 2));
    end_refused(&c, BITTERN_ERR_FORMAT, "must have 4 ints");
    begin(&c, "Conv", dims, 4, 3, 3);
    add(&c, string("auto_pad", "SAME_UPPER"));
    add(&c, ints("pads", (int64_t[]){1, 1, 1, 1}, 4));
    end_refused(&c, BITTERN_ERR_FORMAT, "exclude each other");
    begin(&c, "Conv", dims, 4, 3, 3);
    add(&c, string("auto_pad", "WRAP"));
    end_refused(&c, BITTERN_ERR_FORMAT, "auto_pad 'WRAP'");
    begin(&c, "MaxPool", dims, 4, 3, 3);
    graph_node_remove_attribute(c.node, "kernel_shape");
    end_refused(&c, BITTERN_ERR_FORMAT, "'kernel_shape' is missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_and_pads_equal_a_count_of_positions),
        cmocka_unit_test(same_pads_give_ceil_of_in_by_stride),
        cmocka_unit_test(without_attributes_strides_are_one_and_pads_zero),
        cmocka_unit_test(what_the_hardware_does_not_do_is_refused_with_the_reason),
        cmocka_unit_test(windows_that_cannot_be_right_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
