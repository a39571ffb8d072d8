// SPDX-License-Identifier: Apache-2.0
// Properties of axil_control: every request is answered once, within three cycles; a response
// and its data stay until taken; no response without a request; done is never lost.
`default_nettype none

module axil_control_formal (
    input  wire         clk,
    // Free, but as AXI has it
    input  wire         rst_n,
    input  wire [11:0]  awaddr,
    input  wire         awvalid,
    input  wire [31:0]  wdata,
    input  wire [3:0]   wstrb,
    input  wire         wvalid,
    input  wire         bready,
    input  wire [11:0]  araddr,
    input  wire         arvalid,
    input  wire         rready,
    input  wire         run_begin,
    input  wire         run_done,
    input  wire         run_idle,
    input  wire [511:0] counters
);
    wire        awready, wready, bvalid, arready, rvalid, start, irq;
    wire [1:0]  bresp, rresp;
    wire [31:0] rdata;

    axil_control u_dut (
        .clk(clk), .rst_n(rst_n),
        .s_axi_awaddr(awaddr), .s_axi_awvalid(awvalid), .s_axi_awready(awready),
        .s_axi_wdata(wdata), .s_axi_wstrb(wstrb), .s_axi_wvalid(wvalid), .s_axi_wready(wready),
        .s_axi_bresp(bresp), .s_axi_bvalid(bvalid), .s_axi_bready(bready),
        .s_axi_araddr(araddr), .s_axi_arvalid(arvalid), .s_axi_arready(arready),
        .s_axi_rdata(rdata), .s_axi_rresp(rresp), .s_axi_rvalid(rvalid), .s_axi_rready(rready),
        .start(start), .run_begin(run_begin), .run_done(run_done), .run_idle(run_idle), .irq(irq),
        .status_state(4'd0), .status_error(8'd0), .status_index(16'd0), .counters(counters)
    );

    reg       past_valid = 1'b0;
    reg [1:0] aw_open = 2'd0, w_open = 2'd0, ar_open = 2'd0;   // accepted, response not yet taken
    reg [1:0] write_wait = 2'd0, read_wait = 2'd0;     // cycles that a request waits unanswered
    reg       done_due = 1'b0;                         // a run has ended, nobody has read so

    wire read_control = arvalid && arready && araddr[11:2] == 10'd0;
    reg  control_read = 1'b0;                          // the read in work is of register 0
    reg  answer_control = 1'b0;                        // so is the one that is being answered
    reg  rvalid_past = 1'b0;

    initial assume (!rst_n);

    always @(posedge clk) begin
        past_valid <= 1'b1;
        // The other side keeps to AXI.
        if (past_valid && $past(rst_n)) begin
            if ($past(awvalid && !awready)) assume (awvalid && $stable(awaddr));
            if ($past(wvalid && !wready)) assume (wvalid && $stable(wdata) && $stable(wstrb));
            if ($past(arvalid && !arready)) assume (arvalid && $stable(araddr));
        end
        rvalid_past <= rvalid && rst_n;
        if (!rvalid)
            answer_control <= control_read;
        if (!rst_n) begin
            aw_open    <= 2'd0;
            w_open     <= 2'd0;
            ar_open    <= 2'd0;
            write_wait <= 2'd0;
            read_wait  <= 2'd0;
            done_due   <= 1'b0;
        end else begin
            aw_open <= aw_open + (awvalid && awready) - (bvalid && bready);
            w_open  <= w_open + (wvalid && wready) - (bvalid && bready);
            ar_open <= ar_open + (arvalid && arready) - (rvalid && rready);
            write_wait <= aw_open != 0 && w_open != 0 && !bvalid ? write_wait + 1'b1 : 2'd0;
            read_wait  <= ar_open != 0 && !rvalid ? read_wait + 1'b1 : 2'd0;
            if (arvalid && arready)
                control_read <= read_control;
            if (run_done)
                done_due <= 1'b1;
            else if (rvalid && !rvalid_past && answer_control && !$past(run_done))
                done_due <= 1'b0;
        end
        if (past_valid && $past(rst_n) && rst_n) begin
            if ($past(bvalid && !bready)) assert (bvalid);
            if ($past(rvalid && !rready)) assert (rvalid && $stable(rdata));
            assert (bresp == 2'b00 && rresp == 2'b00);
            if (bvalid) assert (aw_open != 0 && w_open != 0);
            if (rvalid) assert (ar_open != 0);
            assert (aw_open <= 2 && w_open <= 2 && ar_open <= 2);
            assert (write_wait < 3 && read_wait < 3);
            // The first read behind the end of a run tells of it.
            if (rvalid && !rvalid_past && answer_control && $past(rst_n, 2))
                assert (rdata[1] == $past(done_due));
        end
        cover (past_valid && bvalid && rvalid);
    end
endmodule

`default_nettype wire
