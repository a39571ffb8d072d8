/* SPDX-License-Identifier: Apache-2.0 */
/* The device model's memory, and the walk over segments, sub-batches, layers and tiles. */
#include "device_model_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t model_bits(const uint32_t *record, unsigned word, unsigned low, unsigned bits)
{
    return record[word] >> low & (bits == 32 ? UINT32_MAX : (UINT32_C(1) << bits) - 1);
}

void model_fail(struct device_model *m, const char *format, ...)
{
    if (m->message[0] == '\0') {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(m->message, sizeof m->message, format, args);
        va_end(args);
    }
}

static uint8_t noise(struct device_model *m)
{
    uint64_t z = (m->noise += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    return (uint8_t)(z >> 40);
}

uint8_t *model_word(const struct device_model *m, uint32_t address)
{
    address &= m->address_mask;
    return address < m->feature_words ? m->feature + (size_t)address * m->bytes : NULL;
}

struct model_half model_read(struct device_model *m, uint32_t address, unsigned half)
{
    struct model_half h = {{0}};
    const uint8_t *word = model_word(m, address);
    for (uint32_t i = 0; i < m->half / 8; i++) {
        uint8_t byte = word ? word[half * (m->half / 8) + i] : noise(m);
        h.bits[i / 8] |= (uint64_t)byte << 8 * (i % 8);
    }
    return h;
}

/* ---- Records --------------------------------------------------------------------------------- */

static uint32_t check_sum(const uint8_t *data, size_t words)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < words; i++) {
        uint32_t word;
        memcpy(&word, data + 4 * i, sizeof word);
        sum = (sum << 1 | sum >> 31) ^ word;
    }
    return sum;
}

static bool read_record(struct device_model *m, size_t index, uint32_t type, uint32_t *record)
{
    if ((index + 1) * 256 > m->start->program_bytes) {
        model_fail(m, "descriptor %zu lies behind the program", index);
        return false;
    }
    memcpy(record, m->start->program + index * 256, 256);
    if (check_sum(m->start->program + index * 256, 63) != record[63] || record[0] != type) {
        model_fail(m, "record %zu is damaged or of another type than %u", index, type);
        return false;
    }
    return true;
}

/* ---- Layers ---------------------------------------------------------------------------------- */

static void next_pixel(const uint32_t *l, struct model_pixel *p, const struct model_pixel *step)
{
    p->wx += step->wx;
    p->wy += step->wy;
    p->px += step->px;
    p->py += step->py;
    p->n += step->n;
    if (p->wx >= model_bits(l, 7, 0, 16)) {
        p->wx -= model_bits(l, 7, 0, 16);
        p->wy++;
    }
    if (p->wy >= model_bits(l, 7, 16, 16)) {
        p->wy -= model_bits(l, 7, 16, 16);
        p->px++;
    }
    if (p->px >= model_bits(l, 8, 0, 16)) {
        p->px -= model_bits(l, 8, 0, 16);
        p->py++;
    }
    if (p->py >= model_bits(l, 8, 16, 16)) {
        p->py -= model_bits(l, 8, 16, 16);
        p->n++;
    }
}

static void run_tile(struct device_model *m, uint32_t tile)
{
    const uint32_t *l = m->layer;
    /* One pixel on: the counter's ripple does it, also where a radix is 1. */
    static const struct model_pixel one = {.wx = 1};
    const struct model_pixel step = {model_bits(l, 9, 0, 16), model_bits(l, 9, 16, 16),
                                     model_bits(l, 10, 0, 16), model_bits(l, 10, 16, 16),
                                     model_bits(l, 11, 0, 16)};
    uint32_t lanes = model_bits(l, 6, 0, 8);
    uint64_t pixels =
        (uint64_t)l[48] * model_bits(l, 8, 0, 16) * model_bits(l, 8, 16, 16) * m->images;
    struct model_pixel lane[MODEL_MAX_LANES] = {{0}};

    for (uint32_t i = 1; i < lanes; i++) {
        lane[i] = lane[i - 1];
        next_pixel(l, &lane[i], &one);
    }
    for (uint64_t first = 0; first < pixels && m->message[0] == '\0'; first += lanes) {
        model_sums(m, tile, lane);
        for (uint32_t i = 0; i < lanes; i++) {
            model_output(m, tile, i, &lane[i]);
            next_pixel(l, &lane[i], &step);
        }
    }
}

static void run_layer(struct device_model *m)
{
    const uint32_t *l = m->layer;
    uint32_t tiles = l[5];
    uint64_t tile_bytes = (uint64_t)model_bits(l, 31, 16, 16) * m->oc * m->bytes;
    uint32_t lanes = model_bits(l, 6, 0, 8);

    if (lanes == 0 || lanes > m->px || lanes > MODEL_MAX_LANES || m->oc > MODEL_MAX_OC) {
        model_fail(m, "layer %u: %u lanes", l[52], lanes);
        return;
    }
    for (uint32_t t = 0; t < tiles && m->message[0] == '\0'; t++) {
        run_tile(m, t);
        m->weights += tile_bytes;
    }
    if (m->message[0] == '\0' && m->start->observer && !model_bits(l, 1, 6, 1)) {
        m->start->observer(m->start->user, m, l[52], m->first_image, m->images);
    }
}

/* ---- Segments -------------------------------------------------------------------------------- */

static void load(struct device_model *m, size_t first, uint32_t images)
{
    const uint32_t *s = m->segment;
    const uint8_t *source = s[6] ? m->scratch : m->start->input;

    for (uint32_t i = 0; i < images; i++) {
        for (uint32_t w = 0; w < s[9]; w++) {
            uint8_t *word = model_word(m, s[10] + i * s[11] + w);
            if (!word) {
                model_fail(m, "a load leaves the feature memory");
                return;
            }
            memcpy(word, source + s[7] + (first + i) * (size_t)s[8] + (size_t)w * m->bytes,
                   m->bytes);
        }
    }
}

static void store(struct device_model *m)
{
    const uint32_t *s = m->segment;
    for (uint32_t i = 0; i < m->images; i++) {
        for (uint32_t w = 0; w < s[12]; w++) {
            const uint8_t *word = model_word(m, s[13] + i * s[14] + w);
            if (!word) {
                model_fail(m, "a store leaves the feature memory");
                return;
            }
            memcpy(m->scratch + s[15] + (m->first_image + i) * (size_t)s[16] + (size_t)w * m->bytes,
                   word, m->bytes);
        }
    }
}

static uint32_t images_at(const struct device_model *m, size_t first)
{
    size_t left = first < m->start->images ? m->start->images - first : 0;
    return left < m->segment[2] ? (uint32_t)left : m->segment[2];
}

/* One sub-batch; its input is there. The next one's comes as early as it may. */
static void run_sub_batch(struct device_model *m, size_t descriptor)
{
    const uint32_t *s = m->segment;

    m->weights = m->start->program + s[3];
    for (uint32_t i = 0; i < s[1] && m->message[0] == '\0'; i++) {
        if (!read_record(m, descriptor + i, 1, m->layer)) {
            return;
        }
        run_layer(m);
        if (model_bits(m->layer, 1, 5, 1)) { /* FREE_INPUT */
            size_t next = m->first_image + m->segment[2];
            load(m, next, images_at(m, next));
        }
    }
    uint64_t beats = (uint64_t)(m->weights - (m->start->program + s[3])) / m->bytes;
    if (m->message[0] == '\0' && beats != s[4]) {
        model_fail(m, "a weight stream of %u beats, of which %llu are used", s[4],
                   (unsigned long long)beats);
    }
    store(m);
}

static void run_segment(struct device_model *m, size_t descriptor)
{
    const uint32_t *s = m->segment;
    uint64_t bytes = (uint64_t)s[4] * m->bytes;

    if (s[2] == 0 || s[3] % 4096 != 0 || s[3] + bytes > m->start->program_bytes ||
        check_sum(m->start->program + s[3], bytes / 4) != s[5]) {
        model_fail(m, "a segment's weight stream is wrong");
        return;
    }
    load(m, 0, images_at(m, 0));
    for (size_t first = 0; first < m->start->images && m->message[0] == '\0'; first += s[2]) {
        m->first_image = first;
        m->images = images_at(m, first);
        run_sub_batch(m, descriptor);
    }
}

static bool start_model(struct device_model *m, const uint32_t *header)
{
    m->word = header[2];
    m->half = m->word / 2;
    m->bytes = m->word / 8;
    m->oc = header[3];
    m->px = header[4];
    m->feature_words = header[6] / m->bytes;
    m->scratch_bytes = header[11];
    m->address_mask = 1;
    while (m->address_mask < m->feature_words - 1) {
        m->address_mask = m->address_mask << 1 | 1;
    }
    size_t scratch = (size_t)m->scratch_bytes * m->start->images + 1;
    m->feature = malloc((size_t)m->feature_words * m->bytes);
    m->scratch = malloc(scratch);
    if (!m->feature || !m->scratch) {
        return false;
    }
    for (size_t i = 0; i < (size_t)m->feature_words * m->bytes; i++) {
        m->feature[i] = noise(m);
    }
    for (size_t i = 0; i < scratch; i++) {
        m->scratch[i] = noise(m);
    }
    return true;
}

bool device_model_run(const struct device_model_start *start, char *message, size_t message_size)
{
    uint32_t header[64] = {0};
    size_t descriptor = 1;
    struct device_model *m = calloc(1, sizeof *m);

    if (!m) {
        (void)snprintf(message, message_size, "no memory");
        return false;
    }
    m->start = start;
    m->noise = start->noise;
    if (!read_record(m, 0, 0x414E5442, header) || header[1] != 1 || !start_model(m, header)) {
        model_fail(m, "the header is wrong, or there is no memory");
    }
    for (uint32_t i = 0; m->message[0] == '\0' && i < header[8]; i++) {
        if (read_record(m, descriptor, 2, m->segment)) {
            run_segment(m, descriptor + 1);
            descriptor += 1 + m->segment[1];
        }
    }
    if (m->message[0] == '\0' && descriptor != 1 + header[9]) {
        model_fail(m, "%zu descriptors, and the header says %u", descriptor - 1, header[9]);
    }
    (void)snprintf(message, message_size, "%s", m->message);
    bool good = m->message[0] == '\0';
    free(m->feature);
    free(m->scratch);
    free(m);
    return good;
}
