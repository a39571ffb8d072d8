// SPDX-License-Identifier: Apache-2.0
// Checks everything around the compute core, with a stand-in for it (model_core.v) and a memory
// that stalls at random (axi_memory.v): registers, whole programs against a second computation
// of them, records, every error code and a good run behind it, stuck channels, recovery; and
// measures the gap between layers and the read rate.
// Prints PASS or FAIL and the seed. Plusargs: +seed=N, +runs=N good runs of random
// programs, +parts=N which parts (sum of 1 good runs, 2 bad programs, 4 bad responses, 8 stuck
// channels, 16 stalls and measurements).
`timescale 1ns / 1ps
`default_nettype none

module tb_shell;
    parameter WORD = 32;
    parameter OC = 8;
    parameter PX = 2;
    parameter FEATURE_WORDS = 1024;
    parameter WEIGHT_ROWS = 64;

    localparam ADDR_BITS = 64;
    // So that addresses carry into their upper half
    localparam [63:0] BASE = 64'h0000_0012_FFFF_0000;
    localparam SCALE   = WORD * OC / 256;              // of a row of weights
    localparam WORDS   = 32768 * SCALE;
    localparam BEAT_WORDS = WORD / 32;
    // Word addresses in memory
    localparam PROGRAM = 32'h0010, INPUT = 32'h4000 * SCALE, OUTPUT = 32'h5000 * SCALE,
               SCRATCH = 32'h6000 * SCALE, RECORD  = 32'h7C00 * SCALE;

    reg clk = 1'b0, rst_n = 1'b0;
    always #5 clk = !clk;

    integer seed, seed_first, errors = 0, runs, parts;

    // ---- device under test --------------------------------------------------------------------
    reg  [11:0] awaddr = 0, araddr = 0;
    reg         awvalid = 0, wvalid = 0, bready = 0, arvalid = 0, rready = 0;
    reg  [31:0] wdata = 0;
    reg  [3:0]  wstrb = 0;
    wire        awready, wready, bvalid, arready, rvalid, interrupt;
    wire [1:0]  bresp, rresp;
    wire [31:0] rdata;
    wire [63:0] m_awaddr, m_araddr;
    wire [7:0]  m_awlen, m_arlen;
    wire [2:0]  m_awsize, m_arsize;
    wire [1:0]  m_awburst, m_arburst, m_bresp, m_rresp;
    wire        m_awvalid, m_awready, m_wlast, m_wvalid, m_wready, m_bvalid, m_bready;
    wire        m_arvalid, m_arready, m_rlast, m_rvalid, m_rready;
    wire [WORD-1:0]   m_wdata, m_rdata;
    wire [WORD/8-1:0] m_wstrb;

    bittern_kernel #(
        .WORD(WORD), .OC(OC), .PX(PX), .FEATURE_WORDS(FEATURE_WORDS), .WEIGHT_ROWS(WEIGHT_ROWS),
        .READ_BURST(64)
    ) u_kernel (
        .ap_clk(clk), .ap_rst_n(rst_n), .interrupt(interrupt),
        .s_axi_control_awaddr(awaddr), .s_axi_control_awprot(3'd0),
        .s_axi_control_awvalid(awvalid), .s_axi_control_awready(awready),
        .s_axi_control_wdata(wdata), .s_axi_control_wstrb(wstrb),
        .s_axi_control_wvalid(wvalid), .s_axi_control_wready(wready),
        .s_axi_control_bresp(bresp), .s_axi_control_bvalid(bvalid),
        .s_axi_control_bready(bready), .s_axi_control_araddr(araddr),
        .s_axi_control_arprot(3'd0), .s_axi_control_arvalid(arvalid),
        .s_axi_control_arready(arready), .s_axi_control_rdata(rdata),
        .s_axi_control_rresp(rresp), .s_axi_control_rvalid(rvalid),
        .s_axi_control_rready(rready),
        .m_axi_gmem_awid(), .m_axi_gmem_awaddr(m_awaddr), .m_axi_gmem_awlen(m_awlen),
        .m_axi_gmem_awsize(m_awsize), .m_axi_gmem_awburst(m_awburst), .m_axi_gmem_awlock(),
        .m_axi_gmem_awcache(), .m_axi_gmem_awprot(), .m_axi_gmem_awqos(),
        .m_axi_gmem_awregion(), .m_axi_gmem_awvalid(m_awvalid), .m_axi_gmem_awready(m_awready),
        .m_axi_gmem_wdata(m_wdata), .m_axi_gmem_wstrb(m_wstrb), .m_axi_gmem_wlast(m_wlast),
        .m_axi_gmem_wvalid(m_wvalid), .m_axi_gmem_wready(m_wready), .m_axi_gmem_bid(1'b0),
        .m_axi_gmem_bresp(m_bresp), .m_axi_gmem_bvalid(m_bvalid), .m_axi_gmem_bready(m_bready),
        .m_axi_gmem_arid(), .m_axi_gmem_araddr(m_araddr), .m_axi_gmem_arlen(m_arlen),
        .m_axi_gmem_arsize(m_arsize), .m_axi_gmem_arburst(m_arburst), .m_axi_gmem_arlock(),
        .m_axi_gmem_arcache(), .m_axi_gmem_arprot(), .m_axi_gmem_arqos(),
        .m_axi_gmem_arregion(), .m_axi_gmem_arvalid(m_arvalid), .m_axi_gmem_arready(m_arready),
        .m_axi_gmem_rid(1'b0), .m_axi_gmem_rdata(m_rdata), .m_axi_gmem_rresp(m_rresp),
        .m_axi_gmem_rlast(m_rlast), .m_axi_gmem_rvalid(m_rvalid), .m_axi_gmem_rready(m_rready)
    );

    axi_memory #(
        .WORD(WORD), .ADDR_BITS(ADDR_BITS), .WORDS(WORDS), .BASE(BASE)
    ) u_memory (
        .clk(clk), .rst_n(rst_n),
        .awaddr(m_awaddr), .awlen(m_awlen), .awsize(m_awsize), .awburst(m_awburst),
        .awvalid(m_awvalid), .awready(m_awready), .wdata(m_wdata), .wstrb(m_wstrb),
        .wlast(m_wlast), .wvalid(m_wvalid), .wready(m_wready), .bresp(m_bresp),
        .bvalid(m_bvalid), .bready(m_bready), .araddr(m_araddr), .arlen(m_arlen),
        .arsize(m_arsize), .arburst(m_arburst), .arvalid(m_arvalid), .arready(m_arready),
        .rdata(m_rdata), .rresp(m_rresp), .rlast(m_rlast), .rvalid(m_rvalid), .rready(m_rready)
    );

    task check(input [255:0] what, input [31:0] is, input [31:0] want);
        if (is !== want) begin
            errors = errors + 1;
            $display("FAIL %0s: %h, not %h, at %0t", what, is, want, $time);
        end
    endtask

    function integer roll(input integer low, input integer high);
        roll = low + {$random(seed)} % (high - low + 1);
    endfunction

    // ---- AXI4-Lite ----------------------------------------------------------------------------
    // Address and data come in either order; responses are left waiting now and then.
    task write_strobe(input [11:0] address, input [31:0] data, input [3:0] strobe);
        integer aw_wait, w_wait;
        reg aw_done, w_done;
        begin
            aw_wait = roll(0, 3);
            w_wait  = roll(0, 3);
            aw_done = 0;
            w_done  = 0;
            while (!aw_done || !w_done) begin
                awaddr  <= address;
                wdata   <= data;
                wstrb   <= strobe;
                if (!aw_done) awvalid <= aw_wait <= 0;
                if (!w_done)  wvalid  <= w_wait <= 0;
                @(posedge clk);
                if (awvalid && awready) begin aw_done = 1; awvalid <= 0; end
                if (wvalid && wready) begin w_done = 1; wvalid <= 0; end
                aw_wait = aw_wait - 1;
                w_wait  = w_wait - 1;
            end
            repeat (roll(0, 3)) @(posedge clk);
            bready <= 1;
            @(posedge clk);
            while (!bvalid) @(posedge clk);
            check("bresp", bresp, 0);
            bready <= 0;
        end
    endtask

    task write(input [11:0] address, input [31:0] data);
        write_strobe(address, data, 4'hF);
    endtask

    reg [31:0] got;
    task read(input [11:0] address);
        begin
            araddr  <= address;
            arvalid <= 1;
            @(posedge clk);
            while (!arready) @(posedge clk);
            arvalid <= 0;
            repeat (roll(0, 3)) @(posedge clk);
            rready <= 1;
            @(posedge clk);
            while (!rvalid) @(posedge clk);
            got = rdata;
            check("rresp", rresp, 0);
            rready <= 0;
        end
    endtask

    task expect_register(input [11:0] address, input [31:0] want);
        begin
            read(address);
            if (got !== want)
                $display("register %h:", address);
            check("register", got, want);
        end
    endtask

    // ---- programs -----------------------------------------------------------------------------
    reg [31:0] d [0:63];
    integer slots;                         // used: header and descriptors
    integer weight_at;                     // byte offset of the next weight stream
    integer layer_number;

    task clear_words;
        integer k;
        for (k = 0; k < 64; k = k + 1)
            d[k] = 0;
    endtask

    task emit(input integer slot);
        integer k;
        reg [31:0] c;
        begin
            c = 0;
            for (k = 0; k < 63; k = k + 1) begin
                c = {c[30:0], c[31]} ^ d[k];
                u_memory.mem[PROGRAM+64*slot+k] = d[k];
            end
            u_memory.mem[PROGRAM+64*slot+63] = c;
        end
    endtask

    task fetch(input integer slot);
        integer k;
        for (k = 0; k < 64; k = k + 1)
            d[k] = u_memory.mem[PROGRAM+64*slot+k];
    endtask

    integer segment_slot, segment_rows, words_now, base_now, pitch_now;
    integer images_all;

    task add_layer(input integer tiles, input integer rows, input is_result, input first,
                   input last, input integer per_image);
        begin
            clear_words;
            d[0]  = 1;
            d[1]  = (first ? 32'h30 : 0) | (is_result ? 32'h40 : 0);     // WAIT_INPUT, FREE_INPUT
            d[2]  = 1;
            d[5]  = tiles;
            d[6]  = 1;
            d[7]  = 32'h0001_0001;
            d[8]  = 32'h0001_0001;
            d[11] = 1;
            d[16] = base_now;
            d[18] = pitch_now;
            d[22] = 1;
            d[23] = 32'h0001_0001;
            d[25] = 1;
            d[31] = (rows << 16) | (rows - 1);
            if (!is_result) begin
                // The input region is 0..; the others take turns further up.
                base_now  = base_now == FEATURE_WORDS / 2 ? FEATURE_WORDS * 3 / 4
                                                          : FEATURE_WORDS / 2;
                pitch_now = words_now + roll(0, 1);
                d[40] = base_now;
                d[42] = pitch_now;
            end
            d[47] = 1;
            d[48] = 1;
            d[50] = tiles * OC * 4;
            d[51] = per_image;
            d[52] = layer_number;
            d[53] = words_now;
            layer_number = layer_number + 1;
            segment_rows = segment_rows + tiles * rows;
            emit(slots);
            slots = slots + 1;
        end
    endtask

    // A random program of `segments` segments; weights, input and the rest of memory as well.
    task make_program(input integer segments, input integer sub_batch_max);
        integer s, l, layers, beats, k, at, load_stride, tile_rows;
        reg [31:0] c;
        begin
            for (k = 0; k < WORDS; k = k + 1)
                u_memory.mem[k] = $random(seed);
            slots        = 1;
            weight_at    = 32'h8000;
            layer_number = 7;
            words_now    = roll(1, 12);
            for (s = 0; s < segments; s = s + 1) begin
                segment_slot = slots;
                segment_rows = 0;
                slots     = slots + 1;
                layers    = roll(1, 4);
                base_now  = roll(0, 5);
                pitch_now = words_now + roll(0, 2);
                load_stride = ((words_now * WORD / 8 + 63) / 64 + roll(0, 1)) * 64;
                clear_words;
                d[0]  = 2;
                d[1]  = layers;
                d[2]  = roll(1, sub_batch_max);
                d[3]  = weight_at;
                d[6]  = s == 0 ? 0 : 1;
                // What a segment stores is what the next one loads, from alternating places.
                d[7]  = s == 0 ? roll(0, 3) * 64 : (s & 1) * 32'h4000;
                d[8]  = s == 0 ? load_stride : 64 * ((words_now * WORD / 8 + 63) / 64);
                d[9]  = words_now;
                d[10] = base_now;
                d[11] = pitch_now;
                emit(segment_slot);
                for (l = 0; l < layers; l = l + 1)
                    add_layer(roll(1, 3), roll(2, l == 0 ? WEIGHT_ROWS - 1 : 9),
                              s == segments - 1 && l == layers - 1, l == 0, l == layers - 1,
                              roll(1, 5));
                fetch(segment_slot);
                beats = segment_rows * OC;
                c = 0;
                for (k = 0; k < beats * BEAT_WORDS; k = k + 1)
                    c = {c[30:0], c[31]} ^ u_memory.mem[PROGRAM+weight_at/4+k];
                d[4] = beats;
                d[5] = c;
                if (s != segments - 1) begin
                    d[12] = words_now;
                    d[13] = base_now;
                    d[14] = pitch_now;
                    d[15] = ((s + 1) & 1) * 32'h4000;
                    d[16] = 64 * ((words_now * WORD / 8 + 63) / 64);
                end
                emit(segment_slot);
                weight_at = (weight_at + beats * WORD / 8 + 4095) / 4096 * 4096;
            end
            clear_words;
            d[0] = 32'h414E5442;
            d[1] = 1;
            d[2] = WORD;
            d[3] = OC;
            d[4] = PX;
            d[5] = 7;
            d[6] = FEATURE_WORDS * WORD / 8;
            d[7] = WEIGHT_ROWS * OC * WORD / 8;
            d[8] = segments;
            d[9] = slots - 1;
            emit(0);
            if (PROGRAM + weight_at / 4 > INPUT) begin
                $display("FAIL the bench's program is too long");
                errors = errors + 1;
            end
        end
    endtask

    // ---- the same again, one word at a time ---------------------------------------------------
    reg [31:0]     expected [0:WORDS-1];
    reg [WORD-1:0] feature [0:FEATURE_WORDS-1];
    integer        expected_layers;

    function [31:0] fold(input [WORD-1:0] x);
        integer k;
        begin
            fold = 0;
            for (k = 0; k < WORD / 32; k = k + 1)
                fold = fold ^ x[32*k +: 32];
        end
    endfunction

    function [WORD-1:0] beat_at(input integer at);
        integer k;
        for (k = 0; k < BEAT_WORDS; k = k + 1)
            beat_at[32*k +: 32] = expected[at+k];
    endfunction

    task compute(input integer images);
        integer s, slot, layers, left, n, first, l, weights, k, i, t, r, o, at, j;
        integer g [0:16];
        reg [31:0] sum;
        reg [WORD-1:0] x;
        begin
            for (k = 0; k < WORDS; k = k + 1)
                expected[k] = u_memory.mem[k];
            expected_layers = 0;
            slot = 1;
            for (s = 0; s < expected[PROGRAM+8]; s = s + 1) begin
                fetch(slot);
                for (k = 0; k <= 16; k = k + 1)
                    g[k] = d[k];
                first = 0;
                while (first < images) begin
                    n = images - first < g[2] ? images - first : g[2];
                    for (i = 0; i < n; i = i + 1)
                        for (k = 0; k < g[9]; k = k + 1)
                            feature[g[10]+i*g[11]+k]
                                = beat_at((g[6] ? SCRATCH : INPUT)
                                          + (g[7] + (first + i) * g[8]) / 4 + k * BEAT_WORDS);
                    weights = PROGRAM + g[3] / 4;
                    for (l = 0; l < g[1]; l = l + 1) begin
                        fetch(slot + 1 + l);
                        sum = 0;
                        for (t = 0; t < d[5]; t = t + 1) begin
                            for (r = 0; r < d[31][31:16] * OC; r = r + 1) begin
                                sum = {sum[30:0], sum[31]} ^ fold(beat_at(weights));
                                weights = weights + BEAT_WORDS;
                            end
                            if (d[1][6])
                                for (i = 0; i < n * d[51]; i = i + 1)
                                    for (o = 0; o < OC; o = o + 1) begin
                                        x = feature[d[16]+(i/d[51])*d[18]+(i%d[51])%d[53]];
                                        at = OUTPUT + ((first * d[51] + i) * d[50]
                                                       + t * OC * 4) / 4;
                                        expected[at+o] = sum ^ fold(x) ^ i ^ (t << 20)
                                                         ^ (o * 32'h01010101);
                                    end
                        end
                        if (!d[1][6])
                            for (i = 0; i < n; i = i + 1)
                                for (k = 0; k < d[53]; k = k + 1)
                                    feature[d[40]+i*d[42]+k]
                                        = feature[d[16]+i*d[18]+k] ^ {BEAT_WORDS{sum}};
                        at = RECORD + 64 + 8 * expected_layers;
                        expected[at]   = {n[15:0], d[52][15:0]};
                        expected[at+6] = 0;
                        expected[at+7] = 0;
                        expected_layers = expected_layers + 1;
                    end
                    if (g[12] != 0)
                        for (i = 0; i < n; i = i + 1)
                            for (k = 0; k < g[12]; k = k + 1)
                                for (j = 0; j < BEAT_WORDS; j = j + 1)
                                    expected[SCRATCH+(g[15]+(first+i)*g[16])/4+k*BEAT_WORDS+j]
                                        = feature[g[13]+i*g[14]+k][32*j +: 32];
                    first = first + n;
                end
                slot = slot + 1 + g[1];
            end
        end
    endtask

    // ---- runs ---------------------------------------------------------------------------------
    task set_arguments(input integer images);
        begin
            write(12'h010, BASE[31:0] + PROGRAM * 4);
            write(12'h014, (BASE + PROGRAM * 4) >> 32);
            write(12'h01C, BASE[31:0] + INPUT * 4);
            write(12'h020, (BASE + INPUT * 4) >> 32);
            write(12'h028, BASE[31:0] + OUTPUT * 4);
            write(12'h02C, (BASE + OUTPUT * 4) >> 32);
            write(12'h034, BASE[31:0] + SCRATCH * 4);
            write(12'h038, (BASE + SCRATCH * 4) >> 32);
            write(12'h040, BASE[31:0] + RECORD * 4);
            write(12'h044, (BASE + RECORD * 4) >> 32);
            write(12'h04C, images);
        end
    endtask

    task wait_done(input integer cycles_max);
        integer k;
        begin
            got = 0;
            for (k = 0; k < cycles_max && !got[1]; k = k + 1)
                read(12'h000);
            if (!got[1]) begin
                errors = errors + 1;
                $display("FAIL the run does not end, state %0d, at %0t",
                         u_kernel.u_controller.state_reg, $time);
            end
            check("control at the end", got & 32'h0000_000B, 32'h0000_000A);
            read(12'h000);
            check("control behind the end", got, 32'h0000_0004);
        end
    endtask

    integer rules_before;
    task check_record(input integer code, input integer images);
        integer k;
        begin
            check("record 0", u_memory.mem[RECORD], 32'h524E5442);
            check("record 1", u_memory.mem[RECORD+1], 1);
            check("record 2", u_memory.mem[RECORD+2], WORD);
            check("record 3", u_memory.mem[RECORD+3], OC);
            check("record 4", u_memory.mem[RECORD+4], PX);
            check("record 5", u_memory.mem[RECORD+5], 7);
            check("record 6", u_memory.mem[RECORD+6], FEATURE_WORDS * WORD / 8);
            check("record 7", u_memory.mem[RECORD+7], WEIGHT_ROWS * OC * WORD / 8);
            check("record status", u_memory.mem[RECORD+8], code);
            read(12'h144);
            check("status register", got, code);
            read(12'h148);
            check("record index", u_memory.mem[RECORD+9], got);
            for (k = 10; k < 26; k = k + 1) begin
                read(12'h180 + 4 * (k - 10));
                if (k != 22)
                    check("record counter", u_memory.mem[RECORD+k], got);
            end
            check("record beats read", u_memory.mem[RECORD+20], u_memory.read_beats);
            check("record beats written", u_memory.mem[RECORD+22],
                  u_memory.write_beats - 2048 / WORD);
            for (k = 26; k < 64; k = k + 1)
                check("record rest", u_memory.mem[RECORD+k], 0);
            if (code == 0) begin
                check("record layers", u_memory.mem[RECORD+24], expected_layers);
                check("record images", u_memory.mem[RECORD+25], images);
            end
        end
    endtask

    task start_run;
        begin
            u_memory.read_beats  = 0;
            u_memory.write_beats = 0;
            write(12'h000, 1);
        end
    endtask

    task good_run(input integer images);
        integer k, sum, bad;
        begin
            compute(images);
            set_arguments(images);
            start_run;
            // The run keeps the arguments that it began with.
            repeat (20) @(posedge clk);
            write(12'h010, 32'h40);
            wait_done(200000);
            check_record(0, images);
            for (k = 0; k < expected_layers; k = k + 1) begin
                sum = u_memory.mem[RECORD+64+8*k+2] + u_memory.mem[RECORD+64+8*k+3]
                      + u_memory.mem[RECORD+64+8*k+4] + u_memory.mem[RECORD+64+8*k+5];
                if (sum > u_memory.mem[RECORD+64+8*k+1] || sum == 0)
                    check("layer record's cycles", sum, u_memory.mem[RECORD+64+8*k+1]);
            end
            bad = 0;
            for (k = 0; k < WORDS; k = k + 1)
                if ((k < RECORD || k >= RECORD + 64 + 8 * expected_layers
                        || (k >= RECORD + 64 && (k % 8 == 0 || k % 8 > 5)))
                        && u_memory.mem[k] !== expected[k] && bad < 5) begin
                    bad = bad + 1;
                    errors = errors + 1;
                    $display("FAIL word %h: %h, not %h", k, u_memory.mem[k], expected[k]);
                end
            check("rules of the core", u_kernel.u_core.faults, 0);
            check("rules of AXI", u_memory.faults, 0);
            check("open reads", u_memory.reads_open, 0);
            check("open writes", u_memory.writes_open, 0);
        end
    endtask

    // A run that must end with this code, then a good one.
    task bad_run(input integer code, input integer images);
        begin
            set_arguments(images);
            start_run;
            wait_done(200000);
            if (code == 11)
                expect_register(12'h144, 11);
            else
                check_record(code, images);
            check("open reads", u_memory.reads_open, 0);
            check("open writes", u_memory.writes_open, 0);
            check("rules of AXI", u_memory.faults, 0);
        end
    endtask

    task recover;
        begin
            u_memory.read_fault_word  = -1;
            u_memory.write_fault_word = -1;
            u_memory.stuck            = 0;
            u_kernel.u_core.freeze    = 0;
            make_program(roll(1, 2), 2);
            good_run(roll(1, 2));
        end
    endtask

    // Changes a word of a descriptor, with its check sum.
    task spoil(input integer slot, input integer word, input [31:0] value);
        begin
            fetch(slot);
            d[word] = value;
            emit(slot);
        end
    endtask

    task spoil_layer(input integer word, input [31:0] value);
        begin
            make_program(2, 3);
            spoil(2, word, value);
            bad_run(5, 3);
            expect_register(12'h148, 1);
        end
    endtask

    task spoil_segment(input integer word, input [31:0] value);
        begin
            make_program(1, 3);
            spoil(1, word, value);
            bad_run(5, 3);
            expect_register(12'h148, 0);
        end
    endtask

    // One channel gets stuck somewhere in a run.
    task stuck_run(input integer channel);
        integer k;
        begin
            make_program(2, 2);
            write(12'h14C, 300);
            u_memory.fast = 1;
            set_arguments(6);
            start_run;
            repeat (roll(0, 400)) @(posedge clk);
            u_memory.stuck = 5'd1 << channel;
            wait_done(20000);
            expect_register(12'h144, 11);
            if (u_memory.reads_open != 0 || u_memory.writes_open != 0 || m_awvalid || m_arvalid
                    || m_wvalid) begin
                // Refused while something is open
                expect_register(12'h140, 8);
                start_run;
                wait_done(100);
                expect_register(12'h144, 11);
            end
            repeat (roll(0, 50)) @(posedge clk);
            u_memory.stuck = 0;
            got = 8;
            for (k = 0; k < 1000 && got != 0; k = k + 1)
                read(12'h140);
            check("state behind stuck", got, 0);
            expect_register(12'h144, 11);
            check("open reads", u_memory.reads_open, 0);
            check("open writes", u_memory.writes_open, 0);
            u_memory.fast = 0;
            write(12'h14C, 20000);
            recover;
        end
    endtask

    task test_registers;
        integer k;
        begin
            expect_register(12'h000, 4);
            expect_register(12'h100, 32'h524E5442);
            expect_register(12'h104, 1);
            expect_register(12'h108, WORD);
            expect_register(12'h10C, OC);
            expect_register(12'h110, PX);
            expect_register(12'h114, 7);
            expect_register(12'h118, FEATURE_WORDS * WORD / 8);
            expect_register(12'h11C, WEIGHT_ROWS * OC * WORD / 8);
            expect_register(12'h120, 24);
            expect_register(12'h124, WORD);
            expect_register(12'h128, 0);
            expect_register(12'h140, 0);
            expect_register(12'h144, 0);
            expect_register(12'h14C, 1048576);
            for (k = 0; k < 5; k = k + 1) begin
                write(12'h010 + 12 * k, 32'hFEDC_BAFF);
                write(12'h014 + 12 * k, 32'h8765_4321 + k);
                write_strobe(12'h010 + 12 * k, 32'h1122_3344, 4'b0100);
            end
            write(12'h04C, 32'h0BAD_CAFE);
            write_strobe(12'h04C, 32'hAABB_CCDD, 4'b1001);
            for (k = 0; k < 5; k = k + 1) begin
                expect_register(12'h010 + 12 * k, 32'hFE22_BAC0);
                expect_register(12'h014 + 12 * k, 32'h8765_4321 + k);
                expect_register(12'h018 + 12 * k, 0);
            end
            expect_register(12'h04C, 32'hAAAD_CADD);
            // Nothing there: no effect
            for (k = 12'h050; k < 12'h100; k = k + 4) begin
                write(k, 32'hFFFF_FFFF);
                expect_register(k, 0);
            end
            write(12'h100, 0);
            write(12'h800, 32'h1);
            write(12'hFFC, 32'h1);
            expect_register(12'h100, 32'h524E5442);
            expect_register(12'h800, 0);
            expect_register(12'hFFC, 0);
            expect_register(12'h200, 0);
            expect_register(12'h1C0, 0);
            write_strobe(12'h000, 1, 4'b1110);
            expect_register(12'h000, 4);
            write(12'h004, 1);
            write(12'h008, 3);
            expect_register(12'h004, 1);
            expect_register(12'h008, 3);
            write(12'h00C, 2);                       // toggles
            expect_register(12'h00C, 2);
            check("interrupt", interrupt, 1);
            write(12'h00C, 2);
            expect_register(12'h00C, 0);
            check("interrupt", interrupt, 0);
        end
    endtask

    task test_interrupt;
        begin
            make_program(1, 2);
            write(12'h00C, 3);
            write(12'h004, 1);
            write(12'h008, 1);
            good_run(2);
            check("interrupt", interrupt, 1);
            expect_register(12'h00C, 1);
            write(12'h004, 0);
            check("interrupt", interrupt, 0);
            write(12'h00C, 1);
            write(12'h004, 1);
            check("interrupt", interrupt, 0);
            write(12'h008, 0);
            good_run(1);
            expect_register(12'h00C, 0);
        end
    endtask

    // Runs by itself until auto_restart is taken back.
    task test_restart;
        begin
            make_program(1, 2);
            set_arguments(2);
            write(12'h000, 32'h81);
            repeat (3) begin
                got = 0;
                while (!got[1]) read(12'h000);
                check("restart", got & 32'h85, 32'h81);
            end
            write(12'h000, 32'h00);
            wait_done(200000);
        end
    endtask

    task test_errors;
        integer k;
        begin
            make_program(2, 3); spoil(0, 0, 32'h414E5443); bad_run(1, 2); recover;
            make_program(2, 3); spoil(0, 1, 2); bad_run(2, 2); recover;
            for (k = 2; k < 8; k = k + 1) begin
                make_program(2, 3); fetch(0); spoil(0, k, d[k] + 1); bad_run(3, 2);
            end
            recover;
            make_program(2, 3); u_memory.mem[PROGRAM+50] = u_memory.mem[PROGRAM+50] ^ 32'h100;
            bad_run(4, 2);
            make_program(2, 3); k = PROGRAM + 64 + roll(0, 63); u_memory.mem[k] = ~u_memory.mem[k];
            bad_run(4, 2);
            expect_register(12'h148, 0);
            make_program(2, 3); k = PROGRAM + 128 + roll(0, 63); u_memory.mem[k] = ~u_memory.mem[k];
            bad_run(4, 2); recover;
            // Header: no segments, too few descriptors
            make_program(1, 3); spoil(0, 8, 0); bad_run(5, 2);
            make_program(2, 3); spoil(0, 9, 1); bad_run(5, 2);
            expect_register(12'h148, 1);
            make_program(1, 3); spoil(0, 8, 2); bad_run(5, 2); recover;
            // SEGMENT
            spoil_segment(0, 1);
            spoil_segment(1, 0);
            spoil_segment(2, 0);
            spoil_segment(2, 2048);
            spoil_segment(2, 32'h0001_0001);
            spoil_segment(3, 32'h8020);
            spoil_segment(4, 0);
            spoil_segment(4, OC + 1);
            spoil_segment(6, 2);
            spoil_segment(7, 32);
            spoil_segment(8, 1);
            spoil_segment(9, 0);
            spoil_segment(9, FEATURE_WORDS + 1);
            spoil_segment(12, FEATURE_WORDS + 1);
            spoil_segment(15, 8);
            spoil_segment(16, 4);
            recover;
            // A load and a store that end behind the feature memory
            make_program(1, 3); spoil(1, 10, FEATURE_WORDS); bad_run(5, 3); recover;
            make_program(2, 3); fetch(1); spoil(1, 13, FEATURE_WORDS + 1 - d[12]); bad_run(5, 3);
            recover;
            // LAYER
            spoil_layer(0, 2);
            spoil_layer(1, 32'h0000_0033);
            spoil_layer(1, 32'h0003_0030);
            spoil_layer(1, 32'h0000_0130);
            spoil_layer(2, 0);
            spoil_layer(2, 9);
            spoil_layer(5, 0);
            spoil_layer(5, 65536);
            spoil_layer(6, 0);
            spoil_layer(6, 3);
            spoil_layer(6, 2 * PX);
            spoil_layer(7, 32'h0001_0000);
            spoil_layer(7, 32'h0000_0001);
            spoil_layer(8, 32'h0001_0000);
            spoil_layer(8, 32'h0000_0001);
            spoil_layer(7, 32'h0101_0001);
            spoil_layer(7, 32'h0001_0101);
            spoil_layer(8, 32'h1000_0001);
            spoil_layer(8, 32'h0001_1000);
            spoil_layer(9, 32'h0001_0000);
            spoil_layer(9, 32'h0000_0001);
            spoil_layer(10, 32'h0001_0000);
            spoil_layer(10, 32'h0000_0001);
            spoil_layer(11, 0);
            spoil_layer(11, 2048);
            spoil_layer(11, 32'h0001_0001);
            spoil_layer(22, 0);
            spoil_layer(23, 32'h0101_0001);
            spoil_layer(23, 32'h0001_0000);
            spoil_layer(25, 0);
            spoil_layer(31, 32'h0002_0000);
            spoil_layer(31, 32'h0002_0002);
            spoil_layer(31, (WEIGHT_ROWS << 16) | 1);
            spoil_layer(47, 0);
            spoil_layer(47, 3);
            make_program(1, 3); fetch(1); n = d[1] + 1; spoil(n, 47, 2); bad_run(5, 3);
            make_program(1, 3); fetch(1); n = d[1] + 1; spoil(n, 50, 2); bad_run(5, 3);
            spoil_layer(48, 0);
            recover;
            // Weights: one bit is wrong
            make_program(2, 3);
            k = PROGRAM + 32'h2000 + roll(0, 8 * OC);
            u_memory.mem[k] = u_memory.mem[k] ^ 32'h1;
            bad_run(6, 4); recover;
            // Too many images
            make_program(1, 3); bad_run(13, 65536); recover;
        end
    endtask

    task test_responses;
        integer k;
        begin
            for (k = 0; k < 2; k = k + 1) begin
                u_memory.fault_response = 2'b10 + k;
                make_program(2, 3); u_memory.read_fault_word = PROGRAM + 10; bad_run(7 + k, 4);
                expect_register(12'h148, 0); recover; u_memory.fault_response = 2'b10 + k;
                make_program(2, 3); u_memory.read_fault_word = PROGRAM + 64 + 63;
                bad_run(7 + k, 4); recover;
                make_program(2, 3); u_memory.read_fault_word = PROGRAM + 128; bad_run(7 + k, 4);
                recover;
                make_program(2, 3); u_memory.read_fault_word = PROGRAM + 32'h2000 + OC;
                bad_run(7 + k, 4); recover;
                make_program(2, 3); fetch(1); u_memory.read_fault_word = INPUT + d[7] / 4;
                bad_run(7 + k, 4); recover;
                make_program(2, 3); fetch(1); u_memory.write_fault_word = SCRATCH + d[15] / 4;
                bad_run(9 + k, 4); recover;
                make_program(1, 3); u_memory.write_fault_word = OUTPUT; bad_run(9 + k, 4);
                recover;
                make_program(1, 3); u_memory.write_fault_word = RECORD + 64; bad_run(9 + k, 4);
                recover;
                // The final record itself: only the register can say so.
                make_program(1, 3); u_memory.write_fault_word = RECORD;
                set_arguments(2); start_run; wait_done(200000);
                expect_register(12'h144, 9 + k); recover;
            end
        end
    endtask

    task test_stalled;
        begin
            write(12'h14C, 300);
            make_program(2, 3);
            set_arguments(4);
            start_run;
            wait (u_kernel.layer_start);
            repeat (roll(0, 40)) @(posedge clk);
            u_kernel.u_core.freeze = 1;
            wait_done(20000);
            u_kernel.u_core.freeze = 0;
            check_record(12, 4);
            // A tile with more rows than the stream has
            make_program(1, 1);
            fetch(1);
            d[4] = OC;
            d[5] = 0;
            emit(1);
            set_arguments(1);
            start_run;
            wait_done(20000);
            if (u_memory.mem[RECORD+8] != 12 && u_memory.mem[RECORD+8] != 6)
                check("stalled", u_memory.mem[RECORD+8], 12);
            write(12'h14C, 20000);
            recover;
        end
    endtask

    // Gap between layers, and the rate of a long weight stream at 64 cycles of latency.
    task measure;
        integer k, beats;
        reg [31:0] c;
        begin
            u_memory.fast        = 1;
            u_memory.latency_min = 64;
            u_memory.latency_max = 64;
            u_kernel.u_core.fast = 1;
            make_program(1, 1);
            // One layer of many tiles: the core takes a row a cycle, so memory sets the pace.
            segment_slot = 1;
            fetch(1); d[1] = 3; d[2] = 64; d[9] = 64; d[10] = 0; d[11] = 64; d[8] = 64 * WORD / 8;
            emit(1);
            slots = 2; segment_rows = 0; words_now = 64; base_now = 0; pitch_now = 64;
            add_layer(40, 16, 0, 1, 0, 1);
            add_layer(16, 16, 0, 0, 0, 1);
            add_layer(2, 16, 1, 0, 1, 1);
            fetch(1);
            beats = segment_rows * OC;
            c = 0;
            for (k = 0; k < beats * BEAT_WORDS; k = k + 1)
                c = {c[30:0], c[31]} ^ u_memory.mem[PROGRAM+d[3]/4+k];
            d[4] = beats; d[5] = c;
            d[12] = 0;
            emit(1);
            fetch(0); d[8] = 1; d[9] = slots - 1; emit(0);
            u_kernel.u_core.gap_worst   = 0;
            u_kernel.u_core.layers_done = 0;
            good_run(1);
            $display("measured: %0d cycles from layer_done to layer_start",
                     u_kernel.u_core.gap_worst);
            $display("measured: %0d read beats in %0d cycles at a latency of 64 cycles",
                     u_memory.read_beats, u_memory.read_end - u_memory.read_begin + 1);
            if (u_kernel.u_core.gap_worst > 6)
                check("gap", u_kernel.u_core.gap_worst, 6);
            if ((u_memory.read_end - u_memory.read_begin) * 9 > u_memory.read_beats * 10)
                check("read rate", u_memory.read_end - u_memory.read_begin, u_memory.read_beats);
            u_memory.fast        = 0;
            u_memory.latency_min = 1;
            u_memory.latency_max = 40;
            u_kernel.u_core.fast = 0;
        end
    endtask

    task test_good;
        begin
            make_program(1, 1);
            expected_layers = 0;
            bad_run(0, 0);
            for (n = 0; n < runs; n = n + 1) begin
                u_memory.latency_max = roll(0, 2) * 60 + 2;
                u_memory.fast        = roll(0, 3) == 0;
                u_kernel.u_core.fast = roll(0, 3) == 0;
                make_program(roll(1, 3), roll(1, 5));
                good_run(roll(1, 9));
            end
            u_memory.fast        = 0;
            u_kernel.u_core.fast = 0;
            $display("good runs checked, %0d errors", errors);
            test_interrupt;
            test_restart;
            $display("interrupt and restart checked, %0d errors", errors);
        end
    endtask

    integer n, m;
    initial begin
        if (!$value$plusargs("seed=%d", seed))
            seed = 1;
        if (!$value$plusargs("runs=%d", runs))
            runs = 1;
        if (!$value$plusargs("parts=%d", parts))
            parts = 31;
        seed_first = seed;
        u_memory.seed = seed + 1;
        u_kernel.u_core.seed = seed + 2;
        $display("tb_shell: seed %0d, WORD %0d, OC %0d", seed_first, WORD, OC);
        repeat (5) @(posedge clk);
        rst_n <= 1;
        repeat (5) @(posedge clk);
        test_registers;
        write(12'h14C, 20000);
        $display("registers checked, %0d errors", errors);
        if (parts[0])
            test_good;
        if (parts[1])
            test_errors;
        $display("errors of programs checked, %0d errors", errors);
        if (parts[2])
            test_responses;
        $display("errors of memory checked, %0d errors", errors);
        if (parts[3])
            for (n = 0; n < 5; n = n + 1)
                for (m = 0; m < 3; m = m + 1)
                    stuck_run(n);
        $display("stuck channels checked, %0d errors", errors);
        if (parts[4]) begin
            test_stalled;
            measure;
        end
        if (errors == 0)
            $display("PASS seed %0d", seed_first);
        else
            $display("FAIL seed %0d: %0d errors", seed_first, errors);
        $finish;
    end
endmodule

`default_nettype wire
