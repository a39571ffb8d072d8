/* SPDX-License-Identifier: Apache-2.0 */
/* The energy model's arithmetic on figures small enough to add up by hand, and files that it must
 * refuse. */
#include "energy_activity.h"
#include "testing.h"

#include "base/file.h"

#include <bittern/energy.h>
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct files {
    char folder[64];
    char activity[128], coefficients[128];
    struct bittern_error err;
};

#define ONE(key, unit, low, nominal, high)                                                         \
    "\"" key "\":{\"low\":" low ",\"nominal\":" nominal ",\"high\":" high ",\"unit\":\"" unit      \
    "\",\"source\":\"test\"}"

static const char coefficients_text[] =
    "{\"format\":\"bittern-energy-coefficients\",\"version\":1,\"name\":\"test 1\",\"families\":"
    "{\"xc7\":{\"part\":\"part\",\"device_sites\":200,\"coefficients\":{" //
    ONE("toggle_lut", "pJ", "1", "1", "3") ","                            //
    ONE("toggle_carry", "pJ", "10", "10", "10") ","                       //
    ONE("toggle_register", "pJ", "2", "2", "2") ","                       //
    ONE("toggle_routed", "pJ", "1", "1", "1") ","                         //
    ONE("glitch_share", "", "0", "0.5", "1") ","                          //
    ONE("bram_read", "pJ", "5", "5", "5") ","                             //
    ONE("bram_write", "pJ", "72", "72", "72") ","                         //
    ONE("bram_bit", "pJ", "1", "1", "1") ","                              //
    ONE("feature_enabled_share", "", "0.5", "0.5", "0.5") ","             //
    ONE("control_activity", "", "0.1", "0.1", "0.1") ","                  //
    ONE("control_readers", "", "3", "3", "3") ","                         //
    ONE("dsp_cycle", "pJ", "4", "4", "4") ","                             //
    ONE("clock_register", "pJ", "2", "2", "2") ","                        //
    ONE("off_chip_bit", "pJ", "10", "10", "10") ","                       //
    ONE("static_power", "W", "0.002", "0.002", "0.002") "}}}}";

static void write_text(const char *path, const char *text, size_t size)
{
    struct bittern_error err;
    assert_ok(file_write(path, text, size, &err), &err);
}

static int setup(void **state)
{
    struct files *files = calloc(1, sizeof *files);
    if (!files) {
        return -1;
    }
    *state = files;
    (void)snprintf(files->folder, sizeof files->folder, "/tmp/bittern-energy-XXXXXX");
    if (!mkdtemp(files->folder)) {
        return -1;
    }
    (void)snprintf(files->activity, sizeof files->activity, "%s/activity.json", files->folder);
    (void)snprintf(files->coefficients, sizeof files->coefficients, "%s/coefficients.json",
                   files->folder);
    write_text(files->activity, energy_activity_text, sizeof energy_activity_text - 1);
    write_text(files->coefficients, coefficients_text, sizeof coefficients_text - 1);
    return 0;
}

static int teardown(void **state)
{
    struct files *files = *state;
    (void)unlink(files->activity);
    (void)unlink(files->coefficients);
    (void)rmdir(files->folder);
    free(files);
    return 0;
}

static void assert_picojoules(double joules, double expected)
{
    if (fabs(1e12 * joules - expected) > 1e-6 * (1.0 + fabs(expected))) {
        fail_msg("%.9g pJ, not %.9g", 1e12 * joules, expected);
    }
}

struct model {
    struct bittern_energy_coefficients *coefficients;
    struct bittern_energy_activity *activity;
    struct bittern_energy_load load;
};

static void open_model(struct files *files, struct model *model)
{
    struct bittern_error *err = &files->err;
    assert_ok(bittern_energy_coefficients_read(files->coefficients, &model->coefficients, err),
              err);
    assert_ok(bittern_energy_activity_read(files->activity, &model->activity, err), err);
    bittern_energy_activity_load(model->activity, 100.0, &model->load);
}

static void close_model(struct model *model)
{
    bittern_energy_activity_free(model->activity);
    bittern_energy_coefficients_free(model->coefficients);
}

/* Would catch: a part that is left out or counted twice, toggles of inputs taken for the units'
 * own, units or images forgotten, bits taken for bytes. */
static void each_part_is_what_it_is_by_hand(void **state)
{
    struct model model;
    struct bittern_energy_estimate *e = NULL;
    struct files *files = *state;

    open_model(files, &model);
    assert_ok(bittern_energy_model(model.coefficients, model.activity, &model.load, true, &e,
                                   &files->err),
              &files->err);
    assert_int_equal(e->layer_count, 1);
    assert_string_equal(e->layers[0].name, "conv");
    const struct bittern_energy_range *layer = e->layers[0].parts;
    /* An image: 100 cycles, 25 of them computing, 16 bytes read, 8 written. Half of the glitches:
     * 3 LUT toggles, 5 routed. */
    assert_picojoules(layer[BITTERN_ENERGY_ARRAY].nominal, 25 * 2 * (3 * 1 + 1 * 10 + 3 * 2 + 5));
    assert_picojoules(layer[BITTERN_ENERGY_ARRAY].low, 25 * 2 * (2 * 1 + 1 * 10 + 3 * 2 + 4));
    assert_picojoules(layer[BITTERN_ENERGY_ARRAY].high, 25 * 2 * (4 * 3 + 1 * 10 + 3 * 2 + 6));
    /* Half of 4 blocks read in half of the cycles; 8 bits toggle by half; 72 bits written. */
    assert_picojoules(layer[BITTERN_ENERGY_FEATURE_MEMORY].nominal,
                      50 * 2 * 5 + 25 * 8 * 0.5 + 72 + 72 * 0.25);
    assert_picojoules(layer[BITTERN_ENERGY_WEIGHT_MEMORY].nominal,
                      25 * 2 * 5 + 25 * 16 * 0.25 + 16 * 8 + 16 * 8 * 0.5);
    double control = 0.1 * (80 * (1 + 3) + 40 * (2 + 3)) + 4;
    assert_picojoules(layer[BITTERN_ENERGY_CONTROL].nominal, 100 * control);
    assert_picojoules(layer[BITTERN_ENERGY_CLOCK].nominal, 100 * 50 * 2);
    assert_picojoules(layer[BITTERN_ENERGY_OFF_CHIP].nominal, 8 * (16 + 8) * 10);
    /* 1 us at 2 mW, half of the device. */
    assert_picojoules(layer[BITTERN_ENERGY_STATIC].nominal, 1000);
    /* Beyond the layer: 50 cycles, 16 bytes read and 8 written. */
    assert_picojoules(e->parts[BITTERN_ENERGY_CLOCK].nominal, 150 * 50 * 2);
    assert_picojoules(e->parts[BITTERN_ENERGY_OFF_CHIP].nominal, 8 * 48 * 10);
    assert_picojoules(e->parts[BITTERN_ENERGY_FEATURE_MEMORY].nominal -
                          layer[BITTERN_ENERGY_FEATURE_MEMORY].nominal,
                      50 * 2 * 5);
    double sum = 0.0;
    for (size_t p = 0; p < BITTERN_ENERGY_PARTS; p++) {
        sum += e->parts[p].nominal;
    }
    assert_picojoules(e->joules_per_image.nominal, 1e12 * sum);
    bittern_energy_estimate_free(e);
    close_model(&model);
}

/* Would catch: percentiles outside of the bounds, and a nominal value outside of the range. */
static void the_range_of_draws_lies_within_the_bounds(void **state)
{
    struct model model;
    struct bittern_energy_estimate *bounds = NULL;
    struct bittern_energy_estimate *draws = NULL;
    struct files *files = *state;

    open_model(files, &model);
    assert_ok(bittern_energy_model(model.coefficients, model.activity, &model.load, true, &bounds,
                                   &files->err),
              &files->err);
    assert_ok(bittern_energy_model(model.coefficients, model.activity, &model.load, false, &draws,
                                   &files->err),
              &files->err);
    const struct bittern_energy_range *a = &bounds->parts[BITTERN_ENERGY_ARRAY];
    const struct bittern_energy_range *b = &draws->parts[BITTERN_ENERGY_ARRAY];
    assert_true(a->low < b->low && b->low < b->nominal && b->nominal < b->high &&
                b->high < a->high);
    assert_true(a->nominal == b->nominal);
    const struct bittern_energy_range *clock = &draws->parts[BITTERN_ENERGY_CLOCK];
    assert_true(clock->low == clock->high); /* its coefficient has no range */
    bittern_energy_estimate_free(bounds);
    bittern_energy_estimate_free(draws);
    close_model(&model);
}

/* Would catch: two programs under different draws, where the order of like ones would be a coin's.
 */
static void a_program_that_takes_a_little_more_of_all_always_takes_more(void **state)
{
    struct model model;
    struct bittern_energy_ranking ranking;
    struct files *files = *state;

    open_model(files, &model);
    struct bittern_energy_layer_load layer = model.load.layers[0];
    struct bittern_energy_load more = model.load;
    layer.cycles *= 1.001;
    more.cycles_per_image *= 1.001;
    more.layers = &layer;
    const struct bittern_energy_candidate a = {model.activity, &model.load};
    const struct bittern_energy_candidate b = {model.activity, &more};
    assert_ok(bittern_energy_rank(model.coefficients, &a, &b, 1000, 1, &ranking, &files->err),
              &files->err);
    assert_true(ranking.share == 1.0);
    assert_true(ranking.ratio.high < 1.0);
    assert_ok(bittern_energy_rank(model.coefficients, &a, &a, 1000, 1, &ranking, &files->err),
              &files->err);
    assert_true(ranking.share == 0.0); /* never less than itself */
    assert_int_equal(
        bittern_energy_rank(model.coefficients, &a, &a, 2000000, 1, &ranking, &files->err),
        BITTERN_ERR_ARGUMENT);
    close_model(&model);
}

/* Would catch: energy of one program from the activity of another. */
static void activity_of_another_program_is_refused(void **state)
{
    struct model model;
    struct bittern_energy_estimate *e = NULL;
    struct files *files = *state;

    open_model(files, &model);
    assert_int_equal(bittern_energy_activity_crc32(model.activity), 7);
    assert_string_equal(bittern_energy_activity_geometry(model.activity), "edge");
    model.load.program_crc32 = 8;
    assert_int_equal(bittern_energy_model(model.coefficients, model.activity, &model.load, true, &e,
                                          &files->err),
                     BITTERN_ERR_MISMATCH);
    assert_non_null(strstr(files->err.message, "measure.sh"));
    model.load.program_crc32 = 7;
    const struct bittern_energy_layer_load two[2] = {model.load.layers[0], model.load.layers[0]};
    const struct bittern_energy_layer_load *one = model.load.layers;
    model.load.layers = two;
    model.load.layer_count = 2;
    assert_int_equal(bittern_energy_model(model.coefficients, model.activity, &model.load, true, &e,
                                          &files->err),
                     BITTERN_ERR_MISMATCH);
    model.load.layers = one;
    model.load.layer_count = 1;
    model.load.clock_mhz = NAN;
    assert_int_equal(bittern_energy_model(model.coefficients, model.activity, &model.load, true, &e,
                                          &files->err),
                     BITTERN_ERR_ARGUMENT);
    close_model(&model);
}

/* The text with its first `from` replaced. */
static void refuse(struct files *files, const char *text, const char *path, const char *from,
                   const char *to)
{
    char changed[4096];
    const char *place = strstr(text, from);
    struct bittern_energy_activity *activity = NULL;
    struct bittern_energy_coefficients *coefficients = NULL;

    assert_non_null(place);
    (void)snprintf(changed, sizeof changed, "%.*s%s%s", (int)(place - text), text, to,
                   place + strlen(from));
    write_text(path, changed, strlen(changed));
    bittern_status status =
        text == energy_activity_text
            ? bittern_energy_activity_read(path, &activity, &files->err)
            : bittern_energy_coefficients_read(path, &coefficients, &files->err);
    if (status != BITTERN_ERR_FORMAT) {
        fail_msg("'%s' for '%s' gave %s", to, from, bittern_status_name(status));
    }
    assert_null(activity);
    assert_null(coefficients);
}

/* Would catch: absurd numbers that come out as a figure. */
static void broken_activity_files_are_refused(void **state)
{
    struct files *files = *state;
    struct bittern_energy_activity *activity = NULL;

    refuse(files, energy_activity_text, files->activity, "bittern-activity", "bittern-bench");
    refuse(files, energy_activity_text, files->activity, "\"version\":1", "\"version\":2");
    refuse(files, energy_activity_text, files->activity, "\"lut\":2", "\"lut\":-2");
    refuse(files, energy_activity_text, files->activity, "\"lut\":2", "\"lut\":1e300");
    refuse(files, energy_activity_text, files->activity, "\"lut\":2", "\"lut\":\"2\"");
    refuse(files, energy_activity_text, files->activity, "\"lut\":2", "\"lot\":2");
    refuse(files, energy_activity_text, files->activity, "\"compute_cycles\":50",
           "\"compute_cycles\":0");
    refuse(files, energy_activity_text, files->activity, "\"compute_cycles\":50",
           "\"compute_cycles\":101");
    refuse(files, energy_activity_text, files->activity, "\"images\":2", "\"images\":0");
    refuse(files, energy_activity_text, files->activity, "\"sites\":10,", "\"sites\":60,");
    refuse(files, energy_activity_text, files->activity, "\"crc32\":7", "\"crc32\":5000000000");
    refuse(files, energy_activity_text, files->activity, "\"layers\":[{",
           "\"layers\":[],\"old\":[{");
    for (size_t size = 0; size < sizeof energy_activity_text - 1; size += 7) {
        write_text(files->activity, energy_activity_text, size);
        assert_int_equal(bittern_energy_activity_read(files->activity, &activity, &files->err),
                         BITTERN_ERR_FORMAT);
    }
}

/* Would catch: a coefficient in another unit, or a range that is upside down. */
static void broken_coefficients_are_refused(void **state)
{
    struct files *files = *state;

    refuse(files, coefficients_text, files->coefficients, "\"nominal\":1,", "\"nominal\":4,");
    refuse(files, coefficients_text, files->coefficients, "\"low\":1,", "\"low\":-1,");
    refuse(files, coefficients_text, files->coefficients, "pJ", "fJ");
    refuse(files, coefficients_text, files->coefficients, "toggle_routed", "toggle_wire");
    refuse(files, coefficients_text, files->coefficients, "\"source\":\"test\"", "\"by\":\"test\"");
    refuse(files, coefficients_text, files->coefficients, "\"device_sites\":200",
           "\"device_sites\":0");
}

/* Would catch: a built-in file that does not pass its own checks. */
static void the_built_in_coefficients_know_both_families(void **state)
{
    struct files *files = *state;
    struct bittern_energy_coefficients *coefficients = NULL;
    struct bittern_energy_activity *activity = NULL;
    struct bittern_energy_estimate *e = NULL;
    struct bittern_energy_load load;

    assert_ok(bittern_energy_coefficients_read(NULL, &coefficients, &files->err), &files->err);
    for (int plus = 0; plus < 2; plus++) {
        char text[sizeof energy_activity_text + 8];
        const char *place = strstr(energy_activity_text, "xc7");
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(place - energy_activity_text),
                       energy_activity_text, plus ? "xcup" : "xc7", place + 3);
        write_text(files->activity, text, strlen(text));
        assert_ok(bittern_energy_activity_read(files->activity, &activity, &files->err),
                  &files->err);
        bittern_energy_activity_load(activity, 100.0, &load);
        assert_ok(bittern_energy_model(coefficients, activity, &load, false, &e, &files->err),
                  &files->err);
        char *json = bittern_energy_estimate_to_json(e);
        cJSON *parsed = cJSON_Parse(json);
        assert_non_null(parsed);
        assert_string_equal(cJSON_GetObjectItem(parsed, "source")->valuestring, "model");
        assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(parsed, "parts")),
                         BITTERN_ENERGY_PARTS);
        cJSON_Delete(parsed);
        free(json);
        bittern_energy_estimate_free(e);
        bittern_energy_activity_free(activity);
    }
    bittern_energy_coefficients_free(coefficients);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_part_is_what_it_is_by_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(the_range_of_draws_lies_within_the_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(a_program_that_takes_a_little_more_of_all_always_takes_more,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(activity_of_another_program_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_activity_files_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_coefficients_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_built_in_coefficients_know_both_families, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
