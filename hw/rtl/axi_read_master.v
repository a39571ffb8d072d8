// SPDX-License-Identifier: Apache-2.0
// Reads device memory for three clients over one AXI4 read channel pair, in order, with one ID.
//
// A client asks for `beats` beats from `address` on and keeps asking until it has been granted all
// of them. Each grant is one burst: as many beats as are asked for, but not past the next multiple
// of BURST beats, so that no burst crosses 4 KiB. `grant_address` is where the client goes on.
// Client 0 goes first (it asks seldom), 1 and 2 take turns. A grant takes three cycles; up to
// OUTSTANDING bursts are on their way at once, which hides OUTSTANDING * BURST cycles of latency.
//
// Beats go to the client whose burst it is, one a cycle; a client that is not ready stalls all.
// `halt` ends the asking: no new burst is offered, beats that still come are thrown away, and
// `idle` says when none are left. An offered burst stays offered until it is taken.
`default_nettype none

module axi_read_master #(
    // Bits of a beat
    parameter WORD = 128,
    // Bits of an address
    parameter ADDR_BITS = 64,
    // Longest burst, beats; a power of two, 2..256, at most 4096 bytes
    parameter BURST = 64,
    // Bursts on their way; a power of two
    parameter OUTSTANDING = 8
) (
    input  wire                    clk,
    input  wire                    rst_n,

    // No more requests; all beats have come
    input  wire                    halt,
    output wire                    idle,

    // Client 2 before client 1
    input  wire                    hurry,

    // Requests, client c at bit c and its slices; beats are at least 1
    input  wire [2:0]              request_valid,
    input  wire [3*ADDR_BITS-1:0]  request_address,
    input  wire [3*16-1:0]         request_beats,
    output wire [2:0]              grant,
    output wire [ADDR_BITS-1:0]    grant_address,
    output wire [$clog2(BURST):0]  grant_beats,

    // Beats
    output wire [2:0]              beat_valid,
    input  wire [2:0]              beat_ready,
    output wire [WORD-1:0]         beat_data,

    // Pulses with the beat that carries the fault; a beat was taken from the bus
    output reg                     error_slave,
    output reg                     error_decode,
    output reg                     beat_event,

    // For the watchdog: a request is not taken; data do not come
    output wire                    stuck_ar,
    output wire                    stuck_r,
    output wire                    progress,

    // AXI4
    output wire [ADDR_BITS-1:0]    m_axi_araddr,
    output wire [7:0]              m_axi_arlen,
    output wire                    m_axi_arvalid,
    input  wire                    m_axi_arready,
    input  wire [WORD-1:0]         m_axi_rdata,
    input  wire [1:0]              m_axi_rresp,
    input  wire                    m_axi_rlast,
    input  wire                    m_axi_rvalid,
    output wire                    m_axi_rready
);
    localparam BYTE_BITS  = $clog2(WORD / 8);
    localparam BURST_BITS = $clog2(BURST);
    localparam CEILING    = ADDR_BITS - BYTE_BITS;    // bits of an address in beats

    localparam [1:0] PICK = 2'd0, CUT = 2'd1, ISSUE = 2'd2;

    // ---- one request after the other: pick a client, cut the burst, offer it ----------------
    reg [1:0]            state_reg;
    reg [1:0]            owner_reg;
    reg                  turn_reg;              // client 2 goes before client 1
    reg [CEILING-1:0]    address_reg;           // of the request, in beats
    reg [15:0]           beats_reg;
    reg [BURST_BITS:0]   cut_reg;
    reg                  arvalid_reg;
    reg [CEILING-1:0]    araddr_reg;
    reg [BURST_BITS:0]   arbeats_reg;

    wire       owner_ready;                     // room for one more burst
    wire [1:0] owner;                           // whose burst is arriving
    wire       owner_valid;
    wire       owner_pop;

    wire [1:0] pick = request_valid[0] ? 2'd0
                    : request_valid[2] && (turn_reg || hurry || !request_valid[1]) ? 2'd2 : 2'd1;

    // Beats up to the next multiple of BURST
    wire [BURST_BITS:0] room = BURST[BURST_BITS:0] - {1'b0, address_reg[BURST_BITS-1:0]};
    // Whether the request ends before it: a sum beside that difference, not a compare behind it
    wire [BURST_BITS:0] reach = {1'b0, address_reg[BURST_BITS-1:0]}
                                + {1'b0, beats_reg[BURST_BITS-1:0]};
    wire                short = beats_reg[15:BURST_BITS] == 0 && !reach[BURST_BITS];
    wire issue = state_reg == ISSUE && !halt && owner_ready && !arvalid_reg;

    assign grant         = issue ? 3'b001 << owner_reg : 3'b000;
    assign grant_beats   = cut_reg;
    assign grant_address = {address_reg + {{CEILING-BURST_BITS-1{1'b0}}, cut_reg},
                            {BYTE_BITS{1'b0}}};

    always @(posedge clk)
        if (!rst_n) begin
            state_reg   <= PICK;
            arvalid_reg <= 1'b0;
            turn_reg    <= 1'b0;
        end else begin
            if (halt)
                state_reg <= PICK;
            else if (state_reg == PICK)
                state_reg <= request_valid != 3'b000 ? CUT : PICK;
            else if (state_reg == CUT)
                state_reg <= ISSUE;
            else if (issue)
                state_reg <= PICK;
            if (issue)
                turn_reg <= owner_reg == 2'd1 ? 1'b1 : owner_reg == 2'd2 ? 1'b0 : turn_reg;
            if (issue)
                arvalid_reg <= 1'b1;
            else if (m_axi_arready)
                arvalid_reg <= 1'b0;
        end

    always @(posedge clk) begin
        if (state_reg == PICK) begin
            owner_reg   <= pick;
            address_reg <= request_address[ADDR_BITS*pick+BYTE_BITS +: CEILING];
            beats_reg   <= request_beats[16*pick +: 16];
        end
        if (state_reg == CUT)
            cut_reg <= short ? beats_reg[BURST_BITS:0] : room;
        if (issue) begin
            araddr_reg  <= address_reg;
            arbeats_reg <= cut_reg - 1'b1;
        end
    end

    assign m_axi_arvalid = arvalid_reg;
    assign m_axi_araddr  = {araddr_reg, {BYTE_BITS{1'b0}}};
    assign m_axi_arlen   = {{8-BURST_BITS{1'b0}}, arbeats_reg[BURST_BITS-1:0]};

    // ---- whose burst comes next -------------------------------------------------------------
    wire [$clog2(OUTSTANDING):0] bursts;

    fifo #(
        .WIDTH(2),
        .DEPTH(OUTSTANDING)
    ) u_owners (
        .clk(clk),
        .clear(!rst_n),
        .in_valid(issue),
        .in_ready(owner_ready),
        .in_data(owner_reg),
        .out_valid(owner_valid),
        .out_ready(owner_pop),
        .out_data(owner),
        .count(bursts)
    );

    // ---- data -------------------------------------------------------------------------------
    wire            skid_valid, skid_ready, skid_last;
    wire [WORD-1:0] skid_data;
    wire            bus_ready;

    skid_buffer #(
        .WIDTH(WORD + 1)
    ) u_skid (
        .clk(clk),
        .clear(!rst_n),
        .in_valid(m_axi_rvalid),
        .in_ready(bus_ready),
        .in_data({m_axi_rlast, m_axi_rdata}),
        .out_valid(skid_valid),
        .out_ready(skid_ready),
        .out_data({skid_last, skid_data})
    );

    assign m_axi_rready = bus_ready;
    assign skid_ready   = halt || beat_ready[owner];
    assign beat_valid   = skid_valid && !halt ? 3'b001 << owner : 3'b000;
    assign beat_data    = skid_data;
    assign owner_pop    = skid_valid && skid_ready && skid_last;

    wire taken = m_axi_rvalid && bus_ready;

    always @(posedge clk)
        if (!rst_n) begin
            error_slave  <= 1'b0;
            error_decode <= 1'b0;
            beat_event   <= 1'b0;
        end else begin
            error_slave  <= taken && m_axi_rresp == 2'b10;
            error_decode <= taken && m_axi_rresp == 2'b11;
            beat_event   <= taken;
        end

    assign idle     = !owner_valid && !arvalid_reg && state_reg == PICK;
    assign stuck_ar = arvalid_reg && !m_axi_arready;
    assign stuck_r  = bursts > {{$clog2(OUTSTANDING){1'b0}}, arvalid_reg} && !m_axi_rvalid
                      && bus_ready && !skid_valid;
    assign progress = taken || (arvalid_reg && m_axi_arready);

    // The low bits of a request's address are 0.
    wire unused = &{1'b0, arbeats_reg[BURST_BITS], request_address[BYTE_BITS-1:0],
                    request_address[ADDR_BITS +: BYTE_BITS],
                    request_address[2*ADDR_BITS +: BYTE_BITS]};
endmodule

`default_nettype wire
