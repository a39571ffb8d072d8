// SPDX-License-Identifier: Apache-2.0
// In pair_counter's place, for proofs of what uses it: its outputs are free, as they are inputs.
// Combinational.
`default_nettype none

module pair_counter #(
    // As of pair_counter.
    parameter PAIRS = 64,
    parameter HAS_TERNARY = 1,
    parameter FIELDS = PAIRS / 5,
    parameter SUMS = FIELDS / 3
) (
    input  wire              clk,
    input  wire              ce,
    input  wire [PAIRS-1:0]  act_plus,
    input  wire [PAIRS-1:0]  act_minus,
    input  wire [PAIRS-1:0]  wgt_plus,
    input  wire [PAIRS-1:0]  wgt_minus,
    input  wire [PAIRS-1:0]  zero,
    output wire [5*SUMS-1:0] sum,
    output wire [SUMS-1:0]   two
);
    assign sum = act_plus[5*SUMS-1:0];
    assign two = wgt_plus[SUMS-1:0];
endmodule

`default_nettype wire
