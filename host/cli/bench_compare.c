/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two files of rows, row by row: b / a of each figure, and whether b is worse than a limit allows.
 * Cycles of a simulated device are exact, so nothing is allowed there by default; elsewhere time is
 * measured, and varies.
 */
#include "bench.h"
#include "bench_rows.h"
#include "network_report.h"
#include "table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEASURED_LIMIT 10.0 /* percent, where a clock on the wall was read */
#define EXACT 1e-9          /* rounding of a quotient is no change */

static const struct figure {
    const char *title, *key, *path;
    bool more_is_better;
} figures[] = {
    {"cycles", "cycles_per_image", "whole.cycles_per_image", false},
    {"images/s", "images_per_second", "whole.images_per_second", true},
    {"bytes", "bytes_per_image", NULL, false}, /* read and written */
    {"energy", "joules_per_image", "energy.joules_per_image.nominal", false},
    {"accuracy", "accuracy", "accuracy.fraction", true},
};
#define FIGURES (sizeof figures / sizeof figures[0])

struct pair {
    const char *key;
    double a[FIGURES], b[FIGURES], ratio[FIGURES]; /* NAN: not in both */
    double limit;                                  /* percent */
    bool worse[FIGURES];
    bool differs; /* b's values are not the reference engine's */
    bool any_worse;
};

struct comparison {
    struct bench_rows a, b;
    struct pair *pairs;
    size_t count;
    size_t worse;
};

static double figure_of(const cJSON *row, const struct figure *figure)
{
    return figure->path ? bench_row_number(row, figure->path)
                        : bench_row_number(row, "whole.read_bytes") +
                              bench_row_number(row, "whole.write_bytes");
}

static double default_limit(const cJSON *row)
{
    const char *device = bench_row_text(row, "device.name");
    return device && run_device_is_simulated(device) ? 0.0 : MEASURED_LIMIT;
}

static bool is_worse(const struct figure *figure, double a, double b, double limit)
{
    double allowed = 1.0 + limit / 100.0;
    return figure->more_is_better ? b * allowed < a * (1.0 - EXACT)
                                  : b > a * allowed * (1.0 + EXACT);
}

static void compare_pair(const cJSON *a, const cJSON *b, double limit, struct pair *pair)
{
    *pair = (struct pair){.key = bench_row_text(a, "key"),
                          .limit = limit < 0.0 ? default_limit(b) : limit,
                          .differs = bench_row_number(b, "agreement.different") > 0.0};
    pair->any_worse = pair->differs;
    for (size_t i = 0; i < FIGURES; i++) {
        pair->a[i] = figure_of(a, &figures[i]);
        pair->b[i] = figure_of(b, &figures[i]);
        bool both = isfinite(pair->a[i]) && isfinite(pair->b[i]);
        pair->ratio[i] = both && pair->a[i] > 0.0 ? pair->b[i] / pair->a[i] : NAN;
        pair->worse[i] = both && is_worse(&figures[i], pair->a[i], pair->b[i], pair->limit);
        pair->any_worse = pair->any_worse || pair->worse[i];
    }
}

static bittern_status read_both(const char *path_a, const char *path_b, struct comparison *c,
                                struct bittern_error *err)
{
    bittern_status status = bench_rows_read(path_a, &c->a, err);
    if (status == BITTERN_OK) {
        status = bench_rows_read(path_b, &c->b, err);
    }
    if (status == BITTERN_OK && (c->a.has_rest || c->b.has_rest)) {
        status =
            bittern_error_set(err, BITTERN_ERR_FORMAT,
                              "'%s' ends in the middle of a row; 'bittern bench --out %s "
                              "--resume' with its options completes it",
                              c->a.has_rest ? path_a : path_b, c->a.has_rest ? path_a : path_b);
    }
    return status;
}

static bittern_status make_comparison(const char *path_a, const char *path_b, double limit,
                                      struct comparison *c, struct bittern_error *err)
{
    bittern_status status = read_both(path_a, path_b, c, err);
    if (status != BITTERN_OK) {
        return status;
    }
    c->pairs = calloc(c->a.count + 1, sizeof *c->pairs);
    if (!c->pairs) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a comparison");
    }
    for (size_t i = 0; i < c->a.count; i++) {
        const cJSON *b = bench_rows_find(&c->b, bench_row_text(c->a.items[i], "key"));
        if (b) {
            compare_pair(c->a.items[i], b, limit, &c->pairs[c->count]);
            c->worse += c->pairs[c->count++].any_worse;
        }
    }
    if (c->count == 0) {
        return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                 "no row is in both '%s' (%zu) and '%s' (%zu): were they measured "
                                 "with other programs, devices or settings?",
                                 path_a, c->a.count, path_b, c->b.count);
    }
    return BITTERN_OK;
}

/* ---- For people ------------------------------------------------------------------------------ */

static void print_lonely(const struct bench_rows *rows, const struct bench_rows *others,
                         const char *path)
{
    for (size_t i = 0; i < rows->count; i++) {
        const char *key = bench_row_text(rows->items[i], "key");
        if (!bench_rows_find(others, key)) {
            printf("Only in %s: %s\n", path, key);
        }
    }
}

static bool print_comparison(const struct comparison *c, const char *path_a, const char *path_b)
{
    struct cli_column columns[FIGURES + 2] = {{"row", false}};
    struct cli_table table;

    for (size_t i = 0; i < FIGURES; i++) {
        columns[i + 1] = (struct cli_column){figures[i].title, true};
    }
    columns[FIGURES + 1] = (struct cli_column){"result", false};
    printf("%s / %s\n\n", path_b, path_a);
    cli_table_start(&table, columns, FIGURES + 2);
    for (size_t p = 0; p < c->count; p++) {
        const struct pair *pair = &c->pairs[p];
        cli_table_add(&table, "%s", pair->key);
        for (size_t i = 0; i < FIGURES; i++) {
            if (isfinite(pair->ratio[i])) {
                cli_table_add(&table, "%.4f%s", pair->ratio[i], pair->worse[i] ? "!" : "");
            } else {
                cli_table_add(&table, "-");
            }
        }
        cli_table_add(&table, "%s%s", pair->any_worse ? "worse" : "fine",
                      pair->differs ? ": values differ from the reference engine's" : "");
    }
    if (!cli_table_finish(&table, stdout)) {
        return false;
    }
    printf("\n");
    print_lonely(&c->a, &c->b, path_a);
    print_lonely(&c->b, &c->a, path_b);
    printf("%zu of %zu rows are worse%s\n", c->worse, c->count,
           c->worse > 0 ? ": see the figures with a !" : "");
    return true;
}

/* ---- For programs ---------------------------------------------------------------------------- */

static cJSON *number_or_null(double value)
{
    return isfinite(value) ? cJSON_CreateNumber(value) : cJSON_CreateNull();
}

/* Takes the item over. */
static bool add(cJSON *object, const char *key, cJSON *item)
{
    if (!object || !item || !cJSON_AddItemToObject(object, key, item)) {
        cJSON_Delete(item);
        return false;
    }
    return true;
}

static cJSON *pair_to_json(const struct pair *pair)
{
    cJSON *json = cJSON_CreateObject();
    bool made = add(json, "key", cJSON_CreateString(pair->key)) &&
                add(json, "limit_percent", cJSON_CreateNumber(pair->limit)) &&
                add(json, "worse", cJSON_CreateBool(pair->any_worse)) &&
                add(json, "differs", cJSON_CreateBool(pair->differs));

    for (size_t i = 0; made && i < FIGURES; i++) {
        cJSON *figure = cJSON_CreateObject();
        made = add(figure, "a", number_or_null(pair->a[i])) &&
               add(figure, "b", number_or_null(pair->b[i])) &&
               add(figure, "ratio", number_or_null(pair->ratio[i])) &&
               add(figure, "worse", cJSON_CreateBool(pair->worse[i]));
        made = add(json, figures[i].key, figure) && made;
    }
    if (!made) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

static cJSON *lonely_to_json(const struct bench_rows *rows, const struct bench_rows *others)
{
    cJSON *array = cJSON_CreateArray();

    for (size_t i = 0; array && i < rows->count; i++) {
        const char *key = bench_row_text(rows->items[i], "key");
        cJSON *item = bench_rows_find(others, key) ? NULL : cJSON_CreateString(key);
        if (item) {
            (void)cJSON_AddItemToArray(array, item);
        }
    }
    return array;
}

static cJSON *comparison_to_json(const struct comparison *c)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *pairs = cJSON_CreateArray();
    bool made = pairs != NULL;

    for (size_t p = 0; made && p < c->count; p++) {
        cJSON *pair = pair_to_json(&c->pairs[p]);
        made = pair && cJSON_AddItemToArray(pairs, pair);
    }
    made = add(json, "rows", pairs) && made;
    made = made && add(json, "only_in_a", lonely_to_json(&c->a, &c->b)) &&
           add(json, "only_in_b", lonely_to_json(&c->b, &c->a)) &&
           add(json, "worse", cJSON_CreateNumber((double)c->worse));
    if (!made) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

int bench_compare(const char *path_a, const char *path_b, double limit, bool json)
{
    struct comparison c = {0};
    struct bittern_error err = {0};
    int code = CLI_EXIT_OK;

    if (make_comparison(path_a, path_b, limit, &c, &err) != BITTERN_OK) {
        code = cli_fail("bench", &err);
    } else if (json) {
        code = json_print("bench", comparison_to_json(&c));
    } else if (!print_comparison(&c, path_a, path_b)) {
        fprintf(stderr, "bittern bench: no memory\n");
        code = CLI_EXIT_FAILED;
    }
    if (code == CLI_EXIT_OK) {
        code = cli_finish_output("bench");
    }
    code = code == CLI_EXIT_OK && c.worse > 0 ? CLI_EXIT_FAILED : code;
    free(c.pairs);
    bench_rows_free(&c.a);
    bench_rows_free(&c.b);
    return code;
}
