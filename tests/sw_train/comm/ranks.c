/* SPDX-License-Identifier: Apache-2.0 */
#include "comm/ranks.h"

#include "run_command.h"
#include "testing.h"

#include <string.h>
#include <unistd.h>

struct comm *ranks_join(const char *count)
{
    struct comm *comm = NULL;
    struct bittern_error err;
    ROLE_OK(comm_create(&comm, &err), &err);
    ROLE_CHECK(comm_size(comm) == strtoul(count, NULL, 10));
    ROLE_CHECK(comm_rank(comm) < comm_size(comm));
    return comm;
}

int ranks_leave(struct comm *comm)
{
    comm_free(comm);
    (void)fprintf(stdout, "rank done\n");
    return 0;
}

/* Exit code of a line for the shell. */
static int run_shell(const char *line)
{
    struct command_result result;
    run_command(&result, NULL, (const char *const[]){"sh", "-c", line, NULL});
    int exit_code = result.exit_code;
    command_result_free(&result);
    return exit_code;
}

void ranks_need_mpirun(void)
{
    if (!comm_has_mpi()) {
        print_message("skipped: this build has no MPI\n");
        skip();
    }
    if (run_shell("command -v mpirun") != 0) {
        print_message("skipped: mpirun was not found\n");
        skip();
    }
}

int ranks_run(const char *count, const char *const *arguments, size_t *done)
{
    /* More ranks than cores, and a user that containers have: Open MPI wants to be told. */
    static const char *const open_mpi[] = {"--oversubscribe", "--allow-run-as-root", "--bind-to",
                                           "none"};
    /* MPI itself leaks at its end; containers may forbid one process to read another's memory. */
    static const char *const environment[] = {
        "ASAN_OPTIONS=detect_leaks=0", "OMPI_MCA_btl_vader_single_copy_mechanism=none", NULL};
    const struct command_options options = {.environment = environment};
    const char *all[24] = {"mpirun", "-n", count};
    size_t n = 3;
    if (run_shell("mpirun --version | grep -q 'Open MPI'") == 0) {
        for (size_t i = 0; i < sizeof(open_mpi) / sizeof(open_mpi[0]); i++) {
            all[n++] = open_mpi[i];
        }
    }
    for (size_t i = 0; arguments[i]; i++) {
        assert_true(n + 1 < sizeof(all) / sizeof(all[0]));
        all[n++] = arguments[i];
    }
    struct command_result result;
    run_command(&result, &options, all);
    *done = 0;
    for (const char *at = result.out; (at = strstr(at, "rank done")); at++) {
        ++*done;
    }
    int exit_code = result.exit_code;
    if (exit_code != 0) {
        print_message("%s", result.err);
    }
    command_result_free(&result);
    return exit_code;
}

int ranks_run_role(const char *count, const char *role, size_t *done)
{
    char self[4096] = "";
    assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    return ranks_run(count, (const char *const[]){self, role, count, NULL}, done);
}
