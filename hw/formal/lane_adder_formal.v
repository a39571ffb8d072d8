// SPDX-License-Identifier: Apache-2.0
// Properties of lane_adder: each sum is that of its three lanes by the definition, and a single lane
// is a lane. Registers start in any state; `ce` stays high (compute_unit's proofs stall it).
`default_nettype none

module lane_adder_formal #(
    // As of lane_adder.
    parameter LANES = 16,
    parameter HAS_TERNARY = 1,
    parameter EARLY_SINGLES = 0
) (
    input  wire               clk,
    // All as of lane_adder; free.
    input  wire [8*LANES-1:0] act,
    input  wire [LANES-1:0]   neg,
    input  wire [LANES-1:0]   nonzero
);
    localparam TRIPLES = LANES / 3;
    localparam SINGLES = LANES - 3 * TRIPLES;

    wire [10*TRIPLES-1:0] sum;
    wire [8*SINGLES-1:0]  single;
    wire [SINGLES-1:0]    single_neg;
    lane_adder #(
        .LANES(LANES), .HAS_TERNARY(HAS_TERNARY), .EARLY_SINGLES(EARLY_SINGLES)
    ) u_lanes (
        .clk(clk), .ce(1'b1), .act(act), .neg(neg), .nonzero(nonzero), .sum(sum), .single(single),
        .single_neg(single_neg)
    );

    // Lanes with their offset, two cycles ago.
    reg [10*LANES-1:0] lane, lane1_reg, lane2_reg;
    reg [7:0] x;
    reg [1:0] cycle_reg = 0;
    integer l;
    always @* begin
        lane = 0;
        x = 0;
        for (l = 0; l < LANES; l = l + 1) begin
            x = (HAS_TERNARY == 0 || nonzero[l] ? act[8*l +: 8] : 8'h00) ^ {8{neg[l]}};
            lane[10*l +: 10] = {{2{x[7]}}, x} + 10'd128;
        end
    end
    always @(posedge clk) begin
        lane1_reg <= lane;
        lane2_reg <= lane1_reg;
        if (cycle_reg != 2)
            cycle_reg <= cycle_reg + 1;
    end

    integer t;
    always @*
        if (cycle_reg == 2) begin
            for (t = 0; t < TRIPLES; t = t + 1)
                assert (sum[10*t +: 10] == lane2_reg[10*t +: 10] + lane2_reg[10*(TRIPLES + t) +: 10]
                    + lane2_reg[10*(2*TRIPLES + t) +: 10]);
            for (t = 0; t < SINGLES; t = t + 1)
                if (t < SINGLES - EARLY_SINGLES)
                    assert ((single[8*t +: 8] ^ {8{single_neg[t]}} ^ 8'h80)
                        == lane2_reg[10*(3*TRIPLES + t) +: 8]);
                else
                    assert (single[8*t +: 8] == lane2_reg[10*(3*TRIPLES + t) +: 8]);
        end
endmodule

`default_nettype wire
