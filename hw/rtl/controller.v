// SPDX-License-Identifier: Apache-2.0
// Runs a program: takes the walker's items, starts loads, layers and stores, keeps records, and
// ends every run, good or bad, with a code.
//
// A layer starts two cycles after the one before it is done, if its descriptor has been read by
// then. A load for the next sub-batch starts when the layer with FREE_INPUT is done; a store runs
// between two sub-batches; a segment ends when all it wrote is in memory.
//
// End of a run: no new requests (`halt`), wait for what is outstanding, reset everything but the
// masters (`soft_reset`), write the final record. After a stuck channel (error 11) the run is done
// at once, and starts are refused until nothing is outstanding any more.
`default_nettype none

module controller #(
    // Bits of an address
    parameter ADDR_BITS = 64
) (
    input  wire                 clk,
    input  wire                 rst_n,

    // Run control
    input  wire                 start,
    output wire                 run_begin,
    output wire                 run_done,
    output wire                 run_idle,
    output reg  [3:0]           status_state,
    output wire [7:0]           status_error,
    output wire [15:0]          status_index,

    // Arguments of the run
    input  wire [ADDR_BITS-1:0] input_address,
    input  wire [ADDR_BITS-1:0] scratch_address,
    input  wire [31:0]          images,

    // Everything else
    output wire                 soft_reset,       // all but the masters
    output wire                 halt,             // the masters
    input  wire                 read_idle,
    input  wire                 write_idle,
    output wire                 watch,            // the watchdog runs

    // Faults
    input  wire                 error_handshake,
    input  wire                 error_stalled,
    input  wire                 error_read_slave,
    input  wire                 error_read_decode,
    input  wire                 error_write_slave,
    input  wire                 error_write_decode,
    input  wire                 error_weights,
    input  wire                 error_range,
    input  wire                 error_magic,
    input  wire                 error_version,
    input  wire                 error_geometry,
    input  wire                 error_checksum,
    input  wire                 error_descriptor,

    // Walker
    output wire                 begin_walk,
    input  wire                 walk_in_header,
    input  wire                 walk_end,
    input  wire                 item_valid,
    input  wire                 item_layer,
    input  wire                 item_last,
    input  wire [15:0]          item_index,
    input  wire [2047:0]        item_words,
    output wire                 item_take,

    // Core
    output wire [2047:0]        desc,
    output wire                 layer_start,
    input  wire                 layer_done,
    output wire [15:0]          layer_images,
    output wire [15:0]          first_image,

    // Loader and storer
    output wire                 begin_segment,
    output wire [ADDR_BITS-1:0] load_source,
    output wire [31:0]          load_stride,
    output wire [31:0]          load_words,
    output wire [31:0]          load_base,
    output wire [31:0]          load_pitch,
    output wire                 load_start,
    output wire [15:0]          load_images,
    input  wire                 load_idle,
    output wire [ADDR_BITS-1:0] store_target,
    output wire [31:0]          store_stride,
    output wire [31:0]          store_words,
    output wire [31:0]          store_base,
    output wire [31:0]          store_pitch,
    output wire                 store_start,
    input  wire                 store_idle,

    // Ring and results: nothing is left to do
    input  wire                 ring_idle,
    input  wire                 results_idle,

    // Records and counters
    output wire                 count_clear,      // also: addresses of records
    output wire                 count_run,
    output wire                 count_layer_clear,
    output wire                 count_layer_run,
    output wire                 count_images,
    output wire                 count_images_clear,
    output wire                 layer_push,
    output wire [31:0]          layer_word,       // word 0 of the layer's record
    output wire                 final_push,
    input  wire                 record_idle
);
    localparam [4:0] IDLE = 5'd0, CLEAR = 5'd1, BEGIN = 5'd2, WALK = 5'd3, SEGMENT = 5'd4,
                     SEGMENT_2 = 5'd5, SUB_BATCH = 5'd6, NEXT = 5'd7, START = 5'd8, RUN = 5'd9,
                     STORE = 5'd10, STORING = 5'd11, SUB_BATCH_END = 5'd12, SEGMENT_END = 5'd13,
                     FLUSH = 5'd14, DRAIN = 5'd15, QUIET = 5'd16, FINAL = 5'd17,
                     FINAL_WAIT = 5'd18, DONE = 5'd19, STUCK_DONE = 5'd20, STUCK = 5'd21;

    // Error codes, docs/register-map.md
    localparam [7:0] BAD_MAGIC = 8'd1, BAD_VERSION = 8'd2, GEOMETRY = 8'd3, CHECKSUM = 8'd4,
                     DESCRIPTOR = 8'd5, WEIGHT_CHECKSUM = 8'd6, READ_SLVERR = 8'd7,
                     READ_DECERR = 8'd8, WRITE_SLVERR = 8'd9, WRITE_DECERR = 8'd10,
                     HANDSHAKE = 8'd11, STALLED = 8'd12, IMAGES = 8'd13;

    // Flag of a LAYER
    localparam FREE_INPUT = 32 + 5;

    reg [4:0] state_reg;
    reg [2:0] pause_reg;                  // cycles in CLEAR and QUIET: half with reset, half after
                                          // it; in FINAL_WAIT: for a late fault to arrive

    // ---- errors: the first one counts, but a stuck channel goes before all -------------------
    reg [7:0]  error_reg, code_reg;
    reg        fault_reg, stuck_reg;
    reg [15:0] index_reg;                 // of the item in work, or of the one that is at fault
    reg [15:0] walk_index_reg;
    reg        walk_fault_reg;

    wire walk_fault = error_magic || error_version || error_geometry || error_checksum
                      || error_descriptor;
    wire in_run     = state_reg >= BEGIN && state_reg <= FLUSH;
    wire after_run  = state_reg >= DRAIN && state_reg <= FINAL_WAIT;
    wire too_many   = state_reg == BEGIN && images[31:16] != 16'd0;

    always @(posedge clk) begin
        fault_reg <= error_stalled || error_read_slave || error_read_decode || error_write_slave
                     || error_write_decode || error_weights || error_range || walk_fault
                     || too_many;
        stuck_reg <= error_handshake || (error_stalled && after_run);
        walk_index_reg <= item_index;
        walk_fault_reg <= walk_fault;
        code_reg <= error_read_slave   ? READ_SLVERR
                  : error_read_decode  ? READ_DECERR
                  : error_write_slave  ? WRITE_SLVERR
                  : error_write_decode ? WRITE_DECERR
                  : error_magic        ? BAD_MAGIC
                  : error_version      ? BAD_VERSION
                  : error_geometry     ? GEOMETRY
                  : error_checksum     ? CHECKSUM
                  : error_weights      ? WEIGHT_CHECKSUM
                  : error_stalled      ? STALLED
                  : too_many           ? IMAGES : DESCRIPTOR;
    end

    wire stuck = stuck_reg && (in_run || after_run);
    wire fault = fault_reg && (in_run || after_run) && error_reg == 8'd0;

    always @(posedge clk)
        if (!rst_n) begin
            error_reg <= 8'd0;
            index_reg <= 16'd0;
        end else begin
            if (state_reg == CLEAR)
                error_reg <= 8'd0;
            else if (stuck)
                error_reg <= HANDSHAKE;
            else if (fault)
                error_reg <= code_reg;
            if (state_reg == CLEAR)
                index_reg <= 16'd0;
            else if (fault && walk_fault_reg)
                index_reg <= walk_index_reg;
            else if (item_take && in_run)
                index_reg <= item_index;
        end

    // ---- the run ------------------------------------------------------------------------------
    reg        last_reg, over_reg;        // the layer in work is a sub-batch's last; it is done
    reg        push_due_reg, push_reg;    // of the layer record
    reg        load_due_reg;              // a load waits for the loader
    reg        ahead_reg;                 // the next sub-batch's load has been ordered
    reg [12:0] sub_batch_reg;
    reg [15:0] left_reg;                  // images of the sub-batches behind this one
    reg [15:0] images_reg, next_images_reg, load_images_reg, first_image_reg;

    wire pushed    = !push_due_reg || record_idle;
    wire take_next = state_reg == NEXT && !over_reg && pushed && item_valid && item_layer;

    assign item_take = take_next || (state_reg == WALK && item_valid);

    always @(posedge clk)
        if (!rst_n)
            state_reg <= IDLE;
        else if (stuck)
            state_reg <= STUCK_DONE;
        else if (in_run && fault)
            state_reg <= DRAIN;
        else
            case (state_reg)
                IDLE:          state_reg <= start ? CLEAR : IDLE;
                CLEAR:         state_reg <= pause_reg == 3'd7 ? BEGIN : CLEAR;
                BEGIN:         state_reg <= too_many ? BEGIN : images == 32'd0 ? FLUSH : WALK;
                WALK:          state_reg <= walk_end ? FLUSH : item_valid ? SEGMENT : WALK;
                SEGMENT:       state_reg <= SEGMENT_2;
                SEGMENT_2:     state_reg <= SUB_BATCH;
                SUB_BATCH:     state_reg <= load_due_reg ? SUB_BATCH : NEXT;
                NEXT:          state_reg <= !pushed ? NEXT
                                         : over_reg ? (store_words == 32'd0 ? SUB_BATCH_END : STORE)
                                         : item_valid && item_layer ? START : NEXT;
                START:         state_reg <= RUN;
                RUN:           state_reg <= layer_done ? NEXT : RUN;
                STORE:         state_reg <= STORING;
                STORING:       state_reg <= store_idle ? SUB_BATCH_END : STORING;
                SUB_BATCH_END: state_reg <= left_reg == 16'd0 ? SEGMENT_END : SUB_BATCH;
                SEGMENT_END:   state_reg <= results_idle && record_idle && write_idle && !push_reg
                                            ? WALK : SEGMENT_END;
                FLUSH:         state_reg <= ring_idle && load_idle && results_idle && record_idle
                                            && write_idle ? DRAIN : FLUSH;
                DRAIN:         state_reg <= read_idle && write_idle ? QUIET : DRAIN;
                QUIET:         state_reg <= pause_reg == 3'd7 ? FINAL : QUIET;
                FINAL:         state_reg <= FINAL_WAIT;
                FINAL_WAIT:    state_reg <= pause_reg == 3'd7 ? DONE : FINAL_WAIT;
                DONE:          state_reg <= IDLE;
                STUCK_DONE:    state_reg <= STUCK;
                default:       state_reg <= start ? STUCK_DONE
                                         : read_idle && write_idle ? IDLE : STUCK;
            endcase

    always @(posedge clk)
        if (state_reg == CLEAR || state_reg == QUIET
                || (state_reg == FINAL_WAIT && record_idle && write_idle))
            pause_reg <= pause_reg + 1'b1;
        else
            pause_reg <= 3'd0;

    assign soft_reset = (state_reg == CLEAR || state_reg == QUIET) && !pause_reg[2]
                        || state_reg == STUCK_DONE || state_reg == STUCK;
    assign halt       = state_reg == DRAIN || state_reg == QUIET || state_reg == STUCK_DONE
                        || state_reg == STUCK;
    assign watch      = in_run || after_run;
    assign run_begin  = state_reg == IDLE && start;
    assign run_done   = state_reg == DONE || state_reg == STUCK_DONE;
    assign run_idle   = state_reg == IDLE || state_reg == STUCK;
    assign begin_walk = state_reg == BEGIN && images[31:16] == 16'd0 && images[15:0] != 16'd0;

    // ---- SEGMENT: its fields, and its sub-batches ---------------------------------------------
    reg [ADDR_BITS-1:0] load_source_reg, store_target_reg;
    reg                 from_scratch_reg;
    reg [31:0]          load_offset_reg, load_stride_reg, load_words_reg, load_base_reg,
                        load_pitch_reg, store_words_reg, store_base_reg, store_pitch_reg,
                        store_offset_reg, store_stride_reg;

    wire [15:0] sub_batch_wide = {3'd0, sub_batch_reg};
    wire [15:0] next_next      = left_reg < sub_batch_wide ? left_reg : sub_batch_wide;

    always @(posedge clk) begin
        if (state_reg == WALK) begin
            sub_batch_reg    <= item_words[32*2 +: 13];
            from_scratch_reg <= item_words[32*6];
            load_offset_reg  <= item_words[32*7 +: 32];
            load_stride_reg  <= item_words[32*8 +: 32];
            load_words_reg   <= item_words[32*9 +: 32];
            load_base_reg    <= item_words[32*10 +: 32];
            load_pitch_reg   <= item_words[32*11 +: 32];
            store_words_reg  <= item_words[32*12 +: 32];
            store_base_reg   <= item_words[32*13 +: 32];
            store_pitch_reg  <= item_words[32*14 +: 32];
            store_offset_reg <= item_words[32*15 +: 32];
            store_stride_reg <= item_words[32*16 +: 32];
        end
        if (state_reg == SEGMENT) begin
            load_source_reg  <= (from_scratch_reg ? scratch_address : input_address)
                                + {{ADDR_BITS-32{1'b0}}, load_offset_reg};
            store_target_reg <= scratch_address + {{ADDR_BITS-32{1'b0}}, store_offset_reg};
        end
        case (state_reg)
            WALK:      left_reg <= images[15:0];
            SEGMENT_2, SUB_BATCH_END: begin
                images_reg <= next_images_reg;
                left_reg   <= left_reg - next_images_reg;
            end
            default: ;
        endcase
        // In SEGMENT and later: images of the sub-batch behind this one
        next_images_reg <= next_next;
        if (state_reg == SEGMENT)
            first_image_reg <= 16'd0;
        else if (state_reg == SUB_BATCH_END)
            first_image_reg <= first_image_reg + images_reg;
        // A load is for the sub-batch behind the one in work, or for the segment's first.
        if (!load_due_reg)
            load_images_reg <= next_images_reg;
    end

    assign begin_segment = state_reg == SEGMENT_2;
    assign load_source   = load_source_reg;
    assign load_stride   = load_stride_reg;
    assign load_words    = load_words_reg;
    assign load_base     = load_base_reg;
    assign load_pitch    = load_pitch_reg;
    assign store_target  = store_target_reg;
    assign store_stride  = store_stride_reg;
    assign store_words   = store_words_reg;
    assign store_base    = store_base_reg;
    assign store_pitch   = store_pitch_reg;
    assign store_start   = state_reg == STORE;
    assign load_start    = load_due_reg && load_idle && !soft_reset && !halt;
    assign load_images   = load_images_reg;
    assign layer_images  = images_reg;
    assign first_image   = first_image_reg;

    // ---- LAYER --------------------------------------------------------------------------------
    reg [2047:0] desc_reg;
    reg [31:0]   layer_word_reg;

    wire free_input = state_reg == RUN && layer_done && desc_reg[FREE_INPUT] && left_reg != 16'd0
                      && !ahead_reg;

    always @(posedge clk) begin
        if (take_next)
            desc_reg <= item_words;
        if (state_reg == RUN)
            layer_word_reg <= {images_reg, desc_reg[32*52 +: 16]};
    end

    always @(posedge clk)
        if (!rst_n || state_reg == CLEAR || halt) begin
            last_reg     <= 1'b0;
            over_reg     <= 1'b0;
            push_due_reg <= 1'b0;
            push_reg     <= 1'b0;
            load_due_reg <= 1'b0;
            ahead_reg    <= 1'b0;
        end else begin
            if (take_next)
                last_reg <= item_last;
            if (state_reg == RUN && layer_done)
                over_reg <= last_reg;
            else if (state_reg == SUB_BATCH)
                over_reg <= 1'b0;
            if (state_reg == RUN && layer_done)
                push_due_reg <= 1'b1;
            else if (state_reg == NEXT && record_idle)
                push_due_reg <= 1'b0;
            push_reg <= state_reg == NEXT && push_due_reg && record_idle;
            if (state_reg == SEGMENT_2 || free_input
                    || (state_reg == SUB_BATCH_END && left_reg != 16'd0 && !ahead_reg))
                load_due_reg <= 1'b1;
            else if (load_start)
                load_due_reg <= 1'b0;
            if (free_input)
                ahead_reg <= 1'b1;
            else if (state_reg == SUB_BATCH_END)
                ahead_reg <= 1'b0;
        end

    assign desc              = desc_reg;
    assign layer_start       = state_reg == START;
    assign layer_word        = layer_word_reg;
    assign layer_push        = push_reg;
    assign final_push        = state_reg == FINAL;
    assign count_clear       = state_reg == CLEAR;
    assign count_run         = in_run || state_reg == DRAIN || state_reg == QUIET;
    assign count_layer_clear = state_reg == START;
    assign count_layer_run   = state_reg == RUN;
    assign count_images      = state_reg == SUB_BATCH_END;
    assign count_images_clear = state_reg == SEGMENT;

    // ---- for the host -------------------------------------------------------------------------
    assign status_error = error_reg;
    assign status_index = index_reg;

    always @(posedge clk)
        case (state_reg)
            IDLE:          status_state <= 4'd0;
            CLEAR, BEGIN:  status_state <= 4'd1;
            WALK:          status_state <= walk_in_header ? 4'd2 : 4'd3;
            START, RUN:    status_state <= 4'd4;
            STORE, STORING: status_state <= 4'd5;
            SEGMENT_END, FLUSH, DRAIN, QUIET: status_state <= 4'd6;
            FINAL, FINAL_WAIT, DONE: status_state <= 4'd7;
            STUCK_DONE, STUCK: status_state <= 4'd8;
            default:       status_state <= 4'd3;
        endcase
endmodule

`default_nettype wire
