/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process, or the way to MPI: what a launcher left in the environment decides. Every call on
 * one process alone returns at once.
 */
#include "comm/comm_internal.h"

#include <stdlib.h>

/* A number in the environment; `missing` where there is none. */
static unsigned long environment_number(const char *name, unsigned long missing)
{
    const char *text = getenv(name);
    if (!text || text[0] < '0' || text[0] > '9') {
        return missing;
    }
    return strtoul(text, NULL, 10);
}

/* Ranks that a launcher started, as far as its environment tells; 0 where there was no launcher. */
static unsigned long launched_ranks(void)
{
    /* Open MPI; MPICH, Intel MPI and Slurm's PMI; MVAPICH2 */
    static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        unsigned long ranks = environment_number(sizes[i], 0);
        if (ranks > 0) {
            return ranks;
        }
    }
    /* PMIx gives each process its number only; Slurm says how many there are. */
    if (getenv("PMIX_RANK")) {
        return environment_number("SLURM_NTASKS", environment_number("PMIX_RANK", 0) + 1);
    }
    return 0;
}

bittern_status comm_create(struct comm **comm, struct bittern_error *err)
{
    *comm = NULL;
    struct comm *made = calloc(1, sizeof(*made));
    if (!made) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for the list of ranks");
    }
    made->size = 1;
    unsigned long ranks = launched_ranks();
    bittern_status status = ranks > 0 ? comm_mpi_create(made, ranks, err) : BITTERN_OK;
    if (status != BITTERN_OK) {
        free(made);
        return status;
    }
    *comm = made;
    return BITTERN_OK;
}

void comm_free(struct comm *comm)
{
    if (comm) {
        if (comm->mpi) {
            comm_mpi_free(comm);
        }
        free(comm);
    }
}

void comm_abandon(struct comm *comm)
{
    if (comm) {
        comm->abandoned = true;
    }
}

size_t comm_rank(const struct comm *comm)
{
    return comm ? comm->rank : 0;
}

size_t comm_size(const struct comm *comm)
{
    return comm ? comm->size : 1;
}

bittern_status comm_sum_floats(struct comm *comm, float *values, size_t count,
                               struct bittern_error *err)
{
    return comm_size(comm) > 1 ? comm_mpi_sum_floats(comm, values, count, err) : BITTERN_OK;
}

bittern_status comm_sum_doubles(struct comm *comm, double *values, size_t count,
                                struct bittern_error *err)
{
    return comm_size(comm) > 1 ? comm_mpi_sum_doubles(comm, values, count, err) : BITTERN_OK;
}

bittern_status comm_broadcast(struct comm *comm, void *data, size_t size, struct bittern_error *err)
{
    return comm_size(comm) > 1 ? comm_mpi_broadcast(comm, data, size, err) : BITTERN_OK;
}

bool comm_any(struct comm *comm, bool value)
{
    if (comm_size(comm) <= 1) {
        return value;
    }
    bool any = value;
    return comm_mpi_any(comm, &any, NULL) != BITTERN_OK || any;
}
