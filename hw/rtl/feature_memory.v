// SPDX-License-Identifier: Apache-2.0
// The feature memory: PX banks of two halves; word address A is row A / PX of bank A mod PX.
//
// Read: each lane gives an address for its lo and one for its hi half; the words come five cycles
// later (not counting cycles without `ce`), those of padding replaced. In one cycle the lanes
// that are `read` must hit different banks: nothing checks it, the compiler keeps it.
// Write: two words a cycle and the loader's; see bank_writer.
`default_nettype none

module feature_memory #(
    // Bits of a word.
    parameter WORD = 128,
    // Banks, and lanes that read at once.
    parameter PX = 4,
    // Words in all banks; a multiple of PX.
    parameter WORDS = 24576,
    parameter ADDRESS_BITS = 15
) (
    input  wire                         clk,
    input  wire                         ce,
    // Read, stage 1: addresses {lane, hi/lo}, which lanes read.
    input  wire [2*PX*ADDRESS_BITS-1:0] read_address,
    input  wire [PX-1:0]                read,
    // Stage 2: which halves {lane, hi/lo} lie within the input; all others get the pad byte.
    input  wire [2*PX-1:0]              present,
    input  wire [7:0]                   pad,
    // Stage 5: lanes of the word that hold channels; others are 0.
    input  wire [WORD-1:0]              keep,
    // Stage 6, five cycles behind stage 1; `present_5` is `present` one cycle ahead of it.
    output reg  [PX*WORD-1:0]           word,
    output reg  [2*PX-1:0]              present_5,
    // Write port of each bank.
    input  wire [PX*WORD/8-1:0]                  write_enable,
    input  wire [PX*(ADDRESS_BITS-$clog2(PX))-1:0] write_row,
    input  wire [PX*WORD-1:0]                    write_data
);
    localparam HALF      = WORD / 2;
    localparam BANK_BITS = $clog2(PX);
    localparam ROW_BITS  = ADDRESS_BITS - BANK_BITS;

    // Stage 2: each bank's rows; each lane's bank goes along.
    reg  [ROW_BITS-1:0]  row_2 [0:2*PX-1];         // {bank, half}
    reg  [BANK_BITS-1:0] bank_2 [0:2*PX-1];        // {lane, half}
    reg  [BANK_BITS-1:0] bank_3 [0:2*PX-1];
    reg  [BANK_BITS-1:0] bank_4 [0:2*PX-1];
    reg  [2*PX-1:0]      present_3, present_4;
    wire [PX*WORD-1:0]   bank_data;
    reg  [PX*WORD-1:0]   rotated_5;

    // The one lane that reads a bank's half, or none.
    reg  [ROW_BITS-1:0]  row_next [0:2*PX-1];
    integer b, h, j;
    always @*
        for (b = 0; b < PX; b = b + 1)
            for (h = 0; h < 2; h = h + 1) begin
                row_next[2*b + h] = {ROW_BITS{1'b0}};
                for (j = 0; j < PX; j = j + 1)
                    if (read[j] && read_address[(2*j + h)*ADDRESS_BITS +: BANK_BITS] == b[BANK_BITS-1:0])
                        row_next[2*b + h] = row_next[2*b + h] |
                            read_address[(2*j + h)*ADDRESS_BITS + BANK_BITS +: ROW_BITS];
            end

    always @(posedge clk)
        if (ce) begin
            for (j = 0; j < 2 * PX; j = j + 1) begin
                row_2[j]  <= row_next[j];
                bank_2[j] <= read_address[j*ADDRESS_BITS +: BANK_BITS];
                bank_3[j] <= bank_2[j];
                bank_4[j] <= bank_3[j];
            end
            present_3 <= present;
            present_4 <= present_3;
            present_5 <= present_4;
        end

    genvar g;
    generate
        for (g = 0; g < 2 * PX; g = g + 1) begin : g_bank
            feature_bank #(.WIDTH(HALF), .DEPTH(WORDS / PX), .ROW_BITS(ROW_BITS)) u_bank (
                .clk(clk),
                .write_enable(write_enable[g*HALF/8 +: HALF/8]),
                .write_row(write_row[(g/2)*ROW_BITS +: ROW_BITS]),
                .write_data(write_data[g*HALF +: HALF]),
                .ce(ce), .read_row(row_2[g]), .read_data(bank_data[g*HALF +: HALF])
            );
        end

        // Stage 5: from banks back to lanes. Stage 6: padding and lanes without a channel.
        for (g = 0; g < 2 * PX; g = g + 1) begin : g_lane
            always @(posedge clk)
                if (ce) begin
                    rotated_5[g*HALF +: HALF] <= bank_data[(2*bank_4[g] + g%2)*HALF +: HALF];
                    word[g*HALF +: HALF] <= keep[(g%2)*HALF +: HALF] &
                        (present_5[g] ? rotated_5[g*HALF +: HALF] : {HALF/8{pad}});
                end
        end
    endgenerate
endmodule

`default_nettype wire
