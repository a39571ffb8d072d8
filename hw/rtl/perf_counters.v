// SPDX-License-Identifier: Apache-2.0
// Counts what a run does, and what each of its layers does. A cycle shows in the counters one cycle
// later; they hold their values when `run` or `layer_run` is low.
`default_nettype none

module perf_counters (
    input  wire             clk,

    // The run: clear everything; count
    input  wire             clear,
    input  wire             run,

    // The layer: clear its counters; count its cycles
    input  wire             layer_clear,
    input  wire             layer_run,

    // Events of this cycle
    input  wire             event_compute,
    input  wire             event_weights,
    input  wire             event_input,
    input  wire             event_output,
    input  wire             event_beat_read,
    input  wire             event_beat_write,
    input  wire             images_clear,
    input  wire             images_add,
    input  wire [15:0]      images,

    // Words 10..23 and 25 of the final record; words 1..5 of a layer's
    output wire [14*32-1:0] totals,
    output reg  [31:0]      images_done,
    output wire [5*32-1:0]  layer
);
    // Wide enough for a start of 65535 images, and short enough for one carry chain.
    localparam BITS = 48;

    wire [6:0] events = {event_beat_write, event_beat_read, event_output, event_input,
                         event_weights, event_compute, 1'b1};
    reg [6:0]  events_reg;
    reg [4:0]  layer_events_reg;

    always @(posedge clk) begin
        events_reg       <= run ? events : 7'd0;
        layer_events_reg <= layer_run ? events[4:0] : 5'd0;
    end

    genvar n;
    generate
        for (n = 0; n < 7; n = n + 1) begin : g_total
            reg [BITS-1:0] count_reg;
            always @(posedge clk)
                if (clear)
                    count_reg <= {BITS{1'b0}};
                else if (events_reg[n])
                    count_reg <= count_reg + 1'b1;
            assign totals[64*n +: 64] = {{64-BITS{1'b0}}, count_reg};
        end
        for (n = 0; n < 5; n = n + 1) begin : g_layer
            reg [31:0] count_reg;
            always @(posedge clk)
                if (layer_clear)
                    count_reg <= 32'd0;
                else if (layer_events_reg[n])
                    count_reg <= count_reg + 1'b1;
            assign layer[32*n +: 32] = count_reg;
        end
    endgenerate

    always @(posedge clk)
        if (clear || images_clear)
            images_done <= 32'd0;
        else if (images_add)
            images_done <= images_done + {16'd0, images};
endmodule

`default_nettype wire
