// SPDX-License-Identifier: Apache-2.0
// Pins enough for an array of compute units on a small part: operands shift in, a bit a cycle, and
// the sums shift out. For area and timing only; its paths start and end at registers, as in a core.
// One cycle a bit; nothing stalls.
`default_nettype none

module ice40_harness #(
    // As of compute_array; by default one unit.
    parameter OC = 1,
    parameter PX = 1,
    parameter WORD = 32,
    parameter ACC_BITS = 24,
    parameter HAS_XNOR = 1,
    parameter HAS_TERNARY = 1,
    parameter HAS_INT = 1
) (
    input  wire clk,
    // All inputs of the array, in series; new sums are taken while `load`.
    input  wire serial_in,
    input  wire load,
    // The sums, the highest bit of the last one first.
    output wire serial_out
);
    localparam LANES  = PX * (WORD + 4);
    localparam ROWS   = OC * (WORD + WORD / 4);
    localparam INPUTS = LANES + ROWS + 4;
    localparam SUMS   = OC * PX * ACC_BITS;

    reg  [INPUTS-1:0] in_reg;
    reg  [SUMS-1:0]   out_reg;
    wire [SUMS-1:0]   acc;
    wire [LANES-1:0]  lanes = in_reg[4 +: LANES];
    wire [ROWS-1:0]   rows  = in_reg[4 + LANES +: ROWS];

    compute_array #(
        .WORD(WORD), .OC(OC), .PX(PX), .ACC_BITS(ACC_BITS), .HAS_XNOR(HAS_XNOR),
        .HAS_TERNARY(HAS_TERNARY), .HAS_INT(HAS_INT)
    ) u_array (
        .clk(clk), .ce(in_reg[0]), .act(lanes[0 +: PX*WORD]), .zero(lanes[PX*WORD +: 2*PX]),
        .odd(lanes[PX*(WORD+2) +: 2*PX]), .weight(rows[0 +: OC*WORD]),
        .negative(rows[OC*WORD +: OC*WORD/8]), .nonzero(rows[OC*(WORD+WORD/8) +: OC*WORD/8]),
        .int_mode(in_reg[1]), .sum_enable(in_reg[2]), .sum_first(in_reg[3]), .acc(acc)
    );

    always @(posedge clk) begin
        in_reg <= {in_reg[INPUTS-2:0], serial_in};
        out_reg <= load ? acc : {out_reg[SUMS-2:0], 1'b0};
    end

    assign serial_out = out_reg[SUMS-1];
endmodule

`default_nettype wire
