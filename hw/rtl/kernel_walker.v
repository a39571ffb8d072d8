// SPDX-License-Identifier: Apache-2.0
// The steps of one pass over a layer's kernel, again and again, each as an address offset that is
// common to all lanes: for R, for S (windows of a sum pool), then the taps (r, s, c), two half
// words at once. A queue holds up to 16 steps ready; one step a cycle; the first is ready ten
// cycles after `start`.
//
//     offset = c * plane_pitch + row part + column part,   row = R * sum_stride_y + r
`default_nettype none

module kernel_walker #(
    // Bits of a word address of the feature memory.
    parameter ADDRESS_BITS = 15,
    // Bits of a row number in the weight ring.
    parameter ROW_BITS = 9
) (
    input  wire                    clk,
    input  wire                    rst_n,
    // Forget everything and begin; the fields below are stable from one cycle before on.
    input  wire                    start,
    // Fields of the LAYER descriptor (docs/device-program.md).
    input  wire                    int_mode,
    input  wire                    wide,
    input  wire                    phase,
    input  wire [15:0]             atoms,
    input  wire [15:0]             kernel_w,
    input  wire [15:0]             kernel_h,
    input  wire [7:0]              sum_w_last,
    input  wire [7:0]              sum_h_last,
    input  wire [7:0]              sum_stride_x,
    input  wire [7:0]              sum_stride_y,
    input  wire [15:0]             steps_per_tap,
    input  wire [31:0]             step,
    input  wire [31:0]             hi_start,
    input  wire [ADDRESS_BITS-1:0] row_pitch,
    input  wire [ADDRESS_BITS-1:0] plane_pitch,
    input  wire [ADDRESS_BITS-1:0] column_phase,
    input  wire [ADDRESS_BITS-1:0] row_phase,
    // The next step, while `valid`; `pop` goes on to the one behind it.
    input  wire                    pop,
    output wire                    valid,
    output wire [ADDRESS_BITS-1:0] lo_offset,
    output wire [ADDRESS_BITS-1:0] hi_offset,
    // Row and column of the taps, to see whether they are padding.
    output wire [11:0]             lo_row,
    output wire [11:0]             lo_column,
    output wire [11:0]             hi_row,
    output wire [11:0]             hi_column,
    // Lo and hi are the last c of their tap; hi is within the kernel.
    output wire                    lo_last,
    output wire                    hi_last,
    output wire                    hi_exists,
    // Row of the weights behind the plane's first, and the part of it (INT).
    output wire [ROW_BITS-1:0]     weight_row,
    output wire [2:0]              weight_part,
    // Last step of the pass.
    output wire                    last
);
    localparam ENTRY_BITS = 2 * ADDRESS_BITS + 48 + 3 + ROW_BITS + 3 + 1;

    // ---- Counters: one step a cycle while there is room for what is under way ------------------

    reg         active_reg;
    reg         load_reg;
    reg  [15:0] step_count_reg;
    reg         tap_end_reg;      // this step is the last of its (R, S)
    reg  [7:0]  sum_x_reg;
    reg  [7:0]  sum_y_reg;
    reg  [11:0] column_base_reg;  // S * sum_stride_x
    reg  [11:0] row_base_reg;     // R * sum_stride_y
    wire [4:0]  queue_count;
    wire        queue_empty;

    wire        advance    = active_reg && !load_reg && queue_count < 5'd8;
    wire        sum_x_end  = sum_x_reg == sum_w_last;
    wire        sum_y_end  = sum_y_reg == sum_h_last;
    wire        reload     = load_reg || (advance && tap_end_reg);

    always @(posedge clk) begin
        load_reg <= start;
        if (!rst_n)
            active_reg <= 1'b0;
        else if (start)
            active_reg <= 1'b1;
        if (reload) begin
            step_count_reg <= 16'd0;
            tap_end_reg    <= steps_per_tap == 16'd1;
        end else if (advance) begin
            step_count_reg <= step_count_reg + 16'd1;
            tap_end_reg    <= step_count_reg + 16'd2 == steps_per_tap;
        end
        if (load_reg) begin
            sum_x_reg       <= 8'd0;
            sum_y_reg       <= 8'd0;
            column_base_reg <= 12'd0;
            row_base_reg    <= 12'd0;
        end else if (advance && tap_end_reg) begin
            sum_x_reg       <= sum_x_end ? 8'd0 : sum_x_reg + 8'd1;
            column_base_reg <= sum_x_end ? 12'd0 : column_base_reg + {4'd0, sum_stride_x};
            if (sum_x_end) begin
                sum_y_reg    <= sum_y_end ? 8'd0 : sum_y_reg + 8'd1;
                row_base_reg <= sum_y_end ? 12'd0 : row_base_reg + {4'd0, sum_stride_y};
            end
        end
    end

    wire [15:0] lo_c, hi_c;
    wire [7:0]  lo_s, hi_s;
    wire [8:0]  lo_r, hi_r;

    tap_counter u_lo (
        .clk(clk), .load(reload), .advance(advance),
        .c_start(16'd0), .s_start(8'd0), .r_start(8'd0),
        .c_step(step[15:0]), .s_step(step[23:16]), .r_step(step[31:24]),
        .c_radix(atoms), .s_radix(kernel_w[8:0]),
        .c(lo_c), .s(lo_s), .r(lo_r)
    );
    tap_counter u_hi (
        .clk(clk), .load(reload), .advance(advance),
        .c_start(hi_start[15:0]), .s_start(hi_start[23:16]), .r_start(hi_start[31:24]),
        .c_step(step[15:0]), .s_step(step[23:16]), .r_step(step[31:24]),
        .c_radix(atoms), .s_radix(kernel_w[8:0]),
        .c(hi_c), .s(hi_s), .r(hi_r)
    );

    // ---- Offsets, in five stages -----------------------------------------------------------------

    // Stage 1: rows and columns, planes' offsets (which have a second register, so that no sum in a
    // DSP block waits for another).
    reg [11:0]             row_1 [0:1];
    reg [11:0]             column_1 [0:1];
    reg [ADDRESS_BITS-1:0] plane_1 [0:1];
    reg [2:0]              ends_1;      // hi exists, hi last, lo last
    reg                    last_1;
    reg [ROW_BITS-1:0]     weight_row_1;
    reg [2:0]              weight_part_1;
    // Stage 2: products and phases.
    reg [ADDRESS_BITS-1:0] plane_2 [0:1];
    reg [ADDRESS_BITS-1:0] row_part_2 [0:1];
    reg [ADDRESS_BITS-1:0] column_part_2 [0:1];
    reg [ADDRESS_BITS-1:0] phase_2 [0:1];
    // Stages 3 and 4: sums.
    reg [ADDRESS_BITS-1:0] near_3 [0:1];
    reg [ADDRESS_BITS-1:0] far_3 [0:1];
    reg [ADDRESS_BITS-1:0] offset_4 [0:1];
    // What only travels along.
    localparam SIDE_BITS = 48 + 3 + ROW_BITS + 3 + 1;
    reg [SIDE_BITS-1:0]    side_2, side_3, side_4;
    reg                    valid_1, valid_2, valid_3, valid_4;

    wire [15:0] last_c = atoms - 16'd1;
    wire [ADDRESS_BITS-1:0] row_index_0    = phase ? {{(ADDRESS_BITS-11){1'b0}}, row_1[0][11:1]}
                                                   : {{(ADDRESS_BITS-12){1'b0}}, row_1[0]};
    wire [ADDRESS_BITS-1:0] row_index_1    = phase ? {{(ADDRESS_BITS-11){1'b0}}, row_1[1][11:1]}
                                                   : {{(ADDRESS_BITS-12){1'b0}}, row_1[1]};
    wire [ADDRESS_BITS-1:0] column_index_0 = phase ? {{(ADDRESS_BITS-11){1'b0}}, column_1[0][11:1]}
                                                   : {{(ADDRESS_BITS-12){1'b0}}, column_1[0]};
    wire [ADDRESS_BITS-1:0] column_index_1 = phase ? {{(ADDRESS_BITS-11){1'b0}}, column_1[1][11:1]}
                                                   : {{(ADDRESS_BITS-12){1'b0}}, column_1[1]};

    // The cut of products and steps to an address is meant: addresses wrap round.
    always @(posedge clk) begin
        row_1[0]    <= row_base_reg + {3'd0, lo_r};
        row_1[1]    <= row_base_reg + {3'd0, hi_r};
        column_1[0] <= column_base_reg + {4'd0, lo_s};
        column_1[1] <= column_base_reg + {4'd0, hi_s};
        plane_1[0]  <= lo_c * plane_pitch;
        plane_1[1]  <= hi_c * plane_pitch;
        ends_1      <= {{7'd0, hi_r} < kernel_h, hi_c == last_c, lo_c == last_c};
        last_1      <= tap_end_reg && sum_x_end && sum_y_end;
        weight_row_1  <= !int_mode ? step_count_reg : wide ? step_count_reg >> 2 : step_count_reg >> 3;
        weight_part_1 <= wide ? {1'b0, step_count_reg[1:0]} : step_count_reg[2:0];

        plane_2[0]       <= plane_1[0];
        plane_2[1]       <= plane_1[1];
        row_part_2[0]    <= row_index_0 * row_pitch;
        row_part_2[1]    <= row_index_1 * row_pitch;
        column_part_2[0] <= column_index_0 + (phase && column_1[0][0] ? column_phase : 0);
        column_part_2[1] <= column_index_1 + (phase && column_1[1][0] ? column_phase : 0);
        phase_2[0]       <= phase && row_1[0][0] ? row_phase : 0;
        phase_2[1]       <= phase && row_1[1][0] ? row_phase : 0;
        side_2 <= {row_1[0], column_1[0], row_1[1], column_1[1], ends_1, weight_row_1,
                   weight_part_1, last_1};

        near_3[0]   <= column_part_2[0] + phase_2[0];
        near_3[1]   <= column_part_2[1] + phase_2[1];
        far_3[0]    <= plane_2[0] + row_part_2[0];
        far_3[1]    <= plane_2[1] + row_part_2[1];
        side_3      <= side_2;

        offset_4[0] <= near_3[0] + far_3[0];
        offset_4[1] <= near_3[1] + far_3[1];
        side_4      <= side_3;
    end

    always @(posedge clk)
        if (!rst_n || start)
            {valid_1, valid_2, valid_3, valid_4} <= 4'd0;
        else
            {valid_1, valid_2, valid_3, valid_4} <= {advance, valid_1, valid_2, valid_3};

    core_fifo #(.WIDTH(ENTRY_BITS), .DEPTH_LOG2(4)) u_queue (
        .clk(clk), .clear(!rst_n || start),
        .push(valid_4), .data({offset_4[0], offset_4[1], side_4}),
        .pop(pop), .valid(valid),
        .head({lo_offset, hi_offset, lo_row, lo_column, hi_row, hi_column,
               hi_exists, hi_last, lo_last, weight_row, weight_part, last}),
        .count(queue_count), .empty(queue_empty)
    );
endmodule

`default_nettype wire
