/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a finished ONNX graph to the integer network, in steps:
 *
 *     compile_walk.c     the chain of nodes becomes stages: a source of integers (image, linear op
 *                        or sum), and the elementwise functions and pools behind it
 *     compile_layout.c   which axis is the channel, and in what order a tensor was flattened
 *     compile_weights.c  a linear op's real weights become integers times a step a channel
 *     compile_planes.c   those integers become bit planes
 *     compile_stage.c    a stage as a function of its accumulator, in the graph's own float64
 *     compile_levels.c   that function's steps, and the grid that its values stand on
 *     compile_choose.c   what value type holds those values
 *     compile_scale.c    M, B and S that reproduce such steps
 *     compile_layer.c    puts a layer together
 *
 * A stage is closed by the next linear op (or sum), whose padding decides which value type will do;
 * that is why the walk comes first, and the numbers after it.
 */
#ifndef BITTERN_COMPILE_H
#define BITTERN_COMPILE_H

#include "model/graph.h"
#include "model/graph_semantics.h"
#include "network/network_build.h"

/* ---- Memory (compile_arena.c) ------------------------------------------------------------------
 */

/* Blocks that are freed together. */
struct compile_arena {
    struct compile_block *blocks;
};
/* Zeroed; NULL, with err set, where there is none. */
void *compile_allocate(struct compile_arena *arena, size_t count, size_t size,
                       struct bittern_error *err);
void compile_arena_free(struct compile_arena *arena);

/* ---- Layout (compile_layout.c) -----------------------------------------------------------------
 */

/* Which of channel, row and column the axes of a tensor are. */
enum compile_axis { COMPILE_CHANNEL, COMPILE_ROW, COMPILE_COLUMN };

struct compile_layout {
    struct bittern_shape shape;
    bool is_flat;               /* [1, values]; else [1, three axes] */
    enum compile_axis order[3]; /* from slowest to fastest in memory */
};

/* Of the graph's input: channels last where a Transpose that makes them first follows. */
bittern_status compile_layout_begin(const struct bittern_model *model,
                                    struct compile_layout *layout, struct bittern_error *err);
/* Follow a Flatten, Reshape or Transpose. `may_reshape`: nothing depends on the channels yet. */
bittern_status compile_layout_follow(const struct bittern_model *model,
                                     const struct graph_node *node, bool may_reshape,
                                     struct compile_layout *layout, struct bittern_error *err);
/* Is the tensor [1, channel, row, column] (or flat in that order) in memory? */
bool compile_layout_is_plain(const struct compile_layout *layout);
/* Refuse a function whose constants do not follow the channels. */
bittern_status compile_layout_check_spread(const struct graph_node *node,
                                           const struct graph_function *function,
                                           const struct compile_layout *layout,
                                           struct bittern_error *err);
/* Position in a flattened tensor of (channel, row, column). */
size_t compile_layout_index(const struct compile_layout *layout, size_t channel, size_t row,
                            size_t column);

/* ---- Stages (compile_walk.c) -------------------------------------------------------------------
 */

enum compile_source { COMPILE_IMAGE, COMPILE_LINEAR, COMPILE_SUM };

struct compile_stage {
    enum compile_source source;
    const struct graph_node *node; /* NULL for the image */
    const char *name;
    size_t tensor; /* that the stage's output equals, functions and pools included */
    enum bittern_layer_op op;
    struct compile_layout input;
    struct bittern_shape conv, output;
    struct bittern_window window;

    struct graph_function *functions; /* in order */
    size_t function_count, function_capacity;

    bool has_sum_pool; /* on accumulators, behind the first sum_pool_after functions */
    size_t sum_pool_after;
    struct bittern_window sum_pool;
    bool is_moved;     /* the pool stood in front of the linear op, so the bias comes behind it */
    bool has_max_pool; /* behind the first max_pool_after functions */
    size_t max_pool_after;
    struct bittern_window max_pool;

    /* What the next stage pads this one's output with, as a real number. */
    bool is_padded;
    double pad_real;
};

struct compile_chain {
    struct compile_stage *stages;
    size_t count, capacity;
    size_t top_k;
};

bittern_status compile_walk(const struct bittern_model *model, struct compile_arena *arena,
                            struct compile_chain *chain, struct bittern_error *err);

/* ---- Values between layers ---------------------------------------------------------------------
 */

/* A stage's output: real value = scale[c] * q + offset[c]. */
struct compile_values {
    struct bittern_value_type type;
    struct bittern_shape shape;
    double *scale, *offset;
    int32_t pad_value; /* q of the next stage's padding */
};

/* ---- Weights (compile_weights.c, compile_planes.c) ---------------------------------------------
 */

struct compile_weights {
    size_t outputs, inputs; /* inputs in the order (row, column, channel) */
    int32_t *levels;        /* [outputs][inputs] */
    double *step;           /* [outputs]: real weight times the input's scale = step * level */
    double *offset;         /* [outputs]: sum of weight * offset of the input */
    double *bias;           /* [outputs], NULL: none */
    double alpha;           /* Gemm's factor */
};

/*
 * Integers for the values of one channel: levels[i] = values[i] / step, the smallest that are exact
 * within `tolerance` relative; step 0 where all values are 0.
 * @return 0, or the number of distinct values where there is no such step
 */
size_t compile_find_levels(const double *values, size_t count, double tolerance, int32_t max_level,
                           int32_t *levels, double *step);

bittern_status compile_read_weights(const struct bittern_model *model,
                                    const struct compile_stage *stage,
                                    const struct compile_values *input,
                                    const struct bittern_compile_options *options,
                                    struct compile_arena *arena, struct compile_weights *weights,
                                    struct bittern_error *err);

/*
 * Choose the cheapest planes that hold the levels, and pack them into the layer. Where these need
 * other integers (a multiple, or a stand-in for the weights of a channel all zero), levels and
 * steps are changed with them.
 */
bittern_status compile_pack_weights(struct bittern_network *network, struct bittern_layer *layer,
                                    struct compile_weights *weights, struct bittern_error *err);

/* ---- The stage as a function (compile_stage.c) -------------------------------------------------
 */

/* Accumulator values that can occur: minimum, minimum + stride, ..., maximum. */
struct compile_lattice {
    int64_t minimum, maximum, stride;
};

struct compile_expression {
    const struct compile_stage *stage;
    const struct compile_weights *weights; /* NULL for the image and sums */
    enum bittern_input_range input_range;  /* of the image */
    const double *scale, *offset; /* [channels]; x = fl(acc * scale + offset), then / divisor */
    double divisor;               /* 1: none */
    bool has_bias;                /* then fl(alpha * x) + bias */
    size_t first, count;          /* functions [first, count) of the stage come behind that */
};

/* Real value of the stage in front of function `count`, for accumulator `acc`. */
double compile_apply(const struct compile_expression *e, size_t channel, int64_t acc);
/* Functions [from, to) of a stage as a * x + b; they must be affine. */
void compile_affine(const struct compile_stage *stage, size_t from, size_t to, size_t channel,
                    double *a, double *b);
bool compile_is_affine(const struct compile_stage *stage, size_t from, size_t to);
/* Direction of functions [from, to): +1, -1, or 0 where one is constant. */
int compile_slope(const struct compile_stage *stage, size_t from, size_t to, size_t channel);
/* Number of functions up to the last one that is not affine; what follows goes into the scale. */
size_t compile_cut(const struct compile_stage *stage);
/* What occurs in each channel, from its weights and the input's type. */
bittern_status compile_find_lattices(const struct compile_stage *stage,
                                     const struct compile_values *input,
                                     const struct compile_weights *weights,
                                     struct compile_lattice *lattices, struct bittern_error *err);

/* ---- Steps, grids and types (compile_levels.c, compile_choose.c) -------------------------------
 */

#define COMPILE_MAX_LEVELS 256

/* The function is `value` for all accumulators first..last of the lattice. */
struct compile_piece {
    int64_t first, last;
    double value;
    int32_t q;
};

struct compile_staircase {
    size_t count;
    struct compile_piece *pieces; /* [count], from the smallest accumulator up */
};

/* Find all steps of a monotone function by bisection. More than COMPILE_MAX_LEVELS pieces or a
 * value that is not finite: BITTERN_ERR_UNSUPPORTED, without a place. */
bittern_status compile_find_steps(const struct compile_expression *e, size_t channel,
                                  const struct compile_lattice *lattice,
                                  struct compile_arena *arena, struct compile_staircase *staircase,
                                  struct bittern_error *err);

/* value = step * k + offset for all of some values; offset is 0 where 0 is on the grid. */
struct compile_grid {
    double step, offset;
    int32_t k_min, k_max;
    bool has_zero;
};

/* values: [count] rising, distinct, 2 or more; false where no grid of 256 points holds them. */
bool compile_find_grid(const double *values, size_t count, struct compile_grid *grid);
/* k of a value; false where it is not on the grid. */
bool compile_grid_index(const struct compile_grid *grid, double value, int32_t *k);

/* One grid for all channels where there is one, else one a channel; or one a channel at any rate.
 */
enum compile_grids { COMPILE_GRID_ANY, COMPILE_GRID_A_CHANNEL };

/*
 * Choose the value type, scale and offset for a stage's outputs in front of its affine tail, and
 * fill in each piece's q. pad_real: [channels] what the next stage pads with, in the same place;
 * NULL: it does not pad.
 */
bittern_status compile_choose_values(struct compile_staircase *staircases, size_t channels,
                                     enum compile_grids grids, const double *pad_real,
                                     struct compile_arena *arena, struct compile_values *values,
                                     struct bittern_error *err);

/*
 * Put a value into a rising list of distinct ones; nothing happens where it is in it already.
 * @return false where it is new and the list holds `capacity` values
 */
bool compile_insert_sorted(double *values, size_t *count, size_t capacity, double value);

/* ---- M, B and S (compile_scale.c) --------------------------------------------------------------
 */

struct compile_scale {
    int32_t multiplier;
    int64_t offset;
    uint8_t shift;
    uint8_t ties;   /* enum bittern_ties; UP unless another rule makes it right everywhere */
    uint64_t wrong; /* accumulator values of the lattice that it gets wrong */
};

/*
 * Find the triple with the smallest shift that is right everywhere; else, of the triples tried, the
 * one that is wrong at the fewest values, by one level only.
 * @param acc_min, acc_max  the layer's range, in which acc * M + B must fit its 48 bits
 * @return false where some value is wrong by more than one level
 */
bool compile_find_scale(const struct compile_staircase *staircase, int64_t stride, int32_t minimum,
                        int32_t maximum, int64_t acc_min, int64_t acc_max,
                        struct compile_scale *scale);

/* ---- Layers (compile_layer.c) ------------------------------------------------------------------
 */

struct compile_context {
    const struct bittern_model *model;
    struct bittern_compile_options options; /* defaults filled in */
    struct bittern_network *network;
    struct compile_arena scratch; /* of one layer */
};

bittern_status compile_image(struct compile_context *c, const struct compile_stage *stage,
                             struct compile_values *values, struct bittern_error *err);
/* @param values  in: the layer's input; out: its output */
bittern_status compile_layer(struct compile_context *c, const struct compile_stage *stage,
                             bool is_last, struct bittern_layer *layer,
                             struct compile_values *values, struct bittern_error *err);

#endif
