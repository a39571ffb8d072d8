/* SPDX-License-Identifier: Apache-2.0 */
/* Which classes are taken for which: a shaded table, or for many classes the most frequent pairs.
 */
#include "html.h"
#include "page.h"

#include <math.h>
#include <stdlib.h>

#define MAX_SIDE 26 /* classes of a table that can still be read */
#define PAIRS 40

static uint32_t count_at(const struct report_predictions *predictions, size_t label,
                         size_t predicted)
{
    return predictions->confusion[label * predictions->classes + predicted];
}

static size_t images_of(const struct report_predictions *predictions, size_t label)
{
    size_t sum = 0;
    for (size_t i = 0; i < predictions->classes; i++) {
        sum += count_at(predictions, label, i);
    }
    return sum;
}

static const char *name_of(const struct report_predictions *predictions, size_t class, char *buffer)
{
    return report_class_name(predictions, class, buffer, 24);
}

/* ---- The matrix ------------------------------------------------------------------------------ */

/* Share of its class' images in the most frequent wrong cell. */
static double largest_wrong(const struct report_predictions *predictions)
{
    double largest = 0.0;
    for (size_t label = 0; label < predictions->classes; label++) {
        double of = (double)images_of(predictions, label);
        for (size_t c = 0; c < predictions->classes; c++) {
            if (c != label && count_at(predictions, label, c) > 0) {
                double share = count_at(predictions, label, c) / of;
                largest = share > largest ? share : largest;
            }
        }
    }
    return largest;
}

/* Right cells by their share of the class; wrong ones against the most frequent of them, on a
 * root's scale, since even that one may be rare. Text stays readable on each. */
static void write_cell(FILE *out, uint32_t count, double share, bool right, double largest)
{
    if (count == 0) {
        fprintf(out, "<td data-v=\"0\"%s></td>", right ? " class=\"right\"" : "");
    } else if (right && share > 0.5) {
        fprintf(out, "<td class=\"right s\" style=\"--p:1\" data-v=\"%u\">%u</td>", count, count);
    } else if (right) {
        fprintf(out, "<td class=\"right\" style=\"--p:%.3f\" data-v=\"%u\">%u</td>", 0.7 * share,
                count, count);
    } else {
        fprintf(out, "<td class=\"wrong\" style=\"--p:%.3f\" data-v=\"%u\">%u</td>",
                0.05 + 0.4 * sqrt(share / largest), count, count);
    }
}

static void write_matrix(struct page *page, const struct report_predictions *predictions)
{
    FILE *out = page->out;
    char buffer[24];
    double largest = largest_wrong(predictions);
    fputs("<table class=\"confusion\"><caption>Rows: what the images are. Columns: what the "
          "network says.</caption><thead><tr><th scope=\"col\">is, says</th>",
          out);
    for (size_t c = 0; c < predictions->classes; c++) {
        fputs("<th scope=\"col\">", out);
        html_text(out, name_of(predictions, c, buffer), HTML_NAME_LENGTH);
        fputs("</th>", out);
    }
    fputs("<th scope=\"col\">Right</th></tr></thead><tbody>\n", out);
    for (size_t label = 0; label < predictions->classes; label++) {
        size_t of = images_of(predictions, label);
        html_row_begin(out);
        html_cell_name(out, name_of(predictions, label, buffer));
        for (size_t c = 0; c < predictions->classes; c++) {
            uint32_t count = count_at(predictions, label, c);
            write_cell(out, count, of > 0 ? (double)count / (double)of : 0.0, c == label, largest);
        }
        html_cell_percent(
            out, of > 0 ? (double)count_at(predictions, label, label) / (double)of : NAN, 1);
        html_row_end(out);
    }
    html_table_end(out);
}

/* ---- The most frequent pairs ----------------------------------------------------------------- */

struct pair {
    size_t label, predicted;
    uint32_t count;
};

static size_t find_pairs(const struct report_predictions *predictions, struct pair *pairs)
{
    size_t used = 0;
    for (size_t label = 0; label < predictions->classes; label++) {
        for (size_t c = 0; c < predictions->classes; c++) {
            uint32_t count = count_at(predictions, label, c);
            if (c == label || count == 0 || (used == PAIRS && count <= pairs[used - 1].count)) {
                continue;
            }
            size_t at = used < PAIRS ? used++ : used - 1;
            for (; at > 0 && pairs[at - 1].count < count; at--) {
                pairs[at] = pairs[at - 1];
            }
            pairs[at] = (struct pair){label, c, count};
        }
    }
    return used;
}

static void write_pairs(struct page *page, const struct report_predictions *predictions)
{
    static const char *const heads[] = {"Is", "Taken for", "Images", "Of the class"};
    struct pair pairs[PAIRS];
    char buffer[24];
    size_t count = find_pairs(predictions, pairs);
    html_table_begin(page->out, "The most frequent confusions", heads, 4);
    for (size_t i = 0; i < count; i++) {
        size_t of = images_of(predictions, pairs[i].label);
        html_row_begin(page->out);
        html_cell_name(page->out, name_of(predictions, pairs[i].label, buffer));
        html_cell_text(page->out, name_of(predictions, pairs[i].predicted, buffer));
        html_cell_number(page->out, pairs[i].count, 0);
        html_cell_percent(page->out, (double)pairs[i].count / (double)of, 1);
        html_row_end(page->out);
    }
    html_table_end(page->out);
}

static void write_classes(struct page *page, const struct report_predictions *predictions)
{
    static const char *const heads[] = {"Class", "Images", "Right"};
    char buffer[24];
    html_table_begin(page->out, "Classes", heads, 3);
    for (size_t label = 0; label < predictions->classes; label++) {
        size_t of = images_of(predictions, label);
        html_row_begin(page->out);
        html_cell_name(page->out, name_of(predictions, label, buffer));
        html_cell_number(page->out, (double)of, 0);
        html_cell_percent(
            page->out, of > 0 ? (double)count_at(predictions, label, label) / (double)of : NAN, 1);
        html_row_end(page->out);
    }
    html_table_end(page->out);
}

void section_confusion(struct page *page)
{
    const struct report_predictions *predictions = &page->report->predictions;
    bool matrix = predictions->classes <= MAX_SIDE;
    const struct figure figure = {
        .id = "confusion-matrix",
        .title = matrix ? "Confusion matrix" : "Confusions",
        .about = matrix ? "On the diagonal, what is right; beside it, the stronger the colour, the "
                          "more of the "
                          "row’s images were taken for the column’s."
                        : "With this many classes, the pairs that are mistaken most often."};
    section_begin(page, "confusions", "Confusions", NULL);
    figure_begin(page, &figure);
    figure_data_begin(page, false);
    if (matrix) {
        write_matrix(page, predictions);
    } else {
        write_pairs(page, predictions);
        write_classes(page, predictions);
    }
    figure_data_end(page, false);
    figure_end(page);
    section_end(page);
}
