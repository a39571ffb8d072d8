// SPDX-License-Identifier: Apache-2.0
// From a row of the weight ring to one output channel's weights of a step: the whole word for the
// XNOR-popcount unit, or a quarter (ternary) or an eighth (binary) of it for 8-bit activations.
// One cycle.
`default_nettype none

module weight_select #(
    // Bits of a word.
    parameter WORD = 128,
    // What the compute units hold; see compute_unit.
    parameter HAS_XNOR = 1,
    parameter HAS_TERNARY = 1,
    parameter HAS_INT = 1
) (
    input  wire              clk,
    input  wire              ce,
    input  wire              int_mode,
    // INT with ternary weights: four steps a row, else eight.
    input  wire              wide,
    input  wire [2:0]        part,
    input  wire [WORD-1:0]   row,
    // One cycle later.
    output wire [WORD-1:0]   weight,
    output wire [WORD/8-1:0] negative,
    output wire [WORD/8-1:0] nonzero
);
    localparam LANES = WORD / 8;

    generate
        if (HAS_XNOR != 0) begin : g_xnor
            reg [WORD-1:0] weight_reg;
            always @(posedge clk)
                if (ce && !int_mode)
                    weight_reg <= row;
            assign weight = weight_reg;
        end else begin : g_no_xnor
            assign weight = {WORD{1'b0}};
        end
        if (HAS_INT != 0 && HAS_TERNARY != 0) begin : g_ternary
            reg  [LANES-1:0]   negative_reg, nonzero_reg;
            wire [1:0]         which   = wide ? part[1:0] : part[2:1];
            wire [2*LANES-1:0] quarter = row[{which, {$clog2(2*LANES){1'b0}}} +: 2*LANES];
            always @(posedge clk)
                if (ce && int_mode) begin
                    negative_reg <= wide || part[0] ? quarter[2*LANES-1:LANES] : quarter[LANES-1:0];
                    nonzero_reg  <= wide ? quarter[LANES-1:0] : {LANES{1'b1}};
                end
            assign negative = negative_reg;
            assign nonzero  = nonzero_reg;
        end else if (HAS_INT != 0) begin : g_binary
            reg [LANES-1:0] negative_reg;
            always @(posedge clk)
                if (ce && int_mode)
                    negative_reg <= row[{part, {$clog2(LANES){1'b0}}} +: LANES];
            assign negative = negative_reg;
            assign nonzero  = {LANES{1'b1}};
        end else begin : g_no_int
            assign negative = {LANES{1'b0}};
            assign nonzero  = {LANES{1'b1}};
        end
    endgenerate
endmodule

`default_nettype wire
