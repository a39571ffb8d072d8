// SPDX-License-Identifier: Apache-2.0
// From the array's sums to stored outputs: holds the sums of a group, takes one lane a cycle
// through the output lanes (PAIR: two), and hands values to the writer, or as int32 to the results.
// `ready_next` says a cycle ahead that sums can be taken; where they would be offered without it,
// the array must stand still (`ce` low).
//
// A lane's values need 6 (thresholds) or 14 cycles (scale). New parameters, with a tile's first
// group, wait until these have passed.
`default_nettype none

module output_stage #(
    // Bits of a word, output channels and lanes at once, bits of a sum, of a word address.
    parameter WORD = 128,
    parameter OC = 16,
    parameter PX = 4,
    parameter ACC_BITS = 24,
    parameter ADDRESS_BITS = 15
) (
    input  wire                      clk,
    input  wire                      rst_n,
    // Layer begins; fields of its descriptor, stable from one cycle before on.
    input  wire                      start,
    input  wire                      threshold,
    input  wire                      pair,
    input  wire                      pool,
    input  wire                      result,
    input  wire                      clamp,
    input  wire                      flip,
    input  wire [1:0]                out_format,
    input  wire                      out_dup,
    input  wire                      out_phase,
    input  wire [7:0]                lanes,
    input  wire [15:0]               window_size,
    input  wire [31:0]               clamp_range,
    input  wire [31:0]               out_base,
    input  wire [31:0]               out_row_pitch,
    input  wire [31:0]               out_image_pitch,
    input  wire [31:0]               out_plane_pitch,
    input  wire [31:0]               out_column_phase,
    input  wire [31:0]               out_row_phase,
    input  wire [15:0]               out_offset,
    input  wire [7:0]                writes,
    input  wire [7:0]                tiles_per_plane_log2,
    input  wire [15:0]               out_width,
    input  wire [31:0]               results_per_image,
    // Parameters of the next tile, one word of each channel at a time.
    input  wire                      parameters_valid,
    input  wire [OC*WORD-1:0]        parameters_data,
    // A tile's parameters have been taken over: there is room for others.
    output reg                       parameters_taken,
    // What a group is, pushed when its last step is issued: {first plane, last plane, multiplier,
    // first group of a tile, counts, pixels {n, y, x}}.
    input  wire                      group_push,
    input  wire [10+PX+36*PX:0]      group,
    // Its sums are there with `offer`, and taken where `ce`.
    input  wire                      ce,
    input  wire                      offer,
    output wire                      ready_next,
    input  wire [OC*PX*ACC_BITS-1:0] acc,
    // Nothing is held or under way.
    output wire                      idle,
    // Loader, and write ports of the feature memory: see output_writer.
    input  wire                      load_valid,
    output wire                      load_ready,
    input  wire [ADDRESS_BITS-1:0]   load_address,
    input  wire [WORD-1:0]           load_data,
    output wire [PX*WORD/8-1:0]                    write_enable,
    output wire [PX*(ADDRESS_BITS-$clog2(PX))-1:0] write_row,
    output wire [PX*WORD-1:0]                      write_data,
    // Results: OC values of an output pixel, by its number in the sub-batch.
    output reg                       result_valid,
    input  wire                      result_ready,
    output reg  [31:0]               result_index,
    output reg  [15:0]               result_tile,
    output reg  [OC*32-1:0]          result_data
);
    localparam LANE_BITS   = $clog2(PX);
    localparam GROUP_BITS  = 11 + PX + 36 * PX;
    localparam PROWS       = (128 + WORD - 1) / WORD;
    localparam [1:0] PROWS_LAST = PROWS[1:0] - 2'd1;
    localparam INDEX_BITS  = 24;
    localparam QUEUE_LOG2  = 5;
    localparam QUEUE_BITS  = 1 + 5 + 2 * ADDRESS_BITS + 8 * OC;
    localparam SIGNS_STAGE = 5;
    localparam SCALE_STAGE = 13;

    // ---- Groups: what belongs to the sums that come ----------------------------------------------

    wire [GROUP_BITS-1:0] group_head;
    reg  [GROUP_BITS-1:0] group_reg;
    reg                   hold_reg;
    wire                  capture = offer && ce;
    wire                  group_valid, group_empty;
    wire [4:0]            group_count;

    core_fifo #(.WIDTH(GROUP_BITS), .DEPTH_LOG2(4)) u_groups (
        .clk(clk), .clear(!rst_n || start), .push(group_push), .data(group),
        .pop(capture), .valid(group_valid), .head(group_head), .count(group_count),
        .empty(group_empty)
    );

    wire               first_plane = group_reg[36*PX + PX + 10];
    wire               last_plane  = group_reg[36*PX + PX + 9];
    wire [7:0]         multiplier  = group_reg[36*PX + PX + 1 +: 8];
    wire               first_group = group_reg[36*PX + PX];
    wire [PX-1:0]      counts      = group_reg[36*PX +: PX];
    wire [35:0]        pixels [0:PX-1];

    genvar o;
    generate
        for (o = 0; o < PX; o = o + 1) begin : g_pixel
            assign pixels[o] = group_reg[36*o +: 36];
        end
    endgenerate

    // ---- Parameters: collected, waiting, in use (in the lanes) -----------------------------------

    reg  [OC*128-1:0] collect_reg, waiting_reg;
    reg               collect_full_reg, waiting_full_reg;
    reg  [1:0]        collect_row_reg;
    wire              parameters_load;
    wire              waiting_take = collect_full_reg && (!waiting_full_reg || parameters_load);

    generate
        for (o = 0; o < OC; o = o + 1) begin : g_collect
            if (PROWS == 1) begin : g_one
                always @(posedge clk)
                    if (parameters_valid)
                        collect_reg[128*o +: 128] <= parameters_data[WORD*o +: 128];
            end else begin : g_some
                always @(posedge clk)
                    if (parameters_valid)
                        collect_reg[128*o +: 128] <= {parameters_data[WORD*o +: WORD],
                                                      collect_reg[128*o + WORD +: 128 - WORD]};
            end
        end
    endgenerate

    always @(posedge clk) begin
        if (!rst_n || start) begin
            collect_full_reg <= 1'b0;
            waiting_full_reg <= 1'b0;
            collect_row_reg  <= 2'd0;
            parameters_taken <= 1'b0;
        end else begin
            if (parameters_valid) begin
                collect_row_reg  <= collect_row_reg == PROWS_LAST ? 2'd0 : collect_row_reg + 2'd1;
                collect_full_reg <= collect_row_reg == PROWS_LAST;
            end else if (waiting_take)
                collect_full_reg <= 1'b0;
            waiting_full_reg <= waiting_take || (waiting_full_reg && !parameters_load);
            parameters_taken <= parameters_load;
        end
        if (waiting_take)
            waiting_reg <= collect_reg;
    end

    // ---- Taking lanes out of the hold -------------------------------------------------------------

    reg  [LANE_BITS:0]  lane_reg;
    reg                 last_lane_reg;   // this step is the last of the group
    reg                 switched_reg;    // this group's parameters are in use
    reg  [3:0]          quiet_reg;       // cycles until the last values taken have passed
    reg  [15:0]         window_reg;      // pixel of the pool's window
    reg  [QUEUE_LOG2:0] room_reg;        // entries that the queue can still take, all under way counted
    reg  [3:0]          lanes_less_reg;  // lanes less those of a step
    reg                 one_step_reg;    // a group is a single step
    reg  [15:0]         window_last_reg; // window_reg of a step that ends the window, or less

    wire                must_switch = first_group && !switched_reg;
    wire [LANE_BITS:0]  lane_next   = lane_reg + (pair ? 2 : 1);
    wire                step        = hold_reg && !must_switch && room_reg != 0;
    wire [15:0]         window_next = window_reg + (pair ? 16'd2 : 16'd1);
    wire                window_end  = !pool || window_reg >= window_last_reg;

    assign parameters_load = hold_reg && must_switch && waiting_full_reg && quiet_reg == 4'd0;

    // What the next cycle can do; with one free entry it may not be able to take a step.
    wire last_after    = {{(3-LANE_BITS){1'b0}}, lane_next} >= lanes_less_reg;
    wire hold_next     = capture || (hold_reg && !(step && last_lane_reg));
    wire last_next     = capture ? one_step_reg : step ? last_after : last_lane_reg;
    wire switch_next   = capture ? group_head[36*PX + PX] : must_switch && !parameters_load;
    assign ready_next  = !hold_next || (last_next && !switch_next && |room_reg[QUEUE_LOG2:1]);

    always @(posedge clk) begin
        lanes_less_reg <= lanes[3:0] - (pair ? 4'd2 : 4'd1);
        one_step_reg   <= lanes[3:0] <= (pair ? 4'd2 : 4'd1);
        // Not below 0 where it matters: with `pair` and `pool` the size is even.
        window_last_reg <= window_size - (pair ? 16'd2 : 16'd1);
    end

    always @(posedge clk) begin
        if (!rst_n || start) begin
            hold_reg     <= 1'b0;
            lane_reg     <= 0;
            switched_reg <= 1'b0;
            quiet_reg    <= 4'd0;
            window_reg   <= 16'd0;
        end else begin
            if (capture)
                hold_reg <= 1'b1;
            else if (step && last_lane_reg)
                hold_reg <= 1'b0;
            if (step)
                lane_reg <= last_lane_reg ? 0 : lane_next;
            if (capture)
                switched_reg <= 1'b0;
            else if (parameters_load)
                switched_reg <= 1'b1;
            if (step)
                quiet_reg <= threshold ? 4'd6 : 4'd14;
            else if (quiet_reg != 4'd0)
                quiet_reg <= quiet_reg - 4'd1;
            // A tile's last group may have begun a window that is none.
            if (parameters_load)
                window_reg <= 16'd0;
            else if (step && last_plane)
                window_reg <= window_end ? 16'd0 : window_next;
        end
        if (capture) begin
            group_reg     <= group_head;
            last_lane_reg <= one_step_reg;
        end else if (step)
            last_lane_reg <= last_after;
    end

    // ---- Tile: base address, place in the plane ----------------------------------------------------

    reg  [15:0]           tile_reg;
    reg  [4:0]            position_reg;
    reg  [INDEX_BITS-1:0] base_reg;
    reg                   any_tile_reg;
    reg  [INDEX_BITS-1:0] plane_step_reg;    // writes * plane pitch
    wire [4:0]            position_last = ~(5'h1f << tiles_per_plane_log2[2:0]);

    always @(posedge clk) begin
        plane_step_reg <= writes * out_plane_pitch[INDEX_BITS-1:0];
        if (start) begin
            tile_reg     <= 16'd0;
            position_reg <= 5'd0;
            base_reg     <= result ? 0 : out_base[INDEX_BITS-1:0];
            any_tile_reg <= 1'b0;
        end else if (parameters_load) begin
            any_tile_reg <= 1'b1;
            if (any_tile_reg) begin
                tile_reg <= tile_reg + 16'd1;
                if (!result) begin
                    position_reg <= position_reg == position_last ? 5'd0 : position_reg + 5'd1;
                    if (position_reg == position_last)
                        base_reg <= base_reg + plane_step_reg;
                end
            end
        end
    end

    // ---- Control along the stages ------------------------------------------------------------------

    // Stage 0 is what `step` has just chosen.
    reg  [SCALE_STAGE:0] valid_pipe;          // last plane: this stage may emit
    reg  [SCALE_STAGE:0] end_pipe;            // window ends
    reg  [12:0]          window_first_pipe;
    reg  [12:0]          counts_0_pipe, counts_1_pipe;
    reg  [7:0]           multiplier_0;
    reg                  first_plane_0, first_plane_1, valid_0, valid_1;
    reg  [LANE_BITS-1:0] lane_0, lane_1;
    reg  [35:0]          pixel_0_0, pixel_1_0;
    reg                  any_5, any_13;       // a pixel of the window counted
    integer              k;

    wire [LANE_BITS-1:0] select  = lane_reg[LANE_BITS-1:0];
    localparam [LANE_BITS-1:0] PARTNER = 1;
    wire [LANE_BITS-1:0] partner = select | PARTNER;

    always @(posedge clk) begin
        valid_0           <= rst_n && step;
        valid_1           <= valid_0;
        valid_pipe        <= {valid_pipe[SCALE_STAGE-1:0], step && last_plane};
        if (!rst_n || start)
            valid_pipe    <= 0;
        end_pipe          <= {end_pipe[SCALE_STAGE-1:0], window_end};
        window_first_pipe <= {window_first_pipe[11:0], !pool || window_reg == 16'd0};
        counts_0_pipe     <= {counts_0_pipe[11:0], counts[select]};
        counts_1_pipe     <= {counts_1_pipe[11:0], pair && counts[partner]};
        multiplier_0      <= multiplier;
        first_plane_0     <= first_plane;
        first_plane_1     <= first_plane_0;
        lane_0            <= select;
        lane_1            <= lane_0;
        pixel_0_0         <= pixels[select];
        pixel_1_0         <= pixels[partner];
        // For thresholds this runs along with the pool's register of stage 5.
        if (valid_pipe[4])
            any_5  <= counts_0_pipe[4] || (pool && counts_1_pipe[4]) || (!window_first_pipe[4] && any_5);
        if (valid_pipe[12])
            any_13 <= counts_0_pipe[12] || (!window_first_pipe[12] && any_13);
    end

    // ---- Lanes --------------------------------------------------------------------------------------

    wire [OC-1:0]   plus_0, minus_0, plus_1, minus_1;
    wire [8*OC-1:0] bytes;
    wire [32*OC-1:0] wide_data, sign_data;

    generate
        for (o = 0; o < OC; o = o + 1) begin : g_lane
            wire [1:0]        plus, minus;
            wire signed [8:0] value;
            wire [31:0]       wide;
            output_lane #(.PX(PX), .ACC_BITS(ACC_BITS), .LANE_BITS(LANE_BITS)) u_lane (
                .clk(clk), .capture(capture), .acc(acc[o*PX*ACC_BITS +: PX*ACC_BITS]),
                .select(select),
                .load_parameters(parameters_load), .parameters(waiting_reg[128*o +: 128]),
                .scale(!threshold), .pool(pool),
                .clamp_minimum(clamp_range[15:0]), .clamp_maximum(clamp_range[31:16]),
                .multiplier_0(multiplier_0), .valid_1(valid_1), .first_plane_1(first_plane_1),
                .lane_1(lane_1),
                .counts_3({counts_1_pipe[3], counts_0_pipe[3]}), .valid_4(valid_pipe[4]),
                .window_first_4(window_first_pipe[4]),
                .valid_12(valid_pipe[12]), .counts_12(counts_0_pipe[12]),
                .window_first_12(window_first_pipe[12]),
                .plus_5(plus), .minus_5(minus), .value_13(value), .wide_13(wide)
            );
            assign {plus_1[o], plus_0[o]}   = plus;
            assign {minus_1[o], minus_0[o]} = minus;
            assign bytes[8*o +: 8]          = {value[7] ^ flip, value[6:0]};
            assign wide_data[32*o +: 32]    = clamp ? {{23{value[8]}}, value} : wide;
            assign sign_data[32*o +: 32]    = {{31{minus[0]}}, minus[0] || plus[0]};
        end
    endgenerate

    // ---- Addresses ----------------------------------------------------------------------------------

    wire [INDEX_BITS-1:0] address_0_5, address_1_5;
    reg  [INDEX_BITS-1:0] address_pipe [SIGNS_STAGE+1:SCALE_STAGE];

    wire [INDEX_BITS-1:0] row_pitch   = result ? {{(INDEX_BITS-16){1'b0}}, out_width} : out_row_pitch[INDEX_BITS-1:0];
    wire [INDEX_BITS-1:0] image_pitch = result ? results_per_image[INDEX_BITS-1:0] : out_image_pitch[INDEX_BITS-1:0];

    output_address #(.ADDRESS_BITS(INDEX_BITS)) u_address_0 (
        .clk(clk), .pixel(pixel_0_0), .phase(out_phase), .row_offset(out_offset[8]),
        .column_offset(out_offset[0]), .base(base_reg), .row_pitch(row_pitch),
        .image_pitch(image_pitch), .column_phase(out_column_phase[INDEX_BITS-1:0]),
        .row_phase(out_row_phase[INDEX_BITS-1:0]), .address(address_0_5)
    );
    output_address #(.ADDRESS_BITS(INDEX_BITS)) u_address_1 (
        .clk(clk), .pixel(pixel_1_0), .phase(out_phase), .row_offset(out_offset[8]),
        .column_offset(out_offset[0]), .base(base_reg), .row_pitch(row_pitch),
        .image_pitch(image_pitch), .column_phase(out_column_phase[INDEX_BITS-1:0]),
        .row_phase(out_row_phase[INDEX_BITS-1:0]), .address(address_1_5)
    );

    always @(posedge clk) begin
        address_pipe[SIGNS_STAGE+1] <= address_0_5;
        for (k = SIGNS_STAGE + 2; k <= SCALE_STAGE; k = k + 1)
            address_pipe[k] <= address_pipe[k-1];
    end

    // ---- Out: to the writer's queue, or to the results -----------------------------------------------

    wire                  done_valid = threshold ? valid_pipe[SIGNS_STAGE] : valid_pipe[SCALE_STAGE];
    wire                  done_end   = threshold ? end_pipe[SIGNS_STAGE] : end_pipe[SCALE_STAGE];
    wire                  counts_0   = threshold ? any_5 : any_13;
    wire                  counts_1   = threshold && !pool && counts_1_pipe[SIGNS_STAGE];
    wire [INDEX_BITS-1:0] address_0  = threshold ? address_0_5 : address_pipe[SCALE_STAGE];
    wire                  emit       = done_valid && done_end && counts_0;
    // What emits nothing gives its room back: at its end, or at once for planes but the last.
    wire                  done_empty  = done_valid && !(done_end && counts_0);
    wire                  plane_empty = valid_0 && !valid_pipe[0];

    wire                  queue_valid, queue_empty, queue_take;
    wire [QUEUE_BITS-1:0] queue_head;
    wire [QUEUE_LOG2:0]   queue_count;
    wire [8*OC-1:0]       signs;
    wire                  result_take = result_valid && result_ready;

    assign signs = {{4*OC{1'b0}}, minus_1, plus_1, minus_0, plus_0};

    core_fifo #(.WIDTH(QUEUE_BITS), .DEPTH_LOG2(QUEUE_LOG2)) u_queue (
        .clk(clk), .clear(!rst_n || start),
        .push(emit && !result),
        .data({counts_1, position_reg, address_0[ADDRESS_BITS-1:0], address_1_5[ADDRESS_BITS-1:0],
               threshold ? signs : bytes}),
        .pop(queue_take), .valid(queue_valid), .head(queue_head), .count(queue_count),
        .empty(queue_empty)
    );

    // Steps take room, what is empty or has gone gives it back: -1 to 3 in all. One sum, with what
    // has gone, known last, as its carry-in.
    wire [2:0]            change      = step ? (done_empty && plane_empty ? 3'd1
                                                : done_empty || plane_empty ? 3'd0 : 3'b111)
                                      : {1'b0, done_empty && plane_empty, done_empty ^ plane_empty};
    wire [QUEUE_LOG2:0]   room_change = {{(QUEUE_LOG2-2){change[2]}}, change};
    wire [QUEUE_LOG2+1:0] room_next   = {room_reg, 1'b1}
                                      + {room_change, queue_take || result_take};

    // Results go one at a time: there is room for one step only.
    always @(posedge clk) begin
        if (!rst_n || start)
            room_reg <= result ? 1 : 1 << QUEUE_LOG2;
        else
            room_reg <= room_next[QUEUE_LOG2+1:1];
        if (!rst_n)
            result_valid <= 1'b0;
        else if (emit && result)
            result_valid <= 1'b1;
        else if (result_ready)
            result_valid <= 1'b0;
        if (emit && result) begin
            result_index <= {{(32-INDEX_BITS){1'b0}}, address_0};
            result_tile  <= tile_reg;
            result_data  <= threshold ? sign_data : wide_data;
        end
    end

    wire writer_idle;
    output_writer #(.WORD(WORD), .OC(OC), .PX(PX), .ADDRESS_BITS(ADDRESS_BITS)) u_writer (
        .clk(clk), .rst_n(rst_n), .signs(threshold), .out_format(out_format), .dup(out_dup),
        .writes(writes), .plane_pitch(out_plane_pitch[ADDRESS_BITS-1:0]),
        .valid(queue_valid), .two(queue_head[QUEUE_BITS-1]),
        .position(queue_head[QUEUE_BITS-2 -: 5]),
        .address_0(queue_head[8*OC + ADDRESS_BITS +: ADDRESS_BITS]),
        .address_1(queue_head[8*OC +: ADDRESS_BITS]), .data(queue_head[8*OC-1:0]),
        .take(queue_take), .idle(writer_idle),
        .load_valid(load_valid), .load_ready(load_ready), .load_address(load_address),
        .load_data(load_data),
        .write_enable(write_enable), .write_row(write_row), .write_data(write_data)
    );

    assign idle = !hold_reg && group_empty && !valid_0 && valid_pipe == 0 && queue_empty && writer_idle &&
                  !result_valid;
endmodule

`default_nettype wire
