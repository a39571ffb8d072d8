/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The accelerator in plain, slow C, written from docs/device-program.md alone: nothing is shared
 * with the compiler. Compiler, page and Verilog are each compared with it, so that a difference
 * shows which of them is wrong.
 *
 * It is as hostile as hardware: memory that nothing has written holds noise, sums wrap at the
 * hardware's widths, the next input overwrites its region as soon as that is allowed, and two lanes
 * in one bank are an error.
 */
#ifndef BITTERN_DEVICE_MODEL_H
#define BITTERN_DEVICE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct device_model;

/* Sees the feature memory after each layer that writes a map: images first..first+count-1 of the
 * start. Values are read with device_model_value. */
typedef void (*device_model_observer)(void *user, const struct device_model *model, size_t layer,
                                      size_t first, size_t count);

struct device_model_start {
    const uint8_t *program;
    size_t program_bytes;
    const uint8_t *input;
    uint8_t *output;
    uint32_t images;
    uint64_t noise;                 /* seed of what unwritten memory holds */
    device_model_observer observer; /* NULL if not wanted */
    void *user;
};

/* Run; on failure the message says what the program does wrong. */
bool device_model_run(const struct device_model_start *start, char *message, size_t message_size);

/* What the layer that has just ended stored for a channel and pixel of image `image` of its
 * sub-batch: -1, 0, +1, or the stored byte with its FLIP undone, as a signed or unsigned number. */
int32_t device_model_value(const struct device_model *model, size_t image, size_t channel, size_t y,
                           size_t x);

#endif
