// SPDX-License-Identifier: Apache-2.0
// Device memory behind AXI4, for benches: answers in order after a random time, stalls at random on
// every channel, refuses chosen addresses, gets stuck on command, and counts what the master does
// against the rules. Not for synthesis.
`default_nettype none

module axi_memory #(
    parameter WORD = 128,
    parameter ADDR_BITS = 64,
    // 32-bit words of memory, and where it begins
    parameter WORDS = 262144,
    parameter [ADDR_BITS-1:0] BASE = 0
) (
    input  wire                 clk,
    input  wire                 rst_n,
    input  wire [ADDR_BITS-1:0] awaddr,
    input  wire [7:0]           awlen,
    input  wire [2:0]           awsize,
    input  wire [1:0]           awburst,
    input  wire                 awvalid,
    output reg                  awready,
    input  wire [WORD-1:0]      wdata,
    input  wire [WORD/8-1:0]    wstrb,
    input  wire                 wlast,
    input  wire                 wvalid,
    output reg                  wready,
    output reg  [1:0]           bresp,
    output reg                  bvalid,
    input  wire                 bready,
    input  wire [ADDR_BITS-1:0] araddr,
    input  wire [7:0]           arlen,
    input  wire [2:0]           arsize,
    input  wire [1:0]           arburst,
    input  wire                 arvalid,
    output reg                  arready,
    output reg  [WORD-1:0]      rdata,
    output reg  [1:0]           rresp,
    output reg                  rlast,
    output reg                  rvalid,
    input  wire                 rready
);
    localparam BYTES = WORD / 8;
    localparam QUEUE = 64;

    // ---- set by the bench ---------------------------------------------------------------------
    integer seed = 1;
    reg     fast = 1'b0;                    // never stalls
    integer latency_min = 1, latency_max = 40;
    reg [4:0] stuck = 5'd0;                 // AR, R, AW, W, B: 4..0
    // Reads (writes) of bursts that touch this word are refused with this response
    integer read_fault_word = -1, write_fault_word = -1;
    reg [1:0] fault_response = 2'b10;

    // ---- seen by the bench --------------------------------------------------------------------
    integer faults = 0;                     // rules broken by the master
    integer read_beats = 0, write_beats = 0, reads_open = 0, writes_open = 0;
    integer read_begin = 0, read_end = 0, now = 0;  // cycle of the first and the last read beat
    reg [31:0] mem [0:WORDS-1];

    // ---- reads --------------------------------------------------------------------------------
    reg [ADDR_BITS-1:0] r_address [0:QUEUE-1];
    integer r_beats [0:QUEUE-1], r_due [0:QUEUE-1];
    integer r_in = 0, r_out = 0, r_beat = 0;
    // ---- writes -------------------------------------------------------------------------------
    reg [ADDR_BITS-1:0] w_address [0:QUEUE-1];
    integer w_beats [0:QUEUE-1];
    reg [WORD-1:0]   w_data [0:4095];
    reg [WORD/8-1:0] w_strb [0:4095];
    reg              w_last [0:4095];
    integer w_in = 0, w_out = 0, d_in = 0, d_out = 0;
    integer b_due [0:QUEUE-1];
    reg [1:0] b_response [0:QUEUE-1];
    integer b_in = 0, b_out = 0;
    integer i, j, at, latency;
    reg [WORD-1:0] beat;
    reg [31:0] dice;
    reg go_ar, go_r, go_aw, go_w, go_b;        // no pause on this channel

    // What was offered and not taken must be there again.
    reg aw_held, w_held, ar_held;
    reg [ADDR_BITS+12:0] aw_was, ar_was;
    reg [WORD+WORD/8:0]  w_was;

    task fault(input integer number);
        begin
            faults = faults + 1;
            $display("axi_memory: rule %0d broken at %0t", number, $time);
        end
    endtask

    task check_request(input [ADDR_BITS-1:0] address, input [7:0] len, input [2:0] size,
                       input [1:0] burst);
        begin
            if (size != $clog2(BYTES) || burst != 2'b01)
                fault(1);
            if ((address & (BYTES - 1)) != 0)
                fault(2);
            if ((address >> 12) != ((address + (len + 1) * BYTES - 1) >> 12))
                fault(3);
            if (address < BASE || address + (len + 1) * BYTES > BASE + WORDS * 4)
                fault(4);
        end
    endtask

    always @(posedge clk)
        if (!rst_n) begin
            awready <= 0; wready <= 0; bvalid <= 0; arready <= 0; rvalid <= 0;
            r_in = 0; r_out = 0; r_beat = 0; w_in = 0; w_out = 0; d_in = 0; d_out = 0;
            b_in = 0; b_out = 0;
            aw_held = 0; w_held = 0; ar_held = 0;
            reads_open = 0; writes_open = 0;
        end else begin
            now = now + 1;
            dice  = $random(seed);
            go_ar = fast || dice[1:0] != 0;
            go_r  = fast || dice[3:2] != 0;
            go_aw = fast || dice[5:4] != 0;
            go_w  = fast || dice[7:6] != 0;
            go_b  = fast || dice[9:8] != 0;
            if (aw_held && (!awvalid || aw_was != {awaddr, awlen, awsize, awburst}))
                fault(5);
            if (ar_held && (!arvalid || ar_was != {araddr, arlen, arsize, arburst}))
                fault(6);
            if (w_held && (!wvalid || w_was != {wdata, wstrb, wlast}))
                fault(7);
            aw_held = awvalid && !awready;
            ar_held = arvalid && !arready;
            w_held  = wvalid && !wready;
            aw_was  = {awaddr, awlen, awsize, awburst};
            ar_was  = {araddr, arlen, arsize, arburst};
            w_was   = {wdata, wstrb, wlast};

            // AR
            if (arvalid && arready) begin
                check_request(araddr, arlen, arsize, arburst);
                latency = latency_min;
                if (latency_max > latency_min)
                    latency = latency_min + {$random(seed)} % (latency_max - latency_min + 1);
                r_address[r_in % QUEUE] = araddr;
                r_beats[r_in % QUEUE]   = arlen + 1;
                r_due[r_in % QUEUE]     = now + latency;
                r_in = r_in + 1;
                reads_open = reads_open + 1;
            end
            arready <= !stuck[4] && r_in - r_out < QUEUE - 2
                       && go_ar;

            // R
            if (rvalid && rready) begin
                if (read_beats == 0)
                    read_begin = now;
                read_end   = now;
                read_beats = read_beats + 1;
                rvalid <= 0;
                if (rlast)
                    reads_open = reads_open - 1;
            end
            if ((!rvalid || rready) && !stuck[3] && r_in != r_out && r_due[r_out % QUEUE] <= now
                    && go_r) begin
                at = (r_address[r_out % QUEUE] - BASE) / 4 + r_beat * (BYTES / 4);
                rvalid <= 1;
                rresp  <= 2'b00;
                for (i = 0; i < WORD / 32; i = i + 1) begin
                    rdata[32*i +: 32] <= mem[at + i];
                    if (at + i == read_fault_word)
                        rresp <= fault_response;
                end
                r_beat = r_beat + 1;
                rlast <= r_beat == r_beats[r_out % QUEUE];
                if (r_beat == r_beats[r_out % QUEUE]) begin
                    r_beat = 0;
                    r_out  = r_out + 1;
                end
            end

            // AW, W
            if (awvalid && awready) begin
                check_request(awaddr, awlen, awsize, awburst);
                w_address[w_in % QUEUE] = awaddr;
                w_beats[w_in % QUEUE]   = awlen + 1;
                w_in = w_in + 1;
                writes_open = writes_open + 1;
            end
            awready <= !stuck[2] && w_in - w_out < QUEUE - 2
                       && go_aw;
            if (wvalid && wready) begin
                w_data[d_in % 4096] = wdata;
                w_strb[d_in % 4096] = wstrb;
                w_last[d_in % 4096] = wlast;
                d_in = d_in + 1;
                write_beats = write_beats + 1;
            end
            wready <= !stuck[1] && d_in - d_out < 4000 && go_w;

            // A burst whose data are all here is written.
            if (w_in != w_out && b_in - b_out < QUEUE - 2
                    && d_in - d_out >= w_beats[w_out % QUEUE]) begin
                b_response[b_in % QUEUE] = 2'b00;
                for (j = 0; j < w_beats[w_out % QUEUE]; j = j + 1) begin
                    if (w_last[d_out % 4096] != (j == w_beats[w_out % QUEUE] - 1))
                        fault(8);
                    at = (w_address[w_out % QUEUE] - BASE) / 4 + j * (BYTES / 4);
                    beat = w_data[d_out % 4096];
                    for (i = 0; i < BYTES; i = i + 1)
                        if (w_strb[d_out % 4096][i])
                            mem[at + i / 4][8*(i%4) +: 8] = beat[8*i +: 8];
                    for (i = 0; i < WORD / 32; i = i + 1)
                        if (at + i == write_fault_word)
                            b_response[b_in % QUEUE] = fault_response;
                    d_out = d_out + 1;
                end
                latency = latency_min;
                if (latency_max > latency_min)
                    latency = latency_min + {$random(seed)} % (latency_max - latency_min + 1);
                b_due[b_in % QUEUE] = now + latency;
                b_in  = b_in + 1;
                w_out = w_out + 1;
            end

            // B
            if (bvalid && bready) begin
                bvalid <= 0;
                writes_open = writes_open - 1;
            end
            if ((!bvalid || bready) && !stuck[0] && b_in != b_out && b_due[b_out % QUEUE] <= now
                    && go_b) begin
                bvalid <= 1;
                bresp  <= b_response[b_out % QUEUE];
                b_out  = b_out + 1;
            end
        end
endmodule

`default_nettype wire
