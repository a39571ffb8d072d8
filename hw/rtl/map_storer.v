// SPDX-License-Identifier: Apache-2.0
// Copies maps from the feature memory to scratch memory, image after image; the counterpart of
// the input loader.
//
// `begin_segment` sets the target; each `start` (only while idle) then stores `images` images
// more: `words` words from base, base + pitch, ... to the running target address, `stride`
// bytes from image to image. One word a cycle. The feature memory answers each read after a fixed
// time and cannot be stalled, so that words are read only as far as the queue here has room.
// `idle` again when the write master has taken all; it has them in memory when it is idle.
// An image that would end behind the feature memory gives one pulse of `range_error`; the storer
// then stays busy until reset.
`default_nettype none

module map_storer #(
    // Bits of a beat, and of a word
    parameter WORD = 128,
    // Words of the feature memory
    parameter FEATURE_WORDS = 24576,
    // Bits of an address
    parameter ADDR_BITS = 64
) (
    input  wire                             clk,
    input  wire                             rst_n,

    // What to do; the fields are stable from begin_segment to the segment's last store
    input  wire                             begin_segment,
    input  wire [ADDR_BITS-1:0]             target,
    input  wire [31:0]                      stride,
    input  wire [31:0]                      words,
    input  wire [31:0]                      base,
    input  wire [31:0]                      pitch,
    input  wire                             start,
    input  wire [15:0]                      images,
    output wire                             idle,
    output reg                              range_error,

    // Read port of the feature memory
    output wire                             store_read,
    output wire [$clog2(FEATURE_WORDS)-1:0] store_address,
    input  wire                             store_valid,
    input  wire [WORD-1:0]                  store_data,

    // Client of the write master
    output wire                             chunk_valid,
    input  wire                             chunk_ready,
    output wire [ADDR_BITS-1:0]             chunk_address,
    output wire [WORD-1:0]                  chunk_data,
    output wire                             chunk_last
);
    localparam WORD_BITS = $clog2(FEATURE_WORDS + 1);     // bits of a number of words
    localparam AB        = $clog2(FEATURE_WORDS);
    localparam DEPTH     = 32;                            // of the queue: the latency and then some
    localparam [31:0] FEATURES = FEATURE_WORDS;
    localparam [32:0] LIMIT    = {1'b0, FEATURES};
    localparam [2:0] IDLE = 3'd0, PLACE = 3'd1, CHECK = 3'd2, MOVE = 3'd3, OVER = 3'd4;

    reg [2:0]               state_reg;
    reg [15:0]              images_reg;                   // left, less one
    reg [31:0]              image_base_reg;
    reg [32:0]              image_end_reg;
    reg [ADDR_BITS-1:0]     image_address_reg;
    reg [AB-1:0]            read_address_reg;
    reg                     reading_reg;                  // words of the image are to be read
    reg [WORD_BITS-1:0]     read_left_reg, write_left_reg;    // less one
    reg [$clog2(DEPTH):0]   credit_reg;                   // places that no word is under way to
    wire [$clog2(DEPTH):0]  count;

    wire take       = chunk_valid && chunk_ready;
    wire image_done = take && chunk_last;

    assign store_read    = reading_reg && credit_reg != 0;
    assign store_address = read_address_reg;
    assign chunk_address = image_address_reg;
    assign chunk_last    = write_left_reg == 0;
    assign idle          = state_reg == IDLE;

    wire queue_ready;

    fifo #(
        .WIDTH(WORD),
        .DEPTH(DEPTH)
    ) u_words (
        .clk(clk),
        .clear(!rst_n),
        .in_valid(store_valid),
        .in_ready(queue_ready),
        .in_data(store_data),
        .out_valid(chunk_valid),
        .out_ready(chunk_ready),
        .out_data(chunk_data),
        .count(count)
    );

    always @(posedge clk)
        if (!rst_n) begin
            state_reg   <= IDLE;
            reading_reg <= 1'b0;
            credit_reg  <= DEPTH[$clog2(DEPTH):0];
            range_error <= 1'b0;
        end else begin
            case (state_reg)
                IDLE:    state_reg <= start ? PLACE : IDLE;
                PLACE:   state_reg <= CHECK;
                CHECK:   state_reg <= image_end_reg > LIMIT ? OVER : MOVE;
                MOVE:    state_reg <= !image_done ? MOVE : images_reg == 16'd0 ? IDLE : PLACE;
                default: state_reg <= OVER;
            endcase
            range_error <= state_reg == CHECK && image_end_reg > LIMIT;
            if (state_reg == CHECK)
                reading_reg <= image_end_reg <= LIMIT;
            else if (store_read && read_left_reg == 0)
                reading_reg <= 1'b0;
            credit_reg <= credit_reg + {{$clog2(DEPTH){1'b0}}, take}
                          - {{$clog2(DEPTH){1'b0}}, store_read};
        end

    always @(posedge clk) begin
        if (start)
            images_reg <= images - 1'b1;
        else if (image_done)
            images_reg <= images_reg - 1'b1;
        if (start)
            image_base_reg <= base;
        else if (image_done)
            image_base_reg <= image_base_reg + pitch;
        image_end_reg <= {1'b0, image_base_reg} + {1'b0, words};
        if (begin_segment)
            image_address_reg <= target;
        else if (image_done)
            image_address_reg <= image_address_reg + {{ADDR_BITS-32{1'b0}}, stride};
        if (state_reg == CHECK) begin
            read_address_reg <= image_base_reg[AB-1:0];
            read_left_reg    <= words[WORD_BITS-1:0] - 1'b1;
        end else if (store_read) begin
            read_address_reg <= read_address_reg + 1'b1;
            read_left_reg    <= read_left_reg - 1'b1;
        end
        if (state_reg == CHECK)
            write_left_reg <= words[WORD_BITS-1:0] - 1'b1;
        else if (take)
            write_left_reg <= write_left_reg - 1'b1;
    end

    // The credit sees to it that the queue has room; its count is not needed.
    wire unused = &{1'b0, queue_ready, count};
endmodule

`default_nettype wire
