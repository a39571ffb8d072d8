// SPDX-License-Identifier: Apache-2.0
// Walks through the taps of a kernel: digits (c, s, r) of a mixed radix number that grows by a
// constant step each time. c is the plane or atom of a tap, s the kernel's column, r its row.
// All carries are found in one cycle: every digit is prepared for both values of its carry-in.
// r has no radix; it runs past the kernel's end, which the reader checks.
`default_nettype none

module tap_counter (
    input  wire        clk,
    // Back to the start values; else one step where `advance`.
    input  wire        load,
    input  wire        advance,
    // Constants of a layer, stable one cycle before `load`. A step's digit is below its radix, or
    // both are 1.
    input  wire [15:0] c_start,
    input  wire [7:0]  s_start,
    input  wire [7:0]  r_start,
    input  wire [15:0] c_step,
    input  wire [7:0]  s_step,
    input  wire [7:0]  r_step,
    input  wire [15:0] c_radix,
    input  wire [8:0]  s_radix,
    // Where it stands.
    output reg  [15:0] c,
    output reg  [7:0]  s,
    output reg  [8:0]  r
);
    // Step minus radix: the step of a digit that carries.
    reg [16:0] c_wrap_step_reg;
    reg [9:0]  s_wrap_step_reg;

    wire [16:0] c_plain = {1'b0, c} + {1'b0, c_step};
    wire [16:0] c_wrap  = {1'b0, c} + c_wrap_step_reg;
    wire        c_carry = !c_wrap[16];

    // a + b + 1 is ~(~a + ~b). Written so, no mapper puts one adder for both behind the choice, which
    // waits for the carry of the digit below.
    wire [9:0] s_plain_0 = {2'b0, s} + {2'b0, s_step};
    wire [9:0] s_plain_1 = ~(~{2'b0, s} + ~{2'b0, s_step});
    wire [9:0] s_wrap_0  = {2'b0, s} + s_wrap_step_reg;
    wire [9:0] s_wrap_1  = ~(~{2'b0, s} + ~s_wrap_step_reg);
    wire       s_carry   = c_carry ? !s_wrap_1[9] : !s_wrap_0[9];
    wire [9:0] s_plain   = c_carry ? s_plain_1 : s_plain_0;
    wire [9:0] s_wrap    = c_carry ? s_wrap_1 : s_wrap_0;

    wire [8:0] r_plain_0 = r + {1'b0, r_step};
    wire [8:0] r_plain_1 = ~(~r + ~{1'b0, r_step});

    always @(posedge clk) begin
        c_wrap_step_reg <= {1'b0, c_step} - {1'b0, c_radix};
        s_wrap_step_reg <= {2'b0, s_step} - {1'b0, s_radix};
        if (load) begin
            c <= c_start;
            s <= s_start;
            r <= {1'b0, r_start};
        end else if (advance) begin
            c <= c_carry ? c_wrap[15:0] : c_plain[15:0];
            s <= s_carry ? s_wrap[7:0] : s_plain[7:0];
            r <= s_carry ? r_plain_1 : r_plain_0;
        end
    end
endmodule

`default_nettype wire
