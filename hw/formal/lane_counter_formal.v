// SPDX-License-Identifier: Apache-2.0
// Property of lane_counter: `prepare`, then `advance`, adds the step to the digits as one adds by
// hand, digit by digit with carries, and every digit stays below its radix. So the number grows
// by the step each time. By induction, so for runs of any length.
`default_nettype none

module lane_counter_formal (
    input  wire        clk,
    // As of lane_counter; free, but as the assumptions say
    input  wire        prepare,
    input  wire        advance,
    input  wire        load,
    input  wire [51:0] value
);
    // Constants of a layer: the step, and the radix of wx, wy (1..256), px, py (1..4095); n has none
    (* anyconst *) wire [51:0] step;
    (* anyconst *) wire [8:0]  radix_wx, radix_wy;
    (* anyconst *) wire [12:0] radix_px, radix_py;

    wire [51:0] digits;
    lane_counter u_dut (
        .clk(clk), .prepare(prepare), .advance(advance), .load(load), .value(value), .step(step),
        .wrap_step({{1'b0, step[39:28]} - radix_py, {1'b0, step[27:16]} - radix_px,
                    {1'b0, step[15:8]} - radix_wy, {1'b0, step[7:0]} - radix_wx}),
        .digits(digits)
    );

    // All digits of a number with a radix are below it.
    function below;
        input [51:0] number;
        below = {1'b0, number[7:0]} < radix_wx && {1'b0, number[15:8]} < radix_wy
                && {1'b0, number[27:16]} < radix_px && {1'b0, number[39:28]} < radix_py;
    endfunction

    // By hand
    wire [8:0]  wx = {1'b0, digits[7:0]} + {1'b0, step[7:0]};
    wire        wx_carry = wx >= radix_wx;
    wire [8:0]  wy = {1'b0, digits[15:8]} + {1'b0, step[15:8]} + {8'd0, wx_carry};
    wire        wy_carry = wy >= radix_wy;
    wire [12:0] px = {1'b0, digits[27:16]} + {1'b0, step[27:16]} + {12'd0, wy_carry};
    wire        px_carry = px >= radix_px;
    wire [12:0] py = {1'b0, digits[39:28]} + {1'b0, step[39:28]} + {12'd0, px_carry};
    wire        py_carry = py >= radix_py;
    wire [11:0] n  = digits[51:40] + step[51:40] + {11'd0, py_carry};
    wire [8:0]  wx_next = wx_carry ? wx - radix_wx : wx;
    wire [8:0]  wy_next = wy_carry ? wy - radix_wy : wy;
    wire [12:0] px_next = px_carry ? px - radix_px : px;
    wire [12:0] py_next = py_carry ? py - radix_py : py;

    reg begun_reg = 1'b0;            // a number was loaded
    reg prepared_reg = 1'b0;
    always @(posedge clk) begin
        if (load)
            begun_reg <= 1'b1;
        prepared_reg <= prepare && !load;
    end

    // What lane_generator keeps to, and what descriptor_check has checked
    always @* begin
        assume (radix_wx != 0 && radix_wx <= 9'd256 && radix_wy != 0 && radix_wy <= 9'd256);
        assume (radix_px != 0 && radix_px <= 13'd4095 && radix_py != 0 && radix_py <= 13'd4095);
        assume (below(step));
        assume (!load || below(value));
        assume (!prepare || (begun_reg && !advance));
        assume (!advance || prepared_reg);
    end

    reg [51:0] sum_reg;
    reg        check_reg = 1'b0;
    always @(posedge clk) begin
        sum_reg   <= {n, py_next[11:0], px_next[11:0], wy_next[7:0], wx_next[7:0]};
        check_reg <= advance && !load;
    end
    always @* begin
        if (begun_reg)
            assert (below(digits));
        if (check_reg)
            assert (digits == sum_reg);
    end
endmodule

`default_nettype wire
