// SPDX-License-Identifier: Apache-2.0
// Properties of controller: after a fault the run is done within 26 cycles in which nothing is
// outstanding, and after a stuck channel within 4 in any case; with a code each; a layer is never
// started while one runs, nor behind a fault; nothing is begun in a halt; a start in idle is
// always taken; within a run all is reset only while the masters rest.
`default_nettype none

module controller_formal (
    input  wire        clk,
    // Free, but as the assumptions say
    input  wire        rst_n,
    input  wire        start,
    input  wire [1:0]  images,
    input  wire        read_idle,
    input  wire        write_idle,
    input  wire        error_handshake,
    input  wire [11:0] errors,
    input  wire        walk_end,
    input  wire        item_valid,
    input  wire        item_layer,
    input  wire        item_last,
    input  wire [1:0]  item_free,
    input  wire        layer_done,
    input  wire        load_idle,
    input  wire        store_idle,
    input  wire        ring_idle,
    input  wire        results_idle,
    input  wire        record_idle
);
    wire        run_begin, run_done, run_idle, soft_reset, halt, watch, begin_walk, item_take;
    wire        layer_start, begin_segment, load_start, store_start, layer_push, final_push;
    wire [3:0]  status_state;
    wire [7:0]  status_error;
    wire [15:0] status_index, layer_images, first_image;

    // Only what steers: sub_batch 1, store_words 0 or 1, FREE_INPUT
    wire [2047:0] words = {{2047-32*12{1'b0}}, item_free[0], {32*12-32*2-1{1'b0}}, 1'b1,
                           {32*2-38{1'b0}}, item_free[1], 37'd0};

    controller u_dut (
        .clk(clk), .rst_n(rst_n), .start(start), .run_begin(run_begin), .run_done(run_done),
        .run_idle(run_idle), .status_state(status_state), .status_error(status_error),
        .status_index(status_index), .input_address(64'd0), .scratch_address(64'd0),
        .images({30'd0, images}), .soft_reset(soft_reset), .halt(halt), .read_idle(read_idle),
        .write_idle(write_idle), .watch(watch), .error_handshake(error_handshake),
        .error_stalled(errors[0]), .error_read_slave(errors[1]), .error_read_decode(errors[2]),
        .error_write_slave(errors[3]), .error_write_decode(errors[4]),
        .error_weights(errors[5]), .error_range(errors[6]), .error_magic(errors[7]),
        .error_version(errors[8]), .error_geometry(errors[9]), .error_checksum(errors[10]),
        .error_descriptor(errors[11]), .begin_walk(begin_walk), .walk_in_header(1'b0),
        .walk_end(walk_end), .item_valid(item_valid), .item_layer(item_layer),
        .item_last(item_last), .item_index(16'd0), .item_words(words), .item_take(item_take),
        .layer_start(layer_start), .layer_done(layer_done), .layer_images(layer_images),
        .first_image(first_image), .begin_segment(begin_segment), .load_start(load_start),
        .load_idle(load_idle), .store_start(store_start), .store_idle(store_idle),
        .ring_idle(ring_idle), .results_idle(results_idle), .layer_push(layer_push),
        .final_push(final_push), .record_idle(record_idle)
    );

    reg       past_valid = 1'b0;
    reg       running = 1'b0;                      // a layer
    reg       faulty = 1'b0, stuck = 1'b0;         // in this run, a while ago
    reg [6:0] fault_age = 7'd0;                    // cycles since then with nothing outstanding
    reg [2:0] stuck_age = 3'd0;
    reg       in_run = 1'b0;

    initial assume (!rst_n);

    always @(posedge clk) begin
        past_valid <= 1'b1;
        assume (rst_n || !past_valid);
        // A start stays until the run is done.
        if (past_valid && $past(start && !run_done)) assume (start);
        if (!rst_n) begin
            running   <= 1'b0;
            faulty    <= 1'b0;
            stuck     <= 1'b0;
            in_run    <= 1'b0;
        end else begin
            in_run  <= run_begin || (in_run && !run_done);
            running <= (layer_start || (running && !layer_done)) && !soft_reset && !halt;
            faulty  <= watch && (faulty || errors != 12'd0);
            stuck   <= watch && (stuck || error_handshake);
            fault_age <= !faulty || !watch ? 7'd0
                       : read_idle && write_idle && record_idle ? fault_age + 1'b1 : 7'd0;
            stuck_age <= stuck && watch ? stuck_age + 1'b1 : 3'd0;
        end
        if (past_valid && rst_n && $past(rst_n)) begin
            // The end comes, with a code
            assert (fault_age < 7'd26);
            assert (stuck_age < 3'd4);
            if (run_done && status_state != 4'd8 && faulty && $past(faulty, 3))
                assert (status_error != 8'd0);
            if ($past(run_idle && start))
                assert (!run_idle || $past(run_done) || run_done);
            // Layers
            if (layer_start) assert (!running && !halt && !soft_reset);
            if (halt) assert (!layer_start && !item_take && !load_start && !store_start
                              && !final_push && !begin_walk);
            if ($past(layer_start)) assert (!layer_start);
            if (layer_push || final_push) assert ($past(record_idle) || final_push);
            // The masters rest while everything else is reset within a run.
            if (soft_reset && in_run && $past(in_run, 2) && $past(soft_reset))
                assert (halt || !watch);
        end
        cover (past_valid && layer_start);
        cover (past_valid && run_done && status_error == 8'd0);
    end
endmodule

`default_nettype wire
