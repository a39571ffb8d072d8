/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.jsonl: its content, what a crash or a full disk leaves, resuming; and histograms. */
#include "log/metrics.h"
#include "testing.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_BYTES ((size_t)1 << 18)

static char parent[] = "/tmp/bittern-test-metrics-XXXXXX";
static char folder[64];
static char path[96];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(parent)) {
        return -1;
    }
    (void)snprintf(folder, sizeof folder, "%s/a/b", parent); /* for metrics_open to create */
    (void)snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
    return 0;
}

static int empty_folder(void **state)
{
    (void)state;
    const struct dirent *entry;
    DIR *dir = opendir(folder);
    while (dir && (entry = readdir(dir))) {
        char file[400];
        if (entry->d_name[0] != '.') {
            (void)snprintf(file, sizeof file, "%s/%s", folder, entry->d_name);
            (void)unlink(file);
        }
    }
    return dir ? closedir(dir) : 0;
}

static int remove_folder(void **state)
{
    char middle[64];
    (void)snprintf(middle, sizeof middle, "%s/a", parent);
    (void)empty_folder(state);
    return rmdir(folder) + rmdir(middle) + rmdir(parent);
}

static size_t read_file(char *text)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(text, 1, MAX_BYTES - 1, file);
    assert_true(size < MAX_BYTES - 1);
    text[size] = '\0';
    (void)fclose(file);
    return size;
}

static void write_file(const char *text, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static const float weights[5] = {-1.0F, 0.25F, 1.0F, 0.5F, 0.0F};

static struct epoch_metrics make_epoch(uint64_t epoch, struct layer_metrics *layers)
{
    layers[0] = (struct layer_metrics){.name = "conv1",
                                       .zeros = 0.125,
                                       .has_beta = true,
                                       .has_mu = true,
                                       .beta = 1.25,
                                       .mu_mean = 0.5,
                                       .mu_minimum = 0.25,
                                       .mu_maximum = 0.75};
    layers[1] = (struct layer_metrics){.name = "fc \"2\""};
    histogram_make(&layers[0].latent, weights, 5);
    histogram_make(&layers[1].latent, weights, 0);
    return (struct epoch_metrics){.epoch = epoch,
                                  .step = 391 * epoch,
                                  .rate = 0.1 + 0.2,
                                  .train_loss = 1.0 / 3.0,
                                  .method_loss = INFINITY,
                                  .train_accuracy = 0.5,
                                  .test_loss = NAN,
                                  .test_accuracy = 0.75,
                                  .seconds = 12.5,
                                  .images_per_second = 4000.0,
                                  .loader_wait_seconds = 0.25,
                                  .layers = layers,
                                  .layer_count = 2};
}

static void add_epochs(uint64_t resume, uint64_t first, uint64_t last)
{
    struct bittern_error err;
    struct metrics *metrics;
    struct layer_metrics layers[2];
    assert_ok(metrics_open(folder, resume, &metrics, &err), &err);
    for (uint64_t i = first; i <= last; i++) {
        struct epoch_metrics epoch = make_epoch(i, layers);
        assert_ok(metrics_add(metrics, &epoch, &err), &err);
    }
    metrics_close(metrics);
}

/* The file's lines hold epochs 1..last and nothing else. */
static void assert_epochs(uint64_t last)
{
    static char text[MAX_BYTES];
    size_t size = read_file(text);
    char *at = text;
    for (uint64_t epoch = 1; epoch <= last; epoch++) {
        char *end = strchr(at, '\n');
        assert_non_null(end);
        *end = '\0';
        cJSON *line = cJSON_ParseWithOpts(at, NULL, 1);
        assert_non_null(line);
        assert_true(cJSON_GetObjectItemCaseSensitive(line, "epoch")->valuedouble == (double)epoch);
        cJSON_Delete(line);
        at = end + 1;
    }
    assert_int_equal(at - text, size);
}

static double number(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

/* Would catch: a number under another name, one that loses digits, NaN as invalid JSON. */
static void a_line_has_every_field(void **state)
{
    (void)state;
    static char text[MAX_BYTES];
    struct layer_metrics layers[2];
    const struct epoch_metrics epoch = make_epoch(1, layers);
    add_epochs(0, 1, 1);
    (void)read_file(text);
    cJSON *line = cJSON_ParseWithOpts(text, NULL, 1);
    assert_non_null(line);
    const struct {
        const char *key;
        double value;
    } expected[] = {{"epoch", 1.0},
                    {"step", 391.0},
                    {"rate", epoch.rate},
                    {"train_loss", epoch.train_loss},
                    {"train_accuracy", 0.5},
                    {"test_accuracy", 0.75},
                    {"seconds", 12.5},
                    {"images_per_second", 4000.0},
                    {"loader_wait_seconds", 0.25}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        /* 15 digits are written */
        double difference = number(line, expected[i].key) - expected[i].value;
        assert_true(fabs(difference) <= 1e-15 * expected[i].value);
    }
    assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(line, "test_loss")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(line, "method_loss")));
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(line, "layers");
    assert_int_equal(cJSON_GetArraySize(array), 2);
    const cJSON *conv1 = cJSON_GetArrayItem(array, 0);
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(conv1, "name")->valuestring, "conv1");
    assert_true(number(conv1, "zeros") == 0.125);
    assert_true(number(conv1, "beta") == 1.25);
    assert_true(number(conv1, "mu_mean") == 0.5);
    assert_true(number(conv1, "mu_minimum") == 0.25);
    assert_true(number(conv1, "mu_maximum") == 0.75);
    const cJSON *latent = cJSON_GetObjectItemCaseSensitive(conv1, "latent");
    const cJSON *bins = cJSON_GetObjectItemCaseSensitive(latent, "bins");
    assert_true(number(latent, "minimum") == -1.0);
    assert_true(number(latent, "maximum") == 1.0);
    assert_true(number(latent, "count") == 5.0);
    assert_true(number(latent, "sum") == 0.75);
    assert_true(number(latent, "sum_of_squares") == 2.3125);
    assert_int_equal(cJSON_GetArraySize(bins), HISTOGRAM_BINS);
    assert_int_equal(cJSON_GetArrayItem(bins, 0)->valueint, 1);
    assert_int_equal(cJSON_GetArrayItem(bins, 40)->valueint, 1);
    assert_int_equal(cJSON_GetArrayItem(bins, 63)->valueint, 1);
    const cJSON *fc2 = cJSON_GetArrayItem(array, 1);
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(fc2, "name")->valuestring, "fc \"2\"");
    assert_null(cJSON_GetObjectItemCaseSensitive(fc2, "beta"));
    assert_null(cJSON_GetObjectItemCaseSensitive(fc2, "mu_mean"));
    cJSON_Delete(line);
}

/* Would catch: an epoch that stands there twice after a resume, or that a resume loses. */
static void a_resumed_run_cuts_later_epochs(void **state)
{
    (void)state;
    struct bittern_error err;
    struct metrics *metrics;
    add_epochs(0, 1, 4);
    assert_ok(metrics_open(folder, 4, &metrics, &err), &err);
    assert_ok(metrics_add_json(metrics, "{\"result\": {\n\"accuracy\": 0.5}}", &err), &err);
    assert_int_equal(metrics_add_json(metrics, "{\"result\"", &err), BITTERN_ERR_ARGUMENT);
    metrics_close(metrics);
    static char text[MAX_BYTES];
    size_t size = read_file(text);
    static const char line[] = "}\n{\"result\":{\"accuracy\":0.5}}\n";
    assert_string_equal(text + size - strlen(line), line);
    add_epochs(4, 5, 6); /* a result in between goes, as the run goes on */
    assert_epochs(6);
    add_epochs(2, 3, 3);
    assert_epochs(3);
    add_epochs(9, 4, 4);
    assert_epochs(4);
    add_epochs(0, 1, 1);
    assert_epochs(1);
}

/* Would catch: half a line, from a crash, that no reader gets past. */
static void a_file_cut_at_any_byte_is_repaired(void **state)
{
    (void)state;
    static char text[MAX_BYTES];
    add_epochs(0, 1, 3);
    size_t size = read_file(text);
    assert_true(size > 0);
    uint64_t seed = 6;
    print_message("random seed %ju\n", (uintmax_t)seed);
    for (size_t i = 0; i < 60; i++) {
        size_t cut = i < 4 ? size - i : random_below(&seed, size);
        uint64_t whole = 0;
        for (size_t at = 0; at < cut; at++) {
            whole += text[at] == '\n';
        }
        write_file(text, cut);
        add_epochs(3, whole + 1, whole + 2);
        assert_epochs(whole + 2);
    }
}

/* Would catch: a damaged line amid the file, by which good ones are thrown away unseen. */
static void a_broken_line_is_an_error_with_its_number(void **state)
{
    (void)state;
    static char text[MAX_BYTES];
    static char after[MAX_BYTES];
    struct bittern_error err;
    struct metrics *metrics;
    add_epochs(0, 1, 3);
    size_t size = read_file(text);
    strchr(text, '\n')[1] = '[';
    write_file(text, size);
    assert_int_equal(metrics_open(folder, 3, &metrics, &err), BITTERN_ERR_FORMAT);
    assert_null(metrics);
    assert_non_null(strstr(err.message, "line 2"));
    assert_int_equal(read_file(after), size);
    assert_memory_equal(text, after, size);
}

/* Would catch: two runs that mix their lines in one folder. */
static void a_folder_belongs_to_one_run_at_a_time(void **state)
{
    (void)state;
    struct bittern_error err;
    struct metrics *first;
    struct metrics *second;
    assert_ok(metrics_open(folder, 0, &first, &err), &err);
    assert_int_equal(metrics_open(folder, 0, &second, &err), BITTERN_ERR_IO);
    assert_non_null(strstr(err.message, "another run"));
    assert_null(second);
    metrics_close(first);
    assert_ok(metrics_open(folder, 0, &second, &err), &err);
    metrics_close(second);
    assert_int_equal(metrics_open("/dev/null/x", 0, &second, &err), BITTERN_ERR_IO);
    assert_null(second);
    metrics_close(NULL);
}

/* Would catch: a full disk that leaves half a line in front of the next one. */
static void a_full_disk_leaves_whole_lines(void **state)
{
    (void)state;
    struct layer_metrics layers[2];
    struct epoch_metrics epoch = make_epoch(2, layers);
    add_epochs(0, 1, 1);
    static char text[MAX_BYTES];
    rlim_t most = read_file(text) + 100;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit limit = {most, most};
        struct bittern_error err = {.message = ""};
        struct metrics *metrics;
        (void)signal(SIGXFSZ, SIG_IGN);
        if (metrics_open(folder, 1, &metrics, &err) != BITTERN_OK ||
            setrlimit(RLIMIT_FSIZE, &limit) != 0) {
            _exit(2);
        }
        bool failed = metrics_add(metrics, &epoch, &err) == BITTERN_ERR_IO &&
                      strstr(err.message, "metrics.jsonl");
        bool then = metrics_add_json(metrics, "{\"small\":1}", &err) == BITTERN_OK;
        metrics_close(metrics);
        _exit(failed && then ? 0 : 1);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
    size_t size = read_file(text);
    assert_string_equal(text + size - 13, "\n{\"small\":1}\n");
    text[size - 12] = '\0';
    assert_null(strchr(strchr(text, '\n') + 1, '\n'));
    add_epochs(1, 2, 2);
    assert_epochs(2);
}

/* Would catch: bins off by one at the ends or at 0, counts that do not add up. */
static void histograms_count_every_value_once(void **state)
{
    (void)state;
    struct histogram histogram;
    float values[1000];
    uint64_t seed = 2;
    print_message("random seed %ju\n", (uintmax_t)seed);
    for (size_t run = 0; run < 20; run++) {
        uint64_t expected[HISTOGRAM_BINS] = {0};
        double largest = 0.0;
        size_t count = 1 + random_below(&seed, 1000);
        for (size_t i = 0; i < count; i++) {
            values[i] = (float)((random_unit(&seed) - 0.5) * ldexp(1.0, (int)run - 10));
            largest = fmax(largest, fabs((double)values[i]));
        }
        histogram_make(&histogram, values, count);
        assert_true(histogram.minimum == -largest && histogram.maximum == largest);
        assert_int_equal(histogram.count, count);
        double sum = 0.0;
        double squares = 0.0;
        for (size_t i = 0; i < count; i++) {
            size_t bin = 0;
            double v = (double)values[i];
            while (bin < HISTOGRAM_BINS - 1 &&
                   v >= -largest + (double)(bin + 1) * (2.0 * largest / HISTOGRAM_BINS)) {
                bin++;
            }
            expected[bin]++;
            sum += v;
            squares += v * v;
        }
        assert_memory_equal(histogram.bins, expected, sizeof expected);
        assert_true(histogram.sum == sum && histogram.sum_of_squares == squares);
    }
}

/* Would catch: a division by a range of 0, a cast of NaN or infinity to a bin. */
static void odd_values_have_their_bins(void **state)
{
    (void)state;
    struct histogram histogram;
    const float zeros[3] = {0.0F, -0.0F, 0.0F};
    const float odd[6] = {NAN, INFINITY, -INFINITY, 2.0F, -2.0F, 1e-45F};
    const float infinite[2] = {INFINITY, NAN};
    histogram_make(&histogram, zeros, 3);
    assert_int_equal(histogram.bins[HISTOGRAM_BINS / 2], 3);
    assert_true(histogram.minimum < histogram.maximum);
    histogram_make(&histogram, odd, 6);
    assert_int_equal(histogram.count, 5);
    assert_int_equal(histogram.bins[0], 2);
    assert_int_equal(histogram.bins[HISTOGRAM_BINS - 1], 2);
    assert_int_equal(histogram.bins[HISTOGRAM_BINS / 2], 1);
    assert_true(histogram.maximum == 2.0 && isfinite(histogram.sum));
    histogram_make(&histogram, infinite, 2);
    assert_int_equal(histogram.count, 1);
    assert_int_equal(histogram.bins[HISTOGRAM_BINS - 1], 1);
    histogram_make(&histogram, odd, 0);
    assert_int_equal(histogram.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_line_has_every_field, empty_folder),
        cmocka_unit_test_teardown(a_resumed_run_cuts_later_epochs, empty_folder),
        cmocka_unit_test_teardown(a_file_cut_at_any_byte_is_repaired, empty_folder),
        cmocka_unit_test_teardown(a_broken_line_is_an_error_with_its_number, empty_folder),
        cmocka_unit_test_teardown(a_folder_belongs_to_one_run_at_a_time, empty_folder),
        cmocka_unit_test_teardown(a_full_disk_leaves_whole_lines, empty_folder),
        cmocka_unit_test(histograms_count_every_value_once),
        cmocka_unit_test(odd_values_have_their_bins),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
