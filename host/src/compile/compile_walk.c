/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain of nodes from the graph's input to its output, cut into stages.
 *
 * Every node either opens a stage (a linear op; a sum for an average pool behind a quantizer), adds
 * to the one that is open (a function, a pool), moves axes, or ends the chain (TopK, ...). What has
 * no exact integer form is refused here, with the node and the reason, as far as it can be seen
 * without numbers.
 */
#include "compile/compile.h"

#include <math.h>
#include <string.h>

struct walk {
    const struct bittern_model *model;
    struct compile_arena *arena;
    struct compile_chain *chain;
    struct compile_layout layout; /* of the tensor that the walk is at */
    size_t tensor;
    bool has_ended; /* scores were made into a choice */

    /* A Pad node that waits for its convolution. */
    const struct graph_node *pad_node;
    struct bittern_window padding;
    double pad_real;
    struct bittern_error *err;
};

static struct compile_stage *open_stage(struct walk *w)
{
    return &w->chain->stages[w->chain->count - 1];
}

static bool pads(const struct bittern_window *window)
{
    return (window->pad_top | window->pad_left | window->pad_bottom | window->pad_right) != 0;
}

static bittern_status unsupported(struct walk *w, const struct graph_node *node, const char *reason)
{
    return graph_node_fail(w->err, BITTERN_ERR_UNSUPPORTED, node, "%s", reason);
}

/* ---- Opening stages ----------------------------------------------------------------------------
 */

static bittern_status add_stage(struct walk *w, const struct graph_node *node,
                                enum compile_source source, struct compile_stage **out)
{
    struct compile_chain *chain = w->chain;
    if (chain->count == chain->capacity) {
        size_t capacity = chain->capacity * 2 + 8;
        struct compile_stage *stages = compile_allocate(w->arena, capacity, sizeof *stages, w->err);
        if (!stages) {
            return BITTERN_ERR_MEMORY;
        }
        if (chain->count > 0) {
            memcpy(stages, chain->stages, chain->count * sizeof *stages);
        }
        chain->stages = stages;
        chain->capacity = capacity;
    }
    struct compile_stage *stage = &chain->stages[chain->count++];
    *stage = (struct compile_stage){.source = source, .node = node, .input = w->layout};
    stage->window = (struct bittern_window){1, 1, 1, 1, 0, 0, 0, 0};
    stage->conv = stage->output = w->layout.shape;
    stage->name = node ? node->name : "input";
    stage->tensor = w->tensor;
    stage->op = BITTERN_LAYER_SUM;
    *out = stage;
    return BITTERN_OK;
}

static bittern_status read_window(struct walk *w, const struct graph_node *node,
                                  struct bittern_window *window)
{
    struct graph_window g;
    bittern_status status = graph_node_window(w->model, node, &g, w->err);
    if (status != BITTERN_OK) {
        return status;
    }
    *window = (struct bittern_window){g.kernel_h, g.kernel_w, g.stride_h,   g.stride_w,
                                      g.pad_top,  g.pad_left, g.pad_bottom, g.pad_right};
    const struct bittern_shape *in = &w->layout.shape;
    struct bittern_shape out = network_window_output(window, in->channels, in->height, in->width);
    if (out.height != g.out_h || out.width != g.out_w) {
        return unsupported(w, node,
                           "its windows hang over the edge (ceil_mode); use floor_mode or padding");
    }
    return BITTERN_OK;
}

static bittern_status need_map(struct walk *w, const struct graph_node *node)
{
    bool is_plain = !w->layout.is_flat && w->layout.order[0] == COMPILE_CHANNEL &&
                    w->layout.order[1] == COMPILE_ROW && w->layout.order[2] == COMPILE_COLUMN;
    return is_plain ? BITTERN_OK
                    : unsupported(w, node, "it needs [batch, channels, rows, columns] in front");
}

/* The padding that a window finds in front of it goes into the window, and is noted in the stage
 * that it pads. */
static bittern_status take_padding(struct walk *w, const struct graph_node *node,
                                   struct compile_stage *padded, struct bittern_window *window)
{
    if (w->pad_node && w->pad_real != 0 && pads(window)) {
        return unsupported(w, node,
                           "it pads with 0 what a Pad node padded with another value before");
    }
    padded->pad_real = 0;
    if (w->pad_node) {
        padded->pad_real = w->pad_real;
        window->pad_top += w->padding.pad_top;
        window->pad_left += w->padding.pad_left;
        window->pad_bottom += w->padding.pad_bottom;
        window->pad_right += w->padding.pad_right;
        w->pad_node = NULL;
    }
    padded->is_padded = pads(window);
    return BITTERN_OK;
}

static const struct graph_tensor *constant_input(struct walk *w, const struct graph_node *node,
                                                 size_t i)
{
    const struct graph_tensor *t = graph_node_input(w->model, node, i);
    return t && t->constant ? t : NULL;
}

static bittern_status walk_conv(struct walk *w, const struct graph_node *node)
{
    struct bittern_window window;
    const struct graph_tensor *weights = constant_input(w, node, 1);

    bittern_status status = need_map(w, node);
    if (status != BITTERN_OK) {
        return status;
    }
    if (!weights || node->inputs[0] != w->tensor) {
        return unsupported(w, node, "its weights must be constants");
    }
    if (graph_node_int(node, "group", 1) != 1) {
        return unsupported(w, node, "only convolutions of one group can be compiled");
    }
    struct bittern_shape before = w->layout.shape;
    if (w->pad_node) { /* the window slides over what was padded; the stage is what was there */
        before.height -= w->padding.pad_top + w->padding.pad_bottom;
        before.width -= w->padding.pad_left + w->padding.pad_right;
    }
    status = read_window(w, node, &window);
    if (status == BITTERN_OK) {
        status = take_padding(w, node, open_stage(w), &window);
    }
    struct compile_stage *stage = NULL;
    if (status == BITTERN_OK) {
        w->layout.shape = before;
        status = add_stage(w, node, COMPILE_LINEAR, &stage);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    stage->op = BITTERN_LAYER_CONV;
    stage->window = window;
    stage->conv =
        network_window_output(&window, (size_t)weights->dims[0], before.height, before.width);
    stage->output = w->layout.shape = stage->conv;
    return BITTERN_OK;
}

/* An average over a whole map and then a full connection: the connection moves in front, as a 1x1
 * convolution whose accumulators are summed. It is the same sum in another order. */
static bool move_in_front_of_pool(struct walk *w, const struct graph_node *node, size_t outputs)
{
    struct compile_stage *pool = open_stage(w);
    bool fits = pool->source == COMPILE_SUM && pool->function_count == 0 && !pool->has_max_pool &&
                !pads(&pool->window) && pool->output.height == 1 && pool->output.width == 1 &&
                pool->node->op != GRAPH_MAX_POOL;
    if (!fits) {
        return false;
    }
    pool->source = COMPILE_LINEAR;
    pool->op = BITTERN_LAYER_CONV;
    pool->node = node;
    pool->name = node->name;
    pool->has_sum_pool = true;
    pool->is_moved = true;
    pool->sum_pool = pool->window;
    pool->window = (struct bittern_window){1, 1, 1, 1, 0, 0, 0, 0};
    pool->conv = (struct bittern_shape){outputs, pool->input.shape.height, pool->input.shape.width};
    pool->output = (struct bittern_shape){outputs, 1, 1};
    return true;
}

static bittern_status walk_full(struct walk *w, const struct graph_node *node)
{
    const struct graph_tensor *weights = constant_input(w, node, 1);

    if (!weights || node->inputs[0] != w->tensor || weights->rank != 2) {
        return unsupported(w, node, "its second input must be a constant matrix, the weights");
    }
    if (!w->layout.is_flat || graph_node_int(node, "transA", 0) != 0) {
        return unsupported(w, node, "its first input must be [batch, values]: flatten it first");
    }
    if (w->pad_node) {
        return unsupported(w, w->pad_node, "only a convolution can follow a padding");
    }
    bool outputs_first = node->op == GRAPH_GEMM && graph_node_int(node, "transB", 0) != 0;
    size_t outputs = (size_t)weights->dims[outputs_first ? 0 : 1];
    struct compile_stage *stage = NULL;
    if (!move_in_front_of_pool(w, node, outputs)) {
        bittern_status status = add_stage(w, node, COMPILE_LINEAR, &stage);
        if (status != BITTERN_OK) {
            return status;
        }
        stage->op = BITTERN_LAYER_FC;
        stage->conv = stage->output = (struct bittern_shape){outputs, 1, 1};
    }
    w->layout = (struct compile_layout){.shape = {outputs, 1, 1}, .is_flat = true};
    w->layout.order[1] = COMPILE_ROW;
    w->layout.order[2] = COMPILE_COLUMN;
    return BITTERN_OK;
}

/* ---- Pools -------------------------------------------------------------------------------------
 */

/* Put what is open behind one more layer, a sum over `window`. */
static bittern_status open_sum(struct walk *w, const struct graph_node *node,
                               const struct bittern_window *window, struct compile_stage **out)
{
    bittern_status status = add_stage(w, node, COMPILE_SUM, out);
    if (status == BITTERN_OK) {
        struct compile_stage *stage = *out;
        const struct bittern_shape *in = &stage->input.shape;
        stage->window = *window;
        stage->conv = network_window_output(window, in->channels, in->height, in->width);
        stage->output = stage->conv;
    }
    return status;
}

static bittern_status walk_max_pool(struct walk *w, const struct graph_node *node)
{
    static const struct bittern_window one = {1, 1, 1, 1, 0, 0, 0, 0};
    struct bittern_window window;

    bittern_status status = need_map(w, node);
    if (status == BITTERN_OK && w->pad_node) {
        status = unsupported(w, w->pad_node, "only a convolution can follow a padding");
    }
    if (status == BITTERN_OK) {
        status = read_window(w, node, &window);
    }
    struct compile_stage *stage = open_stage(w);
    if (status == BITTERN_OK && (stage->source == COMPILE_IMAGE || stage->has_max_pool)) {
        status = open_sum(w, node, &one, &stage);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    stage->has_max_pool = true;
    stage->max_pool = window;
    stage->max_pool_after = stage->function_count;
    stage->output = network_window_output(&window, stage->output.channels, stage->output.height,
                                          stage->output.width);
    w->layout.shape = stage->output;
    return BITTERN_OK;
}

static bittern_status walk_average_pool(struct walk *w, const struct graph_node *node)
{
    struct bittern_window window = {
        w->layout.shape.height, w->layout.shape.width, 1, 1, 0, 0, 0, 0};

    bittern_status status = need_map(w, node);
    if (status == BITTERN_OK && w->pad_node) {
        status = unsupported(w, w->pad_node, "only a convolution can follow a padding");
    }
    if (status == BITTERN_OK && node->op == GRAPH_AVERAGE_POOL) {
        status = read_window(w, node, &window);
    }
    if (status != BITTERN_OK) {
        return status;
    }
    if (pads(&window) && graph_node_int(node, "count_include_pad", 0) == 0) {
        return unsupported(w, node, "its divisor differs at the edges; set count_include_pad to 1");
    }
    struct compile_stage *stage = open_stage(w);
    bool on_accumulators = stage->source == COMPILE_LINEAR && !stage->has_max_pool &&
                           !stage->has_sum_pool && !pads(&window) &&
                           compile_is_affine(stage, 0, stage->function_count);
    if (on_accumulators) {
        stage->has_sum_pool = true;
        stage->sum_pool = window;
        stage->sum_pool_after = stage->function_count;
        stage->output = network_window_output(&window, stage->output.channels, stage->output.height,
                                              stage->output.width);
    } else {
        status = take_padding(w, node, stage, &window);
        if (status == BITTERN_OK) {
            status = open_sum(w, node, &window, &stage);
        }
        if (status != BITTERN_OK) {
            return status;
        }
    }
    w->layout.shape = stage->output;
    return BITTERN_OK;
}

/* ---- What adds to a stage ----------------------------------------------------------------------
 */

static bittern_status append_function(struct walk *w, struct compile_stage *stage,
                                      const struct graph_function *function)
{
    if (stage->function_count == stage->function_capacity) {
        size_t capacity = stage->function_capacity * 2 + 4;
        struct graph_function *functions =
            compile_allocate(w->arena, capacity, sizeof *functions, w->err);
        if (!functions) {
            return BITTERN_ERR_MEMORY;
        }
        if (stage->function_count > 0) {
            memcpy(functions, stage->functions, stage->function_count * sizeof *functions);
        }
        stage->functions = functions;
        stage->function_capacity = capacity;
    }
    stage->functions[stage->function_count++] = *function;
    return BITTERN_OK;
}

static bittern_status walk_function(struct walk *w, const struct graph_node *node)
{
    struct graph_function function;

    if (node->op == GRAPH_IDENTITY) {
        return BITTERN_OK;
    }
    graph_function_prepare(w->model, node, &function);
    if (function.spread == GRAPH_SPREAD_NOT || node->inputs[function.argument] != w->tensor) {
        return unsupported(w, node,
                           "it must have one computed input, and constants that are scalars or "
                           "have one value a channel; branches (residual connections) cannot be "
                           "compiled");
    }
    bittern_status status = compile_layout_check_spread(node, &function, &w->layout, w->err);
    if (status != BITTERN_OK) {
        return status;
    }
    if (w->pad_node) {
        /* The padding goes through the function, too. */
        double padded = graph_function_apply(&function, 0, w->pad_real);
        for (size_t c = 1; c < function.channels; c++) {
            if (graph_function_apply(&function, c, w->pad_real) != padded) {
                return unsupported(w, node,
                                   "it makes the padding in front of it differ between channels");
            }
        }
        w->pad_real = padded;
    }
    return append_function(w, open_stage(w), &function);
}

static bittern_status walk_layout(struct walk *w, const struct graph_node *node)
{
    const struct compile_stage *stage = open_stage(w);
    bool may_reshape = stage->source == COMPILE_IMAGE && stage->function_count == 0;

    if (w->pad_node) {
        return unsupported(w, w->pad_node, "only a convolution can follow a padding");
    }
    bittern_status status = compile_layout_follow(w->model, node, may_reshape, &w->layout, w->err);
    if (status == BITTERN_OK && may_reshape) {
        open_stage(w)->conv = open_stage(w)->output = w->layout.shape;
    }
    return status;
}

/* Padding of rows and columns; a Pad node has it as an attribute (opset 10) or as an input. */
static bool read_pads(struct walk *w, const struct graph_node *node, int64_t pads_out[8])
{
    const struct graph_attribute *attribute = graph_node_attribute(node, "pads");
    const struct graph_tensor *input = constant_input(w, node, 1);
    size_t count = input ? input->count : attribute ? attribute->count : 0;
    if (count != 8 || graph_node_input(w->model, node, 3)) {
        return false;
    }
    for (size_t i = 0; i < 8; i++) {
        pads_out[i] = input ? (int64_t)input->constant[i] : attribute->ints[i];
        bool is_side = i % 4 >= 2;
        if (pads_out[i] < 0 || pads_out[i] > NETWORK_MAX_PAD || (!is_side && pads_out[i] != 0)) {
            return false;
        }
    }
    return true;
}

static bittern_status walk_pad(struct walk *w, const struct graph_node *node)
{
    int64_t p[8];

    bittern_status status = need_map(w, node);
    if (status != BITTERN_OK) {
        return status;
    }
    if (w->pad_node || strcmp(graph_node_string(node, "mode", "constant"), "constant") != 0 ||
        !read_pads(w, node, p)) {
        return unsupported(w, node,
                           "only one Pad in front of a convolution can be compiled: of rows and "
                           "columns, by constants up to 256, with a constant value");
    }
    const struct graph_tensor *value = constant_input(w, node, 2);
    w->pad_real =
        value && value->count == 1 ? value->constant[0] : graph_node_float(node, "value", 0);
    w->pad_node = node;
    w->padding = (struct bittern_window){.pad_top = (size_t)p[2],
                                         .pad_left = (size_t)p[3],
                                         .pad_bottom = (size_t)p[6],
                                         .pad_right = (size_t)p[7]};
    w->layout.shape.height += (size_t)(p[2] + p[6]);
    w->layout.shape.width += (size_t)(p[3] + p[7]);
    return BITTERN_OK;
}

/* Softmax keeps the order of scores; TopK and ArgMax choose from them. */
static bittern_status walk_end(struct walk *w, const struct graph_node *node)
{
    const struct graph_tensor *scores = &w->model->tensors[w->tensor];
    const struct graph_tensor *k = constant_input(w, node, 1);
    int64_t fallback = node->op == GRAPH_ARG_MAX ? 0 : -1;
    int64_t axis = graph_node_int(node, "axis", fallback);
    axis += axis < 0 ? (int64_t)scores->rank : 0;

    bool is_class =
        axis >= 0 && axis < (int64_t)scores->rank && (size_t)scores->dims[axis] == scores->count;
    if (!is_class && node->op == GRAPH_SOFTMAX && w->model->opset < 13 && axis == 1) {
        is_class = true; /* over everything from axis 1 on */
    }
    if (!is_class) {
        return unsupported(w, node, "it must go over all scores of an image");
    }
    if (node->op == GRAPH_TOP_K) {
        int64_t count = k ? (int64_t)k->constant[0] : graph_node_int(node, "k", 1);
        if (graph_node_int(node, "largest", 1) == 0 || count < 1 || (size_t)count > scores->count) {
            return unsupported(w, node, "only the largest scores can be chosen");
        }
        w->chain->top_k = (size_t)count;
    }
    w->has_ended = true;
    return BITTERN_OK;
}

/* ---- The walk ----------------------------------------------------------------------------------
 */

static bittern_status walk_op(struct walk *w, const struct graph_node *node)
{
    switch (node->op) {
    case GRAPH_CONV:
        return walk_conv(w, node);
    case GRAPH_GEMM:
    case GRAPH_MATMUL:
        return walk_full(w, node);
    case GRAPH_MAX_POOL:
        return walk_max_pool(w, node);
    case GRAPH_AVERAGE_POOL:
    case GRAPH_GLOBAL_AVERAGE_POOL:
        return walk_average_pool(w, node);
    case GRAPH_FLATTEN:
    case GRAPH_RESHAPE:
    case GRAPH_TRANSPOSE:
        return walk_layout(w, node);
    case GRAPH_PAD:
        return walk_pad(w, node);
    case GRAPH_SOFTMAX:
    case GRAPH_TOP_K:
    case GRAPH_ARG_MAX:
        return walk_end(w, node);
    default:
        return walk_function(w, node);
    }
}

static size_t count_readers(const struct bittern_model *model, size_t tensor)
{
    size_t count = 0;
    for (size_t i = 0; i < model->node_count; i++) {
        for (size_t j = 0; j < model->nodes[i].input_count; j++) {
            count += model->nodes[i].inputs[j] == tensor;
        }
    }
    return count;
}

static bool is_layout_op(enum graph_op op)
{
    return op == GRAPH_FLATTEN || op == GRAPH_RESHAPE || op == GRAPH_TRANSPOSE;
}

static bittern_status walk_node(struct walk *w, const struct graph_node *node)
{
    bool reads = false;
    for (size_t i = 0; i < node->input_count; i++) {
        reads = reads || node->inputs[i] == w->tensor;
    }
    if (!reads || count_readers(w->model, w->tensor) != 1) {
        return graph_node_fail(w->err, BITTERN_ERR_UNSUPPORTED, node,
                               "tensor '%s' has more than one reader; branches (residual "
                               "connections) cannot be compiled",
                               w->model->tensors[w->tensor].name);
    }
    if (w->has_ended && node->op != GRAPH_SOFTMAX && node->op != GRAPH_TOP_K &&
        node->op != GRAPH_ARG_MAX && node->op != GRAPH_IDENTITY && node->op != GRAPH_RESHAPE &&
        node->op != GRAPH_FLATTEN) {
        return unsupported(w, node, "nothing can be computed from a Softmax, TopK or ArgMax");
    }
    size_t stages = w->chain->count;
    bittern_status status = w->has_ended && node->op != GRAPH_TOP_K ? BITTERN_OK : walk_op(w, node);
    if (status != BITTERN_OK) {
        return status;
    }
    w->tensor = node->outputs[0];
    /* The tensor of an open stage: the latest one that holds its values, in plain order where
     * nothing is computed in another one. */
    if (!w->has_ended && !w->pad_node &&
        (w->chain->count > stages || !is_layout_op(node->op) ||
         compile_layout_is_plain(&w->layout))) {
        open_stage(w)->tensor = w->tensor;
    }
    return BITTERN_OK;
}

bittern_status compile_walk(const struct bittern_model *model, struct compile_arena *arena,
                            struct compile_chain *chain, struct bittern_error *err)
{
    struct walk w = {
        .model = model, .arena = arena, .chain = chain, .tensor = model->input, .err = err};
    struct compile_stage *image;

    *chain = (struct compile_chain){.top_k = 1};
    bittern_status status = compile_layout_begin(model, &w.layout, err);
    if (status == BITTERN_OK) {
        status = add_stage(&w, NULL, COMPILE_IMAGE, &image);
    }
    for (size_t i = 0; i < model->node_count && status == BITTERN_OK; i++) {
        status = walk_node(&w, &model->nodes[i]);
    }
    if (status == BITTERN_OK && w.pad_node) {
        status = unsupported(&w, w.pad_node, "only a convolution can follow a padding");
    }
    if (status == BITTERN_OK && chain->count < 2) {
        status = bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                   "graph '%s' has no convolution or full connection to compile",
                                   model->name);
    }
    return status;
}
