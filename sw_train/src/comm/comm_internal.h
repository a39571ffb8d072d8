/* SPDX-License-Identifier: Apache-2.0 */
/* What comm.c shares with comm_mpi.c, or with comm_no_mpi.c where the build found no MPI. */
#ifndef BITTERN_TRAIN_COMM_INTERNAL_H
#define BITTERN_TRAIN_COMM_INTERNAL_H

#include "comm/comm.h"

struct comm_mpi;

struct comm {
    size_t rank, size;
    bool abandoned;       /* a call has failed, or comm_abandon was called */
    struct comm_mpi *mpi; /* NULL: one process alone */
};

/* @param ranks  that the environment promises; MPI itself knows better */
bittern_status comm_mpi_create(struct comm *comm, unsigned long ranks, struct bittern_error *err);
/* The following are called with several ranks only. */
void comm_mpi_free(struct comm *comm);
bittern_status comm_mpi_sum_floats(struct comm *comm, float *values, size_t count,
                                   struct bittern_error *err);
bittern_status comm_mpi_sum_doubles(struct comm *comm, double *values, size_t count,
                                    struct bittern_error *err);
bittern_status comm_mpi_broadcast(struct comm *comm, void *data, size_t size,
                                  struct bittern_error *err);
bittern_status comm_mpi_any(struct comm *comm, bool *value, struct bittern_error *err);

#endif
