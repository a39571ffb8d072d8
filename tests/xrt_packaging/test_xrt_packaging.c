/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packaging for boards (hw/xrt), without Vivado: check_packaging.tcl compares it with the
 * Verilog, the C header and the documentation, and a damaged copy shows that it would see each
 * difference; build.sh runs with stand-ins for Vitis' tools.
 */
#include "run_command.h"
#include "testing.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define EXIT_MISSING 3

static const char rules[] = BITTERN_SOURCE_DIR "/tests/xrt_packaging/check_packaging.tcl";
/* Stand-ins for Vitis' tools, before what is in PATH. */
static const char tools[] = BITTERN_SOURCE_DIR "/tests/xrt_packaging/bin:";
static char folder[64]; /* holds `tree`, a copy of what is packaged */

static const char *at(const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void shell(const char *command, const char *argument)
{
    struct command_result result;
    run_command(&result, NULL, ARGS("sh", "-euc", command, "sh", argument, folder));
    if (result.exit_code != 0) {
        fail_msg("%s: %s", command, result.err);
    }
    command_result_free(&result);
}

static int copy_tree(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/bittern-packaging-XXXXXX");
    if (!mkdtemp(folder)) {
        return -1;
    }
    shell("mkdir -p $2/tree; cd $1; tar -cf - hw host/src/device docs/register-map.md "
          "tests/xrt_packaging | tar -xf - -C $2/tree",
          BITTERN_SOURCE_DIR);
    return 0;
}

static int remove_tree(void **state)
{
    (void)state;
    shell("rm -r \"$2\"", "");
    return 0;
}

/* ---- One description --------------------------------------------------------------------------*/

static void check_tree(struct command_result *result)
{
    char tree[512];
    char work[512];
    (void)snprintf(tree, sizeof tree, "%s", at("tree"));
    (void)snprintf(work, sizeof work, "%s", at("work"));
    run_command(result, NULL, ARGS("tclsh", rules, tree, work));
}

/* Would catch: an argument at another place in Verilog, C, documentation, IP or kernel.xml. */
static void packaging_agrees_with_verilog_header_and_documentation(void **state)
{
    (void)state;
    struct command_result result;
    check_tree(&result);
    if (result.exit_code != 0) {
        fail_msg("%s%s", result.out, result.err);
    }
    command_result_free(&result);
}

/* As `check_tree` has it once more where the packager names clock, reset and interrupt itself. */
static void packaging_works_where_the_packager_infers_the_clock(void **state)
{
    (void)state;
    assert_int_equal(setenv("RECORDER_INFERS", "all", 1), 0);
    struct command_result result;
    check_tree(&result);
    unsetenv("RECORDER_INFERS");
    if (result.exit_code != 0) {
        fail_msg("%s%s", result.out, result.err);
    }
    command_result_free(&result);
}

struct damage {
    const char *file; /* below the tree */
    const char *from, *to;
    const char *says; /* part of what the check must print */
};

static const struct damage damages[] = {
    /* the description itself */
    {"hw/xrt/arguments.txt", "scratch    0x034", "scratch    0x02C", "overlaps"},
    {"hw/xrt/arguments.txt", "images     0x04C", "images     0x050", "KERNEL_IMAGES is 0x04C"},
    {"hw/xrt/arguments.txt", "record     0x040   8      memory", "record     0x040   4      value",
     "record is not at 0x040, 4 bytes"},
    {"hw/xrt/arguments.txt", "IP_IER     0x008", "IP_IIR     0x008", "KERNEL_IP_IIR"},
    /* those that it is compared with */
    {"host/src/device/kernel_registers.h", "KERNEL_OUTPUT 0x028", "KERNEL_OUTPUT 0x02C",
     "KERNEL_OUTPUT is 0x02C"},
    {"host/src/device/kernel_registers.h", "KERNEL_INTERRUPT_ENABLE 0x008",
     "KERNEL_INTERRUPT_ENABLE 0x00C", "KERNEL_INTERRUPT_ENABLE"},
    {"docs/register-map.md", "| 0x1C, 0x20 | input", "| 0x20, 0x24 | input", "register-map.md"},
    {"hw/rtl/axil_control.v", "4 + 3 * (n / 2)", "4 + 2 * (n / 2)", "axil_control.v"},
    {"hw/rtl/axil_control.v", "run_reg[128 +:", "run_reg[192 +:", "axil_control.v"},
    {"hw/rtl/axil_control.v", "ARGUMENT_WORDS = 11", "ARGUMENT_WORDS = 10", "ARGUMENT_WORDS"},
    {"hw/rtl/axil_control.v", "aw_word_reg == 10'h002", "aw_word_reg == 10'h003", "IP_IER"},
    /* ports that Vitis would not take */
    {"hw/rtl/bittern_kernel.v", "ADDR_BITS = 64", "ADDR_BITS = 40", "width of m_axi_gmem_awaddr"},
    {"hw/rtl/bittern_kernel.v", "output wire                 interrupt",
     "output wire                 irq", "interrupt"},
    {"hw/rtl/bittern_kernel.v", "input  wire                 ap_rst_n",
     "input  wire                 ap_rst", "ap_rst_n"},
    {"hw/rtl/bittern_kernel.v", "[WORD/8-1:0]    m_axi_gmem_wstrb",
     "[WORD/4-1:0]    m_axi_gmem_wstrb", "width of m_axi_gmem_wstrb"},
    {"hw/rtl/bittern_kernel.v", "input  wire [11:0]          s_axi_control_awaddr",
     "input  wire [5:0]           s_axi_control_awaddr", "width of s_axi_control_awaddr"},
    {"hw/rtl/bittern_kernel.v", "output wire [7:0]           m_axi_gmem_arlen,", "",
     "no port m_axi_gmem_arlen"},
    {"hw/rtl/bittern_kernel.v", "input  wire                 ap_clk,",
     "input  wire                 ap_clk, input wire debug,", "port debug"},
    {"hw/rtl/bittern_kernel.v", "parameter WORD = 128", "parameter BITS = 128", "parameter WORD"},
    {"hw/geometries.txt", "edge           128", "edge           96 ", "96 bits"},
    /* Vivado's scripts */
    {"hw/xrt/package_kernel.tcl", "-busif m_axi_gmem -clock ap_clk", "-busif m_axi_gmem",
     "-clock is missing"},
    {"hw/xrt/package_kernel.tcl",
     "    ipx::associate_bus_interfaces -busif s_axi_control -clock ap_clk $core\n", "",
     "no clock is associated with s_axi_control"},
    {"hw/xrt/package_kernel.tcl", " -clock ap_clk -reset ap_rst_n", " -clock ap_clk",
     "no reset is associated"},
    {"hw/xrt/package_kernel.tcl", "-busif m_axi_gmem", "-busif m_axi_gmem0", "bus/m_axi_gmem0"},
    {"hw/xrt/package_kernel.tcl", "ACTIVE_LOW", "ACTIVE_HIGH", "POLARITY"},
    {"hw/xrt/package_kernel.tcl", "ipx::save_core", "ipx::store_core", "ipx::store_core"},
    {"hw/xrt/package_kernel.tcl", "sdx_kernel_type rtl", "sdx_kernel_type hls", "sdx_kernel_type"},
    {"hw/xrt/package_kernel.tcl", "[expr {8 * $bytes}]", "32", "packaged registers"},
    {"hw/xrt/package_kernel.tcl", "set_property address_offset [format 0x%03X $offset]",
     "set_property address_offset [format 0x%03X [expr {$offset + 4}]]", "packaged registers"},
    {"hw/xrt/package_kernel.tcl", "-root_dir $ip ", "", "-root_dir is missing"},
    {"hw/xrt/package_kernel.tcl", "range 4096", "range 64", "range 4096"},
    {"hw/xrt/gen_xo.tcl", "-xo_path $output ", "", "-xo_path is missing"},
    {"hw/xrt/gen_xo.tcl", "-kernel_xml $xml", "-kernel $xml", "no option -kernel"},
    {"hw/xrt/gen_xo.tcl", "[dict get $parameters WORD]", "512", "kernel.xml"},
    {"hw/xrt/description.tcl", "lassign {1 m_axi_gmem void*}", "lassign {0 m_axi_gmem void*}",
     "kernel.xml"},
    {"hw/xrt/description.tcl", "offset=\\\"[format 0x%03X $offset]",
     "offset=\\\"[format 0x%03X 16]", "kernel.xml"},
    {"hw/xrt/description.tcl", "hwControlProtocol=\\\"ap_ctrl_hs",
     "hwControlProtocol=\\\"ap_ctrl_none", "hwControlProtocol"},
    {"hw/xrt/description.tcl", "vlnv=\\\"$vendor", "vlnv=\\\"xilinx.com", "vlnv"},
    /* settings for v++ */
    {"hw/xrt/u55c.cfg", "sp=bittern_kernel_1.record:HBM[0:3]\n", "", "connected arguments"},
    {"hw/xrt/u55c.cfg", "record:HBM[0:3]", "record:HBM[4:7]", "connected arguments"},
    {"hw/xrt/u55c.cfg", "program:HBM[0:3]", "program:HBM[0:32]", "no memory of u55c"},
    {"hw/xrt/u250.cfg", "nk=bittern_kernel:1", "nk=bittern:1", "u250.cfg"},
    {"hw/xrt/kv260.cfg", "[connectivity]", "[conectivity]", "conectivity"},
    {"hw/xrt/zcu104.cfg", "input:HP0", "inputs:HP0", "zcu104.cfg"},
    {"hw/xrt/platforms.txt", "edge      xck26", "edgy      xck26", "edgy"},
};

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = calloc(1, 1 << 18);
    assert_non_null(text);
    size_t size = fread(text, 1, (1 << 18) - 1, file);
    assert_true(size < (1 << 18) - 1);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void write_parts(const char *path, const char *head, size_t head_size, const char *middle,
                        const char *tail)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(head, 1, head_size, file), head_size);
    assert_true(fputs(middle, file) >= 0 && fputs(tail, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Would catch: a check that no longer looks where it should. */
static void every_damage_is_found_and_named(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        const struct damage *damage = &damages[i];
        char path[256];
        (void)snprintf(path, sizeof path, "%s/tree/%s", folder, damage->file);
        char *text = read_file(path);
        const char *place = strstr(text, damage->from);
        if (!place) {
            fail_msg("%s has no '%s'", damage->file, damage->from);
        }
        write_parts(path, text, (size_t)(place - text), damage->to, place + strlen(damage->from));
        struct command_result result;
        check_tree(&result);
        write_parts(path, text, strlen(text), "", "");
        free(text);
        if (result.exit_code == 0 || !strstr(result.err, damage->says)) {
            print_error("%s, '%s' for '%s': not found, or not named: %s", damage->file, damage->to,
                        damage->from, result.err);
            wrong++;
        }
        command_result_free(&result);
    }
    assert_int_equal(wrong, 0);
}

/* ---- build.sh -------------------------------------------------------------------------------- */

static void build(struct command_result *result, const char *path, const char *more,
                  const char *const *arguments)
{
    char script[128];
    char search[1024];
    const char *all[16] = {script};
    (void)snprintf(script, sizeof script, "%s/tree/hw/xrt/build.sh", folder);
    (void)snprintf(search, sizeof search, "PATH=%s%s", path, getenv("PATH"));
    const struct command_options options = {
        .environment = ARGS(search, "PLATFORM_REPO_PATHS", "XILINX_VITIS", more)};
    for (size_t i = 0; arguments[i]; i++) {
        assert_true(i + 2 < sizeof all / sizeof all[0]);
        all[i + 1] = arguments[i];
    }
    run_command(result, &options, all);
}

static void expect_build(const char *path, const char *more, int exit_code, const char *const *says,
                         const char *const *arguments)
{
    struct command_result result;
    build(&result, path, more, arguments);
    if (result.exit_code != exit_code) {
        fail_msg("%s: exit code %d: %s%s", arguments[0], result.exit_code, result.out, result.err);
    }
    for (; *says; says++) {
        if (!strstr(result.out, *says) && !strstr(result.err, *says)) {
            fail_msg("'%s' is missing in: %s%s", *says, result.out, result.err);
        }
    }
    command_result_free(&result);
}

/* Would catch: a build that begins, and fails after minutes for want of a tool. */
static void build_names_every_missing_part_before_it_starts(void **state)
{
    (void)state;
    expect_build("", "UNSET", EXIT_MISSING,
                 ARGS("vivado is not in PATH", "v++ is not in PATH", "settings64.sh",
                      "xilinx_u250_gen3x16_xdma_4_1_202210_1", "alveo/u250.html"),
                 ARGS("u250"));
    expect_build("", "UNSET", EXIT_MISSING, ARGS("kv260_custom", "Vitis-Tutorials"),
                 ARGS("kv260", "hw"));
    expect_build("", "UNSET", EXIT_MISSING, ARGS("there is no platform file /none.xpfm"),
                 ARGS("zcu104", "--xpfm", "/none.xpfm"));
    assert_int_equal(access(at("tree/build"), F_OK), -1);
}

/* Would catch: a misspelled option that is silently left out. */
static void build_refuses_what_it_does_not_know(void **state)
{
    (void)state;
    expect_build("", "UNSET", 2, ARGS("which platform"), ARGS("--dry-run"));
    expect_build("", "UNSET", 2, ARGS("no platform 'u280'", "u250 u55c"), ARGS("u280"));
    expect_build("", "UNSET", 2, ARGS("neither hw nor hw_emu"), ARGS("u250", "sw_emu"));
    expect_build("", "UNSET", 2, ARGS("no geometry 'huge'", "cloud"),
                 ARGS("u250", "--geometry", "huge"));
    expect_build("", "UNSET", 2, ARGS("'0' is not"), ARGS("u250", "--jobs", "0"));
    expect_build("", "UNSET", 2, ARGS("needs a value"), ARGS("u250", "--geometry"));
    expect_build("", "UNSET", 2, ARGS("unknown option '--fast'"), ARGS("u250", "--fast"));
    expect_build("", "UNSET", 2, ARGS("for embedded boards"), ARGS("u250", "--rootfs", "x"));
    expect_build("", "UNSET", 0, ARGS("Exit codes", "Examples"), ARGS("--help"));
}

/* Would catch: options that Vivado or v++ do not have; a result that is not where it is said. */
static void build_runs_both_tools_for_every_platform(void **state)
{
    (void)state;
    static const char *const platforms[][2] = {
        {"u250", "cloud"}, {"u55c", "cloud"}, {"zcu104", "edge"}, {"kv260", "edge"}};
    char xpfm[512];
    shell("echo platform >$2/board.xpfm; echo image >$2/image", "");
    (void)snprintf(xpfm, sizeof xpfm, "%s", at("board.xpfm"));
    for (size_t i = 0; i < sizeof platforms / sizeof platforms[0]; i++) {
        char result[128];
        (void)snprintf(result, sizeof result, "tree/build/xrt/%s-%s-hw/bittern.xclbin",
                       platforms[i][0], platforms[i][1]);
        expect_build(tools, "UNSET", 0, ARGS("Built", result),
                     ARGS(platforms[i][0], "--xpfm", xpfm, "--frequency", "200"));
        assert_int_equal(access(at(result), F_OK), 0);
    }
    expect_build(tools, "UNSET", 0, ARGS("XCL_EMULATION_MODE"),
                 ARGS("u55c", "hw_emu", "--geometry", "tiny", "--xpfm", xpfm));
    assert_int_equal(access(at("tree/build/xrt/u55c-tiny-hw_emu/emconfig.json"), F_OK), 0);
    char image[512];
    (void)snprintf(image, sizeof image, "%s", at("image"));
    expect_build(
        tools, "UNSET", 0, ARGS("SD card"),
        ARGS("zcu104", "--xpfm", xpfm, "--rootfs", image, "--kernel-image", image, "--jobs", "1"));
}

/* Would catch: half a file, or an older one, taken for the result of a build that failed. */
static void failed_or_interrupted_link_leaves_no_result(void **state)
{
    (void)state;
    char xpfm[512];
    shell("mkdir -p $2/p/kv260_custom $2/tree/build/xrt/kv260-edge-hw; "
          "echo platform >$2/p/kv260_custom/kv260_custom.xpfm; "
          "echo old >$2/tree/build/xrt/kv260-edge-hw/bittern.xclbin",
          "");
    (void)snprintf(xpfm, sizeof xpfm, "%s", at("p/kv260_custom/kv260_custom.xpfm"));
    expect_build(tools, "FAKE_LINK_FAILS=1", 1,
                 ARGS("timing is not met", "v++ failed with 1", "link.log"),
                 ARGS("kv260", "--xpfm", xpfm));
    assert_int_equal(access(at("tree/build/xrt/kv260-edge-hw/bittern.xclbin"), F_OK), -1);
    expect_build(tools, "FAKE_LINK_STOPS=1", 130, (const char *const[]){NULL},
                 ARGS("kv260", "--xpfm", xpfm));
    assert_int_equal(access(at("tree/build/xrt/kv260-edge-hw/bittern.xclbin"), F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packaging_agrees_with_verilog_header_and_documentation),
        cmocka_unit_test(packaging_works_where_the_packager_infers_the_clock),
        cmocka_unit_test(every_damage_is_found_and_named),
        cmocka_unit_test(build_names_every_missing_part_before_it_starts),
        cmocka_unit_test(build_refuses_what_it_does_not_know),
        cmocka_unit_test(build_runs_both_tools_for_every_platform),
        cmocka_unit_test(failed_or_interrupted_link_leaves_no_result),
    };
    return cmocka_run_group_tests(tests, copy_tree, remove_tree);
}
