// SPDX-License-Identifier: Apache-2.0
// Properties of axi_write_master: what is offered stays as it is until taken; no burst crosses
// 4 KiB;
// each AW is followed by as many beats as it says, WLAST on the last, whatever the clients do
// (`halt`, or simply no more beats); data leave in the order in which they were taken; `halt`
// leads to idle within 8 cycles when the memory answers at once (EAGER).
`default_nettype none

module axi_write_master_formal #(
    // Memory takes and answers everything at once: for the bound on halting
    parameter EAGER = 0
) (
    input  wire        clk,
    // Free, but as the assumptions say
    input  wire        rst_n,
    input  wire        halt,
    input  wire [2:0]  chunk_valid,
    input  wire [47:0] chunk_address,
    input  wire [11:0] chunk_tag,
    input  wire [2:0]  chunk_last,
    input  wire        awready,
    input  wire        wready,
    input  wire        bvalid
);
    localparam BURST = 2;

    wire        idle, awvalid, wvalid, wlast, bready, error_slave, error_decode, beat_event;
    wire        stuck_aw, stuck_w, stuck_b, progress;
    wire [2:0]  chunk_ready;
    wire [15:0] awaddr;
    wire [7:0]  awlen;
    wire [31:0] wdata;

    axi_write_master #(
        .WORD(32), .ADDR_BITS(16), .BURST(BURST), .OUTSTANDING(4)
    ) u_dut (
        .clk(clk), .rst_n(rst_n), .halt(halt), .idle(idle),
        .chunk_valid(chunk_valid), .chunk_ready(chunk_ready), .chunk_address(chunk_address),
        .chunk_data({28'd0, chunk_tag[11:8], 28'd0, chunk_tag[7:4], 28'd0, chunk_tag[3:0]}),
        .chunk_last(chunk_last),
        .error_slave(error_slave), .error_decode(error_decode), .beat_event(beat_event),
        .stuck_aw(stuck_aw), .stuck_w(stuck_w), .stuck_b(stuck_b), .progress(progress),
        .m_axi_awaddr(awaddr), .m_axi_awlen(awlen), .m_axi_awvalid(awvalid),
        .m_axi_awready(awready), .m_axi_wdata(wdata), .m_axi_wlast(wlast),
        .m_axi_wvalid(wvalid), .m_axi_wready(wready), .m_axi_bresp(2'b00),
        .m_axi_bvalid(bvalid), .m_axi_bready(bready)
    );

    reg       past_valid = 1'b0;
    reg [5:0] aw_beats = 6'd0, w_beats = 6'd0;     // promised by AWs that were offered; sent
    reg [3:0] aw_bursts = 4'd0, w_bursts = 4'd0, b_bursts = 4'd0;
    reg       aw_counted = 1'b0;                   // the AW on offer is in aw_beats
    reg [5:0] entered = 6'd0;
    reg [3:0] kept = 4'd0;
    reg [5:0] halting = 6'd0, owing = 6'd0;
    reg       halted = 1'b0;
    integer   c;
    (* anyconst *) reg [5:0] n;

    wire [2:0] taken      = chunk_valid & chunk_ready;
    wire       any        = |taken;
    wire [3:0] taken_tag  = taken[0] ? chunk_tag[3:0] : taken[1] ? chunk_tag[7:4] : chunk_tag[11:8];
    wire       aw_new     = awvalid && !aw_counted;
    wire [5:0] aw_total   = aw_beats + (aw_new ? awlen[5:0] + 6'd1 : 6'd0);

    initial assume (!rst_n);

    always @(posedge clk) begin
        past_valid <= 1'b1;
        assume (rst_n || !past_valid);
        assume (!past_valid || !$past(halt) || halt);
        for (c = 0; c < 3; c = c + 1)
            if (past_valid && $past(rst_n) && $past(chunk_valid[c] && !chunk_ready[c] && !halt)
                    && !halt)
                assume (chunk_valid[c] && $stable(chunk_address[16*c +: 16])
                        && $stable(chunk_tag[4*c +: 4]) && $stable(chunk_last[c]));
        // The memory answers a burst that has come whole; each channel at the second cycle at
        // the latest.
        assume (!bvalid || (b_bursts != w_bursts && b_bursts != aw_bursts));
        if (EAGER)
            assume (awready && wready && chunk_tag == 12'd0
                    && bvalid == (b_bursts != w_bursts && b_bursts != aw_bursts));
        if (past_valid && $past(rst_n)) begin
            if ($past(awvalid && !awready)) assume (awready);
            if ($past(wvalid && !wready)) assume (wready);
            if ($past(!bvalid && b_bursts != w_bursts && b_bursts != aw_bursts)) assume (bvalid);
        end
        if (rst_n) begin
            aw_beats   <= aw_total;
            aw_counted <= awvalid && !awready;
            w_beats    <= w_beats + (wvalid && wready);
            aw_bursts  <= aw_bursts + (awvalid && awready);
            w_bursts   <= w_bursts + (wvalid && wready && wlast);
            b_bursts   <= b_bursts + bvalid;
            entered    <= entered + {5'd0, any};
            if (any && entered == n)
                kept <= taken_tag;
            halting <= halt && !idle ? halting + 1'b1 : 6'd0;
            owing   <= aw_total > w_beats && !(wvalid && wready) ? owing + 1'b1 : 6'd0;
            halted  <= halted || halt;
        end

        if (past_valid && rst_n && $past(rst_n)) begin
            if ($past(awvalid && !awready)) begin
                assert (awvalid);
                assert ($stable(awaddr) && $stable(awlen));
            end
            if ($past(wvalid && !wready)) begin
                assert (wvalid);
                assert ($stable(wdata) && $stable(wlast));
            end
            if (awvalid) begin
                assert (awlen < BURST);
                assert ({1'b0, awaddr[11:0]} + (awlen + 1) * 4 <= 13'd4096);
            end
            assert (taken == 0 || taken == 1 || taken == 2 || taken == 4);
            // Data never go ahead of their address, and follow it without a pause of ours.
            if (wvalid) assert (aw_total > w_beats);
            assert (owing < 6'd4);
            if (wvalid && w_beats == n) assert (wdata == {28'd0, kept});
            assert (aw_total <= entered);
            if (idle) begin
                assert (!awvalid && !wvalid && aw_beats == w_beats);
                assert (b_bursts == aw_bursts && b_bursts == w_bursts);
                if (!halted)
                    assert (entered == w_beats);
            end
            if (EAGER)
                assert (halting < 6'd8);
        end
        cover (past_valid && b_bursts == 4'd3);
    end
endmodule

`default_nettype wire
