// SPDX-License-Identifier: Apache-2.0
// Property of ternary_accumulate: whatever its lane adders say (lane_adder_free), up to their
// maximum, the addends are their total. `ce` stays high (compute_unit's proofs stall it).
`default_nettype none

module ternary_accumulate_formal #(
    // As of ternary_accumulate; up to 128 bits.
    parameter WORD = 128
) (
    input  wire              clk,
    // All as of ternary_accumulate; free.
    input  wire [WORD-1:0]   act,
    input  wire [WORD/8-1:0] neg,
    input  wire [WORD/8-1:0] nonzero
);
    localparam BITS = $clog2(WORD) + 5;
    localparam LANES = WORD / 8;
    localparam TRIPLES = LANES / 3;
    localparam SINGLES = LANES - 3 * TRIPLES;

    wire [BITS-1:0] addend_a;
    wire [BITS-1:0] addend_b;
    ternary_accumulate #(.WORD(WORD)) u_tree (
        .clk(clk), .ce(1'b1), .clear(1'b0), .act(act), .neg(neg), .nonzero(nonzero),
        .addend_a(addend_a), .addend_b(addend_b)
    );

    // The stand-in's sums are the low bits of the activation, its singles the high ones. The last
    // single of a short word has its offset already.
    reg [BITS:0] total;
    reg [7:0] single;
    integer t;
    always @* begin
        total = 0;
        single = 0;
        for (t = 0; t < TRIPLES; t = t + 1) begin
            assume (act[10*t +: 10] <= 3 * 255);
            total = total + act[10*t +: 10];
        end
        for (t = 0; t < SINGLES; t = t + 1) begin
            single = act[8*(LANES - SINGLES + t) +: 8];
            if (LANES > 8 || t + 1 < SINGLES)
                single = single ^ {8{neg[t]}} ^ 8'h80;
            total = total + single;
        end
    end

    reg [BITS:0] total_reg;
    reg started_reg = 0;
    always @(posedge clk) begin
        total_reg <= total;
        started_reg <= 1;
    end
    always @*
        if (started_reg)
            assert ({1'b0, addend_a} + {1'b0, addend_b} == total_reg);
endmodule

`default_nettype wire
