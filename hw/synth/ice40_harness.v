// SPDX-License-Identifier: Apache-2.0
// Pins enough for a compute unit on a small part: operands shift in, a bit a cycle, and the sum
// shifts out. For area and timing only; the unit's paths start and end at registers, as in an array.
// One cycle a bit; nothing stalls.
`default_nettype none

module ice40_harness #(
    // As of compute_unit.
    parameter WORD = 32,
    parameter ACC_BITS = 24,
    parameter HAS_XNOR = 1,
    parameter HAS_TERNARY = 1,
    parameter HAS_INT = 1
) (
    input  wire clk,
    // All inputs of the unit, in series; a new sum is taken while `load`.
    input  wire serial_in,
    input  wire load,
    // The sum, its highest bit first.
    output wire serial_out
);
    localparam INPUTS = 2 * WORD + WORD / 4 + 8;

    reg  [INPUTS-1:0]   in_reg;
    reg  [ACC_BITS-1:0] out_reg;
    wire signed [ACC_BITS-1:0] acc;

    compute_unit #(
        .WORD(WORD), .ACC_BITS(ACC_BITS), .HAS_XNOR(HAS_XNOR), .HAS_TERNARY(HAS_TERNARY),
        .HAS_INT(HAS_INT)
    ) u_unit (
        .clk(clk), .ce(in_reg[0]), .act(in_reg[8 +: WORD]), .zero(in_reg[2:1]), .odd(in_reg[4:3]),
        .wgt(in_reg[8 + WORD +: WORD]), .neg(in_reg[8 + 2*WORD +: WORD/8]),
        .nonzero(in_reg[8 + 2*WORD + WORD/8 +: WORD/8]), .int_mode(in_reg[5]),
        .sum_first(in_reg[6]), .sum_enable(in_reg[7]), .acc(acc)
    );

    always @(posedge clk) begin
        in_reg <= {in_reg[INPUTS-2:0], serial_in};
        out_reg <= load ? acc : {out_reg[ACC_BITS-2:0], 1'b0};
    end

    assign serial_out = out_reg[ACC_BITS-1];
endmodule

`default_nettype wire
