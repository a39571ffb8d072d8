// SPDX-License-Identifier: Apache-2.0
// One bank of the weight ring: simple dual port block memory.
// Read data come two cycles after `read` (memory, output register), not counting cycles in which
// `ce` is low. A row that is read and written in one cycle reads as either.
`default_nettype none

module weight_bank #(
    // Bits of a row of this bank
    parameter WORD = 128,
    // Rows, a power of two
    parameter ROWS = 512
) (
    input  wire                    clk,
    // Write port
    input  wire                    write,
    input  wire [$clog2(ROWS)-1:0] write_row,
    input  wire [WORD-1:0]         write_data,
    // Read port
    input  wire                    ce,
    input  wire                    read,
    input  wire [$clog2(ROWS)-1:0] read_row,
    output reg  [WORD-1:0]         read_data
);
    (* ram_style = "block" *)
    reg [WORD-1:0] memory [0:ROWS-1];
    reg [WORD-1:0] fetched_reg;

    always @(posedge clk)
        if (write)
            memory[write_row] <= write_data;

    always @(posedge clk)
        if (ce && read)
            fetched_reg <= memory[read_row];

    always @(posedge clk)
        if (ce)
            read_data <= fetched_reg;
endmodule

`default_nettype wire
