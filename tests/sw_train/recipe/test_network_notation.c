/* SPDX-License-Identifier: Apache-2.0 */
/* The notation of layers, against written-out elements, and its errors' positions. */
#include "recipe/recipe.h"
#include "testing.h"

#include <stdlib.h>
#include <string.h>

static size_t parse_ok(const char *layers, struct network_element *elements)
{
    struct bittern_error err = {0};
    size_t count = 0;
    assert_ok(network_parse(layers, elements, RECIPE_MAX_ELEMENTS, &count, &err), &err);
    return count;
}

static void assert_element(const struct network_element *element, enum element_kind kind,
                           size_t filters, size_t kernel, size_t stride, size_t pad)
{
    assert_int_equal(element->kind, kind);
    assert_int_equal(element->filters, filters);
    assert_int_equal(element->kernel, kernel);
    assert_int_equal(element->stride, stride);
    assert_int_equal(element->pad, pad);
}

/* Would catch: wrong defaults of stride and padding, a kind taken for another. */
static void every_element_is_read_with_its_defaults(void **state)
{
    struct network_element e[RECIPE_MAX_ELEMENTS];
    (void)state;
    assert_int_equal(parse_ok("32C5-MP2-64C3-AP3-7C2-GAP-D0.25-512-10", e), 9);
    assert_element(&e[0], ELEMENT_CONV, 32, 5, 1, 2);
    assert_element(&e[1], ELEMENT_MAX_POOL, 0, 2, 2, 0);
    assert_element(&e[2], ELEMENT_CONV, 64, 3, 1, 1);
    assert_element(&e[3], ELEMENT_AVERAGE_POOL, 0, 3, 3, 0);
    assert_element(&e[4], ELEMENT_CONV, 7, 2, 1, 0);
    assert_element(&e[5], ELEMENT_GLOBAL_AVERAGE_POOL, 0, 0, 0, 0);
    assert_int_equal(e[6].kind, ELEMENT_DROPOUT);
    assert_true(e[6].rate == 0.25);
    assert_element(&e[7], ELEMENT_FC, 512, 0, 0, 0);
    assert_element(&e[8], ELEMENT_FC, 10, 0, 0, 0);
}

/* Would catch: an option put on the wrong member, or dependent on its place. */
static void options_set_stride_and_padding_in_any_order(void **state)
{
    struct network_element e[RECIPE_MAX_ELEMENTS];
    (void)state;
    assert_int_equal(parse_ok("6C5p0-16C5s2p1-16C5p1s2-MP3s2-MP3s2p1-10", e), 6);
    assert_element(&e[0], ELEMENT_CONV, 6, 5, 1, 0);
    assert_element(&e[1], ELEMENT_CONV, 16, 5, 2, 1);
    assert_element(&e[2], ELEMENT_CONV, 16, 5, 2, 1);
    assert_element(&e[3], ELEMENT_MAX_POOL, 0, 3, 2, 0);
    assert_element(&e[4], ELEMENT_MAX_POOL, 0, 3, 2, 1);
}

/* Would catch: a group repeated once too often or too seldom, or only its first element. */
static void a_group_stands_for_its_repetitions(void **state)
{
    struct network_element grouped[RECIPE_MAX_ELEMENTS], plain[RECIPE_MAX_ELEMENTS];
    (void)state;
    size_t count = parse_ok("2x(128C3)-MP2-3x(64C3-32C1p0)-1x(7)-10", grouped);
    assert_int_equal(parse_ok("128C3-128C3-MP2-64C3-32C1p0-64C3-32C1p0-64C3-32C1p0-7-10", plain),
                     count);
    for (size_t i = 0; i < count; i++) {
        assert_element(&grouped[i], plain[i].kind, plain[i].filters, plain[i].kernel,
                       plain[i].stride, plain[i].pad);
    }
}

static void assert_error(const char *layers, const char *part, const char *hint)
{
    struct network_element e[RECIPE_MAX_ELEMENTS];
    struct bittern_error err = {0};
    size_t count = 0;
    if (network_parse(layers, e, RECIPE_MAX_ELEMENTS, &count, &err) == BITTERN_OK) {
        fail_msg("\"%s\" was accepted", layers);
    }
    if (strstr(err.message, part) == NULL || strstr(err.message, hint) == NULL) {
        fail_msg("\"%s\" gives \"%s\", without \"%s\" or \"%s\"", layers, err.message, part, hint);
    }
}

/* Would catch: a wrong position, or a message that does not help. */
static void errors_name_the_character_and_what_would_be_right(void **state)
{
    (void)state;
    assert_error("", "character 1 (the end)", "a layer is expected");
    assert_error("32C5-", "character 6 (the end)", "a layer is expected");
    assert_error("32C5--10", "character 6 (\"-10\")", "a layer is expected");
    assert_error("32C5-XP2-10", "character 6 (\"XP2-10\")", "MP2");
    assert_error("32c5-10", "character 3", "'-' or the end");
    assert_error("32C-10", "character 4", "kernel's size");
    assert_error("32C65-10", "character 4", "1 to 64");
    assert_error("0C3-10", "character 1", "1 to 65536");
    assert_error("65537-10", "character 1", "1 to 65536");
    assert_error("99999999999999999999999-10", "character 1", "1 to 65536");
    assert_error("32C5p3-10", "character 5 (\"p3-10\")", "half the kernel");
    assert_error("32C5s0-10", "character 6", "stride");
    assert_error("32C5s2s2-10", "character 7", "'-' or the end");
    assert_error("32C5q1-10", "character 5", "options are s2 and p0");
    assert_error("D1.5-10", "character 2", "between 0 and 1");
    assert_error("D0-10", "character 2", "between 0 and 1");
    assert_error("D0..5-10", "character 2", "between 0 and 1");
    assert_error("2x(128C3-10", "character 12 (the end)", "')' is missing");
    assert_error("2x(2x(3C3))-10", "character 5", "'-' or the end");
    assert_error("2x()-10", "character 4", "a layer is expected");
    assert_error("0x(3C3)-10", "character 1", "1 to 65536");
    assert_error("3C3)-10", "character 4", "'-' or the end");
    assert_error("3C3 -10", "character 4", "'-' or the end");
    assert_error("MP2-GAP", "no weights", "full connection");
    assert_error("10-MP2", "element 2", "behind a full connection");
    assert_error("10-32C3-10", "element 2", "behind a full connection");
    assert_error("100x(3C3)-100x(3C3)-10", "more than 128", "elements");
    assert_error("100x(3C3-4C3)-10", "more than 128", "elements");
}

/* Would catch: reading past the text or the elements on arbitrary bytes. */
static void random_texts_never_overrun(void **state)
{
    static const char alphabet[] = "0123456789CMPAGDsxp().-";
    uint64_t seed = 20240917;
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < 200000; i++) {
        size_t length = random_below(&seed, 24), count = 0;
        char *text = malloc(length + 1);
        struct network_element e[8];
        assert_non_null(text);
        for (size_t j = 0; j < length; j++) {
            text[j] = alphabet[random_below(&seed, sizeof alphabet - 1)];
        }
        text[length] = '\0';
        if (network_parse(text, e, 8, &count, NULL) == BITTERN_OK) {
            assert_in_range(count, 1, 8);
        }
        free(text);
    }
}

/* Would catch: a named network that its own parser refuses, or a name that is not found. */
static void named_networks_parse_and_unknown_names_do_not_exist(void **state)
{
    struct network_element e[RECIPE_MAX_ELEMENTS];
    size_t names = 0;
    (void)state;
    for (; network_name(names) != NULL; names++) {
        assert_non_null(network_layers(network_name(names)));
        assert_true(parse_ok(network_layers(network_name(names)), e) >= 4);
    }
    assert_int_equal(names, 8);
    assert_null(network_layers("lenet"));
    assert_null(network_layers(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_element_is_read_with_its_defaults),
        cmocka_unit_test(options_set_stride_and_padding_in_any_order),
        cmocka_unit_test(a_group_stands_for_its_repetitions),
        cmocka_unit_test(errors_name_the_character_and_what_would_be_right),
        cmocka_unit_test(random_texts_never_overrun),
        cmocka_unit_test(named_networks_parse_and_unknown_names_do_not_exist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
