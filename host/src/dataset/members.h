/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members of a published archive, read where they lie: nothing is unpacked to disk, and names from
 * the archive are only compared. Tar is read from a stream (which unpacks .gz or .xz and verifies
 * its check sum), zip from a file or memory.
 */
#ifndef BITTERN_DATASET_MEMBERS_H
#define BITTERN_DATASET_MEMBERS_H

#include "dataset/stream.h"

#include <stdbool.h>

struct members;

/*
 * Read a tar archive from a stream, which stays the caller's, refusing one of more than `limit`
 * unpacked bytes.
 */
bittern_status members_open_tar(struct stream *stream, uint64_t limit, struct members **members,
                                struct bittern_error *err);

bittern_status members_open_zip(const char *path, struct members **members,
                                struct bittern_error *err);

/* The bytes are not copied, and must stay. */
bittern_status members_open_zip_memory(const void *data, size_t size, const char *name,
                                       struct members **members, struct bittern_error *err);

void members_close(struct members *members);

/*
 * Go to the next member that is one of `names` (count of them) within `folder`, plain or with .gz
 * behind its name; *index says which.
 * A member with such a name that is not a plain file is refused. At the archive's end, which is
 * verified, *index is count.
 */
bittern_status members_next(struct members *members, const char *folder, const char *const *names,
                            size_t count, size_t *index, struct bittern_error *err);

/* The current member as a stream, to be closed before the next is asked for. */
bittern_status members_open_current(struct members *members, struct stream **stream,
                                    struct bittern_error *err);

#endif
