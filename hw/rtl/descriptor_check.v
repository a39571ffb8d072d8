// SPDX-License-Identifier: Apache-2.0
// Says whether a header fits this kernel, and whether a descriptor is one that it can run to its
// end. Descriptors come from the compiler under a check sum, so that only what would hang the
// kernel, or write where it must not, is refused here; a wrong address merely gives wrong numbers.
// Two register stages: the answers belong to the words of two cycles before.
`default_nettype none

module descriptor_check #(
    // Geometry; docs/device-program.md
    parameter WORD = 128,
    parameter OC = 16,
    parameter PX = 4,
    parameter FEATURE_WORDS = 24576,
    parameter WEIGHT_ROWS = 512,
    parameter UNITS = 7
) (
    input  wire          clk,
    input  wire [2047:0] words,

    // Of a header
    output reg           magic_ok,
    output reg           version_ok,
    output reg           geometry_ok,
    output reg           header_ok,        // the rest of it
    // Of a descriptor
    output reg           segment_ok,
    output reg           layer_ok
);
    localparam [31:0] MAGIC         = 32'h414E5442;        // "BTNA"
    localparam [31:0] FEATURES      = FEATURE_WORDS;
    localparam [31:0] FEATURE_BYTES = FEATURE_WORDS * (WORD / 8);
    localparam [31:0] WEIGHT_BYTES  = WEIGHT_ROWS * OC * (WORD / 8);
    localparam [31:0] LANES_MAX     = PX;
    localparam [31:0] ROWS          = WEIGHT_ROWS;
    localparam OC_BITS   = $clog2(OC);
    localparam BEAT_BITS = $clog2(WORD / 8);

    // ---- header -------------------------------------------------------------------------------
    reg [5:0] geometry_reg;
    reg       magic_reg, version_reg, header_reg;

    always @(posedge clk) begin
        magic_reg       <= words[32*0 +: 32] == MAGIC;
        version_reg     <= words[32*1 +: 32] == 32'd1;
        geometry_reg[0] <= words[32*2 +: 32] == WORD;
        geometry_reg[1] <= words[32*3 +: 32] == OC;
        geometry_reg[2] <= words[32*4 +: 32] == PX;
        geometry_reg[3] <= words[32*5 +: 32] == UNITS;
        geometry_reg[4] <= words[32*6 +: 32] == FEATURE_BYTES;
        geometry_reg[5] <= words[32*7 +: 32] == WEIGHT_BYTES;
        header_reg      <= words[32*8 +: 32] != 32'd0 && words[32*8+16 +: 16] == 16'd0
                           && words[32*9+16 +: 16] == 16'd0;
        magic_ok        <= magic_reg;
        version_ok      <= version_reg;
        geometry_ok     <= &geometry_reg;
        header_ok       <= header_reg;
    end

    // ---- SEGMENT ------------------------------------------------------------------------------
    reg [8:0] segment_reg;

    always @(posedge clk) begin
        segment_reg[0] <= words[32*0 +: 32] == 32'd2;
        segment_reg[1] <= words[32*1 +: 16] != 16'd0 && words[32*1+16 +: 16] == 16'd0;
        segment_reg[2] <= words[32*2 +: 11] != 11'd0 && words[32*2+11 +: 21] == 21'd0;
        segment_reg[3] <= words[32*3 +: 6] == 6'd0 && words[32*4 +: OC_BITS] == 0
                          && words[32*6+1 +: 31] == 31'd0;
        segment_reg[4] <= words[32*7 +: 6] == 6'd0 && words[32*8 +: 6] == 6'd0
                          && words[32*15 +: 6] == 6'd0 && words[32*16 +: 6] == 6'd0;
        segment_reg[5] <= words[32*9 +: 32] != 32'd0;
        segment_reg[6] <= words[32*9 +: 32] <= FEATURES;
        segment_reg[7] <= words[32*12 +: 32] <= FEATURES;
        segment_reg[8] <= words[32*4 +: 32] != 32'd0;
        segment_ok     <= &segment_reg;
    end

    // ---- LAYER --------------------------------------------------------------------------------
    wire [31:0] flags       = words[32*1 +: 32];
    wire        is_int      = flags[0];
    wire        is_ternary  = flags[1];
    wire        is_wide     = flags[3];
    wire        is_result   = flags[6];
    wire        is_pool     = flags[7];
    wire        is_pair     = flags[8];
    wire        is_threshold = flags[12];
    wire [3:0]  planes      = words[32*2 +: 4];
    wire [7:0]  lanes       = words[32*6 +: 8];
    wire [7:0]  writes      = words[32*47 +: 8];
    wire [15:0] plane_rows  = words[32*31 +: 16];
    wire [15:0] tile_rows   = words[32*31+16 +: 16];

    // Digits of the lanes' pixel number, which must grow by less than half of the last digit's range
    // and carry into it, or its end would never be seen.
    wire [15:0] window_w = words[32*7 +: 16], window_h = words[32*7+16 +: 16];
    wire [15:0] out_w    = words[32*8 +: 16], out_h    = words[32*8+16 +: 16];
    wire [15:0] step_wx  = words[32*9 +: 16], step_wy  = words[32*9+16 +: 16];
    wire [15:0] step_px  = words[32*10 +: 16], step_py = words[32*10+16 +: 16];
    wire [31:0] step_n   = words[32*11 +: 32];

    reg [24:0] layer_reg;

    always @(posedge clk) begin
        layer_reg[0]  <= words[32*0 +: 32] == 32'd1;
        layer_reg[1]  <= is_int     ? UNITS[2] && !is_ternary && (UNITS[1] || !is_wide)
                       : is_ternary ? UNITS[0] && UNITS[1] : UNITS[0];
        layer_reg[2]  <= planes != 4'd0 && planes <= 4'd8;
        layer_reg[3]  <= words[32*5 +: 16] != 16'd0 && words[32*5+16 +: 16] == 16'd0;
        layer_reg[4]  <= lanes != 8'd0 && (lanes & (lanes - 8'd1)) == 8'd0;
        layer_reg[5]  <= lanes <= LANES_MAX[7:0];
        layer_reg[6]  <= words[32*7 +: 16] != 16'd0 && words[32*7+16 +: 16] != 16'd0;
        layer_reg[7]  <= words[32*8 +: 16] != 16'd0 && words[32*8+16 +: 16] != 16'd0;
        layer_reg[8]  <= words[32*22 +: 16] != 16'd0 && words[32*25 +: 16] != 16'd0;
        layer_reg[9]  <= words[32*23 +: 16] != 16'd0 && words[32*23+16 +: 16] != 16'd0;
        layer_reg[10] <= words[32*23 +: 16] <= 16'd256 && words[32*23+16 +: 16] <= 16'd256;
        layer_reg[11] <= plane_rows != 16'd0 && plane_rows < tile_rows;
        layer_reg[12] <= {16'd0, tile_rows} < ROWS;
        layer_reg[13] <= writes != 8'd0 && (writes & (writes - 8'd1)) == 8'd0;
        layer_reg[14] <= words[32*48 +: 16] != 16'd0 && words[32*48+16 +: 16] == 16'd0;
        layer_reg[15] <= flags[17:16] != 2'd3;
        layer_reg[16] <= !is_pair || (is_threshold && planes == 4'd1 && writes == 8'd1
                         && !is_result && lanes != 8'd1 && (!is_pool || !words[32*48]));
        layer_reg[17] <= !is_result || (words[32*50 +: BEAT_BITS] == 0 && writes == 8'd1);
        layer_reg[18] <= window_w <= 16'd256 && window_h <= 16'd256;
        layer_reg[19] <= out_w[15:12] == 4'd0 && out_h[15:12] == 4'd0;
        layer_reg[20] <= step_wx < window_w;
        layer_reg[21] <= step_wy < window_h;
        layer_reg[22] <= step_px < out_w;
        layer_reg[23] <= step_py < out_h;
        layer_reg[24] <= step_n[31:11] == 21'd0
                         && {words[32*9 +: 32], words[32*10 +: 32], step_n[10:0]} != 75'd0;
        layer_ok      <= &layer_reg;
    end

    // What a run may hold freely
    wire unused = &{1'b0, words, flags};
endmodule

`default_nettype wire
