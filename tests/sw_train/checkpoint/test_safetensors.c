/* SPDX-License-Identifier: Apache-2.0 */
/*
 * safetensors files: what is written is read back and follows the format byte by byte; what does
 * not follow it is refused; a failed write loses nothing.
 */
#include "checkpoint/safetensors.h"
#include "testing.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_BYTES ((size_t)1 << 16)

static char folder[] = "/tmp/bittern-test-safetensors-XXXXXX";
static char path[128];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/a.safetensors", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder); /* fails where a write left something behind */
}

static size_t read_file(uint8_t *bytes)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, MAX_BYTES, file);
    assert_true(size < MAX_BYTES);
    (void)fclose(file);
    return size;
}

static const float weights[2][3] = {{1.5F, -2.0F, 0.0F}, {3.0e-39F, 1e38F, -0.0F}};
static const uint8_t labels[5] = {1, 2, 3, 4, 255};
static const uint64_t steps[1] = {UINT64_MAX - 1};

/* A byte-wide tensor first, so that order matters for alignment. */
static const struct safetensors_tensor small[] = {
    {.name = "labels", .type = SAFETENSORS_U8, .shape = {5}, .rank = 1, .data = labels},
    {.name = "conv1.weight", .type = SAFETENSORS_F32, .shape = {2, 3}, .rank = 2, .data = weights},
    {.name = "empty", .type = SAFETENSORS_F32, .shape = {0, 7}, .rank = 2, .data = weights},
    {.name = "steps", .type = SAFETENSORS_U64, .rank = 0, .data = steps}};
static const struct safetensors_entry small_metadata[] = {
    {"recipe", "title: \"a \\ b\"\n  \xC3\xA9: 1\n"}, {"empty", ""}};

static void write_small(void)
{
    struct bittern_error err;
    assert_ok(safetensors_write(path, small, 4, small_metadata, 2, &err), &err);
}

/* Would catch: a value, shape, type or text that does not survive the file. */
static void what_is_written_is_read_back(void **state)
{
    (void)state;
    struct bittern_error err;
    struct safetensors *file;
    write_small();
    assert_ok(safetensors_read(path, &file, &err), &err);
    assert_int_equal(safetensors_count(file), 4);
    for (size_t i = 0; i < 4; i++) {
        const struct safetensors_tensor *tensor = safetensors_find(file, small[i].name);
        assert_non_null(tensor);
        assert_int_equal(tensor->type, small[i].type);
        assert_int_equal(tensor->rank, small[i].rank);
        assert_memory_equal(tensor->shape, small[i].shape, tensor->rank * sizeof(size_t));
    }
    assert_memory_equal(safetensors_find(file, "labels")->data, labels, sizeof labels);
    assert_memory_equal(safetensors_find(file, "conv1.weight")->data, weights, sizeof weights);
    assert_memory_equal(safetensors_find(file, "steps")->data, steps, sizeof steps);
    assert_int_equal(safetensors_tensor_values(safetensors_find(file, "empty")), 0);
    assert_int_equal(safetensors_tensor_values(safetensors_find(file, "steps")), 1);
    assert_null(safetensors_find(file, "conv2.weight"));
    assert_null(safetensors_get(file, 4));
    assert_string_equal(safetensors_metadata(file, "recipe"), small_metadata[0].value);
    assert_string_equal(safetensors_metadata(file, "empty"), "");
    assert_null(safetensors_metadata(file, "missing"));
    safetensors_free(file);
}

/* Would catch: bytes that our own reader forgives but another one would not. */
static void the_file_follows_the_format(void **state)
{
    (void)state;
    static uint8_t bytes[MAX_BYTES];
    write_small();
    size_t size = read_file(bytes);
    uint64_t length;
    memcpy(&length, bytes, sizeof length);
    assert_true(length < size);
    assert_int_equal((8 + length) % 8, 0);
    assert_int_equal(bytes[8], '{');
    char *text = strndup((const char *)bytes + 8, (size_t)length);
    assert_non_null(text);
    cJSON *header = cJSON_Parse(text);
    assert_non_null(header);
    assert_int_equal(cJSON_GetArraySize(header), 5);
    size_t end = 0;
    for (size_t i = 0; i < 4; i++) {
        const cJSON *object = cJSON_GetObjectItemCaseSensitive(header, small[i].name);
        static const char *const types[] = {"U8", "F32", "F32", "U64"};
        assert_non_null(object);
        assert_string_equal(cJSON_GetObjectItemCaseSensitive(object, "dtype")->valuestring,
                            types[i]);
        const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(object, "data_offsets");
        size_t begin = (size_t)cJSON_GetArrayItem(offsets, 0)->valuedouble;
        size_t stop = (size_t)cJSON_GetArrayItem(offsets, 1)->valuedouble;
        assert_memory_equal(bytes + 8 + length + begin, small[i].data, stop - begin);
        end = stop > end ? stop : end;
    }
    assert_int_equal(8 + length + end, size);
    const cJSON *entry;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(header, "__metadata__"))
    {
        assert_true(cJSON_IsString(entry));
    }
    cJSON_Delete(header);
    free(text);
}

/* Would catch: an order or offset that only few tensors hide. */
static void random_sets_of_tensors_survive(void **state)
{
    (void)state;
    struct bittern_error err;
    uint64_t seed = 11;
    static uint8_t pool[4096];
    print_message("random seed %ju\n", (uintmax_t)seed);
    for (size_t i = 0; i < sizeof pool; i++) {
        pool[i] = (uint8_t)random_u64(&seed);
    }
    for (size_t run = 0; run < 50; run++) {
        struct safetensors_tensor tensors[24];
        char names[24][32];
        size_t count = random_below(&seed, 25);
        for (size_t i = 0; i < count; i++) {
            (void)snprintf(names[i], sizeof names[i], "%c%zu",
                           (char)('a' + random_below(&seed, 26)), i);
            tensors[i] =
                (struct safetensors_tensor){.name = names[i],
                                            .type = (enum safetensors_type)random_below(&seed, 3),
                                            .rank = random_below(&seed, SAFETENSORS_MAX_RANK + 1),
                                            .data = pool + 8 * random_below(&seed, 100)};
            for (size_t d = 0; d < tensors[i].rank; d++) {
                tensors[i].shape[d] = random_below(&seed, 4);
            }
        }
        assert_ok(safetensors_write(path, tensors, count, NULL, 0, &err), &err);
        struct safetensors *file;
        assert_ok(safetensors_read(path, &file, &err), &err);
        assert_int_equal(safetensors_count(file), count);
        for (size_t i = 0; i < count; i++) {
            static const size_t widths[] = {4, 8, 1};
            const struct safetensors_tensor *tensor = safetensors_find(file, names[i]);
            assert_non_null(tensor);
            assert_int_equal((uintptr_t)tensor->data % widths[tensor->type], 0);
            assert_memory_equal(tensor->data, tensors[i].data,
                                safetensors_tensor_values(tensor) * widths[tensor->type]);
        }
        safetensors_free(file);
    }
}

static bittern_status parse_copy(const uint8_t *bytes, size_t size, struct safetensors **file,
                                 struct bittern_error *err)
{
    uint8_t *copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    return safetensors_parse(copy, size, "test", file, err);
}

/* Would catch: a file cut anywhere, by a full disk or a broken download, that is taken as whole. */
static void a_file_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    static uint8_t bytes[MAX_BYTES];
    struct bittern_error err;
    struct safetensors *file;
    write_small();
    size_t size = read_file(bytes);
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(parse_copy(bytes, cut, &file, &err), BITTERN_ERR_FORMAT);
        assert_null(file);
    }
    bytes[size] = 0;
    assert_int_equal(parse_copy(bytes, size + 1, &file, &err), BITTERN_ERR_FORMAT);
}

/* Would catch: a flipped bit that changes a weight unseen. */
static void a_flipped_bit_is_found(void **state)
{
    (void)state;
    static uint8_t bytes[MAX_BYTES];
    struct bittern_error err;
    struct safetensors *file;
    write_small();
    size_t size = read_file(bytes);
    size_t header = 8 + bytes[0] + 256U * bytes[1];
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        bittern_status status = parse_copy(bytes, size, &file, &err);
        if (bit / 8 >= header) {
            assert_int_equal(status, BITTERN_ERR_CHECKSUM);
        }
        if (status == BITTERN_OK && safetensors_metadata(file, "bittern.crc32")) {
            /* Where the header's text changed without a change of what it says. */
            assert_string_equal(safetensors_metadata(file, "recipe"), small_metadata[0].value);
            assert_memory_equal(safetensors_find(file, "conv1.weight")->data, weights,
                                sizeof weights);
        }
        safetensors_free(file);
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
}

/* A file of this header and so many bytes of data. */
static bittern_status parse_header(const char *header, size_t data_size, struct safetensors **file,
                                   struct bittern_error *err)
{
    static uint8_t bytes[MAX_BYTES];
    uint64_t length = strlen(header);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, (size_t)length);
    for (size_t i = 0; i < data_size; i++) {
        bytes[8 + length + i] = (uint8_t)(i + 1);
    }
    return parse_copy(bytes, 8 + (size_t)length + data_size, file, err);
}

/* Would catch: any of the header's numbers that is believed; reads outside of the file. */
static void headers_that_lie_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data_size;
        bittern_status status;
    } cases[] = {
        {"", 0, BITTERN_ERR_FORMAT},
        {" {}", 0, BITTERN_ERR_FORMAT},
        {"{}x", 0, BITTERN_ERR_FORMAT},
        {"{", 0, BITTERN_ERR_FORMAT},
        {"[]", 0, BITTERN_ERR_FORMAT},
        {"{}", 1, BITTERN_ERR_FORMAT},
        {"{\"a\":1}", 4, BITTERN_ERR_FORMAT},
        {"{\"a\":[1]}", 4, BITTERN_ERR_FORMAT},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, BITTERN_ERR_FORMAT},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, BITTERN_ERR_FORMAT},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, BITTERN_ERR_FORMAT},
        {"{\"a\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4,
         BITTERN_ERR_UNSUPPORTED},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
         BITTERN_ERR_UNSUPPORTED},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, BITTERN_ERR_FORMAT},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4,
         BITTERN_ERR_FORMAT},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0.5],\"data_offsets\":[0,4]}}", 4,
         BITTERN_ERR_FORMAT},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1e300],\"data_offsets\":[0,4]}}", 4,
         BITTERN_ERR_FORMAT},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 0,
         BITTERN_ERR_FORMAT},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4,
         BITTERN_ERR_FORMAT},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, BITTERN_ERR_FORMAT},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 4, BITTERN_ERR_FORMAT},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, BITTERN_ERR_FORMAT},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 8, BITTERN_ERR_FORMAT},
        /* overlap; the same name twice */
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}",
         4, BITTERN_ERR_FORMAT},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
         "\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}",
         4, BITTERN_ERR_FORMAT},
        /* not aligned */
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]}}",
         5, BITTERN_ERR_UNSUPPORTED},
        {"{\"__metadata__\":{\"a\":1}}", 0, BITTERN_ERR_FORMAT},
        {"{\"__metadata__\":[]}", 0, BITTERN_ERR_FORMAT},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, BITTERN_ERR_FORMAT},
        {"{\"__metadata__\":{\"bittern.crc32\":\"\"}}", 0, BITTERN_ERR_CHECKSUM},
        {"{\"__metadata__\":{\"bittern.crc32\":\"1\"}}", 0, BITTERN_ERR_CHECKSUM},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bittern_error err = {.message = ""};
        struct safetensors *file;
        bittern_status status = parse_header(cases[i].header, cases[i].data_size, &file, &err);
        if (status != cases[i].status) {
            fail_msg("%s: %s", cases[i].header, bittern_status_name(status));
        }
        assert_null(file);
        assert_non_null(strstr(err.message, "test"));
    }
    /* header lengths beyond the file, up to the largest */
    uint8_t bytes[16] = {9, 0, 0, 0, 0, 0, 0, 0, '{', '}', ' ', ' ', ' ', ' ', ' ', ' '};
    struct bittern_error err;
    struct safetensors *file;
    assert_int_equal(parse_copy(bytes, 16, &file, &err), BITTERN_ERR_FORMAT);
    memset(bytes, 0xFF, 8);
    assert_int_equal(parse_copy(bytes, 16, &file, &err), BITTERN_ERR_FORMAT);
}

/* Would catch: refusing what other programs write: no padding, no check sum, any order. */
static void files_of_other_programs_are_read(void **state)
{
    (void)state;
    struct bittern_error err;
    struct safetensors *file;
    for (size_t pad = 0; pad < 9; pad++) {
        char header[256];
        (void)snprintf(header, sizeof header,
                       "{\"b\":{\"data_offsets\":[8,10],\"dtype\":\"U8\",\"shape\":[1,2]},"
                       "\"a\":{\"shape\":[2],\"dtype\":\"F32\",\"data_offsets\":[0,8]}}%*s",
                       (int)pad, "");
        assert_ok(parse_header(header, 10, &file, &err), &err);
        const struct safetensors_tensor *a = safetensors_find(file, "a");
        static const uint8_t expected[] = {1, 2, 3, 4, 5, 6, 7, 8};
        assert_ptr_equal(safetensors_get(file, 0), a);
        assert_int_equal((uintptr_t)a->data % 8, 0);
        assert_memory_equal(a->data, expected, 8);
        assert_int_equal(((const uint8_t *)safetensors_find(file, "b")->data)[1], 10);
        assert_null(safetensors_metadata(file, "any"));
        safetensors_free(file);
    }
    assert_ok(parse_header("{}", 0, &file, &err), &err);
    assert_int_equal(safetensors_count(file), 0);
    safetensors_free(file);
}

/* Would catch: a writer that makes files no reader takes. */
static void impossible_tensors_are_not_written(void **state)
{
    (void)state;
    struct bittern_error err;
    struct safetensors_tensor tensors[2] = {small[0], small[0]};
    (void)unlink(path);
    assert_int_equal(safetensors_write(path, tensors, 2, NULL, 0, &err), BITTERN_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "labels"));
    tensors[0].name = "__metadata__";
    assert_int_equal(safetensors_write(path, tensors, 1, NULL, 0, &err), BITTERN_ERR_ARGUMENT);
    tensors[0] = (struct safetensors_tensor){
        .name = "large", .shape = {SIZE_MAX / 2, 2}, .rank = 2, .data = labels};
    assert_int_equal(safetensors_write(path, tensors, 1, NULL, 0, &err), BITTERN_ERR_ARGUMENT);
    tensors[0].rank = SAFETENSORS_MAX_RANK + 1;
    assert_int_equal(safetensors_write(path, tensors, 1, NULL, 0, &err), BITTERN_ERR_ARGUMENT);
    const struct safetensors_entry twice[] = {{"a", "1"}, {"a", "2"}};
    assert_int_equal(safetensors_write(path, small, 4, twice, 2, &err), BITTERN_ERR_ARGUMENT);
    const struct safetensors_entry own[] = {{"bittern.crc32", "1"}};
    assert_int_equal(safetensors_write(path, small, 4, own, 1, &err), BITTERN_ERR_ARGUMENT);
    assert_int_equal(access(path, F_OK), -1);
}

/* Would catch: a full disk that takes the last good checkpoint with it, or leaves a part behind. */
static void a_full_disk_keeps_the_file_before(void **state)
{
    (void)state;
    static uint8_t before[MAX_BYTES];
    static uint8_t after[MAX_BYTES];
    static float large[16384];
    write_small();
    size_t size = read_file(before);
    /* In a process of its own: no file may grow beyond 4096 bytes. */
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit limit = {4096, 4096};
        struct bittern_error err = {.message = ""};
        struct safetensors_tensor tensor = {
            .name = "large", .shape = {16384}, .rank = 1, .data = large};
        (void)signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0) {
            _exit(2);
        }
        bittern_status status = safetensors_write(path, &tensor, 1, NULL, 0, &err);
        _exit(status == BITTERN_ERR_IO && strstr(err.message, path) ? 0 : 1);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
    assert_int_equal(read_file(after), size);
    assert_memory_equal(before, after, size);
    (void)unlink(path);
    assert_int_equal(rmdir(folder), 0); /* nothing else is there */
    assert_int_equal(mkdir(folder, 0700), 0);
}

/* Would catch: an error without the path, or a crash, where there is no file. */
static void a_missing_file_is_not_found(void **state)
{
    (void)state;
    struct bittern_error err;
    struct safetensors *file;
    assert_int_equal(safetensors_read("/nowhere/x.safetensors", &file, &err),
                     BITTERN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "/nowhere/x.safetensors"));
    safetensors_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(the_file_follows_the_format),
        cmocka_unit_test(random_sets_of_tensors_survive),
        cmocka_unit_test(a_file_cut_at_any_byte_is_refused),
        cmocka_unit_test(a_flipped_bit_is_found),
        cmocka_unit_test(headers_that_lie_are_refused),
        cmocka_unit_test(files_of_other_programs_are_read),
        cmocka_unit_test(impossible_tensors_are_not_written),
        cmocka_unit_test(a_full_disk_keeps_the_file_before),
        cmocka_unit_test(a_missing_file_is_not_found),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
