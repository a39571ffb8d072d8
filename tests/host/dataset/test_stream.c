/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: every packing, cut and flipped at every byte, bombs, and what follows the end. */
#include "dataset/stream.h"
#include "dataset_bytes.h"
#include "testing.h"

#include <stdlib.h>
#include <string.h>

static struct bytes make_plain(void)
{
    return bytes_idx_images(3, 17, 23);
}

static const char *const packings[] = {"plain", "gzip", "two gzip members", "xz", "two xz streams"};
#define PACKINGS (sizeof packings / sizeof packings[0])

static struct bytes pack(size_t packing, struct bytes plain)
{
    struct bytes head = {.data = plain.data, .size = 100};
    struct bytes tail = {.data = plain.data + 100, .size = plain.size - 100};
    struct bytes first;
    struct bytes second;
    if (packing == 0) {
        return bytes_copy(plain.data, plain.size);
    }
    if (packing == 1 || packing == 3) {
        return packing == 1 ? bytes_gzip(plain) : bytes_xz(plain, 6);
    }
    first = packing == 2 ? bytes_gzip(head) : bytes_xz(head, 1);
    second = packing == 2 ? bytes_gzip(tail) : bytes_xz(tail, 6);
    struct bytes joined = bytes_join(first, second);
    free(first.data);
    free(second.data);
    return joined;
}

/* Read `size` bytes and the end. */
static bittern_status read_whole(struct bytes packed, size_t size, uint8_t **data,
                                 struct bittern_error *err)
{
    struct stream *stream;
    *data = NULL;
    bittern_status status = stream_open_memory(packed.data, packed.size, "memory", &stream, err);
    if (status == BITTERN_OK) {
        status = stream_read_new(stream, size, data, err);
    }
    if (status == BITTERN_OK) {
        status = stream_finish(stream, err);
    }
    stream_close(stream);
    return status;
}

/* Would catch: a decoder that loses bytes between members or between two reads. */
static void every_packing_gives_the_same_bytes(void **state)
{
    (void)state;
    struct bittern_error err;
    struct bytes plain = make_plain();
    for (size_t packing = 0; packing < PACKINGS; packing++) {
        struct bytes packed = pack(packing, plain);
        uint8_t *data;
        assert_ok(read_whole(packed, plain.size, &data, &err), &err);
        assert_memory_equal(data, plain.data, plain.size);
        free(data);

        struct stream *stream;
        uint8_t byte;
        assert_ok(stream_open_memory(packed.data, packed.size, "m", &stream, &err), &err);
        for (size_t i = 0; i < plain.size; i++) {
            assert_int_equal(stream_offset(stream), i);
            assert_ok(stream_read(stream, &byte, 1, &err), &err);
            assert_int_equal(byte, plain.data[i]);
        }
        assert_ok(stream_finish(stream, &err), &err);
        stream_close(stream);
        free(packed.data);
    }
    free(plain.data);
}

/* Would catch: a packed file whose lost end (with its check sum) goes unnoticed. */
static void files_cut_at_any_byte_are_refused(void **state)
{
    (void)state;
    struct bytes plain = make_plain();
    for (size_t packing = 0; packing < PACKINGS; packing++) {
        struct bytes packed = pack(packing, plain);
        for (size_t size = 0; size < packed.size; size++) {
            struct bittern_error err = {.message = ""};
            uint8_t *data;
            struct bytes cut = bytes_copy(packed.data, size);
            assert_int_equal(read_whole(cut, plain.size, &data, &err), BITTERN_ERR_FORMAT);
            assert_non_null(strstr(err.message, "'memory'"));
            free(data);
            free(cut.data);
        }
        free(packed.data);
    }
    free(plain.data);
}

/* Would catch: a check sum that is not verified. Some header bits of gzip (time, system) are free.
 */
static void a_flipped_bit_never_gives_other_bytes(void **state)
{
    (void)state;
    struct bytes plain = make_plain();
    for (size_t packing = 1; packing < PACKINGS; packing++) {
        struct bytes packed = pack(packing, plain);
        size_t accepted = 0;
        for (size_t bit = 0; bit < packed.size * 8; bit++) {
            struct bittern_error err;
            uint8_t *data;
            packed.data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
            if (read_whole(packed, plain.size, &data, &err) == BITTERN_OK) {
                assert_memory_equal(data, plain.data, plain.size);
                accepted++;
            }
            free(data);
            packed.data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        }
        /* gzip: flags text, time, extra flags, system: 7 bytes of a member's 10. */
        size_t most = packing == 1 ? 7 * 8 : packing == 2 ? 2 * 7 * 8 : 0;
        if (accepted > most) {
            fail_msg("%s: %zu flipped bits were accepted", packings[packing], accepted);
        }
        free(packed.data);
    }
    free(plain.data);
}

/* Would catch: bytes behind the content that are skipped silently. */
static void bytes_behind_the_end_are_refused(void **state)
{
    (void)state;
    struct bytes plain = make_plain();
    for (size_t packing = 0; packing < PACKINGS; packing++) {
        static const char *const tails[] = {"x", "\x1f", "\x1f\x8b\x08", "PK\3\4 more"};
        for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
            struct bittern_error err;
            uint8_t *data;
            struct bytes packed = pack(packing, plain);
            struct bytes tail = bytes_copy(tails[i], strlen(tails[i]));
            struct bytes longer = bytes_join(packed, tail);
            assert_int_equal(read_whole(longer, plain.size, &data, &err), BITTERN_ERR_FORMAT);
            free(data);
            free(longer.data);
            free(tail.data);
            free(packed.data);
        }
    }
    free(plain.data);
}

/* Would catch: a bomb that is unpacked to its end. 64 MiB of zeros pack to a few kilobytes. */
static void a_bomb_is_unpacked_no_further_than_asked_for(void **state)
{
    (void)state;
    struct bytes zeros = {.data = calloc(1, (size_t)64 << 20), .size = (size_t)64 << 20};
    for (int xz = 0; xz < 2; xz++) {
        struct bittern_error err;
        struct stream *stream;
        uint8_t *data;
        size_t size;
        struct bytes bomb = xz ? bytes_xz(zeros, 0) : bytes_gzip(zeros);
        assert_true(bomb.size < 100000);
        assert_ok(stream_open_memory(bomb.data, bomb.size, "bomb", &stream, &err), &err);
        assert_int_equal(stream_read_rest(stream, 1000, &data, &size, &err), BITTERN_ERR_FORMAT);
        assert_null(data);
        assert_true(stream_offset(stream) <= 1001);
        stream_close(stream);
        free(bomb.data);
    }
    free(zeros.data);
}

/* Would catch: an xz header that makes the decoder allocate gigabytes. */
static void xz_that_wants_too_much_memory_is_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    uint8_t *data;
    struct bytes plain = make_plain();
    struct bytes packed = bytes_xz(plain, 6);
    /* The block's header is bytes 12..12 + 4 n, its CRC32 at its end. The LZMA2 filter in it is
     * 0x21, 1, and the dictionary's size: 40 means 4 GiB - 1. */
    size_t end = 12 + 4 * (size_t)packed.data[12];
    size_t filter = 14;
    while (filter < end && (packed.data[filter] != 0x21 || packed.data[filter + 1] != 1)) {
        filter++;
    }
    assert_true(filter < end);
    packed.data[filter + 2] = 40;
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 12; i < end; i++) {
        crc ^= packed.data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc & 1 ? crc >> 1 ^ UINT32_C(0xEDB88320) : crc >> 1;
        }
    }
    for (size_t i = 0; i < 4; i++) {
        packed.data[end + i] = (uint8_t)(~crc >> (8 * i));
    }
    assert_int_equal(read_whole(packed, plain.size, &data, &err), BITTERN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "bytes of memory"));
    free(packed.data);
    free(plain.data);
}

/* Would catch: a claimed size that is allocated before the bytes are there. */
static void memory_grows_only_with_bytes_that_come(void **state)
{
    (void)state;
    struct bittern_error err;
    uint8_t *data;
    struct bytes little = bytes_copy("little", 6);
    /* More than any machine has: malloc of it would fail and answer BITTERN_ERR_MEMORY. */
    assert_int_equal(read_whole(little, SIZE_MAX / 4, &data, &err), BITTERN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "truncated"));
    assert_non_null(strstr(err.message, "offset 6"));
    free(little.data);
}

/* Would catch: a missing file or a folder that is not reported as such. */
static void files_that_cannot_be_read_are_named(void **state)
{
    (void)state;
    struct bittern_error err;
    struct stream *stream;
    assert_int_equal(stream_open_file("/nonexistent/file", &stream, &err), BITTERN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "/nonexistent/file"));
    assert_null(stream);
    assert_int_equal(stream_open_file("/", &stream, &err), BITTERN_ERR_IO);
    assert_null(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_packing_gives_the_same_bytes),
        cmocka_unit_test(files_cut_at_any_byte_are_refused),
        cmocka_unit_test(a_flipped_bit_never_gives_other_bytes),
        cmocka_unit_test(bytes_behind_the_end_are_refused),
        cmocka_unit_test(a_bomb_is_unpacked_no_further_than_asked_for),
        cmocka_unit_test(xz_that_wants_too_much_memory_is_refused),
        cmocka_unit_test(memory_grows_only_with_bytes_that_come),
        cmocka_unit_test(files_that_cannot_be_read_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
