// SPDX-License-Identifier: Apache-2.0
// Decides each cycle what enters the pipeline: a step of the kernel for a group of lanes, or a
// tile's parameters on their way from the weight ring. Walks through tiles, groups, planes and
// steps; waits for rows of weights, for images that are still being loaded, and for room behind
// the array. Combinational from the queues of kernel_walker and lane_generator.
`default_nettype none

module layer_issue #(
    // Bits of a word (parameters are 128 bits a channel), lanes, bits of a row number in the weight
    // ring.
    parameter WORD = 128,
    parameter PX = 4,
    parameter ROW_BITS = 9
) (
    input  wire                clk,
    input  wire                rst_n,
    // The pipeline moves.
    input  wire                ce,
    input  wire                start,
    // Fields of the LAYER descriptor; images of the sub-batch and how many are loaded.
    input  wire                wait_input,
    input  wire [3:0]          planes,
    input  wire [63:0]         multipliers,
    input  wire [15:0]         tiles,
    input  wire [15:0]         rows_per_plane,
    input  wire [15:0]         rows_per_tile,
    input  wire [15:0]         images,
    input  wire [15:0]         images_loaded,
    // Next step and next group, see there; `image`: number of the group's last image.
    input  wire                step_valid,
    input  wire [ROW_BITS-1:0] step_row,
    input  wire                step_last,
    output wire                step_pop,
    input  wire                group_valid,
    input  wire                group_last,
    input  wire [11:0]         group_image,
    output wire                group_pop,
    // Weight ring: rows written so far; the step that enters is the last that reads a tile's rows.
    input  wire [15:0]         ring_rows_loaded,
    output wire                tile_end,
    // Parameters that the output stage has taken over.
    input  wire                parameters_taken,
    // What enters the pipeline: one of the two, with its row of the ring.
    output wire                issue_step,
    output wire                issue_parameters,
    output wire [ROW_BITS-1:0] issue_row,
    output wire                sum_first,
    output wire                sum_last,
    output wire                first_plane,
    output wire                last_plane,
    output wire                first_group,
    output wire [7:0]          multiplier,
    // All of the layer has entered.
    output wire                finished,
    // Why nothing did.
    output wire                waits_weights,
    output wire                waits_input
);
    localparam PROWS = (128 + WORD - 1) / WORD;
    localparam [15:0] PARAMETER_ROWS = PROWS[15:0];

    reg [15:0] tile_row_reg;      // first row of this tile, since reset (wraps)
    reg [15:0] plane_row_reg;     // first row of this plane, behind tile_row_reg
    reg [15:0] plane_after_reg;   // the same of the next plane
    reg [15:0] base_row_reg;      // tile_row_reg + plane_row_reg
    reg [15:0] ready_rows_reg;    // rows of this tile that are there (and more)
    reg [15:0] ready_plane_reg;   // rows of this plane that are there
    reg [15:0] base_after_reg;    // base_row_reg and ready_plane_reg of the plane behind this one:
    reg [15:0] ready_after_reg;   // what to go on with is known before the step that ends this one
    reg        settles_reg;       // they still belong to this plane
    reg [15:0] tiles_left_reg;
    reg [3:0]  plane_reg;
    reg [63:0] multipliers_reg;
    reg        parameters_reg;    // the tile's parameters have not entered yet
    reg [1:0]  parameter_row_reg;
    reg [1:0]  parameter_sets_reg;
    reg        sum_first_reg;
    reg        first_group_reg;
    reg        running_reg;
    reg [1:0]  moved_reg;         // the numbers of ready rows belong to another tile still
    reg        last_plane_reg;

    // Images that are there, as of a cycle ago, which is only late: all of them, those of the group
    // at hand (unless it has gone since), those of it and of the group behind it (whose last image
    // is at most PX later).
    reg        all_images_reg, near_images_reg, far_images_reg;
    reg [15:0] far_loaded_reg;    // images_loaded less PX, or 0
    reg        group_gone_reg;

    localparam [15:0] FAR = PX[15:0];
    localparam FAR_BITS = $clog2(PX);

    always @(posedge clk) begin
        far_loaded_reg  <= images_loaded[15:FAR_BITS] == 0 ? 16'd0 : images_loaded - FAR;
        all_images_reg  <= !wait_input || images_loaded >= images;
        near_images_reg <= group_valid && {4'd0, group_image} < images_loaded;
        far_images_reg  <= group_valid && {4'd0, group_image} < far_loaded_reg;
        group_gone_reg  <= group_pop;
    end

    // Numbers of ready rows are up to two cycles old, which makes them smaller only.
    wire [15:0] plane_after      = last_plane ? PARAMETER_ROWS : plane_after_reg;
    wire        plane_end        = issue_step && step_last;

    // The ring holds 2 ** ROW_BITS rows, so that no more can be ready; less than none has bit 15.
    wire        step_there       = {1'b0, step_row} < ready_plane_reg[ROW_BITS:0] &&
                                   !ready_plane_reg[15] && moved_reg == 2'd0;
    wire        parameters_there = (ready_rows_reg[15:2] != 14'd0 ||
                                    parameter_row_reg < ready_rows_reg[1:0]) && !moved_reg[1];
    wire        row_there        = parameters_reg ? parameters_there : step_there;
    wire        image_there      = all_images_reg || far_images_reg ||
                                   (near_images_reg && !group_gone_reg);
    // A plane of one step waits a cycle for what is to come after it; its sums take longer anyway.
    wire        can_step         = running_reg && !parameters_reg && step_valid && group_valid &&
                                   !(settles_reg && step_last);
    wire        can_load         = running_reg && parameters_reg && parameter_sets_reg != 2'd2;
    wire [15:0] address          = parameters_reg ? tile_row_reg + {14'd0, parameter_row_reg}
                                 : base_row_reg + {{(16-ROW_BITS){1'b0}}, step_row};
    wire        last_parameter   = {14'd0, parameter_row_reg} + 16'd1 == PARAMETER_ROWS;

    assign issue_step       = ce && can_step && step_there && image_there;
    assign issue_parameters = ce && can_load && parameters_there;
    assign issue_row        = address[ROW_BITS-1:0];
    assign step_pop         = issue_step;
    assign sum_first        = sum_first_reg;
    assign sum_last         = step_last;
    assign first_plane      = plane_reg == 4'd0;
    assign last_plane       = last_plane_reg;
    assign first_group      = first_group_reg && first_plane;
    assign multiplier       = planes == 4'd1 ? 8'd1 : multipliers_reg[7:0];
    assign group_pop        = issue_step && step_last && last_plane;
    assign finished         = !running_reg;
    assign waits_weights    = (can_step || can_load) && !row_there;
    assign waits_input      = can_step && row_there && !image_there;

    assign tile_end = group_pop && group_last;

    always @(posedge clk) begin
        ready_rows_reg    <= ring_rows_loaded - tile_row_reg;
        ready_after_reg   <= ready_rows_reg - plane_after;
        ready_plane_reg   <= plane_end ? ready_after_reg : ready_rows_reg - plane_row_reg;
        moved_reg         <= tile_end || start ? 2'd3 : {1'b0, moved_reg[1]};
        base_after_reg    <= tile_row_reg + plane_after;
        base_row_reg      <= plane_end ? base_after_reg : tile_row_reg + plane_row_reg;
        settles_reg       <= plane_end && planes != 4'd1;

        if (!rst_n)
            tile_row_reg <= 16'd0;
        else if (tile_end)
            tile_row_reg <= tile_row_reg + rows_per_tile;

        if (!rst_n)
            running_reg <= 1'b0;
        else if (start)
            running_reg <= 1'b1;
        else if (tile_end && tiles_left_reg == 16'd1)
            running_reg <= 1'b0;

        if (start) begin
            tiles_left_reg     <= tiles;
            plane_reg          <= 4'd0;
            multipliers_reg    <= multipliers;
            parameters_reg     <= 1'b1;
            parameter_row_reg  <= 2'd0;
            plane_row_reg      <= PARAMETER_ROWS;
            plane_after_reg    <= PARAMETER_ROWS + rows_per_plane;
            last_plane_reg     <= planes == 4'd1;
            sum_first_reg      <= 1'b1;
            first_group_reg    <= 1'b1;
        end else begin
            if (issue_parameters) begin
                parameter_row_reg <= parameter_row_reg + 2'd1;
                if (last_parameter)
                    parameters_reg <= 1'b0;
            end
            if (issue_step) begin
                sum_first_reg <= step_last;
                if (step_last) begin
                    plane_reg       <= last_plane ? 4'd0 : plane_reg + 4'd1;
                    multipliers_reg <= last_plane ? multipliers : multipliers_reg >> 8;
                    plane_row_reg   <= last_plane ? PARAMETER_ROWS : plane_after_reg;
                    plane_after_reg <= (last_plane ? PARAMETER_ROWS : plane_after_reg) + rows_per_plane;
                    last_plane_reg  <= planes == 4'd1 || (!last_plane && plane_reg + 4'd2 == planes);
                    if (last_plane)
                        first_group_reg <= group_last;
                end
            end
            if (tile_end) begin
                tiles_left_reg    <= tiles_left_reg - 16'd1;
                parameters_reg    <= 1'b1;
                parameter_row_reg <= 2'd0;
            end
        end

        if (!rst_n || start)
            parameter_sets_reg <= 2'd0;
        else
            parameter_sets_reg <= parameter_sets_reg - {1'b0, parameters_taken} +
                {1'b0, issue_parameters && last_parameter};
    end
endmodule

`default_nettype wire
