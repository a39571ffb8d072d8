// SPDX-License-Identifier: Apache-2.0
// Every variant of compute_unit against a naive model (compute_unit_check).
//
// Usage: iverilog -g2005 -s tb_compute_unit -o tb hw/bench/*compute_unit*.v \
//            hw/rtl/{compute_unit,xnor_popcount,pair_counter,ternary_accumulate,lane_adder}.v
//        vvp tb [+seed=N]
`default_nettype none

module tb_compute_unit;
    localparam VARIANTS = 24;

    // Mixed into every checker's generator before the first edge.
    integer seed;
    reg clk;
    wire [VARIANTS-1:0]    done;
    wire [32*VARIANTS-1:0] mistakes;
    wire [32*VARIANTS-1:0] compared;

    // What a unit holds: XNOR tree, ternary operands, INT tree.
    genvar v;
    generate
        for (v = 0; v < VARIANTS; v = v + 1) begin : g_variant
            localparam [2:0] HAS = v % 6 == 0 ? 3'b111 : v % 6 == 1 ? 3'b110 : v % 6 == 2 ? 3'b100
                : v % 6 == 3 ? 3'b011 : v % 6 == 4 ? 3'b001 : 3'b101;
            wire [31:0] start = seed + v;
            compute_unit_check #(
                .WORD(32 << (v / 6)), .HAS_XNOR(HAS[2]), .HAS_TERNARY(HAS[1]), .HAS_INT(HAS[0])
            ) u_check (
                .clk(clk), .seed(start), .done(done[v]),
                .mistakes(mistakes[32*v +: 32]), .compared(compared[32*v +: 32])
            );
        end
    endgenerate

    integer i, wrong, sums;
    initial begin
        if (!$value$plusargs("seed=%d", seed))
            seed = 1;
        $display("seed %0d", seed);
        clk = 0;
        while (done !== {VARIANTS{1'b1}})
            #1 clk = !clk;
        wrong = 0;
        sums = 0;
        for (i = 0; i < VARIANTS; i = i + 1) begin
            wrong = wrong + mistakes[32*i +: 32];
            sums = sums + compared[32*i +: 32];
            if (compared[32*i +: 32] < 300)
                wrong = wrong + 1;
        end
        if (wrong != 0)
            $display("FAIL: %0d of %0d sums", wrong, sums);
        else
            $display("PASS: %0d sums of %0d variants", sums, VARIANTS);
        $finish;
    end
endmodule

`default_nettype wire
