/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranks over MPI, in a communicator of our own whose errors come back as codes.
 *
 * A sum is made in two exchanges: each rank gets its chunk of everybody's values, adds them in rank
 * order (floats in double, rounded once), and gives the sums to all. Every value is thus added on
 * one rank only, and each rank sends about twice the data, however many ranks there are.
 * MPI_Allreduce moves as much, but is free to add in another order on each rank. Few values are
 * sent to everybody and added everywhere, in the same order: one exchange instead of two.
 *
 * A rank that fails or dies: mpirun ends the others when a process ends without having taken leave
 * (MPI_Finalize) or with a non-zero exit code. So a rank whose call has failed does not take leave.
 */
#include "comm/comm_internal.h"

#include <mpi.h>
#include <stdlib.h>
#include <string.h>

/* Values that are exchanged at once: bounds the scratch memory and MPI's int counts. */
#define COMM_SEGMENT ((size_t)1 << 20)
/* Up to so many values are added everywhere. */
#define COMM_FEW ((size_t)1024)
#define COMM_BROADCAST_BYTES ((size_t)1 << 30)

struct comm_mpi {
    MPI_Comm world;
    bool started_here;             /* MPI_Init is ours, and MPI_Finalize, too */
    int *counts, *offsets;         /* [size] chunks of a segment */
    int *own_counts, *own_offsets; /* [size] everybody's copy of our chunk, in scratch */
    double *scratch;               /* floats or doubles of all ranks */
    size_t scratch_bytes;
};

/* How a type of values is sent and added. */
struct comm_type {
    MPI_Datatype type;
    size_t size;
    /* sums[i] = sum over ranks of parts[rank * count + i], in rank order */
    void (*add)(const void *parts, size_t ranks, size_t count, void *sums);
};

static bittern_status mpi_error(struct comm *comm, int code, const char *what,
                                struct bittern_error *err)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    comm->abandoned = true;
    if (MPI_Error_string(code, text, &length) != MPI_SUCCESS) {
        text[0] = '\0';
    }
    return bittern_error_set(err, BITTERN_ERR_NETWORK,
                             "rank %zu of %zu: MPI cannot %s: %s; all ranks must end", comm->rank,
                             comm->size, what, text[0] ? text : "no reason given");
}

/* ---- Joining and leaving --------------------------------------------------------------------- */

static bittern_status start_mpi(struct comm_mpi *mpi, struct bittern_error *err)
{
    int started = 0;
    int finished = 0;
    int provided = MPI_THREAD_SINGLE;
    if (MPI_Initialized(&started) != MPI_SUCCESS || MPI_Finalized(&finished) != MPI_SUCCESS ||
        finished) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "MPI has been left already; a process can join only once");
    }
    if (started) {
        return BITTERN_OK;
    }
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) {
        return bittern_error_set(err, BITTERN_ERR_NETWORK, "MPI cannot be started");
    }
    mpi->started_here = true;
    if (provided < MPI_THREAD_FUNNELED) {
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "this MPI does not go together with threads");
    }
    return BITTERN_OK;
}

static bittern_status find_ranks(struct comm *comm, struct bittern_error *err)
{
    int rank = 0;
    int size = 1;
    int code = MPI_Comm_dup(MPI_COMM_WORLD, &comm->mpi->world);
    if (code == MPI_SUCCESS) {
        code = MPI_Comm_set_errhandler(comm->mpi->world, MPI_ERRORS_RETURN);
    }
    if (code == MPI_SUCCESS) {
        code = MPI_Comm_rank(comm->mpi->world, &rank);
    }
    if (code == MPI_SUCCESS) {
        code = MPI_Comm_size(comm->mpi->world, &size);
    }
    if (code != MPI_SUCCESS) {
        return mpi_error(comm, code, "join the ranks", err);
    }
    comm->rank = (size_t)rank;
    comm->size = (size_t)size;
    return BITTERN_OK;
}

bittern_status comm_mpi_create(struct comm *comm, unsigned long ranks, struct bittern_error *err)
{
    bittern_status status;
    (void)ranks;
    comm->mpi = calloc(1, sizeof(*comm->mpi));
    if (!comm->mpi) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for MPI");
    }
    comm->mpi->world = MPI_COMM_NULL;
    status = start_mpi(comm->mpi, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    status = find_ranks(comm, err);
    if (status != BITTERN_OK) {
        goto cleanup;
    }
    comm->mpi->counts = calloc(4 * comm->size, sizeof(int));
    if (!comm->mpi->counts) {
        status =
            bittern_error_set(err, BITTERN_ERR_MEMORY, "out of memory for %zu ranks", comm->size);
        goto cleanup;
    }
    comm->mpi->offsets = comm->mpi->counts + comm->size;
    comm->mpi->own_counts = comm->mpi->counts + 2 * comm->size;
    comm->mpi->own_offsets = comm->mpi->counts + 3 * comm->size;

cleanup:
    if (status != BITTERN_OK) {
        comm->abandoned = true;
        comm_mpi_free(comm);
    }
    return status;
}

void comm_mpi_free(struct comm *comm)
{
    struct comm_mpi *mpi = comm->mpi;
    if (!comm->abandoned) {
        if (mpi->world != MPI_COMM_NULL) {
            (void)MPI_Comm_free(&mpi->world);
        }
        if (mpi->started_here) {
            (void)MPI_Finalize();
        }
    }
    free(mpi->counts);
    free(mpi->scratch);
    free(mpi);
    comm->mpi = NULL;
}

/* ---- Sums ------------------------------------------------------------------------------------ */

static void add_floats(const void *parts, size_t ranks, size_t count, void *sums)
{
    double block[512];
    const size_t block_count = sizeof(block) / sizeof(block[0]);
    for (size_t first = 0; first < count; first += block_count) {
        size_t n = count - first < block_count ? count - first : block_count;
        memset(block, 0, sizeof(block));
        for (size_t rank = 0; rank < ranks; rank++) {
            const float *part = (const float *)parts + rank * count + first;
            for (size_t i = 0; i < n; i++) {
                block[i] += (double)part[i];
            }
        }
        for (size_t i = 0; i < n; i++) {
            ((float *)sums)[first + i] = (float)block[i];
        }
    }
}

static void add_doubles(const void *parts, size_t ranks, size_t count, void *sums)
{
    double *sum = sums;
    memcpy(sum, parts, count * sizeof(double));
    for (size_t rank = 1; rank < ranks; rank++) {
        const double *part = (const double *)parts + rank * count;
        for (size_t i = 0; i < count; i++) {
            sum[i] += part[i];
        }
    }
}

static bittern_status reserve_scratch(struct comm *comm, size_t bytes, struct bittern_error *err)
{
    if (bytes <= comm->mpi->scratch_bytes) {
        return BITTERN_OK;
    }
    double *larger = realloc(comm->mpi->scratch, bytes);
    if (!larger) {
        comm->abandoned = true;
        return bittern_error_set(err, BITTERN_ERR_MEMORY,
                                 "out of memory for %zu bytes of other ranks' values", bytes);
    }
    comm->mpi->scratch = larger;
    comm->mpi->scratch_bytes = bytes;
    return BITTERN_OK;
}

/* Everybody sends all its values to all; count <= COMM_FEW. */
static bittern_status sum_few(struct comm *comm, const struct comm_type *type, void *values,
                              size_t count, struct bittern_error *err)
{
    bittern_status status = reserve_scratch(comm, comm->size * count * type->size, err);
    if (status != BITTERN_OK) {
        return status;
    }
    int code = MPI_Allgather(values, (int)count, type->type, comm->mpi->scratch, (int)count,
                             type->type, comm->mpi->world);
    if (code != MPI_SUCCESS) {
        return mpi_error(comm, code, "gather values", err);
    }
    type->add(comm->mpi->scratch, comm->size, count, values);
    return BITTERN_OK;
}

/* Each rank adds one chunk; count <= COMM_SEGMENT. */
static bittern_status sum_segment(struct comm *comm, const struct comm_type *type, void *values,
                                  size_t count, struct bittern_error *err)
{
    struct comm_mpi *mpi = comm->mpi;
    size_t start = count * comm->rank / comm->size;
    size_t own = count * (comm->rank + 1) / comm->size - start;
    for (size_t r = 0; r < comm->size; r++) {
        mpi->offsets[r] = (int)(count * r / comm->size);
        mpi->counts[r] = (int)(count * (r + 1) / comm->size) - mpi->offsets[r];
        mpi->own_offsets[r] = (int)(r * own);
        mpi->own_counts[r] = (int)own;
    }
    bittern_status status = reserve_scratch(comm, comm->size * own * type->size, err);
    if (status != BITTERN_OK) {
        return status;
    }
    int code = MPI_Alltoallv(values, mpi->counts, mpi->offsets, type->type, mpi->scratch,
                             mpi->own_counts, mpi->own_offsets, type->type, mpi->world);
    if (code != MPI_SUCCESS) {
        return mpi_error(comm, code, "exchange values", err);
    }
    type->add(mpi->scratch, comm->size, own, (char *)values + start * type->size);
    code = MPI_Allgatherv(MPI_IN_PLACE, 0, type->type, values, mpi->counts, mpi->offsets,
                          type->type, mpi->world);
    return code == MPI_SUCCESS ? BITTERN_OK : mpi_error(comm, code, "gather sums", err);
}

static bittern_status sum_values(struct comm *comm, const struct comm_type *type, void *values,
                                 size_t count, struct bittern_error *err)
{
    bittern_status status = BITTERN_OK;
    for (size_t first = 0; first < count && status == BITTERN_OK; first += COMM_SEGMENT) {
        size_t n = count - first < COMM_SEGMENT ? count - first : COMM_SEGMENT;
        char *segment = (char *)values + first * type->size;
        status = n <= COMM_FEW ? sum_few(comm, type, segment, n, err)
                               : sum_segment(comm, type, segment, n, err);
    }
    return status;
}

bittern_status comm_mpi_sum_floats(struct comm *comm, float *values, size_t count,
                                   struct bittern_error *err)
{
    const struct comm_type type = {MPI_FLOAT, sizeof(float), add_floats};
    return sum_values(comm, &type, values, count, err);
}

bittern_status comm_mpi_sum_doubles(struct comm *comm, double *values, size_t count,
                                    struct bittern_error *err)
{
    const struct comm_type type = {MPI_DOUBLE, sizeof(double), add_doubles};
    return sum_values(comm, &type, values, count, err);
}

/* ---- The rest -------------------------------------------------------------------------------- */

bittern_status comm_mpi_broadcast(struct comm *comm, void *data, size_t size,
                                  struct bittern_error *err)
{
    for (size_t first = 0; first < size; first += COMM_BROADCAST_BYTES) {
        size_t n = size - first < COMM_BROADCAST_BYTES ? size - first : COMM_BROADCAST_BYTES;
        int code = MPI_Bcast((char *)data + first, (int)n, MPI_BYTE, 0, comm->mpi->world);
        if (code != MPI_SUCCESS) {
            return mpi_error(comm, code, "send to all ranks", err);
        }
    }
    return BITTERN_OK;
}

bittern_status comm_mpi_any(struct comm *comm, bool *value, struct bittern_error *err)
{
    int mine = *value ? 1 : 0;
    int any = mine;
    int code = MPI_Allreduce(&mine, &any, 1, MPI_INT, MPI_MAX, comm->mpi->world);
    if (code != MPI_SUCCESS) {
        return mpi_error(comm, code, "ask all ranks", err);
    }
    *value = any != 0;
    return BITTERN_OK;
}

bool comm_has_mpi(void)
{
    return true;
}
