// SPDX-License-Identifier: Apache-2.0
// Properties of compute_unit: what an operand adds equals the arithmetic's definition, written
// naively; a sum starts, goes on and stays as its flags say; nothing moves while `ce` is low.
// Registers start in any state. Two kinds of proof, as both at once take minutes:
//  - STALLS = 0: any operands; every cycle starts a sum.
//  - STALLS = 1: any flags, stalls and accumulator; operands differ in their lowest bits only.
`default_nettype none

module compute_unit_formal #(
    // As of compute_unit.
    parameter WORD = 32,
    parameter ACC_BITS = 24,
    parameter HAS_XNOR = 1,
    parameter HAS_TERNARY = 1,
    parameter HAS_INT = 1,
    // The kind of proof.
    parameter STALLS = 0
) (
    input  wire                clk,
    // All as of compute_unit; free.
    input  wire                ce,
    input  wire [WORD-1:0]     act,
    input  wire [1:0]          zero,
    input  wire [1:0]          odd,
    input  wire [WORD-1:0]     wgt,
    input  wire [WORD/8-1:0]   neg,
    input  wire [WORD/8-1:0]   nonzero,
    input  wire                int_mode,
    input  wire                sum_first,
    input  wire                sum_enable
);
    localparam HALF = WORD / 2;

    wire signed [ACC_BITS-1:0] acc;
    compute_unit #(
        .WORD(WORD), .ACC_BITS(ACC_BITS), .HAS_XNOR(HAS_XNOR), .HAS_TERNARY(HAS_TERNARY),
        .HAS_INT(HAS_INT)
    ) u_unit (
        .clk(clk), .ce(ce), .act(act), .zero(zero), .odd(odd), .wgt(wgt), .neg(neg),
        .nonzero(nonzero), .int_mode(int_mode), .sum_first(sum_first), .sum_enable(sum_enable),
        .acc(acc)
    );

    // What the operand on the ports adds. The counts go bit by bit, in plain binary.
    reg [ACC_BITS-1:0] value;
    reg [7:0] lane;
    reg plus, minus;
    integer i, h;
    always @* begin
        value = {ACC_BITS{1'b0}};
        lane = 8'h00;
        plus = 1'b0;
        minus = 1'b0;
        if (int_mode) begin
            for (i = 0; i < WORD / 8; i = i + 1) begin
                lane = (HAS_TERNARY == 0 || nonzero[i] ? act[8*i +: 8] : 8'h00) ^ {8{neg[i]}};
                value = value + {{(ACC_BITS-8){lane[7]}}, lane};
            end
        end else begin
            for (h = 0; h < 2; h = h + 1)
                for (i = h * HALF; i < h * HALF + HALF / 2; i = i + 1)
                    if (zero[h]) begin
                        plus = (act[i] && wgt[i]) || (act[i + HALF/2] && wgt[i + HALF/2]);
                        minus = (act[i] && wgt[i + HALF/2]) || (act[i + HALF/2] && wgt[i]);
                        value = value + (plus ? 4 : minus ? 0 : 2);
                    end else
                        value = value + (act[i] == wgt[i] ? 2 : 0)
                            + (act[i + HALF/2] == wgt[i + HALF/2] ? 2 : 0);
            value = value + odd[0] + odd[1];
        end
    end

    // Operands are what the caller promises: +1 and -1 are never both; masked without ternary.
    integer a, g;
    always @*
        for (g = 0; g < 2; g = g + 1)
            for (a = g * HALF; a < g * HALF + HALF / 2; a = a + 1)
                if (!int_mode && zero[g]) begin
                    assume (!(act[a] && act[a + HALF/2]));
                    assume (!(wgt[a] && wgt[a + HALF/2]));
                    if (HAS_TERNARY == 0)
                        assume (!act[a] && !act[a + HALF/2]);
                end

    always @* begin
        if (STALLS == 0) begin
            assume (ce);
            assume (sum_first);
        end else begin
            assume (act[WORD-1:1] == 0 && wgt[WORD-1:1] == 0);
            assume (neg[WORD/8-1:1] == 0 && nonzero[WORD/8-1:1] == 0);
        end
    end

    // Three operands are on their way; `filled` counts those that the model has seen.
    reg [ACC_BITS-1:0] value1_reg, value2_reg, value3_reg, acc_reg;
    reg [1:0] filled_reg = 0;
    reg started_reg = 0;
    reg mode_reg, ce_reg, first_reg, enable_reg;
    reg known_reg = 0;
    reg [ACC_BITS-1:0] added_reg;
    always @(posedge clk) begin
        started_reg <= 1;
        mode_reg <= int_mode;
        ce_reg <= ce;
        first_reg <= sum_first;
        enable_reg <= sum_enable;
        acc_reg <= acc;
        added_reg <= value3_reg;
        known_reg <= filled_reg == 3;
        if (ce) begin
            value1_reg <= value;
            value2_reg <= value1_reg;
            value3_reg <= value2_reg;
            if (filled_reg != 3)
                filled_reg <= filled_reg + 1;
        end
    end

    // A mode is one layer's.
    always @*
        if (started_reg)
            assume (int_mode == mode_reg);
    always @* begin
        if (HAS_XNOR == 0)
            assume (int_mode);
        if (HAS_INT == 0)
            assume (!int_mode);
    end

    always @*
        if (started_reg) begin
            if (!ce_reg || !enable_reg)
                assert (acc == acc_reg);
            else if (known_reg)
                assert (acc == (first_reg ? {ACC_BITS{1'b0}} : acc_reg) + added_reg);
        end
endmodule

`default_nettype wire
