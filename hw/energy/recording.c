/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what sim/activity.c wrote; every size is checked before it is used. */
#include "replay.h"

#include "base/file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE ((size_t)1 << 30)

struct cursor {
    const uint8_t *next;
    size_t left;
};

static bool take(struct cursor *cursor, void *value, size_t size)
{
    if (cursor->left < size) {
        return false;
    }
    memcpy(value, cursor->next, size);
    cursor->next += size;
    cursor->left -= size;
    return true;
}

static bool in_range(uint32_t value, uint32_t minimum, uint32_t maximum)
{
    return value >= minimum && value <= maximum;
}

static bool head_is_sane(const struct activity_file_header *head)
{
    return in_range(head->word_bits, 32, 512) && head->word_bits % 32 == 0 &&
           in_range(head->output_channels, 1, 256) && in_range(head->pixels, 1, 64) &&
           in_range(head->acc_bits, 8, 32) && head->layers <= ACTIVITY_MAX_LAYERS;
}

static void find_fields(struct recording *recording)
{
    const struct activity_file_header *head = &recording->head;
    const size_t bits[ACTIVITY_FIELDS] = {
        [ACTIVITY_ACT] = (size_t)head->pixels * head->word_bits,
        [ACTIVITY_ZERO] = (size_t)head->pixels * 2,
        [ACTIVITY_ODD] = (size_t)head->pixels * 2,
        [ACTIVITY_WEIGHT] = (size_t)head->output_channels * head->word_bits,
        [ACTIVITY_NEGATIVE] = (size_t)head->output_channels * head->word_bits / 8,
        [ACTIVITY_NONZERO] = (size_t)head->output_channels * head->word_bits / 8,
        [ACTIVITY_ACC] = (size_t)head->output_channels * head->pixels * head->acc_bits};

    recording->record_bytes = 1;
    for (size_t i = 0; i < ACTIVITY_FIELDS; i++) {
        recording->field_offset[i] = recording->record_bytes;
        recording->record_bytes += (bits[i] + 7) / 8;
    }
}

static bool take_layer(struct cursor *cursor, const struct recording *recording,
                       struct recording_layer *layer)
{
    if (!take(cursor, &layer->head, sizeof layer->head) || layer->head.bursts > ACTIVITY_BURSTS) {
        return false;
    }
    for (uint32_t b = 0; b < layer->head.bursts; b++) {
        struct recording_burst *burst = &layer->bursts[b];
        if (!take(cursor, &burst->cycles, sizeof burst->cycles) || burst->cycles > ACTIVITY_BURST ||
            cursor->left < burst->cycles * recording->record_bytes) {
            return false;
        }
        burst->records = cursor->next;
        cursor->next += burst->cycles * recording->record_bytes;
        cursor->left -= burst->cycles * recording->record_bytes;
    }
    return true;
}

bittern_status recording_read(const char *path, struct recording *recording,
                              struct bittern_error *err)
{
    struct activity_file_header *head = &recording->head;
    struct cursor cursor = {0};
    size_t size = 0;
    bool fine;

    *recording = (struct recording){0};
    bittern_status status = file_read(path, MAX_FILE, &recording->data, &size, err);
    if (status != BITTERN_OK) {
        return status;
    }
    cursor = (struct cursor){recording->data, size};
    fine = take(&cursor, head, sizeof *head) && head->magic == ACTIVITY_MAGIC;
    if (fine && head->version != ACTIVITY_VERSION) {
        status = bittern_error_set(err, BITTERN_ERR_FORMAT,
                                   "%s is a recording of version %" PRIu32 ", not %d; record anew",
                                   path, head->version, ACTIVITY_VERSION);
        goto cleanup;
    }
    fine = fine && head_is_sane(head);
    if (fine) {
        find_fields(recording);
        recording->layers = calloc(head->layers + 1, sizeof *recording->layers);
        if (!recording->layers) {
            status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a recording");
            goto cleanup;
        }
    }
    for (uint32_t i = 0; fine && i < head->layers; i++) {
        fine = take_layer(&cursor, recording, &recording->layers[i]);
    }
    if (!fine || cursor.left != 0) {
        status = bittern_error_set(err, BITTERN_ERR_FORMAT,
                                   "%s is no recording, or not a whole one; record anew", path);
    }

cleanup:
    if (status != BITTERN_OK) {
        recording_free(recording);
    }
    return status;
}

void recording_free(struct recording *recording)
{
    free(recording->layers);
    free(recording->data);
    *recording = (struct recording){0};
}
