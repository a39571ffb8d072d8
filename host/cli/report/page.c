/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of the page and of its figures. */
#include "page.h"

#include "html.h"

#include <bittern/version.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Figures --------------------------------------------------------------------------------- */

void section_begin(struct page *page, const char *id, const char *title, const char *about)
{
    fprintf(page->out, "<section id=\"%s\" aria-labelledby=\"%s-h\"><h2 id=\"%s-h\">%s</h2>\n", id,
            id, id, title);
    if (about) {
        fprintf(page->out, "<p class=\"lead\">%s</p>\n", about);
    }
}

void section_end(struct page *page)
{
    fputs("</section>\n", page->out);
}

void figure_begin(struct page *page, const struct figure *figure)
{
    fprintf(page->out,
            "<figure id=\"%s\" tabindex=\"0\" aria-labelledby=\"%s-t\"%s><figcaption><h3 "
            "id=\"%s-t\">%s",
            figure->id, figure->id, figure->is_long ? " class=\"long\"" : "", figure->id,
            figure->title);
    if (figure->name) {
        fputs(": ", page->out);
        html_text(page->out, figure->name, HTML_NAME_LENGTH);
    }
    fprintf(page->out, "</h3><p id=\"%s-p\">%s</p></figcaption>\n", figure->id,
            figure->about ? figure->about : "");
}

void figure_plots(struct page *page, const struct figure *figure, figure_draw draw,
                  const void *data)
{
    for (int narrow = 0; narrow < 2; narrow++) {
        fprintf(page->out,
                "<div class=\"plot %s\" role=\"img\" aria-labelledby=\"%s-t\" "
                "aria-describedby=\"%s-p\">",
                narrow ? "narrow" : "wide", figure->id, figure->id);
        draw(page, data, narrow);
        fputs("</div>\n", page->out);
    }
}

FILE *figure_chart(struct page *page, bool narrow, const struct chart_size *size)
{
    struct chart_size whole = *size;
    whole.width = narrow ? PAGE_NARROW : PAGE_WIDE;
    return charts_begin(page->charts, &whole);
}

size_t figure_key_room(struct chart_size *size, size_t entries, size_t longest)
{
    /* As gnuplot reckons: a letter's width, and some letters for the sample and room. */
    double column = ((double)longest + 9.5) * 7.8;
    size_t columns = (size_t)((size->width - size->left - size->right) / column);
    columns = columns < 1 ? 1 : columns > entries ? entries : columns;
    size_t rows = entries > 0 ? (entries + columns - 1) / columns : 0;
    size->top = 24 + (int)rows * 17;
    return columns;
}

void figure_key(FILE *script, const struct chart_size *size, size_t columns)
{
    double left = size->width == PAGE_NARROW ? 4.0 : size->left;
    fprintf(script, "set key at screen %.4f, screen 0.99 maxcols %zu\n", left / size->width,
            columns);
}

void figure_y_label(FILE *script, const char *text, const struct chart_size *size)
{
    double middle = size->bottom + (size->height - size->bottom - size->top) / 2.0;
    fprintf(
        script,
        "set label '%s' at screen %.4f, screen %.4f center rotate by 90 textcolor rgb " CHART_TEXT
        "\n",
        text, 9.0 / size->width, middle / size->height);
}

void figure_data_begin(struct page *page, bool with_chart)
{
    fputs("<div class=\"tools\" hidden>", page->out);
    if (with_chart) {
        fputs("<button type=\"button\" data-save=\"svg\">Save chart (SVG)</button>", page->out);
    }
    fputs("<button type=\"button\" data-save=\"csv\">Save data (CSV)</button></div>\n", page->out);
    if (with_chart) {
        fputs("<details><summary>Show the data</summary>", page->out);
    }
    fprintf(page->out,
            "<div class=\"scroll%s\" tabindex=\"0\" role=\"region\" aria-label=\"Data\">\n",
            with_chart ? " tall" : "");
}

void figure_data_end(struct page *page, bool with_chart)
{
    fputs(with_chart ? "</div></details>\n" : "</div>\n", page->out);
}

void figure_end(struct page *page)
{
    fputs("</figure>\n", page->out);
}

/* ---- The page -------------------------------------------------------------------------------- */

bool report_has_energy(const struct report *report)
{
    for (size_t i = 0; i < report->row_count; i++) {
        if (report->rows[i].accuracy >= 0.0 && report->rows[i].joules.nominal > 0.0) {
            return true;
        }
    }
    return false;
}

bool report_has_size(const struct report *report)
{
    for (size_t i = 0; i < report->row_count; i++) {
        if (report->rows[i].accuracy >= 0.0 && report->rows[i].weight_bits > 0.0) {
            return true;
        }
    }
    return false;
}

bool report_has_layers(const struct report *report)
{
    for (size_t i = 0; i < report->row_count; i++) {
        for (size_t l = 0; l < report->rows[i].layer_count; l++) {
            if (report->rows[i].layers[l].cycles > 0.0) {
                return true;
            }
        }
    }
    return false;
}

bool report_has_roofline(const struct report *report)
{
    for (size_t i = 0; i < report->row_count; i++) {
        const struct report_row *row = &report->rows[i];
        for (size_t l = 0; row->bytes_per_cycle > 0.0 && l < row->layer_count; l++) {
            if (row->layers[l].mode < REPORT_MODES && row->layers[l].intensity > 0.0 &&
                row->layers[l].cycles > 0.0 && row->layers[l].macs > 0.0) {
                return true;
            }
        }
    }
    return false;
}

static bool has_weights(const struct report *report)
{
    for (size_t i = 0; i < report->run_count; i++) {
        if (report->runs[i].integer_count > 0) {
            return true;
        }
        for (size_t l = 0; l < report->runs[i].layer_count; l++) {
            if (report->runs[i].layers[l].latent.count > 0.0) {
                return true;
            }
        }
    }
    return false;
}

struct section {
    const char *id, *title;
    bool there;
    void (*write)(struct page *page);
};

#define SECTIONS 8

static void list_sections(const struct report *report, struct section *sections)
{
    const struct report_predictions *predictions = &report->predictions;
    const struct section all[SECTIONS] = {
        {"summary", "Summary", true, section_summary},
        {"trade-offs", "Accuracy, energy, size",
         report_has_energy(report) || report_has_size(report) || report_has_energy_parts(report),
         section_tradeoffs},
        {"layers", "Cycles of each layer", report_has_layers(report), section_layers},
        {"roofline", "Roofline", report_has_roofline(report), section_roofline},
        {"training", "Training", report->run_count > 0, section_training},
        {"weights", "Weights", has_weights(report), section_weights},
        {"images", "Images", predictions->dataset != NULL, section_images},
        {"confusions", "Confusions", predictions->confusion != NULL, section_confusion}};
    memcpy(sections, all, sizeof all);
}

/* The script's hash in the policy: no other script runs, and nothing is ever loaded. */
static void write_policy(FILE *out)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    fputs(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
        out);
    if (EVP_Digest(report_page_js, strlen(report_page_js), digest, &size, EVP_sha256(), NULL) ==
        1) {
        fputs("; script-src 'sha256-", out);
        html_base64(out, digest, size);
        fputc('\'', out);
    }
    fputs("\">\n", out);
}

static void write_head(const struct page *page)
{
    FILE *out = page->out;
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
          out);
    write_policy(out);
    fputs("<meta name=\"generator\" content=\"bittern " BITTERN_VERSION "\">\n<title>", out);
    html_text(out, page->report->title, HTML_NAME_LENGTH);
    fputs("</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n", out);
    fputs(report_page_css, out);
    fputs("</style>\n</head>\n", out);
}

/* The day; SOURCE_DATE_EPOCH sets it for builds that must repeat. */
static void write_date(FILE *out)
{
    char text[32];
    struct tm parts;
    const char *given = getenv("SOURCE_DATE_EPOCH");
    time_t now = given ? (time_t)strtoll(given, NULL, 10) : time(NULL);
    if (gmtime_r(&now, &parts) && strftime(text, sizeof text, "%Y-%m-%d", &parts) > 0) {
        fprintf(out, "<time datetime=\"%s\">%s</time>", text, text);
    }
}

static void write_header(const struct page *page, const struct section *sections)
{
    FILE *out = page->out;
    fputs("<body>\n<a class=\"skip\" href=\"#main\">To the content</a>\n<header><div "
          "class=\"top\"><h1>",
          out);
    html_text(out, page->report->title, 2 * HTML_NAME_LENGTH);
    fputs(
        "</h1><button type=\"button\" id=\"theme\" hidden>Dark colours</button></div>\n"
        "<p class=\"lead\">Binary and ternary networks on hardware made for them. Made by bittern "
        "report, ",
        out);
    write_date(out);
    fputs(".</p>\n<nav aria-label=\"Sections\"><ul>", out);
    for (size_t i = 0; i < SECTIONS; i++) {
        if (sections[i].there) {
            fprintf(out, "<li><a href=\"#%s\">%s</a></li>", sections[i].id, sections[i].title);
        }
    }
    fputs("</ul></nav></header>\n", out);
}

void page_write(struct page *page)
{
    struct section sections[SECTIONS];
    list_sections(page->report, sections);
    write_head(page);
    write_header(page, sections);
    fputs("<main id=\"main\" tabindex=\"-1\">\n", page->out);
    for (size_t i = 0; i < SECTIONS; i++) {
        if (sections[i].there) {
            sections[i].write(page);
        }
    }
    fputs("</main>\n<footer>Written by bittern " BITTERN_VERSION
          ". Every figure's data is in this file; nothing is loaded from elsewhere.</footer>\n"
          "<script>",
          page->out);
    fputs(report_page_js, page->out);
    fputs("</script>\n</body>\n</html>\n", page->out);
}
