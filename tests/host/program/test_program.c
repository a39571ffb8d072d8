/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Program files: what is written comes back equal in every field and in every computed value; what
 * is damaged is refused whatever the damage; what is hostile but has right check sums is refused by
 * what it says.
 */
#include "network/network_build.h"
#include "network_random.h"
#include "program/program_format.h"
#include "program_repair.h"
#include "testing.h"

#include <bittern/accelerator.h>
#include <bittern/program.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct random_network_options small = {
    .max_layers = 2, .max_channels = 3, .max_side = 4};

static struct bittern_program *make_program(uint64_t seed,
                                            const struct random_network_options *options,
                                            const struct bittern_geometry *geometry)
{
    struct bittern_error err = {0};
    struct bittern_network *network = NULL;
    struct bittern_program *program = NULL;

    assert_ok(random_network(seed, options, &network, &err), &err);
    assert_ok(bittern_program_create(network, geometry, &program, &err), &err);
    bittern_network_free(network);
    return program;
}

static uint8_t *copy_of(const struct bittern_program *program, size_t *size)
{
    const void *data = bittern_program_data(program, size);
    uint8_t *copy = malloc(*size + 1);
    assert_non_null(copy);
    memcpy(copy, data, *size);
    copy[*size] = 0;
    return copy;
}

/* Reads a program that must be refused; the message is in err. */
static bittern_status refuse(const uint8_t *data, size_t size, struct bittern_error *err)
{
    struct bittern_program *program = NULL;
    memset(err, 0, sizeof *err);
    bittern_status status = bittern_program_read_memory(data, size, "test.btn", &program, err);
    assert_int_not_equal(status, BITTERN_OK);
    assert_int_equal(status, err->status);
    assert_null(program);
    return status;
}

static void assert_message(const struct bittern_error *err, const char *part)
{
    if (!strstr(err->message, part)) {
        fail_msg("'%s' is not in '%s'", part, err->message);
    }
}

static void assert_same_array(const void *a, const void *b, size_t bytes)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a) {
        assert_memory_equal(a, b, bytes);
    }
}

static void assert_same_weights(const struct bittern_weights *a, const struct bittern_weights *b,
                                size_t channels)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->plane_count, b->plane_count);
    assert_int_equal(a->words_per_output, b->words_per_output);
    assert_int_equal(a->bits, b->bits);
    for (size_t p = 0; p < a->plane_count; p++) {
        size_t bytes = channels * a->words_per_output * sizeof(uint64_t);
        assert_int_equal(a->planes[p].multiplier, b->planes[p].multiplier);
        assert_same_array(a->planes[p].plus, b->planes[p].plus, bytes);
        assert_same_array(a->planes[p].minus, b->planes[p].minus, bytes);
    }
}

static void assert_same_type(const struct bittern_value_type *a, const struct bittern_value_type *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->bits, b->bits);
    assert_int_equal(a->is_signed, b->is_signed);
    assert_int_equal(a->minimum, b->minimum);
    assert_int_equal(a->maximum, b->maximum);
}

static void assert_same_activation(const struct bittern_activation *a,
                                   const struct bittern_activation *b, size_t channels)
{
    assert_int_equal(a->kind, b->kind);
    assert_same_array(a->threshold_low, b->threshold_low, channels * sizeof(int32_t));
    assert_same_array(a->threshold_high, b->threshold_high, channels * sizeof(int32_t));
    assert_same_array(a->descending, b->descending, channels);
    assert_same_array(a->multiplier, b->multiplier, channels * sizeof(int32_t));
    assert_same_array(a->offset, b->offset, channels * sizeof(int64_t));
    assert_same_array(a->shift, b->shift, channels);
    assert_same_array(a->ties, b->ties, channels);
}

static void assert_same_layer(const struct bittern_layer *a, const struct bittern_layer *b)
{
    size_t channels = a->conv.channels;

    assert_string_equal(a->name, b->name);
    assert_string_equal(a->output_name, b->output_name);
    assert_int_equal(a->op, b->op);
    assert_memory_equal(&a->input, &b->input, sizeof a->input);
    assert_memory_equal(&a->conv, &b->conv, sizeof a->conv);
    assert_memory_equal(&a->output, &b->output, sizeof a->output);
    assert_same_type(&a->input_type, &b->input_type);
    assert_same_type(&a->output_type, &b->output_type);
    assert_memory_equal(&a->window, &b->window, sizeof a->window);
    assert_int_equal(a->pad_value, b->pad_value);
    assert_same_weights(&a->weights, &b->weights, channels);
    assert_int_equal(a->acc_min, b->acc_min);
    assert_int_equal(a->acc_max, b->acc_max);
    assert_int_equal(a->has_sum_pool, b->has_sum_pool);
    assert_memory_equal(&a->sum_pool, &b->sum_pool, sizeof a->sum_pool);
    assert_same_activation(&a->activation, &b->activation, channels);
    assert_int_equal(a->has_max_pool, b->has_max_pool);
    assert_memory_equal(&a->max_pool, &b->max_pool, sizeof a->max_pool);
    assert_same_array(a->take_min, b->take_min, channels);
    assert_same_array(a->scale, b->scale, channels * sizeof(double));
    assert_same_array(a->bias, b->bias, channels * sizeof(double));
    assert_int_equal(a->inexact_count, b->inexact_count);
    if (a->inexact_count > 0) {
        assert_memory_equal(a->inexact_channels, b->inexact_channels, a->inexact_count * 8);
        assert_memory_equal(a->inexact_values, b->inexact_values, a->inexact_count * 8);
    }
}

static void assert_same_values(const struct bittern_network *a, const struct bittern_network *b,
                               uint64_t seed)
{
    struct bittern_error err = {0};
    size_t size = a->input.shape.channels * a->input.shape.height * a->input.shape.width;
    uint8_t *image = malloc(size);
    int32_t *outputs[2][8];

    assert_non_null(image);
    for (size_t i = 0; i < size; i++) {
        image[i] = (uint8_t)random_u64(&seed);
    }
    assert_ok(slow_network_run(a, image, outputs[0], &err), &err);
    assert_ok(slow_network_run(b, image, outputs[1], &err), &err);
    for (size_t i = 0; i < a->layer_count; i++) {
        const struct bittern_shape *shape = &a->layers[i].output;
        assert_memory_equal(outputs[0][i], outputs[1][i],
                            shape->channels * shape->height * shape->width * sizeof(int32_t));
        free(outputs[0][i]);
        free(outputs[1][i]);
    }
    free(image);
}

/* Would catch: a field that is not stored, or stored in another's place. */
static void every_field_and_every_value_comes_back_equal(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 150; seed++) {
        struct bittern_error err = {0};
        struct bittern_network *a = NULL;
        struct bittern_program *program = NULL;

        assert_ok(random_network(seed, NULL, &a, &err), &err);
        assert_ok(bittern_program_create(a, NULL, &program, &err), &err);
        const struct bittern_network *b = bittern_program_network(program);
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->top_k, b->top_k);
        assert_int_equal(a->layer_count, b->layer_count);
        assert_string_equal(a->input.name, b->input.name);
        assert_memory_equal(&a->input.shape, &b->input.shape, sizeof a->input.shape);
        assert_same_type(&a->input.type, &b->input.type);
        assert_memory_equal(a->input.table, b->input.table, a->input.shape.channels * 512);
        for (size_t i = 0; i < a->layer_count; i++) {
            assert_same_layer(&a->layers[i], &b->layers[i]);
        }
        assert_same_values(a, b, seed);
        bittern_program_free(program);
        bittern_network_free(a);
    }
}

/* Would catch: bytes that depend on anything but the network, e.g. uninitialized padding. */
static void reading_a_file_and_writing_it_again_gives_the_same_bytes(void **state)
{
    (void)state;
    struct bittern_error err = {0};
    struct bittern_program *read_back = NULL;
    struct bittern_program *again = NULL;
    char path[] = "/tmp/bittern_test_program_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);

    struct bittern_program *program = make_program(7, NULL, NULL);
    size_t sizes[3];
    const void *first = bittern_program_data(program, &sizes[0]);
    assert_ok(bittern_program_write(program, path, &err), &err);
    assert_ok(bittern_program_read(path, &read_back, &err), &err);
    const void *second = bittern_program_data(read_back, &sizes[1]);
    assert_ok(bittern_program_create(bittern_program_network(read_back), NULL, &again, &err), &err);
    const void *third = bittern_program_data(again, &sizes[2]);
    assert_int_equal(sizes[0], sizes[1]);
    assert_int_equal(sizes[0], sizes[2]);
    assert_memory_equal(first, second, sizes[0]);
    assert_memory_equal(first, third, sizes[0]);
    (void)unlink(path);
    bittern_program_free(program);
    bittern_program_free(read_back);
    bittern_program_free(again);
}

/* Would catch: weights at odd addresses, where the caller's memory is. */
static void weights_are_aligned_wherever_the_bytes_came_from(void **state)
{
    (void)state;
    struct bittern_error err = {0};
    struct bittern_program *program = make_program(3, NULL, NULL);
    size_t size;
    const void *data = bittern_program_data(program, &size);
    uint8_t *shifted = malloc(size + 16);
    assert_non_null(shifted);

    for (size_t shift = 0; shift < 16; shift++) {
        struct bittern_program *copy = NULL;
        memcpy(shifted + shift, data, size);
        assert_ok(bittern_program_read_memory(shifted + shift, size, "shifted", &copy, &err), &err);
        const struct bittern_network *network = bittern_program_network(copy);
        for (size_t i = 0; i < network->layer_count; i++) {
            const struct bittern_weights *weights = &network->layers[i].weights;
            for (size_t p = 0; p < weights->plane_count; p++) {
                assert_int_equal((uintptr_t)weights->planes[p].plus % 64, 0);
                assert_int_equal((uintptr_t)weights->planes[p].minus % 64, 0);
            }
        }
        bittern_program_free(copy);
    }
    free(shifted);
    bittern_program_free(program);
}

/* Would catch: any byte that no check sum covers. */
static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    struct bittern_program *program = make_program(1, &small, NULL);
    size_t size;
    uint8_t *data = copy_of(program, &size);

    for (size_t bit = 0; bit < size * 8; bit++) {
        struct bittern_error err;
        data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        (void)refuse(data, size, &err);
        data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    free(data);
    bittern_program_free(program);
}

/* Would catch: a file that was not copied whole, or that something was appended to. */
static void every_other_length_is_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_program *program = make_program(1, &small, NULL);
    size_t size;
    uint8_t *data = copy_of(program, &size);

    for (size_t length = 0; length < size; length++) {
        /* An exact allocation, so that the sanitizer sees a read behind the end. */
        uint8_t *cut = malloc(length ? length : 1);
        assert_non_null(cut);
        memcpy(cut, data, length);
        (void)refuse(cut, length, &err);
        free(cut);
    }
    (void)refuse(data, size + 1, &err);
    assert_message(&err, "appended");
    (void)refuse(data, size - 1, &err);
    assert_message(&err, "cut off");
    free(data);
    bittern_program_free(program);
}

/* Would catch: a message that leaves the user alone. */
static void damage_names_the_section_and_what_to_do(void **state)
{
    (void)state;
    static const char *const names[] = {"STRINGS", "NETWORK",    "INPUT",
                                        "LAYERS",  "PARAMETERS", "WEIGHTS"};
    struct bittern_program *program = make_program(2, NULL, NULL);
    size_t size;
    uint8_t *data = copy_of(program, &size);

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct bittern_error err;
        struct wire_section section;
        memcpy(&section, data + 128 + i * sizeof section, sizeof section);
        assert_true(section.bytes > 0);
        data[section.offset] ^= 1;
        assert_int_equal(refuse(data, size, &err), BITTERN_ERR_CHECKSUM);
        assert_message(&err, names[i]);
        assert_message(&err, "test.btn");
        assert_message(&err, "copy the file again");
        data[section.offset] ^= 1;
    }
    free(data);
    bittern_program_free(program);
}

/* Would catch: reading a later format as if it were this one. */
static void newer_versions_and_unknown_sections_are_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_program *program = make_program(1, &small, NULL);
    size_t size;
    uint8_t *data = copy_of(program, &size);

    data[8] = 2;
    program_repair(data, size);
    assert_int_equal(refuse(data, size, &err), BITTERN_ERR_UNSUPPORTED);
    assert_message(&err, "newer Bittern");
    data[8] = 0;
    program_repair(data, size);
    assert_int_equal(refuse(data, size, &err), BITTERN_ERR_UNSUPPORTED);
    data[8] = 1;
    data[128] = 200; /* the first section's type */
    program_repair(data, size);
    assert_int_equal(refuse(data, size, &err), BITTERN_ERR_UNSUPPORTED);
    assert_message(&err, "newer Bittern");
    data[128] = 2; /* a second NETWORK */
    program_repair(data, size);
    assert_int_equal(refuse(data, size, &err), BITTERN_ERR_FORMAT);
    assert_message(&err, "two of these");
    free(data);
    bittern_program_free(program);
}

/* Would catch: a reader that cannot skip what a later Bittern adds without need. */
static void optional_sections_of_unknown_type_are_skipped(void **state)
{
    (void)state;
    struct bittern_error err = {0};
    struct bittern_program *program = make_program(1, &small, NULL);
    size_t size;
    const uint8_t *data = bittern_program_data(program, &size);
    const size_t table = 6 * sizeof(struct wire_section); /* 128 + 6 * 32 = 5 * 64 */
    struct wire_section extra = {.type = 1000, .bytes = 5, .offset = size + 64};
    uint8_t *longer = calloc(1, size + 128);
    assert_non_null(longer);

    /* One more entry takes the table over a multiple of 64: all sections move by 64. */
    memcpy(longer, data, 128 + table);
    memcpy(longer + 128 + table + 64, data + 128 + table, size - 128 - table);
    for (size_t i = 0; i < 6; i++) {
        struct wire_section section;
        memcpy(&section, longer + 128 + i * sizeof section, sizeof section);
        section.offset += 64;
        memcpy(longer + 128 + i * sizeof section, &section, sizeof section);
    }
    memcpy(longer + 128 + table, &extra, sizeof extra);
    memset(longer + size + 64, 0xA5, 5);
    longer[24] = 7;
    program_repair(longer, size + 128);
    struct bittern_program *copy = NULL;
    assert_ok(bittern_program_read_memory(longer, size + 128, "longer", &copy, &err), &err);
    assert_same_values(bittern_program_network(program), bittern_program_network(copy), 1);
    longer[128 + table + 4] = 1; /* now it is required */
    program_repair(longer, size + 128);
    (void)refuse(longer, size + 128, &err);
    assert_message(&err, "newer Bittern");
    bittern_program_free(copy);
    bittern_program_free(program);
    free(longer);
}

/* Would catch: hostile lengths, offsets and counts that the check sums do not stop: every 32-bit
 * word of the file takes hostile values, with the check sums made right. Nothing may crash. */
static void hostile_words_with_right_check_sums_never_crash(void **state)
{
    (void)state;
    static const uint32_t hostile[] = {0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000, 65};
    struct bittern_program *program = make_program(1, &small, NULL);
    size_t size;
    size_t refused = 0;
    uint8_t *data = copy_of(program, &size);
    const size_t first_section = 320;

    for (size_t at = 0; at < size - 3; at += 4) {
        for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
            struct bittern_error err = {0};
            struct bittern_program *other = NULL;
            if (at > first_section + 1024 && i > 1 && at % 64 != 0) {
                continue; /* parameters and weights: fewer of them */
            }
            memcpy(data, bittern_program_data(program, &size), size);
            memcpy(data + at, &hostile[i], 4);
            program_repair(data, size);
            if (bittern_program_read_memory(data, size, "hostile", &other, &err) != BITTERN_OK) {
                refused++;
                assert_int_not_equal(err.message[0], 0);
            }
            bittern_program_free(other);
        }
    }
    assert_true(refused > 1000);
    free(data);
    bittern_program_free(program);
}

/* Would catch: an accelerator's program that comes back as another's, or without its part. */
static void geometry_is_kept(void **state)
{
    (void)state;
    struct bittern_error err = {0};
    struct bittern_geometry edge;
    struct bittern_geometry nameless = {.name = ""};
    struct bittern_program_section section;

    assert_ok(bittern_geometry_find("edge", &edge, &err), &err);
    struct bittern_program *program = make_program(5, &small, &edge);
    assert_memory_equal(bittern_program_geometry(program), &edge, sizeof edge);
    assert_true(bittern_program_get_section(program, PROGRAM_SECTIONS - 1, &section));
    assert_string_equal(section.name, "DEVICE");
    assert_false(bittern_program_get_section(program, PROGRAM_SECTIONS, &section));
    bittern_program_free(program);
    program = make_program(5, &small, NULL);
    assert_string_equal(bittern_program_geometry(program)->name, "any");
    assert_int_equal(bittern_program_geometry(program)->word_bits, 0);
    struct bittern_program *other = NULL;
    assert_int_equal(
        bittern_program_create(bittern_program_network(program), &nameless, &other, &err),
        BITTERN_ERR_FORMAT);
    assert_null(other);
    bittern_program_free(program);
}

/* Would catch: a reserved word of the geometry that hides something. */
static void the_geometrys_reserved_word_is_0(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bittern_program *program = make_program(1, &small, NULL);
    size_t size;
    uint8_t *data = copy_of(program, &size);
    data[72] = 1;
    program_repair(data, size);
    assert_int_equal(refuse(data, size, &err), BITTERN_ERR_FORMAT);
    free(data);
    bittern_program_free(program);
}

/* Would catch: a missing or foreign file with a message that does not say which. */
static void other_files_are_refused_by_name(void **state)
{
    (void)state;
    struct bittern_error err = {0};
    struct bittern_program *program = NULL;

    assert_int_equal(bittern_program_read("/nonexistent/a.btn", &program, &err),
                     BITTERN_ERR_NOT_FOUND);
    assert_message(&err, "/nonexistent/a.btn");
    assert_int_equal(bittern_program_read(BITTERN_SOURCE_DIR "/CMakeLists.txt", &program, &err),
                     BITTERN_ERR_FORMAT);
    assert_message(&err, "not a Bittern program");
    assert_message(&err, "CMakeLists.txt");
    (void)refuse(NULL, 0, &err);
    bittern_program_free(NULL);
}

/* Would catch: a listing that misses a part of the file, or does not end. */
static void sections_are_listed_and_cover_the_file(void **state)
{
    (void)state;
    struct bittern_program_section section;
    struct bittern_program *program = make_program(1, &small, NULL);
    size_t size = 0;
    const void *data = bittern_program_data(program, &size);
    uint64_t end = sizeof(struct wire_header);
    size_t count = 0;
    for (; bittern_program_get_section(program, count, &section); count++) {
        assert_true(section.offset >= end);
        end = section.offset + section.bytes;
        assert_string_equal(section.name, program_section_name((uint32_t)count + 1));
    }
    assert_int_equal(count, PROGRAM_SECTIONS - 1);
    assert_true(end <= size && size - end < PROGRAM_ALIGNMENT);
    assert_true(bittern_program_recognize(data, size));
    assert_true(bittern_program_recognize(data, 8));
    assert_false(bittern_program_recognize(data, 7));
    assert_false(bittern_program_recognize("ONNX model", 10));
    bittern_program_free(program);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_and_every_value_comes_back_equal),
        cmocka_unit_test(reading_a_file_and_writing_it_again_gives_the_same_bytes),
        cmocka_unit_test(weights_are_aligned_wherever_the_bytes_came_from),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(every_other_length_is_refused),
        cmocka_unit_test(damage_names_the_section_and_what_to_do),
        cmocka_unit_test(newer_versions_and_unknown_sections_are_refused),
        cmocka_unit_test(optional_sections_of_unknown_type_are_skipped),
        cmocka_unit_test(hostile_words_with_right_check_sums_never_crash),
        cmocka_unit_test(geometry_is_kept),
        cmocka_unit_test(the_geometrys_reserved_word_is_0),
        cmocka_unit_test(other_files_are_refused_by_name),
        cmocka_unit_test(sections_are_listed_and_cover_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
