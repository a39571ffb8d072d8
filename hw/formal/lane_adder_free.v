// SPDX-License-Identifier: Apache-2.0
// In lane_adder's place, for proofs of what uses it: its outputs are free, as they are inputs.
// Combinational.
`default_nettype none

module lane_adder #(
    // As of lane_adder.
    parameter LANES = 16,
    parameter HAS_TERNARY = 1,
    parameter EARLY_SINGLES = 0,
    parameter TRIPLES = LANES / 3,
    parameter SINGLES = LANES - 3 * TRIPLES
) (
    input  wire                  clk,
    input  wire                  ce,
    input  wire [8*LANES-1:0]    act,
    input  wire [LANES-1:0]      neg,
    input  wire [LANES-1:0]      nonzero,
    output wire [10*TRIPLES-1:0] sum,
    output wire [8*SINGLES-1:0]  single,
    output wire [SINGLES-1:0]    single_neg
);
    assign sum = act[10*TRIPLES-1:0];
    assign single = act[8*(LANES-SINGLES) +: 8*SINGLES];
    assign single_neg = neg[SINGLES-1:0];
endmodule

`default_nettype wire
