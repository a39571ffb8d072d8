// SPDX-License-Identifier: Apache-2.0
// Where an output pixel is stored, in words, or which number it has among the results: five
// cycles from the pixel to its address.
//
//     base + n * image_pitch + row(y) + column(x), with or without phases (docs/device-program.md)
`default_nettype none

module output_address #(
    // Bits of an address, enough for the number of a result, too.
    parameter ADDRESS_BITS = 24
) (
    input  wire                    clk,
    // Output pixel {n, y, x}, 12 bits each.
    input  wire [35:0]             pixel,
    // Constants of a layer; base: also of a tile.
    input  wire                    phase,
    input  wire                    row_offset,
    input  wire                    column_offset,
    input  wire [ADDRESS_BITS-1:0] base,
    input  wire [ADDRESS_BITS-1:0] row_pitch,
    input  wire [ADDRESS_BITS-1:0] image_pitch,
    input  wire [ADDRESS_BITS-1:0] column_phase,
    input  wire [ADDRESS_BITS-1:0] row_phase,
    output reg  [ADDRESS_BITS-1:0] address
);
    localparam WIDEN = ADDRESS_BITS - 13;

    reg [12:0]             y_1, x_1;
    reg [ADDRESS_BITS-1:0] image_1, image_2, row_2, column_2, phase_2, far_3, near_3, sum_4;

    wire [ADDRESS_BITS-1:0] y_index = phase ? {{WIDEN{1'b0}}, 1'b0, y_1[12:1]} : {{WIDEN{1'b0}}, y_1};
    wire [ADDRESS_BITS-1:0] x_index = phase ? {{WIDEN{1'b0}}, 1'b0, x_1[12:1]} : {{WIDEN{1'b0}}, x_1};

    // Products are cut to an address: the compiler keeps them within. One of the two that are added
    // up has a second register, so that no sum in a DSP block waits for another.
    always @(posedge clk) begin
        image_1 <= pixel[35:24] * image_pitch;
        y_1     <= {1'b0, pixel[23:12]} + {12'd0, phase && row_offset};
        x_1     <= {1'b0, pixel[11:0]} + {12'd0, phase && column_offset};

        image_2  <= image_1;
        row_2    <= y_index * row_pitch;
        column_2 <= x_index + (phase && x_1[0] ? column_phase : 0);
        phase_2  <= phase && y_1[0] ? row_phase : 0;

        far_3  <= image_2 + row_2;
        near_3 <= column_2 + phase_2;

        sum_4   <= far_3 + near_3;
        address <= sum_4 + base;
    end
endmodule

`default_nettype wire
