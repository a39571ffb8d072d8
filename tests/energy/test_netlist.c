/* SPDX-License-Identifier: Apache-2.0 */
/* Netlists of a few cells, whose values and changes can be counted by hand. */
#include "testing.h"

#include "base/file.h"
#include "netlist.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bittern_status read_text(const char *text, struct netlist **netlist,
                                struct bittern_error *err)
{
    char path[] = "/tmp/bittern-netlist-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    (void)close(file);
    assert_ok(file_write(path, text, strlen(text), err), err);
    bittern_status status = netlist_read(path, netlist, err);
    (void)unlink(path);
    return status;
}

static struct netlist *read_netlist(const char *text)
{
    struct bittern_error err;
    struct netlist *netlist = NULL;
    assert_ok(read_text(text, &netlist, &err), &err);
    return netlist;
}

static void step(struct netlist *netlist, bool delayed, struct toggles *toggles)
{
    struct bittern_error err;
    assert_ok(netlist_step(netlist, delayed, ~UINT64_C(0), toggles, &err), &err);
}

/* y = a and not a, which is 1 only until the inverter has answered; q holds y. */
static const char glitch[] = ".model glitch\n"
                             ".inputs clk a en\n"
                             ".outputs y q\n"
                             ".names $false\n"
                             ".names $true\n1\n"
                             ".subckt LUT1 I0=a O=n\n"
                             ".param INIT 01\n"
                             ".subckt LUT2 I0=a I1=n O=z\n"
                             ".param INIT 1000\n"
                             ".names z y\n1 1\n"
                             ".subckt FDRE C=clk CE=en D=z R=$false Q=q\n"
                             ".param INIT 0\n"
                             ".end\n";

/* Would catch: glitches that are not seen, or that are counted where nothing has a delay. */
static void a_glitch_shows_with_delays_only(void **state)
{
    struct toggles settled = {{0}, {0}};
    struct toggles delayed = {{0}, {0}};
    struct netlist *netlist = read_netlist(glitch);
    int a = netlist_find_port(netlist, "a", -1);
    int y = netlist_find_port(netlist, "y", -1);
    (void)state;

    for (int with = 0; with < 2; with++) {
        struct toggles *toggles = with ? &delayed : &settled;
        netlist_reset(netlist);
        netlist_set_input(netlist, a, 5); /* streams 0 and 2 rise */
        step(netlist, with, toggles);
        assert_int_equal(netlist_value(netlist, y), 0);
        netlist_set_input(netlist, a, 4); /* stream 0 falls: n rises behind it, no glitch */
        step(netlist, with, toggles);
        assert_int_equal(netlist_value(netlist, y), 0);
    }
    assert_int_equal(settled.changes[NET_INPUT], 3);
    assert_int_equal(settled.changes[NET_LUT], 3); /* n alone */
    assert_int_equal(delayed.changes[NET_INPUT], 3);
    assert_int_equal(delayed.changes[NET_LUT], 3 + 2 * 2); /* y up and down in two streams */
    assert_int_equal(settled.routed[NET_INPUT], 3 * 2 * ROUTED_ONE); /* two LUTs read a */
    assert_int_equal(delayed.routed[NET_LUT], 3 * ROUTED_ONE);       /* z goes to D of its slice */
    netlist_free(netlist);
}

/* Would catch: a register that takes what comes in the cycle itself, or that ignores its enable. */
static void a_register_takes_what_was_there_at_its_edge(void **state)
{
    static const char text[] =
        ".model r\n.inputs clk d en r\n.outputs q\n"
        ".subckt FDRE C=clk CE=en D=d R=r Q=q\n.cname f\n.param INIT 0\n.end\n";
    struct netlist *netlist = read_netlist(text);
    int d = netlist_find_port(netlist, "d", -1);
    int en = netlist_find_port(netlist, "en", -1);
    int r = netlist_find_port(netlist, "r", -1);
    int q = netlist_find_port(netlist, "q", -1);
    (void)state;

    for (int with = 0; with < 2; with++) {
        netlist_reset(netlist);
        netlist_set_input(netlist, d, 7);
        netlist_set_input(netlist, en, 3);
        netlist_set_input(netlist, r, 2);
        step(netlist, with, NULL);
        assert_int_equal(netlist_value(netlist, q), 0);
        step(netlist, with, NULL);
        assert_int_equal(netlist_value(netlist, q), 1); /* 2 is reset, 4 not enabled */
        netlist_set_input(netlist, en, 0);
        netlist_set_input(netlist, r, 0);
        step(netlist, with, NULL); /* by the edge before this, still as it was */
        step(netlist, with, NULL);
        assert_int_equal(netlist_value(netlist, q), 1);
        assert_true(netlist_force(netlist, q, 6));
        step(netlist, with, NULL);
        assert_int_equal(netlist_value(netlist, q), 6);
        assert_false(netlist_force(netlist, d, 6));
    }
    netlist_free(netlist);
}

/* Would catch: a carry chain with another order of bits, or that takes the wrong multiplexer. */
static void a_carry_cell_adds_all_pairs_of_four_bits(void **state)
{
    static const char text[] =
        ".model add\n.inputs a[0] a[1] a[2] a[3] b[0] b[1] b[2] b[3]\n"
        ".outputs s[0] s[1] s[2] s[3] c\n.names $false\n"
        ".subckt LUT2 I0=a[0] I1=b[0] O=x0\n.cname x\n.param INIT 0110\n"
        ".subckt LUT2 I0=a[1] I1=b[1] O=x1\n.param INIT 0110\n"
        ".subckt LUT2 I0=a[2] I1=b[2] O=x2\n.param INIT 0110\n"
        ".subckt LUT2 I0=a[3] I1=b[3] O=x3\n.param INIT 0110\n"
        ".subckt CARRY4 CI=$false CO[0]=c0 CO[1]=c1 CO[2]=c2 CO[3]=c CYINIT=$false \\\n"
        " DI[0]=a[0] DI[1]=a[1] DI[2]=a[2] DI[3]=a[3] O[0]=s[0] O[1]=s[1] O[2]=s[2] O[3]=s[3] \\\n"
        " S[0]=x0 S[1]=x1 S[2]=x2 S[3]=x3\n.end\n";
    struct netlist *netlist = read_netlist(text);
    (void)state;

    for (unsigned base = 0; base < 256; base += 64) {
        for (int bit = 0; bit < 4; bit++) {
            uint64_t a = 0;
            uint64_t b = 0;
            for (unsigned s = 0; s < 64; s++) {
                a |= (uint64_t)((base + s) >> bit & 1) << s;
                b |= (uint64_t)((base + s) >> (4 + bit) & 1) << s;
            }
            netlist_set_input(netlist, netlist_find_port(netlist, "a", bit), a);
            netlist_set_input(netlist, netlist_find_port(netlist, "b", bit), b);
        }
        step(netlist, base % 128 != 0, NULL);
        for (unsigned s = 0; s < 64; s++) {
            unsigned sum = 0;
            for (int bit = 0; bit < 5; bit++) {
                int net = bit < 4 ? netlist_find_port(netlist, "s", bit)
                                  : netlist_find_port(netlist, "c", -1);
                sum |= (unsigned)(netlist_value(netlist, net) >> s & 1) << bit;
            }
            assert_int_equal(sum, ((base + s) & 15) + ((base + s) >> 4));
        }
    }
    netlist_free(netlist);
}

/* Would catch: a netlist that is replayed in part, or a crash on a broken one. */
static void netlists_that_cannot_be_replayed_are_refused(void **state)
{
    static const struct {
        const char *text;
        bittern_status status;
    } broken[] = {
        {"", BITTERN_ERR_FORMAT},
        {".model m\n.end\n", BITTERN_ERR_FORMAT},
        {".subckt DSP48E1 A=a P=p\n.end\n", BITTERN_ERR_UNSUPPORTED},
        {".subckt LUT7 I0=a O=o\n.end\n", BITTERN_ERR_UNSUPPORTED},
        {".subckt LUT1 I0=a\n.end\n", BITTERN_ERR_UNSUPPORTED},
        {".subckt LUT1 I0 O=o\n.end\n", BITTERN_ERR_FORMAT},
        {".subckt FDRE C=c D=d Q=q\n.param IS_C_INVERTED 1\n.end\n", BITTERN_ERR_UNSUPPORTED},
        {".names a b c\n11 1\n.end\n", BITTERN_ERR_UNSUPPORTED},
        {".subckt LUT1 I0=a O=b\n.param INIT 01\n.subckt LUT1 I0=b O=a\n.param INIT 01\n.end\n",
         BITTERN_ERR_UNSUPPORTED},
    };
    struct bittern_error err;
    struct netlist *netlist = NULL;
    (void)state;

    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        bittern_status status = read_text(broken[i].text, &netlist, &err);
        if (status != broken[i].status) {
            fail_msg("netlist %zu: %s", i, bittern_status_name(status));
        }
        assert_null(netlist);
    }
    assert_int_equal(netlist_read("/nonexistent", &netlist, &err), BITTERN_ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_glitch_shows_with_delays_only),
        cmocka_unit_test(a_register_takes_what_was_there_at_its_edge),
        cmocka_unit_test(a_carry_cell_adds_all_pairs_of_four_bits),
        cmocka_unit_test(netlists_that_cannot_be_replayed_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
