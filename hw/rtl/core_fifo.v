// SPDX-License-Identifier: Apache-2.0
// A small queue in distributed memory: what was pushed first is on `head` while `valid`; both are
// registers, so that what reads them does not wait for the memory. Pushed data are on the head two
// cycles later at the earliest. The owner never pushes into a full queue: it keeps count of what is
// under way (`count` says how many entries there are, but for the head's).
`default_nettype none

module core_fifo #(
    // Bits of an entry.
    parameter WIDTH = 8,
    // Entries, as a power of two; the head comes on top of them.
    parameter DEPTH_LOG2 = 4
) (
    input  wire                clk,
    // Empties the queue.
    input  wire                clear,
    // In.
    input  wire                push,
    input  wire [WIDTH-1:0]    data,
    // Out; `pop` only while `valid`.
    input  wire                pop,
    output wire                valid,
    output wire [WIDTH-1:0]    head,
    output wire [DEPTH_LOG2:0] count,
    // Nothing is held, not even on its way to the head.
    output wire                empty
);
    (* ram_style = "distributed" *)
    reg [WIDTH-1:0]    memory [0:(1<<DEPTH_LOG2)-1];
    reg [DEPTH_LOG2:0] write_reg;
    reg [DEPTH_LOG2:0] read_reg;
    reg                valid_reg;
    reg [WIDTH-1:0]    head_reg;

    wire stored = write_reg != read_reg;
    wire free   = pop || !valid_reg;

    assign count = write_reg - read_reg;
    assign valid = valid_reg;
    assign head  = head_reg;
    assign empty = !stored && !valid_reg;

    always @(posedge clk) begin
        if (push)
            memory[write_reg[DEPTH_LOG2-1:0]] <= data;
        if (free)
            head_reg <= memory[read_reg[DEPTH_LOG2-1:0]];
        if (clear) begin
            write_reg <= 0;
            read_reg  <= 0;
            valid_reg <= 1'b0;
        end else begin
            if (push)
                write_reg <= write_reg + 1'b1;
            if (free && stored)
                read_reg <= read_reg + 1'b1;
            if (free)
                valid_reg <= stored;
        end
    end
endmodule

`default_nettype wire
