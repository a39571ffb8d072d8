// SPDX-License-Identifier: Apache-2.0
// XNOR-popcount tree: the dot product of a word of binary or ternary operands, as a count.
//
// Binary and ternary operands share the tree: see pair_counter for what a pair counts. The count is
// doubled and `odd` added, and it leaves as two addends, so that the accumulator's adder, which has
// room for a third operand, does the last addition.
//
// Three cycles; holds while `ce` is low; all outputs 0 while `clear` is high (not before an edge).
// addend_a + addend_b = 2 * count + odd[0] + odd[1].
`default_nettype none

module xnor_popcount #(
    // Bits of activation a cycle: 32, 64, 128 or 256.
    parameter WORD = 128,
    // Ternary operands; without them only whole halves are masked.
    parameter HAS_TERNARY = 1,
    // Derived; leave it: bits of an addend.
    parameter BITS = $clog2(WORD) + 1
) (
    input  wire            clk,
    input  wire            ce,
    // Zeros the outputs, also while `ce` is low.
    input  wire            clear,
    // Activation, and weights of the same layout. Bits i and i + WORD/4 of a half are a pair.
    input  wire [WORD-1:0] act,
    input  wire [WORD-1:0] wgt,
    // A half: its pairs are ternary, or masked with activation 0.
    input  wire [1:0]      zero,
    // Ones to add to the doubled count.
    input  wire [1:0]      odd,
    // The doubled count with its odd ones.
    output wire [BITS-1:0] addend_a,
    output wire [BITS-1:0] addend_b
);
    localparam QUARTER = WORD / 4;
    // A machine word of pairs each.
    localparam PARTS = WORD > 128 ? 2 : 1;
    localparam PAIRS = WORD / 2 / PARTS;
    localparam SUMS = PAIRS / 15;

    wire [5*SUMS*PARTS-1:0] sum;
    wire [SUMS*PARTS-1:0]   two;
    genvar p;
    generate
        if (PARTS == 1) begin : g_whole
            pair_counter #(.PAIRS(PAIRS), .HAS_TERNARY(HAS_TERNARY)) u_pairs (
                .clk(clk), .ce(ce),
                .act_plus({act[2*QUARTER +: QUARTER], act[0 +: QUARTER]}),
                .act_minus({act[3*QUARTER +: QUARTER], act[QUARTER +: QUARTER]}),
                .wgt_plus({wgt[2*QUARTER +: QUARTER], wgt[0 +: QUARTER]}),
                .wgt_minus({wgt[3*QUARTER +: QUARTER], wgt[QUARTER +: QUARTER]}),
                .zero({{QUARTER{zero[1]}}, {QUARTER{zero[0]}}}),
                .sum(sum), .two(two)
            );
        end else begin : g_halves
            for (p = 0; p < 2; p = p + 1) begin : g_half
                pair_counter #(.PAIRS(PAIRS), .HAS_TERNARY(HAS_TERNARY)) u_pairs (
                    .clk(clk), .ce(ce),
                    .act_plus(act[2*p*QUARTER +: QUARTER]),
                    .act_minus(act[(2*p + 1)*QUARTER +: QUARTER]),
                    .wgt_plus(wgt[2*p*QUARTER +: QUARTER]),
                    .wgt_minus(wgt[(2*p + 1)*QUARTER +: QUARTER]),
                    .zero({QUARTER{zero[p]}}),
                    .sum(sum[5*SUMS*p +: 5*SUMS]), .two(two[SUMS*p +: SUMS])
                );
            end
        end
    endgenerate

    // Full adders' sums and, at their weight, carries; what three operands add up to.
    function [BITS-2:0] half_sum;
        input [BITS-2:0] x;
        input [BITS-2:0] y;
        input [BITS-2:0] z;
        half_sum = x ^ y ^ z;
    endfunction
    function [BITS-2:0] carry;
        input [BITS-2:0] x;
        input [BITS-2:0] y;
        input [BITS-2:0] z;
        carry = ((x & y) | (z & (x | y))) << 1;
    endfunction
    function [BITS-2:0] add;
        input [BITS-2:0] x;
        input [BITS-2:0] y;
        input [BITS-2:0] z;
        add = carry(x, y, z) + half_sum(x, y, z);
    endfunction

    // Beside the second stage: the bits of weight 2, of a long word as their number.
    localparam TWO_BITS = PARTS > 1 ? 4 : SUMS;
    wire [TWO_BITS-1:0] two_next;
    reg [TWO_BITS-1:0]  two_reg;
    generate
        if (PARTS > 1) begin : g_count_twos
            // Three full adders; then one bit of weight 1 and four of weight 2.
            wire first = two[0] ^ two[1] ^ two[2];
            wire second = two[3] ^ two[4] ^ two[5];
            wire third = first ^ second ^ two[6];
            wire [3:0] carries = {(two[0] & two[1]) | (two[2] & (two[0] | two[1])),
                (two[3] & two[4]) | (two[5] & (two[3] | two[4])),
                (first & second) | (two[6] & (first | second)), third & two[7]};
            assign two_next[0] = third ^ two[7];
            assign two_next[1] = ^carries;
            assign two_next[2] = (carries[0] & carries[1]) ^ (carries[2] & carries[3])
                ^ ((carries[0] ^ carries[1]) & (carries[2] ^ carries[3]));
            assign two_next[3] = &carries;
        end else begin : g_keep_twos
            assign two_next = two;
        end
    endgenerate

    // Third stage: two addends.
    wire [BITS-2:0] count_a_next;
    wire [BITS-2:0] count_b_next;
    generate
        if (WORD == 32) begin : g_one
            assign count_a_next = sum;
            assign count_b_next = {{(BITS-3){1'b0}}, two_reg, 1'b0};
        end else if (WORD == 64) begin : g_two
            assign count_a_next = {1'b0, sum[4:0]} + {1'b0, sum[9:5]};
            assign count_b_next = {3'b000, two_reg[1] & two_reg[0], two_reg[1] ^ two_reg[0], 1'b0};
        end else if (WORD == 128) begin : g_four
            // The second addend: a sum, and four bits of weight 2, one of which is its carry-in.
            wire [4:0] twos = {3'b000,
                (two_reg[0] & two_reg[1]) | (two_reg[2] & (two_reg[0] | two_reg[1])),
                two_reg[0] ^ two_reg[1] ^ two_reg[2]};
            wire [4:0] high = {1'b0, sum[19:16]} + twos + {4'b0000, two_reg[3]};
            assign count_a_next = add({2'b00, sum[4:0]}, {2'b00, sum[9:5]}, {2'b00, sum[14:10]});
            assign count_b_next = {1'b0, high, sum[15]};
        end else begin : g_eight
            // Nine operands: three rows of full adders, and two adders.
            wire [BITS-2:0] x0 = {3'b000, sum[4:0]};
            wire [BITS-2:0] y0 = {3'b000, sum[9:5]};
            wire [BITS-2:0] z0 = {3'b000, sum[14:10]};
            wire [BITS-2:0] x1 = {3'b000, sum[19:15]};
            wire [BITS-2:0] y1 = {3'b000, sum[24:20]};
            wire [BITS-2:0] z1 = {3'b000, sum[29:25]};
            wire [BITS-2:0] x2 = {3'b000, sum[34:30]};
            wire [BITS-2:0] y2 = {3'b000, sum[39:35]};
            wire [BITS-2:0] z2 = {3'b000, two_reg, 1'b0};
            assign count_a_next = add(half_sum(x0, y0, z0), half_sum(x1, y1, z1),
                half_sum(x2, y2, z2));
            assign count_b_next = add(carry(x0, y0, z0), carry(x1, y1, z1), carry(x2, y2, z2));
        end
    endgenerate

    // Registers, and not a shift register in a LUT.
    (* keep = "true", shreg_extract = "no" *) reg [1:0] odd1_reg;
    (* keep = "true", shreg_extract = "no" *) reg [1:0] odd2_reg;
    reg [BITS-1:0] addend_a_reg;
    reg [BITS-1:0] addend_b_reg;
    always @(posedge clk)
        if (ce) begin
            two_reg <= two_next;
            odd1_reg <= odd;
            odd2_reg <= odd1_reg;
        end
    always @(posedge clk)
        if (clear) begin
            addend_a_reg <= {BITS{1'b0}};
            addend_b_reg <= {BITS{1'b0}};
        end else if (ce) begin
            addend_a_reg <= {count_a_next, odd2_reg[0]};
            addend_b_reg <= {count_b_next, odd2_reg[1]};
        end

    assign addend_a = addend_a_reg;
    assign addend_b = addend_b_reg;

    generate
        if (WORD != 32 && WORD != 64 && WORD != 128 && WORD != 256) begin : g_refuse_word
            xnor_popcount_takes_words_of_32_64_128_or_256_bits u_refuse ();
        end
    endgenerate
endmodule

`default_nettype wire
