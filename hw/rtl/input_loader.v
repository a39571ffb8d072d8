// SPDX-License-Identifier: Apache-2.0
// Copies maps from device memory to the feature memory, image after image.
//
// `begin_segment` sets the source and the place; each `start` then brings `images` images more:
// `words` contiguous beats from the running source address (`stride` bytes from image to image),
// to base, base + pitch, ... Start only while idle. Images are asked for without waiting for the
// data of the one before; the write port may stall the data, and with them the bus.
// `loaded` counts the images of the current start whose last word has been written.
// An image that would end behind the feature memory gives one pulse of `range_error`, and is
// not written; the loader then stays busy until reset.
`default_nettype none

module input_loader #(
    // Bits of a beat, and of a word
    parameter WORD = 128,
    // Words of the feature memory
    parameter FEATURE_WORDS = 24576,
    // Bits of an address
    parameter ADDR_BITS = 64,
    // Bits of a grant
    parameter GRANT_BITS = 7
) (
    input  wire                             clk,
    input  wire                             rst_n,

    // What to do; the fields are stable from begin_segment to the segment's last load
    input  wire                             begin_segment,
    input  wire [ADDR_BITS-1:0]             source,
    input  wire [31:0]                      stride,
    input  wire [31:0]                      words,
    input  wire [31:0]                      base,
    input  wire [31:0]                      pitch,
    input  wire                             start,
    input  wire [15:0]                      images,

    output wire                             idle,
    output reg  [15:0]                      loaded,
    output reg                              range_error,

    // Client of the read master
    output wire                             request_valid,
    output wire [ADDR_BITS-1:0]             request_address,
    output wire [15:0]                      request_beats,
    input  wire                             grant,
    input  wire [ADDR_BITS-1:0]             grant_address,
    input  wire [GRANT_BITS-1:0]            grant_beats,
    input  wire                             beat_valid,
    output wire                             beat_ready,
    input  wire [WORD-1:0]                  beat_data,

    // Write port of the feature memory
    output wire                             load_valid,
    input  wire                             load_ready,
    output wire [$clog2(FEATURE_WORDS)-1:0] load_address,
    output wire [WORD-1:0]                  load_data
);
    localparam WORD_BITS = $clog2(FEATURE_WORDS + 1);     // bits of a number of words
    localparam AB        = $clog2(FEATURE_WORDS);
    localparam [31:0] FEATURES = FEATURE_WORDS;
    localparam [32:0] LIMIT    = {1'b0, FEATURES};

    // ---- asking -----------------------------------------------------------------------------
    reg                  asking_reg, ask_reg;             // images are left; one is being asked
    reg [15:0]           ask_images_reg;                  // left, less one
    reg [ADDR_BITS-1:0]  image_address_reg;               // of the next image
    reg [ADDR_BITS-1:0]  address_reg;
    reg [WORD_BITS-1:0]  left_reg;                        // words of the image, not yet asked for

    wire [WORD_BITS+GRANT_BITS-1:0] left_wide    = {{GRANT_BITS{1'b0}}, left_reg};
    wire [WORD_BITS+GRANT_BITS-1:0] granted_wide = {{WORD_BITS{1'b0}}, grant_beats};
    wire [WORD_BITS+GRANT_BITS-1:0] left_next    = left_wide - granted_wide;
    wire                            ask_last     = left_wide == granted_wide;
    wire [31:0]                     left_request = {{32-WORD_BITS{1'b0}}, left_reg};

    assign request_valid   = ask_reg;
    assign request_address = address_reg;
    assign request_beats   = left_request[31:16] != 16'd0 ? 16'hFFFF : left_request[15:0];

    wire ask_image = asking_reg && !ask_reg;

    always @(posedge clk)
        if (!rst_n) begin
            asking_reg <= 1'b0;
            ask_reg    <= 1'b0;
        end else begin
            if (start)
                asking_reg <= 1'b1;
            else if (grant && ask_last && ask_images_reg == 16'd0)
                asking_reg <= 1'b0;
            if (ask_image)
                ask_reg <= 1'b1;
            else if (grant && ask_last)
                ask_reg <= 1'b0;
        end

    always @(posedge clk) begin
        if (start)
            ask_images_reg <= images - 1'b1;
        else if (grant && ask_last)
            ask_images_reg <= ask_images_reg - 1'b1;
        if (begin_segment)
            image_address_reg <= source;
        else if (ask_image)
            image_address_reg <= image_address_reg + {{ADDR_BITS-32{1'b0}}, stride};
        if (ask_image) begin
            address_reg <= image_address_reg;
            left_reg    <= words[WORD_BITS-1:0];
        end else if (grant) begin
            address_reg <= grant_address;
            left_reg    <= left_next[WORD_BITS-1:0];
        end
    end

    // ---- writing: each image's place is set, checked, then filled ---------------------------
    localparam [2:0] IDLE = 3'd0, PLACE = 3'd1, CHECK = 3'd2, WRITE = 3'd3, OVER = 3'd4;

    reg [2:0]           state_reg;
    reg [15:0]          write_images_reg;                 // left, less one
    reg [31:0]          image_base_reg;
    reg [32:0]          image_end_reg;
    reg [AB-1:0]        write_address_reg;
    reg [WORD_BITS-1:0] write_left_reg;                   // words of this image, less one

    wire take       = load_valid && load_ready;
    wire image_done = take && write_left_reg == 0;
    wire skid_valid;

    skid_buffer #(
        .WIDTH(WORD)
    ) u_skid (
        .clk(clk),
        .clear(!rst_n),
        .in_valid(beat_valid),
        .in_ready(beat_ready),
        .in_data(beat_data),
        .out_valid(skid_valid),
        .out_ready(state_reg == WRITE && load_ready),
        .out_data(load_data)
    );

    assign load_valid   = skid_valid && state_reg == WRITE;
    assign load_address = write_address_reg;
    assign idle         = !asking_reg && state_reg == IDLE;

    always @(posedge clk)
        if (!rst_n) begin
            state_reg   <= IDLE;
            range_error <= 1'b0;
            loaded      <= 16'd0;
        end else begin
            case (state_reg)
                IDLE:    state_reg <= start ? PLACE : IDLE;
                PLACE:   state_reg <= CHECK;
                CHECK:   state_reg <= image_end_reg > LIMIT ? OVER : WRITE;
                WRITE:   state_reg <= !image_done ? WRITE
                                    : write_images_reg == 16'd0 ? IDLE : PLACE;
                default: state_reg <= OVER;
            endcase
            range_error <= state_reg == CHECK && image_end_reg > LIMIT;
            if (start)
                loaded <= 16'd0;
            else if (image_done)
                loaded <= loaded + 1'b1;
        end

    always @(posedge clk) begin
        if (start)
            write_images_reg <= images - 1'b1;
        else if (image_done)
            write_images_reg <= write_images_reg - 1'b1;
        if (start)
            image_base_reg <= base;
        else if (image_done)
            image_base_reg <= image_base_reg + pitch;
        image_end_reg <= {1'b0, image_base_reg} + {1'b0, words};
        if (state_reg == CHECK) begin
            write_address_reg <= image_base_reg[AB-1:0];
            write_left_reg    <= words[WORD_BITS-1:0] - 1'b1;
        end else if (take) begin
            write_address_reg <= write_address_reg + 1'b1;
            write_left_reg    <= write_left_reg - 1'b1;
        end
    end

    wire unused = &{1'b0, left_next[WORD_BITS+GRANT_BITS-1:WORD_BITS]};
endmodule

`default_nettype wire
