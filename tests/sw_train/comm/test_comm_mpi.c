/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several ranks on this machine. The program starts itself under mpirun, with the name of a role
 * as its argument; a role checks its own side of things and says so by its exit code.
 * Skipped where the build has no MPI, or no mpirun is found.
 */
#include "comm/comm.h"

#include "run_command.h"
#include "testing.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Roles, on each rank --------------------------------------------------------------------- */

#define ROLE_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "rank %zu: line %d: %s\n", comm_rank(comm), __LINE__,            \
                          #condition);                                                             \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* Value i that a rank brings along: of very different sizes, so that the order of adding shows. */
static double rank_value(size_t rank, size_t i)
{
    uint64_t seed = (uint64_t)rank * UINT64_C(1000003) + i;
    double value = random_unit(&seed) - 0.5;
    return random_below(&seed, 2) ? value * 1e6 : value;
}

/* What came out is rank 0's, bit for bit. */
static void check_equal_on_ranks(struct comm *comm, const void *values, size_t size)
{
    struct bittern_error err;
    void *first = malloc(size ? size : 1);
    ROLE_CHECK(first != NULL);
    memcpy(first, values, size);
    ROLE_CHECK(comm_broadcast(comm, first, size, &err) == BITTERN_OK);
    ROLE_CHECK(memcmp(first, values, size) == 0);
    free(first);
}

static void check_sums(struct comm *comm, size_t count)
{
    struct bittern_error err;
    size_t ranks = comm_size(comm);
    float *floats = calloc(count ? count : 1, sizeof(float));
    double *doubles = calloc(count ? count : 1, sizeof(double));
    ROLE_CHECK(floats && doubles);
    for (size_t i = 0; i < count; i++) {
        doubles[i] = rank_value(comm_rank(comm), i);
        floats[i] = (float)doubles[i];
    }
    ROLE_CHECK(comm_sum_floats(comm, floats, count, &err) == BITTERN_OK);
    ROLE_CHECK(comm_sum_doubles(comm, doubles, count, &err) == BITTERN_OK);
    for (size_t i = 0; i < count; i++) {
        double float_sum = (double)(float)rank_value(0, i);
        double sum = rank_value(0, i);
        for (size_t r = 1; r < ranks; r++) {
            float_sum += (double)(float)rank_value(r, i);
            sum += rank_value(r, i);
        }
        ROLE_CHECK(floats[i] == (float)float_sum);
        ROLE_CHECK(doubles[i] == sum);
    }
    check_equal_on_ranks(comm, floats, count * sizeof(float));
    check_equal_on_ranks(comm, doubles, count * sizeof(double));
    free(floats);
    free(doubles);
}

static void play_sums(struct comm *comm)
{
    static const size_t counts[] = {0, 1, 2, 1023, 1024, 1025, 4099, 70001, (1U << 20) + 7};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        check_sums(comm, counts[i]);
    }
}

static void play_any(struct comm *comm)
{
    size_t last = comm_size(comm) - 1;
    ROLE_CHECK(!comm_any(comm, false));
    ROLE_CHECK(comm_any(comm, comm_rank(comm) == last));
    ROLE_CHECK(comm_any(comm, comm_rank(comm) == 0));
    ROLE_CHECK(comm_any(comm, true));
    ROLE_CHECK(!comm_any(comm, false));
}

static void play_broadcast(struct comm *comm)
{
    struct bittern_error err;
    char text[32] = "other";
    if (comm_rank(comm) == 0) {
        (void)snprintf(text, sizeof(text), "from rank 0");
    }
    ROLE_CHECK(comm_broadcast(comm, text, sizeof(text), &err) == BITTERN_OK);
    ROLE_CHECK(strcmp(text, "from rank 0") == 0);
    ROLE_CHECK(comm_broadcast(comm, NULL, 0, &err) == BITTERN_OK);
}

/* The last rank goes away while the others wait for its values. */
static void play_leave(struct comm *comm, bool killed)
{
    struct bittern_error err;
    double value = 1.0;
    if (comm_rank(comm) == comm_size(comm) - 1) {
        if (killed) {
            (void)raise(SIGKILL);
        }
        comm_abandon(comm);
        comm_free(comm);
        exit(1);
    }
    ROLE_CHECK(comm_sum_doubles(comm, &value, 1, &err) == BITTERN_OK);
}

static int play_role(const char *role, const char *size)
{
    struct comm *comm = NULL;
    struct bittern_error err;
    if (comm_create(&comm, &err) != BITTERN_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    ROLE_CHECK(comm_size(comm) == strtoul(size, NULL, 10));
    ROLE_CHECK(comm_rank(comm) < comm_size(comm));
    if (strcmp(role, "sums") == 0) {
        play_sums(comm);
    } else if (strcmp(role, "any") == 0) {
        play_any(comm);
    } else if (strcmp(role, "broadcast") == 0) {
        play_broadcast(comm);
    } else {
        play_leave(comm, strcmp(role, "killed") == 0);
    }
    comm_free(comm);
    (void)fprintf(stdout, "rank done\n");
    return 0;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static bool find_mpirun(bool *is_open_mpi)
{
    struct command_result result;
    run_command(&result, NULL,
                (const char *const[]){"sh", "-c", "command -v mpirun && mpirun --version", NULL});
    bool found = result.exit_code == 0;
    *is_open_mpi = strstr(result.out, "Open MPI") != NULL;
    command_result_free(&result);
    return found;
}

/* Run a role on ranks; skips the test where that cannot be. @return the exit code */
static int run_role(const char *role, const char *ranks, size_t *ranks_done)
{
    char self[4096] = "";
    bool is_open_mpi = false;
    if (!comm_has_mpi()) {
        print_message("skipped: this build has no MPI\n");
        skip();
    }
    if (!find_mpirun(&is_open_mpi)) {
        print_message("skipped: mpirun was not found\n");
        skip();
    }
    assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    /* More ranks than cores; a user that containers have. MPI itself leaks at its end. */
    static const char *const environment[] = {
        "ASAN_OPTIONS=detect_leaks=0", "OMPI_MCA_btl_vader_single_copy_mechanism=none", NULL};
    const struct command_options options = {.environment = environment};
    const char *const open_mpi[] = {
        "mpirun", "-n", ranks, "--oversubscribe", "--allow-run-as-root", self, role, ranks, NULL};
    const char *const other_mpi[] = {"mpirun", "-n", ranks, self, role, ranks, NULL};
    struct command_result result;
    run_command(&result, &options, is_open_mpi ? open_mpi : other_mpi);
    *ranks_done = 0;
    for (const char *at = result.out; (at = strstr(at, "rank done")); at++) {
        ++*ranks_done;
    }
    int exit_code = result.exit_code;
    if (exit_code != 0) {
        print_message("%s", result.err);
    }
    command_result_free(&result);
    return exit_code;
}

static void expect_role_done(const char *role)
{
    size_t done = 0;
    assert_int_equal(run_role(role, "2", &done), 0);
    assert_int_equal(done, 2);
    assert_int_equal(run_role(role, "3", &done), 0);
    assert_int_equal(done, 3);
}

/* Would catch: another order of adding on each rank, a chunk that nobody adds, a segment that
 * starts at the wrong value. */
static void sums_are_in_rank_order_and_equal_bits_on_all_ranks(void **state)
{
    (void)state;
    expect_role_done("sums");
}

/* Would catch: an interrupt that only one rank obeys while the others wait for it. */
static void true_on_any_rank_is_true_on_all(void **state)
{
    (void)state;
    expect_role_done("any");
}

/* Would catch: ranks that keep what they had. */
static void broadcast_gives_all_ranks_the_bytes_of_rank_0(void **state)
{
    (void)state;
    expect_role_done("broadcast");
}

/* Would catch: ranks that wait for ever for one that failed or died (the run would not end in
 * time). */
static void run_ends_with_an_error_when_a_rank_goes_away(void **state)
{
    (void)state;
    size_t done = 0;
    assert_int_not_equal(run_role("abandon", "2", &done), 0);
    assert_int_equal(done, 0);
    assert_int_not_equal(run_role("killed", "2", &done), 0);
    assert_int_equal(done, 0);
}

/* Would catch: a build without MPI under mpirun, where N processes would each train alone and
 * overwrite each other's files. */
static void build_without_mpi_refuses_several_processes(void **state)
{
    (void)state;
    static const char *const variables[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE",
                                            "MV2_COMM_WORLD_SIZE"};
    if (comm_has_mpi()) {
        print_message("skipped: this build has MPI\n");
        skip();
    }
    for (size_t i = 0; i < 3; i++) {
        struct comm *comm = NULL;
        struct bittern_error err = {BITTERN_OK, ""};
        assert_int_equal(setenv(variables[i], "2", 1), 0);
        assert_int_equal(comm_create(&comm, &err), BITTERN_ERR_UNSUPPORTED);
        assert_null(comm);
        assert_non_null(strstr(err.message, "no MPI"));
        assert_int_equal(setenv(variables[i], "1", 1), 0);
        assert_ok(comm_create(&comm, &err), &err);
        assert_int_equal(comm_size(comm), 1);
        comm_free(comm);
        assert_int_equal(unsetenv(variables[i]), 0);
    }
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        return play_role(argv[1], argv[2]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_in_rank_order_and_equal_bits_on_all_ranks),
        cmocka_unit_test(true_on_any_rank_is_true_on_all),
        cmocka_unit_test(broadcast_gives_all_ranks_the_bytes_of_rank_0),
        cmocka_unit_test(run_ends_with_an_error_when_a_rank_goes_away),
        cmocka_unit_test(build_without_mpi_refuses_several_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
