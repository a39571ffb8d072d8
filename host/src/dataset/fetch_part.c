/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NAME.part: the bytes of a download so far. It is locked while a process downloads, so that two
 * fetches at once neither mix their bytes nor download twice: the second waits, and then finds the
 * file in place. Its SHA-256 is computed as bytes arrive.
 */
#include "dataset/fetch.h"
#include "dataset/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WAIT_NANOSECONDS 100000000 /* between two looks whether the lock is free */
#define READ_SIZE 65536

static bittern_status io_error(struct bittern_error *err, const char *verb, const char *path)
{
    return bittern_error_set(err, BITTERN_ERR_IO, "cannot %s '%s': %s", verb, path,
                             strerror(errno));
}

/* Hash what fd holds, from where it stands; false where it cannot be read. */
static bool hash_file(int fd, EVP_MD_CTX *hash, uint64_t *size)
{
    uint8_t buffer[READ_SIZE];
    *size = 0;
    for (;;) {
        ssize_t got = read(fd, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got == 0;
        }
        if (EVP_DigestUpdate(hash, buffer, (size_t)got) != 1) {
            return false;
        }
        *size += (uint64_t)got;
    }
}

/* Compare the digest of all so far with a published one. */
static bool hash_equals(const EVP_MD_CTX *hash, const char *sha256)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char text[2 * EVP_MAX_MD_SIZE + 1] = "";
    unsigned length = 0;
    EVP_MD_CTX *copy = EVP_MD_CTX_new(); /* as finishing ends a computation */
    bool done = copy && EVP_MD_CTX_copy_ex(copy, hash) == 1 &&
                EVP_DigestFinal_ex(copy, digest, &length) == 1;
    EVP_MD_CTX_free(copy);
    for (unsigned i = 0; done && i < length; i++) {
        (void)snprintf(text + 2 * (size_t)i, 3, "%02x", digest[i]);
    }
    return done && strcmp(text, sha256) == 0;
}

bool fetch_file_is_right(const char *path, const struct fetch_file *file)
{
    bool right = false;
    struct stat info;
    uint64_t size;
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0 && hash && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
        (uint64_t)info.st_size == file->size && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 &&
        hash_file(fd, hash, &size)) {
        right = size == file->size && hash_equals(hash, file->sha256);
    }
    if (fd >= 0) {
        close(fd);
    }
    EVP_MD_CTX_free(hash);
    return right;
}

/* Is fd still the file at path? The one who held the lock may have renamed or removed it. */
static bool is_file_at(int fd, const char *path)
{
    struct stat mine;
    struct stat there;
    return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_dev == there.st_dev &&
           mine.st_ino == there.st_ino;
}

static bittern_status lock_part(struct fetch_part *part, bittern_progress progress, void *user,
                                struct bittern_error *err)
{
    for (;;) {
        if (part->fd < 0) {
            part->fd = open(part->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
            if (part->fd < 0) {
                return io_error(err, "create", part->path);
            }
        }
        bool locked = flock(part->fd, LOCK_EX | LOCK_NB) == 0;
        bool busy = !locked && (errno == EWOULDBLOCK || errno == EINTR);
        if (!locked && !busy) {
            return io_error(err, "lock", part->path);
        }
        if (locked && is_file_at(part->fd, part->path)) {
            return BITTERN_OK;
        }
        if (locked) {
            close(part->fd);
            part->fd = -1;
            continue;
        }
        if (progress && progress(user, part->file->name, 0, part->file->size) != 0) {
            return bittern_error_set(err, BITTERN_ERR_CANCELLED,
                                     "cancelled while another process downloads '%s'",
                                     part->target);
        }
        nanosleep(&(struct timespec){0, WAIT_NANOSECONDS}, NULL);
    }
}

bittern_status fetch_part_open(struct fetch_part *part, const char *folder,
                               const struct fetch_file *file, bittern_progress progress, void *user,
                               struct bittern_error *err)
{
    *part = (struct fetch_part){.file = file,
                                .path = dataset_output_path(folder, file->name, ".part"),
                                .target = dataset_output_path(folder, file->name, ""),
                                .fd = -1,
                                .hash = EVP_MD_CTX_new()};
    if (!part->path || !part->target || !part->hash) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to download '%s'", file->name);
    }
    if (EVP_DigestInit_ex(part->hash, EVP_sha256(), NULL) != 1) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "the installed libcrypto has no SHA-256");
    }
    bittern_status status = lock_part(part, progress, user, err);
    if (status != BITTERN_OK) {
        if (part->fd >= 0) {
            close(part->fd); /* not ours: fetch_part_close must not remove it */
            part->fd = -1;
        }
        return status;
    }
    /* More than the published size cannot be the beginning of it. */
    if (!hash_file(part->fd, part->hash, &part->size) || part->size > file->size) {
        return fetch_part_restart(part, err);
    }
    return BITTERN_OK;
}

bittern_status fetch_part_append(struct fetch_part *part, const void *data, size_t size,
                                 struct bittern_error *err)
{
    const uint8_t *bytes = data;
    size_t done = 0;
    while (done < size) {
        ssize_t written = write(part->fd, bytes + done, size - done);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return io_error(err, "write", part->path);
        }
        done += (size_t)written;
    }
    if (EVP_DigestUpdate(part->hash, data, size) != 1) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "cannot compute a SHA-256");
    }
    part->size += size;
    return BITTERN_OK;
}

bittern_status fetch_part_restart(struct fetch_part *part, struct bittern_error *err)
{
    if (ftruncate(part->fd, 0) != 0 || lseek(part->fd, 0, SEEK_SET) != 0) {
        return io_error(err, "write", part->path);
    }
    if (EVP_DigestInit_ex(part->hash, EVP_sha256(), NULL) != 1) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "cannot compute a SHA-256");
    }
    part->size = 0;
    return BITTERN_OK;
}

bool fetch_part_is_right(const struct fetch_part *part)
{
    return part->size == part->file->size && hash_equals(part->hash, part->file->sha256);
}

bittern_status fetch_part_commit(struct fetch_part *part, struct bittern_error *err)
{
    if (fsync(part->fd) != 0) {
        return io_error(err, "write", part->path);
    }
    if (rename(part->path, part->target) != 0) {
        return io_error(err, "rename into", part->target);
    }
    close(part->fd);
    part->fd = -1;
    /* A rename is durable only once its folder is on disk, too. */
    char *slash = strrchr(part->path, '/');
    *slash = '\0';
    int folder = open(part->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *slash = '/';
    if (folder >= 0) {
        (void)fsync(folder);
        close(folder);
    }
    return BITTERN_OK;
}

void fetch_part_close(struct fetch_part *part)
{
    if (part->fd >= 0) {
        if (part->size == 0) {
            (void)unlink(part->path);
        }
        close(part->fd);
        part->fd = -1;
    }
    EVP_MD_CTX_free(part->hash);
    free(part->path);
    free(part->target);
    *part = (struct fetch_part){.fd = -1};
}
