// SPDX-License-Identifier: Apache-2.0
// Properties of axi_read_master: an offered request stays as it is until taken; no burst crosses
// 4 KiB or is longer than BURST; every beat goes to a client that is owed one; a client that asks
// is granted something within 10 cycles, and `halt` leads to idle within 8, when memory and
// clients take and answer everything at once (EAGER).
`default_nettype none

module axi_read_master_formal #(
    // Memory and clients take and answer everything at once: for the bounds on waiting
    parameter EAGER = 0
) (
    input  wire        clk,
    // Free, but as the assumptions say
    input  wire        rst_n,
    input  wire        halt,
    input  wire        hurry,
    input  wire [2:0]  request_valid,
    input  wire [47:0] request_address,
    input  wire [8:0]  request_beats,
    input  wire [2:0]  beat_ready,
    input  wire        arready,
    input  wire        rvalid
);
    localparam ADDR_BITS = 16, BURST = EAGER ? 2 : 4;

    wire        idle, arvalid, rready, error_slave, error_decode, beat_event;
    wire        stuck_ar, stuck_r, progress;
    wire [2:0]  grant, beat_valid;
    wire [15:0] grant_address, araddr;
    wire [$clog2(BURST):0] grant_beats;
    wire [31:0] beat_data;
    wire [7:0]  arlen;

    // ---- a memory: bursts taken, in order -----------------------------------------------------
    reg [2:0] len [0:3];                // beats, less one
    reg [2:0] taken = 3'd0, finished = 3'd0;
    reg [2:0] beat = 3'd0;
    wire      rlast = beat == len[finished[1:0]];

    axi_read_master #(
        .WORD(32), .ADDR_BITS(ADDR_BITS), .BURST(BURST), .OUTSTANDING(2)
    ) u_dut (
        .clk(clk), .rst_n(rst_n), .halt(halt), .hurry(hurry), .idle(idle),
        .request_valid(request_valid), .request_address(request_address),
        .request_beats({13'd0, request_beats[8:6], 13'd0, request_beats[5:3], 13'd0,
                        request_beats[2:0]}),
        .grant(grant), .grant_address(grant_address), .grant_beats(grant_beats),
        .beat_valid(beat_valid), .beat_ready(beat_ready), .beat_data(beat_data),
        .error_slave(error_slave), .error_decode(error_decode), .beat_event(beat_event),
        .stuck_ar(stuck_ar), .stuck_r(stuck_r), .progress(progress),
        .m_axi_araddr(araddr), .m_axi_arlen(arlen), .m_axi_arvalid(arvalid),
        .m_axi_arready(arready), .m_axi_rdata(32'd0), .m_axi_rresp(2'b00), .m_axi_rlast(rlast),
        .m_axi_rvalid(rvalid), .m_axi_rready(rready)
    );

    reg       past_valid = 1'b0;
    reg [5:0] waiting = 6'd0, halting = 6'd0;   // cycles that client 2 asks; of halt
    reg [4:0] owed0 = 5'd0, owed1 = 5'd0, owed2 = 5'd0;
    reg       halted = 1'b0;                    // ever: then beats may be thrown away
    integer   c;

    initial assume (!rst_n);

    always @(posedge clk) begin
        past_valid <= 1'b1;
        assume (rst_n || !past_valid);
        // Clients: ask for 1..7 whole beats, until granted
        for (c = 0; c < 3; c = c + 1) begin
            if (request_valid[c])
                assume (request_beats[3*c +: 3] != 3'd0);
            if (past_valid && $past(rst_n) && $past(request_valid[c] && !grant[c] && !halt))
                assume (request_valid[c] && $stable(request_address[16*c +: 16])
                        && $stable(request_beats[3*c +: 3]));
        end
        assume (!past_valid || !$past(halt) || halt);
        // The memory answers what it took, each channel at the second cycle at the latest.
        assume (!rvalid || taken != finished);
        if (EAGER)
            assume (arready && beat_ready == 3'b111 && rvalid == (taken != finished));
        if (past_valid && $past(rst_n)) begin
            if ($past(arvalid && !arready)) assume (arready);
            if ($past(rvalid && !rready)) assume (rvalid);
            if ($past(!rvalid && taken != finished)) assume (rvalid);
            for (c = 0; c < 3; c = c + 1)
                if ($past(beat_valid[c] && !beat_ready[c])) assume (beat_ready[c]);
        end
        if (!rst_n) begin
            taken    <= 3'd0;
            finished <= 3'd0;
            beat     <= 3'd0;
        end else begin
            if (arvalid && arready) begin
                taken <= taken + 1'b1;
                len[taken[1:0]] <= arlen[2:0];
            end
            if (rvalid && rready) begin
                beat     <= rlast ? 3'd0 : beat + 1'b1;
                finished <= finished + rlast;
            end
            owed0 <= owed0 + (grant[0] ? grant_beats : 0) - (beat_valid[0] && beat_ready[0]);
            owed1 <= owed1 + (grant[1] ? grant_beats : 0) - (beat_valid[1] && beat_ready[1]);
            owed2 <= owed2 + (grant[2] ? grant_beats : 0) - (beat_valid[2] && beat_ready[2]);
            halted  <= halted || halt;
            waiting <= request_valid[2] && !grant[2] && !halt && !request_valid[0]
                       ? waiting + 1'b1 : 6'd0;
            halting <= halt && !idle ? halting + 1'b1 : 6'd0;
        end

        if (past_valid && rst_n && $past(rst_n)) begin
            if ($past(arvalid && !arready)) begin
                assert (arvalid);
                assert ($stable(araddr) && $stable(arlen));
            end
            if (arvalid) begin
                assert (arlen < BURST);
                assert ({1'b0, araddr[11:0]} + (arlen + 1) * 4 <= 13'd4096);
            end
            if (grant != 3'd0)
                assert (grant_beats != 0);
            if (beat_valid[0]) assert (owed0 != 0);
            if (beat_valid[1]) assert (owed1 != 0);
            if (beat_valid[2]) assert (owed2 != 0);
            assert (beat_valid == 0 || beat_valid == 1 || beat_valid == 2 || beat_valid == 4);
            if (idle && !halted)
                assert (taken == finished && !arvalid);
            if (EAGER) begin
                assert (waiting < 6'd10);
                assert (halting < 6'd8);
            end
        end
        cover (past_valid && finished == 3'd3);
    end
endmodule

`default_nettype wire
