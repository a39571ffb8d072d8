// SPDX-License-Identifier: Apache-2.0
// Writes the records of docs/device-program.md: a layer record for each `layer_push`, and the
// final one for `final_push`. Push only while idle. A record is put together word by word, so
// that it takes 8 (64) cycles and its beats; a layer's numbers are copied at the push, those of
// the final record must stand still until idle.
`default_nettype none

module record_writer #(
    // Bits of a beat: 32, 64, 128 or 256
    parameter WORD = 128,
    // Geometry, for the final record
    parameter OC = 16,
    parameter PX = 4,
    parameter FEATURE_WORDS = 24576,
    parameter WEIGHT_ROWS = 512,
    parameter UNITS = 7,
    // Bits of an address
    parameter ADDR_BITS = 64
) (
    input  wire                 clk,
    input  wire                 rst_n,

    // The run's first layer record goes behind the final one
    input  wire                 begin_run,
    input  wire [ADDR_BITS-1:0] record_address,

    // Words 0..5 of a layer record; records pushed in this run
    input  wire                 layer_push,
    input  wire [6*32-1:0]      layer_words,
    output reg  [31:0]          layer_records,

    // Final record: status, descriptor index, words 10..25
    input  wire                 final_push,
    input  wire [7:0]           status,
    input  wire [15:0]          index,
    input  wire [16*32-1:0]     counters,

    output wire                 idle,

    // Client of the write master
    output wire                 chunk_valid,
    input  wire                 chunk_ready,
    output wire [ADDR_BITS-1:0] chunk_address,
    output wire [WORD-1:0]      chunk_data,
    output wire                 chunk_last
);
    localparam WORDS     = WORD / 32;                 // words of a beat
    localparam FILL_BITS = WORDS > 1 ? $clog2(WORDS) : 1;
    localparam LACKS     = WORDS - 1;
    localparam [31:0] MAGIC = 32'h524E5442;           // "BTNR"
    localparam [1:0] IDLE = 2'd0, FILL = 2'd1, SEND = 2'd2;

    reg [1:0]           state_reg;
    reg                 final_reg;                    // the final record, else a layer's
    reg [5:0]           word_reg;                     // word that goes in next
    reg [FILL_BITS-1:0] fill_reg;                     // words that the beat lacks, less one
    reg                 last_reg;                     // the beat is the record's last one
    reg [WORD-1:0]      beat_reg;
    reg [6*32-1:0]      layer_reg;
    reg [ADDR_BITS-1:0] layer_address_reg, address_reg;

    reg [31:0] final_word;

    always @*
        case (word_reg)
            6'd0: final_word = MAGIC;
            6'd1: final_word = 32'd1;
            6'd2: final_word = WORD;
            6'd3: final_word = OC;
            6'd4: final_word = PX;
            6'd5: final_word = UNITS;
            6'd6: final_word = FEATURE_WORDS * (WORD / 8);
            6'd7: final_word = WEIGHT_ROWS * OC * (WORD / 8);
            6'd8: final_word = {24'd0, status};
            6'd9: final_word = {16'd0, index};
            6'd10: final_word = counters[32*0 +: 32];
            6'd11: final_word = counters[32*1 +: 32];
            6'd12: final_word = counters[32*2 +: 32];
            6'd13: final_word = counters[32*3 +: 32];
            6'd14: final_word = counters[32*4 +: 32];
            6'd15: final_word = counters[32*5 +: 32];
            6'd16: final_word = counters[32*6 +: 32];
            6'd17: final_word = counters[32*7 +: 32];
            6'd18: final_word = counters[32*8 +: 32];
            6'd19: final_word = counters[32*9 +: 32];
            6'd20: final_word = counters[32*10 +: 32];
            6'd21: final_word = counters[32*11 +: 32];
            6'd22: final_word = counters[32*12 +: 32];
            6'd23: final_word = counters[32*13 +: 32];
            6'd24: final_word = counters[32*14 +: 32];
            6'd25: final_word = counters[32*15 +: 32];
            default: final_word = 32'd0;
        endcase

    wire [31:0]        word      = final_reg ? final_word : layer_reg[31:0];
    wire [WORD+31:0]   beat_next = {word, beat_reg};
    wire [5:0]         last_word = final_reg ? 6'd63 : 6'd7;
    wire               sent      = state_reg == SEND && chunk_ready;

    assign idle          = state_reg == IDLE;
    assign chunk_valid   = state_reg == SEND;
    assign chunk_address = address_reg;
    assign chunk_data    = beat_reg;
    assign chunk_last    = last_reg;

    always @(posedge clk)
        if (!rst_n) begin
            state_reg <= IDLE;
        end else begin
            case (state_reg)
                IDLE:    state_reg <= layer_push || final_push ? FILL : IDLE;
                FILL:    state_reg <= fill_reg == 0 ? SEND : FILL;
                default: state_reg <= !chunk_ready ? SEND : last_reg ? IDLE : FILL;
            endcase
        end

    always @(posedge clk) begin
        if (begin_run) begin
            layer_address_reg <= record_address + {{ADDR_BITS-9{1'b0}}, 9'd256};
            layer_records     <= 32'd0;
        end else if (layer_push) begin
            layer_address_reg <= layer_address_reg + {{ADDR_BITS-6{1'b0}}, 6'd32};
            layer_records     <= layer_records + 1'b1;
        end
        if (state_reg == IDLE) begin
            final_reg   <= final_push;
            address_reg <= final_push ? record_address : layer_address_reg;
            layer_reg   <= layer_words;
            word_reg    <= 6'd0;
        end else if (state_reg == FILL) begin
            layer_reg   <= {32'd0, layer_reg[6*32-1:32]};
            word_reg    <= word_reg + 1'b1;
            beat_reg    <= beat_next[WORD+31:32];
            last_reg    <= word_reg == last_word;
        end
        if (state_reg == IDLE || sent)
            fill_reg <= LACKS[FILL_BITS-1:0];
        else if (state_reg == FILL)
            fill_reg <= fill_reg - 1'b1;
    end

    // What is shifted out
    wire unused = &{1'b0, beat_next[31:0]};
endmodule

`default_nettype wire
