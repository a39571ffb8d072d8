/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TensorBoard's event files: records of a length, its masked CRC-32C, a tensorflow.Event, and that
 * message's masked CRC-32C. The step of an event is the epoch. A run that goes on makes a new file;
 * TensorBoard joins all files of a folder by name, which begins with the time.
 */
#ifndef BITTERN_TRAIN_EVENT_FILE_H
#define BITTERN_TRAIN_EVENT_FILE_H

#include "log/metrics.h"

struct event_file;

/* Begin a file that sorts behind those which are in the folder. */
bittern_status event_file_create(const char *folder, struct event_file **file,
                                 struct bittern_error *err);
void event_file_close(struct event_file *file);

/* Remove from our files in a folder all events past an epoch, and what is broken at their end;
 * files without events left are deleted. Files of other programs stay as they are. */
bittern_status event_files_cut(const char *folder, uint64_t last_epoch, struct bittern_error *err);

/* One event with an epoch's scalars and histograms (event_summary.c). */
bittern_status event_file_add(struct event_file *file, const struct epoch_metrics *epoch,
                              struct bittern_error *err);

/* For event_summary.c: one record. */
bittern_status event_file_add_record(struct event_file *file, const void *message, size_t size,
                                     struct bittern_error *err);

#endif
