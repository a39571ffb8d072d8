// SPDX-License-Identifier: Apache-2.0
// OC x PX compute units: activations go to all channels of a lane, weights to all lanes of a
// channel; sums stay in the units. Operands are registered by the caller; a unit's sum is on `acc`
// four cycles behind them (cycles without `ce` not counted).
`default_nettype none

module compute_array #(
    // Bits of a word; output channels and lanes at once; bits of a sum.
    parameter WORD = 128,
    parameter OC = 16,
    parameter PX = 4,
    parameter ACC_BITS = 24,
    // What the compute units hold; see compute_unit.
    parameter HAS_XNOR = 1,
    parameter HAS_TERNARY = 1,
    parameter HAS_INT = 1
) (
    input  wire                      clk,
    input  wire                      ce,
    // Operands of each lane.
    input  wire [PX*WORD-1:0]        act,
    input  wire [2*PX-1:0]           zero,
    input  wire [2*PX-1:0]           odd,
    // Operands of each output channel.
    input  wire [OC*WORD-1:0]        weight,
    input  wire [OC*WORD/8-1:0]      negative,
    input  wire [OC*WORD/8-1:0]      nonzero,
    // Which tree adds; one layer's choice.
    input  wire                      int_mode,
    // Three cycles behind the operands: add this cycle, as the first of a sum.
    input  wire                      sum_enable,
    input  wire                      sum_first,
    // Sum of channel o, lane j at (o * PX + j) * ACC_BITS.
    output wire [OC*PX*ACC_BITS-1:0] acc
);
    genvar o, j;
    generate
        for (o = 0; o < OC; o = o + 1) begin : g_channel
            for (j = 0; j < PX; j = j + 1) begin : g_lane
                compute_unit #(
                    .WORD(WORD), .ACC_BITS(ACC_BITS), .HAS_XNOR(HAS_XNOR),
                    .HAS_TERNARY(HAS_TERNARY), .HAS_INT(HAS_INT)
                ) u_unit (
                    .clk(clk), .ce(ce),
                    .act(act[j*WORD +: WORD]), .zero(zero[2*j +: 2]), .odd(odd[2*j +: 2]),
                    .wgt(weight[o*WORD +: WORD]),
                    .neg(negative[o*WORD/8 +: WORD/8]), .nonzero(nonzero[o*WORD/8 +: WORD/8]),
                    .int_mode(int_mode), .sum_first(sum_first), .sum_enable(sum_enable),
                    .acc(acc[(o*PX + j)*ACC_BITS +: ACC_BITS])
                );
            end
        end
    endgenerate
endmodule

`default_nettype wire
