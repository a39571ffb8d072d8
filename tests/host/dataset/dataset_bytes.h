/* SPDX-License-Identifier: Apache-2.0 */
/* Makes small data set files in memory, packed in every way that Bittern reads. */
#ifndef BITTERN_DATASET_BYTES_H
#define BITTERN_DATASET_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* Each function below returns memory to be freed with free(.data), and aborts where it cannot. */
struct bytes {
    uint8_t *data;
    size_t size;
};

struct bytes bytes_copy(const void *data, size_t size);
struct bytes bytes_join(struct bytes first, struct bytes second);

/* Pixel i of the file is (7 i + 3) mod 251. */
struct bytes bytes_idx_images(uint32_t count, uint32_t height, uint32_t width);
/* Label i is first + i mod classes. */
struct bytes bytes_idx_labels(uint32_t count, uint8_t first, uint8_t classes);
/* Record i: class i mod classes (its coarse class 0), pixels (i + 5 position) mod 256. */
struct bytes bytes_cifar(size_t count, size_t label_bytes, uint8_t classes);

struct bytes bytes_gzip(struct bytes plain);
struct bytes bytes_xz(struct bytes plain, uint32_t preset);

enum bytes_member_kind { BYTES_FILE, BYTES_SYMLINK, BYTES_HARDLINK, BYTES_FOLDER };

struct bytes_member {
    const char *path;
    struct bytes content;
    enum bytes_member_kind kind;
};

struct bytes bytes_tar(const struct bytes_member *members, size_t count);
struct bytes bytes_zip(const struct bytes_member *members, size_t count);

/* Write to FOLDER/NAME, making the folder (not its parents). */
void bytes_write(struct bytes bytes, const char *folder, const char *name);

#endif
