/* SPDX-License-Identifier: Apache-2.0 */
/* Names beside points: for each the first of four places where nothing is yet. Axes are reckoned
 * here, too, since places are needed before gnuplot runs. */
#include "html.h"
#include "page.h"

#include <math.h>

#define POINT_RADIUS 6.0
#define LETTER_WIDTH 6.9
#define LINE_HEIGHT 15.0

double axis_place(const struct axis *axis, double value)
{
    double low = axis->log ? log(axis->low) : axis->low;
    double high = axis->log ? log(axis->high) : axis->high;
    double at = axis->log ? log(value) : value;
    return axis->from + (axis->to - axis->from) * (at - low) / (high - low);
}

void axis_include(struct axis *axis, double value)
{
    if (isfinite(value) && (!axis->log || value > 0.0)) {
        axis->low = value < axis->low ? value : axis->low;
        axis->high = value > axis->high ? value : axis->high;
    }
}

void axis_pad(struct axis *axis, double share)
{
    if (!(axis->low <= axis->high)) {
        axis->low = axis->log ? 1.0 : 0.0;
        axis->high = axis->low + 1.0;
    }
    if (axis->log) {
        double factor = pow(axis->high / axis->low, share);
        factor = factor < 1.3 ? 1.3 : factor;
        axis->low /= factor;
        axis->high *= factor;
        return;
    }
    double room = share * (axis->high - axis->low);
    double least = 0.02 * fabs(axis->high);
    room = room > 0.0 ? room : least > 0.0 ? least : 1.0;
    axis->low -= room;
    axis->high += room;
}

double axis_step(double range, double parts)
{
    double rough = range / parts;
    double power = pow(10.0, floor(log10(rough)));
    double part = rough / power;
    return power * (part >= 5.0 ? 5.0 : part >= 2.0 ? 2.0 : 1.0);
}

void labels_add_box(struct labels *labels, double left, double top, double right, double bottom)
{
    if (labels->count < LABELS_MAX) {
        labels->boxes[labels->count++] = (struct label_box){left, top, right, bottom};
    }
}

void labels_add_point(struct labels *labels, double x, double y)
{
    labels_add_box(labels, x - POINT_RADIUS, y - POINT_RADIUS, x + POINT_RADIUS, y + POINT_RADIUS);
}

static bool is_free(const struct labels *labels, const struct label_box *box)
{
    const struct label_box *area = &labels->area;
    if (box->left < area->left || box->right > area->right || box->top < area->top ||
        box->bottom > area->bottom) {
        return false;
    }
    for (size_t i = 0; i < labels->count; i++) {
        const struct label_box *other = &labels->boxes[i];
        if (box->left < other->right && other->left < box->right && box->top < other->bottom &&
            other->top < box->bottom) {
            return false;
        }
    }
    return true;
}

bool labels_put(struct labels *labels, struct page *page, const struct chart_size *size, double x,
                double y, const char *name, size_t limit)
{
    static const struct {
        const char *align;
        double x, y, anchor; /* anchor: share of the width left of the anchor */
    } places[] = {{"left", 8, 0, 0},      {"right", -8, 0, 1}, {"center", 0, -15, 0.5},
                  {"center", 0, 15, 0.5}, {"left", 6, -13, 0}, {"left", 6, 13, 0},
                  {"right", -6, -13, 1},  {"right", -6, 13, 1}};
    double width = LETTER_WIDTH * (double)html_text_length(name, limit);
    for (size_t i = 0; labels->count < LABELS_MAX && i < sizeof places / sizeof places[0]; i++) {
        double left = x + places[i].x - places[i].anchor * width;
        double middle = y + places[i].y;
        const struct label_box box = {left, middle - LINE_HEIGHT / 2, left + width,
                                      middle + LINE_HEIGHT / 2};
        if (is_free(labels, &box)) {
            FILE *script = charts_script(page->charts);
            labels_add_box(labels, box.left, box.top, box.right, box.bottom);
            fputs("set label ", script);
            charts_label(page->charts, name, limit);
            fprintf(script,
                    " at screen %.4f, screen %.4f %s font ',12' textcolor rgb " CHART_TEXT "\n",
                    (x + places[i].x) / size->width, 1.0 - middle / size->height, places[i].align);
            return true;
        }
    }
    return false;
}
