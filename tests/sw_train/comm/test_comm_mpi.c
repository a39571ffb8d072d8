/* SPDX-License-Identifier: Apache-2.0 */
/* Sums, broadcasts and questions among several ranks on this machine. */
#include "comm/comm.h"

#include "comm/ranks.h"
#include "testing.h"

#include <signal.h>
#include <string.h>

/* ---- Roles, on each rank --------------------------------------------------------------------- */

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

static int play_role(const char *role, const char *count)
{
    struct comm *comm = ranks_join(count);
    if (strcmp(role, "sums") == 0) {
        play_sums(comm);
    } else if (strcmp(role, "any") == 0) {
        play_any(comm);
    } else if (strcmp(role, "broadcast") == 0) {
        play_broadcast(comm);
    } else {
        play_leave(comm, strcmp(role, "killed") == 0);
    }
    return ranks_leave(comm);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void expect_role_done(const char *role)
{
    size_t done = 0;
    ranks_need_mpirun();
    assert_int_equal(ranks_run_role("2", role, &done), 0);
    assert_int_equal(done, 2);
    assert_int_equal(ranks_run_role("3", role, &done), 0);
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
    ranks_need_mpirun();
    assert_int_not_equal(ranks_run_role("2", "abandon", &done), 0);
    assert_int_equal(done, 0);
    assert_int_not_equal(ranks_run_role("2", "killed", &done), 0);
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
