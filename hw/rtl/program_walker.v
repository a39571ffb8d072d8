// SPDX-License-Identifier: Apache-2.0
// Walks through a program ahead of its execution: reads and checks the header, then offers
// SEGMENTs and LAYERs in the order in which they run,
//
//     for each segment: SEGMENT, then for each sub-batch: its LAYERs
//
// one item at a time; while an item is in work the next one is read. An item is offered, held
// until `item_take`, and lost in the cycle behind that. It also issues the weight jobs, one a
// sub-batch, as early as the ring takes them: the jobs of a segment are known once its SEGMENT has
// been read, which is when the last layer of the segment before it has begun.
// A fault gives one pulse and stops the walk until reset.
`default_nettype none

module program_walker #(
    // Geometry; docs/device-program.md
    parameter WORD = 128,
    parameter OC = 16,
    parameter PX = 4,
    parameter FEATURE_WORDS = 24576,
    parameter WEIGHT_ROWS = 512,
    parameter UNITS = 7,
    // Bits of an address
    parameter ADDR_BITS = 64,
    // Bits of a grant
    parameter GRANT_BITS = 7
) (
    input  wire                  clk,
    input  wire                  rst_n,

    // The walk; address and images are stable throughout
    input  wire                  begin_walk,
    input  wire [ADDR_BITS-1:0]  program_address,
    input  wire [15:0]           images,

    // Items; item_last: the last layer of a sub-batch. walk_end: there are no more
    output wire                  item_valid,
    output wire                  item_layer,
    output wire                  item_last,
    output wire [15:0]           item_index,
    output wire [2047:0]         item_words,
    input  wire                  item_take,
    output wire                  walk_end,
    output wire                  in_header,

    // Faults, one pulse; item_index says where
    output reg                   error_magic,
    output reg                   error_version,
    output reg                   error_geometry,
    output reg                   error_checksum,
    output reg                   error_descriptor,

    // Weight jobs
    output wire                  job_valid,
    input  wire                  job_ready,
    output wire [ADDR_BITS-1:0]  job_address,
    output wire [31:0]           job_beats,
    output wire [31:0]           job_checksum,

    // Client of the read master
    output wire                  request_valid,
    output wire [ADDR_BITS-1:0]  request_address,
    output wire [15:0]           request_beats,
    input  wire                  grant,
    input  wire [ADDR_BITS-1:0]  grant_address,
    input  wire [GRANT_BITS-1:0] grant_beats,
    input  wire                  beat_valid,
    output wire                  beat_ready,
    input  wire [WORD-1:0]       beat_data
);
    localparam BEATS      = 2048 / WORD;
    localparam COUNT_BITS = $clog2(BEATS) + 1;

    localparam [3:0] IDLE = 4'd0, PLACE = 4'd1, READ = 4'd2, SETTLE = 4'd3, CHECK = 4'd4,
                     JUDGE = 4'd5, WEIGHTS = 4'd6, OFFER = 4'd7, STEP = 4'd8, END = 4'd9,
                     FAULT = 4'd10;
    localparam [1:0] HEADER = 2'd0, SEGMENT = 2'd1, LAYER = 2'd2;

    reg [3:0]  state_reg;
    reg [1:0]  kind_reg;                   // what is due
    reg [15:0] slot_reg;                   // 256-byte slot of the program; slot 0 is the header
    reg [15:0] index_reg;                  // slot less one, 0 for the header
    reg [15:0] first_layer_reg;            // slot of the segment's first layer
    reg [15:0] layers_reg, layer_left_reg; // of the segment; behind this one
    reg [15:0] segments_reg;               // left, less one
    reg [15:0] slots_reg;                  // descriptors of the program
    reg [12:0] sub_batch_reg;
    reg [15:0] images_left_reg;            // of this sub-batch and those behind it

    // ---- reading one slot ---------------------------------------------------------------------
    reg                  asking_reg;
    reg [ADDR_BITS-1:0]  address_reg;
    reg [COUNT_BITS-1:0] ask_reg, take_reg;    // beats to ask for; to come
    reg [2047:0]         words_reg;
    reg [31:0]           sum_reg;
    reg                  sum_ok_reg;
    wire [31:0]          sum_next;
    wire [31:0]          sum_word = words_reg[2047:2016];
    wire                 beat     = beat_valid && beat_ready;
    wire [COUNT_BITS+GRANT_BITS-1:0] ask_next = {{GRANT_BITS{1'b0}}, ask_reg}
                                                - {{COUNT_BITS{1'b0}}, grant_beats};

    assign request_valid   = asking_reg;
    assign request_address = address_reg;
    assign request_beats   = {{16-COUNT_BITS{1'b0}}, ask_reg};
    assign beat_ready      = state_reg == READ;

    checksum_step #(
        .WORD(WORD)
    ) u_checksum (
        .sum(sum_reg),
        .beat(beat_data),
        .next(sum_next)
    );

    always @(posedge clk)
        if (!rst_n)
            asking_reg <= 1'b0;
        else if (state_reg == PLACE)
            asking_reg <= kind_reg == HEADER || slot_reg <= slots_reg;
        else if (grant && ask_next == 0)
            asking_reg <= 1'b0;

    always @(posedge clk) begin
        if (state_reg == PLACE) begin
            address_reg <= program_address + {{ADDR_BITS-24{1'b0}}, slot_reg, 8'd0};
            ask_reg     <= BEATS[COUNT_BITS-1:0];
            take_reg    <= BEATS[COUNT_BITS-1:0];
            sum_reg     <= 32'd0;
        end
        if (grant) begin
            address_reg <= grant_address;
            ask_reg     <= ask_next[COUNT_BITS-1:0];
        end
        if (beat) begin
            take_reg  <= take_reg - 1'b1;
            words_reg <= {beat_data, words_reg[2047:WORD]};
            sum_reg   <= sum_next;
        end
        // The last word is the sum of the others, so that the sum of all is known as well.
        sum_ok_reg <= sum_reg == ({sum_word[30:0], sum_word[31]} ^ sum_word);
    end

    // ---- judging it ---------------------------------------------------------------------------
    wire magic_ok, version_ok, geometry_ok, header_ok, segment_ok, layer_ok;

    descriptor_check #(
        .WORD(WORD),
        .OC(OC),
        .PX(PX),
        .FEATURE_WORDS(FEATURE_WORDS),
        .WEIGHT_ROWS(WEIGHT_ROWS),
        .UNITS(UNITS)
    ) u_check (
        .clk(clk),
        .words(words_reg),
        .magic_ok(magic_ok),
        .version_ok(version_ok),
        .geometry_ok(geometry_ok),
        .header_ok(header_ok),
        .segment_ok(segment_ok),
        .layer_ok(layer_ok)
    );

    wire judge         = state_reg == JUDGE;
    wire is_header     = kind_reg == HEADER;
    wire content_ok    = is_header ? header_ok : kind_reg == SEGMENT ? segment_ok : layer_ok;
    wire fault_magic   = judge && is_header && !magic_ok;
    wire fault_version = judge && is_header && magic_ok && !version_ok;
    wire fault_shape   = judge && is_header && magic_ok && version_ok && !geometry_ok;
    wire good_start    = !is_header || (magic_ok && version_ok && geometry_ok);
    wire fault_sum     = judge && good_start && !sum_ok_reg;
    wire fault_content = judge && good_start && sum_ok_reg && !content_ok;
    wire missing       = state_reg == PLACE && !is_header && slot_reg > slots_reg;
    wire fault         = fault_magic || fault_version || fault_shape || fault_sum || fault_content
                         || missing;
    reg  jobs_reg;                             // the weight jobs of a segment are being issued

    always @(posedge clk)
        if (!rst_n) begin
            state_reg        <= IDLE;
            error_magic      <= 1'b0;
            error_version    <= 1'b0;
            error_geometry   <= 1'b0;
            error_checksum   <= 1'b0;
            error_descriptor <= 1'b0;
        end else begin
            error_magic      <= fault_magic;
            error_version    <= fault_version;
            error_geometry   <= fault_shape;
            error_checksum   <= fault_sum;
            error_descriptor <= fault_content || missing;
            case (state_reg)
                IDLE:    state_reg <= begin_walk ? PLACE : IDLE;
                PLACE:   state_reg <= fault ? FAULT : READ;
                READ:    state_reg <= beat && take_reg == 1 ? SETTLE : READ;
                SETTLE:  state_reg <= CHECK;
                CHECK:   state_reg <= JUDGE;
                JUDGE:   state_reg <= fault ? FAULT : is_header ? STEP
                                    : kind_reg == SEGMENT ? WEIGHTS : OFFER;
                WEIGHTS: state_reg <= jobs_reg ? WEIGHTS : OFFER;
                OFFER:   state_reg <= item_take ? STEP : OFFER;
                STEP:    state_reg <= walk_on ? PLACE : END;
                END:     state_reg <= END;
                default: state_reg <= FAULT;
            endcase
        end

    // ---- what comes next ----------------------------------------------------------------------
    wire last_layer     = kind_reg == LAYER && layer_left_reg == 16'd0;
    wire last_sub_batch = images_left_reg <= {3'd0, sub_batch_reg};
    wire segment_over   = last_layer && last_sub_batch;
    wire walk_on        = !(segment_over && segments_reg == 16'd0);

    always @(posedge clk)
        if (state_reg == IDLE) begin
            kind_reg <= HEADER;
            slot_reg <= 16'd0;
        end else if (state_reg == STEP) begin
            kind_reg <= is_header || segment_over ? SEGMENT : LAYER;
            slot_reg <= last_layer && !last_sub_batch ? first_layer_reg : slot_reg + 1'b1;
        end

    always @(posedge clk) begin
        index_reg <= is_header ? 16'd0 : slot_reg - 1'b1;
        if (judge && is_header) begin
            segments_reg <= words_reg[32*8 +: 16] - 1'b1;
            slots_reg    <= words_reg[32*9 +: 16];
        end
        if (judge && kind_reg == SEGMENT) begin
            layers_reg      <= words_reg[32*1 +: 16] - 1'b1;
            layer_left_reg  <= words_reg[32*1 +: 16] - 1'b1;
            sub_batch_reg   <= words_reg[32*2 +: 13];
            images_left_reg <= images;
            first_layer_reg <= slot_reg + 1'b1;
        end
        if (state_reg == STEP && kind_reg == LAYER) begin
            layer_left_reg <= last_layer ? layers_reg : layer_left_reg - 1'b1;
            if (last_layer && !last_sub_batch)
                images_left_reg <= images_left_reg - {3'd0, sub_batch_reg};
            if (segment_over)
                segments_reg <= segments_reg - 1'b1;
        end
    end

    assign item_valid = state_reg == OFFER;
    assign item_layer = kind_reg == LAYER;
    assign item_last  = last_layer;
    assign item_index = index_reg;
    assign item_words = words_reg;
    assign walk_end   = state_reg == END;
    assign in_header  = is_header;

    // ---- weight jobs --------------------------------------------------------------------------
    reg [ADDR_BITS-1:0] job_address_reg;
    reg [31:0]          job_beats_reg, job_checksum_reg;
    reg [12:0]          job_sub_batch_reg;
    reg [15:0]          job_images_reg;            // of this job and those behind it

    always @(posedge clk)
        if (!rst_n)
            jobs_reg <= 1'b0;
        else if (state_reg == WEIGHTS && !jobs_reg)
            jobs_reg <= 1'b1;
        else if (job_ready && job_images_reg <= {3'd0, job_sub_batch_reg})
            jobs_reg <= 1'b0;

    always @(posedge clk)
        if (state_reg == WEIGHTS && !jobs_reg) begin
            job_address_reg   <= program_address + {{ADDR_BITS-32{1'b0}}, words_reg[32*3 +: 32]};
            job_beats_reg     <= words_reg[32*4 +: 32];
            job_checksum_reg  <= words_reg[32*5 +: 32];
            job_sub_batch_reg <= sub_batch_reg;
            job_images_reg    <= images;
        end else if (jobs_reg && job_ready) begin
            job_images_reg <= job_images_reg - {3'd0, job_sub_batch_reg};
        end

    assign job_valid    = jobs_reg;
    assign job_address  = job_address_reg;
    assign job_beats    = job_beats_reg;
    assign job_checksum = job_checksum_reg;

    wire unused = &{1'b0, ask_next[COUNT_BITS+GRANT_BITS-1:COUNT_BITS]};
endmodule

`default_nettype wire
