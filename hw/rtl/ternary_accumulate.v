// SPDX-License-Identifier: Apache-2.0
// Ternary-accumulate tree: adds, subtracts or skips the 8-bit lanes of an activation word.
//
// A lane counts (nonzero ? a : 0) ^ {8{neg}}: of a negation, the one's complement, whose +1 is a
// constant of the weights that the compiler folds. Lanes are added as a + 128, so that no adder
// needs sign bits; the offset is of weight 2^(BITS-1), and the reader takes it off (below).
// The adders take three operands, one site a bit; see lane_adder for the first. Two addends leave
// the tree, so that the accumulator's adder, which has room for a third operand, does the last
// addition.
//
// Three cycles; holds while `ce` is low; all outputs 0 while `clear` is high (not before an edge).
// addend_a + addend_b = total + 2^(BITS-1).
`default_nettype none

module ternary_accumulate #(
    // Bits of activation a cycle, eight a lane: 32, 64, 128 or 256.
    parameter WORD = 128,
    // Weights that may be zero; without them `nonzero` is not read.
    parameter HAS_TERNARY = 1,
    // Derived; leave it: bits of an addend.
    parameter BITS = $clog2(WORD) + 5
) (
    input  wire              clk,
    input  wire              ce,
    // Zeros the outputs, also while `ce` is low.
    input  wire              clear,
    // Activation; two's complement.
    input  wire [WORD-1:0]   act,
    // Weights, a lane: negate, and not zero.
    input  wire [WORD/8-1:0] neg,
    input  wire [WORD/8-1:0] nonzero,
    // The total with its offset.
    output wire [BITS-1:0]   addend_a,
    output wire [BITS-1:0]   addend_b
);
    // At most 16 lanes each.
    localparam PARTS = WORD > 128 ? 2 : 1;
    localparam LANES = WORD / 8 / PARTS;
    localparam TRIPLES = LANES / 3;
    localparam SINGLES = LANES - 3 * TRIPLES;
    // A single that leaves as an addend of its own meets no adder.
    localparam EARLY_SINGLES = LANES > 8 ? 0 : 1;

    wire [10*TRIPLES*PARTS-1:0] sum;
    wire [8*SINGLES*PARTS-1:0]  single;
    wire [SINGLES*PARTS-1:0]    single_neg;
    genvar p;
    generate
        for (p = 0; p < PARTS; p = p + 1) begin : g_part
            lane_adder #(
                .LANES(LANES), .HAS_TERNARY(HAS_TERNARY), .EARLY_SINGLES(EARLY_SINGLES)
            ) u_lanes (
                .clk(clk), .ce(ce),
                .act(act[8*LANES*p +: 8*LANES]),
                .neg(neg[LANES*p +: LANES]), .nonzero(nonzero[LANES*p +: LANES]),
                .sum(sum[10*TRIPLES*p +: 10*TRIPLES]), .single(single[8*SINGLES*p +: 8*SINGLES]),
                .single_neg(single_neg[SINGLES*p +: SINGLES])
            );
        end
    endgenerate

    // A single lane, inverted and with its offset.
    function [BITS-1:0] late_lane;
        input [7:0] lane;
        input lane_neg;
        late_lane = {{(BITS-8){1'b0}}, lane ^ {8{lane_neg}} ^ 8'h80};
    endfunction

    // Bits of full adders' sums and, at their weight, carries; what three operands add up to.
    function [BITS-1:0] half_sum;
        input [BITS-1:0] x;
        input [BITS-1:0] y;
        input [BITS-1:0] z;
        half_sum = x ^ y ^ z;
    endfunction
    function [BITS-1:0] carry;
        input [BITS-1:0] x;
        input [BITS-1:0] y;
        input [BITS-1:0] z;
        carry = ((x & y) | (z & (x | y))) << 1;
    endfunction
    function [BITS-1:0] add;
        input [BITS-1:0] x;
        input [BITS-1:0] y;
        input [BITS-1:0] z;
        add = carry(x, y, z) + half_sum(x, y, z);
    endfunction

    // Third stage: two addends.
    reg [BITS-1:0] addend_a_reg;
    reg [BITS-1:0] addend_b_reg;
    generate
        if (LANES == 4) begin : g_four
            wire unused = &{1'b0, single_neg};
            always @(posedge clk)
                if (clear) begin
                    addend_a_reg <= {BITS{1'b0}};
                    addend_b_reg <= {BITS{1'b0}};
                end else if (ce) begin
                    addend_a_reg <= sum;
                    addend_b_reg <= {{(BITS-8){1'b0}}, single};
                end
        end else if (LANES == 8) begin : g_eight
            wire unused = &{1'b0, single_neg[1]};
            always @(posedge clk)
                if (clear) begin
                    addend_a_reg <= {BITS{1'b0}};
                    addend_b_reg <= {BITS{1'b0}};
                end else if (ce) begin
                    addend_a_reg <= add({1'b0, sum[9:0]}, {1'b0, sum[19:10]},
                        late_lane(single[7:0], single_neg[0]));
                    addend_b_reg <= {{(BITS-8){1'b0}}, single[15:8]};
                end
        end else if (WORD == 128) begin : g_sixteen
            always @(posedge clk)
                if (clear) begin
                    addend_a_reg <= {BITS{1'b0}};
                    addend_b_reg <= {BITS{1'b0}};
                end else if (ce) begin
                    addend_a_reg <= add({2'b00, sum[9:0]}, {2'b00, sum[19:10]}, {2'b00, sum[29:20]});
                    addend_b_reg <= add({2'b00, sum[39:30]}, {2'b00, sum[49:40]},
                        late_lane(single, single_neg));
                end
        end else begin : g_thirty_two
            // Twelve operands: four rows of full adders, two more, and two adders.
            wire [BITS-1:0] x0 = {3'b000, sum[9:0]};
            wire [BITS-1:0] y0 = {3'b000, sum[19:10]};
            wire [BITS-1:0] z0 = {3'b000, sum[29:20]};
            wire [BITS-1:0] x1 = {3'b000, sum[39:30]};
            wire [BITS-1:0] y1 = {3'b000, sum[49:40]};
            wire [BITS-1:0] z1 = late_lane(single[7:0], single_neg[0]);
            wire [BITS-1:0] x2 = {3'b000, sum[59:50]};
            wire [BITS-1:0] y2 = {3'b000, sum[69:60]};
            wire [BITS-1:0] z2 = {3'b000, sum[79:70]};
            wire [BITS-1:0] x3 = {3'b000, sum[89:80]};
            wire [BITS-1:0] y3 = {3'b000, sum[99:90]};
            wire [BITS-1:0] z3 = late_lane(single[15:8], single_neg[1]);
            wire [BITS-1:0] half0 = half_sum(x0, y0, z0);
            wire [BITS-1:0] half1 = half_sum(x1, y1, z1);
            wire [BITS-1:0] half2 = half_sum(x2, y2, z2);
            wire [BITS-1:0] half3 = half_sum(x3, y3, z3);
            wire [BITS-1:0] carry0 = carry(x0, y0, z0);
            wire [BITS-1:0] carry1 = carry(x1, y1, z1);
            wire [BITS-1:0] carry2 = carry(x2, y2, z2);
            wire [BITS-1:0] carry3 = carry(x3, y3, z3);
            always @(posedge clk)
                if (clear) begin
                    addend_a_reg <= {BITS{1'b0}};
                    addend_b_reg <= {BITS{1'b0}};
                end else if (ce) begin
                    addend_a_reg <= add(half_sum(half0, half1, half2), carry(half0, half1, half2), half3);
                    addend_b_reg <= add(half_sum(carry0, carry1, carry2), carry(carry0, carry1, carry2),
                        carry3);
                end
        end
    endgenerate

    assign addend_a = addend_a_reg;
    assign addend_b = addend_b_reg;

    generate
        if (WORD != 32 && WORD != 64 && WORD != 128 && WORD != 256) begin : g_refuse_word
            ternary_accumulate_takes_words_of_32_64_128_or_256_bits u_refuse ();
        end
    endgenerate
endmodule

`default_nettype wire
