/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bittern data show: what a split holds. Samples are chosen at random with a seed, or all in order
 * where as many are asked for as there are.
 */
#include "cli.h"
#include "cmd_data.h"
#include "draw_images.h"
#include "png_sheet.h"

#include <bittern/dataset.h>
#include <cJSON.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND "data show"
#define MAX_CHANNELS 3
#define MAX_CLASSES 256
#define MAX_SAMPLES 10000
#define DEFAULT_DRAWN 4
#define DEFAULT_ON_SHEET 100
#define BAR_WIDTH 30

struct show_options {
    const char *name;
    enum bittern_split split;
    const char *data_dir;
    const char *class_text; /* name or number; NULL: all */
    const char *png;
    bool json;
    bool samples_given;
    size_t samples;
    uint64_t seed;
};

struct view {
    const struct bittern_dataset *dataset;
    const struct bittern_dataset_info *info;
    double mean[MAX_CHANNELS], deviation[MAX_CHANNELS];
    size_t histogram[MAX_CLASSES];
    size_t *samples; /* indices of images */
    size_t sample_count;
};

static void print_help(void)
{
    printf("What a data set holds: counts, images a class, mean and deviation, samples.\n"
           "\n"
           "Usage: bittern data show NAME [OPTION...]\n"
           "\n"
           "  --split train|test  which part (default: train)\n"
           "  --data DIR          look for the set in DIR alone\n"
           "  --samples N         draw N images (default: %d; with --png %d; 0: none)\n"
           "  --class C           samples of this class alone: its name or number\n"
           "  --seed S            choose other samples (default: 1)\n"
           "  --png FILE          draw the samples to a PNG sheet instead of the terminal\n"
           "  --json              print JSON; samples by index\n"
           "  --help\n"
           "\n"
           "Mean and deviation are of pixels scaled to [0,1], a channel each.\n"
           "\n"
           "Examples:\n"
           "  bittern data show mnist\n"
           "  bittern data show cifar10 --split test --class frog --png frogs.png\n"
           "  bittern data show digits --samples 0 --json\n",
           DEFAULT_DRAWN, DEFAULT_ON_SHEET);
}

static bool parse_split(const char *text, enum bittern_split *split)
{
    if (strcmp(text, "train") == 0) {
        *split = BITTERN_SPLIT_TRAIN;
    } else if (strcmp(text, "test") == 0) {
        *split = BITTERN_SPLIT_TEST;
    } else {
        return false;
    }
    return true;
}

/* -1: parsed; otherwise the exit code to end with. */
static int parse(int argc, char **argv, struct show_options *show)
{
    enum {
        OPTION_SPLIT = 1,
        OPTION_DATA,
        OPTION_SAMPLES,
        OPTION_CLASS,
        OPTION_SEED,
        OPTION_PNG,
        OPTION_JSON,
        OPTION_HELP
    };
    static const struct option options[] = {
        {"split", required_argument, NULL, OPTION_SPLIT},
        {"data", required_argument, NULL, OPTION_DATA},
        {"samples", required_argument, NULL, OPTION_SAMPLES},
        {"class", required_argument, NULL, OPTION_CLASS},
        {"seed", required_argument, NULL, OPTION_SEED},
        {"png", required_argument, NULL, OPTION_PNG},
        {"json", no_argument, NULL, OPTION_JSON},
        {"help", no_argument, NULL, OPTION_HELP},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case OPTION_SPLIT:
            if (!parse_split(optarg, &show->split)) {
                return cli_usage(COMMAND, "--split is train or test, not '%s'", optarg);
            }
            break;
        case OPTION_DATA:
            show->data_dir = optarg;
            break;
        case OPTION_SAMPLES:
            if (!cli_parse_size(optarg, 0, MAX_SAMPLES, &show->samples)) {
                return cli_usage(COMMAND, "--samples is a number from 0 to %d, not '%s'",
                                 MAX_SAMPLES, optarg);
            }
            show->samples_given = true;
            break;
        case OPTION_CLASS:
            show->class_text = optarg;
            break;
        case OPTION_SEED:
            if (!cli_parse_u64(optarg, &show->seed)) {
                return cli_usage(COMMAND, "--seed is a whole number, not '%s'", optarg);
            }
            break;
        case OPTION_PNG:
            show->png = optarg;
            break;
        case OPTION_JSON:
            show->json = true;
            break;
        case OPTION_HELP:
        case 'h':
            print_help();
            return CLI_EXIT_OK;
        default:
            return cli_usage(COMMAND, "the command line is wrong");
        }
    }
    if (optind + 1 != argc) {
        return cli_usage(COMMAND, "name one data set; 'bittern data list' lists them");
    }
    show->name = argv[optind];
    if (show->png && show->samples_given && show->samples == 0) {
        return cli_usage(COMMAND, "--png needs at least one sample");
    }
    return -1;
}

/* splitmix64 (Steele et al., OOPSLA 2014) */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* A class by its name, else by its number; false where there is none. */
static bool find_class(const struct bittern_dataset *dataset, const char *text, size_t *label)
{
    size_t classes = bittern_dataset_classes(dataset);
    for (size_t i = 0; i < classes; i++) {
        if (strcmp(bittern_dataset_class_name(dataset, i), text) == 0) {
            *label = i;
            return true;
        }
    }
    return cli_parse_size(text, 0, classes - 1, label);
}

/* Fill in view->samples: distinct images of the class, in order. */
static bittern_status choose_samples(struct view *view, const struct show_options *show,
                                     struct bittern_error *err)
{
    size_t count = bittern_dataset_count(view->dataset);
    const uint8_t *labels = bittern_dataset_labels(view->dataset);
    size_t wanted = show->png ? DEFAULT_ON_SHEET : DEFAULT_DRAWN;
    size_t label = 0;
    uint64_t state = show->seed;

    if (show->class_text && !find_class(view->dataset, show->class_text, &label)) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "%s has no class '%s'; 'bittern data show %s' lists its classes",
                                 show->name, show->class_text, show->name);
    }
    wanted = show->samples_given ? show->samples : wanted;
    size_t candidates = show->class_text ? view->histogram[label] : count;
    wanted = wanted < candidates ? wanted : candidates;
    view->samples = calloc(wanted > 0 ? wanted : 1, sizeof *view->samples);
    if (!view->samples) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for %zu samples", wanted);
    }
    /* Knuth's selection sampling: each candidate with probability wanted / left. */
    for (size_t i = 0; i < count && view->sample_count < wanted; i++) {
        if (show->class_text && labels[i] != label) {
            continue;
        }
        if (next_random(&state) % candidates < wanted - view->sample_count) {
            view->samples[view->sample_count++] = i;
        }
        candidates--;
    }
    return BITTERN_OK;
}

static const uint8_t *image_at(const struct bittern_dataset *dataset, size_t index)
{
    return bittern_dataset_images(dataset) + index * bittern_dataset_channels(dataset) *
                                                 bittern_dataset_height(dataset) *
                                                 bittern_dataset_width(dataset);
}

static bittern_status write_sheet(const struct view *view, const char *path,
                                  struct bittern_error *err)
{
    if (view->sample_count == 0) {
        return bittern_error_set(err, BITTERN_ERR_NOT_FOUND, "there is no image to draw");
    }
    const uint8_t **images = calloc(view->sample_count, sizeof *images);
    if (!images) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for %zu samples",
                                 view->sample_count);
    }
    for (size_t i = 0; i < view->sample_count; i++) {
        images[i] = image_at(view->dataset, view->samples[i]);
    }
    bittern_status status = png_sheet_write(
        path, images, view->sample_count, bittern_dataset_channels(view->dataset),
        bittern_dataset_height(view->dataset), bittern_dataset_width(view->dataset), err);
    free(images);
    return status;
}

static bittern_status draw_samples(const struct view *view, struct bittern_error *err)
{
    char(*captions)[64] = calloc(view->sample_count, sizeof *captions);
    struct drawn_image *images = calloc(view->sample_count, sizeof *images);
    if (!captions || !images) {
        free(captions);
        free(images);
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for %zu samples",
                                 view->sample_count);
    }
    for (size_t i = 0; i < view->sample_count; i++) {
        size_t index = view->samples[i];
        uint8_t label = bittern_dataset_labels(view->dataset)[index];
        (void)snprintf(captions[i], sizeof captions[i], "%zu: %s", index,
                       bittern_dataset_class_name(view->dataset, label));
        images[i] =
            (struct drawn_image){.pixels = image_at(view->dataset, index), .caption = captions[i]};
    }
    printf("\n");
    draw_images(stdout, images, view->sample_count, bittern_dataset_channels(view->dataset),
                bittern_dataset_height(view->dataset), bittern_dataset_width(view->dataset),
                draw_width(stdout), draw_can_colour(stdout));
    free(captions);
    free(images);
    return BITTERN_OK;
}

static size_t published_count(const struct view *view, enum bittern_split split)
{
    return split == BITTERN_SPLIT_TRAIN ? view->info->train_count : view->info->test_count;
}

static void print_summary(const struct view *view, const struct show_options *show)
{
    const struct bittern_dataset *dataset = view->dataset;
    size_t count = bittern_dataset_count(dataset);
    size_t published = published_count(view, show->split);
    char text[32];
    printf("%s\n", view->info->title);
    printf("  source     %s\n", bittern_dataset_source(dataset));
    printf("  split      %s\n", show->split == BITTERN_SPLIT_TRAIN ? "train" : "test");
    printf("  images     %s", cli_format_count(count, text, sizeof text));
    if (published > 0 && published != count) {
        printf(" of the %s published", cli_format_count(published, text, sizeof text));
    }
    printf("\n  shape      %zu x %zu x %zu (channels, height, width)\n",
           bittern_dataset_channels(dataset), bittern_dataset_height(dataset),
           bittern_dataset_width(dataset));
    printf("  mean      ");
    for (size_t i = 0; i < bittern_dataset_channels(dataset); i++) {
        printf(" %.4f", view->mean[i]);
    }
    printf("\n  deviation ");
    for (size_t i = 0; i < bittern_dataset_channels(dataset); i++) {
        printf(" %.4f", view->deviation[i]);
    }
    printf("\n  classes    %zu\n", bittern_dataset_classes(dataset));
}

static void print_histogram(const struct view *view)
{
    size_t classes = bittern_dataset_classes(view->dataset);
    size_t most = 1;
    size_t longest = 0;
    for (size_t i = 0; i < classes; i++) {
        size_t length = strlen(bittern_dataset_class_name(view->dataset, i));
        most = view->histogram[i] > most ? view->histogram[i] : most;
        longest = length > longest ? length : longest;
    }
    for (size_t i = 0; i < classes; i++) {
        char text[32];
        printf("    %3zu %-*s %9s ", i, (int)longest, bittern_dataset_class_name(view->dataset, i),
               cli_format_count(view->histogram[i], text, sizeof text));
        size_t bar = (view->histogram[i] * BAR_WIDTH + most / 2) / most;
        for (size_t j = 0; j < bar; j++) {
            putchar('#');
        }
        putchar('\n');
    }
}

static int print_json(const struct view *view, const struct show_options *show)
{
    const struct bittern_dataset *dataset = view->dataset;
    size_t classes = bittern_dataset_classes(dataset);
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "name", view->info->name);
    cJSON_AddStringToObject(root, "title", view->info->title);
    cJSON_AddStringToObject(root, "split", show->split == BITTERN_SPLIT_TRAIN ? "train" : "test");
    cJSON_AddStringToObject(root, "source", bittern_dataset_source(dataset));
    cJSON_AddNumberToObject(root, "count", (double)bittern_dataset_count(dataset));
    cJSON_AddNumberToObject(root, "published_count", (double)published_count(view, show->split));
    cJSON_AddNumberToObject(root, "channels", (double)bittern_dataset_channels(dataset));
    cJSON_AddNumberToObject(root, "height", (double)bittern_dataset_height(dataset));
    cJSON_AddNumberToObject(root, "width", (double)bittern_dataset_width(dataset));
    cJSON_AddItemToObject(
        root, "mean", cJSON_CreateDoubleArray(view->mean, (int)bittern_dataset_channels(dataset)));
    cJSON_AddItemToObject(
        root, "deviation",
        cJSON_CreateDoubleArray(view->deviation, (int)bittern_dataset_channels(dataset)));
    cJSON *array = cJSON_AddArrayToObject(root, "classes");
    for (size_t i = 0; i < classes; i++) {
        cJSON *class = cJSON_CreateObject();
        cJSON_AddStringToObject(class, "name", bittern_dataset_class_name(dataset, i));
        cJSON_AddNumberToObject(class, "count", (double)view->histogram[i]);
        cJSON_AddItemToArray(array, class);
    }
    array = cJSON_AddArrayToObject(root, "samples");
    for (size_t i = 0; i < view->sample_count; i++) {
        cJSON *sample = cJSON_CreateObject();
        size_t label = bittern_dataset_labels(dataset)[view->samples[i]];
        cJSON_AddNumberToObject(sample, "index", (double)view->samples[i]);
        cJSON_AddNumberToObject(sample, "label", (double)label);
        cJSON_AddItemToArray(array, sample);
    }
    if (show->png) {
        cJSON_AddStringToObject(root, "png", show->png);
    }
    return data_print_json(COMMAND, root);
}

static int print_view(const struct view *view, const struct show_options *show)
{
    struct bittern_error err;
    if (show->png && write_sheet(view, show->png, &err) != BITTERN_OK) {
        return cli_fail(COMMAND, &err);
    }
    if (show->json) {
        return print_json(view, show);
    }
    print_summary(view, show);
    print_histogram(view);
    if (show->png) {
        printf("\nwrote %zu samples to %s\n", view->sample_count, show->png);
    } else if (view->sample_count > 0 && draw_samples(view, &err) != BITTERN_OK) {
        return cli_fail(COMMAND, &err);
    }
    return CLI_EXIT_OK;
}

int command_data_show(int argc, char **argv)
{
    struct show_options show = {.seed = 1};
    struct bittern_error err;
    struct bittern_dataset *dataset;

    int parsed = parse(argc, argv, &show);
    if (parsed >= 0) {
        return parsed;
    }
    bittern_status status =
        bittern_dataset_open(show.name, show.split, show.data_dir, &dataset, &err);
    if (status != BITTERN_OK) {
        return cli_fail(COMMAND, &err);
    }
    int result;
    struct view view = {.dataset = dataset, .info = bittern_dataset_find_info(show.name)};
    bittern_dataset_statistics(dataset, view.mean, view.deviation, view.histogram);
    if (choose_samples(&view, &show, &err) != BITTERN_OK) {
        result = err.status == BITTERN_ERR_ARGUMENT ? cli_usage(COMMAND, "%s", err.message)
                                                    : cli_fail(COMMAND, &err);
    } else {
        result = print_view(&view, &show);
    }
    free(view.samples);
    bittern_dataset_close(dataset);
    return result;
}
