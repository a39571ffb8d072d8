// SPDX-License-Identifier: Apache-2.0
// One output channel's way from its sums to stored values: keeps the sums of PX lanes, takes one
// or two of them a cycle, adds up the planes of its weights, then thresholds (5 cycles) or scales
// (13 cycles), and max pools. Control comes with the stage's number: stage 0 is the register
// behind the choice of a lane.
`default_nettype none

module output_lane #(
    // Lanes, and bits of a sum.
    parameter PX = 4,
    parameter ACC_BITS = 24,
    parameter LANE_BITS = 2
) (
    input  wire                   clk,
    // Sums of all lanes, taken where `capture`.
    input  wire                   capture,
    input  wire [PX*ACC_BITS-1:0] acc,
    // Which lane goes into stage 0; the one behind it goes along (PAIR).
    input  wire [LANE_BITS-1:0]   select,
    // The channel's parameters (docs/device-program.md), taken where `load_parameters`.
    input  wire                   load_parameters,
    input  wire [127:0]           parameters,
    // Fields of the LAYER descriptor; without `scale` that path stands still.
    input  wire                   scale,
    input  wire                   pool,
    input  wire [15:0]            clamp_minimum,
    input  wire [15:0]            clamp_maximum,
    // Stage 0: the plane's multiplier. Stage 1: something is here; first plane, lane.
    input  wire [7:0]             multiplier_0,
    input  wire                   valid_1,
    input  wire                   first_plane_1,
    input  wire [LANE_BITS-1:0]   lane_1,
    // Stage 3: whether the two pixels count. Stage 4: something is here; first pixel of a pool's
    // window.
    input  wire [1:0]             counts_3,
    input  wire                   valid_4,
    input  wire                   window_first_4,
    // Stage 12: the same for scaled values.
    input  wire                   valid_12,
    input  wire                   counts_12,
    input  wire                   window_first_12,
    // Stage 5: signs of the two pixels, {plus of 1, plus of 0}.
    output reg  [1:0]             plus_5,
    output reg  [1:0]             minus_5,
    // Stage 13: clamped value; the value without clamp.
    output reg  signed [8:0]      value_13,
    output reg  [31:0]            wide_13
);
    // ---- Sums and parameters ---------------------------------------------------------------------

    reg [ACC_BITS-1:0]    hold_reg [0:PX-1];
    reg [113:0]           parameters_reg;
    reg                   descending_reg, take_minimum_reg;

    wire signed [31:0] high = parameters_reg[31:0];
    wire signed [31:0] low  = parameters_reg[63:32];
    wire signed [24:0] m    = parameters_reg[24:0];
    wire        [5:0]  s    = parameters_reg[37:32];
    wire        [1:0]  ties = parameters_reg[39:38];
    wire signed [49:0] b    = parameters_reg[113:64];

    integer j;
    always @(posedge clk) begin
        if (capture)
            for (j = 0; j < PX; j = j + 1)
                hold_reg[j] <= acc[j*ACC_BITS +: ACC_BITS];
        if (load_parameters) begin
            parameters_reg   <= parameters[113:0];
            descending_reg   <= parameters[126];
            take_minimum_reg <= parameters[127];
        end
    end

    // ---- Stages 0 to 2: choice, multiplier, sum over planes --------------------------------------

    localparam [LANE_BITS-1:0] PARTNER = 1;

    reg signed [ACC_BITS-1:0] sum_0, other_0, other_1, other_2;
    reg signed [31:0]         product_1;
    reg signed [31:0]         total_2;
    reg        [31:0]         planes [0:PX-1];

    wire signed [31:0] total_next = product_1 + (first_plane_1 ? 32'sd0 : $signed(planes[lane_1]));

    // The product fits 32 bits for every program that the compiler makes.
    always @(posedge clk) begin
        sum_0     <= hold_reg[select];
        other_0   <= hold_reg[select | PARTNER];
        product_1 <= sum_0 * $signed({1'b0, multiplier_0});
        other_1   <= other_0;
        total_2   <= total_next;
        other_2   <= other_1;
        if (valid_1)
            planes[lane_1] <= total_next;
    end

    // ---- Stages 3 to 5: thresholds, and the pool over signs ----------------------------------------

    wire signed [31:0] other_wide = {{(32-ACC_BITS){other_2[ACC_BITS-1]}}, other_2};
    reg  [1:0] plus_3, minus_3, plus_4, minus_4;

    // A pixel that does not count never wins.
    wire [1:0] plus_in  = {counts_3[1] ? plus_3[1] : take_minimum_reg,
                           counts_3[0] ? plus_3[0] : take_minimum_reg};
    wire [1:0] minus_in = {counts_3[1] ? minus_3[1] : !take_minimum_reg,
                           counts_3[0] ? minus_3[0] : !take_minimum_reg};

    always @(posedge clk) begin
        plus_3  <= {(other_wide < high) ^ !descending_reg, (total_2 < high) ^ !descending_reg};
        minus_3 <= {(other_wide < low) ^ descending_reg, (total_2 < low) ^ descending_reg};

        if (pool) begin
            plus_4  <= take_minimum_reg ? {1'b0, &plus_in} : {1'b0, |plus_in};
            minus_4 <= take_minimum_reg ? {1'b0, |minus_in} : {1'b0, &minus_in};
        end else begin
            plus_4  <= plus_3;
            minus_4 <= minus_3;
        end

        plus_5[1]  <= plus_4[1];
        minus_5[1] <= minus_4[1];
        if (window_first_4) begin
            plus_5[0]  <= plus_4[0];
            minus_5[0] <= minus_4[0];
        end else if (valid_4) begin
            plus_5[0]  <= take_minimum_reg ? plus_5[0] & plus_4[0] : plus_5[0] | plus_4[0];
            minus_5[0] <= take_minimum_reg ? minus_5[0] | minus_4[0] : minus_5[0] & minus_4[0];
        end
    end

    // ---- Stages 3 to 13: scale ----------------------------------------------------------------------

    reg signed [41:0] low_product_3, low_product_4;
    reg signed [40:0] high_product_3, high_product_4;
    reg signed [49:0] scaled_5, scaled_6, shifted_7, shifted_8;
    reg               dropped_7, dropped_8, dropped_9, dropped_10;   // a bit that was 1
    reg signed [10:0] near_9, near_10;     // the value, where it fits 11 bits
    reg               fits_9, sign_9;
    reg signed [10:0] rounded_11;
    reg        [31:0] wide_8, wide_9, wide_10, wide_11, wide_12;
    reg signed [8:0]  value_12;

    // Bits above the 11 kept, in the parts that the last shift leaves above.
    wire same_25 = &(shifted_8[25:10] ~^ {16{shifted_8[49]}});
    wire same_41 = &(shifted_8[41:26] ~^ {16{shifted_8[49]}});
    wire same_49 = &(shifted_8[48:42] ~^ {7{shifted_8[49]}});
    wire down = !dropped_10 && ((ties == 2'd1 && near_10[0]) || (ties == 2'd2 && !near_10[0]));
    wire signed [10:0] minimum = clamp_minimum[10:0];
    wire signed [10:0] maximum = clamp_maximum[10:0];
    wire better = take_minimum_reg ? value_12 < value_13 : value_12 > value_13;

    // Products are cut to 50 bits: the sum is meant modulo 2^50. The shift takes three steps, the
    // fine ones first, so that the coarse one has 11 bits to choose only; a value without clamp has
    // S = 0 or 1 and is complete after the first step.
    always @(posedge clk) if (scale) begin
        low_product_3  <= $signed({1'b0, total_2[15:0]}) * m;
        high_product_3 <= $signed(total_2[31:16]) * m;
        low_product_4  <= low_product_3;
        high_product_4 <= high_product_3;
        scaled_5  <= $signed({high_product_4, 16'd0}) + low_product_4;
        scaled_6  <= scaled_5 + b;

        case (s[1:0])
            2'd0: shifted_7 <= scaled_6;
            2'd1: shifted_7 <= scaled_6 >>> 1;
            2'd2: shifted_7 <= scaled_6 >>> 2;
            2'd3: shifted_7 <= scaled_6 >>> 3;
        endcase
        dropped_7 <= (s[1:0] != 2'd0 && scaled_6[0]) || (s[1] && scaled_6[1]) ||
                     (s[1:0] == 2'd3 && scaled_6[2]);

        case (s[3:2])
            2'd0: shifted_8 <= shifted_7;
            2'd1: shifted_8 <= shifted_7 >>> 4;
            2'd2: shifted_8 <= shifted_7 >>> 8;
            2'd3: shifted_8 <= shifted_7 >>> 12;
        endcase
        dropped_8 <= dropped_7 || (s[3:2] != 2'd0 && |shifted_7[3:0]) ||
                     (s[3] && |shifted_7[7:4]) || (s[3:2] == 2'd3 && |shifted_7[11:8]);
        wide_8    <= shifted_7[31:0];

        case (s[5:4])
            2'd0: near_9 <= shifted_8[10:0];
            2'd1: near_9 <= shifted_8[26:16];
            2'd2: near_9 <= shifted_8[42:32];
            2'd3: near_9 <= {{9{shifted_8[49]}}, shifted_8[49:48]};
        endcase
        fits_9    <= (s[5:4] != 2'd0 || same_25) && (s[5] || same_41) && (s[5:4] == 2'd3 || same_49);
        sign_9    <= shifted_8[49];
        dropped_9 <= dropped_8 || (s[5:4] != 2'd0 && |shifted_8[15:0]) ||
                     (s[5] && |shifted_8[31:16]) || (s[5:4] == 2'd3 && |shifted_8[47:32]);
        wide_9    <= wide_8;

        near_10    <= fits_9 ? near_9 : {sign_9, {10{!sign_9}}};
        dropped_10 <= dropped_9;
        wide_10    <= wide_9;

        rounded_11 <= near_10 - $signed({10'd0, down && near_10 != -11'sd1024});
        wide_11    <= wide_10;

        value_12   <= rounded_11 < minimum ? minimum[8:0]
                    : rounded_11 > maximum ? maximum[8:0] : rounded_11[8:0];
        wide_12    <= wide_11;

        // Pool: what does not count leaves the value as it is, or is the worst one.
        if (window_first_12)
            value_13 <= counts_12 ? value_12 : take_minimum_reg ? 9'sd255 : -9'sd256;
        else if (valid_12 && counts_12 && better)
            value_13 <= value_12;
        wide_13 <= wide_12;
    end
endmodule

`default_nettype wire
