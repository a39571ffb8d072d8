/* SPDX-License-Identifier: Apache-2.0 */
/* Depth and resets of netlists small enough to see: what counts as a level, and where paths end. */
#include "packing.h"
#include "resets.h"
#include "testing.h"
#include "timing.h"

#include <string.h>

#define HEAD ".model top\n.inputs clk\n.outputs\n.names $false\n.names $true\n1\n"
#define FF(q, d) ".subckt FDRE C=clk CE=$true D=" d " Q=" q " R=$false\n"

struct netlist {
    struct design design;
    struct packing packing;
};

static void open_netlist(struct netlist *netlist, const char *text)
{
    memset(netlist, 0, sizeof(*netlist));
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    rewind(file);
    netlist_read_design(&netlist->design, file);
    assert_int_equal(fclose(file), 0);
    packing_open(&netlist->packing, &netlist->design.models[0], netlist->design.net_count);
}

static void close_netlist(struct netlist *netlist)
{
    packing_close(&netlist->packing);
    netlist_close(&netlist->design);
}

static void assert_depths(const char *text, int none, int one, int two)
{
    struct netlist netlist;
    int depth[TIMING_CHAINS];
    open_netlist(&netlist, text);
    timing_measure_depth(&netlist.packing, &netlist.design.models[0], depth);
    close_netlist(&netlist);
    assert_int_equal(depth[0], none);
    assert_int_equal(depth[1], one);
    assert_int_equal(depth[2], two);
}

/* Would catch: levels counted to a LUT's pins instead of to the register, or a path that goes on
 * through a register. */
static void luts_between_registers_are_counted(void **state)
{
    (void)state;
    assert_depths(HEAD FF("a", "c") ".subckt LUT2 I0=a I1=a O=b\n.subckt INV I=b O=c\n", 2, -1, -1);
}

/* Would catch: the LUT at S left out, a LUT behind the chain left out, or a chain of two cells
 * taken for two chains. */
static void luts_before_in_and_behind_a_chain_are_counted(void **state)
{
    (void)state;
    assert_depths(HEAD FF("a", "e") ".subckt LUT1 I0=a O=b\n"
                                    ".subckt CARRY4 CI=$false CYINIT=$false S[0]=b S[1]=$false "
                                    "S[2]=$false S[3]=$false DI[0]=a DI[1]=$false DI[2]=$false "
                                    "DI[3]=$false CO[3]=c\n"
                                    ".subckt CARRY4 CI=c CYINIT=$false S[0]=$false S[1]=$false "
                                    "S[2]=$false S[3]=$false DI[0]=$false DI[1]=$false "
                                    "DI[2]=$false DI[3]=$false O[2]=d\n"
                                    ".subckt LUT1 I0=d O=e\n",
                  0, 2, -1);
}

/* Would catch: a chain that feeds another one, which is what no path may hold. */
static void two_chains_in_a_row_are_told_from_one(void **state)
{
    (void)state;
    assert_depths(HEAD FF("a", "d") ".subckt LUT1 I0=a O=b\n"
                                    ".subckt CARRY4 CI=$false CYINIT=$false S[0]=b DI[0]=$false "
                                    "O[0]=c\n"
                                    ".subckt LUT1 I0=c O=e\n"
                                    ".subckt CARRY4 CI=$false CYINIT=$false S[0]=e DI[0]=$false "
                                    "O[0]=d\n",
                  0, -1, 2);
}

/* Would catch: a path that ends where memory is read without a register. */
static void reading_lut_memory_is_a_level_from_its_own_address(void **state)
{
    (void)state;
    /* b addresses port A (two LUTs before it), a addresses port B. */
    assert_depths(HEAD FF("a", "y")
                      FF("z", "x") ".subckt LUT1 I0=a O=b\n"
                                   ".subckt RAM32M ADDRA[0]=b ADDRB[0]=a ADDRD[0]=$false "
                                   "DIA[0]=$false WCLK=clk WE=$false DOA[0]=y DOB[0]=x\n",
                  2, -1, -1);
    assert_depths(HEAD FF("a", "y") ".subckt SRL16E A0=$true A1=$false A2=$false A3=$false "
                                    "CE=$true CLK=clk D=a Q=y\n",
                  1, -1, -1);
}

/* Would catch: a multiplier without registers that costs nothing, or one with registers that
 * joins what is before and behind it. */
static void a_dsp_block_counts_where_its_registers_do_not_cut_it(void **state)
{
    (void)state;
    const char *all = HEAD FF("p", "a") ".subckt LUT1 I0=p O=b\n"
                                        ".subckt DSP48E1 A[0]=b B[0]=$false C[0]=$false "
                                        "D[0]=$false P[0]=a\n"
                                        ".param AREG 0001\n.param MREG 0001\n.param PREG 0001\n"
                                        ".param BREG 0001\n.param CREG 0001\n";
    const char *none = HEAD FF("p", "a") ".subckt LUT1 I0=p O=b\n"
                                         ".subckt DSP48E1 A[0]=b B[0]=$false C[0]=$false "
                                         "D[0]=$false P[0]=a\n"
                                         ".param AREG 0000\n.param MREG 0000\n.param PREG 0000\n"
                                         ".param BREG 0000\n.param CREG 0000\n";
    assert_depths(all, 4, 1, -1);  /* its own registers: multiplier, then adder */
    assert_depths(none, 0, 6, -1); /* a LUT, the multiplier's four, the adder's one */
}

/* Would catch: a reset that comes by way of a LUT and is overlooked, or a register without reset
 * that is counted. */
static void the_reset_is_found_behind_logic(void **state)
{
    (void)state;
    struct netlist netlist;
    struct resets resets;
    open_netlist(&netlist, HEAD ".subckt FDRE C=clk CE=$true D=x Q=rst_n_reg R=$false\n"
                                ".subckt LUT2 I0=u.rst_n I1=x O=r\n.names rst_n_reg u.rst_n\n1 1\n"
                                ".subckt FDRE C=clk CE=$true D=x Q=by_pin R=r\n"
                                ".subckt FDRE C=clk CE=r D=x Q=by_logic R=$false\n"
                                ".subckt FDRE C=clk CE=$true D=x Q=cleared R=x\n"
                                ".subckt FDRE C=clk CE=$true D=by_pin Q=x R=$false\n");
    resets_count(&netlist.packing, &netlist.design.models[0], &netlist.design, &resets);
    close_netlist(&netlist);
    assert_int_equal(resets.by_pin, 1);
    assert_int_equal(resets.by_logic, 1);
    assert_int_equal(resets.cleared, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(luts_between_registers_are_counted),
        cmocka_unit_test(luts_before_in_and_behind_a_chain_are_counted),
        cmocka_unit_test(two_chains_in_a_row_are_told_from_one),
        cmocka_unit_test(reading_lut_memory_is_a_level_from_its_own_address),
        cmocka_unit_test(a_dsp_block_counts_where_its_registers_do_not_cut_it),
        cmocka_unit_test(the_reset_is_found_behind_logic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
