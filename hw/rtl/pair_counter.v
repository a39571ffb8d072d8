// SPDX-License-Identifier: Apache-2.0
// First two stages of the XNOR-popcount tree: counts what up to 64 pairs of operand bits agree on.
//
// A pair is two bits of activation and two of weight. Binary, it counts its bits that are equal;
// ternary (`zero`), the bits are the +1 and the -1 bit of one number each, and the pair counts 1
// plus the product. Both are 0, 1 or 2: two functions of the same five inputs, one LUT6_2 site.
// Five pairs then make a field: a full adder and a (1,3,5) counter, which a carry chain turns into
// a four-bit number with three LUTs. Three fields make a sum: an adder of three operands, one site
// a bit, whose fields lie side by side in one word, as no sum leaves its five bits.
// The stages are functions of whole words, so that a simulator has few and wide operations, and
// none at all while `ce` is low.
//
// Two cycles for `sum`, one for `two`; holds while `ce` is low. The count is the total of the fields
// of `sum`, plus twice the ones in `two` of the cycle before.
`default_nettype none

module pair_counter #(
    // Pairs: 16, 32 or 64.
    parameter PAIRS = 64,
    // Ternary pairs; without them a pair under `zero` counts 1, whatever its operands.
    parameter HAS_TERNARY = 1,
    // Derived; leave them: fields of five pairs, sums of three fields and one pair left over.
    parameter FIELDS = PAIRS / 5,
    parameter SUMS = FIELDS / 3
) (
    input  wire              clk,
    input  wire              ce,
    // Operands: first and second bits of the pairs of activation and weight.
    input  wire [PAIRS-1:0]  act_plus,
    input  wire [PAIRS-1:0]  act_minus,
    input  wire [PAIRS-1:0]  wgt_plus,
    input  wire [PAIRS-1:0]  wgt_minus,
    // Which pairs are ternary, or masked (activation bits 0).
    input  wire [PAIRS-1:0]  zero,
    // Numbers of five bits, of weight 1; bits of weight 2, a cycle earlier.
    output wire [5*SUMS-1:0] sum,
    output wire [SUMS-1:0]   two
);
    localparam BITS = 5 * FIELDS;
    // The first bit of every field of five.
    localparam [BITS-1:0] FIRST = {FIELDS{5'b00001}};

    // The bit of weight 1 of the pairs' counts.
    function [PAIRS-1:0] pair_ones;
        input [PAIRS-1:0] a;
        input [PAIRS-1:0] b;
        input [PAIRS-1:0] v;
        input [PAIRS-1:0] w;
        input [PAIRS-1:0] ternary;
        if (HAS_TERNARY != 0)
            pair_ones = (ternary & ~((a | b) & (v | w))) | (~ternary & (a ^ b ^ v ^ w));
        else
            pair_ones = ternary | (a ^ b ^ v ^ w);
    endfunction

    // The bit of weight 2.
    function [PAIRS-1:0] pair_twos;
        input [PAIRS-1:0] a;
        input [PAIRS-1:0] b;
        input [PAIRS-1:0] v;
        input [PAIRS-1:0] w;
        input [PAIRS-1:0] ternary;
        if (HAS_TERNARY != 0)
            pair_twos = (ternary & ((a & v) | (b & w))) | (~ternary & (a ~^ v) & (b ~^ w));
        else
            pair_twos = ~ternary & (a ~^ v) & (b ~^ w);
    endfunction

    // Carries of full adders.
    function [BITS-1:0] majority;
        input [BITS-1:0] x;
        input [BITS-1:0] y;
        input [BITS-1:0] z;
        majority = (x & y) | (z & (x | y));
    endfunction

    // First stage: of each field, what its five pairs count, four bits of at most 10. The fifth bits
    // are free, and hold the counts of the pairs left over: the first SUMS their ones, the next
    // their twos.
    function [BITS-1:0] count_fields;
        input [PAIRS-1:0] a;
        input [PAIRS-1:0] b;
        input [PAIRS-1:0] v;
        input [PAIRS-1:0] w;
        input [PAIRS-1:0] ternary;
        reg [PAIRS-1:0] ones;
        reg [PAIRS-1:0] twos;
        reg [BITS-1:0] x;
        reg [BITS-1:0] y;
        reg [BITS-1:0] carry;
        reg [BITS-1:0] plain;
        reg [BITS-1:0] merged;
        integer f;
        begin
            ones = pair_ones(a, b, v, w, ternary);
            twos = pair_twos(a, b, v, w, ternary);
            x = ones[BITS-1:0];
            y = twos[BITS-1:0];
            // A full adder of weight 2. Its outputs are an operand of the chain, with a one.
            carry = majority(y, y >> 1, y >> 2);
            plain = ((x >> 3) & FIRST) | (((y ^ (y >> 1) ^ (y >> 2)) & FIRST) << 1)
                | ((carry & FIRST) << 2);
            // The other operand counts three ones and two bits of weight 2; it melts into the
            // chain's LUTs.
            carry = majority(x, x >> 1, x >> 2);
            merged = ((x ^ (x >> 1) ^ (x >> 2)) & FIRST)
                | ((((y >> 3) ^ (y >> 4) ^ carry) & FIRST) << 1)
                | ((majority(y >> 3, y >> 4, carry) & FIRST) << 2);
            // The fifth one is the chain's carry-in.
            for (f = 0; f < FIELDS; f = f + 1)
                count_fields[5*f +: 5] = {1'b0, merged[5*f +: 4] + {1'b0, plain[5*f +: 3]}
                    + {3'b000, x[5*f + 4]}};
            for (f = 0; f < SUMS; f = f + 1) begin
                count_fields[5*f + 4] = ones[BITS + f];
                count_fields[5*(SUMS + f) + 4] = twos[BITS + f];
            end
        end
    endfunction

    // Second stage: sums of three fields and a one, at most 31.
    function [5*SUMS-1:0] add_fields;
        input [5*SUMS-1:0] x;
        input [5*SUMS-1:0] y;
        input [5*SUMS-1:0] z;
        input [5*SUMS-1:0] one;
        add_fields = (x ^ y ^ z) + ((((x & y) | (z & (x | y))) << 1) | one);
    endfunction

    localparam [5*SUMS-1:0] COUNT = {SUMS{5'b01111}};
    reg [BITS-1:0]   field_reg;
    reg [5*SUMS-1:0] sum_reg;
    always @(posedge clk)
        if (ce) begin
            field_reg <= count_fields(act_plus, act_minus, wgt_plus, wgt_minus, zero);
            sum_reg <= add_fields(field_reg[0 +: 5*SUMS] & COUNT,
                field_reg[5*SUMS +: 5*SUMS] & COUNT, field_reg[10*SUMS +: 5*SUMS] & COUNT,
                (field_reg[0 +: 5*SUMS] >> 4) & FIRST[0 +: 5*SUMS]);
        end

    assign sum = sum_reg;
    genvar g;
    generate
        for (g = 0; g < SUMS; g = g + 1) begin : g_two
            assign two[g] = field_reg[5*(SUMS + g) + 4];
        end
    endgenerate

    generate
        if (PAIRS != 16 && PAIRS != 32 && PAIRS != 64) begin : g_refuse_pairs
            pair_counter_takes_16_32_or_64_pairs u_refuse ();
        end
    endgenerate
endmodule

`default_nettype wire
