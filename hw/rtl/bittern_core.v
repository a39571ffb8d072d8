// SPDX-License-Identifier: Apache-2.0
// Runs one layer at a time: reads its input map from the feature memory and its weights from the
// ring, computes OC x PX sums at once, and stores what comes out of them. docs/architecture.md
// has the drawings.
//
//     stage 0     layer_issue chooses a step, queues of kernel_walker and lane_generator
//     1, 2        addresses of the lanes' halves; banks' rows, padding
//     3, 4        feature memory (and weight ring, one later)
//     5, 6        back to lanes, padding filled in; weights chosen: the array's operands
//     7 .. 10     trees, accumulators
//
// All of these stand still while the output stage cannot take a finished sum (`ce` low).
`default_nettype none

module bittern_core #(
    // Geometry: bits of a word, output channels and pixels at once, words of feature memory, rows
    // of the weight ring, what the compute units hold.
    parameter WORD = 128,
    parameter OC = 16,
    parameter PX = 4,
    parameter FEATURE_WORDS = 24576,
    parameter WEIGHT_ROWS = 512,
    parameter HAS_XNOR = 1,
    parameter HAS_TERNARY = 1,
    parameter HAS_INT = 1,
    // Bits of an accumulator.
    parameter ACC_BITS = 24
) (
    input  wire                             clk,
    // Control state only; data paths have no reset.
    input  wire                             rst_n,
    // One layer: its descriptor is stable from a cycle before `layer_start` to `layer_done`.
    input  wire [2047:0]                    desc,
    input  wire                             layer_start,
    input  wire [15:0]                      images,
    input  wire [15:0]                      images_loaded,
    output wire                             layer_done,
    // Weight ring: data two cycles of `ring_ce` behind `ring_read`.
    output wire                             ring_read,
    output wire [$clog2(WEIGHT_ROWS)-1:0]   ring_row,
    input  wire [OC*WORD-1:0]               ring_data,
    output wire                             ring_ce,
    input  wire [15:0]                      ring_rows_loaded,
    output reg                              ring_release,
    output reg  [15:0]                      ring_release_rows,
    // Feature memory, for the loader.
    input  wire                             load_valid,
    output wire                             load_ready,
    input  wire [$clog2(FEATURE_WORDS)-1:0] load_address,
    input  wire [WORD-1:0]                  load_data,
    // Feature memory, for the storer; only between layers. Data six cycles later.
    input  wire                             store_read,
    input  wire [$clog2(FEATURE_WORDS)-1:0] store_address,
    output wire [WORD-1:0]                  store_data,
    output wire                             store_valid,
    // Results.
    output wire                             result_valid,
    input  wire                             result_ready,
    output wire [31:0]                      result_index,
    output wire [15:0]                      result_tile,
    output wire [OC*32-1:0]                 result_data,
    // What this cycle was, for the counters.
    output wire                             event_compute,
    output wire                             event_weights,
    output wire                             event_input,
    output wire                             event_output
);
    localparam AB       = $clog2(FEATURE_WORDS);
    localparam ROW_BITS = $clog2(WEIGHT_ROWS);
    localparam HALF     = WORD / 2;

    generate
        if (WORD != 32 && WORD != 64 && WORD != 128 && WORD != 256)
            word_must_be_32_64_128_or_256 u_refused ();
        if (OC < 8 || OC != (1 << $clog2(OC)) || OC > HALF / 2)
            oc_must_be_a_power_of_two_from_8_to_a_quarter_of_word u_refused ();
        if (PX < 2 || PX != (1 << $clog2(PX)))
            px_must_be_a_power_of_two_from_2_on u_refused ();
        if (FEATURE_WORDS % PX != 0 || AB > 24)
            feature_words_must_be_a_multiple_of_px u_refused ();
        if (WEIGHT_ROWS != (1 << ROW_BITS) || ROW_BITS > 15)
            weight_rows_must_be_a_power_of_two u_refused ();
        if (HAS_XNOR == 0 && HAS_INT == 0)
            no_compute_unit_at_all u_refused ();
    endgenerate

    // ---- Descriptor --------------------------------------------------------------------------------

    wire [31:0] flags         = desc[32*1 +: 32];
    wire        int_mode      = HAS_INT != 0 && (flags[0] || HAS_XNOR == 0);
    wire        ternary       = flags[1];
    wire        wide          = flags[3];
    wire        wait_input    = flags[4];
    wire        result        = flags[6];
    wire        pool          = flags[7];
    wire        pair          = flags[8];
    wire        in_phase      = flags[9];
    wire        odd_lo        = flags[10];
    wire        odd_hi        = flags[11];
    wire        threshold     = flags[12];
    wire [7:0]  pad           = desc[32*30 +: 8];
    wire [WORD-1:0] lane_mask = desc[32*32 +: WORD];

    // Loading of a layer takes a cycle: what is derived from the descriptor settles in it.
    reg busy_reg, start_reg;
    always @(posedge clk) begin
        start_reg <= rst_n && layer_start;
        if (!rst_n)
            busy_reg <= 1'b0;
        else if (layer_start)
            busy_reg <= 1'b1;
        else if (layer_done)
            busy_reg <= 1'b0;
    end

    // ---- Stage 0 --------------------------------------------------------------------------------------

    reg                 ce;
    wire                step_valid, step_pop, step_last;
    wire [AB-1:0]       lo_offset, hi_offset;
    wire [11:0]         lo_row, lo_column, hi_row, hi_column;
    wire                lo_last, hi_last, hi_exists;
    wire [ROW_BITS-1:0] step_row;
    wire [2:0]          step_part;
    wire                group_valid, group_pop, group_last;
    wire [PX*AB-1:0]    place;
    wire [PX*14-1:0]    iy, ix;
    wire [PX-1:0]       counts;
    wire [PX*36-1:0]    pixel;
    wire                issue_step, issue_parameters, sum_first, sum_last, first_plane, last_plane;
    wire                tile_end, first_group, finished, waits_weights, waits_input, parameters_taken;
    wire [ROW_BITS-1:0] issue_row;
    wire [7:0]          multiplier;

    kernel_walker #(.ADDRESS_BITS(AB), .ROW_BITS(ROW_BITS)) u_walker (
        .clk(clk), .rst_n(rst_n), .start(start_reg), .int_mode(int_mode), .wide(wide), .phase(in_phase),
        .atoms(desc[32*22 +: 16]), .kernel_w(desc[32*23 +: 16]), .kernel_h(desc[32*23 + 16 +: 16]),
        .sum_w_last(desc[32*24 +: 8]), .sum_h_last(desc[32*24 + 8 +: 8]),
        .sum_stride_x(desc[32*24 + 16 +: 8]), .sum_stride_y(desc[32*24 + 24 +: 8]),
        .steps_per_tap(desc[32*25 +: 16]), .step(desc[32*26 +: 32]), .hi_start(desc[32*27 +: 32]),
        .row_pitch(desc[32*17 +: AB]), .plane_pitch(desc[32*19 +: AB]),
        .column_phase(desc[32*20 +: AB]), .row_phase(desc[32*21 +: AB]),
        .pop(step_pop), .valid(step_valid), .lo_offset(lo_offset), .hi_offset(hi_offset),
        .lo_row(lo_row), .lo_column(lo_column), .hi_row(hi_row), .hi_column(hi_column),
        .lo_last(lo_last), .hi_last(hi_last), .hi_exists(hi_exists), .weight_row(step_row),
        .weight_part(step_part), .last(step_last)
    );

    lane_generator #(.PX(PX), .ADDRESS_BITS(AB)) u_lanes (
        .clk(clk), .rst_n(rst_n), .start(start_reg), .images(images), .phase(in_phase),
        .window(desc[32*7 +: 32]), .out_size(desc[32*8 +: 32]), .window_step(desc[32*9 +: 32]),
        .out_step(desc[32*10 +: 32]), .image_step(desc[32*11 +: 16]), .pool(desc[32*12 +: 32]),
        .conv_size(desc[32*13 +: 32]), .stride(desc[32*14 +: 32]), .base(desc[32*16 +: AB]),
        .row_pitch(desc[32*17 +: AB]), .image_pitch(desc[32*18 +: AB]),
        .tile_step(desc[32*28 +: AB]), .tile_shift(desc[32*29 +: 5]),
        .pop(group_pop), .valid(group_valid), .place(place), .iy(iy), .ix(ix), .counts(counts),
        .pixel(pixel), .last(group_last)
    );

    layer_issue #(.WORD(WORD), .PX(PX), .ROW_BITS(ROW_BITS)) u_issue (
        .clk(clk), .rst_n(rst_n), .ce(ce), .start(start_reg), .wait_input(wait_input),
        .planes(desc[32*2 +: 4]), .multipliers(desc[32*3 +: 64]), .tiles(desc[32*5 +: 16]),
        .rows_per_plane(desc[32*31 +: 16]), .rows_per_tile(desc[32*31 + 16 +: 16]),
        .images(images), .images_loaded(images_loaded),
        .step_valid(step_valid), .step_row(step_row), .step_last(step_last), .step_pop(step_pop),
        .group_valid(group_valid), .group_last(group_last),
        .group_image(pixel[36*(PX-1) + 24 +: 12]), .group_pop(group_pop),
        .ring_rows_loaded(ring_rows_loaded), .tile_end(tile_end),
        .parameters_taken(parameters_taken),
        .issue_step(issue_step), .issue_parameters(issue_parameters), .issue_row(issue_row),
        .sum_first(sum_first), .sum_last(sum_last), .first_plane(first_plane),
        .last_plane(last_plane), .first_group(first_group), .multiplier(multiplier),
        .finished(finished), .waits_weights(waits_weights), .waits_input(waits_input)
    );

    // ---- Control along the stages ------------------------------------------------------------------

    reg [10:1] step_pipe, first_pipe, last_pipe;
    reg [5:1]  tile_end_pipe, parameters_pipe, lo_last_pipe, hi_last_pipe, exists_pipe;
    reg [2:0]  part_pipe [1:5];
    reg [ROW_BITS-1:0] row_pipe [1:3];
    reg [3:1]  read_pipe;
    reg [6:1]  store_pipe;
    integer    i;

    always @(posedge clk)
        if (!rst_n) begin
            tile_end_pipe   <= 5'd0;
            step_pipe       <= 10'd0;
            last_pipe       <= 10'd0;
            parameters_pipe <= 5'd0;
            read_pipe       <= 3'd0;
            store_pipe      <= 6'd0;
        end else if (ce) begin
            tile_end_pipe   <= {tile_end_pipe[4:1], tile_end};
            step_pipe       <= {step_pipe[9:1], issue_step};
            last_pipe       <= {last_pipe[9:1], issue_step && sum_last};
            parameters_pipe <= {parameters_pipe[4:1], issue_parameters};
            read_pipe       <= {read_pipe[2:1], issue_step || issue_parameters};
            store_pipe      <= {store_pipe[5:1], store_read};
        end

    always @(posedge clk)
        if (ce) begin
            first_pipe   <= {first_pipe[9:1], sum_first};
            lo_last_pipe <= {lo_last_pipe[4:1], lo_last};
            hi_last_pipe <= {hi_last_pipe[4:1], hi_last};
            exists_pipe  <= {exists_pipe[4:1], hi_exists};
            part_pipe[1] <= step_part;
            row_pipe[1]  <= issue_row;
            for (i = 2; i <= 5; i = i + 1)
                part_pipe[i] <= part_pipe[i-1];
            for (i = 2; i <= 3; i = i + 1)
                row_pipe[i] <= row_pipe[i-1];
        end

    // A tile's rows are given back when its last step has read them, and no sooner: the pipeline may
    // stand still for as long as the output likes, and what is given back is written anew at once.
    always @(posedge clk) begin
        ring_release      <= rst_n && ce && tile_end_pipe[5];
        ring_release_rows <= desc[32*31 + 16 +: 16];
    end

    assign ring_ce   = ce;
    assign ring_read = read_pipe[3];
    assign ring_row  = row_pipe[3];

    // ---- Stages 1 and 2: addresses, padding ----------------------------------------------------------

    reg  [2*PX*AB-1:0]     address_1;
    reg  [PX-1:0]          read_1;
    reg  [2*PX*14-1:0]     y_1, x_1;
    reg  [2*PX-1:0]        present_2;
    reg  [PX-1:0]          active_reg;       // lanes that this layer uses
    wire [13:0]            height = desc[32*15 + 16 +: 14];
    wire [13:0]            width  = desc[32*15 +: 14];
    wire [AB*2-1:0]        offsets = {hi_offset, lo_offset};
    wire [23:0]            rows    = {hi_row, lo_row};
    wire [23:0]            columns = {hi_column, lo_column};

    always @(posedge clk)
        for (i = 0; i < PX; i = i + 1)
            active_reg[i] <= i[7:0] < desc[32*6 +: 8];

    always @(posedge clk)
        if (ce) begin
            for (i = 0; i < 2 * PX; i = i + 1) begin
                address_1[i*AB +: AB] <= store_read ? store_address
                    : place[(i/2)*AB +: AB] + offsets[(i%2)*AB +: AB];
                y_1[14*i +: 14] <= iy[14*(i/2) +: 14] + {2'b0, rows[12*(i%2) +: 12]};
                x_1[14*i +: 14] <= ix[14*(i/2) +: 14] + {2'b0, columns[12*(i%2) +: 12]};
                // A negative coordinate is a large unsigned number.
                present_2[i] <= store_pipe[1] ||
                    (read_1[i/2] && y_1[14*i +: 14] < height && x_1[14*i +: 14] < width &&
                     (i % 2 == 0 || exists_pipe[1]));
            end
            read_1 <= store_read ? {{(PX-1){1'b0}}, 1'b1} : counts & active_reg;
        end

    // ---- Stages 2 to 6: feature memory, weights ------------------------------------------------------

    wire [PX*WORD-1:0]               act;
    wire [2*PX-1:0]                  present_5;
    reg  [WORD-1:0]                  keep_5;
    reg  [2*PX-1:0]                  zero_6, odd_6;
    wire [PX*WORD/8-1:0]             write_enable;
    wire [PX*(AB-$clog2(PX))-1:0]    write_row;
    wire [PX*WORD-1:0]               write_data;

    always @(posedge clk)
        if (ce) begin
            keep_5[HALF-1:0]    <= lo_last_pipe[4] && !store_pipe[4] ? lane_mask[HALF-1:0] : {HALF{1'b1}};
            // A half past the kernel's end holds nothing, not even padding.
            keep_5[WORD-1:HALF] <= store_pipe[4] ? {HALF{1'b1}} : !exists_pipe[4] ? {HALF{1'b0}}
                                 : hi_last_pipe[4] ? lane_mask[WORD-1:HALF] : {HALF{1'b1}};
            for (i = 0; i < PX; i = i + 1) begin
                zero_6[2*i]     <= ternary || !present_5[2*i];
                zero_6[2*i + 1] <= ternary || !present_5[2*i + 1];
                odd_6[2*i]      <= odd_lo && lo_last_pipe[5] && !present_5[2*i];
                odd_6[2*i + 1]  <= odd_hi && hi_last_pipe[5] && exists_pipe[5] && !present_5[2*i + 1];
            end
        end

    feature_memory #(.WORD(WORD), .PX(PX), .WORDS(FEATURE_WORDS), .ADDRESS_BITS(AB)) u_features (
        .clk(clk), .ce(ce), .read_address(address_1), .read(read_1), .present(present_2), .pad(pad),
        .keep(keep_5), .word(act), .present_5(present_5), .write_enable(write_enable),
        .write_row(write_row), .write_data(write_data)
    );
    assign store_data  = act[WORD-1:0];
    assign store_valid = store_pipe[6];

    wire [OC*WORD-1:0]   weight;
    wire [OC*WORD/8-1:0] negative, nonzero;
    genvar o;
    generate
        for (o = 0; o < OC; o = o + 1) begin : g_weight
            weight_select #(
                .WORD(WORD), .HAS_XNOR(HAS_XNOR), .HAS_TERNARY(HAS_TERNARY), .HAS_INT(HAS_INT)
            ) u_select (
                .clk(clk), .ce(ce), .int_mode(int_mode), .wide(wide), .part(part_pipe[5]),
                .row(ring_data[o*WORD +: WORD]), .weight(weight[o*WORD +: WORD]),
                .negative(negative[o*WORD/8 +: WORD/8]), .nonzero(nonzero[o*WORD/8 +: WORD/8])
            );
        end
    endgenerate

    // ---- Stages 7 to 10: the array; then the output stage ---------------------------------------------

    wire [OC*PX*ACC_BITS-1:0] acc;
    wire                      ready_next, output_idle;

    compute_array #(
        .WORD(WORD), .OC(OC), .PX(PX), .ACC_BITS(ACC_BITS), .HAS_XNOR(HAS_XNOR),
        .HAS_TERNARY(HAS_TERNARY), .HAS_INT(HAS_INT)
    ) u_array (
        .clk(clk), .ce(ce), .act(act), .zero(zero_6), .odd(odd_6), .weight(weight),
        .negative(negative), .nonzero(nonzero), .int_mode(int_mode),
        .sum_enable(step_pipe[9]), .sum_first(first_pipe[9]), .acc(acc)
    );

    output_stage #(
        .WORD(WORD), .OC(OC), .PX(PX), .ACC_BITS(ACC_BITS), .ADDRESS_BITS(AB)
    ) u_output (
        .clk(clk), .rst_n(rst_n), .start(start_reg), .threshold(threshold), .pair(pair),
        .pool(pool), .result(result), .clamp(flags[13]), .flip(flags[14]),
        .out_format(flags[17:16]), .out_dup(flags[18]), .out_phase(flags[19]),
        .lanes(desc[32*6 +: 8]), .window_size(desc[32*48 +: 16]), .clamp_range(desc[32*49 +: 32]),
        .out_base(desc[32*40 +: 32]), .out_row_pitch(desc[32*41 +: 32]),
        .out_image_pitch(desc[32*42 +: 32]), .out_plane_pitch(desc[32*43 +: 32]),
        .out_column_phase(desc[32*44 +: 32]), .out_row_phase(desc[32*45 +: 32]),
        .out_offset(desc[32*46 +: 16]), .writes(desc[32*47 +: 8]),
        .tiles_per_plane_log2(desc[32*47 + 8 +: 8]), .out_width(desc[32*8 +: 16]),
        .results_per_image(desc[32*51 +: 32]),
        .parameters_valid(parameters_pipe[5] && ce), .parameters_data(ring_data),
        .parameters_taken(parameters_taken),
        .group_push(issue_step && sum_last),
        .group({first_plane, last_plane, multiplier, first_group, counts, pixel}),
        .ce(ce), .offer(last_pipe[10]), .ready_next(ready_next), .acc(acc), .idle(output_idle),
        .load_valid(load_valid), .load_ready(load_ready), .load_address(load_address),
        .load_data(load_data), .write_enable(write_enable), .write_row(write_row),
        .write_data(write_data),
        .result_valid(result_valid), .result_ready(result_ready), .result_index(result_index),
        .result_tile(result_tile), .result_data(result_data)
    );

    // Decided a cycle ahead, from what stage 10 will hold then.
    always @(posedge clk)
        ce <= !rst_n || ready_next || !(ce ? last_pipe[9] : last_pipe[10]);

    assign layer_done = busy_reg && !start_reg && !layer_start && finished && output_idle;

    assign event_compute = issue_step;
    assign event_output  = busy_reg && !ce;
    assign event_weights = ce && waits_weights;
    assign event_input   = ce && waits_input;
endmodule

`default_nettype wire
