/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacking foreign bytes safely. protobuf-c recurses into nested messages, and allocates what the
 * bytes say; so the nesting is checked first without recursion, and allocation has a budget.
 */
#include "model/onnx.h"

#include <stdlib.h>

#define MAX_NESTING 24 /* a model without subgraphs needs less than ten levels */
/* Two bytes can make one empty message of some hundred; ordinary files need about three times their
 * size. */
#define BUDGET_FACTOR 24
#define BUDGET_BASE ((size_t)1 << 20)

struct cursor {
    const uint8_t *data;
    size_t at;
};

struct level {
    const ProtobufCMessageDescriptor *type;
    size_t end;
    uint64_t seen; /* single messages of this one, by the field's place in the descriptor */
};

static bool read_varint(struct cursor *cursor, size_t end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && cursor->at < end; shift += 7) {
        uint8_t byte = cursor->data[cursor->at++];
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            return true;
        }
    }
    return false;
}

/* The length of a field's content by its wire type; false for types that do not exist any more. */
static bool read_length(struct cursor *cursor, size_t end, unsigned wire_type, uint64_t *length)
{
    switch (wire_type) {
    case 0: {
        uint64_t ignored;
        *length = 0;
        return read_varint(cursor, end, &ignored);
    }
    case 1:
        *length = 8;
        return true;
    case 2:
        return read_varint(cursor, end, length);
    case 5:
        *length = 4;
        return true;
    default:
        return false;
    }
}

static bittern_status scan_field(struct cursor *cursor, struct level *levels, size_t *depth,
                                 struct bittern_error *err)
{
    struct level *level = &levels[*depth - 1];
    size_t start = cursor->at;
    uint64_t tag;
    uint64_t length;
    if (!read_varint(cursor, level->end, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX >> 3 ||
        !read_length(cursor, level->end, (unsigned)(tag & 7), &length) ||
        length > level->end - cursor->at) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "not an ONNX model, or a damaged one: byte %zu is no field of %s "
                                 "that ends within it",
                                 start, level->type->short_name);
    }
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(level->type, (unsigned)(tag >> 3));
    if (!field || field->type != PROTOBUF_C_TYPE_MESSAGE || (tag & 7) != 2) {
        cursor->at += (size_t)length;
        return BITTERN_OK;
    }
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        uint64_t bit = UINT64_C(1) << ((field - level->type->fields) & 63);
        if (level->seen & bit) {
            return bittern_error_set(err, BITTERN_ERR_FORMAT, "byte %zu: %s has '%s' twice", start,
                                     level->type->short_name, field->name);
        }
        level->seen |= bit;
    }
    if (*depth == MAX_NESTING) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "byte %zu: messages are nested more than %d deep", start,
                                 MAX_NESTING);
    }
    levels[(*depth)++] =
        (struct level){.type = field->descriptor, .end = cursor->at + (size_t)length};
    return BITTERN_OK;
}

bittern_status onnx_scan(const uint8_t *data, size_t size, struct bittern_error *err)
{
    struct cursor cursor = {.data = data};
    struct level levels[MAX_NESTING] = {{.type = &onnx__model_proto__descriptor, .end = size}};
    size_t depth = 1;
    bittern_status status = BITTERN_OK;
    while (status == BITTERN_OK && depth > 0) {
        if (cursor.at == levels[depth - 1].end) {
            depth--;
        } else {
            status = scan_field(&cursor, levels, &depth, err);
        }
    }
    return status;
}

/* ---- Unpacking with a budget ----------------------------------------------------------------- */

struct budget {
    size_t left;
    bool is_exceeded;
};

/* Memory is not given back to the budget: it bounds the sum of all allocations. */
static void *budget_alloc(void *data, size_t size)
{
    struct budget *budget = data;
    if (size > budget->left) {
        budget->is_exceeded = true;
        return NULL;
    }
    budget->left -= size;
    return malloc(size > 0 ? size : 1);
}

static void budget_free(void *data, void *pointer)
{
    (void)data;
    free(pointer);
}

bittern_status onnx_unpack(const uint8_t *data, size_t size, Onnx__ModelProto **proto,
                           struct bittern_error *err)
{
    struct budget budget = {.left = BUDGET_BASE};
    ProtobufCAllocator allocator = {
        .alloc = budget_alloc, .free = budget_free, .allocator_data = &budget};
    *proto = NULL;
    bittern_status status = onnx_scan(data, size, err);
    if (status != BITTERN_OK) {
        return status;
    }
    budget.left += size <= (SIZE_MAX - BUDGET_BASE) / BUDGET_FACTOR ? size * BUDGET_FACTOR : size;
    *proto = onnx__model_proto__unpack(&allocator, size, data);
    if (*proto) {
        return BITTERN_OK;
    }
    if (budget.is_exceeded) {
        return bittern_error_set(err, BITTERN_ERR_FORMAT,
                                 "unpacking needs more than %d times the model's %zu bytes; it is "
                                 "damaged, or made to exhaust memory",
                                 BUDGET_FACTOR, size);
    }
    return bittern_error_set(err, BITTERN_ERR_FORMAT,
                             "not an ONNX model, or a damaged one: its fields have other types "
                             "than ONNX's schema says");
}

/* Blocks come from malloc, so that the default allocator frees them. */
void onnx_free(Onnx__ModelProto *proto)
{
    if (proto) {
        onnx__model_proto__free_unpacked(proto, NULL);
    }
}
