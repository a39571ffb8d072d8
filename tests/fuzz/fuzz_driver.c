/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target on its seeds and on seeded mutations of them, with any compiler.
 *
 *     fuzz_X_driver [--runs N] [--seed S]    the test; the seed is printed
 *     fuzz_X_driver --write-seeds DIR        the seeds as files, a corpus for libFuzzer
 *     fuzz_X_driver FILE...                  single inputs, e.g. one that crashed
 *
 * An input that crashes, hangs or trips a sanitizer is written to crash-X in the current folder,
 * with its run number, before the program ends.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_RUNS 20000
#define DEFAULT_SEED 20240229
#define SECONDS_A_RUN 20
#define MAX_SEEDS 256

static uint8_t input[FUZZ_MAX_INPUT];
static size_t input_size;
static uint64_t run_number;
static char crash_path[256];

/* Sanitizers call it before they end the program; absent in a plain build. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

struct seed {
    uint8_t *data;
    size_t size;
};

static uint64_t random_state;

/* splitmix64 (Steele et al., OOPSLA 2014) */
static uint64_t next_random(void)
{
    uint64_t z = (random_state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static size_t below(size_t bound)
{
    return bound == 0 ? 0 : (size_t)(next_random() % bound);
}

/* Only async-signal-safe calls. */
static void save_input(void)
{
    static const char text[] = "\nfuzz_driver: the input that failed is in ";
    int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0 || write(fd, input, input_size) != (ssize_t)input_size) {
        return;
    }
    (void)close(fd);
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    (void)!write(STDERR_FILENO, crash_path, strlen(crash_path));
    (void)!write(STDERR_FILENO, "\n", 1);
}

static void on_signal(int number)
{
    save_input();
    signal(number, SIG_DFL);
    raise(number);
}

static void watch_for_crashes(const char *program)
{
    const char *slash = strrchr(program, '/');
    (void)snprintf(crash_path, sizeof crash_path, "crash-%s", slash ? slash + 1 : program);
    signal(SIGALRM, on_signal);
    if (__sanitizer_set_death_callback) {
        __sanitizer_set_death_callback(save_input);
        return;
    }
    signal(SIGSEGV, on_signal);
    signal(SIGBUS, on_signal);
    signal(SIGFPE, on_signal);
    signal(SIGILL, on_signal);
    signal(SIGABRT, on_signal);
}

static void run_input(void)
{
    /* A copy of exactly that size, so that reading behind the end is seen. */
    uint8_t *copy = malloc(input_size > 0 ? input_size : 1);
    if (!copy) {
        fprintf(stderr, "fuzz_driver: out of memory\n");
        exit(1);
    }
    memcpy(copy, input, input_size);
    alarm(SECONDS_A_RUN);
    (void)LLVMFuzzerTestOneInput(copy, input_size);
    alarm(0);
    free(copy);
    run_number++;
}

static void set_bytes(size_t at, uint64_t value, size_t width, bool big_endian)
{
    for (size_t i = 0; i < width && at + i < input_size; i++) {
        size_t shift = 8 * (big_endian ? width - 1 - i : i);
        input[at + i] = (uint8_t)(value >> shift);
    }
}

/* Sizes and counts live in 4 or 8 bytes, of either order; these are the values that break sums. */
static void set_interesting_integer(void)
{
    static const uint64_t values[] = {0,
                                      1,
                                      2,
                                      0x7F,
                                      0x80,
                                      0xFF,
                                      0x100,
                                      0x7FFF,
                                      0x8000,
                                      0xFFFF,
                                      0x10000,
                                      0x7FFFFFFF,
                                      0x80000000,
                                      0xFFFFFFFE,
                                      0xFFFFFFFF,
                                      UINT64_C(0x100000000),
                                      UINT64_C(0x7FFFFFFFFFFFFFFF),
                                      UINT64_C(0x8000000000000000),
                                      UINT64_C(0xFFFFFFFFFFFFFFFF)};
    static const size_t widths[] = {1, 2, 4, 4, 4, 8};
    uint64_t value = values[below(sizeof values / sizeof values[0])];
    size_t width = widths[below(sizeof widths / sizeof widths[0])];
    set_bytes(below(input_size), value, width, below(2) == 0);
}

static void insert_bytes(void)
{
    size_t at = below(input_size + 1);
    size_t count = 1 + below(below(8) == 0 ? 256 : 8);
    if (count > sizeof input - input_size) {
        return;
    }
    memmove(input + at + count, input + at, input_size - at);
    input_size += count;
    bool random = below(2) == 0;
    for (size_t i = 0; i < count; i++) {
        input[at + i] = random ? (uint8_t)next_random() : input[below(input_size)];
    }
}

static void remove_bytes(void)
{
    size_t at = below(input_size);
    size_t count = 1 + below(below(4) == 0 ? input_size - at : 8);
    if (count > input_size - at) {
        count = input_size - at;
    }
    memmove(input + at, input + at + count, input_size - at - count);
    input_size -= count;
}

/* The start of this input with the end of another seed. */
static void append_tail_of(const struct seed *other)
{
    size_t head = below(input_size + 1);
    size_t from = below(other->size + 1);
    size_t tail = other->size - from;
    if (tail > sizeof input - head) {
        tail = sizeof input - head;
    }
    memcpy(input + head, other->data + from, tail);
    input_size = head + tail;
}

static void copy_within(void)
{
    size_t count = 1 + below(16);
    if (input_size > count) {
        size_t from = below(input_size - count);
        size_t to = below(input_size - count);
        memmove(input + to, input + from, count);
    }
}

static void mutate(const struct seed *seeds, size_t seed_count)
{
    size_t steps = 1 + below(below(4) == 0 ? 16 : 4);
    for (size_t step = 0; step < steps; step++) {
        size_t kind = input_size == 0 ? 4 : below(8);
        switch (kind) {
        case 0:
            input[below(input_size)] ^= (uint8_t)(1U << below(8));
            break;
        case 1:
            input[below(input_size)] = (uint8_t)next_random();
            break;
        case 2:
            set_interesting_integer();
            break;
        case 3:
            input_size = below(4) == 0 ? below(input_size) : input_size - 1;
            break;
        case 4:
            insert_bytes();
            break;
        case 5:
            remove_bytes();
            break;
        case 6:
            append_tail_of(&seeds[below(seed_count)]);
            break;
        default:
            copy_within();
            break;
        }
    }
}

static size_t read_seeds(struct seed *seeds)
{
    size_t count = 0;
    while (count < MAX_SEEDS) {
        size_t size = fuzz_seed(count, input, sizeof input);
        if (size == 0) {
            break;
        }
        seeds[count].data = malloc(size);
        if (!seeds[count].data || size > sizeof input) {
            fprintf(stderr, "fuzz_driver: seed %zu is too large\n", count);
            exit(1);
        }
        memcpy(seeds[count].data, input, size);
        seeds[count].size = size;
        count++;
    }
    if (count == 0) {
        fprintf(stderr, "fuzz_driver: the target has no seeds\n");
        exit(1);
    }
    return count;
}

static int write_seeds(const struct seed *seeds, size_t count, const char *folder)
{
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "fuzz_driver: cannot create '%s': %s\n", folder, strerror(errno));
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/seed-%03zu", folder, i);
        FILE *file = fopen(path, "wb");
        bool written = file && fwrite(seeds[i].data, 1, seeds[i].size, file) == seeds[i].size;
        if ((file && fclose(file) != 0) || !written) {
            fprintf(stderr, "fuzz_driver: cannot write '%s'\n", path);
            return 1;
        }
    }
    printf("wrote %zu seeds to %s\n", count, folder);
    return 0;
}

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "fuzz_driver: cannot open '%s': %s\n", path, strerror(errno));
        return 1;
    }
    input_size = fread(input, 1, sizeof input, file);
    (void)fclose(file);
    run_input();
    printf("%s: %zu bytes, no failure\n", path, input_size);
    return 0;
}

static void run_mutations(const struct seed *seeds, size_t count, uint64_t runs, uint64_t seed)
{
    printf("%zu seeds, %" PRIu64 " mutations, random seed %" PRIu64 "\n", count, runs, seed);
    (void)fflush(stdout);
    random_state = seed;
    for (size_t i = 0; i < count; i++) {
        memcpy(input, seeds[i].data, seeds[i].size);
        input_size = seeds[i].size;
        run_input();
    }
    for (uint64_t i = 0; i < runs; i++) {
        const struct seed *start = &seeds[below(count)];
        memcpy(input, start->data, start->size);
        input_size = start->size;
        mutate(seeds, count);
        run_input();
    }
    printf("%" PRIu64 " inputs, no failure\n", run_number);
}

static void read_number(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || *text == '-' || *text == '\0') {
        fprintf(stderr, "fuzz_driver: '%s' is not a number\n", text);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    static struct seed seeds[MAX_SEEDS];
    uint64_t runs = DEFAULT_RUNS;
    uint64_t seed = DEFAULT_SEED;
    const char *folder = NULL;
    bool files = false;
    int result = 0;

    watch_for_crashes(argv[0]);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc) {
            read_number(argv[++i], &runs);
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            read_number(argv[++i], &seed);
        } else if (strcmp(argv[i], "--write-seeds") == 0 && i + 1 < argc) {
            folder = argv[++i];
        } else if (argv[i][0] == '-') {
            fprintf(stderr, "usage: %s [--runs N] [--seed S] [--write-seeds DIR] [FILE...]\n",
                    argv[0]);
            return 2;
        } else {
            files = true;
            result |= run_file(argv[i]);
        }
    }
    if (files) {
        return result;
    }
    size_t count = read_seeds(seeds);
    if (folder) {
        result = write_seeds(seeds, count, folder);
    } else {
        run_mutations(seeds, count, runs, seed);
    }
    for (size_t i = 0; i < count; i++) {
        free(seeds[i].data);
    }
    return result;
}
