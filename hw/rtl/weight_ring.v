// SPDX-License-Identifier: Apache-2.0
// The weight ring: a stream of rows, each OC words wide, from device memory to the array.
//
// Jobs (address, beats, check sum) are read one behind the other into one endless sequence of
// rows; beat o of a row goes to bank o. A beat is asked for only where its row is free, so that
// every beat can be taken when it comes: rows asked for and not yet released by the reader are at
// most WEIGHT_ROWS. A job's successor is asked for while its last beats are still under way; the
// producer of jobs can hold one more. `ring_rows_loaded` counts a row when it can be read.
//
// The check sum of each job's beats is compared at its end; a mismatch gives one pulse.
// Read port: exactly two cycles, not counting those in which ring_ce is low.
`default_nettype none

module weight_ring #(
    // Bits of a beat, and of a row of one bank
    parameter WORD = 128,
    // Banks; a power of two
    parameter OC = 16,
    // Rows; a power of two
    parameter WEIGHT_ROWS = 512,
    // Bits of an address
    parameter ADDR_BITS = 64,
    // Bits of a grant
    parameter GRANT_BITS = 7
) (
    input  wire                           clk,
    input  wire                           rst_n,

    // Jobs; beats is a multiple of OC, and not 0
    input  wire                           job_valid,
    output wire                           job_ready,
    input  wire [ADDR_BITS-1:0]           job_address,
    input  wire [31:0]                    job_beats,
    input  wire [31:0]                    job_checksum,

    // No job is left, its last beat has been checked; pulse: a check sum was wrong
    output wire                           idle,
    output reg                            checksum_error,

    // Client of the read master
    output wire                           request_valid,
    output wire [ADDR_BITS-1:0]           request_address,
    output wire [15:0]                    request_beats,
    input  wire                           grant,
    input  wire [ADDR_BITS-1:0]           grant_address,
    input  wire [GRANT_BITS-1:0]          grant_beats,
    input  wire                           beat_valid,
    output wire                           beat_ready,
    input  wire [WORD-1:0]                beat_data,

    // Reader
    input  wire                           ring_ce,
    input  wire                           ring_read,
    input  wire [$clog2(WEIGHT_ROWS)-1:0] ring_row,
    output wire [OC*WORD-1:0]             ring_data,
    output reg  [15:0]                    ring_rows_loaded,
    input  wire                           ring_release,
    input  wire [15:0]                    ring_release_rows
);
    localparam OC_BITS   = $clog2(OC);
    localparam ROW_BITS  = $clog2(WEIGHT_ROWS);
    localparam ROOM_BITS = OC_BITS + ROW_BITS + 1;

    // ---- asking: job by job, never for more than there is room ------------------------------
    reg                 asking_reg;
    reg [ADDR_BITS-1:0] address_reg;
    reg [31:0]          left_reg;              // beats of the job not yet asked for
    reg [ROOM_BITS-1:0] room_reg;              // beats that have a free place
    reg                 free_reg;              // room_reg is not 0
    wire                due_room;
    wire                job_taken = job_valid && job_ready;

    wire [ROOM_BITS-1:0] released = ring_release
                                    ? {ring_release_rows[ROW_BITS:0], {OC_BITS{1'b0}}}
                                    : {ROOM_BITS{1'b0}};
    wire [ROOM_BITS-1:0] granted  = grant ? {{ROOM_BITS-GRANT_BITS{1'b0}}, grant_beats}
                                    : {ROOM_BITS{1'b0}};

    assign job_ready       = !asking_reg && due_room;
    assign request_valid   = asking_reg && free_reg;
    assign request_address = address_reg;
    assign request_beats   = left_reg > {{32-ROOM_BITS{1'b0}}, room_reg}
                             ? {{16-ROOM_BITS{1'b0}}, room_reg} : left_reg[15:0];

    always @(posedge clk)
        if (!rst_n) begin
            asking_reg <= 1'b0;
            room_reg   <= {1'b1, {ROOM_BITS-1{1'b0}}};
            free_reg   <= 1'b1;
        end else begin
            if (job_taken)
                asking_reg <= 1'b1;
            else if (grant && left_reg == {{32-GRANT_BITS{1'b0}}, grant_beats})
                asking_reg <= 1'b0;
            room_reg <= room_reg - granted + released;
            // A cycle late where room appears; never late where it ends.
            free_reg <= room_reg > granted;
        end

    always @(posedge clk)
        if (job_taken) begin
            address_reg <= job_address;
            left_reg    <= job_beats;
        end else if (grant) begin
            address_reg <= grant_address;
            left_reg    <= left_reg - {{32-GRANT_BITS{1'b0}}, grant_beats};
        end

    // ---- taking: the jobs whose beats are due -----------------------------------------------
    wire        due_valid;
    wire [31:0] due_beats, due_checksum;
    wire [2:0]  due_count;
    reg         taking_reg;
    reg [31:0]  due_left_reg, expected_reg;    // beats to come, less one; their check sum
    reg         first_reg;
    wire        due_pop = due_valid && !taking_reg;
    wire        take    = beat_valid && taking_reg;
    wire        last_beat = due_left_reg == 32'd0;

    fifo #(
        .WIDTH(64),
        .DEPTH(4)
    ) u_due (
        .clk(clk),
        .clear(!rst_n),
        .in_valid(job_taken),
        .in_ready(due_room),
        .in_data({job_checksum, job_beats}),
        .out_valid(due_valid),
        .out_ready(!taking_reg),
        .out_data({due_checksum, due_beats}),
        .count(due_count)
    );

    assign beat_ready = taking_reg;

    always @(posedge clk)
        if (!rst_n)
            taking_reg <= 1'b0;
        else if (due_pop)
            taking_reg <= 1'b1;
        else if (take && last_beat)
            taking_reg <= 1'b0;

    always @(posedge clk)
        if (due_pop) begin
            due_left_reg <= due_beats - 1'b1;
            expected_reg <= due_checksum;
            first_reg    <= 1'b1;
        end else if (take) begin
            due_left_reg <= due_left_reg - 1'b1;
            first_reg    <= 1'b0;
        end

    // ---- a beat in work: written to its bank, added to the check sum --------------------------
    reg                work_reg, work_first_reg, work_last_reg, check_reg;
    reg [WORD-1:0]     work_data_reg;
    reg [31:0]         work_expected_reg, check_expected_reg, sum_reg;
    reg [OC-1:0]       bank_reg;               // one bit set: the bank of the beat in work
    reg [ROW_BITS-1:0] row_reg;
    wire [31:0]        sum_next;

    checksum_step #(
        .WORD(WORD)
    ) u_checksum (
        .sum(work_first_reg ? 32'd0 : sum_reg),
        .beat(work_data_reg),
        .next(sum_next)
    );

    always @(posedge clk)
        if (!rst_n) begin
            work_reg         <= 1'b0;
            check_reg        <= 1'b0;
            checksum_error   <= 1'b0;
            bank_reg         <= {{OC-1{1'b0}}, 1'b1};
            row_reg          <= 0;
            ring_rows_loaded <= 16'd0;
        end else begin
            work_reg       <= take;
            check_reg      <= work_reg && work_last_reg;
            checksum_error <= check_reg && sum_reg != check_expected_reg;
            if (work_reg) begin
                bank_reg <= {bank_reg[OC-2:0], bank_reg[OC-1]};
                if (bank_reg[OC-1]) begin
                    row_reg          <= row_reg + 1'b1;
                    ring_rows_loaded <= ring_rows_loaded + 1'b1;
                end
            end
        end

    always @(posedge clk) begin
        work_first_reg    <= first_reg;
        work_last_reg     <= last_beat;
        work_data_reg     <= beat_data;
        work_expected_reg <= expected_reg;
        if (work_reg) begin
            sum_reg            <= sum_next;
            check_expected_reg <= work_expected_reg;
        end
    end

    genvar o;
    generate
        for (o = 0; o < OC; o = o + 1) begin : g_bank
            weight_bank #(
                .WORD(WORD),
                .ROWS(WEIGHT_ROWS)
            ) u_bank (
                .clk(clk),
                .write(work_reg && bank_reg[o]),
                .write_row(row_reg),
                .write_data(work_data_reg),
                .ce(ring_ce),
                .read(ring_read),
                .read_row(ring_row),
                .read_data(ring_data[WORD*o +: WORD])
            );
        end
    endgenerate

    assign idle = !asking_reg && due_count == 0 && !taking_reg && !work_reg && !check_reg
                  && !checksum_error;

    // At most WEIGHT_ROWS rows are released at once.
    wire unused = &{1'b0, ring_release_rows[15:ROW_BITS+1]};
endmodule

`default_nettype wire
