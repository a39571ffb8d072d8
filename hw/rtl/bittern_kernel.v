// SPDX-License-Identifier: Apache-2.0
// The Bittern accelerator as a Vitis RTL kernel (ap_ctrl_hs): one AXI4-Lite slave for registers
// (docs/register-map.md), one AXI4 master for everything in device memory, one interrupt.
//
//     program_walker --items--> controller --layers--> bittern_core --results--> result_writer
//           |  weight jobs          | loads, stores     |  |   |                      |
//           +-----> weight_ring ----|-------------------+  |   +---- map_storer ------+
//                        |          +-------> input_loader-+         record_writer ---+
//                  axi_read_master                                       axi_write_master
//
// Every run ends with a code; no request is left open and no offered beat withdrawn. `ap_rst_n` is
// synchronous, and need not come between runs.
`default_nettype none

module bittern_kernel #(
    // Bits of an activation word and of an AXI beat: 32, 64, 128 or 256
    parameter WORD = 128,
    // Output channels at once; a power of two, at least 8
    parameter OC = 16,
    // Output pixels at once, and banks of the feature memory; a power of two
    parameter PX = 4,
    // Words of the feature memory; a multiple of PX
    parameter FEATURE_WORDS = 24576,
    // Rows of OC words in the weight ring; a power of two
    parameter WEIGHT_ROWS = 512,
    // Units of the array: XNOR-popcount, ternary operands, 8-bit activations
    parameter HAS_XNOR = 1,
    parameter HAS_TERNARY = 1,
    parameter HAS_INT = 1,
    // Bits of an AXI address
    parameter ADDR_BITS = 64,
    // Longest read and write burst, beats; powers of two, at most 4096 bytes
    parameter READ_BURST = 64,
    parameter WRITE_BURST = 16,
    // Reset value of the watchdog register: cycles without progress that end a run
    parameter WATCHDOG_CYCLES = 1048576
) (
    input  wire                 ap_clk,
    input  wire                 ap_rst_n,
    output wire                 interrupt,

    // AXI4-Lite slave: registers
    input  wire [11:0]          s_axi_control_awaddr,
    input  wire [2:0]           s_axi_control_awprot,
    input  wire                 s_axi_control_awvalid,
    output wire                 s_axi_control_awready,
    input  wire [31:0]          s_axi_control_wdata,
    input  wire [3:0]           s_axi_control_wstrb,
    input  wire                 s_axi_control_wvalid,
    output wire                 s_axi_control_wready,
    output wire [1:0]           s_axi_control_bresp,
    output wire                 s_axi_control_bvalid,
    input  wire                 s_axi_control_bready,
    input  wire [11:0]          s_axi_control_araddr,
    input  wire [2:0]           s_axi_control_arprot,
    input  wire                 s_axi_control_arvalid,
    output wire                 s_axi_control_arready,
    output wire [31:0]          s_axi_control_rdata,
    output wire [1:0]           s_axi_control_rresp,
    output wire                 s_axi_control_rvalid,
    input  wire                 s_axi_control_rready,

    // AXI4 master: write address, data, response
    output wire [0:0]           m_axi_gmem_awid,
    output wire [ADDR_BITS-1:0] m_axi_gmem_awaddr,
    output wire [7:0]           m_axi_gmem_awlen,
    output wire [2:0]           m_axi_gmem_awsize,
    output wire [1:0]           m_axi_gmem_awburst,
    output wire                 m_axi_gmem_awlock,
    output wire [3:0]           m_axi_gmem_awcache,
    output wire [2:0]           m_axi_gmem_awprot,
    output wire [3:0]           m_axi_gmem_awqos,
    output wire [3:0]           m_axi_gmem_awregion,
    output wire                 m_axi_gmem_awvalid,
    input  wire                 m_axi_gmem_awready,
    output wire [WORD-1:0]      m_axi_gmem_wdata,
    output wire [WORD/8-1:0]    m_axi_gmem_wstrb,
    output wire                 m_axi_gmem_wlast,
    output wire                 m_axi_gmem_wvalid,
    input  wire                 m_axi_gmem_wready,
    input  wire [0:0]           m_axi_gmem_bid,
    input  wire [1:0]           m_axi_gmem_bresp,
    input  wire                 m_axi_gmem_bvalid,
    output wire                 m_axi_gmem_bready,

    // AXI4 master: read address, data
    output wire [0:0]           m_axi_gmem_arid,
    output wire [ADDR_BITS-1:0] m_axi_gmem_araddr,
    output wire [7:0]           m_axi_gmem_arlen,
    output wire [2:0]           m_axi_gmem_arsize,
    output wire [1:0]           m_axi_gmem_arburst,
    output wire                 m_axi_gmem_arlock,
    output wire [3:0]           m_axi_gmem_arcache,
    output wire [2:0]           m_axi_gmem_arprot,
    output wire [3:0]           m_axi_gmem_arqos,
    output wire [3:0]           m_axi_gmem_arregion,
    output wire                 m_axi_gmem_arvalid,
    input  wire                 m_axi_gmem_arready,
    input  wire [0:0]           m_axi_gmem_rid,
    input  wire [WORD-1:0]      m_axi_gmem_rdata,
    input  wire [1:0]           m_axi_gmem_rresp,
    input  wire                 m_axi_gmem_rlast,
    input  wire                 m_axi_gmem_rvalid,
    output wire                 m_axi_gmem_rready
);
    localparam UNITS      = (HAS_XNOR != 0 ? 1 : 0) + (HAS_TERNARY != 0 ? 2 : 0)
                            + (HAS_INT != 0 ? 4 : 0);
    localparam ACC_BITS   = 24;
    localparam AB         = $clog2(FEATURE_WORDS);
    localparam RB         = $clog2(WEIGHT_ROWS);
    localparam GRANT_BITS = $clog2(READ_BURST) + 1;
    localparam OUTSTANDING = 4;      // read bursts
    localparam BEAT_SIZE  = $clog2(WORD / 8);

    generate
        if (WORD != 32 && WORD != 64 && WORD != 128 && WORD != 256) begin : g_check_word
            WORD_must_be_32_64_128_or_256 u_stop ();
        end
        if (OC < 8 || (OC & (OC - 1)) != 0 || OC * 32 < WORD) begin : g_check_oc
            OC_must_be_a_power_of_two_and_at_least_8_and_WORD_div_32 u_stop ();
        end
        if (PX < 1 || PX > 128 || (PX & (PX - 1)) != 0 || FEATURE_WORDS % PX != 0)
        begin : g_check_px
            PX_must_be_a_power_of_two_that_divides_FEATURE_WORDS u_stop ();
        end
        if (WEIGHT_ROWS < 4 || (WEIGHT_ROWS & (WEIGHT_ROWS - 1)) != 0
                || WEIGHT_ROWS * OC > 32768) begin : g_check_rows
            WEIGHT_ROWS_must_be_a_power_of_two_with_at_most_32768_words u_stop ();
        end
        if (READ_BURST < 2 || READ_BURST > 256 || (READ_BURST & (READ_BURST - 1)) != 0
                || READ_BURST * WORD > 32768 || READ_BURST > WEIGHT_ROWS * OC)
        begin : g_check_read
            READ_BURST_must_be_a_power_of_two_and_at_most_4096_bytes u_stop ();
        end
        if (WRITE_BURST < 2 || WRITE_BURST > 256 || (WRITE_BURST & (WRITE_BURST - 1)) != 0
                || WRITE_BURST * WORD > 32768) begin : g_check_write
            WRITE_BURST_must_be_a_power_of_two_and_at_most_4096_bytes u_stop ();
        end
        if (ADDR_BITS < 40 || ADDR_BITS > 64) begin : g_check_address
            ADDR_BITS_must_be_40_to_64 u_stop ();
        end
        if (HAS_XNOR == 0 && HAS_INT == 0) begin : g_check_units
            HAS_XNOR_or_HAS_INT_must_be_set u_stop ();
        end
    endgenerate

    // ---- resets -------------------------------------------------------------------------------
    reg  rst_n_reg;                  // registers, masters, controller
    reg  run_rst_n_reg;              // everything else, also between runs
    wire soft_reset;

    always @(posedge ap_clk) begin
        rst_n_reg     <= ap_rst_n;
        run_rst_n_reg <= ap_rst_n && !soft_reset;
    end

    // ---- registers ----------------------------------------------------------------------------
    wire                 start, run_begin, run_done, run_idle;
    wire [ADDR_BITS-1:0] program_address, input_address, output_address, scratch_address,
                         record_address;
    wire [31:0]          images, watchdog_cycles;
    wire [3:0]           status_state;
    wire [7:0]           status_error;
    wire [15:0]          status_index;
    wire [16*32-1:0]     counters;

    axil_control #(
        .WORD(WORD),
        .OC(OC),
        .PX(PX),
        .FEATURE_WORDS(FEATURE_WORDS),
        .WEIGHT_ROWS(WEIGHT_ROWS),
        .UNITS(UNITS),
        .ACC_BITS(ACC_BITS),
        .ADDR_BITS(ADDR_BITS),
        .WATCHDOG_CYCLES(WATCHDOG_CYCLES)
    ) u_control (
        .clk(ap_clk),
        .rst_n(rst_n_reg),
        .s_axi_awaddr(s_axi_control_awaddr),
        .s_axi_awvalid(s_axi_control_awvalid),
        .s_axi_awready(s_axi_control_awready),
        .s_axi_wdata(s_axi_control_wdata),
        .s_axi_wstrb(s_axi_control_wstrb),
        .s_axi_wvalid(s_axi_control_wvalid),
        .s_axi_wready(s_axi_control_wready),
        .s_axi_bresp(s_axi_control_bresp),
        .s_axi_bvalid(s_axi_control_bvalid),
        .s_axi_bready(s_axi_control_bready),
        .s_axi_araddr(s_axi_control_araddr),
        .s_axi_arvalid(s_axi_control_arvalid),
        .s_axi_arready(s_axi_control_arready),
        .s_axi_rdata(s_axi_control_rdata),
        .s_axi_rresp(s_axi_control_rresp),
        .s_axi_rvalid(s_axi_control_rvalid),
        .s_axi_rready(s_axi_control_rready),
        .start(start),
        .run_begin(run_begin),
        .run_done(run_done),
        .run_idle(run_idle),
        .irq(interrupt),
        .program_address(program_address),
        .input_address(input_address),
        .output_address(output_address),
        .scratch_address(scratch_address),
        .record_address(record_address),
        .images(images),
        .watchdog_cycles(watchdog_cycles),
        .status_state(status_state),
        .status_error(status_error),
        .status_index(status_index),
        .counters(counters)
    );

    // ---- reads: 0 descriptors, 1 input, 2 weights ---------------------------------------------
    wire                   halt, read_idle, error_read_slave, error_read_decode, event_beat_read;
    wire                   stuck_ar, stuck_r, read_progress;
    // The array waits for images: they go before weights for later.
    wire                   event_input;
    reg                    hurry_reg;
    always @(posedge ap_clk)
        hurry_reg <= event_input;

    wire [2:0]             request_valid, grant, beat_valid, beat_ready;
    wire [3*ADDR_BITS-1:0] request_address;
    wire [3*16-1:0]        request_beats;
    wire [ADDR_BITS-1:0]   grant_address;
    wire [GRANT_BITS-1:0]  grant_beats;
    wire [WORD-1:0]        beat_data;

    axi_read_master #(
        .WORD(WORD),
        .ADDR_BITS(ADDR_BITS),
        .BURST(READ_BURST),
        .OUTSTANDING(OUTSTANDING)
    ) u_read (
        .clk(ap_clk),
        .rst_n(rst_n_reg),
        .halt(halt),
        .idle(read_idle),
        .hurry(hurry_reg),
        .request_valid(request_valid),
        .request_address(request_address),
        .request_beats(request_beats),
        .grant(grant),
        .grant_address(grant_address),
        .grant_beats(grant_beats),
        .beat_valid(beat_valid),
        .beat_ready(beat_ready),
        .beat_data(beat_data),
        .error_slave(error_read_slave),
        .error_decode(error_read_decode),
        .beat_event(event_beat_read),
        .stuck_ar(stuck_ar),
        .stuck_r(stuck_r),
        .progress(read_progress),
        .m_axi_araddr(m_axi_gmem_araddr),
        .m_axi_arlen(m_axi_gmem_arlen),
        .m_axi_arvalid(m_axi_gmem_arvalid),
        .m_axi_arready(m_axi_gmem_arready),
        .m_axi_rdata(m_axi_gmem_rdata),
        .m_axi_rresp(m_axi_gmem_rresp),
        .m_axi_rlast(m_axi_gmem_rlast),
        .m_axi_rvalid(m_axi_gmem_rvalid),
        .m_axi_rready(m_axi_gmem_rready)
    );

    // ---- writes: 0 results, 1 maps, 2 records -------------------------------------------------
    wire                   write_idle, error_write_slave, error_write_decode, event_beat_write;
    wire                   stuck_aw, stuck_w, stuck_b, write_progress;
    wire [2:0]             chunk_valid, chunk_ready, chunk_last;
    wire [3*ADDR_BITS-1:0] chunk_address;
    wire [3*WORD-1:0]      chunk_data;

    axi_write_master #(
        .WORD(WORD),
        .ADDR_BITS(ADDR_BITS),
        .BURST(WRITE_BURST)
    ) u_write (
        .clk(ap_clk),
        .rst_n(rst_n_reg),
        .halt(halt),
        .idle(write_idle),
        .chunk_valid(chunk_valid),
        .chunk_ready(chunk_ready),
        .chunk_address(chunk_address),
        .chunk_data(chunk_data),
        .chunk_last(chunk_last),
        .error_slave(error_write_slave),
        .error_decode(error_write_decode),
        .beat_event(event_beat_write),
        .stuck_aw(stuck_aw),
        .stuck_w(stuck_w),
        .stuck_b(stuck_b),
        .progress(write_progress),
        .m_axi_awaddr(m_axi_gmem_awaddr),
        .m_axi_awlen(m_axi_gmem_awlen),
        .m_axi_awvalid(m_axi_gmem_awvalid),
        .m_axi_awready(m_axi_gmem_awready),
        .m_axi_wdata(m_axi_gmem_wdata),
        .m_axi_wlast(m_axi_gmem_wlast),
        .m_axi_wvalid(m_axi_gmem_wvalid),
        .m_axi_wready(m_axi_gmem_wready),
        .m_axi_bresp(m_axi_gmem_bresp),
        .m_axi_bvalid(m_axi_gmem_bvalid),
        .m_axi_bready(m_axi_gmem_bready)
    );

    // Incrementing bursts of whole beats, modifiable and bufferable, one ID
    assign m_axi_gmem_awid     = 1'b0;
    assign m_axi_gmem_awsize   = BEAT_SIZE[2:0];
    assign m_axi_gmem_awburst  = 2'b01;
    assign m_axi_gmem_awlock   = 1'b0;
    assign m_axi_gmem_awcache  = 4'b0011;
    assign m_axi_gmem_awprot   = 3'b000;
    assign m_axi_gmem_awqos    = 4'b0000;
    assign m_axi_gmem_awregion = 4'b0000;
    assign m_axi_gmem_wstrb    = {WORD/8{1'b1}};
    assign m_axi_gmem_arid     = 1'b0;
    assign m_axi_gmem_arsize   = BEAT_SIZE[2:0];
    assign m_axi_gmem_arburst  = 2'b01;
    assign m_axi_gmem_arlock   = 1'b0;
    assign m_axi_gmem_arcache  = 4'b0011;
    assign m_axi_gmem_arprot   = 3'b000;
    assign m_axi_gmem_arqos    = 4'b0000;
    assign m_axi_gmem_arregion = 4'b0000;

    // ---- watchdog -----------------------------------------------------------------------------
    wire watch, error_handshake, error_stalled;
    wire event_compute, event_weights, event_output;

    watchdog u_watchdog (
        .clk(ap_clk),
        .run(watch),
        .cycles(watchdog_cycles),
        .stuck({stuck_ar, stuck_r, stuck_aw, stuck_w, stuck_b}),
        .progress(read_progress || write_progress || event_compute),
        .handshake_error(error_handshake),
        .stalled_error(error_stalled)
    );

    // ---- program ------------------------------------------------------------------------------
    wire                 begin_walk, walk_in_header, walk_end;
    wire                 item_valid, item_layer, item_last, item_take;
    wire [15:0]          item_index;
    wire [2047:0]        item_words;
    wire                 error_magic, error_version, error_geometry, error_checksum,
                         error_descriptor;
    wire                 job_valid, job_ready;
    wire [ADDR_BITS-1:0] job_address;
    wire [31:0]          job_beats, job_checksum;

    program_walker #(
        .WORD(WORD),
        .OC(OC),
        .PX(PX),
        .FEATURE_WORDS(FEATURE_WORDS),
        .WEIGHT_ROWS(WEIGHT_ROWS),
        .UNITS(UNITS),
        .ADDR_BITS(ADDR_BITS),
        .GRANT_BITS(GRANT_BITS)
    ) u_walker (
        .clk(ap_clk),
        .rst_n(run_rst_n_reg),
        .begin_walk(begin_walk),
        .program_address(program_address),
        .images(images[15:0]),
        .item_valid(item_valid),
        .item_layer(item_layer),
        .item_last(item_last),
        .item_index(item_index),
        .item_words(item_words),
        .item_take(item_take),
        .walk_end(walk_end),
        .in_header(walk_in_header),
        .error_magic(error_magic),
        .error_version(error_version),
        .error_geometry(error_geometry),
        .error_checksum(error_checksum),
        .error_descriptor(error_descriptor),
        .job_valid(job_valid),
        .job_ready(job_ready),
        .job_address(job_address),
        .job_beats(job_beats),
        .job_checksum(job_checksum),
        .request_valid(request_valid[0]),
        .request_address(request_address[0 +: ADDR_BITS]),
        .request_beats(request_beats[0 +: 16]),
        .grant(grant[0]),
        .grant_address(grant_address),
        .grant_beats(grant_beats),
        .beat_valid(beat_valid[0]),
        .beat_ready(beat_ready[0]),
        .beat_data(beat_data)
    );

    // ---- sequence -----------------------------------------------------------------------------
    wire [2047:0]        desc;
    wire                 layer_start, layer_done;
    wire [15:0]          layer_images, first_image;
    wire                 begin_segment, load_start, load_idle, store_start, store_idle;
    wire [ADDR_BITS-1:0] load_source, store_target;
    wire [31:0]          load_stride, load_words, load_base, load_pitch;
    wire [31:0]          store_stride, store_words, store_base, store_pitch;
    wire [15:0]          load_images;
    wire                 ring_idle, results_idle, record_idle, layer_push, final_push;
    wire                 error_weights, error_load_range, error_store_range;
    wire                 count_clear, count_run, count_layer_clear, count_layer_run;
    wire                 count_images, count_images_clear;
    wire [31:0]          layer_word;

    controller #(
        .ADDR_BITS(ADDR_BITS)
    ) u_controller (
        .clk(ap_clk),
        .rst_n(rst_n_reg),
        .start(start),
        .run_begin(run_begin),
        .run_done(run_done),
        .run_idle(run_idle),
        .status_state(status_state),
        .status_error(status_error),
        .status_index(status_index),
        .input_address(input_address),
        .scratch_address(scratch_address),
        .images(images),
        .soft_reset(soft_reset),
        .halt(halt),
        .read_idle(read_idle),
        .write_idle(write_idle),
        .watch(watch),
        .error_handshake(error_handshake),
        .error_stalled(error_stalled),
        .error_read_slave(error_read_slave),
        .error_read_decode(error_read_decode),
        .error_write_slave(error_write_slave),
        .error_write_decode(error_write_decode),
        .error_weights(error_weights),
        .error_range(error_load_range || error_store_range),
        .error_magic(error_magic),
        .error_version(error_version),
        .error_geometry(error_geometry),
        .error_checksum(error_checksum),
        .error_descriptor(error_descriptor),
        .begin_walk(begin_walk),
        .walk_in_header(walk_in_header),
        .walk_end(walk_end),
        .item_valid(item_valid),
        .item_layer(item_layer),
        .item_last(item_last),
        .item_index(item_index),
        .item_words(item_words),
        .item_take(item_take),
        .desc(desc),
        .layer_start(layer_start),
        .layer_done(layer_done),
        .layer_images(layer_images),
        .first_image(first_image),
        .begin_segment(begin_segment),
        .load_source(load_source),
        .load_stride(load_stride),
        .load_words(load_words),
        .load_base(load_base),
        .load_pitch(load_pitch),
        .load_start(load_start),
        .load_images(load_images),
        .load_idle(load_idle),
        .store_target(store_target),
        .store_stride(store_stride),
        .store_words(store_words),
        .store_base(store_base),
        .store_pitch(store_pitch),
        .store_start(store_start),
        .store_idle(store_idle),
        .ring_idle(ring_idle),
        .results_idle(results_idle),
        .count_clear(count_clear),
        .count_run(count_run),
        .count_layer_clear(count_layer_clear),
        .count_layer_run(count_layer_run),
        .count_images(count_images),
        .count_images_clear(count_images_clear),
        .layer_push(layer_push),
        .layer_word(layer_word),
        .final_push(final_push),
        .record_idle(record_idle)
    );

    // ---- counters and records -----------------------------------------------------------------
    wire [14*32-1:0] totals;
    wire [31:0]      images_done, layer_records;
    wire [5*32-1:0]  layer_counts;

    assign counters = {images_done, layer_records, totals};

    perf_counters u_counters (
        .clk(ap_clk),
        .clear(count_clear),
        .run(count_run),
        .layer_clear(count_layer_clear),
        .layer_run(count_layer_run),
        .event_compute(event_compute),
        .event_weights(event_weights),
        .event_input(event_input),
        .event_output(event_output),
        .event_beat_read(event_beat_read),
        .event_beat_write(event_beat_write),
        .images_clear(count_images_clear),
        .images_add(count_images),
        .images(layer_images),
        .totals(totals),
        .images_done(images_done),
        .layer(layer_counts)
    );

    record_writer #(
        .WORD(WORD),
        .OC(OC),
        .PX(PX),
        .FEATURE_WORDS(FEATURE_WORDS),
        .WEIGHT_ROWS(WEIGHT_ROWS),
        .UNITS(UNITS),
        .ADDR_BITS(ADDR_BITS)
    ) u_records (
        .clk(ap_clk),
        .rst_n(run_rst_n_reg),
        .begin_run(count_clear),
        .record_address(record_address),
        .layer_push(layer_push),
        .layer_words({layer_counts, layer_word}),
        .layer_records(layer_records),
        .final_push(final_push),
        .status(status_error),
        .index(status_index),
        .counters(counters),
        .idle(record_idle),
        .chunk_valid(chunk_valid[2]),
        .chunk_ready(chunk_ready[2]),
        .chunk_address(chunk_address[2*ADDR_BITS +: ADDR_BITS]),
        .chunk_data(chunk_data[2*WORD +: WORD]),
        .chunk_last(chunk_last[2])
    );

    // ---- maps: to the feature memory, and from it ---------------------------------------------
    wire            load_valid, load_ready, store_read, store_valid;
    wire [AB-1:0]   load_address, store_address;
    wire [WORD-1:0] load_data, store_data;
    wire [15:0]     images_loaded;

    input_loader #(
        .WORD(WORD),
        .FEATURE_WORDS(FEATURE_WORDS),
        .ADDR_BITS(ADDR_BITS),
        .GRANT_BITS(GRANT_BITS)
    ) u_loader (
        .clk(ap_clk),
        .rst_n(run_rst_n_reg),
        .begin_segment(begin_segment),
        .source(load_source),
        .stride(load_stride),
        .words(load_words),
        .base(load_base),
        .pitch(load_pitch),
        .start(load_start),
        .images(load_images),
        .idle(load_idle),
        .loaded(images_loaded),
        .range_error(error_load_range),
        .request_valid(request_valid[1]),
        .request_address(request_address[ADDR_BITS +: ADDR_BITS]),
        .request_beats(request_beats[16 +: 16]),
        .grant(grant[1]),
        .grant_address(grant_address),
        .grant_beats(grant_beats),
        .beat_valid(beat_valid[1]),
        .beat_ready(beat_ready[1]),
        .beat_data(beat_data),
        .load_valid(load_valid),
        .load_ready(load_ready),
        .load_address(load_address),
        .load_data(load_data)
    );

    map_storer #(
        .WORD(WORD),
        .FEATURE_WORDS(FEATURE_WORDS),
        .ADDR_BITS(ADDR_BITS)
    ) u_storer (
        .clk(ap_clk),
        .rst_n(run_rst_n_reg),
        .begin_segment(begin_segment),
        .target(store_target),
        .stride(store_stride),
        .words(store_words),
        .base(store_base),
        .pitch(store_pitch),
        .start(store_start),
        .images(layer_images),
        .idle(store_idle),
        .range_error(error_store_range),
        .store_read(store_read),
        .store_address(store_address),
        .store_valid(store_valid),
        .store_data(store_data),
        .chunk_valid(chunk_valid[1]),
        .chunk_ready(chunk_ready[1]),
        .chunk_address(chunk_address[ADDR_BITS +: ADDR_BITS]),
        .chunk_data(chunk_data[WORD +: WORD]),
        .chunk_last(chunk_last[1])
    );

    // ---- weights ------------------------------------------------------------------------------
    wire               ring_ce, ring_read, ring_release;
    wire [RB-1:0]      ring_row;
    wire [OC*WORD-1:0] ring_data;
    wire [15:0]        ring_rows_loaded, ring_release_rows;

    weight_ring #(
        .WORD(WORD),
        .OC(OC),
        .WEIGHT_ROWS(WEIGHT_ROWS),
        .ADDR_BITS(ADDR_BITS),
        .GRANT_BITS(GRANT_BITS)
    ) u_ring (
        .clk(ap_clk),
        .rst_n(run_rst_n_reg),
        .job_valid(job_valid),
        .job_ready(job_ready),
        .job_address(job_address),
        .job_beats(job_beats),
        .job_checksum(job_checksum),
        .idle(ring_idle),
        .checksum_error(error_weights),
        .request_valid(request_valid[2]),
        .request_address(request_address[2*ADDR_BITS +: ADDR_BITS]),
        .request_beats(request_beats[32 +: 16]),
        .grant(grant[2]),
        .grant_address(grant_address),
        .grant_beats(grant_beats),
        .beat_valid(beat_valid[2]),
        .beat_ready(beat_ready[2]),
        .beat_data(beat_data),
        .ring_ce(ring_ce),
        .ring_read(ring_read),
        .ring_row(ring_row),
        .ring_data(ring_data),
        .ring_rows_loaded(ring_rows_loaded),
        .ring_release(ring_release),
        .ring_release_rows(ring_release_rows)
    );

    // ---- core and results ---------------------------------------------------------------------
    wire             result_valid, result_ready;
    wire [31:0]      result_index;
    wire [15:0]      result_tile;
    wire [OC*32-1:0] result_data;

    bittern_core #(
        .WORD(WORD),
        .OC(OC),
        .PX(PX),
        .FEATURE_WORDS(FEATURE_WORDS),
        .WEIGHT_ROWS(WEIGHT_ROWS),
        .HAS_XNOR(HAS_XNOR),
        .HAS_TERNARY(HAS_TERNARY),
        .HAS_INT(HAS_INT)
    ) u_core (
        .clk(ap_clk),
        .rst_n(run_rst_n_reg),
        .desc(desc),
        .layer_start(layer_start),
        .images(layer_images),
        .images_loaded(images_loaded),
        .layer_done(layer_done),
        .ring_read(ring_read),
        .ring_row(ring_row),
        .ring_data(ring_data),
        .ring_ce(ring_ce),
        .ring_rows_loaded(ring_rows_loaded),
        .ring_release(ring_release),
        .ring_release_rows(ring_release_rows),
        .load_valid(load_valid),
        .load_ready(load_ready),
        .load_address(load_address),
        .load_data(load_data),
        .store_read(store_read),
        .store_address(store_address),
        .store_data(store_data),
        .store_valid(store_valid),
        .result_valid(result_valid),
        .result_ready(result_ready),
        .result_index(result_index),
        .result_tile(result_tile),
        .result_data(result_data),
        .event_compute(event_compute),
        .event_weights(event_weights),
        .event_input(event_input),
        .event_output(event_output)
    );

    result_writer #(
        .WORD(WORD),
        .OC(OC),
        .ADDR_BITS(ADDR_BITS)
    ) u_results (
        .clk(ap_clk),
        .rst_n(run_rst_n_reg),
        .begin_layer(layer_start),
        .output_address(output_address),
        .first_image(first_image),
        .results_per_image(desc[32*51 +: 32]),
        .result_stride(desc[32*50 +: 32]),
        .idle(results_idle),
        .result_valid(result_valid),
        .result_ready(result_ready),
        .result_index(result_index),
        .result_tile(result_tile),
        .result_data(result_data),
        .chunk_valid(chunk_valid[0]),
        .chunk_ready(chunk_ready[0]),
        .chunk_address(chunk_address[0 +: ADDR_BITS]),
        .chunk_data(chunk_data[0 +: WORD]),
        .chunk_last(chunk_last[0])
    );

    // Protection is not looked at; with one ID and no exclusive access, responses say nothing more.
    wire unused = &{1'b0, s_axi_control_awprot, s_axi_control_arprot, m_axi_gmem_bid,
                    m_axi_gmem_rid};
endmodule

`default_nettype wire
