/* SPDX-License-Identifier: Apache-2.0 */
/* What a run says while it works. */
#include "command.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#define REDRAW_SECONDS 0.1

void train_progress_start(struct train_progress *progress, bool quiet)
{
    *progress = (struct train_progress){.quiet = quiet, .terminal = isatty(STDERR_FILENO) == 1};
}

void train_progress_clear(struct train_progress *progress)
{
    if (progress->drawn) {
        fprintf(stderr, "\r\033[K");
        progress->drawn = false;
    }
    if (progress->deploy_what[0]) {
        cli_progress_finish(&progress->deploy);
        progress->deploy_what[0] = '\0';
    }
}

/* 0:07, 12:34, 1:02:03 */
static const char *format_time(double seconds, char *buffer, size_t size)
{
    unsigned long long total = seconds > 0.0 && seconds < 1e9 ? (unsigned long long)seconds : 0;
    if (total >= 3600) {
        (void)snprintf(buffer, size, "%llu:%02llu:%02llu", total / 3600, total / 60 % 60,
                       total % 60);
    } else {
        (void)snprintf(buffer, size, "%llu:%02llu", total / 60, total % 60);
    }
    return buffer;
}

/* epoch  3/60  loss 0.0213  train 99.31 %  test 99.02 %  rate 0.001  9,120 images/s  6:42 left */
static void print_epoch(struct train_progress *progress, const struct trainer_progress *step)
{
    const struct epoch_metrics *epoch = step->finished;
    char rate[32];
    char left[32];

    train_progress_clear(progress);
    fprintf(stderr,
            "epoch %llu/%llu  loss %.4f  train %.2f %%  test %.2f %%  rate %.3g  %s images/s",
            (unsigned long long)epoch->epoch, (unsigned long long)step->epochs, epoch->train_loss,
            100.0 * epoch->train_accuracy, 100.0 * epoch->test_accuracy, epoch->rate,
            cli_format_count((uint64_t)epoch->images_per_second, rate, sizeof rate));
    if (epoch->epoch < step->epochs && step->seconds_left > 0.0) {
        fprintf(stderr, "  %s left", format_time(step->seconds_left, left, sizeof left));
    }
    fputc('\n', stderr);
}

static void draw_line(struct train_progress *progress, const struct trainer_progress *step)
{
    static const char *const names[] = {
        [TRAINER_TRAIN] = "", [TRAINER_TEST] = "test ", [TRAINER_STATISTICS] = "statistics "};
    char rate[32];
    char left[32];
    double now = cli_seconds();

    if (!progress->terminal || now - progress->last < REDRAW_SECONDS) {
        return;
    }
    progress->last = now;
    fprintf(stderr, "\repoch %llu/%llu  %sbatch %llu/%llu", (unsigned long long)step->epoch,
            (unsigned long long)step->epochs, names[step->phase], (unsigned long long)step->batch,
            (unsigned long long)step->batches);
    if (step->phase != TRAINER_STATISTICS) {
        fprintf(stderr, "  loss %.4f  accuracy %.2f %%  %s images/s", step->loss,
                100.0 * step->accuracy,
                cli_format_count((uint64_t)step->images_per_second, rate, sizeof rate));
    }
    if (step->seconds_left > 0.0) {
        fprintf(stderr, "  %s left", format_time(step->seconds_left, left, sizeof left));
    }
    fputs("\033[K", stderr);
    fflush(stderr);
    progress->drawn = true;
}

int train_progress_show(void *user, const struct trainer_progress *step)
{
    struct train_progress *progress = user;
    if (!progress->quiet && step->phase == TRAINER_EPOCH_END) {
        print_epoch(progress, step);
    } else if (!progress->quiet) {
        draw_line(progress, step);
    }
    return cli_interrupted() ? 1 : 0;
}

void train_progress_warn(void *user, const char *message)
{
    train_progress_clear(user);
    fprintf(stderr, "bittern train: warning: %s\n", message);
}

int train_progress_deploy(void *user, const char *what, uint64_t done, uint64_t total)
{
    struct train_progress *progress = user;
    if (strcmp(progress->deploy_what, what) != 0) {
        train_progress_clear(progress);
        (void)snprintf(progress->deploy_what, sizeof progress->deploy_what, "%s", what);
        cli_progress_start(&progress->deploy, progress->deploy_what, "images", progress->quiet);
    }
    cli_progress_update(&progress->deploy, done, total);
    return cli_interrupted() ? 1 : 0;
}
