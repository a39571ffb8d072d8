/* SPDX-License-Identifier: Apache-2.0 */
/* bittern run and bittern devices. */
#include "cli_fixture.h"
#include "network_random.h"

#include <bittern/dataset.h>
#include <bittern/network.h>
#include <bittern/program.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_files(void **state)
{
    if (fixture_make_folder(state) != 0) {
        return -1;
    }
    fixture_write_program("classifier.btn");
    fixture_make_digits();
    return 0;
}

/* The class that the classifier gives image i of the data set, the slow way. */
static size_t slow_class(const struct bittern_dataset *dataset, size_t i, int32_t *values)
{
    struct bittern_error err;
    int32_t *outputs = NULL;
    struct bittern_network *network = fixture_classifier(1, 28, 10);
    assert_ok(slow_network_run(network, bittern_dataset_images(dataset) + i * 784, &outputs, &err),
              &err);
    memcpy(values, outputs, 10 * sizeof *values);
    size_t label = bittern_network_classify(network, values);
    free(outputs);
    bittern_network_free(network);
    return label;
}

static struct bittern_dataset *open_digits(void)
{
    struct bittern_error err;
    struct bittern_dataset *dataset = NULL;
    assert_ok(
        bittern_dataset_open("digits", BITTERN_SPLIT_TEST, fixture_path("data"), &dataset, &err),
        &err);
    return dataset;
}

/* Would catch: a wrong accuracy, e.g. of images that were not run, or against shifted labels. */
static void accuracy_is_the_slow_networks_accuracy(void **state)
{
    (void)state;
    int32_t values[10];
    struct bittern_dataset *dataset = open_digits();
    size_t correct = 0;
    for (size_t i = 5; i < 28; i++) {
        correct += slow_class(dataset, i, values) == bittern_dataset_labels(dataset)[i];
    }
    cJSON *json =
        fixture_json(ARGS("run", "classifier.btn", "--dataset", "digits", "--data", "data",
                          "--start", "5", "--images", "23", "--batch", "4", "--json"));
    assert_int_equal(fixture_number(json, "images"), 23);
    assert_int_equal(fixture_number(json, "correct"), correct);
    assert_true(fabs(fixture_number(json, "accuracy") * 23.0 - (double)correct) < 1e-9);
    assert_int_equal(fixture_number(json, "batch"), 4);
    assert_int_equal(fixture_number(json, "data.start"), 5);
    assert_string_equal(fixture_string(json, "data.name"), "digits");
    assert_string_equal(fixture_string(json, "data.split"), "test");
    assert_string_equal(fixture_string(json, "network"), "classifier");
    assert_string_equal(fixture_string(json, "device.name"), "reference");
    assert_string_equal(fixture_string(json, "device.geometry.name"), "any");
    assert_true(fixture_number(json, "images_per_second") > 0.0);
    assert_true(cJSON_IsFalse(fixture_member(json, "interrupted")));
    cJSON_Delete(json);
    bittern_dataset_close(dataset);
}

/* Would catch: a time for a batch of 64 made up from three images. */
static void the_time_of_a_batch_is_that_of_the_images_it_had(void **state)
{
    (void)state;
    fixture_expect(
        0, "a batch of 3 on",
        ARGS("run", "classifier.btn", "--dataset", "digits", "--data", "data", "--images", "3"));
    fixture_expect(0, "a batch of 4 on",
                   ARGS("run", "classifier.btn", "--dataset", "digits", "--data", "data",
                        "--images", "9", "--batch", "4"));
}

static char *read_text(const char *name, size_t *size)
{
    FILE *file = fopen(fixture_path(name), "rb");
    assert_non_null(file);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    *size = fread(text, 1, (1 << 20) - 1, file);
    assert_int_equal(fclose(file), 0);
    return text;
}

/* Would catch: predictions of other images, or outputs that differ from the slow network's. */
static void predictions_hold_every_image_and_output(void **state)
{
    (void)state;
    size_t size = 0;
    int32_t values[10];
    struct bittern_dataset *dataset = open_digits();
    fixture_expect(0, "predictions.json",
                   ARGS("run", "classifier.btn", "--dataset", "digits", "--data", "data", "--start",
                        "7", "--images", "9", "--predictions", "predictions.json"));
    char *text = read_text("predictions.json", &size);
    cJSON *json = cJSON_Parse(text);
    free(text);
    assert_int_equal(cJSON_GetArraySize(json), 9);
    for (int i = 0; i < 9; i++) {
        const cJSON *image = cJSON_GetArrayItem(json, i);
        size_t number = 7 + (size_t)i;
        assert_int_equal(fixture_number(image, "image"), number);
        assert_int_equal(fixture_number(image, "label"), bittern_dataset_labels(dataset)[number]);
        assert_int_equal(fixture_number(image, "predicted"), slow_class(dataset, number, values));
        for (int c = 0; c < 10; c++) {
            const cJSON *value = cJSON_GetArrayItem(fixture_member(image, "values"), c);
            assert_int_equal(value->valueint, values[c]);
        }
    }
    cJSON_Delete(json);

    fixture_expect(0, "predictions.csv",
                   ARGS("run", "classifier.btn", "--dataset", "digits", "--data", "data", "--start",
                        "7", "--images", "1", "--predictions", "predictions.csv"));
    text = read_text("predictions.csv", &size);
    char expected[512];
    size_t label = slow_class(dataset, 7, values);
    int used = snprintf(expected, sizeof expected,
                        "image,label,predicted,value_0,value_1,value_2,value_3,value_4,value_5,"
                        "value_6,value_7,value_8,value_9\n7,%u,%zu",
                        (unsigned)bittern_dataset_labels(dataset)[7], label);
    for (int c = 0; c < 10; c++) {
        used += snprintf(expected + used, sizeof expected - (size_t)used, ",%d", values[c]);
    }
    (void)snprintf(expected + used, sizeof expected - (size_t)used, "\n");
    assert_string_equal(text, expected);
    free(text);
    bittern_dataset_close(dataset);
}

/* Would catch: a header that NumPy does not read, wrong types, layers in the wrong file. */
static void dumped_layers_are_npy_files_of_the_right_values(void **state)
{
    (void)state;
    size_t size = 0;
    int32_t values[10];
    struct bittern_dataset *dataset = open_digits();
    fixture_expect(0, "layers/*.npy",
                   ARGS("run", "classifier.btn", "--dataset", "digits", "--data", "data", "--start",
                        "3", "--images", "2", "--dump", "layers"));
    char *text = read_text("layers/input.npy", &size);
    assert_memory_equal(text, "\x93NUMPY\x01\x00\x76\x00", 10);
    assert_string_equal(strtok(text + 10, "\n"),
                        "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1, 28, 28,), }"
                        "                                                 ");
    assert_int_equal(size, 128 + 2 * 784);
    assert_memory_equal(text + 128, bittern_dataset_images(dataset) + 3 * 784, 2 * 784);
    free(text);

    text = read_text("layers/layer-00-scores.npy", &size);
    assert_non_null(strstr(text + 10, "'descr': '<i4'"));
    assert_non_null(strstr(text + 10, "'shape': (2, 10, 1, 1,)"));
    assert_int_equal(size, 128 + 2 * 40);
    for (size_t i = 0; i < 2; i++) {
        (void)slow_class(dataset, 3 + i, values);
        assert_memory_equal(text + 128 + i * 40, values, 40); /* little-endian, as this host */
    }
    free(text);
    bittern_dataset_close(dataset);
}

/* A .npy file of uint8, with a header of the test's own. */
static void write_npy(const char *name, const char *header, const uint8_t *values, size_t count)
{
    static uint8_t bytes[1 << 16];
    size_t length = strlen(header);
    assert_true(10 + length + count <= sizeof bytes);
    const uint8_t start[] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    memcpy(bytes, start, sizeof start);
    bytes[8] = (uint8_t)length;
    bytes[9] = (uint8_t)(length >> 8);
    for (size_t i = 0; i < length; i++) {
        bytes[10 + i] = (uint8_t)header[i];
    }
    if (count > 0) {
        memcpy(bytes + 10 + length, values, count);
    }
    fixture_write_bytes(name, bytes, 10 + length + count);
}

/* Would catch: images of one's own that come out differently than the same ones of a data set. */
static void images_from_a_npy_file_are_run(void **state)
{
    (void)state;
    size_t size = 0;
    struct bittern_dataset *dataset = open_digits();
    const char *const headers[] = {
        "{'descr': '|u1', 'fortran_order': False, 'shape': (5, 1, 28, 28), }\n",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (5, 28, 28), }\n",
    };
    fixture_expect(0, NULL,
                   ARGS("run", "classifier.btn", "--dataset", "digits", "--data", "data",
                        "--images", "5", "--predictions", "expected.json"));
    char *expected = read_text("expected.json", &size);
    cJSON *expected_json = cJSON_Parse(expected);
    for (size_t i = 0; i < 2; i++) {
        write_npy("images.npy", headers[i], bittern_dataset_images(dataset), 5 * 784);
        fixture_expect(
            0, "no labels",
            ARGS("run", "classifier.btn", "--input", "images.npy", "--predictions", "own.json"));
        char *found = read_text("own.json", &size);
        cJSON *found_json = cJSON_Parse(found);
        assert_int_equal(cJSON_GetArraySize(found_json), 5);
        for (int k = 0; k < 5; k++) {
            const cJSON *image = cJSON_GetArrayItem(found_json, k);
            assert_null(cJSON_GetObjectItem(image, "label"));
            assert_true(
                cJSON_Compare(fixture_member(image, "values"),
                              fixture_member(cJSON_GetArrayItem(expected_json, k), "values"), 1));
        }
        cJSON_Delete(found_json);
        free(found);
    }
    cJSON_Delete(expected_json);
    free(expected);
    bittern_dataset_close(dataset);
}

/* Would catch: a .npy file whose header lies, and is believed. */
static void damaged_npy_files_are_refused(void **state)
{
    (void)state;
    static const uint8_t values[784];
    static const struct {
        const char *header;
        size_t count;
        const char *part;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 28, 7), }\n", 784, "astype"},
        {"{'descr': '|u1', 'fortran_order': True, 'shape': (1, 1, 28, 28), }\n", 784, "Fortran"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1, 28, 28), }\n", 784,
         "do not fit"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 28, 28), }\n", 783,
         "do not fit"},
        {"{'descr': '|u1', 'fortran_order': False, "
         "'shape': (4294967296, 4294967296, 28, 28), }\n",
         784, "do not fit"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999999,), }\n", 784,
         "tuple"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 28, 28), }\n", 784, "tuple"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 1, 28, 28), }\n", 784, "tuple"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 28, 28", 784, "tuple"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (), }\n", 1, "tuple"},
        {"{'descr': '|u1', 'shape': (1, 1, 28, 28), }\n", 784, "lacks"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 14, 14), }\n", 196, "1x28x28"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (0, 1, 28, 28), }\n", 0, "0 images"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_npy("bad.npy", cases[i].header, values, cases[i].count);
        fixture_expect(1, cases[i].part, ARGS("run", "classifier.btn", "--input", "bad.npy"));
    }
    fixture_write_bytes("bad.npy", "\x93NUMPY\x01\x00\xFF\xFF{", 11);
    fixture_expect(1, "cut off", ARGS("run", "classifier.btn", "--input", "bad.npy"));
    fixture_write_bytes("bad.npy", "\x93NUMPY\x02\x00\xFF\xFF\xFF\xFF", 12);
    fixture_expect(1, "cut off", ARGS("run", "classifier.btn", "--input", "bad.npy"));
    fixture_write_bytes("bad.npy", "something else", 14);
    fixture_expect(1, "not a .npy", ARGS("run", "classifier.btn", "--input", "bad.npy"));
}

/* Would catch: a guess where several data sets fit; a mismatch that is not explained. */
static void data_sets_that_do_not_fit_are_explained(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_program *program = NULL;
    struct bittern_network *network = fixture_classifier(3, 20, 7);
    assert_ok(bittern_program_create(network, NULL, &program, &err), &err);
    assert_ok(bittern_program_write(program, fixture_path("odd.btn"), &err), &err);
    bittern_program_free(program);
    bittern_network_free(network);

    /* Several fit: the one that is found is taken, and none where none is. */
    fixture_expect(0, "of digits (test)", ARGS("run", "classifier.btn", "--data", "data"));
    fixture_expect(2, "digits", ARGS("run", "classifier.btn", "--data", "nowhere"));
    fixture_expect(2, "3x20x20", ARGS("run", "odd.btn"));
    fixture_expect(1, "1x28x28", ARGS("run", "odd.btn", "--dataset", "digits", "--data", "data"));
    fixture_expect(1, "3x20x20", ARGS("run", "odd.btn", "--dataset", "digits", "--data", "data"));
    fixture_expect(
        1, "there is no image 40",
        ARGS("run", "classifier.btn", "--dataset", "digits", "--data", "data", "--start", "40"));
    fixture_expect(1, "digits",
                   ARGS("run", "classifier.btn", "--dataset", "digits", "--data", "nowhere"));
    fixture_expect(1, "nonesuch", ARGS("run", "classifier.btn", "--dataset", "nonesuch"));
}

/* Would catch: a wrong command line that runs anyway, or exits with another code than 2. */
static void wrong_command_lines_are_refused(void **state)
{
    (void)state;
    fixture_expect(2, "--help", ARGS("run"));
    fixture_expect(2, "one program", ARGS("run", "a", "b"));
    fixture_expect(2, NULL, ARGS("run", "classifier.btn", "--no-such-option"));
    fixture_expect(2, "--split", ARGS("run", "classifier.btn", "--split", "validation"));
    fixture_expect(2, "--batch", ARGS("run", "classifier.btn", "--batch", "0"));
    fixture_expect(2, "--batch", ARGS("run", "classifier.btn", "--batch", "4097"));
    fixture_expect(2, "--images", ARGS("run", "classifier.btn", "--images", "-1"));
    fixture_expect(2, "--threads", ARGS("run", "classifier.btn", "--threads", "many"));
    fixture_expect(2, "--input-range", ARGS("run", "classifier.btn", "--input-range", "0-2"));
    fixture_expect(2, "--threads",
                   ARGS("run", "classifier.btn", "--device", "sim", "--threads", "2"));
    fixture_expect(
        2, "--dump",
        ARGS("run", "classifier.btn", "--device", "sim", "--dump", "d", "--images", "1"));
    fixture_expect(2, "--images", ARGS("run", "classifier.btn", "--dump", "d"));
    fixture_expect(2, ".csv", ARGS("run", "classifier.btn", "--predictions", "p.txt"));
    fixture_expect(2, "--input",
                   ARGS("run", "classifier.btn", "--input", "a.npy", "--dataset", "digits"));
    fixture_expect(
        2, "warp",
        ARGS("run", "classifier.btn", "--dataset", "digits", "--data", "data", "--kernel", "warp"));
    fixture_expect(0, "Examples:", ARGS("run", "--help"));
}

/* Would catch: a failure that exits with 0, or leaves a part of a file. */
static void failures_exit_with_1_and_leave_nothing(void **state)
{
    (void)state;
    size_t size = 0;
    char *bytes = read_text("classifier.btn", &size);
    bytes[size / 2] ^= 1;
    fixture_write_bytes("corrupt.btn", bytes, size);
    fixture_write_bytes("short.btn", bytes, size / 3);
    free(bytes);
    fixture_write_bytes("empty.btn", "", 0);
    fixture_write_bytes("text.btn", "hello", 5);

    fixture_expect(1, "missing.btn", ARGS("run", "missing.btn"));
    fixture_expect(1, "corrupt.btn", ARGS("run", "corrupt.btn"));
    fixture_expect(1, "short.btn", ARGS("run", "short.btn"));
    fixture_expect(1, "empty", ARGS("run", "empty.btn"));
    fixture_expect(1, "text.btn", ARGS("run", "text.btn"));
    fixture_expect(1, "images", ARGS("run", "data/digits/t10k-images-idx3-ubyte.gz"));
    fixture_expect(1, "folder",
                   ARGS("run", "classifier.btn", "--dataset", "digits", "--data", "data",
                        "--predictions", "no/such/folder.csv"));
    fixture_expect(1, "classifier.btn",
                   ARGS("run", "classifier.btn", "--dataset", "digits", "--data", "data",
                        "--images", "1", "--dump", "classifier.btn/layers"));
    fixture_write_bytes("layers-file", "", 0);
    fixture_expect(1, "layers-file",
                   ARGS("run", "classifier.btn", "--dataset", "digits", "--data", "data",
                        "--images", "1", "--dump", "layers-file"));
    assert_int_not_equal(access(fixture_path("layers-file/input.npy"), F_OK), 0);
}

/* Would catch: options of the reference that do not reach it. */
static void threads_and_kernel_reach_the_device(void **state)
{
    (void)state;
    cJSON *json =
        fixture_json(ARGS("run", "classifier.btn", "--dataset", "digits", "--data", "data",
                          "--images", "3", "--threads", "3", "--kernel", "portable", "--json"));
    assert_non_null(
        strstr(fixture_string(json, "device.description"), "kernel portable, 3 threads"));
    cJSON_Delete(json);
}

/* Would catch: images that get another's results where several devices share them. */
static void jobs_share_the_images(void **state)
{
    (void)state;
    size_t size = 0;
    size_t size_of_three = 0;
    fixture_expect(0, "Accuracy",
                   ARGS("run", "classifier.btn", "--dataset", "digits", "--data", "data",
                        "--predictions", "one.csv"));
    fixture_expect(0, "none: this device does not count cycles",
                   ARGS("run", "classifier.btn", "--dataset", "digits", "--data", "data", "--jobs",
                        "3", "--batch", "4", "--predictions", "three.csv", "--profile"));
    char *one = read_text("one.csv", &size);
    char *three = read_text("three.csv", &size_of_three);
    assert_int_equal(size, size_of_three);
    assert_memory_equal(one, three, size);
    free(one);
    free(three);
    fixture_expect(2, "--jobs", ARGS("run", "classifier.btn", "--jobs", "0"));
}

/* Would catch: a list without the reference, or without a reason for what is missing. */
static void devices_are_listed_with_reasons(void **state)
{
    (void)state;
    fixture_expect(0, "reference", ARGS("devices"));
    fixture_expect(0, "Examples:", ARGS("devices", "--help"));
    fixture_expect(2, "extra", ARGS("devices", "extra"));
    cJSON *json = fixture_json(ARGS("devices", "--json"));
    const cJSON *backends = fixture_member(json, "backends");
    assert_int_equal(cJSON_GetArraySize(backends), 3);
    const cJSON *backend = NULL;
    cJSON_ArrayForEach(backend, backends)
    {
        if (cJSON_IsFalse(fixture_member(backend, "available"))) {
            const char *reason = fixture_string(backend, "reason");
            assert_true(strstr(reason, "needs Verilator") || strstr(reason, "XRT says") ||
                        strstr(reason, "needs the Xilinx Runtime"));
        }
    }
    const cJSON *first = cJSON_GetArrayItem(fixture_member(json, "devices"), 0);
    assert_string_equal(fixture_string(first, "name"), "reference");
    cJSON_Delete(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accuracy_is_the_slow_networks_accuracy),
        cmocka_unit_test(the_time_of_a_batch_is_that_of_the_images_it_had),
        cmocka_unit_test(predictions_hold_every_image_and_output),
        cmocka_unit_test(dumped_layers_are_npy_files_of_the_right_values),
        cmocka_unit_test(images_from_a_npy_file_are_run),
        cmocka_unit_test(damaged_npy_files_are_refused),
        cmocka_unit_test(data_sets_that_do_not_fit_are_explained),
        cmocka_unit_test(wrong_command_lines_are_refused),
        cmocka_unit_test(failures_exit_with_1_and_leave_nothing),
        cmocka_unit_test(threads_and_kernel_reach_the_device),
        cmocka_unit_test(jobs_share_the_images),
        cmocka_unit_test(devices_are_listed_with_reasons),
    };
    return cmocka_run_group_tests(tests, make_files, fixture_remove_folder);
}
