/* SPDX-License-Identifier: Apache-2.0 */
/* The .xclbin for emulation, read again by hand, and files that are none, or not whole. */
#include "testing.h"
#include "xclbin_file.h"
#include "xclbin_parts.h"

#include "device/kernel_registers.h"

#include <archive.h>
#include <archive_entry.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xclbin.h>

struct image {
    uint8_t *data;
    size_t size;
};

static struct image make(const char *geometry, uint32_t units)
{
    struct bittern_error err;
    struct image image;
    const struct xclbin_design design = {geometry, units};
    assert_ok(xclbin_design_check(&design, &err), &err);
    assert_ok(xclbin_make(&design, &image.data, &image.size, &err), &err);
    return image;
}

static struct axlf *header_of(const struct image *image)
{
    return (struct axlf *)(void *)image->data;
}

static const struct axlf_section_header *section(const struct image *image, uint32_t kind)
{
    const struct axlf_section_header *sections = header_of(image)->m_sections;
    for (uint32_t i = 0; i < header_of(image)->m_header.m_numSections; i++) {
        if (sections[i].m_sectionKind == kind) {
            return &sections[i];
        }
    }
    fail_msg("there is no section of kind %u", (unsigned)kind);
    return NULL;
}

static const void *data_of(const struct image *image, uint32_t kind)
{
    return image->data + section(image, kind)->m_sectionOffset;
}

/* Would catch: a section that overlaps another, or leaves the file; a length that is not the
 * file's.
 */
static void every_section_lies_in_the_file_and_none_in_another(void **state)
{
    (void)state;
    for (uint32_t units = 1; units <= XCLBIN_MAX_UNITS; units++) {
        struct image image = make("edge", units);
        const struct axlf *header = header_of(&image);
        const struct axlf_section_header *sections = header->m_sections;
        uint32_t count = header->m_header.m_numSections;
        uint64_t end = sizeof *header - sizeof *sections + (uint64_t)count * sizeof(*sections);

        assert_memory_equal(header->m_magic, "xclbin2", 8);
        assert_int_equal(header->m_signature_length, -1);
        assert_int_equal(header->m_header.m_length, image.size);
        assert_int_equal(header->m_header.m_mode, XCLBIN_HW_EMU);
        assert_int_equal(count, 5);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(sections[i].m_sectionOffset % 8, 0);
            assert_true(sections[i].m_sectionOffset >= end && sections[i].m_sectionSize > 0);
            end = sections[i].m_sectionOffset + sections[i].m_sectionSize;
        }
        assert_true(end <= image.size && image.size < end + 8);
        free(image.data);
    }
}

/* Would catch: registers, memory or connections elsewhere than the card has them. */
static void units_memory_and_connections_are_those_of_the_card(void **state)
{
    (void)state;
    struct image image = make("tiny", 3);
    const struct ip_layout *layout = data_of(&image, IP_LAYOUT);
    const struct ip_data *units = layout->m_ip_data;
    const struct mem_topology *memory = data_of(&image, MEM_TOPOLOGY);
    const struct connectivity *list = data_of(&image, CONNECTIVITY);
    const struct connection *connections = list->m_connection;

    assert_int_equal(layout->m_count, 3);
    assert_int_equal(section(&image, IP_LAYOUT)->m_sectionSize,
                     sizeof(struct ip_layout) + 2 * sizeof(struct ip_data));
    for (int i = 0; i < 3; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "bittern_kernel:bittern_kernel_%d", i + 1);
        assert_string_equal((const char *)units[i].m_name, name);
        assert_int_equal(units[i].m_type, IP_KERNEL);
        assert_int_equal((units[i].properties & IP_CONTROL_MASK) >> IP_CONTROL_SHIFT, AP_CTRL_HS);
        assert_int_equal(units[i].m_base_address,
                         XCLBIN_UNIT_BASE + (uint64_t)i * XCLBIN_UNIT_RANGE);
    }
    assert_int_equal(memory->m_count, 1);
    assert_int_equal(memory->m_mem_data[0].m_base_address, XCLBIN_MEMORY_BASE);
    assert_int_equal(memory->m_mem_data[0].m_size * 1024, XCLBIN_MEMORY_BYTES);
    assert_int_equal(list->m_count, 15);
    for (int i = 0; i < 15; i++) {
        assert_int_equal(connections[i].m_ip_layout_index, i / 5);
        assert_int_equal(connections[i].arg_index, i % 5);
        assert_int_equal(connections[i].mem_data_index, 0);
    }
    free(image.data);
}

/* Would catch: an argument at another register than the driver and the Verilog have it. */
static void arguments_are_at_the_registers_of_the_driver(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned offset, size;
    } wanted[] = {{"program", KERNEL_PROGRAM, 8}, {"input", KERNEL_INPUT, 8},
                  {"output", KERNEL_OUTPUT, 8},   {"scratch", KERNEL_SCRATCH, 8},
                  {"record", KERNEL_RECORD, 8},   {"images", KERNEL_IMAGES, 4}};
    struct image image = make("cloud", 1);
    char *text = strndup(data_of(&image, EMBEDDED_METADATA),
                         section(&image, EMBEDDED_METADATA)->m_sectionSize);
    const char *at = text;

    assert_non_null(text);
    assert_non_null(strstr(text, "dataWidth=\"256\""));
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        char name[32];
        char id[32];
        char offset[32];
        char size[32];
        (void)snprintf(name, sizeof name, "<arg name=\"%s\"", wanted[i].name);
        (void)snprintf(id, sizeof id, " id=\"%zu\"", i);
        (void)snprintf(offset, sizeof offset, " offset=\"0x%02X\"", wanted[i].offset);
        (void)snprintf(size, sizeof size, " size=\"0x%X\"", wanted[i].size);
        at = strstr(at, name);
        assert_non_null(at);
        const char *end = strchr(at, '>');
        assert_true(end && strstr(at, id) < end && strstr(at, offset) < end &&
                    strstr(at, size) < end);
        assert_true(strstr(at, id) && strstr(at, offset) && strstr(at, size));
    }
    free(text);
    free(image.data);
}

/* Would catch: an archive in which XRT does not find its simulator, or one of another geometry. */
static void the_archive_holds_the_script_for_the_geometry(void **state)
{
    (void)state;
    char script[4096] = "";
    struct image image = make("edge-binary", 2);
    struct archive_entry *entry = NULL;
    struct archive *archive = archive_read_new();

    assert_non_null(archive);
    assert_int_equal(archive_read_support_format_zip(archive), ARCHIVE_OK);
    assert_int_equal(archive_read_open_memory(archive, data_of(&image, BITSTREAM),
                                              section(&image, BITSTREAM)->m_sectionSize),
                     ARCHIVE_OK);
    assert_int_equal(archive_read_next_header(archive, &entry), ARCHIVE_OK);
    assert_string_equal(archive_entry_pathname(entry), "behav_waveform/xsim/simulate.sh");
    assert_int_equal(archive_entry_perm(entry), 0755);
    assert_true(archive_read_data(archive, script, sizeof script - 1) > 0);
    assert_memory_equal(script, "#!/bin/sh\n", 10);
    assert_non_null(strstr(script, "--geometry edge-binary --units 2\n"));
    assert_int_equal(archive_read_next_header(archive, &entry), ARCHIVE_EOF);
    archive_read_free(archive);
    free(image.data);
}

/* Would catch: two images that XRT takes for one, or a file that differs from build to build. */
static void the_same_design_gives_the_same_bytes_and_another_one_another_identity(void **state)
{
    (void)state;
    struct image a = make("tiny", 1);
    struct image b = make("tiny", 1);
    struct image c = make("tiny", 2);
    struct image d = make("edge", 1);
    const unsigned char *uuid = header_of(&a)->m_header.uuid;

    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    assert_memory_not_equal(uuid, header_of(&c)->m_header.uuid, 16);
    assert_memory_not_equal(uuid, header_of(&d)->m_header.uuid, 16);
    free(a.data);
    free(b.data);
    free(c.data);
    free(d.data);
}

static void impossible_designs_are_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    const struct xclbin_design unknown = {"nonesuch", 1};
    const struct xclbin_design none = {"tiny", 0};
    const struct xclbin_design many = {"tiny", XCLBIN_MAX_UNITS + 1};
    assert_int_equal(xclbin_design_check(&unknown, &err), BITTERN_ERR_NOT_FOUND);
    assert_int_equal(xclbin_design_check(&none, &err), BITTERN_ERR_RANGE);
    assert_int_equal(xclbin_design_check(&many, &err), BITTERN_ERR_RANGE);
}

/* ---- Files that are read --------------------------------------------------------------------- */

static bittern_status read_image(const void *data, size_t size, struct bittern_error *err)
{
    char path[] = "/tmp/bittern-test-xclbin-XXXXXX";
    struct xclbin_file file;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    assert_int_equal(close(fd), 0);
    bittern_status status = xclbin_file_read(path, &file, err);
    if (status == BITTERN_OK) {
        assert_int_equal(file.section_count, 5);
        assert_int_equal(file.bytes, size);
        xclbin_file_free(&file);
    }
    assert_int_equal(unlink(path), 0);
    return status;
}

/* Would catch: a file that was cut off and goes to XRT, which reads past its end. */
static void a_file_cut_off_anywhere_is_refused(void **state)
{
    (void)state;
    struct bittern_error err;
    struct image image = make("tiny", 1);

    assert_ok(read_image(image.data, image.size, &err), &err);
    for (size_t size = 0; size < image.size; size += size < 700 ? 1 : 97) {
        if (read_image(image.data, size, &err) != BITTERN_ERR_FORMAT) {
            fail_msg("%zu of %zu bytes are taken for a whole file", size, image.size);
        }
    }
    assert_non_null(strstr(err.message, "cut off"));
    free(image.data);
}

/* Would catch: sections that lie outside of the file, also where offset + size wraps around. */
static void sections_outside_of_the_file_are_refused(void **state)
{
    (void)state;
    static const uint64_t offsets[] = {0, 8, UINT64_MAX, UINT64_MAX - 7, UINT64_C(1) << 40};
    struct bittern_error err;
    struct image image = make("tiny", 1);
    struct axlf *header = header_of(&image);
    struct axlf_section_header *first = header->m_sections;
    const struct axlf_section_header good = *first;

    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        first->m_sectionOffset = offsets[i];
        assert_int_equal(read_image(image.data, image.size, &err), BITTERN_ERR_FORMAT);
        *first = good;
        first->m_sectionSize = UINT64_MAX - 8 * i;
        assert_int_equal(read_image(image.data, image.size, &err), BITTERN_ERR_FORMAT);
        *first = good;
    }
    header->m_header.m_numSections = 0;
    assert_int_equal(read_image(image.data, image.size, &err), BITTERN_ERR_FORMAT);
    header->m_header.m_numSections = UINT32_MAX;
    assert_int_equal(read_image(image.data, image.size, &err), BITTERN_ERR_FORMAT);
    header->m_magic[0] = 'X';
    assert_int_equal(read_image(image.data, image.size, &err), BITTERN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "no .xclbin"));
    free(image.data);
}

static void what_is_no_file_is_an_error(void **state)
{
    (void)state;
    struct bittern_error err;
    struct xclbin_file file;
    assert_int_equal(xclbin_file_read("/nonesuch.xclbin", &file, &err), BITTERN_ERR_IO);
    assert_int_equal(xclbin_file_read("/tmp", &file, &err), BITTERN_ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_section_lies_in_the_file_and_none_in_another),
        cmocka_unit_test(units_memory_and_connections_are_those_of_the_card),
        cmocka_unit_test(arguments_are_at_the_registers_of_the_driver),
        cmocka_unit_test(the_archive_holds_the_script_for_the_geometry),
        cmocka_unit_test(the_same_design_gives_the_same_bytes_and_another_one_another_identity),
        cmocka_unit_test(impossible_designs_are_refused),
        cmocka_unit_test(a_file_cut_off_anywhere_is_refused),
        cmocka_unit_test(sections_outside_of_the_file_are_refused),
        cmocka_unit_test(what_is_no_file_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
