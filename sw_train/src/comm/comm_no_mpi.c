/* SPDX-License-Identifier: Apache-2.0 */
/* Stands where comm_mpi.c would: one process trains alone, several are refused. */
#include "comm/comm_internal.h"

/* NOLINTBEGIN(readability-non-const-parameter): the signatures are comm_mpi.c's */

bittern_status comm_mpi_create(struct comm *comm, unsigned long ranks, struct bittern_error *err)
{
    (void)comm;
    if (ranks > 1) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "%lu processes were started to train together, but this build has "
                                 "no MPI; install libopenmpi-dev and build again, or start one",
                                 ranks);
    }
    return BITTERN_OK;
}

void comm_mpi_free(struct comm *comm)
{
    (void)comm;
}

static bittern_status no_ranks(struct bittern_error *err)
{
    return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED, "this build has no MPI");
}

bittern_status comm_mpi_sum_floats(struct comm *comm, float *values, size_t count,
                                   struct bittern_error *err)
{
    (void)comm, (void)values, (void)count;
    return no_ranks(err);
}

bittern_status comm_mpi_sum_doubles(struct comm *comm, double *values, size_t count,
                                    struct bittern_error *err)
{
    (void)comm, (void)values, (void)count;
    return no_ranks(err);
}

bittern_status comm_mpi_broadcast(struct comm *comm, void *data, size_t size,
                                  struct bittern_error *err)
{
    (void)comm, (void)data, (void)size;
    return no_ranks(err);
}

bittern_status comm_mpi_any(struct comm *comm, bool *value, struct bittern_error *err)
{
    (void)comm, (void)value;
    return no_ranks(err);
}

/* NOLINTEND(readability-non-const-parameter) */

bool comm_has_mpi(void)
{
    return false;
}
