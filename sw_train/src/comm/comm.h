/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of a data-parallel run. One process alone is the usual case: every call then
 * returns at once. With MPI (built in where it was found), `mpirun -n N` makes N ranks; each has
 * the same parameters and 1/N of each batch.
 *
 * Sums are made in rank order on every rank, so that all ranks keep the same bits.
 */
#ifndef BITTERN_TRAIN_COMM_H
#define BITTERN_TRAIN_COMM_H

#include <bittern/error.h>
#include <stdbool.h>
#include <stddef.h>

struct comm;

/* Whether this build can join other ranks. */
bool comm_has_mpi(void);

/* Joins the ranks that a launcher started, if one did (its environment tells); MPI is not
 * initialized otherwise. BITTERN_ERR_UNSUPPORTED where a launcher started several
 * processes and this build has no MPI. */
bittern_status comm_create(struct comm **comm, struct bittern_error *err);
/* Waits for the other ranks' comm_free, unless abandoned. */
void comm_free(struct comm *comm);
/* This rank ends with an error of its own while others may wait for it. comm_free then does not
 * take leave of them; the process that ends so with a non-zero exit code makes mpirun end them all.
 * A call below that fails does the same by itself. */
void comm_abandon(struct comm *comm);

/* NULL stands for one process alone, here and below. */
size_t comm_rank(const struct comm *comm);
size_t comm_size(const struct comm *comm);

/* values[i] = sum over ranks of values[i] */
bittern_status comm_sum_floats(struct comm *comm, float *values, size_t count,
                               struct bittern_error *err);
bittern_status comm_sum_doubles(struct comm *comm, double *values, size_t count,
                                struct bittern_error *err);
/* Copies rank 0's bytes to all. */
bittern_status comm_broadcast(struct comm *comm, void *data, size_t size,
                              struct bittern_error *err);
/* True on every rank where it is true on any (an interrupt, an error), or where the ranks cannot
 * be asked any more. */
bool comm_any(struct comm *comm, bool value);

#endif
