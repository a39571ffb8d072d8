/* SPDX-License-Identifier: Apache-2.0 */
/* Images as text: a line of the screen holds two lines of pixels, since characters are high. */
#include "draw_images.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEFAULT_WIDTH 80
#define GAP 2

/* From dark to bright, for a dark background. */
static const char shades[] = " .:-=+*#%@";

bool draw_can_colour(FILE *out)
{
    const char *colours = getenv("COLORTERM");
    return isatty(fileno(out)) == 1 && colours &&
           (strcmp(colours, "truecolor") == 0 || strcmp(colours, "24bit") == 0);
}

size_t draw_width(FILE *out)
{
    struct winsize size;
    if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return DEFAULT_WIDTH;
}

struct colour {
    uint8_t red, green, blue;
};

/* Below the last row it is black. */
static struct colour pixel_at(const uint8_t *pixels, size_t channels, size_t height, size_t width,
                              size_t row, size_t column)
{
    if (row >= height) {
        return (struct colour){0, 0, 0};
    }
    size_t at = row * width + column;
    size_t plane = height * width;
    if (channels < 3) {
        return (struct colour){pixels[at], pixels[at], pixels[at]};
    }
    return (struct colour){pixels[at], pixels[plane + at], pixels[2 * plane + at]};
}

/* ITU-R BT.601 luma, in integers. */
static unsigned brightness(struct colour colour)
{
    return (299U * colour.red + 587U * colour.green + 114U * colour.blue) / 1000U;
}

static void draw_line(FILE *out, const uint8_t *pixels, size_t channels, size_t height,
                      size_t width, size_t row, bool colour)
{
    for (size_t column = 0; column < width; column++) {
        struct colour upper = pixel_at(pixels, channels, height, width, row, column);
        struct colour lower = pixel_at(pixels, channels, height, width, row + 1, column);
        if (colour) {
            fprintf(out, "\033[38;2;%u;%u;%um\033[48;2;%u;%u;%um\xE2\x96\x80", upper.red,
                    upper.green, upper.blue, lower.red, lower.green, lower.blue);
        } else {
            unsigned bright = (brightness(upper) + brightness(lower)) / 2;
            fputc(shades[bright * (sizeof shades - 2) / 255], out);
        }
    }
    if (colour) {
        fprintf(out, "\033[0m");
    }
}

static void draw_row_of_images(FILE *out, const struct drawn_image *images, size_t count,
                               size_t channels, size_t height, size_t width, bool colour)
{
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%-*.*s%s", (int)width, (int)width, images[i].caption,
                i + 1 < count ? "  " : "\n");
    }
    for (size_t row = 0; row < height; row += 2) {
        for (size_t i = 0; i < count; i++) {
            draw_line(out, images[i].pixels, channels, height, width, row, colour);
            fprintf(out, "%s", i + 1 < count ? "  " : "\n");
        }
    }
}

void draw_images(FILE *out, const struct drawn_image *images, size_t count, size_t channels,
                 size_t height, size_t width, size_t columns, bool colour)
{
    size_t beside = (columns + GAP) / (width + GAP);
    beside = beside > 0 ? beside : 1;
    for (size_t i = 0; i < count; i += beside) {
        size_t now = count - i < beside ? count - i : beside;
        draw_row_of_images(out, images + i, now, channels, height, width, colour);
    }
}
