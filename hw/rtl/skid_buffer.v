// SPDX-License-Identifier: Apache-2.0
// Cuts both directions of a valid/ready stream with registers, at full rate.
// Data come out one cycle later at the earliest, and are held until taken. `in_ready` depends on
// nothing but a register: the second entry takes the beat that comes in the cycle of a stall.
`default_nettype none

module skid_buffer #(
    // Bits of a beat
    parameter WIDTH = 8
) (
    input  wire             clk,
    // Empties it
    input  wire             clear,
    // In
    input  wire             in_valid,
    output wire             in_ready,
    input  wire [WIDTH-1:0] in_data,
    // Out
    output wire             out_valid,
    input  wire             out_ready,
    output wire [WIDTH-1:0] out_data
);
    reg             valid_reg, skid_valid_reg;
    reg [WIDTH-1:0] data_reg, skid_data_reg;

    wire advance = out_ready || !valid_reg;

    assign in_ready  = !skid_valid_reg;
    assign out_valid = valid_reg;
    assign out_data  = data_reg;

    always @(posedge clk)
        if (clear) begin
            valid_reg      <= 1'b0;
            skid_valid_reg <= 1'b0;
        end else if (advance) begin
            valid_reg      <= in_valid || skid_valid_reg;
            skid_valid_reg <= 1'b0;
        end else if (in_valid) begin
            skid_valid_reg <= 1'b1;
        end

    always @(posedge clk) begin
        if (advance)
            data_reg <= skid_valid_reg ? skid_data_reg : in_data;
        if (!skid_valid_reg)
            skid_data_reg <= in_data;
    end
endmodule

`default_nettype wire
