// SPDX-License-Identifier: Apache-2.0
// Checks one variant of compute_unit against a naive model, with random operands, modes and stalls.
// The model works bit by bit on the operands of the edge that sampled them, and keeps its sums in a
// queue as long as the unit's latency. Counts mistakes; the test bench reports them.
`default_nettype none

module compute_unit_check #(
    // As of compute_unit.
    parameter WORD = 128,
    parameter ACC_BITS = 24,
    parameter HAS_XNOR = 1,
    parameter HAS_TERNARY = 1,
    parameter HAS_INT = 1,
    // Cycles to run.
    parameter CYCLES = 600
) (
    input  wire        clk,
    // Start of the random numbers, read at the first edge.
    input  wire [31:0] seed,
    // The run is over, with so many mistakes in so many sums compared.
    output reg         done,
    output reg  [31:0] mistakes,
    output reg  [31:0] compared
);
    localparam HALF = WORD / 2;

    reg                ce;
    reg [WORD-1:0]     act;
    reg [1:0]          zero;
    reg [1:0]          odd;
    reg [WORD-1:0]     wgt;
    reg [WORD/8-1:0]   neg;
    reg [WORD/8-1:0]   nonzero;
    reg                int_mode;
    wire signed [ACC_BITS-1:0] acc;
    // The newest operand's first and enable flags, and the older ones'.
    reg [3:0]          first;
    reg [3:0]          enable;

    compute_unit #(
        .WORD(WORD), .ACC_BITS(ACC_BITS), .HAS_XNOR(HAS_XNOR), .HAS_TERNARY(HAS_TERNARY),
        .HAS_INT(HAS_INT)
    ) u_unit (
        .clk(clk), .ce(ce), .act(act), .zero(zero), .odd(odd), .wgt(wgt), .neg(neg),
        .nonzero(nonzero), .int_mode(int_mode), .sum_first(first[3]), .sum_enable(enable[3]),
        .acc(acc)
    );

    // What an operand adds, by the arithmetic's definition.
    integer i, h, value, total;
    reg [WORD-1:0] pattern;
    task naive;
        begin
            total = 0;
            if (int_mode) begin
                for (i = 0; i < WORD / 8; i = i + 1) begin
                    value = act[8*i +: 8];
                    if (value > 127)
                        value = value - 256;
                    if (HAS_TERNARY != 0 && !nonzero[i])
                        value = 0;
                    total = total + (neg[i] ? -1 - value : value);
                end
            end else begin
                for (h = 0; h < 2; h = h + 1)
                    for (i = h * HALF; i < h * HALF + HALF / 2; i = i + 1)
                        if (zero[h])
                            total = total + 2 + 2 * (act[i] - act[i + HALF/2])
                                * (wgt[i] - wgt[i + HALF/2]);
                        else
                            total = total + 2 * (act[i] == wgt[i])
                                + 2 * (act[i + HALF/2] == wgt[i + HALF/2]);
                total = total + odd[0] + odd[1];
            end
        end
    endtask

    // Random words: dense, sparse, constant.
    integer state;
    reg [WORD-1:0] word;
    task random_word;
        integer kind;
        begin
            kind = $random(state);
            for (i = 0; i < WORD; i = i + 1) begin
                value = $random(state);
                word[i] = kind[6:4] == 0 ? kind[7] : kind[6:4] == 1 ? value[10:8] == 0 : value[8];
            end
        end
    endtask

    // Keeps a half's second bits clear where its first are set, as ternary operands are.
    task make_ternary;
        for (i = 0; i < HALF / 2; i = i + 1)
            if (pattern[h*HALF + i])
                pattern[h*HALF + HALF/2 + i] = 1'b0;
    endtask

    integer cycle, settle, dice;
    integer added [0:3];
    reg signed [ACC_BITS-1:0] expected;
    reg known;
    task new_operand;
        begin
            random_word;
            act = word;
            random_word;
            wgt = word;
            dice = $random(state);
            zero = dice[1:0];
            odd = dice[3:2];
            random_word;
            neg = word[WORD/8-1:0];
            nonzero = word[WORD/8 +: WORD/8];
            if (!int_mode)
                for (h = 0; h < 2; h = h + 1)
                    if (zero[h]) begin
                        pattern = act;
                        if (HAS_TERNARY == 0 || dice[5:4] == 0)
                            pattern[h*HALF +: HALF] = {HALF{1'b0}};
                        make_ternary;
                        act = pattern;
                        if (HAS_TERNARY != 0) begin
                            pattern = wgt;
                            make_ternary;
                            wgt = pattern;
                        end
                    end
            naive;
            first[0] = dice[8:6] == 0 || !known && dice[6];
            enable[0] = dice[11:9] != 0;
        end
    endtask

    initial begin
        state = 0;
        done = 0;
        mistakes = 0;
        compared = 0;
        cycle = 0;
        settle = 0;
        known = 0;
        ce = 0;
        first = 0;
        enable = 0;
        int_mode = HAS_XNOR == 0;
        new_operand;
        added[0] = total;
    end

    // Operands change between edges; an edge with ce moves the model's queue.
    always @(negedge clk)
        if (!done) begin
            if (cycle == 0)
                state = seed;
            if (ce) begin
                if (enable[3]) begin
                    if (first[3])
                        known = 1;
                    expected = first[3] ? added[3] : expected + added[3];
                end
                added[3] = added[2];
                added[2] = added[1];
                added[1] = added[0];
                first = {first[2:0], 1'b0};
                enable = {enable[2:0], 1'b0};
                if (settle > 0) begin
                    settle = settle - 1;
                    if (settle == 0 && HAS_XNOR != 0 && HAS_INT != 0)
                        int_mode = !int_mode;
                end else
                    new_operand;
                if (settle == 0 && cycle % 100 == 99)
                    settle = 4;
                added[0] = total;
            end
            if (known) begin
                compared = compared + 1;
                if (acc !== expected) begin
                    if (mistakes == 0)
                        $display("WORD=%0d XNOR=%0d TERNARY=%0d INT=%0d cycle %0d: %0d, not %0d",
                            WORD, HAS_XNOR, HAS_TERNARY, HAS_INT, cycle, acc, expected);
                    mistakes = mistakes + 1;
                end
            end
            dice = $random(state);
            ce = dice[9:8] != 0;
            cycle = cycle + 1;
            done = cycle >= CYCLES;
        end
endmodule

`default_nettype wire
