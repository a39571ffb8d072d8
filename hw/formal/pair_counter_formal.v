// SPDX-License-Identifier: Apache-2.0
// Property of pair_counter: each of its sums, with the two beside it, is the count of 16 pairs by
// the definition, written naively. Registers start in any state; `ce` stays high (compute_unit's
// proofs stall it).
`default_nettype none

module pair_counter_formal #(
    // As of pair_counter.
    parameter PAIRS = 64,
    parameter HAS_TERNARY = 1
) (
    input  wire             clk,
    // All as of pair_counter; free.
    input  wire [PAIRS-1:0] act_plus,
    input  wire [PAIRS-1:0] act_minus,
    input  wire [PAIRS-1:0] wgt_plus,
    input  wire [PAIRS-1:0] wgt_minus,
    input  wire [PAIRS-1:0] zero
);
    localparam SUMS = PAIRS / 15;

    wire [5*SUMS-1:0] sum;
    wire [SUMS-1:0]   two;
    pair_counter #(.PAIRS(PAIRS), .HAS_TERNARY(HAS_TERNARY)) u_pairs (
        .clk(clk), .ce(1'b1), .act_plus(act_plus), .act_minus(act_minus), .wgt_plus(wgt_plus),
        .wgt_minus(wgt_minus), .zero(zero), .sum(sum), .two(two)
    );

    // A pair's count.
    function [1:0] count;
        input a;
        input b;
        input v;
        input w;
        input ternary;
        if (ternary)
            count = (a && v) || (b && w) ? 2'd2 : (a && w) || (b && v) ? 2'd0 : 2'd1;
        else
            count = {1'b0, a == v} + {1'b0, b == w};
    endfunction

    // Sum s holds three fields of five pairs, and one of the pairs left over.
    reg [6*SUMS-1:0] value;
    integer s, f, k, i;
    always @* begin
        value = 0;
        i = 0;
        for (s = 0; s < SUMS; s = s + 1)
            for (f = 0; f < 4; f = f + 1)
                for (k = 0; k < (f == 3 ? 1 : 5); k = k + 1) begin
                    i = f == 3 ? 15 * SUMS + s : 5 * (f * SUMS + s) + k;
                    value[6*s +: 6] = value[6*s +: 6] + {4'd0, count(act_plus[i], act_minus[i],
                        wgt_plus[i], wgt_minus[i], zero[i])};
                end
    end

    // What the caller promises.
    always @* begin
        assume (!(zero & act_plus & act_minus));
        assume (!(zero & wgt_plus & wgt_minus));
        if (HAS_TERNARY == 0)
            assume (!(zero & (act_plus | act_minus)));
    end

    reg [6*SUMS-1:0] value1_reg, value2_reg;
    reg [SUMS-1:0] two_reg;
    reg [1:0] cycle_reg = 0;
    integer g;
    always @(posedge clk) begin
        value1_reg <= value;
        value2_reg <= value1_reg;
        two_reg <= two;
        if (cycle_reg != 2)
            cycle_reg <= cycle_reg + 1;
    end
    always @*
        if (cycle_reg == 2)
            for (g = 0; g < SUMS; g = g + 1)
                assert ({1'b0, sum[5*g +: 5]} + {4'd0, two_reg[g], 1'b0} == value2_reg[6*g +: 6]);
endmodule

`default_nettype wire
