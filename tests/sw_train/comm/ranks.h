/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of several ranks on this machine: the test program starts itself under mpirun, with the
 * name of a role and the number of ranks as its arguments. A role checks its own side of things,
 * says "rank done" at its end, and shows by its exit code what it found.
 */
#ifndef BITTERN_TESTS_RANKS_H
#define BITTERN_TESTS_RANKS_H

#include "comm/comm.h"

#include <stdio.h>
#include <stdlib.h>

/* In a role, where cmocka's assertions do not work. */
#define ROLE_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                  \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* The same for a function that fills in `error`. */
#define ROLE_OK(call, error)                                                                       \
    do {                                                                                           \
        if ((call) != BITTERN_OK) {                                                                \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, (error)->message);            \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* Start the role's work: join the other ranks, of whom there are as many as the argument says. */
struct comm *ranks_join(const char *count);
/* End it well. @return the program's exit code */
int ranks_leave(struct comm *comm);

/* Skips the current test, visibly, where ranks cannot be started here. */
void ranks_need_mpirun(void);
/* Run a program on ranks, after ranks_need_mpirun. @param arguments  ended by NULL, up to 16
 * @return the exit code; *done: how often it said "rank done" */
int ranks_run(const char *count, const char *const *arguments, size_t *done);
/* Run a role of this program. */
int ranks_run_role(const char *count, const char *role, size_t *done);

#endif
