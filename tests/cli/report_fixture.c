/* SPDX-License-Identifier: Apache-2.0 */
/* Small files for reports. */
#include "report_fixture.h"

#include <bittern/dataset.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void print_layers(FILE *out, const struct report_fixture_row *row)
{
    static const char *const modes[] = {"int", "ternary", "binary"};
    for (int i = 0; i < 3; i++) {
        double cycles = row->cycles / (i + 2);
        fprintf(out,
                "%s{\"name\":\"%s%d\",\"kind\":\"conv\",\"mode\":\"%s\",\"weights\":\"%s\","
                "\"activations\":\"uint8\",\"macs\":%.9g,\"cycles\":%.9g,\"ideal_cycles\":%.9g,"
                "\"utilization\":0.8,\"compute_cycles\":%.9g,\"weight_stall_cycles\":%.9g,"
                "\"input_stall_cycles\":0,\"output_stall_cycles\":null,\"other_cycles\":%.9g,"
                "\"read_bytes\":%d,\"write_bytes\":0,\"bytes_source\":\"planned\","
                "\"intensity\":%.9g}",
                i > 0 ? "," : "", row->layer, i + 1, modes[i], row->weights, 400 * cycles, cycles,
                0.8 * cycles, 0.8 * cycles, 0.15 * cycles, 0.05 * cycles, 100 << i,
                400 * cycles / (100 << i));
    }
}

static void print_energy(FILE *out, const struct report_fixture_row *row)
{
    if (!row->energy) {
        fputs("null", out);
        return;
    }
    static const char parts[] = "{\"array\":{\"low\":1e-7,\"nominal\":4e-7,\"high\":6e-7},"
                                "\"clock\":{\"low\":1e-7,\"nominal\":2e-7,\"high\":3e-7},"
                                "\"static\":{\"low\":1e-7,\"nominal\":4e-7,\"high\":6e-7}}";
    fprintf(out,
            "{\"source\":\"%s\",\"detail\":\"made for a test\",\"joules_per_image\":{\"low\":%.9g,"
            "\"nominal\":%.9g,\"high\":%.9g},\"joules_per_image_above_idle\":null,\"parts\":%s,"
            "\"layers\":[{\"name\":\"%s1\",\"joules_per_image\":{\"low\":1e-9,\"nominal\":2e-9,"
            "\"high\":3e-9}}],\"coefficients\":null}",
            row->energy, 0.8 * row->joules, row->joules, 1.4 * row->joules,
            strcmp(row->energy, "model") == 0 ? parts : "null", row->layer);
}

char *report_fixture_line(const struct report_fixture_row *row)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    fprintf(out,
            "{\"format\":\"bittern-bench\",\"version\":1,\"key\":\"k\",\"program\":{\"path\":\"p\","
            "\"name\":\"%s\",\"crc32\":1,\"bytes\":1000,\"parameters\":4000,\"weight_bits\":%.9g,"
            "\"compression\":16},\"device\":{\"name\":\"sim:edge\",\"description\":\"simulated\","
            "\"geometry\":{\"name\":\"edge\",\"word_bits\":128,\"output_channels\":16,\"pixels\":4,"
            "\"units\":7,\"feature_bytes\":393216,\"weight_bytes\":131072}},",
            row->program, row->bits);
    fprintf(out,
            "\"settings\":{\"images\":100,\"batch\":10,\"clock_mhz\":100,\"dataset\":\"digits\","
            "\"split\":\"test\",\"start\":0},\"accuracy\":{\"correct\":%.0f,\"labelled\":100,"
            "\"fraction\":%.9g},\"agreement\":{\"images\":100,\"values\":1000,\"different\":0},"
            "\"whole\":{\"cycles_per_image\":%.9g,\"images_per_second\":%.9g,\"utilization\":0.8},"
            "\"layers\":[",
            100 * row->accuracy, row->accuracy, row->cycles, 1e8 / row->cycles);
    print_layers(out, row);
    fputs("],\"roofline\":{\"peak_macs_per_cycle\":{\"binary\":8192,\"ternary\":4096,\"int\":1024},"
          "\"bytes_per_cycle\":16},\"energy\":",
          out);
    print_energy(out, row);
    fputs(",\"host\":{\"cpus\":2,\"cpu\":\"a CPU\",\"seconds\":1.5}}\n", out);
    assert_int_equal(fclose(out), 0);
    return text;
}

void report_fixture_rows(const char *name)
{
    static const struct report_fixture_row rows[] = {
        {"small-binary", "conv", "binary", "model", 0.90, 1e-6, 4000, 1000},
        {"large-ternary", "conv", "ternary", "board", 0.98, 4e-6, 8000, 2000},
        {"beaten", "conv", "ternary", "model", 0.95, 9e-6, 9000, 3000}};
    FILE *file = fopen(fixture_path(name), "w");
    assert_non_null(file);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *line = report_fixture_line(&rows[i]);
        fputs(line, file);
        free(line);
    }
    assert_int_equal(fclose(file), 0);
}

static void print_epoch(FILE *out, int epoch)
{
    fprintf(out,
            "{\"epoch\":%d,\"step\":%d,\"rate\":0.001,\"train_loss\":%.9g,\"method_loss\":0.01,"
            "\"train_accuracy\":%.9g,\"test_loss\":%.9g,\"test_accuracy\":%s,\"seconds\":2.5,"
            "\"layers\":[",
            epoch, 10 * epoch, 1.0 / epoch, 1.0 - 0.3 / epoch, 1.1 / epoch,
            epoch == 1   ? "null" /* not evaluated */
            : epoch == 2 ? "0.9"
                         : "0.97");
    for (int layer = 0; layer < 2; layer++) {
        fprintf(out,
                "%s{\"name\":\"conv%d\",\"zeros\":%.9g,\"beta\":%.9g,\"mu_mean\":0.5,"
                "\"mu_minimum\":0.4,\"mu_maximum\":0.6,\"latent\":{\"minimum\":-1,\"maximum\":1,"
                "\"count\":640,\"sum\":0,\"sum_of_squares\":200,\"bins\":[",
                layer > 0 ? "," : "", layer + 1, layer > 0 ? 0.25 : 0.0, 1.6 - 0.3 * layer * epoch);
        for (int bin = 0; bin < 64; bin++) {
            fprintf(out, "%s%d", bin > 0 ? "," : "", bin % 20);
        }
        fputs("]}}", out);
    }
    fputs("]}\n", out);
}

void report_fixture_run(const char *name)
{
    static const char result[] =
        "{\"bittern\":\"0.1.0\",\"name\":\"tiny-sq\",\"title\":\"A tiny run\",\"data\":\"digits\","
        "\"method\":\"sq\",\"seed\":1,\"epochs\":3,\"float_accuracy\":0.97,\"compiled\":true,"
        "\"integer\":{\"accuracy\":0.9625,\"images\":100},\"compression\":20.5,\"layers\":["
        "{\"name\":\"conv1\",\"weights\":640,\"depth\":\"binary\",\"bits\":1,\"zeros\":0,"
        "\"compression\":32},{\"name\":\"conv2\",\"weights\":640,\"depth\":\"ternary\",\"bits\":2,"
        "\"zeros\":0.25,\"compression\":16}]}\n";
    char path[128];
    assert_true(mkdir(fixture_path(name), 0777) == 0);
    (void)snprintf(path, sizeof path, "%s/result.json", name);
    fixture_write_bytes(path, result, strlen(result));
    (void)snprintf(path, sizeof path, "%s/tiny-sq.btn", name);
    fixture_write_program(path);
    (void)snprintf(path, sizeof path, "%s/metrics.jsonl", name);
    FILE *file = fopen(fixture_path(path), "w");
    assert_non_null(file);
    for (int epoch = 1; epoch <= 3; epoch++) {
        print_epoch(file, epoch);
    }
    fputs("{\"name\":\"the end's line\"}\n", file);
    assert_int_equal(fclose(file), 0);
}

void report_fixture_predictions(const char *name)
{
    struct bittern_error err;
    struct bittern_dataset *dataset = NULL;
    FILE *file = fopen(fixture_path(name), "w");
    assert_non_null(file);
    assert_ok(
        bittern_dataset_open("digits", BITTERN_SPLIT_TEST, fixture_path("data"), &dataset, &err),
        &err);
    const uint8_t *labels = bittern_dataset_labels(dataset);
    fputc('[', file);
    for (unsigned i = 0; i < FIXTURE_IMAGES; i++) {
        fprintf(file, "%s\n{\"image\": %u, \"label\": %u, \"predicted\": %u, \"values\": [1, 2]}",
                i > 0 ? "," : "", i, labels[i], (labels[i] + (i % 5 == 0)) % 10U);
    }
    fputs("\n]\n", file);
    bittern_dataset_close(dataset);
    assert_int_equal(fclose(file), 0);
}
