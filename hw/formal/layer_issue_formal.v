// SPDX-License-Identifier: Apache-2.0
// Properties of layer_issue, with small layers: what it issues is what plain counters of tiles,
// planes and rows say, in their order; a row is read only when the ring holds it, which may be
// written anew as soon as the tile's end has been told; a group enters only when its images are
// loaded; at most two sets of parameters are under way; and while nothing is missing, something
// enters at least every fifth cycle.
`default_nettype none

module layer_issue_formal #(
    // 128: one row of parameters; 64: two
    parameter WORD = 128
) (
    input  wire        clk,
    // Free, but as the assumptions say
    input  wire        rst_n,
    input  wire        ce,
    input  wire        start,
    input  wire        row_comes,          // the ring has one row more
    input  wire        image_comes,
    input  wire        release_tile,       // a tile that has ended gives its rows back
    input  wire        parameters_taken,
    input  wire        step_valid,
    input  wire [2:0]  step_row,
    input  wire        step_last,
    input  wire        group_valid,
    input  wire        group_last,
    input  wire [11:0] group_image
);
    localparam PX = 2, ROW_BITS = 3;
    localparam [15:0] RING = 16'd8, PROWS = WORD == 128 ? 16'd1 : 16'd2;

    // Constants of a layer
    (* anyconst *) wire        wait_input;
    (* anyconst *) wire [3:0]  planes;
    (* anyconst *) wire [63:0] multipliers;
    (* anyconst *) wire [15:0] tiles, rows_per_plane, images;
    wire [15:0] rows_per_tile = PROWS + rows_per_plane
                                + (planes > 1 ? rows_per_plane : 16'd0)
                                + (planes > 2 ? rows_per_plane : 16'd0);

    reg [15:0] loaded_reg = 0, released_reg = 0, images_loaded_reg = 0;

    wire        step_pop, group_pop, tile_end, issue_step, issue_parameters, sum_first, sum_last;
    wire        first_plane, last_plane, first_group, finished, waits_weights, waits_input;
    wire [2:0]  issue_row;
    wire [7:0]  multiplier;
    layer_issue #(.WORD(WORD), .PX(PX), .ROW_BITS(ROW_BITS)) u_dut (
        .clk(clk), .rst_n(rst_n), .ce(ce), .start(start), .wait_input(wait_input),
        .planes(planes), .multipliers(multipliers), .tiles(tiles),
        .rows_per_plane(rows_per_plane), .rows_per_tile(rows_per_tile), .images(images),
        .images_loaded(images_loaded_reg), .step_valid(step_valid), .step_row(step_row),
        .step_last(step_last), .step_pop(step_pop), .group_valid(group_valid),
        .group_last(group_last), .group_image(group_image), .group_pop(group_pop),
        .ring_rows_loaded(loaded_reg), .tile_end(tile_end), .parameters_taken(parameters_taken),
        .issue_step(issue_step), .issue_parameters(issue_parameters), .issue_row(issue_row),
        .sum_first(sum_first), .sum_last(sum_last), .first_plane(first_plane),
        .last_plane(last_plane), .first_group(first_group), .multiplier(multiplier),
        .finished(finished), .waits_weights(waits_weights), .waits_input(waits_input)
    );

    // ---- plain counters ----------------------------------------------------------------------
    reg        begun_reg = 0;              // the layer has started
    reg [15:0] tile_reg = 0;               // first row of the tile
    reg [15:0] tiles_reg = 0;              // to come, this one too
    reg [1:0]  set_row_reg = 0;            // parameter rows of the tile that have entered
    reg [3:0]  plane_reg = 0;
    reg        sum_open_reg = 0;           // a sum has begun
    reg        first_group_reg = 0;
    reg [1:0]  sets_reg = 0;               // whole sets not taken yet
    reg [3:0]  ended_reg = 0;              // tiles that have ended, not given back
    reg [2:0]  waited_reg = 0;
    reg        valid_reg = 0;

    wire [15:0] plane_row = PROWS + (plane_reg > 0 ? rows_per_plane : 16'd0)
                            + (plane_reg > 1 ? rows_per_plane : 16'd0);
    wire [15:0] row  = tile_reg + (issue_step ? plane_row + {13'd0, step_row}
                                              : {14'd0, set_row_reg});
    wire        plane_over = plane_reg + 4'd1 == planes;
    wire        over = issue_step && step_last && plane_over && group_last;
    wire [7:0]  own_multiplier = planes == 4'd1 ? 8'd1 : plane_reg == 4'd0 ? multipliers[7:0]
                                 : plane_reg == 4'd1 ? multipliers[15:8] : multipliers[23:16];
    wire        set_whole = issue_parameters && {14'd0, set_row_reg} + 16'd1 == PROWS;
    wire        images_there = !wait_input || images_loaded_reg >= images
                               || {4'd0, group_image} < images_loaded_reg;

    always @(posedge clk) begin
        valid_reg <= 1'b1;
        if (row_comes)
            loaded_reg <= loaded_reg + 16'd1;
        if (image_comes)
            images_loaded_reg <= images_loaded_reg + 16'd1;
        if (release_tile)
            released_reg <= released_reg + rows_per_tile;
        ended_reg <= ended_reg + {3'd0, tile_end} - {3'd0, release_tile};
        sets_reg  <= sets_reg + {1'b0, set_whole} - {1'b0, parameters_taken};
        if (start) begin
            begun_reg       <= 1'b1;
            tiles_reg       <= tiles;
            plane_reg       <= 4'd0;
            set_row_reg     <= 2'd0;
            sum_open_reg    <= 1'b0;
            first_group_reg <= 1'b1;
        end else begin
            if (issue_parameters)
                set_row_reg <= set_row_reg + 2'd1;
            if (issue_step) begin
                sum_open_reg <= !step_last;
                if (step_last) begin
                    plane_reg <= plane_over ? 4'd0 : plane_reg + 4'd1;
                    if (plane_over)
                        first_group_reg <= group_last;
                end
            end
            if (over) begin
                tile_reg    <= tile_reg + rows_per_tile;
                tiles_reg   <= tiles_reg - 16'd1;
                set_row_reg <= 2'd0;
            end
        end
        // Nothing is missing: the pipeline moves, all rows and images are there.
        waited_reg <= rst_n && tiles_reg != 0 && ce && !start && !issue_step && !issue_parameters
                      && step_valid && group_valid && sets_reg == 0
                      && loaded_reg - tile_reg >= rows_per_tile && images_there
                      ? waited_reg + 3'd1 : 3'd0;
        // What comes out in a reset means nothing.
        if (!rst_n) begin
            tile_reg  <= 16'd0;
            tiles_reg <= 16'd0;
            ended_reg <= 4'd0;
            sets_reg  <= 2'd0;
        end
    end

    // ---- what the others keep to -------------------------------------------------------------
    always @* begin
        assume (rst_n == valid_reg);
        assume (planes != 0 && planes <= 4'd3 && tiles != 0 && tiles <= 16'd3);
        assume (rows_per_plane != 0 && rows_per_plane <= 16'd5 && rows_per_tile < RING);
        assume (images != 0 && images <= 16'd4);
        assume (!start || (rst_n && !begun_reg));
        assume ({13'd0, step_row} < rows_per_plane);
        // The last step reads the plane's last row.
        assume (!step_last || {13'd0, step_row} + 16'd1 == rows_per_plane);
        // The ring is written where there is room.
        assume (!row_comes || (rst_n && loaded_reg - released_reg < RING));
        assume (!release_tile || ended_reg != 0);
        assume (!image_comes || images_loaded_reg < images);
        assume (!parameters_taken || sets_reg != 0);
    end
    // Queues hold their heads; a group's last image is at most PX behind the one of the group before.
    reg        past_step, past_group;
    reg [4:0]  past_head;
    reg [12:0] past_group_head;
    reg [11:0] image_from_reg = 0;
    always @(posedge clk) begin
        past_step       <= step_valid && !step_pop;
        past_head       <= {1'b0, step_row, step_last};
        past_group      <= group_valid && !group_pop;
        past_group_head <= {group_image, group_last};
        if (start || (group_pop && group_last))
            image_from_reg <= 12'd0;
        else if (group_pop)
            image_from_reg <= group_image;
    end
    always @* begin
        if (valid_reg && past_step)
            assume (step_valid && past_head == {1'b0, step_row, step_last});
        if (valid_reg && past_group)
            assume (group_valid && past_group_head == {group_image, group_last});
        assume (group_image >= image_from_reg && group_image <= image_from_reg + PX
                && group_image <= 12'd6);
    end

    // ---- what layer_issue keeps to -----------------------------------------------------------
    always @* if (rst_n && valid_reg) begin
        assert (!(issue_step && issue_parameters));
        assert (!(issue_step || issue_parameters) || (ce && begun_reg && tiles_reg != 0));
        if (issue_step || issue_parameters) begin
            assert (issue_row == row[2:0]);
            // There, and not yet given back
            assert (row - released_reg < loaded_reg - released_reg);
        end
        if (issue_parameters)
            assert ({14'd0, set_row_reg} < PROWS && sets_reg != 2'd2);
        if (issue_step) begin
            assert ({14'd0, set_row_reg} == PROWS);
            assert (step_valid && group_valid && images_there);
            assert (sum_first == !sum_open_reg && sum_last == step_last);
            assert (first_plane == (plane_reg == 0) && last_plane == plane_over);
            assert (first_group == (first_group_reg && plane_reg == 0));
            assert (multiplier == own_multiplier);
        end
        assert (step_pop == issue_step);
        assert (group_pop == (issue_step && step_last && plane_over));
        assert (tile_end == over);
        if (begun_reg)
            assert (finished == (tiles_reg == 0));
        assert (waited_reg < 3'd5);
    end
endmodule

`default_nettype wire
