/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device programs that are damaged, hostile, or for something else: refused with a message, and
 * never read beyond their end. What is accepted packs images within its bounds.
 */
#include "accelerator/device_format.h"
#include "accelerator/device_io.h"
#include "network_random.h"
#include "program/program_format.h"
#include "program_repair.h"
#include "testing.h"

#include <bittern/accelerator.h>
#include <stdlib.h>
#include <string.h>

static const struct random_network_options small = {
    .max_layers = 3, .max_channels = 9, .max_side = 5};

struct file {
    uint8_t *data;
    size_t size, device, device_size; /* where the device program lies */
};

static struct file make_file(uint64_t seed)
{
    struct bittern_error err;
    struct bittern_network *network = NULL;
    struct bittern_program *program = NULL;
    struct bittern_geometry tiny;
    struct file file = {0};

    assert_ok(random_network(seed, &small, &network, &err), &err);
    assert_ok(bittern_geometry_find("tiny", &tiny, &err), &err);
    assert_ok(bittern_program_create(network, &tiny, &program, &err), &err);
    const void *data = bittern_program_data(program, &file.size);
    file.data = malloc(file.size);
    assert_non_null(file.data);
    memcpy(file.data, data, file.size);
    file.device = (size_t)(program->device - program->data);
    file.device_size = program->device_size;
    bittern_program_free(program);
    bittern_network_free(network);
    return file;
}

/* Read a file with its outer check sums made right. What is accepted must be usable. */
static bittern_status read_file(struct file *file, struct bittern_error *err)
{
    struct bittern_program *program = NULL;

    memset(err, 0, sizeof *err);
    program_repair(file->data, file->size);
    bittern_status status =
        bittern_program_read_memory(file->data, file->size, "test.btn", &program, err);
    if (status != BITTERN_OK) {
        assert_null(program);
        assert_int_not_equal(err->message[0], 0);
        return status;
    }
    struct device_io *io = NULL;
    const struct bittern_shape *shape =
        &bittern_network_input(bittern_program_network(program))->shape;
    uint8_t *pixels = calloc(shape->channels, shape->height * shape->width);
    assert_ok(device_io_create(program, &io, err), err);
    uint8_t *packed = malloc(device_io_input_bytes(io));
    assert_true(pixels && packed);
    device_io_pack(io, pixels, 1, packed);
    device_io_free(io);
    free(packed);
    free(pixels);
    bittern_program_free(program);
    return BITTERN_OK;
}

/* Make the check sums of all records right; those of weight streams, too. */
static void repair_records(struct file *file)
{
    uint8_t *device = file->data + file->device;
    size_t records = 0;
    while ((records + 1) * DEVICE_RECORD_BYTES <= file->device_size && records < 100) {
        uint8_t *record = device + records * DEVICE_RECORD_BYTES;
        uint32_t words[DEVICE_RECORD_WORDS];
        memcpy(words, record, sizeof words);
        uint64_t bytes = (uint64_t)words[4] * 4; /* tiny: beats of 4 bytes */
        if (records > 0 && words[0] == DEVICE_TYPE_SEGMENT && words[3] <= file->device_size &&
            bytes <= file->device_size - words[3]) {
            words[5] = device_sum(device + words[3], bytes);
            memcpy(record, words, sizeof words);
        }
        words[63] = device_sum(record, 63 * 4);
        memcpy(record, words, sizeof words);
        records++;
        if (records > 1 && words[0] != DEVICE_TYPE_LAYER && words[0] != DEVICE_TYPE_SEGMENT) {
            return;
        }
        memcpy(words, device + records * DEVICE_RECORD_BYTES, 4);
        if (words[0] != DEVICE_TYPE_LAYER && words[0] != DEVICE_TYPE_SEGMENT) {
            return;
        }
    }
}

/* Would catch: a layout that depends on anything but network and geometry. */
static void the_same_network_gives_the_same_bytes(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 12; seed++) {
        struct file first = make_file(seed);
        struct file second = make_file(seed);
        assert_int_equal(first.size, second.size);
        assert_memory_equal(first.data, second.data, first.size);
        free(first.data);
        free(second.data);
    }
}

/* Would catch: a byte of the device program that no check sum of its own covers. */
static void every_changed_byte_is_refused(void **state)
{
    (void)state;
    struct file file = make_file(3);
    for (size_t i = 0; i < file.device_size; i++) {
        struct bittern_error err;
        file.data[file.device + i] ^= (uint8_t)(1U << i % 8);
        if (i < 4096 || i % 64 == 0) {
            assert_int_not_equal(read_file(&file, &err), BITTERN_OK);
            assert_non_null(strstr(err.message, "DEVICE"));
        }
        file.data[file.device + i] ^= (uint8_t)(1U << i % 8);
    }
    free(file.data);
}

/* Would catch: numbers out of bounds that stand under right check sums. */
static void hostile_words_with_right_check_sums_never_crash(void **state)
{
    (void)state;
    static const uint32_t hostile[] = {0,          1,          2,      0x7FFFFFFF, 0x80000000,
                                       0xFFFFFFFF, 0x00010000, 0x1000, 0xFFFFFFC0};
    size_t refused = 0;
    size_t accepted = 0;
    for (uint64_t seed = 3; seed < 9; seed++) {
        struct file file = make_file(seed);
        uint8_t *good = malloc(file.size);
        assert_non_null(good);
        memcpy(good, file.data, file.size);
        for (size_t at = 0; at < 7 * DEVICE_RECORD_BYTES; at += 4) {
            for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
                struct bittern_error err;
                memcpy(file.data, good, file.size);
                memcpy(file.data + file.device + at, &hostile[i], 4);
                repair_records(&file);
                if (read_file(&file, &err) == BITTERN_OK) {
                    accepted++;
                } else {
                    refused++;
                }
            }
        }
        free(good);
        free(file.data);
    }
    printf("%zu refused, %zu accepted\n", refused, accepted);
    assert_true(refused > 3 * accepted);
}

/* Would catch: a device program that is read beyond the end of its section. */
static void every_other_length_is_refused(void **state)
{
    (void)state;
    struct file file = make_file(4);
    for (size_t length = 0; length < file.device_size; length += 64) {
        struct bittern_error err;
        /* DEVICE is the last section: cut it, and the file with it. */
        size_t size = file.device + length;
        uint8_t *cut = malloc(size);
        uint64_t bytes = length;
        assert_non_null(cut);
        memcpy(cut, file.data, size);
        memcpy(cut + sizeof(struct wire_header) + 6 * sizeof(struct wire_section) +
                   offsetof(struct wire_section, bytes),
               &bytes, sizeof bytes);
        struct file shorter = {cut, size, file.device, length};
        assert_int_not_equal(read_file(&shorter, &err), BITTERN_OK);
        free(cut);
    }
    free(file.data);
}

/* Would catch: a program that says one geometry and holds another's. */
static void geometry_and_device_program_must_agree(void **state)
{
    (void)state;
    struct bittern_error err;
    struct file file = make_file(5);
    struct wire_header header;

    memcpy(&header, file.data, sizeof header);
    header.geometry.pixels = 4;
    memcpy(file.data, &header, sizeof header);
    assert_int_equal(read_file(&file, &err), BITTERN_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "another geometry"));
    memset(&header.geometry, 0, sizeof header.geometry);
    memcpy(header.geometry.name, "any", 3);
    memcpy(file.data, &header, sizeof header);
    assert_int_equal(read_file(&file, &err), BITTERN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "DEVICE"));
    free(file.data);
}

/* Would catch: an accelerator's program whose device program got lost. */
static void an_accelerators_program_needs_its_device_program(void **state)
{
    (void)state;
    struct bittern_error err;
    struct file file = make_file(6);
    uint32_t type = 1000; /* an optional section that nobody knows */

    memcpy(file.data + sizeof(struct wire_header) + 6 * sizeof(struct wire_section), &type,
           sizeof type);
    assert_int_equal(read_file(&file, &err), BITTERN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "'tiny'"));
    assert_non_null(strstr(err.message, "no section DEVICE"));
    free(file.data);
}

/* Would catch: one network's device program in the file of another. */
static void another_networks_device_program_is_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    size_t tried = 0;
    struct file files[12];
    for (size_t i = 0; i < 12; i++) {
        files[i] = make_file(i);
    }
    for (size_t i = 0; i < 12; i++) {
        for (size_t k = 0; k < 12; k++) {
            if (i == k || files[i].device_size != files[k].device_size) {
                continue;
            }
            struct file mixed = files[i];
            mixed.data = malloc(mixed.size);
            assert_non_null(mixed.data);
            memcpy(mixed.data, files[i].data, mixed.size);
            memcpy(mixed.data + mixed.device, files[k].data + files[k].device, mixed.device_size);
            assert_int_not_equal(read_file(&mixed, &err), BITTERN_OK);
            free(mixed.data);
            tried++;
        }
    }
    for (size_t i = 0; i < 12; i++) {
        free(files[i].data);
    }
    assert_true(tried > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_network_gives_the_same_bytes),
        cmocka_unit_test(every_changed_byte_is_refused),
        cmocka_unit_test(hostile_words_with_right_check_sums_never_crash),
        cmocka_unit_test(every_other_length_is_refused),
        cmocka_unit_test(geometry_and_device_program_must_agree),
        cmocka_unit_test(an_accelerators_program_needs_its_device_program),
        cmocka_unit_test(another_networks_device_program_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
