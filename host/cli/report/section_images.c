/* SPDX-License-Identifier: Apache-2.0 */
/* Images with what the network took them for: wrong ones first, then right ones. */
#include "../png_sheet.h"
#include "html.h"
#include "page.h"

#include <stdlib.h>

#define SHOWN 24

/* Up to SHOWN predictions that are right (or wrong), evenly spaced over all of them. */
static size_t choose(const struct report_predictions *predictions, bool right, size_t *chosen)
{
    size_t total = !predictions->labelled ? predictions->count
                   : right                ? predictions->correct
                                          : predictions->count - predictions->correct;
    size_t wanted = total < SHOWN ? total : SHOWN;
    size_t seen = 0;
    size_t count = 0;
    for (size_t i = 0; i < predictions->count && count < wanted; i++) {
        const struct report_prediction *item = &predictions->items[i];
        if (!predictions->labelled || (item->label == item->predicted) == right) {
            if (seen == count * total / wanted) {
                chosen[count++] = i;
            }
            seen++;
        }
    }
    return count;
}

/* False: no memory. */
static bool write_picture(const struct page *page, const struct report_prediction *item)
{
    const struct bittern_dataset *dataset = page->report->predictions.dataset;
    size_t channels = bittern_dataset_channels(dataset);
    size_t height = bittern_dataset_height(dataset);
    size_t width = bittern_dataset_width(dataset);
    const uint8_t *pixels =
        bittern_dataset_images(dataset) + (size_t)item->image * channels * height * width;
    uint8_t *png = NULL;
    size_t size = 0;
    if (png_image_make(pixels, channels, height, width, &png, &size, NULL) != BITTERN_OK) {
        return false;
    }
    fputs("<img src=\"data:image/png;base64,", page->out);
    html_base64(page->out, png, size);
    fprintf(page->out, "\" width=\"%zu\" height=\"%zu\" alt=\"", width, height);
    free(png);
    return true;
}

static void write_item(const struct page *page, const struct report_prediction *item)
{
    const struct report_predictions *predictions = &page->report->predictions;
    char label_buffer[24];
    char predicted_buffer[24];
    const char *label =
        report_class_name(predictions, item->label, label_buffer, sizeof label_buffer);
    const char *predicted =
        report_class_name(predictions, item->predicted, predicted_buffer, sizeof predicted_buffer);
    bool right = item->label == item->predicted;

    fputs("<li>", page->out);
    if (write_picture(page, item)) {
        fprintf(page->out, "image %u\">", item->image);
    }
    fprintf(page->out, "<span class=\"%s\">", !predictions->labelled ? "" : right ? "good" : "bad");
    html_text(page->out, predicted, HTML_NAME_LENGTH);
    fputs("</span>", page->out);
    if (predictions->labelled && !right) {
        fputs("<span>is ", page->out);
        html_text(page->out, label, HTML_NAME_LENGTH);
        fputs("</span>", page->out);
    }
    fputs("</li>\n", page->out);
}

static void write_group(struct page *page, bool right, const char *title, const char *about)
{
    const struct report_predictions *predictions = &page->report->predictions;
    size_t chosen[SHOWN];
    size_t count = choose(predictions, right, chosen);
    struct figure figure = {.title = title, .about = about, .is_long = true};
    if (count == 0) {
        return;
    }
    (void)snprintf(figure.id, sizeof figure.id, right ? "images-right" : "images-wrong");
    figure_begin(page, &figure);
    fputs("<ul class=\"images\">\n", page->out);
    for (size_t i = 0; i < count; i++) {
        write_item(page, &predictions->items[chosen[i]]);
    }
    fputs("</ul>\n", page->out);
    figure_end(page);
}

void section_images(struct page *page)
{
    const struct report_predictions *predictions = &page->report->predictions;
    section_begin(page, "images", "Images", NULL);
    if (predictions->labelled) {
        char wrong[32];
        char right[32];
        format_number((double)(predictions->count - predictions->correct), 0, wrong, sizeof wrong);
        format_number((double)predictions->correct, 0, right, sizeof right);
        fprintf(page->out,
                "<p class=\"lead\">%s images were taken for what they are, %s for "
                "something else. At most %d of each are shown, evenly spaced.</p>\n",
                right, wrong, SHOWN);
        write_group(page, false, "Taken for something else",
                    "First what the network says, below it what the image is.");
    }
    write_group(page, true, predictions->labelled ? "Taken for what they are" : "Predictions",
                "What the network says.");
    section_end(page);
}
