/* SPDX-License-Identifier: Apache-2.0 */
/* Power sensors of a made-up sysfs tree, whose files are rewritten between samples, and whose clock
 * is the test's. */
#include "testing.h"

#include "base/file.h"
#include "energy/meter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct tree {
    char root[64];
    double now;
    struct energy_reader reader;
    struct bittern_energy_meter *meter;
    struct bittern_error err;
};

static bool tree_read(void *user, const char *path, double *value)
{
    (void)user;
    return energy_system_reader.read(NULL, path, value);
}

static double tree_now(void *user)
{
    return ((struct tree *)user)->now;
}

static void tree_write(struct tree *tree, const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", tree->root, name);
    *strrchr(path, '/') = '\0';
    assert_ok(file_make_directory(path, &tree->err), &tree->err);
    path[strlen(path)] = '/';
    assert_ok(file_write(path, text, strlen(text), &tree->err), &tree->err);
}

static void tree_write_number(struct tree *tree, const char *name, double value)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%.0f\n", value);
    tree_write(tree, name, text);
}

static void tree_remove(const struct tree *tree, const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", tree->root, name);
    assert_int_equal(unlink(path), 0);
}

static int setup(void **state)
{
    struct tree *tree = calloc(1, sizeof *tree);
    if (!tree) {
        return -1;
    }
    (void)snprintf(tree->root, sizeof tree->root, "/tmp/bittern-energy-XXXXXX");
    tree->reader = (struct energy_reader){tree_read, tree_now, tree};
    *state = tree;
    return mkdtemp(tree->root) ? 0 : -1;
}

static int teardown(void **state)
{
    struct tree *tree = *state;
    char command[128];
    bittern_energy_meter_close(tree->meter);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", tree->root);
    int code = system(command);
    free(tree);
    return code;
}

static bittern_status open_tree(struct tree *tree, enum bittern_energy_source source,
                                const char *sensor)
{
    const struct bittern_energy_meter_options options = {
        .root = tree->root, .sensor = sensor, .period_ms = 100};
    return energy_meter_open(source, &options, &tree->reader, &tree->meter, &tree->err);
}

static void board_with_one_chip(struct tree *tree)
{
    tree_write(tree, "class/hwmon/hwmon0/name", "cpu_thermal\n");
    tree_write(tree, "class/hwmon/hwmon0/power1_input", "99000000\n");
    tree_write(tree, "class/hwmon/hwmon3/name", "ina226_u76\n");
    tree_write(tree, "class/hwmon/hwmon3/power1_input", "1000000\n");
    assert_ok(open_tree(tree, BITTERN_ENERGY_BOARD, NULL), &tree->err);
}

/* Would catch: rectangles instead of trapezoids, microwatts taken as milliwatts, a chip that is no
 * power sensor. */
static void a_ramp_of_power_gives_its_area(void **state)
{
    struct tree *tree = *state;
    struct bittern_energy_measurement m;

    board_with_one_chip(tree);
    assert_string_equal(bittern_energy_meter_detail(tree->meter), "ina226_u76");
    energy_meter_begin(tree->meter);
    for (int i = 1; i <= 9; i++) {
        tree->now = 0.1 * i;
        tree_write_number(tree, "class/hwmon/hwmon3/power1_input", 1e6 + 2e5 * i);
        energy_meter_sample(tree->meter);
    }
    tree->now = 1.0;
    tree_write_number(tree, "class/hwmon/hwmon3/power1_input", 3e6);
    energy_meter_set_idle(tree->meter, 0.5);
    assert_ok(energy_meter_end(tree->meter, &m, &tree->err), &tree->err);
    assert_int_equal(m.source, BITTERN_ENERGY_BOARD);
    assert_float_equal(m.seconds, 1.0, 1e-12);
    assert_float_equal(m.joules, 2.0, 1e-9); /* 1 W rising to 3 W in a second */
    assert_float_equal(m.joules_above_idle, 1.5, 1e-9);
    assert_int_equal(m.samples, 11);
    assert_int_equal(m.lost, 0);
}

/* Would catch: rails that are not added up, and current or voltage in another unit. */
static void rails_of_current_and_voltage_are_added_up(void **state)
{
    struct tree *tree = *state;
    struct bittern_energy_measurement m;

    tree_write(tree, "class/hwmon/hwmon0/name", "ina226\n");
    tree_write(tree, "class/hwmon/hwmon0/curr1_input", "500\n"); /* 0.5 A at 0.85 V */
    tree_write(tree, "class/hwmon/hwmon0/in1_input", "850\n");
    tree_write(tree, "bus/pci/devices/0000:65:00.1/xmc.u.1/xmc_12v_pex_curr", "1000\n");
    tree_write(tree, "bus/pci/devices/0000:65:00.1/xmc.u.1/xmc_12v_pex_vol", "12000\n");
    assert_ok(open_tree(tree, BITTERN_ENERGY_BOARD, NULL), &tree->err);
    energy_meter_begin(tree->meter);
    tree->now = 2.0;
    energy_meter_sample(tree->meter);
    assert_int_equal(energy_meter_end(tree->meter, &m, &tree->err), BITTERN_ERR_IO);

    energy_meter_begin(tree->meter); /* now often enough */
    for (int i = 1; i <= 10; i++) {
        tree->now += 0.1;
        energy_meter_sample(tree->meter);
    }
    assert_ok(energy_meter_end(tree->meter, &m, &tree->err), &tree->err);
    assert_float_equal(m.joules, 0.425 + 12.0, 1e-9);
    assert_true(m.idle_watts < 0.0);
}

/* Would catch: a bad reading that is taken for power, or for the end of the run. */
static void nonsense_between_good_readings_is_bridged(void **state)
{
    static const char *const nonsense[] = {"",      "abc\n",      "-5000000\n", "99999999999999\n",
                                           "nan\n", "1000000 W\n"};
    struct tree *tree = *state;
    struct bittern_energy_measurement m;

    board_with_one_chip(tree);
    energy_meter_begin(tree->meter);
    for (size_t i = 0; i < 6; i++) {
        tree->now += 0.1;
        tree_write(tree, "class/hwmon/hwmon3/power1_input", nonsense[i]);
        energy_meter_sample(tree->meter);
        tree->now += 0.1;
        tree_write(tree, "class/hwmon/hwmon3/power1_input", "1000000\n");
        energy_meter_sample(tree->meter);
    }
    assert_ok(energy_meter_end(tree->meter, &m, &tree->err), &tree->err);
    assert_float_equal(m.joules, 1.2, 1e-9);
    assert_int_equal(m.lost, 6);
    assert_float_equal(m.longest_gap, 0.2, 1e-9);
}

/* Would catch: a figure for a run of which a sensor saw only a part. */
static void a_sensor_that_vanishes_ends_in_an_error_with_its_name(void **state)
{
    struct tree *tree = *state;
    struct bittern_energy_measurement m;

    board_with_one_chip(tree);
    energy_meter_begin(tree->meter);
    for (int i = 1; i <= 20; i++) {
        tree->now += 0.1;
        if (i == 10) {
            tree_remove(tree, "class/hwmon/hwmon3/power1_input");
        }
        energy_meter_sample(tree->meter);
    }
    assert_int_equal(energy_meter_end(tree->meter, &m, &tree->err), BITTERN_ERR_IO);
    assert_non_null(strstr(tree->err.message, "ina226_u76"));
}

/* Would catch: a hole in the middle that is bridged as if a straight line were known. */
static void a_sensor_that_stalls_for_long_ends_in_an_error(void **state)
{
    struct tree *tree = *state;
    struct bittern_energy_measurement m;

    board_with_one_chip(tree);
    energy_meter_begin(tree->meter);
    tree->now = 3.0; /* nobody could read it for so long */
    energy_meter_sample(tree->meter);
    for (int i = 0; i < 10; i++) {
        tree->now += 0.1;
        energy_meter_sample(tree->meter);
    }
    assert_int_equal(energy_meter_end(tree->meter, &m, &tree->err), BITTERN_ERR_IO);
    assert_non_null(strstr(tree->err.message, "3 of 4 s"));
}

/* Would catch: an empty list taken for zero watts. */
static void a_machine_without_sensors_is_told_so(void **state)
{
    struct tree *tree = *state;

    assert_int_equal(open_tree(tree, BITTERN_ENERGY_BOARD, NULL), BITTERN_ERR_NOT_FOUND);
    assert_non_null(strstr(tree->err.message, "use the model"));
    assert_int_equal(open_tree(tree, BITTERN_ENERGY_HOST, NULL), BITTERN_ERR_NOT_FOUND);
    assert_non_null(strstr(tree->err.message, "virtual machine"));
    board_with_one_chip(tree);
    bittern_energy_meter_close(tree->meter);
    tree->meter = NULL;
    assert_int_equal(open_tree(tree, BITTERN_ENERGY_BOARD, "u77"), BITTERN_ERR_NOT_FOUND);
}

static void host_with_two_packages(struct tree *tree)
{
    static const char *const domains[][2] = {
        {"intel-rapl:0", "package-0"}, {"intel-rapl:0:0", "core"},
        {"intel-rapl:1", "package-1"}, {"intel-rapl:1:0", "package-9"},
        {"intel-rapl:2", "psys"},      {"intel-rapl-mmio:0", "package-0"},
    };
    for (size_t i = 0; i < sizeof domains / sizeof domains[0]; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "class/powercap/%s/name", domains[i][0]);
        tree_write(tree, path, domains[i][1]);
        (void)snprintf(path, sizeof path, "class/powercap/%s/energy_uj", domains[i][0]);
        tree_write(tree, path, "5000000\n");
        (void)snprintf(path, sizeof path, "class/powercap/%s/max_energy_range_uj", domains[i][0]);
        tree_write(tree, path, "10000000\n");
    }
}

/* Would catch: subdomains or a second view of a package counted again, and a lost wrap-around. */
static void packages_are_counted_once_and_over_their_wrap_around(void **state)
{
    struct tree *tree = *state;
    struct bittern_energy_measurement m;

    host_with_two_packages(tree);
    assert_ok(open_tree(tree, BITTERN_ENERGY_HOST, NULL), &tree->err);
    assert_string_equal(bittern_energy_meter_detail(tree->meter), "package-0, package-1");
    energy_meter_begin(tree->meter);
    tree->now = 1.0;
    tree_write(tree, "class/powercap/intel-rapl:0/energy_uj", "9000000\n");  /* +4 J */
    tree_write(tree, "class/powercap/intel-rapl:1/energy_uj", "99000000\n"); /* cannot be */
    tree_write(tree, "class/powercap/intel-rapl:0:0/energy_uj", "8000000\n");
    energy_meter_sample(tree->meter);
    tree->now = 2.0;
    tree_write(tree, "class/powercap/intel-rapl:0/energy_uj", "2000000\n"); /* +3 J, wrapped */
    tree_write(tree, "class/powercap/intel-rapl:1/energy_uj", "6500000\n"); /* +1.5 J */
    assert_ok(energy_meter_end(tree->meter, &m, &tree->err), &tree->err);
    assert_int_equal(m.source, BITTERN_ENERGY_HOST);
    assert_float_equal(m.joules, 8.5, 1e-9);
    assert_int_equal(m.lost, 1);
}

/* Would catch: counters whose wrap-around is not known, used until they wrap. */
static void a_counter_without_its_range_is_refused(void **state)
{
    struct tree *tree = *state;

    host_with_two_packages(tree);
    tree_remove(tree, "class/powercap/intel-rapl:1/max_energy_range_uj");
    assert_int_equal(open_tree(tree, BITTERN_ENERGY_HOST, NULL), BITTERN_ERR_IO);
    assert_non_null(strstr(tree->err.message, "intel-rapl:1"));
}

/* Would catch: a thread that is not ended, or a second start that loses the first. No timing: how
 * many samples there are is not looked at. */
static void the_sampling_thread_starts_and_stops(void **state)
{
    struct tree *tree = *state;
    const struct bittern_energy_meter_options options = {.root = tree->root, .period_ms = 1};
    struct bittern_energy_measurement m;

    host_with_two_packages(tree);
    assert_ok(bittern_energy_meter_open(BITTERN_ENERGY_HOST, &options, &tree->meter, &tree->err),
              &tree->err);
    assert_int_equal(bittern_energy_meter_stop(tree->meter, &m, &tree->err), BITTERN_ERR_ARGUMENT);
    assert_ok(bittern_energy_meter_measure_idle(tree->meter, 5, &tree->err), &tree->err);
    assert_ok(bittern_energy_meter_start(tree->meter, &tree->err), &tree->err);
    assert_int_equal(bittern_energy_meter_start(tree->meter, &tree->err), BITTERN_ERR_ARGUMENT);
    assert_ok(bittern_energy_meter_stop(tree->meter, &m, &tree->err), &tree->err);
    assert_float_equal(m.joules, 0.0, 1e-9);
    assert_float_equal(m.idle_watts, 0.0, 1e-9);
    char *json = bittern_energy_measurement_to_json(&m, 10);
    assert_non_null(json);
    assert_non_null(strstr(json, "\"source\":\"host\""));
    free(json);
    assert_ok(bittern_energy_meter_start(tree->meter, &tree->err), &tree->err); /* closed running */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_ramp_of_power_gives_its_area, setup, teardown),
        cmocka_unit_test_setup_teardown(rails_of_current_and_voltage_are_added_up, setup, teardown),
        cmocka_unit_test_setup_teardown(nonsense_between_good_readings_is_bridged, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sensor_that_vanishes_ends_in_an_error_with_its_name,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_sensor_that_stalls_for_long_ends_in_an_error, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_machine_without_sensors_is_told_so, setup, teardown),
        cmocka_unit_test_setup_teardown(packages_are_counted_once_and_over_their_wrap_around, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_counter_without_its_range_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_sampling_thread_starts_and_stops, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
