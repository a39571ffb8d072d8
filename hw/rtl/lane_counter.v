// SPDX-License-Identifier: Apache-2.0
// Pixel number of one lane, as digits (wx, wy, px, py, n): the tap of the max pool's window, the
// output pixel, the image. It grows by a constant number of pixels in two cycles: `prepare` finds
// every digit's sum with and without its radix, `advance` resolves the carries.
`default_nettype none

module lane_counter (
    input  wire        clk,
    // In the cycle before `advance`.
    input  wire        prepare,
    // One step on.
    input  wire        advance,
    // Take `value` (instead of a step).
    input  wire        load,
    input  wire [51:0] value,
    // Digits of the step, then step minus radix of each (negative), constants of a layer.
    input  wire [51:0] step,
    input  wire [43:0] wrap_step,
    // Digits {n, py, px, wy, wx} of 12, 12, 12, 8 and 8 bits.
    output reg  [51:0] digits
);
    reg [7:0]  wx_plain_reg, wy_plain_reg;
    reg [11:0] px_plain_reg, py_plain_reg, n_plain_reg;
    reg [8:0]  wx_wrap_reg, wy_wrap_reg;
    reg [12:0] px_wrap_reg, py_wrap_reg;
    // Digit plus one (the carry from below) reaches the radix.
    reg        wy_full_reg, px_full_reg, py_full_reg;

    wire [8:0]  wy_wrap = {1'b0, digits[15:8]} + wrap_step[17:9];
    wire [12:0] px_wrap = {1'b0, digits[27:16]} + wrap_step[30:18];
    wire [12:0] py_wrap = {1'b0, digits[39:28]} + wrap_step[43:31];

    wire wx_carry = !wx_wrap_reg[8];
    wire wy_carry = !wy_wrap_reg[8] || (wy_full_reg && wx_carry);
    wire px_carry = !px_wrap_reg[12] || (px_full_reg && wy_carry);
    wire py_carry = !py_wrap_reg[12] || (py_full_reg && px_carry);

    always @(posedge clk) begin
        if (prepare) begin
            wx_plain_reg <= digits[7:0] + step[7:0];
            wy_plain_reg <= digits[15:8] + step[15:8];
            px_plain_reg <= digits[27:16] + step[27:16];
            py_plain_reg <= digits[39:28] + step[39:28];
            n_plain_reg  <= digits[51:40] + step[51:40];
            wx_wrap_reg  <= {1'b0, digits[7:0]} + wrap_step[8:0];
            wy_wrap_reg  <= wy_wrap;
            px_wrap_reg  <= px_wrap;
            py_wrap_reg  <= py_wrap;
            wy_full_reg  <= &wy_wrap;
            px_full_reg  <= &px_wrap;
            py_full_reg  <= &py_wrap;
        end
        if (load)
            digits <= value;
        else if (advance) begin
            digits[7:0]   <= wx_carry ? wx_wrap_reg[7:0] : wx_plain_reg;
            digits[15:8]  <= (wy_carry ? wy_wrap_reg[7:0] : wy_plain_reg) + {7'd0, wx_carry};
            digits[27:16] <= (px_carry ? px_wrap_reg[11:0] : px_plain_reg) + {11'd0, wy_carry};
            digits[39:28] <= (py_carry ? py_wrap_reg[11:0] : py_plain_reg) + {11'd0, px_carry};
            digits[51:40] <= n_plain_reg + {11'd0, py_carry};
        end
    end
endmodule

`default_nettype wire
