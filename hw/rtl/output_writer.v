// SPDX-License-Identifier: Apache-2.0
// Writes outputs into the feature memory: values of OC channels of one pixel, or of two, become
// bytes of words in the layer's format, one to several words a pixel; two pixels are written in one
// cycle unless they hit the same bank. The loader's words take what is left.
// From `take` to the memory's write port two cycles.
`default_nettype none

module output_writer #(
    // Bits of a word, output channels, banks, word addresses.
    parameter WORD = 128,
    parameter OC = 16,
    parameter PX = 4,
    parameter ADDRESS_BITS = 15
) (
    input  wire                        clk,
    input  wire                        rst_n,
    // Fields of the LAYER descriptor.
    input  wire                        signs,       // THRESHOLD: data are signs, else bytes
    input  wire [1:0]                  out_format,
    input  wire                        dup,
    input  wire [7:0]                  writes,
    input  wire [ADDRESS_BITS-1:0]     plane_pitch,
    // One or two pixels, while `valid`: their addresses, the tile's place in its plane, and either
    // OC bytes or {minus 1, plus 1, minus 0, plus 0} of OC bits each.
    input  wire                        valid,
    input  wire                        two,
    input  wire [ADDRESS_BITS-1:0]     address_0,
    input  wire [ADDRESS_BITS-1:0]     address_1,
    input  wire [4:0]                  position,
    input  wire [8*OC-1:0]             data,
    output wire                        take,
    // Nothing is under way.
    output wire                        idle,
    // Loader.
    input  wire                        load_valid,
    output wire                        load_ready,
    input  wire [ADDRESS_BITS-1:0]     load_address,
    input  wire [WORD-1:0]             load_data,
    // Write port of each bank, registered.
    output reg  [PX*WORD/8-1:0]                      write_enable,
    output reg  [PX*(ADDRESS_BITS-$clog2(PX))-1:0]   write_row,
    output reg  [PX*WORD-1:0]                        write_data
);
    localparam HALF       = WORD / 2;
    localparam BYTES      = WORD / 8;
    localparam HALF_BYTES = HALF / 8;
    localparam BANK_BITS  = $clog2(PX);
    localparam ROW_BITS   = ADDRESS_BITS - BANK_BITS;
    localparam BINARY     = 2'd0;
    localparam TERNARY    = 2'd1;
    localparam INTEGER    = 2'd2;
    // Channels that one word takes as bytes.
    localparam PLAIN_CHANNELS = BYTES;
    localparam DUP_CHANNELS   = HALF_BYTES;

    // ---- Stage 1: the pixels at hand; after each of several words the data move on ----------------

    reg                    valid_1, two_1;
    reg [ADDRESS_BITS-1:0] address_0_1, address_1_1;
    reg [4:0]              position_1;
    reg [8*OC-1:0]         data_1;      // of pixel 0: bytes, or signs in the low bits
    reg [2*OC-1:0]         signs_1_1;   // of pixel 1
    reg [7:0]              left_1;      // words behind this one
    reg                    last_1;      // there are none
    wire                   go_1;        // this word moves to stage 2
    wire [8*OC-1:0]        bytes_0, bytes_1;

    assign take = valid && (!valid_1 || (go_1 && last_1));

    always @(posedge clk) begin
        if (!rst_n)
            valid_1 <= 1'b0;
        else if (take)
            valid_1 <= 1'b1;
        else if (go_1 && last_1)
            valid_1 <= 1'b0;
        if (take) begin
            two_1       <= two;
            address_0_1 <= address_0;
            address_1_1 <= address_1;
            position_1  <= position;
            data_1      <= signs && out_format == INTEGER ? bytes_0 : data;
            signs_1_1   <= data[4*OC-1:2*OC];
            left_1      <= writes - 8'd1;
            last_1      <= writes == 8'd1;
        end else if (go_1) begin
            left_1      <= left_1 - 8'd1;
            last_1      <= left_1 == 8'd1;
            address_0_1 <= address_0_1 + plane_pitch;
            data_1      <= dup ? data_1 >> 8 * DUP_CHANNELS : data_1 >> 8 * PLAIN_CHANNELS;
        end
    end

    // ---- Words and byte enables --------------------------------------------------------------------

    wire [OC-1:0]    plus_0  = data_1[OC-1:0];
    wire [OC-1:0]    minus_0 = data_1[2*OC-1:OC];
    wire [OC-1:0]    plus_1  = signs_1_1[OC-1:0];
    wire [OC-1:0]    minus_1 = signs_1_1[2*OC-1:OC];
    wire [WORD-1:0]  plain_0, plain_1;
    wire [HALF-1:0]  dup_0, dup_1;
    wire [WORD-1:0]  word_0, word_1;
    wire [BYTES-1:0] enable;

    genvar i;
    generate
        for (i = 0; i < OC; i = i + 1) begin : g_channel
            assign bytes_0[8*i +: 8] = {{7{data[OC + i]}}, data[OC + i] || data[i]};
            assign bytes_1[8*i +: 8] = {{7{minus_1[i]}}, minus_1[i] || plus_1[i]};
        end
        if (OC >= PLAIN_CHANNELS) begin : g_plain_cut
            assign plain_0 = data_1[WORD-1:0];
            assign plain_1 = bytes_1[WORD-1:0];
        end else begin : g_plain_repeat
            assign plain_0 = {PLAIN_CHANNELS/OC{data_1}};
            assign plain_1 = {PLAIN_CHANNELS/OC{bytes_1}};
        end
        if (OC >= DUP_CHANNELS) begin : g_dup_cut
            assign dup_0 = data_1[HALF-1:0];
            assign dup_1 = bytes_1[HALF-1:0];
        end else begin : g_dup_repeat
            assign dup_0 = {DUP_CHANNELS/OC{data_1}};
            assign dup_1 = {DUP_CHANNELS/OC{bytes_1}};
        end
        for (i = 0; i < BYTES; i = i + 1) begin : g_byte
            localparam IN_HALF = i % HALF_BYTES;
            // First channel of this byte, over OC: which tile of the plane writes it.
            localparam BINARY_PLAIN  = i * 8 / OC;
            localparam BINARY_DUP    = IN_HALF * 8 / OC;
            localparam TERNARY_PLAIN = ((IN_HALF % (HALF / 16)) * 8 + (i / HALF_BYTES) * (HALF / 2)) / OC;
            localparam TERNARY_DUP   = (IN_HALF % (HALF / 16)) * 8 / OC;
            localparam INT_PLAIN     = i / OC;
            localparam INT_DUP       = IN_HALF / OC;
            wire [4:0] plain_position = out_format == BINARY ? BINARY_PLAIN[4:0]
                                      : out_format == TERNARY ? TERNARY_PLAIN[4:0] : INT_PLAIN[4:0];
            wire [4:0] dup_position   = out_format == BINARY ? BINARY_DUP[4:0]
                                      : out_format == TERNARY ? TERNARY_DUP[4:0] : INT_DUP[4:0];
            assign enable[i] = position_1 == (dup ? dup_position : plain_position);
        end
    endgenerate

    wire [WORD-1:0] integer_0 = dup ? {2{dup_0}} : plain_0;
    wire [WORD-1:0] integer_1 = dup ? {2{dup_1}} : plain_1;

    assign word_0 = out_format == BINARY ? {WORD/OC{plus_0}}
                  : out_format == TERNARY ? {2{{HALF/2/OC{minus_0}}, {HALF/2/OC{plus_0}}}} : integer_0;
    assign word_1 = out_format == BINARY ? {WORD/OC{plus_1}}
                  : out_format == TERNARY ? {2{{HALF/2/OC{minus_1}}, {HALF/2/OC{plus_1}}}} : integer_1;

    // ---- Stage 2: two words, one a cycle where they meet in a bank ---------------------------------

    reg                    valid_0_2, valid_1_2, clash_2;
    reg [ADDRESS_BITS-1:0] address_0_2, address_1_2;
    reg [WORD-1:0]         word_0_2, word_1_2;
    reg [BYTES-1:0]        enable_2;

    // Pixel 0 goes first; then pixel 1 alone.
    assign go_1 = valid_1 && !clash_2;
    assign idle = !valid && !valid_1 && !valid_0_2 && !valid_1_2;

    always @(posedge clk) begin
        if (!rst_n) begin
            valid_0_2 <= 1'b0;
            valid_1_2 <= 1'b0;
            clash_2   <= 1'b0;
        end else if (clash_2) begin
            valid_0_2 <= 1'b0;
            clash_2   <= 1'b0;
        end else begin
            valid_0_2 <= valid_1;
            valid_1_2 <= valid_1 && two_1;
            clash_2   <= valid_1 && two_1 && address_0_1[BANK_BITS-1:0] == address_1_1[BANK_BITS-1:0];
        end
        if (!clash_2) begin
            address_0_2 <= address_0_1;
            address_1_2 <= address_1_1;
            word_0_2    <= word_0;
            word_1_2    <= word_1;
            enable_2    <= enable;
        end
    end

    // ---- Stage 3: the banks' write ports --------------------------------------------------------------

    wire [BANK_BITS-1:0] bank_0    = address_0_2[BANK_BITS-1:0];
    wire [BANK_BITS-1:0] bank_1    = address_1_2[BANK_BITS-1:0];
    wire [BANK_BITS-1:0] load_bank = load_address[BANK_BITS-1:0];
    wire                 use_1     = valid_1_2 && !clash_2;

    assign load_ready = !(valid_0_2 && bank_0 == load_bank) && !(use_1 && bank_1 == load_bank);

    generate
        for (i = 0; i < PX; i = i + 1) begin : g_bank
            wire pick_0    = valid_0_2 && bank_0 == i;
            wire pick_1    = use_1 && bank_1 == i;
            wire pick_load = load_valid && load_bank == i;
            always @(posedge clk) begin
                write_enable[i*BYTES +: BYTES] <= pick_0 || pick_1 ? enable_2 : {BYTES{pick_load}};
                write_row[i*ROW_BITS +: ROW_BITS] <= pick_0 ? address_0_2[ADDRESS_BITS-1:BANK_BITS]
                                                   : pick_1 ? address_1_2[ADDRESS_BITS-1:BANK_BITS]
                                                   : load_address[ADDRESS_BITS-1:BANK_BITS];
                write_data[i*WORD +: WORD] <= pick_0 ? word_0_2 : pick_1 ? word_1_2 : load_data;
            end
        end
    endgenerate
endmodule

`default_nettype wire
