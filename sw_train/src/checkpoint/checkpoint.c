/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints. All arrays that make up a run's state are listed as slots, by name; saving writes
 * the slots, loading looks each one up, checks its shape, and copies only when all have been found
 * and nothing is left over. The position is text in the metadata; a double has 17 digits, which
 * give back the same double.
 */
#include "checkpoint/checkpoint.h"

#include "checkpoint/safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "bittern-checkpoint"
#define VERSION 1
/* In front of optimizer state, so that a reader of weights alone can pass over it. */
#define OPTIMIZER_PREFIX "optimizer."
#define WHAT_TO_DO "use the recipe that is in the checkpoint, or start anew in another folder"

struct slot {
    char name[sizeof OPTIMIZER_PREFIX + sizeof((struct graph_buffer *)0)->name];
    size_t shape[2], rank, count;
    float *value;
};

struct slots {
    struct slot *slots;
    size_t count;
};

static void add_slot(struct slots *slots, const char *prefix, const char *name, size_t rows,
                     size_t count, float *value)
{
    struct slot *slot = &slots->slots[slots->count++];
    (void)snprintf(slot->name, sizeof slot->name, "%s%s", prefix, name);
    slot->count = count;
    slot->value = value;
    slot->rank = rows > 1 ? 2 : 1;
    slot->shape[0] = rows > 1 ? rows : count;
    slot->shape[1] = rows > 1 ? count / rows : 1;
}

/* Filters of the parameter that a state "adam.m.conv1.weight" belongs to, else 1. */
static size_t state_rows(struct graph *graph, const struct graph_buffer *state)
{
    size_t length = strlen(state->name);
    for (size_t i = 0; i < graph_parameter_count(graph); i++) {
        const struct parameter *parameter = graph_parameter(graph, i);
        size_t tail = strlen(parameter->name);
        if (parameter->count == state->count && tail < length &&
            state->name[length - tail - 1] == '.' &&
            strcmp(state->name + length - tail, parameter->name) == 0) {
            return parameter->rows;
        }
    }
    return 1;
}

static bittern_status list_slots(struct graph *graph, struct optimizer *optimizer,
                                 struct slots *slots, struct bittern_error *err)
{
    size_t states = optimizer ? optimizer_state_count(optimizer) : 0;
    size_t most = graph_parameter_count(graph) + graph_buffer_count(graph) + states;
    slots->count = 0;
    slots->slots = calloc(most + 1, sizeof *slots->slots);
    if (!slots->slots) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to list %zu tensors", most);
    }
    for (size_t i = 0; i < graph_parameter_count(graph); i++) {
        const struct parameter *parameter = graph_parameter(graph, i);
        add_slot(slots, "", parameter->name, parameter->rows, parameter->count, parameter->value);
    }
    for (size_t i = 0; i < graph_buffer_count(graph); i++) {
        const struct graph_buffer *buffer = graph_buffer(graph, i);
        add_slot(slots, "", buffer->name, 1, buffer->count, buffer->value);
    }
    for (size_t i = 0; i < states; i++) {
        const struct graph_buffer *state = optimizer_state(optimizer, i);
        add_slot(slots, OPTIMIZER_PREFIX, state->name, state_rows(graph, state), state->count,
                 state->value);
    }
    return BITTERN_OK;
}

/* ---- Position as metadata -------------------------------------------------------------------- */

/* Names and places of its members, in the file's order. */
static const struct {
    const char *key;
    size_t offset;
    bool real;
    bool optional; /* files of older builds lack it: 0 */
} fields[] = {
    {"seed", offsetof(struct checkpoint_position, seed), false, false},
    {"epoch", offsetof(struct checkpoint_position, epoch), false, false},
    {"batch", offsetof(struct checkpoint_position, batch), false, false},
    {"step", offsetof(struct checkpoint_position, step), false, false},
    {"best_accuracy", offsetof(struct checkpoint_position, best_accuracy), true, false},
    {"best_epoch", offsetof(struct checkpoint_position, best_epoch), false, false},
    {"loss_sum", offsetof(struct checkpoint_position, loss_sum), true, false},
    {"method_loss_sum", offsetof(struct checkpoint_position, method_loss_sum), true, true},
    {"correct", offsetof(struct checkpoint_position, correct), false, false},
    {"images", offsetof(struct checkpoint_position, images), false, false},
    {"seconds", offsetof(struct checkpoint_position, seconds), true, true},
    {"wait_seconds", offsetof(struct checkpoint_position, wait_seconds), true, true},
    {"mixed", offsetof(struct checkpoint_position, mixed), false, true},
};
#define COMPUTED_BY "computed_by"
#define FIELD_COUNT (sizeof fields / sizeof fields[0])
#define NUMBER_SIZE 32

static void print_field(const struct checkpoint_position *position, size_t index, char *text)
{
    const char *member = (const char *)position + fields[index].offset;
    if (fields[index].real) {
        double value;
        memcpy(&value, member, sizeof value);
        (void)snprintf(text, NUMBER_SIZE, "%.17g", value);
    } else {
        uint64_t value;
        memcpy(&value, member, sizeof value);
        (void)snprintf(text, NUMBER_SIZE, "%" PRIu64, value);
    }
}

static bool parse_u64(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0) {
        return false;
    }
    *value = number;
    return true;
}

static bool parse_field(const char *text, size_t index, struct checkpoint_position *position)
{
    char *member = (char *)position + fields[index].offset;
    if (fields[index].real) {
        char *end;
        double value = strtod(text, &end);
        memcpy(member, &value, sizeof value);
        return end != text && *end == '\0';
    }
    uint64_t value = 0;
    bool right = parse_u64(text, &value);
    memcpy(member, &value, sizeof value);
    return right;
}

static bittern_status read_number(const struct safetensors *file, const char *path, const char *key,
                                  uint64_t *value, struct bittern_error *err)
{
    const char *text = safetensors_metadata(file, key);
    if (!text || !parse_u64(text, value)) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "'%s' is no whole checkpoint: its metadata '%s' is %.40s", path,
                                 key, text ? text : "missing");
    }
    return BITTERN_OK;
}

static bittern_status read_position(const struct safetensors *file, const char *path,
                                    struct checkpoint_position *position, struct bittern_error *err)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const char *text = safetensors_metadata(file, fields[i].key);
        if (!text && fields[i].optional) {
            continue;
        }
        if (!text || !parse_field(text, i, position)) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                     "'%s' is no whole checkpoint: its metadata '%s' is %.40s",
                                     path, fields[i].key, text ? text : "missing");
        }
    }
    const char *computed_by = safetensors_metadata(file, COMPUTED_BY);
    (void)snprintf(position->computed_by, sizeof position->computed_by, "%s",
                   computed_by ? computed_by : "");
    return BITTERN_OK;
}

/* ---- Saving ---------------------------------------------------------------------------------- */

bittern_status checkpoint_save(const char *path, struct graph *graph, struct optimizer *optimizer,
                               const struct checkpoint_position *position, const char *recipe_text,
                               struct bittern_error *err)
{
    struct slots slots = {NULL, 0};
    struct safetensors_tensor *tensors = NULL;
    char numbers[FIELD_COUNT + 2][NUMBER_SIZE];
    struct safetensors_entry metadata[FIELD_COUNT + 5];
    size_t entries = 0;

    bittern_status status = list_slots(graph, optimizer, &slots, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    tensors = calloc(slots.count + 1, sizeof *tensors);
    if (!tensors) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to write '%s'", path);
        goto cleanup;
    }
    for (size_t i = 0; i < slots.count; i++) {
        const struct slot *slot = &slots.slots[i];
        tensors[i] = (struct safetensors_tensor){.name = slot->name,
                                                 .type = SAFETENSORS_F32,
                                                 .shape = {slot->shape[0], slot->shape[1]},
                                                 .rank = slot->rank,
                                                 .data = slot->value};
    }
    metadata[entries++] = (struct safetensors_entry){"format", FORMAT};
    (void)snprintf(numbers[FIELD_COUNT], NUMBER_SIZE, "%d", VERSION);
    metadata[entries++] = (struct safetensors_entry){"version", numbers[FIELD_COUNT]};
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        print_field(position, i, numbers[i]);
        metadata[entries++] = (struct safetensors_entry){fields[i].key, numbers[i]};
    }
    if (optimizer) {
        (void)snprintf(numbers[FIELD_COUNT + 1], NUMBER_SIZE, "%" PRIu64,
                       optimizer_steps(optimizer));
        metadata[entries++] =
            (struct safetensors_entry){"optimizer_steps", numbers[FIELD_COUNT + 1]};
    }
    metadata[entries++] = (struct safetensors_entry){COMPUTED_BY, position->computed_by};
    metadata[entries++] = (struct safetensors_entry){"recipe", recipe_text};
    status = safetensors_write(path, tensors, slots.count, metadata, entries, err);
cleanup:
    free(tensors);
    free(slots.slots);
    return status;
}

/* ---- Loading --------------------------------------------------------------------------------- */

/* "[32, 25]" */
static void print_shape(const size_t *shape, size_t rank, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "[");
    for (size_t i = 0; i < rank && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, i == 0 ? "%zu" : ", %zu", shape[i]);
    }
    if (used < size) {
        (void)snprintf(text + used, size - used, "]");
    }
}

static bool is_optimizer_state(const char *name)
{
    return strncmp(name, OPTIMIZER_PREFIX, sizeof OPTIMIZER_PREFIX - 1) == 0;
}

static bittern_status check_slot(const struct slot *slot, const struct safetensors *file,
                                 const char *path, struct bittern_error *err)
{
    const struct safetensors_tensor *tensor = safetensors_find(file, slot->name);
    char needed[64];
    char found[120];
    print_shape(slot->shape, slot->rank, needed, sizeof needed);
    if (!tensor && is_optimizer_state(slot->name)) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "'%s' has no tensor '%s': it was saved without optimizer state, "
                                 "or by another optimizer; " WHAT_TO_DO,
                                 path, slot->name);
    }
    if (!tensor) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "'%s' is of another network: it has no tensor '%s' of shape "
                                 "%s; " WHAT_TO_DO,
                                 path, slot->name, needed);
    }
    print_shape(tensor->shape, tensor->rank, found, sizeof found);
    if (tensor->type != SAFETENSORS_F32) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH, "'%s': tensor '%s' is not of type F32",
                                 path, slot->name);
    }
    if (tensor->rank != slot->rank ||
        memcmp(tensor->shape, slot->shape, slot->rank * sizeof slot->shape[0]) != 0) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "'%s' is of another network: its tensor '%s' has shape %s, this "
                                 "network's %s; " WHAT_TO_DO,
                                 path, slot->name, found, needed);
    }
    return BITTERN_OK;
}

static int compare_slots(const void *a, const void *b)
{
    return strcmp(((const struct slot *)a)->name, ((const struct slot *)b)->name);
}

/* Every slot is in the file, and nothing else. Sorts the slots. */
static bittern_status check_tensors(struct slots *slots, bool with_optimizer,
                                    const struct safetensors *file, const char *path,
                                    struct bittern_error *err)
{
    for (size_t i = 0; i < slots->count; i++) {
        bittern_status status = check_slot(&slots->slots[i], file, path, err);
        if (status != BITTERN_OK) {
            return status;
        }
    }
    if (slots->count > 0) {
        qsort(slots->slots, slots->count, sizeof slots->slots[0], compare_slots);
    }
    for (size_t i = 0; i < safetensors_count(file); i++) {
        const char *name = safetensors_get(file, i)->name;
        struct slot key;
        (void)snprintf(key.name, sizeof key.name, "%s", name);
        bool known = strcmp(key.name, name) == 0 && slots->count > 0 &&
                     bsearch(&key, slots->slots, slots->count, sizeof key, compare_slots);
        if (!known && (with_optimizer || !is_optimizer_state(name))) {
            return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                     "'%s' is of another network%s: this one has no tensor '%.100s'"
                                     "; " WHAT_TO_DO,
                                     path, is_optimizer_state(name) ? " or optimizer" : "", name);
        }
    }
    return BITTERN_OK;
}

static bittern_status read_checkpoint(const char *path, struct safetensors **file,
                                      struct bittern_error *err)
{
    uint64_t version = 0;
    bittern_status status = safetensors_read(path, file, err);
    if (status != BITTERN_OK) {
        return status;
    }
    const char *format = safetensors_metadata(*file, "format");
    if (!format || strcmp(format, FORMAT) != 0) {
        status = bittern_error_set(err, BITTERN_ERR_FORMAT,
                                   "'%s' is a safetensors file, but no checkpoint of Bittern: its "
                                   "metadata 'format' is %.40s, not " FORMAT,
                                   path, format ? format : "missing");
        goto cleanup;
    }
    status = read_number(*file, path, "version", &version, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    if (version != VERSION) {
        status = bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                   "'%s' has version %" PRIu64 " of the checkpoint format; this "
                                   "program reads version %d",
                                   path, version, VERSION);
    }
cleanup:
    if (status != BITTERN_OK) {
        safetensors_free(*file);
        *file = NULL;
    }
    return status;
}

bittern_status checkpoint_load(const char *path, struct graph *graph, struct optimizer *optimizer,
                               struct checkpoint_position *position, struct bittern_error *err)
{
    struct safetensors *file = NULL;
    struct slots slots = {NULL, 0};
    struct checkpoint_position read = {0};
    uint64_t steps = 0;

    bittern_status status = read_checkpoint(path, &file, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = read_position(file, path, &read, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = list_slots(graph, optimizer, &slots, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = check_tensors(&slots, optimizer != NULL, file, path, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    if (optimizer) {
        status = read_number(file, path, "optimizer_steps", &steps, err);
        if (status != BITTERN_OK) {
            goto cleanup;
        }
        optimizer_set_steps(optimizer, steps);
    }
    for (size_t i = 0; i < slots.count; i++) {
        const struct slot *slot = &slots.slots[i];
        memcpy(slot->value, safetensors_find(file, slot->name)->data,
               slot->count * sizeof slot->value[0]);
    }
    graph_weights_changed(graph);
    if (position) {
        *position = read;
    }
cleanup:
    free(slots.slots);
    safetensors_free(file);
    return status;
}

bittern_status checkpoint_read_recipe(const char *path, char **recipe_text, uint64_t *seed,
                                      struct bittern_error *err)
{
    struct safetensors *file = NULL;
    *recipe_text = NULL;
    bittern_status status = read_checkpoint(path, &file, err);
    if (status != BITTERN_OK) {
        return status;
    }
    const char *text = safetensors_metadata(file, "recipe");
    if (!text) {
        status = bittern_error_set(err, BITTERN_ERR_FORMAT, "'%s' holds no recipe", path);
        goto cleanup;
    }
    status = read_number(file, path, "seed", seed, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    *recipe_text = strdup(text);
    if (!*recipe_text) {
        status =
            bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for the recipe of '%s'", path);
    }
cleanup:
    safetensors_free(file);
    return status;
}
