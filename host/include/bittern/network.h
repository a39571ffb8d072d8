/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The integer network: what trainer, reference engine and accelerator compute, bit for bit.
 *
 * A network is a chain of layers. Each layer reads the previous layer's output (the first one the
 * quantized image) and computes, for one output position and output channel,
 *
 *     acc = sum over taps and input channels of weight * value         (convolution, full
 * connection) acc = sum over taps of value                                      (average pooling as
 * a sum) acc = sum of acc over a pooling window                            (where sum_pool is set)
 *     q   = activation(acc)                                             (threshold(s), scale, or
 * acc) q   = max, or for some channels min, of q over a pooling window   (where max_pool is set)
 *
 * all in integers; docs/numerics.md states every rule as an equation. Every array below belongs to
 * the network, is read-only, and lives until bittern_network_free.
 *
 * Shapes: values are [channel][row][column] for one image wherever this library exposes them.
 */
#ifndef BITTERN_NETWORK_H
#define BITTERN_NETWORK_H

#include <bittern/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bittern_model;
struct bittern_network;

/** What a value between layers can be. */
enum bittern_value_kind {
    BITTERN_VALUE_BINARY = 1,  /* {-1,+1}, one bit; padding is an exact 0 outside of the levels */
    BITTERN_VALUE_TERNARY = 2, /* {-1,0,+1}, also {0,1} and {-1,0}; two bits */
    BITTERN_VALUE_INT = 3,     /* minimum..maximum in 2 to 8 bits, signed or unsigned */
    BITTERN_VALUE_ACC = 4      /* the accumulator itself, int32: last layer only */
};

struct bittern_value_type {
    enum bittern_value_kind kind;
    uint8_t bits;    /* 1, 2, 2..8, 32 */
    bool is_signed;  /* INT: two's complement; BINARY, TERNARY and ACC: true */
    int32_t minimum; /* smallest and largest value that occur by construction; */
    int32_t maximum; /* for ACC the proven range of the accumulator */
};

struct bittern_shape {
    size_t channels, height, width; /* full connection: {features, 1, 1} */
};

enum bittern_layer_op {
    BITTERN_LAYER_CONV = 1, /* cross-correlation as ONNX Conv: group 1, dilation 1 */
    BITTERN_LAYER_FC = 2,   /* full connection over the flattened input, in (row, column, channel)
                               order: channel varies fastest */
    BITTERN_LAYER_SUM = 3   /* no weights: acc = sum of the input over the window, a channel */
};

/** Kernel or window geometry, in rows and columns of what it slides over. */
struct bittern_window {
    size_t kernel_h, kernel_w; /* >= 1 */
    size_t stride_h, stride_w; /* >= 1 */
    size_t pad_top, pad_left, pad_bottom, pad_right;
};

enum bittern_weight_kind {
    BITTERN_WEIGHT_NONE = 0,    /* SUM layers */
    BITTERN_WEIGHT_BINARY = 1,  /* {-1,+1} */
    BITTERN_WEIGHT_TERNARY = 2, /* {-1,0,+1} */
    BITTERN_WEIGHT_PLANES = 3   /* sum over planes of multiplier * (binary or ternary plane) */
};

/**
 * One bit plane pair: t in {-1,+1} (minus == NULL: bit set in plus means +1, clear means -1) or
 * t in {-1,0,+1} (bit set in plus: +1, in minus: -1, in neither: 0; never in both).
 *
 * Words: [output channel][tap][ceil(input channels / 64)] for CONV, tap = row * kernel_w + column;
 * [output channel][ceil(inputs / 64)] for FC. Input channel (or input) i is bit i % 64 of word
 * i / 64. Bits past the last input are 0 in every word.
 */
struct bittern_plane {
    int32_t multiplier; /* >= 1; 1 where the layer has only this plane */
    const uint64_t *plus;
    const uint64_t *minus;
};

#define BITTERN_MAX_PLANES 8

struct bittern_weights {
    enum bittern_weight_kind kind;
    size_t plane_count; /* 0 for NONE, 1 for BINARY and TERNARY, else 1..BITTERN_MAX_PLANES */
    struct bittern_plane planes[BITTERN_MAX_PLANES];
    size_t words_per_output; /* 64-bit words that a plane spends on one output channel */
    size_t bits;             /* bits a weight: binary planes count 1, ternary ones 2 */
};

enum bittern_activation_kind {
    BITTERN_ACTIVATION_NONE = 0,    /* q = acc */
    BITTERN_ACTIVATION_SIGN = 1,    /* one threshold a channel */
    BITTERN_ACTIVATION_TERNARY = 2, /* two thresholds a channel */
    BITTERN_ACTIVATION_SCALE = 3    /* clamp((acc * M + B) >> S), a triple a channel */
};

/** Where SCALE rounds a tie to: QONNX's half-to-even needs other than UP where ties can occur. */
enum bittern_ties { BITTERN_TIES_UP = 0, BITTERN_TIES_EVEN = 1, BITTERN_TIES_ODD = 2 };

/**
 * All arrays have one entry an output channel; those that a kind does not use are NULL.
 *
 *   SIGN     q = acc >= high ? +1 : -1                       descending: acc <= high ? +1 : -1
 *   TERNARY  q = acc >= high ? +1 : acc < low ? -1 : 0       descending: acc <= high ? +1
 *            with low <= high                                            : acc > low ? -1 : 0
 *                                                            with high <= low
 *   SCALE    q = clamp((acc * M + B) >> S, minimum, maximum), an arithmetic shift (floor); B holds
 *            the rounding half; acc * M + B fits 48 bits signed over the layer's accumulator range.
 *            A tie is an acc at which the shift drops zeros only: a channel with BITTERN_TIES_EVEN
 *            or _ODD takes one less there where (acc * M + B) >> S is odd, or even.
 */
struct bittern_activation {
    enum bittern_activation_kind kind;
    const int32_t *threshold_low;
    const int32_t *threshold_high;
    const uint8_t *descending; /* SIGN, TERNARY: 1 where the activation falls as acc rises */
    const int32_t *multiplier; /* M, |M| < 2^24; negative where the activation falls */
    const int64_t *offset;     /* B */
    const uint8_t *shift;      /* S, 0..47 */
    const uint8_t *ties;       /* enum bittern_ties; NULL: UP in all channels */
};

struct bittern_layer {
    const char *name;        /* of the ONNX node that it came from */
    const char *output_name; /* ONNX tensor that `scale * q + bias` of this layer equals */
    enum bittern_layer_op op;

    struct bittern_shape input;  /* before padding */
    struct bittern_shape conv;   /* of acc before pooling */
    struct bittern_shape output; /* after pooling */
    struct bittern_value_type input_type;
    struct bittern_value_type output_type;

    struct bittern_window window; /* CONV, SUM; FC: all ones, no padding */
    int32_t pad_value;            /* what padded taps hold; 0 but for a zero point. BINARY input: 0,
                                     so padded taps count nothing */
    struct bittern_weights weights;
    int32_t acc_min, acc_max; /* proven range of acc as the activation sees it, over all channels */

    bool has_sum_pool; /* acc is summed over this window before the activation; no padding */
    struct bittern_window sum_pool;
    struct bittern_activation activation;
    bool has_max_pool; /* after the activation; padded taps are ignored */
    struct bittern_window max_pool;
    const uint8_t *take_min; /* [channel] 1 where the pool takes the minimum; NULL: none does */

    /* What the integers mean: real value of channel c = scale[c] * q + bias[c]. Not needed to run
     * the network, but to read its outputs: the last layer's give the class scores. */
    const double *scale;
    const double *bias;

    /* Channels whose SCALE triple differs from the float graph at some accumulator value, and at
     * how many values of its range; empty for all other activations. */
    size_t inexact_count;
    const size_t *inexact_channels;
    const uint64_t *inexact_values;
};

/** How an 8-bit image becomes the first layer's input. */
struct bittern_input {
    const char *name;           /* ONNX input */
    struct bittern_shape shape; /* of one image: [channels][height][width] of uint8 */
    struct bittern_value_type type;
    const int16_t *table; /* [channels][256]: value that replaces pixel value u of channel c */
};

/** What `--input-range` says: the real number that the float model expects for pixel value u. */
enum bittern_input_range {
    BITTERN_INPUT_0_255 = 0,   /* u */
    BITTERN_INPUT_0_1 = 1,     /* u / 255 */
    BITTERN_INPUT_MINUS1_1 = 2 /* 2 * u / 255 - 1 */
};

struct bittern_compile_options {
    enum bittern_input_range input_range;
    /* Relative error up to which the values of a channel count as integer multiples of one step.
     * 0: the default, 2^-20, which absorbs float32 rounding only. */
    double weight_tolerance;
    /* Largest accepted |weight| in such steps, 1..255; 0: the default, 127. */
    int32_t max_weight_level;
};

/**
 * Fold a float graph of quantizers into an integer network (docs/numerics.md).
 *
 * @param options  NULL for the defaults (input 0..1)
 * @param network  out: to be freed with bittern_network_free; NULL on failure
 * @return BITTERN_OK; BITTERN_ERR_UNSUPPORTED where a node, weight or activation has no exact
 *         integer form, with the node and the reason; BITTERN_ERR_RANGE where an accumulator could
 *         leave int32
 */
BITTERN_API bittern_status bittern_network_compile(const struct bittern_model *model,
                                                   const struct bittern_compile_options *options,
                                                   struct bittern_network **network,
                                                   struct bittern_error *err);

/** Free a network; NULL is fine. */
BITTERN_API void bittern_network_free(struct bittern_network *network);

BITTERN_API const char *bittern_network_name(const struct bittern_network *network);
BITTERN_API const struct bittern_input *
bittern_network_input(const struct bittern_network *network);
BITTERN_API size_t bittern_network_layer_count(const struct bittern_network *network);

/** Layer 0..count-1; NULL past the end. */
BITTERN_API const struct bittern_layer *bittern_network_layer(const struct bittern_network *network,
                                                              size_t index);

/** Values in the last layer's output, the number of classes of a classifier. */
BITTERN_API size_t bittern_network_output_count(const struct bittern_network *network);

/** How many of the highest-scoring classes the graph returns: 1, or k where it ended in TopK. */
BITTERN_API size_t bittern_network_top_k(const struct bittern_network *network);

/**
 * Class with the highest score scale[c] * q[c] + bias[c]; the lowest index where several are equal.
 * @param values  [bittern_network_output_count] outputs of the last layer
 */
BITTERN_API size_t bittern_network_classify(const struct bittern_network *network,
                                            const int32_t *values);

/** Weight of output channel o, tap (row, column), input channel i, in integer steps. */
BITTERN_API int32_t bittern_layer_weight(const struct bittern_layer *layer, size_t output_channel,
                                         size_t row, size_t column, size_t input_channel);

/** Multiply-accumulates of one image, padding counted; 0 for SUM layers. */
BITTERN_API uint64_t bittern_layer_macs(const struct bittern_layer *layer);

/** Number of weights, and of bytes they take at `bits` a weight (rounded up a layer). */
BITTERN_API uint64_t bittern_layer_weight_count(const struct bittern_layer *layer);
BITTERN_API uint64_t bittern_layer_weight_bytes(const struct bittern_layer *layer);

/** Compression against 32-bit weights: sum(#W * 32) / sum(#W * bits) over all layers. */
BITTERN_API double bittern_network_compression(const struct bittern_network *network);

BITTERN_API const char *bittern_weight_kind_name(enum bittern_weight_kind kind);
BITTERN_API const char *bittern_value_kind_name(enum bittern_value_kind kind);
BITTERN_API const char *bittern_activation_kind_name(enum bittern_activation_kind kind);
BITTERN_API const char *bittern_layer_op_name(enum bittern_layer_op op);

#ifdef __cplusplus
}
#endif

#endif
