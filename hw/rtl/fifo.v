// SPDX-License-Identifier: Apache-2.0
// A queue in distributed memory with valid/ready on both sides. What was pushed is offered one
// cycle later at the earliest and held until it is taken; nothing is lost, and order is kept.
// `clear` empties it, also in a cycle with a push.
`default_nettype none

module fifo #(
    // Bits of an entry
    parameter WIDTH = 8,
    // Entries; a power of two, at least 2
    parameter DEPTH = 16
) (
    input  wire                     clk,
    input  wire                     clear,
    // In
    input  wire                     in_valid,
    output wire                     in_ready,
    input  wire [WIDTH-1:0]         in_data,
    // Out
    output wire                     out_valid,
    input  wire                     out_ready,
    output wire [WIDTH-1:0]         out_data,
    // Entries held
    output wire [$clog2(DEPTH):0]   count
);
    localparam ADDRESS_BITS = $clog2(DEPTH);

    (* ram_style = "distributed" *)
    reg [WIDTH-1:0]      memory [0:DEPTH-1];
    reg [ADDRESS_BITS:0] write_reg, read_reg;
    reg                  full_reg;

    wire push = in_valid && in_ready;
    wire pop  = out_valid && out_ready;

    assign count     = write_reg - read_reg;
    assign in_ready  = !full_reg;
    assign out_valid = write_reg != read_reg;
    assign out_data  = memory[read_reg[ADDRESS_BITS-1:0]];

    always @(posedge clk)
        if (push)
            memory[write_reg[ADDRESS_BITS-1:0]] <= in_data;

    always @(posedge clk)
        if (clear) begin
            write_reg <= 0;
            read_reg  <= 0;
            full_reg  <= 1'b0;
        end else begin
            if (push)
                write_reg <= write_reg + 1'b1;
            if (pop)
                read_reg <= read_reg + 1'b1;
            if (push && !pop)
                full_reg <= &count[ADDRESS_BITS-1:0];
            else if (pop && !push)
                full_reg <= 1'b0;
        end
endmodule

`default_nettype wire
