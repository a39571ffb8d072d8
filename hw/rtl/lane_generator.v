// SPDX-License-Identifier: Apache-2.0
// The groups of PX output pixels that a layer works on, tile after tile without end: for each lane
// its place in the feature memory and its coordinates. A queue holds up to 16 groups ready; a
// group takes two cycles, and one that ends a tile two more. The first is ready 2 * PX + 12 cycles
// after `start`.
`default_nettype none

module lane_generator #(
    // Lanes.
    parameter PX = 4,
    // Bits of a word address of the feature memory.
    parameter ADDRESS_BITS = 15
) (
    input  wire                       clk,
    input  wire                       rst_n,
    // Forget everything and begin; the fields below are stable from one cycle before on.
    input  wire                       start,
    // Images of the sub-batch, and fields of the LAYER descriptor (docs/device-program.md).
    input  wire [15:0]                images,
    input  wire                       phase,
    input  wire [31:0]                window,
    input  wire [31:0]                out_size,
    input  wire [31:0]                window_step,
    input  wire [31:0]                out_step,
    input  wire [15:0]                image_step,
    input  wire [31:0]                pool,
    input  wire [31:0]                conv_size,
    input  wire [31:0]                stride,
    input  wire [ADDRESS_BITS-1:0]    base,
    input  wire [ADDRESS_BITS-1:0]    row_pitch,
    input  wire [ADDRESS_BITS-1:0]    image_pitch,
    input  wire [ADDRESS_BITS-1:0]    tile_step,
    input  wire [4:0]                 tile_shift,
    // The next group, while `valid`; `pop` goes on to the one behind it.
    input  wire                       pop,
    output wire                       valid,
    output wire [PX*ADDRESS_BITS-1:0] place,
    output wire [PX*14-1:0]           iy,
    output wire [PX*14-1:0]           ix,
    output wire [PX-1:0]              counts,
    // Output pixel {n, y, x} of each lane, 12 bits each.
    output wire [PX*36-1:0]           pixel,
    // Last group of its tile.
    output wire                       last
);
    localparam SEED_BITS  = $clog2(PX) + 1;
    localparam [SEED_BITS-1:0] LAST_LANE = {1'b0, {SEED_BITS-1{1'b1}}};
    localparam LANE_BITS  = ADDRESS_BITS + 14 + 14 + 1 + 36;
    localparam ENTRY_BITS = PX * LANE_BITS + 1;

    localparam IDLE    = 3'd0;
    localparam SEED    = 3'd1;  // prepare, keep the digits of the next lane's number
    localparam SEED_ON = 3'd2;
    localparam LOAD    = 3'd3;  // all lanes to the start of a tile
    localparam PREPARE = 3'd4;
    localparam EMIT    = 3'd5;

    reg [2:0]           state_reg;
    reg [SEED_BITS-1:0] seed_lane_reg;
    wire [4:0]          queue_count;
    wire                queue_empty;
    wire                ended;
    wire                room    = queue_count < 5'd8;
    wire                seed_last = seed_lane_reg == LAST_LANE;
    wire                emit    = state_reg == EMIT && room;

    always @(posedge clk)
        if (!rst_n)
            state_reg <= IDLE;
        else if (start)
            state_reg <= SEED;
        else case (state_reg)
            SEED:    state_reg <= SEED_ON;
            SEED_ON: state_reg <= seed_last ? LOAD : SEED;
            LOAD:    state_reg <= PREPARE;
            PREPARE: state_reg <= ended ? LOAD : EMIT;
            EMIT:    if (room) state_reg <= PREPARE;
            default: state_reg <= IDLE;
        endcase

    always @(posedge clk)
        if (start)
            seed_lane_reg <= 0;
        else if (state_reg == SEED_ON)
            seed_lane_reg <= seed_lane_reg + 1'b1;

    // ---- Steps: of one pixel (to seed the lanes) and of a group --------------------------------

    reg [51:0] one_step_reg, group_step_reg;
    reg [43:0] one_wrap_reg, group_wrap_reg;

    wire wx_moves = window[15:0] != 16'd1;
    wire wy_moves = window[31:16] != 16'd1;
    wire px_moves = out_size[15:0] != 16'd1;
    wire py_moves = out_size[31:16] != 16'd1;
    wire wy_first = !wx_moves && wy_moves;
    wire px_first = !wx_moves && !wy_moves && px_moves;
    wire py_first = !wx_moves && !wy_moves && !px_moves && py_moves;
    wire n_first  = !wx_moves && !wy_moves && !px_moves && !py_moves;

    always @(posedge clk) begin
        one_step_reg   <= {11'd0, n_first, 11'd0, py_first, 11'd0, px_first,
                           7'd0, wy_first, 7'd0, wx_moves};
        one_wrap_reg   <= {{12'd0, py_first} - out_size[28:16], {12'd0, px_first} - out_size[12:0],
                           {8'd0, wy_first} - window[24:16], {8'd0, wx_moves} - window[8:0]};
        group_step_reg <= {image_step[11:0], out_step[27:16], out_step[11:0],
                           window_step[23:16], window_step[7:0]};
        group_wrap_reg <= {{1'b0, out_step[27:16]} - out_size[28:16],
                           {1'b0, out_step[11:0]} - out_size[12:0],
                           {1'b0, window_step[23:16]} - window[24:16],
                           {1'b0, window_step[7:0]} - window[8:0]};
    end

    wire [51:0] seed;
    lane_counter u_seed (
        .clk(clk), .prepare(state_reg == SEED), .advance(state_reg == SEED_ON),
        .load(start), .value(52'd0), .step(one_step_reg), .wrap_step(one_wrap_reg), .digits(seed)
    );

    // ---- The tile's part of the address ---------------------------------------------------------

    reg [ADDRESS_BITS-1:0] base_reg;
    reg [31:0]             tile_reg;
    reg [31:0]             tile_mask_reg;    // tile_shift ones
    reg                    tile_last_reg;    // tile_reg is all of them; needed two cycles later
    integer                i;

    always @(posedge clk) begin
        for (i = 0; i < 32; i = i + 1)
            tile_mask_reg[i] <= i[5:0] < {1'b0, tile_shift};
        tile_last_reg <= tile_reg == tile_mask_reg;
    end

    always @(posedge clk)
        if (start) begin
            base_reg <= base;
            tile_reg <= 32'd0;
        end else if (state_reg == PREPARE && ended) begin
            tile_reg <= tile_last_reg ? 32'd0 : tile_reg + 32'd1;
            if (tile_last_reg)
                base_reg <= base_reg + tile_step;
        end

    // ---- Lanes -------------------------------------------------------------------------------------

    wire [ENTRY_BITS-1:0] entry;
    wire [ENTRY_BITS-1:0] head;
    reg  [5:0]            valid_reg;
    reg  [5:1]            last_reg;   // from stage 2 on
    wire [PX*12-1:0]      image_number;

    // A group is the last where the group behind it begins past the end.
    assign ended = {4'd0, image_number[11:0]} >= images;

    always @(posedge clk) begin
        if (!rst_n || start)
            valid_reg <= 6'd0;
        else
            valid_reg <= {valid_reg[4:0], emit};
        last_reg <= {last_reg[4:1], ended};
    end

    genvar j;
    generate
        for (j = 0; j < PX; j = j + 1) begin : g_lane
            wire [51:0] digits;
            reg  [51:0] first_reg;
            reg  [35:0] pixel_1, pixel_2, pixel_3, pixel_4, pixel_5, pixel_6;
            wire [ADDRESS_BITS-1:0] lane_place;
            wire [13:0] lane_iy, lane_ix;
            wire lane_counts;

            always @(posedge clk) begin
                if (state_reg == SEED && seed_lane_reg == j)
                    first_reg <= seed;
                pixel_1 <= digits[51:16];
                pixel_2 <= pixel_1;
                pixel_3 <= pixel_2;
                pixel_4 <= pixel_3;
                pixel_5 <= pixel_4;
                pixel_6 <= pixel_5;
            end

            lane_counter u_counter (
                .clk(clk), .prepare(state_reg == PREPARE), .advance(emit),
                .load(state_reg == LOAD), .value(first_reg),
                .step(group_step_reg), .wrap_step(group_wrap_reg), .digits(digits)
            );
            lane_place #(.ADDRESS_BITS(ADDRESS_BITS)) u_place (
                .clk(clk), .digits(digits), .base(base_reg), .images(images), .phase(phase),
                .pool(pool), .stride(stride), .conv_width(conv_size[15:0]),
                .conv_height(conv_size[31:16]), .row_pitch(row_pitch), .image_pitch(image_pitch),
                .place(lane_place), .iy(lane_iy), .ix(lane_ix), .counts(lane_counts)
            );
            assign image_number[12*j +: 12] = digits[51:40];
            assign entry[1 + j*LANE_BITS +: LANE_BITS] =
                {lane_place, lane_iy, lane_ix, lane_counts, pixel_6};

            assign {place[j*ADDRESS_BITS +: ADDRESS_BITS], iy[14*j +: 14], ix[14*j +: 14],
                    counts[j], pixel[36*j +: 36]} = head[1 + j*LANE_BITS +: LANE_BITS];
        end
    endgenerate
    assign entry[0] = last_reg[5];
    assign last     = head[0];

    core_fifo #(.WIDTH(ENTRY_BITS), .DEPTH_LOG2(4)) u_queue (
        .clk(clk), .clear(!rst_n || start),
        .push(valid_reg[5]), .data(entry),
        .pop(pop), .valid(valid), .head(head), .count(queue_count), .empty(queue_empty)
    );
endmodule

`default_nettype wire
