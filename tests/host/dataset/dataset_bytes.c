/* SPDX-License-Identifier: Apache-2.0 */
/* Small data set files in memory; packed with zlib, liblzma and libarchive. */
#include "dataset_bytes.h"

#include <archive.h>
#include <archive_entry.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#define CIFAR_PIXELS 3072

static void require(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "dataset_bytes: %s failed\n", what);
        abort();
    }
}

static struct bytes allocate(size_t size)
{
    struct bytes bytes = {.data = malloc(size > 0 ? size : 1), .size = size};
    require(bytes.data != NULL, "malloc");
    return bytes;
}

struct bytes bytes_copy(const void *data, size_t size)
{
    struct bytes bytes = allocate(size);
    memcpy(bytes.data, data, size);
    return bytes;
}

struct bytes bytes_join(struct bytes first, struct bytes second)
{
    struct bytes bytes = allocate(first.size + second.size);
    memcpy(bytes.data, first.data, first.size);
    memcpy(bytes.data + first.size, second.data, second.size);
    return bytes;
}

static void put_big_endian(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

struct bytes bytes_idx_images(uint32_t count, uint32_t height, uint32_t width)
{
    size_t pixels = (size_t)count * height * width;
    struct bytes bytes = allocate(16 + pixels);
    put_big_endian(bytes.data, 0x803);
    put_big_endian(bytes.data + 4, count);
    put_big_endian(bytes.data + 8, height);
    put_big_endian(bytes.data + 12, width);
    for (size_t i = 0; i < pixels; i++) {
        bytes.data[16 + i] = (uint8_t)((7 * i + 3) % 251);
    }
    return bytes;
}

struct bytes bytes_idx_labels(uint32_t count, uint8_t first, uint8_t classes)
{
    struct bytes bytes = allocate(8 + (size_t)count);
    put_big_endian(bytes.data, 0x801);
    put_big_endian(bytes.data + 4, count);
    for (size_t i = 0; i < count; i++) {
        bytes.data[8 + i] = (uint8_t)(first + i % classes);
    }
    return bytes;
}

struct bytes bytes_cifar(size_t count, size_t label_bytes, uint8_t classes)
{
    size_t record = label_bytes + CIFAR_PIXELS;
    struct bytes bytes = allocate(count * record);
    memset(bytes.data, 0, bytes.size);
    for (size_t i = 0; i < count; i++) {
        uint8_t *at = bytes.data + i * record;
        at[label_bytes - 1] = (uint8_t)(i % classes);
        for (size_t pixel = 0; pixel < CIFAR_PIXELS; pixel++) {
            at[label_bytes + pixel] = (uint8_t)(i + 5 * pixel);
        }
    }
    return bytes;
}

struct bytes bytes_gzip(struct bytes plain)
{
    z_stream stream = {0};
    require(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK,
            "deflateInit2");
    struct bytes packed = allocate(deflateBound(&stream, plain.size) + 64);
    stream.next_in = plain.data;
    stream.avail_in = (uInt)plain.size;
    stream.next_out = packed.data;
    stream.avail_out = (uInt)packed.size;
    require(deflate(&stream, Z_FINISH) == Z_STREAM_END, "deflate");
    packed.size = stream.total_out;
    deflateEnd(&stream);
    return packed;
}

struct bytes bytes_xz(struct bytes plain, uint32_t preset)
{
    struct bytes packed = allocate(lzma_stream_buffer_bound(plain.size));
    size_t used = 0;
    require(lzma_easy_buffer_encode(preset, LZMA_CHECK_CRC64, NULL, plain.data, plain.size,
                                    packed.data, &used, packed.size) == LZMA_OK,
            "lzma_easy_buffer_encode");
    packed.size = used;
    return packed;
}

static void add_member(struct archive *archive, const struct bytes_member *member)
{
    struct archive_entry *entry = archive_entry_new();
    require(entry != NULL, "archive_entry_new");
    archive_entry_set_pathname(entry, member->path);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_mtime(entry, 315532800, 0);
    archive_entry_set_size(entry, 0);
    archive_entry_set_filetype(entry, member->kind == BYTES_FOLDER ? AE_IFDIR : AE_IFREG);
    if (member->kind == BYTES_FILE) {
        archive_entry_set_size(entry, (la_int64_t)member->content.size);
    } else if (member->kind == BYTES_SYMLINK) {
        archive_entry_set_filetype(entry, AE_IFLNK);
        archive_entry_set_symlink(entry, "/etc/passwd");
    } else if (member->kind == BYTES_HARDLINK) {
        archive_entry_set_hardlink(entry, "/etc/passwd");
    }
    require(archive_write_header(archive, entry) == ARCHIVE_OK, "archive_write_header");
    if (member->kind == BYTES_FILE) {
        require(archive_write_data(archive, member->content.data, member->content.size) ==
                    (la_ssize_t)member->content.size,
                "archive_write_data");
    }
    archive_entry_free(entry);
}

static struct bytes write_archive(struct archive *archive, const struct bytes_member *members,
                                  size_t count)
{
    size_t capacity = 65536;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        capacity += members[i].content.size + 4096;
    }
    struct bytes bytes = allocate(capacity);
    archive_write_set_bytes_in_last_block(archive, 1);
    require(archive_write_open_memory(archive, bytes.data, bytes.size, &used) == ARCHIVE_OK,
            "archive_write_open_memory");
    for (size_t i = 0; i < count; i++) {
        add_member(archive, &members[i]);
    }
    require(archive_write_close(archive) == ARCHIVE_OK, "archive_write_close");
    archive_write_free(archive);
    bytes.size = used;
    return bytes;
}

struct bytes bytes_tar(const struct bytes_member *members, size_t count)
{
    struct archive *archive = archive_write_new();
    require(archive && archive_write_set_format_ustar(archive) == ARCHIVE_OK, "ustar");
    return write_archive(archive, members, count);
}

struct bytes bytes_zip(const struct bytes_member *members, size_t count)
{
    struct archive *archive = archive_write_new();
    require(archive && archive_write_set_format_zip(archive) == ARCHIVE_OK, "zip");
    return write_archive(archive, members, count);
}

void bytes_write(struct bytes bytes, const char *folder, const char *name)
{
    char path[4096];
    (void)mkdir(folder, 0777);
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    require(file && fwrite(bytes.data, 1, bytes.size, file) == bytes.size && fclose(file) == 0,
            path);
}
