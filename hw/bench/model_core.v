// SPDX-License-Identifier: Apache-2.0
// A stand-in for the compute core, for benches of what is around it: same ports and hand-shakes,
// simple arithmetic, random pauses on every interface. Not for synthesis.
//
// A layer of `words` (descriptor word 53) words an image does, for each tile:
//     sum  = rotate_left(sum, 1) xor fold(bank o of row r)       over the tile's rows and banks
// where fold is the exclusive-or of a word's 32-bit words, and then
//     RESULT      value o of pixel i = sum ^ fold(input word) ^ i ^ tile << 20 ^ o * 0x01010101
//     otherwise   behind the last tile, output word = input word ^ {sum, sum, ...}
// The input word of pixel i is number (i mod results_per_image) mod words of its image.
`default_nettype none

module bittern_core #(
    parameter WORD = 128,
    parameter OC = 16,
    parameter PX = 4,
    parameter FEATURE_WORDS = 24576,
    parameter WEIGHT_ROWS = 512,
    parameter HAS_XNOR = 1,
    parameter HAS_TERNARY = 1,
    parameter HAS_INT = 1
) (
    input  wire                             clk,
    input  wire                             rst_n,
    input  wire [2047:0]                    desc,
    input  wire                             layer_start,
    input  wire [15:0]                      images,
    input  wire [15:0]                      images_loaded,
    output reg                              layer_done,
    output reg                              ring_read,
    output reg  [$clog2(WEIGHT_ROWS)-1:0]   ring_row,
    input  wire [OC*WORD-1:0]               ring_data,
    output reg                              ring_ce,
    input  wire [15:0]                      ring_rows_loaded,
    output reg                              ring_release,
    output reg  [15:0]                      ring_release_rows,
    input  wire                             load_valid,
    output reg                              load_ready,
    input  wire [$clog2(FEATURE_WORDS)-1:0] load_address,
    input  wire [WORD-1:0]                  load_data,
    input  wire                             store_read,
    input  wire [$clog2(FEATURE_WORDS)-1:0] store_address,
    output wire [WORD-1:0]                  store_data,
    output wire                             store_valid,
    output reg                              result_valid,
    input  wire                             result_ready,
    output reg  [31:0]                      result_index,
    output reg  [15:0]                      result_tile,
    output reg  [OC*32-1:0]                 result_data,
    output reg                              event_compute,
    output reg                              event_weights,
    output reg                              event_input,
    output reg                              event_output
);
    localparam IDLE = 0, WAIT_ROWS = 1, READ = 2, TILE = 3, RESULTS = 4, MAP = 5, DONE = 6;
    localparam RB = $clog2(WEIGHT_ROWS);

    // For the bench: how it behaves, and what it has seen
    integer seed = 1;
    reg     freeze = 1'b0;                 // does nothing more
    reg     fast = 1'b0;                   // no pauses
    integer layers_done = 0;
    integer faults = 0;                    // rules of the interface that the shell broke
    integer gap = 0, gap_worst = 0;        // cycles from layer_done to layer_start, in fast mode

    reg [WORD-1:0] feature [0:FEATURE_WORDS-1];
    reg [2047:0]   held;
    integer        state = IDLE;
    reg [15:0]     consumed;
    integer        tile, issued, arrived, image, word, index, o, i;
    reg [31:0]     sum;
    reg [1:0]      pipe;                   // reads on their way
    reg [3:0]      store_pipe;
    reg [WORD-1:0] store_word [0:3];

    function [31:0] fold(input [WORD-1:0] x);
        integer k;
        begin
            fold = 0;
            for (k = 0; k < WORD / 32; k = k + 1)
                fold = fold ^ x[32*k +: 32];
        end
    endfunction

    wire [31:0] tiles    = desc[32*5 +: 32];
    wire [15:0] tile_rows = desc[32*31+16 +: 16];
    wire [31:0] in_base  = desc[32*16 +: 32];
    wire [31:0] in_pitch = desc[32*18 +: 32];
    wire [31:0] out_base = desc[32*40 +: 32];
    wire [31:0] out_pitch = desc[32*42 +: 32];
    wire [31:0] per_image = desc[32*51 +: 32];
    wire [31:0] words    = desc[32*53 +: 32];
    wire        waits    = desc[32+4];
    wire        results  = desc[32+6];
    wire        input_missing = waits && images_loaded <= image;

    assign store_valid = store_pipe[3];
    assign store_data  = store_word[3];

    reg        pause;
    reg [31:0] dice;

    always @(posedge clk)
        if (!rst_n) begin
            state         = IDLE;
            layer_done    <= 0;
            ring_read     <= 0;
            ring_ce       <= 1;
            ring_release  <= 0;
            result_valid  <= 0;
            load_ready    <= 0;
            event_compute <= 0;
            event_weights <= 0;
            event_input   <= 0;
            event_output  <= 0;
            consumed      = 0;
            pipe          = 0;
            store_pipe    <= 0;
            gap           = 0;
        end else begin
            dice  = $random(seed);
            pause = freeze || (!fast && dice[1:0] == 0);
            layer_done    <= 0;
            ring_release  <= 0;
            event_compute <= state != IDLE && !freeze && state != WAIT_ROWS
                             && !(result_valid && !result_ready) && !input_missing;
            event_weights <= state == WAIT_ROWS;
            event_output  <= state != IDLE && state != WAIT_ROWS && result_valid && !result_ready;
            event_input   <= state != IDLE && state != WAIT_ROWS && input_missing
                             && !(result_valid && !result_ready);
            load_ready    <= fast || (!freeze && dice[3:2] != 0);

            if (load_valid && load_ready)
                feature[load_address] = load_data;
            store_pipe    <= {store_pipe[2:0], store_read};
            store_word[0] <= feature[store_address];
            store_word[1] <= store_word[0];
            store_word[2] <= store_word[1];
            store_word[3] <= store_word[2];
            if (store_read && state != IDLE)
                faults = faults + 1;
            if (layer_start && state != IDLE)
                faults = faults + 1;
            if (state != IDLE && desc !== held)
                faults = faults + 1;

            // What the ring gives, two enabled cycles behind the read
            if (ring_ce) begin
                if (pipe[1]) begin
                    for (o = 0; o < OC; o = o + 1)
                        sum = {sum[30:0], sum[31]} ^ fold(ring_data[WORD*o +: WORD]);
                    arrived = arrived + 1;
                end
                pipe = {pipe[0], ring_read};
            end
            ring_ce   <= fast || dice[6:4] != 0;
            if (ring_ce)
                ring_read <= 0;

            gap = gap + 1;
            if (state == IDLE) begin
                if (layer_start) begin
                    if (fast && layers_done != 0 && gap > gap_worst)
                        gap_worst = gap;
                    held  = desc;
                    state = WAIT_ROWS;
                    tile  = 0;
                    sum   = 0;
                    image = 0;
                end
            end else if (!pause)
                case (state)
                    WAIT_ROWS: begin
                        issued  = 0;
                        arrived = 0;
                        if (((ring_rows_loaded - consumed) & 16'hFFFF) > WEIGHT_ROWS)
                            faults = faults + 1;
                        if (((ring_rows_loaded - consumed) & 16'hFFFF) >= tile_rows)
                            state = READ;
                    end
                    READ:
                        if (arrived == tile_rows) begin
                            consumed = consumed + tile_rows;
                            ring_release      <= 1;
                            ring_release_rows <= tile_rows;
                            state = TILE;
                        end else if (issued < tile_rows && (!ring_read || ring_ce)) begin
                            ring_read <= 1;
                            ring_row  <= consumed + issued;
                            issued = issued + 1;
                        end
                    TILE: begin
                        index = 0;
                        image = 0;
                        word  = 0;
                        tile  = tile + 1;
                        state = results ? RESULTS : tile == tiles ? MAP : WAIT_ROWS;
                    end
                    RESULTS:
                        if (!result_valid || result_ready) begin
                            if (index == images * per_image) begin
                                result_valid <= 0;
                                state = tile == tiles ? DONE : WAIT_ROWS;
                            end else if (input_missing) begin
                                result_valid <= 0;
                            end else begin
                                result_valid <= 1;
                                result_index <= index;
                                result_tile  <= tile - 1;
                                for (o = 0; o < OC; o = o + 1)
                                    result_data[32*o +: 32]
                                        <= sum ^ fold(feature[in_base+image*in_pitch+word%words])
                                           ^ index ^ ((tile - 1) << 20) ^ (o * 32'h01010101);
                                index = index + 1;
                                word  = word + 1;
                                if (word == per_image) begin
                                    word  = 0;
                                    image = image + 1;
                                end
                            end
                        end
                    MAP:
                        if (image == images)
                            state = DONE;
                        else if (!input_missing) begin
                            feature[out_base+image*out_pitch+word]
                                = feature[in_base+image*in_pitch+word] ^ {WORD/32{sum}};
                            word = word + 1;
                            if (word == words) begin
                                word  = 0;
                                image = image + 1;
                            end
                        end
                    DONE: begin
                        layer_done  <= 1;
                        layers_done = layers_done + 1;
                        gap   = -1;           // layer_done is high in the next cycle
                        state = IDLE;
                    end
                    default: state = IDLE;
                endcase
            // A taken result goes, paused or not.
            if (state == RESULTS && pause && result_ready)
                result_valid <= 0;
            i = 0;
        end
endmodule

`default_nettype wire
