// SPDX-License-Identifier: Apache-2.0
// From a lane's pixel number to its place: word address of tap 0 of plane 0, the coordinates that
// padding is judged by, and whether the lane counts at all. Six stages, one lane a cycle.
//
//     y = py * pool_stride_y + wy - pool_top         iy = y * stride_y - pad_top
//     place = base + n * image_pitch + (y or y * stride_y) * row_pitch + (x or x * stride_x)
`default_nettype none

module lane_place #(
    // Bits of a word address of the feature memory.
    parameter ADDRESS_BITS = 15
) (
    input  wire                    clk,
    // Digits {n, py, px, wy, wx}, see lane_counter; base: in_base and the tile's part.
    input  wire [51:0]             digits,
    input  wire [ADDRESS_BITS-1:0] base,
    // Images of the sub-batch, and fields of the LAYER descriptor.
    input  wire [15:0]             images,
    input  wire                    phase,
    input  wire [31:0]             pool,
    input  wire [31:0]             stride,
    input  wire [15:0]             conv_width,
    input  wire [15:0]             conv_height,
    input  wire [ADDRESS_BITS-1:0] row_pitch,
    input  wire [ADDRESS_BITS-1:0] image_pitch,
    // Six cycles later.
    output reg  [ADDRESS_BITS-1:0] place,
    output reg  signed [13:0]      iy,
    output reg  signed [13:0]      ix,
    output reg                     counts
);
    // The cut of products to an address or a coordinate is meant: the compiler keeps coordinates
    // within 13 bits, addresses wrap round.
    reg signed [13:0] y_pool_1, x_pool_1;
    reg signed [9:0]  y_tap_1, x_tap_1;
    reg               in_batch_1;
    reg [ADDRESS_BITS-1:0] image_1, base_1;
    reg signed [13:0] y_2, x_2;
    reg               in_batch_2;
    reg [ADDRESS_BITS-1:0] image_2;
    reg signed [13:0] y_3, x_3, y_strided_3, x_strided_3;
    reg               counts_3;
    reg [ADDRESS_BITS-1:0] image_3;
    reg signed [13:0] y_4, x_4, y_strided_4, x_strided_4;
    reg               counts_4;
    reg [ADDRESS_BITS-1:0] image_4;
    reg [ADDRESS_BITS-1:0] row_5, near_5;
    reg signed [13:0] iy_5, ix_5;
    reg               counts_5;

    wire signed [13:0] y_address = phase ? y_4 : y_strided_4;
    wire signed [13:0] x_address = phase ? x_4 : x_strided_4;
    // Sign extended or cut to an address.
    wire signed [ADDRESS_BITS+13:0] y_wide = {{ADDRESS_BITS{y_address[13]}}, y_address};
    wire signed [ADDRESS_BITS+13:0] x_wide = {{ADDRESS_BITS{x_address[13]}}, x_address};

    always @(posedge clk) begin
        y_pool_1   <= digits[39:28] * pool[15:8];
        x_pool_1   <= digits[27:16] * pool[7:0];
        y_tap_1    <= $signed({2'b0, digits[15:8]}) - $signed({2'b0, pool[31:24]});
        x_tap_1    <= $signed({2'b0, digits[7:0]}) - $signed({2'b0, pool[23:16]});
        in_batch_1 <= {4'd0, digits[51:40]} < images;
        image_1    <= digits[51:40] * image_pitch;
        base_1     <= base;

        y_2        <= y_pool_1 + y_tap_1;
        x_2        <= x_pool_1 + x_tap_1;
        in_batch_2 <= in_batch_1;
        image_2    <= image_1 + base_1;

        y_3         <= y_2;
        x_3         <= x_2;
        y_strided_3 <= y_2 * $signed({1'b0, stride[15:8]});
        x_strided_3 <= x_2 * $signed({1'b0, stride[7:0]});
        counts_3    <= in_batch_2 && {2'b0, y_2} < conv_height && {2'b0, x_2} < conv_width;
        image_3     <= image_2;

        // Products have two registers before anything is added to them, as a DSP block has.
        y_4         <= y_3;
        x_4         <= x_3;
        y_strided_4 <= y_strided_3;
        x_strided_4 <= x_strided_3;
        counts_4    <= counts_3;
        image_4     <= image_3;

        row_5       <= y_wide[ADDRESS_BITS-1:0] * row_pitch;
        near_5      <= image_4 + x_wide[ADDRESS_BITS-1:0];
        iy_5        <= y_strided_4 - $signed({6'd0, stride[31:24]});
        ix_5        <= x_strided_4 - $signed({6'd0, stride[23:16]});
        counts_5    <= counts_4;

        place       <= row_5 + near_5;
        iy          <= iy_5;
        ix          <= ix_5;
        counts      <= counts_5;
    end
endmodule

`default_nettype wire
