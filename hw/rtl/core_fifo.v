// SPDX-License-Identifier: Apache-2.0
// A small queue in distributed memory: what was pushed first is on `head` while `valid`.
// Pushed data are on the head one cycle later at the earliest. The owner never pushes into a full
// queue: it keeps count of what is under way (`count` says how many entries there are).
`default_nettype none

module core_fifo #(
    // Bits of an entry.
    parameter WIDTH = 8,
    // Entries, as a power of two.
    parameter DEPTH_LOG2 = 4
) (
    input  wire                clk,
    // Empties the queue.
    input  wire                clear,
    // In.
    input  wire                push,
    input  wire [WIDTH-1:0]    data,
    // Out.
    input  wire                pop,
    output wire                valid,
    output wire [WIDTH-1:0]    head,
    output wire [DEPTH_LOG2:0] count
);
    reg [WIDTH-1:0]    memory [0:(1<<DEPTH_LOG2)-1];
    reg [DEPTH_LOG2:0] write_reg;
    reg [DEPTH_LOG2:0] read_reg;

    assign count = write_reg - read_reg;
    assign valid = write_reg != read_reg;
    assign head  = memory[read_reg[DEPTH_LOG2-1:0]];

    always @(posedge clk) begin
        if (push)
            memory[write_reg[DEPTH_LOG2-1:0]] <= data;
        if (clear) begin
            write_reg <= 0;
            read_reg  <= 0;
        end else begin
            if (push)
                write_reg <= write_reg + 1'b1;
            if (pop)
                read_reg <= read_reg + 1'b1;
        end
    end
endmodule

`default_nettype wire
