// SPDX-License-Identifier: Apache-2.0
// Writes device memory for three clients over one AXI4 write channel triple, in order, one ID.
//
// A client offers a chunk: consecutive beats from `address` (looked at with the first beat) up to
// the one with `last`; the next client's turn comes behind it. Chunks are cut where BURST beats
// divide the address, so that no burst crosses 4 KiB. A burst is offered only when all of its
// data are in the queue here, so that every offered burst can be completed whatever becomes of
// its client. Takes a beat a cycle, and one cycle more a chunk, while the queue has room.
//
// `halt` ends it: no client is heard, what has not been offered is thrown away, offered bursts
// are completed. `idle` says that nothing is queued, offered or unanswered.
`default_nettype none

module axi_write_master #(
    // Bits of a beat
    parameter WORD = 128,
    // Bits of an address
    parameter ADDR_BITS = 64,
    // Longest burst, beats; a power of two, 2..256, at most 4096 bytes
    parameter BURST = 16,
    // Bursts that may be without response; a power of two
    parameter OUTSTANDING = 16
) (
    input  wire                   clk,
    input  wire                   rst_n,

    // No more requests; everything has been answered
    input  wire                   halt,
    output wire                   idle,

    // Chunks, client c at bit c and its slices
    input  wire [2:0]             chunk_valid,
    output wire [2:0]             chunk_ready,
    input  wire [3*ADDR_BITS-1:0] chunk_address,
    input  wire [3*WORD-1:0]      chunk_data,
    input  wire [2:0]             chunk_last,

    // Pulses: a response that tells of a fault; a beat was taken by the bus
    output reg                    error_slave,
    output reg                    error_decode,
    output reg                    beat_event,

    // For the watchdog: which channel keeps us waiting
    output wire                   stuck_aw,
    output wire                   stuck_w,
    output wire                   stuck_b,
    output wire                   progress,

    // AXI4
    output wire [ADDR_BITS-1:0]   m_axi_awaddr,
    output wire [7:0]             m_axi_awlen,
    output wire                   m_axi_awvalid,
    input  wire                   m_axi_awready,
    output wire [WORD-1:0]        m_axi_wdata,
    output wire                   m_axi_wlast,
    output wire                   m_axi_wvalid,
    input  wire                   m_axi_wready,
    input  wire [1:0]             m_axi_bresp,
    input  wire                   m_axi_bvalid,
    output wire                   m_axi_bready
);
    localparam BYTE_BITS  = $clog2(WORD / 8);
    localparam BURST_BITS = $clog2(BURST);
    localparam CEILING    = ADDR_BITS - BYTE_BITS;     // bits of an address in beats
    localparam COUNT_BITS = $clog2(OUTSTANDING) + 1;

    // ---- one chunk after the other, into the queues -----------------------------------------
    reg                   open_reg;                    // a chunk is being taken
    reg [1:0]             owner_reg;
    reg [CEILING-1:0]     address_reg;                 // where the burst begins, in beats
    reg [BURST_BITS-1:0]  beats_reg;                   // of it so far

    wire                  data_room, command_room;
    wire                  flush;
    wire [BURST_BITS-1:0] position = address_reg[BURST_BITS-1:0] + beats_reg;
    wire                  beat     = open_reg && chunk_valid[owner_reg] && data_room
                                     && command_room && !halt;
    wire                  last     = chunk_last[owner_reg];
    wire                  close    = last || (&position);

    // The client that was served last has the lowest rank.
    wire [1:0] pick = owner_reg == 2'd0 ? (chunk_valid[1] ? 2'd1 : chunk_valid[2] ? 2'd2 : 2'd0)
                    : owner_reg == 2'd1 ? (chunk_valid[2] ? 2'd2 : chunk_valid[0] ? 2'd0 : 2'd1)
                    :                     (chunk_valid[0] ? 2'd0 : chunk_valid[1] ? 2'd1 : 2'd2);

    assign chunk_ready = open_reg && data_room && command_room && !halt
                         ? 3'b001 << owner_reg : 3'b000;

    always @(posedge clk)
        if (!rst_n) begin
            open_reg  <= 1'b0;
            owner_reg <= 2'd0;
        end else if (halt) begin
            open_reg <= 1'b0;
        end else if (!open_reg) begin
            open_reg  <= chunk_valid != 3'b000;
            owner_reg <= pick;
        end else if (beat && last) begin
            open_reg <= 1'b0;
        end

    always @(posedge clk)
        if (!open_reg) begin
            address_reg <= chunk_address[ADDR_BITS*pick+BYTE_BITS +: CEILING];
            beats_reg   <= 0;
        end else if (beat) begin
            beats_reg <= close ? {BURST_BITS{1'b0}} : beats_reg + 1'b1;
            if (close)
                address_reg <= address_reg + {{CEILING-BURST_BITS{1'b0}}, beats_reg} + 1'b1;
        end

    // ---- queues: data, and bursts whose data are all there ----------------------------------
    wire                  command_valid, command_pop;
    wire [CEILING-1:0]    command_address;
    wire [BURST_BITS-1:0] command_beats;               // less one
    wire                  queue_valid, queue_pop, queue_last;
    wire [WORD-1:0]       queue_data;
    wire [3:0]            command_count;
    wire [BURST_BITS+1:0] queue_count;

    fifo #(
        .WIDTH(WORD + 1),
        .DEPTH(2 * BURST)
    ) u_data (
        .clk(clk),
        .clear(flush),
        .in_valid(beat),
        .in_ready(data_room),
        .in_data({close, chunk_data[WORD*owner_reg +: WORD]}),
        .out_valid(queue_valid),
        .out_ready(queue_pop),
        .out_data({queue_last, queue_data}),
        .count(queue_count)
    );

    fifo #(
        .WIDTH(CEILING + BURST_BITS),
        .DEPTH(8)
    ) u_commands (
        .clk(clk),
        .clear(flush),
        .in_valid(beat && close),
        .in_ready(command_room),
        .in_data({address_reg, beats_reg}),
        .out_valid(command_valid),
        .out_ready(command_pop),
        .out_data({command_address, command_beats}),
        .count(command_count)
    );

    // ---- the bus ----------------------------------------------------------------------------
    reg                  awvalid_reg, wvalid_reg, wlast_reg;
    reg [CEILING-1:0]    awaddr_reg;
    reg [BURST_BITS-1:0] awbeats_reg;
    reg [WORD-1:0]       wdata_reg;
    reg [COUNT_BITS-1:0] unsent_reg;                   // bursts offered on AW, data not all gone
    reg [COUNT_BITS-1:0] unanswered_reg;               // bursts offered on AW, no response yet

    wire response = m_axi_bvalid && unanswered_reg != 0;

    assign command_pop = command_valid && !halt && !awvalid_reg
                         && unanswered_reg != OUTSTANDING[COUNT_BITS-1:0];
    assign queue_pop   = unsent_reg != 0 && (!wvalid_reg || m_axi_wready);
    assign flush       = !rst_n || (halt && unsent_reg == 0);

    always @(posedge clk)
        if (!rst_n) begin
            awvalid_reg    <= 1'b0;
            wvalid_reg     <= 1'b0;
            unsent_reg     <= 0;
            unanswered_reg <= 0;
        end else begin
            if (command_pop)
                awvalid_reg <= 1'b1;
            else if (m_axi_awready)
                awvalid_reg <= 1'b0;
            if (queue_pop)
                wvalid_reg <= 1'b1;
            else if (m_axi_wready)
                wvalid_reg <= 1'b0;
            unsent_reg     <= unsent_reg + {{COUNT_BITS-1{1'b0}}, command_pop}
                              - {{COUNT_BITS-1{1'b0}}, queue_pop && queue_last};
            unanswered_reg <= unanswered_reg + {{COUNT_BITS-1{1'b0}}, command_pop}
                              - {{COUNT_BITS-1{1'b0}}, response};
        end

    always @(posedge clk) begin
        if (command_pop) begin
            awaddr_reg  <= command_address;
            awbeats_reg <= command_beats;
        end
        if (queue_pop) begin
            wdata_reg <= queue_data;
            wlast_reg <= queue_last;
        end
    end

    assign m_axi_awvalid = awvalid_reg;
    assign m_axi_awaddr  = {awaddr_reg, {BYTE_BITS{1'b0}}};
    assign m_axi_awlen   = {{8-BURST_BITS{1'b0}}, awbeats_reg};
    assign m_axi_wvalid  = wvalid_reg;
    assign m_axi_wdata   = wdata_reg;
    assign m_axi_wlast   = wlast_reg;
    assign m_axi_bready  = 1'b1;

    always @(posedge clk)
        if (!rst_n) begin
            error_slave  <= 1'b0;
            error_decode <= 1'b0;
            beat_event   <= 1'b0;
        end else begin
            error_slave  <= response && m_axi_bresp == 2'b10;
            error_decode <= response && m_axi_bresp == 2'b11;
            beat_event   <= wvalid_reg && m_axi_wready;
        end

    assign idle     = !open_reg && queue_count == 0 && command_count == 0 && !awvalid_reg
                      && !wvalid_reg && unsent_reg == 0 && unanswered_reg == 0;
    assign stuck_aw = awvalid_reg && !m_axi_awready;
    assign stuck_w  = wvalid_reg && !m_axi_wready;
    assign stuck_b  = unanswered_reg != 0 && !awvalid_reg && !wvalid_reg && unsent_reg == 0
                      && !m_axi_bvalid;
    assign progress = (awvalid_reg && m_axi_awready) || (wvalid_reg && m_axi_wready) || response;

    // The low bits of a chunk's address are 0; a burst whose data are owed is in the queue.
    wire unused = &{1'b0, queue_valid, chunk_address[BYTE_BITS-1:0],
                    chunk_address[ADDR_BITS +: BYTE_BITS],
                    chunk_address[2*ADDR_BITS +: BYTE_BITS]};
endmodule

`default_nettype wire
