// SPDX-License-Identifier: Apache-2.0
// The sum of one output channel and one output pixel: a word of operands a cycle, through one of
// two trees, into one accumulator.
//
//  - XNOR mode adds twice the count of agreeing operands, and the ones in `odd` (xnor_popcount).
//  - INT mode adds, subtracts or skips 8-bit activations (ternary_accumulate).
// A tree hands over two addends; the accumulator adds both in one site a bit (an adder of three
// operands: LUT6_2 and carry chain). Only the tree of the layer's mode is clocked.
//
// Operands pass three registers and are added at the fourth edge; sum_enable and sum_first go with
// that edge. Everything holds while `ce` is low. Nothing is reset: a sum's first word loads.
`default_nettype none

module compute_unit #(
    // Bits of activation a cycle: 32, 64, 128 or 256.
    parameter WORD = 128,
    // Bits of the accumulator.
    parameter ACC_BITS = 24,
    // What the unit holds: XNOR-popcount tree; ternary operands; ternary-accumulate tree.
    parameter HAS_XNOR = 1,
    parameter HAS_TERNARY = 1,
    parameter HAS_INT = 1
) (
    input  wire                       clk,
    input  wire                       ce,
    // Activation word.
    input  wire [WORD-1:0]            act,
    // XNOR mode, a half of the word: its pairs of bits are ternary, or masked where act is 0.
    input  wire [1:0]                 zero,
    // XNOR mode: ones to add to the doubled count.
    input  wire [1:0]                 odd,
    // XNOR mode: weights. Bits i and i + WORD/4 of a half are a pair.
    input  wire [WORD-1:0]            wgt,
    // INT mode, a lane of eight bits: negate; not zero (taken as 1 without HAS_TERNARY).
    input  wire [WORD/8-1:0]          neg,
    input  wire [WORD/8-1:0]          nonzero,
    // Which tree adds; it must not change while operands are on their way.
    input  wire                       int_mode,
    // With the fourth edge: start a sum instead of adding to it; add this cycle.
    input  wire                       sum_first,
    input  wire                       sum_enable,
    output wire signed [ACC_BITS-1:0] acc
);
    localparam XNOR_BITS = $clog2(WORD) + 1;
    localparam INT_BITS = $clog2(WORD) + 5;

    wire [XNOR_BITS-1:0] xnor_a;
    wire [XNOR_BITS-1:0] xnor_b;
    wire [INT_BITS-2:0]  int_a;
    wire [INT_BITS-1:0]  int_b;
    // In INT mode: takes off the tree's offset, as the sign of addend a.
    wire                 int_sign;

    generate
        if (HAS_XNOR != 0) begin : g_xnor
            wire other = HAS_INT != 0 && int_mode;
            xnor_popcount #(.WORD(WORD), .HAS_TERNARY(HAS_TERNARY)) u_tree (
                .clk(clk), .ce(ce && !other), .clear(other),
                .act(act), .wgt(wgt), .zero(zero), .odd(odd),
                .addend_a(xnor_a), .addend_b(xnor_b)
            );
        end else begin : g_no_xnor
            wire unused = &{1'b0, wgt, zero, odd};
            assign xnor_a = {XNOR_BITS{1'b0}};
            assign xnor_b = {XNOR_BITS{1'b0}};
        end
        if (HAS_INT != 0) begin : g_int
            wire other = HAS_XNOR != 0 && !int_mode;
            wire top;
            ternary_accumulate #(.WORD(WORD), .HAS_TERNARY(HAS_TERNARY)) u_tree (
                .clk(clk), .ce(ce && !other), .clear(other),
                .act(act), .neg(neg), .nonzero(nonzero),
                .addend_a({top, int_a}), .addend_b(int_b)
            );
            assign int_sign = !other && !top;
        end else begin : g_no_int
            wire unused = &{1'b0, neg, nonzero, int_mode};
            assign int_a = {(INT_BITS-1){1'b0}};
            assign int_b = {INT_BITS{1'b0}};
            assign int_sign = 1'b0;
        end
    endgenerate

    // The tree that is not clocked holds zeros.
    wire [ACC_BITS-1:0] x = {{(ACC_BITS-INT_BITS+1){int_sign}}, int_a}
        | {{(ACC_BITS-XNOR_BITS){1'b0}}, xnor_a};
    wire [ACC_BITS-1:0] y = {{(ACC_BITS-INT_BITS){1'b0}}, int_b}
        | {{(ACC_BITS-XNOR_BITS){1'b0}}, xnor_b};
    reg  [ACC_BITS-1:0] acc_reg;
    wire [ACC_BITS-1:0] z = sum_first ? {ACC_BITS{1'b0}} : acc_reg;
    wire [ACC_BITS-1:0] carry = (x & y) | (z & (x | y));
    always @(posedge clk)
        if (ce && sum_enable)
            acc_reg <= (carry << 1) + (x ^ y ^ z);

    assign acc = acc_reg;

    generate
        if (WORD != 32 && WORD != 64 && WORD != 128 && WORD != 256) begin : g_refuse_word
            compute_unit_takes_words_of_32_64_128_or_256_bits u_refuse ();
        end
        if (ACC_BITS < INT_BITS + 1) begin : g_refuse_acc_bits
            compute_unit_has_too_few_accumulator_bits_for_a_word u_refuse ();
        end
        if (HAS_XNOR == 0 && HAS_INT == 0) begin : g_refuse_no_tree
            compute_unit_needs_a_tree u_refuse ();
        end
    endgenerate
endmodule

`default_nettype wire
