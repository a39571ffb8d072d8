// SPDX-License-Identifier: Apache-2.0
// The check sum of docs/device-program.md over one beat: for each of its 32-bit words in order,
// c = rotate_left(c, 1) xor word. Rotation and xor commute, so that a beat is one xor of
// WORD / 32 + 1 rotated words a bit: two levels of LUTs up to 8 words.
// Combinational.
`default_nettype none

module checksum_step #(
    // Bits of a beat, a multiple of 32
    parameter WORD = 128
) (
    input  wire [31:0]     sum,
    input  wire [WORD-1:0] beat,
    output reg  [31:0]     next
);
    localparam WORDS = WORD / 32;
    integer i, b;

    always @*
        for (b = 0; b < 32; b = b + 1) begin
            next[(b + WORDS) % 32] = sum[b];
            for (i = 0; i < WORDS; i = i + 1)
                next[(b + WORDS) % 32] = next[(b + WORDS) % 32] ^ beat[32*i+(b+i+1)%32];
        end
endmodule

`default_nettype wire
