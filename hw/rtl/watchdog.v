// SPDX-License-Identifier: Apache-2.0
// Tells when a channel has been stuck, or nothing has moved, for `cycles` cycles at a stretch.
// One timer serves all: it ticks every `cycles` cycles, and what lasts from one tick to the next is
// reported, so that a report comes between one and two times `cycles` after the beginning.
// Nothing is reported while `run` is low, or with `cycles` 0.
`default_nettype none

module watchdog (
    input  wire        clk,
    input  wire        run,
    // Period; may change at any time
    input  wire [31:0] cycles,
    // A channel waits for its other side; something moved
    input  wire [4:0]  stuck,
    input  wire        progress,
    // Levels, for at least one cycle
    output reg         handshake_error,
    output reg         stalled_error
);
    reg [31:0] count_reg;
    reg        tick_reg;
    reg [4:0]  stuck_reg, held_reg;        // registered input; since the last tick
    reg        still_reg, still_held_reg;

    wire expired = count_reg >= cycles;

    always @(posedge clk) begin
        stuck_reg <= run ? stuck : 5'd0;
        still_reg <= run && !progress && stuck == 5'd0;
        count_reg <= !run || expired ? 32'd1 : count_reg + 1'b1;
        tick_reg  <= run && expired && cycles != 32'd0;
        held_reg       <= run ? stuck_reg & (held_reg | {5{tick_reg}}) : 5'd0;
        still_held_reg <= run && still_reg && (still_held_reg || tick_reg);
        handshake_error <= run && tick_reg && (stuck_reg & held_reg) != 5'd0;
        stalled_error   <= run && tick_reg && still_reg && still_held_reg;
    end
endmodule

`default_nettype wire
