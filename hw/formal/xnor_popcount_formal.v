// SPDX-License-Identifier: Apache-2.0
// Property of xnor_popcount: whatever its pair counters say (pair_counter_free), the addends are
// their total, doubled, with the odd ones. `ce` stays high (compute_unit's proofs stall it).
`default_nettype none

module xnor_popcount_formal #(
    // As of xnor_popcount.
    parameter WORD = 128
) (
    input  wire            clk,
    // All as of xnor_popcount; free.
    input  wire [WORD-1:0] act,
    input  wire [WORD-1:0] wgt,
    input  wire [1:0]      zero,
    input  wire [1:0]      odd
);
    localparam BITS = $clog2(WORD) + 1;
    localparam QUARTER = WORD / 4;
    localparam PARTS = WORD > 128 ? 2 : 1;
    localparam SUMS = WORD / 2 / PARTS / 15;

    wire [BITS-1:0] addend_a;
    wire [BITS-1:0] addend_b;
    xnor_popcount #(.WORD(WORD)) u_tree (
        .clk(clk), .ce(1'b1), .clear(1'b0), .act(act), .wgt(wgt), .zero(zero), .odd(odd),
        .addend_a(addend_a), .addend_b(addend_b)
    );

    // The stand-in's sums are first bits of activation pairs, its twos those of weights.
    reg [63:0] pairs;
    reg [BITS:0] sums, twos;
    integer p, s;
    always @* begin
        pairs = 0;
        sums = 0;
        twos = 0;
        for (p = 0; p < PARTS; p = p + 1)
            for (s = 0; s < SUMS; s = s + 1) begin
                pairs = PARTS == 1 ? {act[2*QUARTER +: QUARTER], act[0 +: QUARTER]}
                    : act[2*p*QUARTER +: QUARTER];
                sums = sums + pairs[5*s +: 5];
                pairs = PARTS == 1 ? {wgt[2*QUARTER +: QUARTER], wgt[0 +: QUARTER]}
                    : wgt[2*p*QUARTER +: QUARTER];
                twos = twos + pairs[s];
            end
    end

    // The twos are a cycle early; the odd ones come with the operands.
    reg [BITS:0] sum_reg, two1_reg, two2_reg;
    reg [1:0] odd1_reg, odd2_reg, odd3_reg;
    reg [1:0] cycle_reg = 0;
    always @(posedge clk) begin
        sum_reg <= sums;
        two1_reg <= twos;
        two2_reg <= two1_reg;
        odd1_reg <= odd;
        odd2_reg <= odd1_reg;
        odd3_reg <= odd2_reg;
        if (cycle_reg != 3)
            cycle_reg <= cycle_reg + 1;
    end
    always @*
        if (cycle_reg == 3)
            assert ({1'b0, addend_a} + {1'b0, addend_b}
                == 2 * (sum_reg + 2 * two2_reg) + odd3_reg[0] + odd3_reg[1]);
endmodule

`default_nettype wire
