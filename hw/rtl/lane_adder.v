// SPDX-License-Identifier: Apache-2.0
// First two stages of the ternary-accumulate tree: masks and inverts up to 16 lanes of 8 bits, and
// adds three each.
//
// Lanes are added as a + 128, so that no adder needs sign bits. Lane t of a third is added to lane t
// of the other thirds; what three does not divide stays single. The lanes of the first two thirds
// are masked and inverted before the first register. Those of the last third are masked by that
// register's reset and inverted in the adder's LUTs, which costs no site; so are single lanes, but
// for the last EARLY_SINGLES, where the reader has no adder for them.
// The stages are functions of whole words, so that a simulator has few and wide operations, and
// none at all while `ce` is low.
//
// Two cycles; holds while `ce` is low.
`default_nettype none

module lane_adder #(
    // Lanes: 4, 8 or 16.
    parameter LANES = 16,
    // Weights that may be zero; without them `nonzero` is not read.
    parameter HAS_TERNARY = 1,
    // Single lanes to invert before the first register.
    parameter EARLY_SINGLES = 0,
    // Derived; leave them.
    parameter TRIPLES = LANES / 3,
    parameter SINGLES = LANES - 3 * TRIPLES
) (
    input  wire                  clk,
    input  wire                  ce,
    // Activation; two's complement.
    input  wire [8*LANES-1:0]    act,
    // Weights, a lane: negate, and not zero.
    input  wire [LANES-1:0]      neg,
    input  wire [LANES-1:0]      nonzero,
    // Sums of three lanes, each with three times the offset of 128.
    output wire [10*TRIPLES-1:0] sum,
    // Single lanes; the early ones, which are the upper ones, with the offset. The others are to be
    // inverted where `single_neg`, and given the offset (late_lane).
    output wire [8*SINGLES-1:0]  single,
    output wire [SINGLES-1:0]    single_neg
);
    localparam THIRD = 8 * TRIPLES;
    localparam EARLY = 2 * TRIPLES;

    // Masks of a third's lanes: each bit to its lane's first, in three steps, and to the rest of it
    // in three more.
    function [THIRD-1:0] spread;
        input [TRIPLES-1:0] bits;
        reg [63:0] step;
        begin
            step = {{(64-TRIPLES){1'b0}}, bits};
            step = (step | step << 28) & 64'h0000_000F_0000_000F;
            step = (step | step << 14) & 64'h0003_0003_0003_0003;
            step = (step | step << 7) & 64'h0101_0101_0101_0101;
            step = step | step << 1;
            step = step | step << 2;
            step = step | step << 4;
            spread = step[THIRD-1:0];
        end
    endfunction

    // Lanes of a third, inverted and with the offset.
    function [THIRD-1:0] invert;
        input [THIRD-1:0] lanes;
        input [TRIPLES-1:0] lanes_neg;
        invert = lanes ^ spread(lanes_neg) ^ {TRIPLES{8'h80}};
    endfunction

    // Lanes of a third, masked, inverted and with the offset.
    function [THIRD-1:0] mask_and_invert;
        input [THIRD-1:0] lanes;
        input [TRIPLES-1:0] lanes_neg;
        input [TRIPLES-1:0] lanes_nonzero;
        if (HAS_TERNARY != 0)
            mask_and_invert = invert(lanes & spread(lanes_nonzero), lanes_neg);
        else
            mask_and_invert = invert(lanes, lanes_neg);
    endfunction

    // Sums of ten bits, a chain each: at most 765.
    function [10*TRIPLES-1:0] add_thirds;
        input [THIRD-1:0] x;
        input [THIRD-1:0] y;
        input [THIRD-1:0] z;
        reg [THIRD-1:0] carry;
        reg [THIRD-1:0] half;
        integer t;
        begin
            carry = (x & y) | (z & (x | y));
            half = x ^ y ^ z;
            for (t = 0; t < TRIPLES; t = t + 1)
                add_thirds[10*t +: 10] = {1'b0, carry[8*t +: 8], 1'b0} + {2'b00, half[8*t +: 8]};
        end
    endfunction

    reg [2*THIRD-1:0]       early_reg;
    reg [8*LANES-1:2*THIRD] late_reg;
    reg [LANES-1:EARLY]     late_neg_reg;
    reg [10*TRIPLES-1:0]    sum_reg;
    reg [8*SINGLES-1:0]     single_reg;
    reg [SINGLES-1:0]       single_neg_reg;
    integer l;
    always @(posedge clk)
        if (ce) begin
            early_reg[0 +: THIRD] <= mask_and_invert(act[0 +: THIRD],
                neg[0 +: TRIPLES], nonzero[0 +: TRIPLES]);
            early_reg[THIRD +: THIRD] <= mask_and_invert(act[THIRD +: THIRD],
                neg[TRIPLES +: TRIPLES], nonzero[TRIPLES +: TRIPLES]);
            for (l = EARLY; l < LANES; l = l + 1)
                if (l >= LANES - EARLY_SINGLES)
                    late_reg[8*l +: 8] <= (HAS_TERNARY == 0 || nonzero[l] ? act[8*l +: 8] : 8'h00)
                        ^ {8{neg[l]}} ^ 8'h80;
                else if (HAS_TERNARY == 0 || nonzero[l])
                    late_reg[8*l +: 8] <= act[8*l +: 8];
                else
                    late_reg[8*l +: 8] <= 8'h00;
            late_neg_reg <= neg[LANES-1:EARLY];
            sum_reg <= add_thirds(early_reg[0 +: THIRD], early_reg[THIRD +: THIRD],
                invert(late_reg[2*THIRD +: THIRD], late_neg_reg[EARLY +: TRIPLES]));
            single_reg <= late_reg[8*LANES-1:3*THIRD];
            single_neg_reg <= late_neg_reg[LANES-1:3*TRIPLES];
        end

    assign sum = sum_reg;
    assign single = single_reg;
    assign single_neg = single_neg_reg;

    generate
        if (LANES != 4 && LANES != 8 && LANES != 16) begin : g_refuse_lanes
            lane_adder_takes_4_8_or_16_lanes u_refuse ();
        end
    endgenerate
endmodule

`default_nettype wire
