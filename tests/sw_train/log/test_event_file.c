/* SPDX-License-Identifier: Apache-2.0 */
/* TensorBoard's event files: every byte as TensorFlow has it, and cutting them back. */
#include "event_bytes.h"
#include "log/crc32c.h"
#include "log/event_file.h"
#include "testing.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILES 8
#define MAX_BYTES ((size_t)1 << 18)

static char folder[] = "/tmp/bittern-test-events-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Paths of the folder's files, sorted as TensorBoard reads them. */
static size_t list_files(char paths[MAX_FILES][320])
{
    size_t count = 0;
    const struct dirent *entry;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] != '.') {
            assert_true(count < MAX_FILES);
            (void)snprintf(paths[count++], 320, "%s/%s", folder, entry->d_name);
        }
    }
    (void)closedir(dir);
    qsort(paths, count, sizeof paths[0], by_name);
    return count;
}

static int empty_folder(void **state)
{
    (void)state;
    char paths[MAX_FILES][320];
    size_t count = list_files(paths);
    for (size_t i = 0; i < count; i++) {
        (void)unlink(paths[i]);
    }
    return 0;
}

static int remove_folder(void **state)
{
    (void)empty_folder(state);
    return rmdir(folder);
}

static size_t read_file(const char *path, uint8_t *bytes)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, MAX_BYTES, file);
    assert_true(size < MAX_BYTES);
    (void)fclose(file);
    return size;
}

static void write_file(const char *path, const uint8_t *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static const struct layer_metrics layers[2] = {
    {.name = "conv1",
     .latent = {.minimum = -2.0,
                .maximum = 2.0,
                .bins = {[0] = 3, [40] = 5},
                .count = 8,
                .sum = 1.5,
                .sum_of_squares = 6.25},
     .zeros = 0.25,
     .has_beta = true,
     .has_mu = true,
     .beta = 1.57,
     .mu_mean = 0.125},
    {.name = "fc2", .latent = {.minimum = -1.0, .maximum = 1.0, .bins = {[1] = 1}, .count = 1}}};

static struct epoch_metrics make_epoch(uint64_t epoch)
{
    return (struct epoch_metrics){.epoch = epoch,
                                  .step = 100 * epoch,
                                  .rate = 0.5,
                                  .train_loss = 1.0 / (double)epoch,
                                  .method_loss = 2.0,
                                  .train_accuracy = 0.75,
                                  .test_loss = NAN,
                                  .test_accuracy = 0.875,
                                  .seconds = 3.0,
                                  .images_per_second = 1000.0,
                                  .layers = layers,
                                  .layer_count = 2};
}

static void write_epochs(uint64_t first, uint64_t last)
{
    struct bittern_error err;
    struct event_file *file;
    assert_ok(event_file_create(folder, &file, &err), &err);
    for (uint64_t i = first; i <= last; i++) {
        struct epoch_metrics epoch = make_epoch(i);
        assert_ok(event_file_add(file, &epoch, &err), &err);
    }
    event_file_close(file);
}

/* Steps of the summaries in all files. */
static size_t read_steps(uint64_t *steps)
{
    static uint8_t bytes[MAX_BYTES];
    char paths[MAX_FILES][320];
    size_t files = list_files(paths);
    size_t count = 0;
    for (size_t i = 0; i < files; i++) {
        const uint8_t *at = bytes;
        const uint8_t *end = bytes + read_file(paths[i], bytes);
        const uint8_t *message;
        size_t size;
        while (event_next_record(&at, end, &message, &size)) {
            struct event_field step;
            struct event_field summary;
            if (event_find_field(message, size, 5, &summary)) {
                assert_true(event_find_field(message, size, 2, &step));
                steps[count++] = step.value;
            }
        }
    }
    return count;
}

/* Would catch: a wrong polynomial, bit order or mask. */
static void crc32c_gives_the_known_answers(void **state)
{
    (void)state;
    /* RFC 3720, appendix B.4, and the usual check value. */
    uint8_t bytes[32];
    assert_int_equal(crc32c("123456789", 9), 0xE3069283);
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(crc32c(bytes, sizeof bytes), 0x8A9136AA);
    memset(bytes, 0xFF, sizeof bytes);
    assert_int_equal(crc32c(bytes, sizeof bytes), 0x62A8AB43);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    assert_int_equal(crc32c(bytes, sizeof bytes), 0x46DD794E);
    uint32_t crc = crc32c(bytes, sizeof bytes);
    assert_int_equal(crc32c_masked(bytes, sizeof bytes),
                     (uint32_t)(((crc >> 15) | (crc << 17)) + 0xA282EAD8U));
}

static double as_double(const struct event_field *field)
{
    double value;
    assert_int_equal(field->wire_type, 1);
    memcpy(&value, &field->value, sizeof value);
    return value;
}

struct scalars {
    size_t scalars, histograms;
    float conv1_zeros, conv1_beta, conv1_mu, train_loss;
    struct event_field conv1_latent;
};

static void read_value(const struct event_field *value, struct scalars *found)
{
    struct event_field tag;
    struct event_field content;
    static const char latent[] = "latent/conv1";
    assert_true(event_find_field(value->data, (size_t)value->value, 1, &tag));
    char name[64] = "";
    assert_true(tag.value < sizeof name);
    memcpy(name, tag.data, (size_t)tag.value);
    if (event_find_field(value->data, (size_t)value->value, 5, &content)) {
        found->histograms++;
        if (strcmp(name, latent) == 0) {
            found->conv1_latent = content;
        }
        return;
    }
    float number = 0.0F;
    if (event_find_field(value->data, (size_t)value->value, 2, &content)) {
        assert_int_equal(content.wire_type, 5);
        memcpy(&number, &content.value, sizeof number);
    }
    found->scalars++;
    assert_string_not_equal(name, "test/loss"); /* it is not known */
    float *const places[] = {&found->conv1_zeros, &found->conv1_beta, &found->conv1_mu,
                             &found->train_loss};
    static const char *const names[] = {"zeros/conv1", "beta/conv1", "mu/conv1", "train/loss"};
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(name, names[i]) == 0) {
            *places[i] = number;
        }
    }
}

static void assert_histogram(const struct event_field *histogram)
{
    static const double expected[] = {-2.0, 2.0, 8.0, 1.5, 6.25};
    struct event_field field;
    double bins[HISTOGRAM_BINS];
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(event_find_field(histogram->data, (size_t)histogram->value, i + 1, &field));
        assert_true(as_double(&field) == expected[i]);
    }
    assert_true(event_find_field(histogram->data, (size_t)histogram->value, 6, &field));
    assert_int_equal(field.value, sizeof bins); /* packed */
    memcpy(bins, field.data, sizeof bins);
    assert_true(bins[0] == -2.0 + 4.0 / HISTOGRAM_BINS);
    assert_true(bins[HISTOGRAM_BINS - 1] == 2.0);
    assert_true(event_find_field(histogram->data, (size_t)histogram->value, 7, &field));
    assert_int_equal(field.value, sizeof bins);
    memcpy(bins, field.data, sizeof bins);
    assert_true(bins[0] == 3.0 && bins[40] == 5.0 && bins[1] == 0.0);
}

/* Would catch: a field number, type, tag or check sum that TensorBoard would not take. */
static void events_have_tensorflows_bytes(void **state)
{
    (void)state;
    static uint8_t bytes[MAX_BYTES];
    char paths[MAX_FILES][320];
    write_epochs(3, 3);
    assert_int_equal(list_files(paths), 1);
    const char *name = strrchr(paths[0], '/') + 1;
    assert_int_equal(strncmp(name, "events.out.tfevents.", 20), 0);
    const uint8_t *at = bytes;
    const uint8_t *end = bytes + read_file(paths[0], bytes);
    const uint8_t *message;
    size_t size;
    struct event_field field;
    assert_true(event_next_record(&at, end, &message, &size));
    assert_true(event_find_field(message, size, 1, &field));
    assert_true(as_double(&field) > 1.0e9);
    assert_true(event_find_field(message, size, 3, &field));
    assert_int_equal(field.value, 13);
    assert_memory_equal(field.data, "brain.Event:2", 13);

    assert_true(event_next_record(&at, end, &message, &size));
    assert_true(event_find_field(message, size, 1, &field));
    assert_true(as_double(&field) > 1.0e9);
    assert_true(event_find_field(message, size, 2, &field));
    assert_int_equal(field.value, 3);
    assert_true(event_find_field(message, size, 5, &field));
    struct scalars found = {0};
    const uint8_t *value_at = field.data;
    struct event_field value;
    while (event_next_field(&value_at, field.data + field.value, &value)) {
        assert_int_equal(value.number, 1);
        read_value(&value, &found);
    }
    assert_int_equal(found.histograms, 2);
    assert_int_equal(found.scalars, 6 + 3 + 1);
    assert_true(found.train_loss == (float)(1.0 / 3.0));
    assert_true(found.conv1_zeros == 0.25F);
    assert_true(found.conv1_beta == 1.57F);
    assert_true(found.conv1_mu == 0.125F);
    assert_histogram(&found.conv1_latent);
    assert_false(event_next_record(&at, end, &message, &size));
}

/* Would catch: an epoch that TensorBoard shows twice after a resume, or one that is lost. */
static void resumed_runs_leave_each_epoch_once(void **state)
{
    (void)state;
    struct bittern_error err;
    char paths[MAX_FILES][320];
    uint64_t steps[32];
    write_epochs(1, 5);
    assert_ok(event_files_cut(folder, 3, &err), &err);
    write_epochs(4, 6); /* within the same second: still another, later file */
    assert_int_equal(list_files(paths), 2);
    assert_ok(event_files_cut(folder, 5, &err), &err);
    write_epochs(6, 7);
    size_t count = read_steps(steps);
    assert_int_equal(count, 7);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(steps[i], i + 1);
    }
    /* Back to before the second file began: it goes wholly. */
    assert_ok(event_files_cut(folder, 2, &err), &err);
    assert_int_equal(list_files(paths), 1);
    assert_int_equal(read_steps(steps), 2);
    assert_ok(event_files_cut(folder, 0, &err), &err);
    assert_int_equal(list_files(paths), 0);
}

/* Would catch: a crash within a record that makes the rest of the run unreadable. */
static void a_file_cut_at_any_byte_is_repaired(void **state)
{
    (void)state;
    static uint8_t bytes[MAX_BYTES];
    struct bittern_error err;
    char paths[MAX_FILES][320];
    char path[320];
    uint64_t steps[32];
    write_epochs(1, 3);
    assert_int_equal(list_files(paths), 1);
    (void)snprintf(path, sizeof path, "%s", paths[0]);
    size_t size = read_file(path, bytes);
    if (size == 0) {
        fail_msg("%s is empty", path);
        return;
    }
    for (size_t cut = 0; cut < size; cut += cut % 16 == 15 ? 23 : 1) {
        write_file(path, bytes, cut);
        assert_ok(event_files_cut(folder, 3, &err), &err);
        size_t left = read_steps(steps); /* fails where a record is broken */
        assert_true(left < 3);
    }
    uint64_t seed = 8;
    print_message("random seed %ju\n", (uintmax_t)seed);
    for (size_t i = 0; i < 200; i++) {
        size_t at = random_below(&seed, size);
        bytes[at] ^= 0x20;
        write_file(path, bytes, size);
        bytes[at] ^= 0x20;
        assert_ok(event_files_cut(folder, 3, &err), &err);
        assert_true(read_steps(steps) < 3);
    }
}

/* Would catch: another program's files in the folder that are shortened or deleted. */
static void files_of_other_programs_stay(void **state)
{
    (void)state;
    struct bittern_error err;
    char paths[MAX_FILES][320];
    char path[320];
    uint8_t bytes[8];
    (void)snprintf(path, sizeof path, "%s/events.out.tfevents.1700000000.host.123.0", folder);
    write_file(path, (const uint8_t *)"theirs", 6);
    write_epochs(1, 2);
    assert_ok(event_files_cut(folder, 0, &err), &err);
    assert_int_equal(list_files(paths), 1);
    assert_int_equal(read_file(path, bytes), 6);
    assert_int_equal(event_files_cut("/nowhere/at/all", 0, &err), BITTERN_ERR_IO);
    struct event_file *file;
    assert_int_equal(event_file_create("/nowhere/at/all", &file, &err), BITTERN_ERR_IO);
    assert_null(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_gives_the_known_answers),
        cmocka_unit_test_teardown(events_have_tensorflows_bytes, empty_folder),
        cmocka_unit_test_teardown(resumed_runs_leave_each_epoch_once, empty_folder),
        cmocka_unit_test_teardown(a_file_cut_at_any_byte_is_repaired, empty_folder),
        cmocka_unit_test_teardown(files_of_other_programs_stay, empty_folder),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
