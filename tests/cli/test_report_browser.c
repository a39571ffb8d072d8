/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A report in a real browser: what it draws, loads, and how it can be used and read. Skipped where
 * Chromium is not installed (scripts/install-deps.sh --browser).
 */
#include "report_fixture.h"
#include "webdriver.h"

#include <stdlib.h>
#include <string.h>

#define SKIPPED 77
#define PHONE_WIDTH 360

static struct browser *browser;

/* A name without a space for a line to break at, and one that would be an image. */
static void add_rows(const char *name)
{
    static const struct report_fixture_row rows[] = {
        {"averyveryveryveryverylongnameofanetworkwithoutanyspacetobreakalineat_and_a_tail",
         "/features/features.0/a_long_name_of_a_layer/Conv", "ternary", "model", 0.97, 3e-6, 9000,
         40000},
        {"<img src=x onerror=console.error(1)>", "a&amp;b", "binary", "board", 0.93, 2e-6, 5000,
         3e7}};
    FILE *file = fopen(fixture_path(name), "a");
    assert_non_null(file);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *line = report_fixture_line(&rows[i]);
        fputs(line, file);
        free(line);
    }
    assert_int_equal(fclose(file), 0);
}

static int start(void **state)
{
    if (fixture_make_folder(state) != 0) {
        return -1;
    }
    fixture_make_digits();
    report_fixture_rows("rows.jsonl");
    add_rows("rows.jsonl");
    report_fixture_run("run");
    report_fixture_predictions("predictions.json");
    fixture_expect(0, NULL,
                   ARGS("report", "--bench", "rows.jsonl", "--run", "run", "--predictions",
                        "predictions.json", "--dataset", "digits", "--data", "data", "-o",
                        "page.html"));
    browser = browser_start();
    return browser ? 0 : -1;
}

static int stop(void **state)
{
    browser_stop(browser);
    return fixture_remove_folder(state);
}

/* The page anew, on a screen of that width in these colours. */
static void show(int width, const char *scheme)
{
    char address[400];
    char media[200];
    cJSON *screen = cJSON_CreateObject();
    cJSON_AddNumberToObject(screen, "width", width);
    cJSON_AddNumberToObject(screen, "height", 800);
    cJSON_AddNumberToObject(screen, "deviceScaleFactor", 1);
    cJSON_AddBoolToObject(screen, "mobile", width <= PHONE_WIDTH);
    cJSON_Delete(browser_devtools(browser, "Emulation.setDeviceMetricsOverride", screen));
    (void)snprintf(
        media, sizeof media,
        "{\"media\":\"\",\"features\":[{\"name\":\"prefers-color-scheme\",\"value\":\"%s\"}]}",
        scheme);
    cJSON_Delete(browser_devtools(browser, "Emulation.setEmulatedMedia", cJSON_Parse(media)));
    (void)snprintf(address, sizeof address, "file://%s", fixture_path("page.html"));
    browser_go(browser, address);
}

/* A script that lists what is wrong, one text each. */
static void expect_nothing_wrong(const char *script)
{
    cJSON *wrong = browser_run(browser, script);
    assert_true(cJSON_IsArray(wrong));
    if (cJSON_GetArraySize(wrong) > 0) {
        char *text = cJSON_Print(wrong);
        fail_msg("%.2000s", text);
    }
    cJSON_Delete(wrong);
}

static double run_number(const char *script)
{
    cJSON *value = browser_run(browser, script);
    assert_true(cJSON_IsNumber(value));
    double number = value->valuedouble;
    cJSON_Delete(value);
    return number;
}

/* ---- Loading --------------------------------------------------------------------------------- */

/* Would catch: a script error, a policy that blocks the page's own script, a name that is run. */
static void the_console_stays_empty(void **state)
{
    (void)state;
    show(1200, "light");
    cJSON *entries = browser_log(browser, "browser");
    if (cJSON_GetArraySize(entries) > 0) {
        fail_msg("%.1000s", cJSON_Print(entries));
    }
    cJSON_Delete(entries);
    assert_true(run_number("return document.querySelectorAll('button[hidden], .tools[hidden]')"
                           ".length") == 0.0); /* the script ran */
    assert_true(run_number("return document.querySelectorAll('img[src=x]').length") == 0.0);
}

/* Would catch: a font, an icon, a script from elsewhere. */
static void nothing_but_the_page_is_loaded(void **state)
{
    (void)state;
    cJSON_Delete(browser_log(browser, "performance"));
    show(1200, "light");
    cJSON *entries = browser_log(browser, "performance");
    const cJSON *entry;
    size_t requests = 0;
    cJSON_ArrayForEach(entry, entries)
    {
        cJSON *message = cJSON_Parse(fixture_string(entry, "message"));
        if (strcmp(fixture_string(message, "message.method"), "Network.requestWillBeSent") == 0) {
            const char *address = fixture_string(message, "message.params.request.url");
            bool own = strncmp(address, "file:///", 8) == 0 && strstr(address, "/page.html");
            if (!own && strncmp(address, "data:", 5) != 0) {
                fail_msg("the page asks for %.200s", address);
            }
            requests += own;
        }
        cJSON_Delete(message);
    }
    cJSON_Delete(entries);
    assert_int_equal(requests, 1);
}

/* ---- Drawing --------------------------------------------------------------------------------- */

static const char charts_script[] =
    "const wrong = [], kind = arguments[0];"
    "const shown = [...document.querySelectorAll('.plot')].filter(p => p.offsetWidth > 0);"
    "if (shown.length < 10) wrong.push('only ' + shown.length + ' charts are shown');"
    "for (const plot of shown) {"
    "  const id = plot.closest('figure').id, svg = plot.querySelector('svg');"
    "  if (!svg) { wrong.push(id + ' has no chart'); continue; }"
    "  const box = svg.getBoundingClientRect();"
    "  if (box.width < 250 || box.height < 80) wrong.push(id + ' is ' + box.width + ' x ' + "
    "box.height);"
    "  const drawn = [...svg.querySelectorAll('path, polygon, rect, use, circle')].filter(e => "
    "!e.closest('defs') && (e.getBoundingClientRect().width > 0 || "
    "e.getBoundingClientRect().height > 0));"
    "  if (drawn.length < 6) wrong.push(id + ' has only ' + drawn.length + ' shapes');"
    "  for (const text of svg.querySelectorAll('text')) {"
    "    const t = text.getBoundingClientRect();"
    "    if (t.width > 0 && (t.left < box.left - 1 || t.right > box.right + 1 || t.top < box.top - "
    "1"
    " || t.bottom > box.bottom + 1)) wrong.push(id + ': ' + text.textContent + ' is cut off');"
    "    if (t.width > 0 && parseFloat(getComputedStyle(text).fontSize) * box.width / "
    "svg.viewBox.baseVal.width < 9) wrong.push(id + ': ' + text.textContent + ' is too small');"
    "  }"
    "}"
    "const ids = new Set();"
    "for (const e of document.querySelectorAll('[id]')) {"
    "  if (ids.has(e.id)) wrong.push('two have the id ' + e.id);"
    "  ids.add(e.id);"
    "}"
    "for (const u of document.querySelectorAll('use')) {"
    "  if (!document.querySelector(u.getAttribute('xlink:href'))) wrong.push('a mark is missing');"
    "}"
    "return wrong;";

/* Would catch: an empty chart, letters that are cut off or too small, marks of another chart. */
static void every_chart_is_drawn(void **state)
{
    (void)state;
    static const int widths[] = {1200, 800, PHONE_WIDTH};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        show(widths[i], "light");
        expect_nothing_wrong(charts_script);
    }
}

/* Would catch: a table or a name that makes the page wider than a phone. */
static void a_phone_scrolls_down_only(void **state)
{
    (void)state;
    show(PHONE_WIDTH, "light");
    expect_nothing_wrong(
        "document.querySelectorAll('details').forEach(d => { d.open = true; });"
        "const wrong = [], width = document.documentElement.clientWidth;"
        "if (document.documentElement.scrollWidth > width) wrong.push('the page is ' + "
        "document.documentElement.scrollWidth + ' wide');"
        "for (const e of document.querySelectorAll('main *')) {"
        "  if (!e.closest('.scroll, svg') && e.getBoundingClientRect().right > width + 0.5)"
        "    wrong.push(e.tagName + '.' + e.className + ' ends at ' + "
        "e.getBoundingClientRect().right);"
        "}"
        "return wrong;");
    assert_true(run_number("return document.documentElement.clientWidth") == PHONE_WIDTH);
}

/* ---- Colours --------------------------------------------------------------------------------- */

/* Contrast as WCAG 2 defines it: 4.5 for text, 3 for what is drawn. */
static const char contrast_script[] =
    "document.querySelectorAll('details').forEach(d => { d.open = true; });"
    "const wrong = new Set();"
    "const rgb = c => { const m = c.match(/[\\d.]+/g).map(Number); return m.length > 3 ? m : [...m,"
    " 1]; };"
    "const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);"
    "const light = c => { const l = c.slice(0, 3).map(v => { v /= 255; return v <= 0.04045 ? v / "
    "12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * "
    "l[2]; };"
    "const back = e => { const layers = []; for (; e; e = e.parentElement) layers.push(rgb("
    "getComputedStyle(e).backgroundColor)); return layers.reverse().reduce((b, a) => over(a, b), "
    "[255, 255, 255, 1]); };"
    "const ratio = (a, b) => { const x = light(a), y = light(b); return (Math.max(x, y) + 0.05) / "
    "(Math.min(x, y) + 0.05); };"
    "const check = (e, c, least) => { const b = back(e.closest('figure, dd, dt, body') === e ? e : "
    "e), r = ratio(over(rgb(c), b), b); if (r < least) wrong.add(e.tagName + '.' + "
    "e.getAttribute('class') + ' ' + c + ' has ' + r.toFixed(2)); };"
    "for (const e of document.querySelectorAll('body *')) {"
    "  const s = getComputedStyle(e);"
    "  if (e.getClientRects().length === 0 || e.closest('defs')) continue;"
    "  if (e.tagName === 'text') check(e, getComputedStyle(e).fill, 4.5);"
    "  else if (e.closest('svg')) {"
    "    const g = e.getAttribute('class') === 'gridline';"
    "    for (const c of [s.stroke, s.fill]) if (!g && c.startsWith('rgb') && e.tagName !== 'g' && "
    "e.tagName !== 'svg' && e.tagName !== 'rect') check(e, c, 3);"
    "  } else if ([...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim() !== ''))"
    "    check(e, s.color, 4.5);"
    "}"
    "return [...wrong];";

/* Would catch: dark text on dark, a colour of a chart that the style sheet does not know. */
static void light_and_dark_have_contrast(void **state)
{
    (void)state;
    static const char *const schemes[] = {"light", "dark"};
    for (size_t i = 0; i < 2; i++) {
        show(1200, schemes[i]);
        double paper = run_number("return Number(getComputedStyle(document.body).backgroundColor"
                                  ".match(/\\d+/)[0])");
        assert_true(i == 0 ? paper > 200.0 : paper < 50.0);
        expect_nothing_wrong(contrast_script);
    }
}

/* Would catch: a switch that does nothing, or is named after what is already there. */
static void the_switch_changes_the_colours(void **state)
{
    (void)state;
    show(1200, "light");
    expect_nothing_wrong(
        "const wrong = [], button = document.getElementById('theme');"
        "const paper = () => getComputedStyle(document.body).backgroundColor;"
        "const before = paper(), name = button.textContent;"
        "button.click();"
        "if (paper() === before) wrong.push('nothing changed');"
        "if (button.textContent === name) wrong.push('the name stays ' + name);"
        "const line = document.querySelector('svg [stroke=\"#0069b4\"]');"
        "if (getComputedStyle(line).stroke === 'rgb(0, 105, 180)') wrong.push('charts stay');"
        "button.click();"
        "if (paper() !== before) wrong.push('it does not change back');"
        "return wrong;");
}

/* ---- Keyboard -------------------------------------------------------------------------------- */

/* Would catch: a control that only a mouse reaches, or focus that cannot be seen. */
static void tab_reaches_everything(void **state)
{
    (void)state;
    show(1200, "light");
    cJSON_Delete(browser_run(
        browser, "document.querySelectorAll('details').forEach(d => { d.open = true; });"
                 "window.reached = new Set(); window.unseen = [];"
                 "document.addEventListener('focusin', e => { window.reached.add(e.target);"
                 "  const s = getComputedStyle(e.target);"
                 "  if (s.outlineStyle === 'none' || parseFloat(s.outlineWidth) < 2)"
                 "    window.unseen.push(e.target.tagName + '#' + e.target.id); });"
                 "return null;"));
    double stops = run_number("return document.querySelectorAll('a[href], button, summary, figure, "
                              ".scroll').length");
    assert_true(stops > 40.0);
    browser_press_tab(browser, (unsigned)stops + 5);
    expect_nothing_wrong(
        "const wrong = window.unseen.map(n => n + ' has focus that cannot be seen');"
        "for (const e of document.querySelectorAll('a[href], button, summary, figure, .scroll'))"
        "  if (!window.reached.has(e)) wrong.push(e.tagName + '#' + e.id + ' ' + e.className + "
        "' is not reached');"
        "return wrong;");
}

/* Would catch: a control or a picture without a name for those who do not see it. */
static void everything_has_a_name(void **state)
{
    (void)state;
    show(1200, "light");
    expect_nothing_wrong(
        "const wrong = [];"
        "const named = e => { const by = e.getAttribute('aria-labelledby'); return (by ? "
        "by.split(' ').map(i => document.getElementById(i)?.textContent ?? '').join('') : "
        "e.getAttribute('aria-label') ?? e.getAttribute('alt') ?? e.textContent).trim() !== ''; };"
        "for (const e of document.querySelectorAll('a, button, summary, figure, img, section, nav, "
        "[role]')) if (!named(e)) wrong.push(e.tagName + '#' + e.id + ' has no name');"
        "for (const t of document.querySelectorAll('table')) if (!t.caption || "
        "!t.querySelector('thead th[scope=col]')) wrong.push('a table has no head');"
        "for (const f of document.querySelectorAll('figure')) if (f.querySelector('.plot') && "
        "!f.querySelector('table tbody tr')) wrong.push(f.id + ' has no table');"
        "if (document.querySelectorAll('h1').length !== 1) wrong.push('not one h1');"
        "if (!document.documentElement.lang) wrong.push('no language');"
        "return wrong;");
}

/* ---- Saving and printing --------------------------------------------------------------------- */

/* Would catch: an empty file, numbers that are rounded, a chart that needs the page's style. */
static void figures_are_saved_whole(void **state)
{
    (void)state;
    show(1200, "dark");
    cJSON *files = browser_run(
        browser,
        "const blobs = []; URL.createObjectURL = b => { blobs.push(b); return '#'; };"
        "HTMLAnchorElement.prototype.click = () => {};"
        "document.querySelectorAll('#accuracy-energy-1 .tools button').forEach(b => b.click());"
        "return Promise.all(blobs.map(b => b.text()));");
    assert_int_equal(cJSON_GetArraySize(files), 2);
    const char *svg = cJSON_GetArrayItem(files, 0)->valuestring;
    const char *csv = cJSON_GetArrayItem(files, 1)->valuestring;
    assert_non_null(strstr(svg, "xmlns=\"http://www.w3.org/2000/svg\""));
    assert_non_null(strstr(svg, "#0069b4"));
    assert_null(strstr(svg, "var(--"));
    assert_int_equal(strncmp(csv, "No.,Network,Device,", 19), 0);
    assert_non_null(strstr(csv, ",large-ternary,sim:edge,ternary,0.98,4e-06,3.2e-06,5.6e-06,"));
    cJSON_Delete(files);
    expect_nothing_wrong(
        "const wrong = [];"
        "for (const svg of document.querySelectorAll('svg')) {"
        "  const text = new XMLSerializer().serializeToString(svg);"
        "  if (new DOMParser().parseFromString(text, 'image/svg+xml').querySelector('parsererror'))"
        "    wrong.push(svg.closest('figure').id + ' is not XML');"
        "}"
        "return wrong;");
}

/* Would catch: dark paper, buttons in print, tables that stay closed. */
static void print_is_on_white_with_all_tables(void **state)
{
    (void)state;
    show(1200, "dark");
    cJSON_Delete(browser_devtools(
        browser, "Emulation.setEmulatedMedia",
        cJSON_Parse("{\"media\":\"print\",\"features\":[{\"name\":\"prefers-color-scheme\","
                    "\"value\":\"dark\"}]}")));
    expect_nothing_wrong(
        "window.dispatchEvent(new Event('beforeprint'));"
        "const wrong = [];"
        "if (getComputedStyle(document.body).backgroundColor !== 'rgb(255, 255, 255)') "
        "wrong.push('the paper is ' + getComputedStyle(document.body).backgroundColor);"
        "for (const e of document.querySelectorAll('nav, button, summary')) "
        "if (e.offsetWidth > 0) wrong.push(e.tagName + ' is printed');"
        "for (const d of document.querySelectorAll('details')) if (!d.open) "
        "wrong.push('a table is closed');"
        "window.dispatchEvent(new Event('afterprint'));"
        "if (document.querySelector('details[open]')) wrong.push('tables stay open');"
        "return wrong;");
    expect_nothing_wrong(contrast_script);
    cJSON *pdf = browser_devtools(browser, "Page.printToPDF", cJSON_CreateObject());
    assert_true(strlen(fixture_string(pdf, "data")) > 50000);
    cJSON_Delete(pdf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_console_stays_empty),
        cmocka_unit_test(nothing_but_the_page_is_loaded),
        cmocka_unit_test(every_chart_is_drawn),
        cmocka_unit_test(a_phone_scrolls_down_only),
        cmocka_unit_test(light_and_dark_have_contrast),
        cmocka_unit_test(the_switch_changes_the_colours),
        cmocka_unit_test(tab_reaches_everything),
        cmocka_unit_test(everything_has_a_name),
        cmocka_unit_test(figures_are_saved_whole),
        cmocka_unit_test(print_is_on_white_with_all_tables),
    };
    if (!browser_is_installed()) {
        fprintf(stderr, "skipped: chromium and chromedriver are not installed "
                        "(scripts/install-deps.sh --browser)\n");
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, start, stop);
}
