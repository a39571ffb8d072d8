/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside deploy_export: the model that grows, and where the graph's tensors are in it.
 *
 * The first failure sticks in `status`; what is called after it does nothing. So a layer is written
 * as a plain list of nodes, and the status is looked at once, at the end.
 */
#ifndef BITTERN_TRAIN_EXPORT_H
#define BITTERN_TRAIN_EXPORT_H

#include "deploy/deploy.h"

#define EXPORT_MAX_NAME 160

/* A tensor of the graph, as the model has it. */
struct export_tensor {
    char name[EXPORT_MAX_NAME];
    bool is_map; /* [batch, channels, rows, columns]; else [batch, values] */
};

struct exporter {
    struct bittern_model *model;
    const struct graph *graph;
    struct export_tensor *tensors; /* by the graph's numbers */
    size_t tensor_count;
    bittern_status status;
    struct bittern_error *err;
};

/* ---- Nodes (export_node.c) ------------------------------------------------------------------- */

/* "OWNER.WHAT", or OWNER where `what` is NULL; too long a name is an error. */
void export_join(struct exporter *e, const char *owner, const char *what, char *name);

/* A float32 initializer; NaN and infinities are BITTERN_ERR_RANGE. @param dims  [rank] */
void export_floats(struct exporter *e, const char *name, const int64_t *dims, size_t rank,
                   const float *values);
void export_scalar(struct exporter *e, const char *name, double value);

/* A node of the name of its only output. @param inputs  ends with NULL */
void export_node(struct exporter *e, const char *op, const char *output, const char *const *inputs,
                 const struct bittern_attribute *attributes, size_t attribute_count);

struct export_quant {
    const char *scale; /* name of an initializer */
    unsigned bits;
    bool is_signed, is_narrow;
};
/* Zero point 0, rounding half to even. */
void export_quant(struct exporter *e, const char *output, const char *input,
                  const struct export_quant *quant);
void export_bipolar_quant(struct exporter *e, const char *output, const char *input,
                          const char *scale);

struct bittern_attribute export_int(const char *name, int64_t value);
struct bittern_attribute export_ints(const char *name, const int64_t *values, size_t count);
struct bittern_attribute export_float(const char *name, float value);

/* ---- Parts ----------------------------------------------------------------------------------- */

/* Adds the model's input "image" and what makes the graph's tensor 0 of it (export_input.c). */
void export_input(struct exporter *e, const struct input_encoding *encoding);

/* Final weights of a layer as [filters][depth][height][width], through the quantizer that has
 * exactly these values, if one has (export_weights.c).
 * @param weights  [filters][height][width][depth]
 * @param flat     make it [filters][depth * height * width]
 * @param output   out: the name of the tensor that holds them */
struct export_weights {
    const char *layer;
    size_t filters, height, width, depth;
    bool flat;
    const float *values;
};
void export_weights(struct exporter *e, const struct export_weights *weights, char *output);

#endif
