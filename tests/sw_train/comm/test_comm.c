/* SPDX-License-Identifier: Apache-2.0 */
/* One process alone, which is what most runs are. */
#include "comm/comm.h"

#include "testing.h"

static void check_alone(struct comm *comm)
{
    struct bittern_error err;
    float floats[] = {1.5F, -2.0F};
    double doubles[] = {0.1};
    char text[] = "same";
    assert_int_equal(comm_rank(comm), 0);
    assert_int_equal(comm_size(comm), 1);
    assert_ok(comm_sum_floats(comm, floats, 2, &err), &err);
    assert_ok(comm_sum_doubles(comm, doubles, 1, &err), &err);
    assert_ok(comm_broadcast(comm, text, sizeof(text), &err), &err);
    assert_true(floats[0] == 1.5F && floats[1] == -2.0F && doubles[0] == 0.1);
    assert_string_equal(text, "same");
    assert_true(comm_any(comm, true));
    assert_false(comm_any(comm, false));
}

/* Would catch: a single process that waits for others, or that changes what it sums. */
static void process_alone_keeps_its_values(void **state)
{
    (void)state;
    struct comm *comm = NULL;
    struct bittern_error err;
    check_alone(NULL);
    assert_ok(comm_create(&comm, &err), &err);
    check_alone(comm);
    comm_abandon(comm);
    comm_free(comm);
    comm_abandon(NULL);
    comm_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(process_alone_keeps_its_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
