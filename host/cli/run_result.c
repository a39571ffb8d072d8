/* SPDX-License-Identifier: Apache-2.0 */
/* Accuracy and predictions of a run, from the outputs of the last layer. */
#include "run_result.h"

#include "base/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Classes that come before `label` by score; of equal ones the lower index comes first. */
static size_t rank_of(const struct bittern_network *network, const int32_t *values, size_t label)
{
    size_t layers = bittern_network_layer_count(network);
    const struct bittern_layer *last = bittern_network_layer(network, layers - 1);
    size_t outputs = bittern_network_output_count(network);
    size_t rank = 0;
    double score = last->scale[label] * values[label] + last->bias[label];
    for (size_t c = 0; c < outputs; c++) {
        double other = last->scale[c] * values[c] + last->bias[c];
        rank += other > score || (other == score && c < label);
    }
    return rank;
}

struct run_accuracy run_accuracy_of(const struct bittern_network *network, const int32_t *values,
                                    const uint8_t *labels, size_t count)
{
    struct run_accuracy accuracy = {0};
    size_t outputs = bittern_network_output_count(network);
    size_t k = bittern_network_top_k(network);
    for (size_t i = 0; i < count; i++) {
        const int32_t *image = values + i * outputs;
        accuracy.correct += bittern_network_classify(network, image) == labels[i];
        accuracy.top_k_correct += k > 1 && rank_of(network, image, labels[i]) < k;
    }
    return accuracy;
}

/* ---- Predictions ----------------------------------------------------------------------------- */

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text);
    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

bool run_predictions_name_is_known(const char *path)
{
    return ends_in(path, ".csv") || ends_in(path, ".json");
}

static void print_csv(FILE *out, const struct bittern_network *network,
                      const struct run_images *images, const int32_t *values, size_t count)
{
    size_t outputs = bittern_network_output_count(network);
    fputs("image,label,predicted", out);
    for (size_t c = 0; c < outputs; c++) {
        fprintf(out, ",value_%zu", c);
    }
    fputs("\n", out);
    for (size_t i = 0; i < count; i++, values += outputs) {
        fprintf(out, "%zu,", images->start + i);
        if (images->labels) {
            fprintf(out, "%u", (unsigned)images->labels[i]);
        }
        fprintf(out, ",%zu", bittern_network_classify(network, values));
        for (size_t c = 0; c < outputs; c++) {
            fprintf(out, ",%" PRId32, values[c]);
        }
        fputs("\n", out);
    }
}

static void print_json(FILE *out, const struct bittern_network *network,
                       const struct run_images *images, const int32_t *values, size_t count)
{
    size_t outputs = bittern_network_output_count(network);
    fputs("[", out);
    for (size_t i = 0; i < count; i++, values += outputs) {
        fprintf(out, "%s\n{\"image\": %zu, ", i > 0 ? "," : "", images->start + i);
        if (images->labels) {
            fprintf(out, "\"label\": %u, ", (unsigned)images->labels[i]);
        }
        fprintf(out, "\"predicted\": %zu, \"values\": [",
                bittern_network_classify(network, values));
        for (size_t c = 0; c < outputs; c++) {
            fprintf(out, "%s%" PRId32, c > 0 ? ", " : "", values[c]);
        }
        fputs("]}", out);
    }
    fputs("\n]\n", out);
}

bittern_status run_write_predictions(const char *path, const struct bittern_network *network,
                                     const struct run_images *images, const int32_t *values,
                                     size_t count, struct bittern_error *err)
{
    char *text = NULL;
    size_t size = 0;
    bittern_status status = BITTERN_OK;
    FILE *out = open_memstream(&text, &size);

    if (out) {
        (ends_in(path, ".json") ? print_json : print_csv)(out, network, images, values, count);
    }
    bool failed = !out || ferror(out) != 0;
    if ((out && fclose(out) != 0) || failed) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to write '%s'", path);
    } else {
        status = file_write(path, text, size, err);
    }
    free(text);
    return status;
}
