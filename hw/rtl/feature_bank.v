// SPDX-License-Identifier: Apache-2.0
// One half of one bank of the feature memory: simple dual port block memory with byte enables.
// Read data come two cycles after their address (memory, output register), not counting cycles in
// which `ce` is low. A word that is read and written in one cycle reads as either.
`default_nettype none

module feature_bank #(
    // Bits of a word, a multiple of 8.
    parameter WIDTH = 64,
    // Words.
    parameter DEPTH = 6144,
    parameter ROW_BITS = 13
) (
    input  wire                clk,
    // Write port.
    input  wire [WIDTH/8-1:0]  write_enable,
    input  wire [ROW_BITS-1:0] write_row,
    input  wire [WIDTH-1:0]    write_data,
    // Read port.
    input  wire                ce,
    input  wire [ROW_BITS-1:0] read_row,
    output reg  [WIDTH-1:0]    read_data
);
    reg [WIDTH-1:0] memory [0:DEPTH-1];
    reg [WIDTH-1:0] fetched_reg;
    integer i;

    always @(posedge clk)
        for (i = 0; i < WIDTH / 8; i = i + 1)
            if (write_enable[i])
                memory[write_row][8*i +: 8] <= write_data[8*i +: 8];

    always @(posedge clk)
        if (ce) begin
            fetched_reg <= memory[read_row];
            read_data   <= fetched_reg;
        end
endmodule

`default_nettype wire
