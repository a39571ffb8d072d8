// SPDX-License-Identifier: Apache-2.0
// The kernel's registers (docs/register-map.md): ap_ctrl_hs control and interrupt, arguments,
// identification, status and live counters, behind an AXI4-Lite slave.
// One write and one read are in work at a time: a write is answered two cycles after its later
// half came, a read two cycles after its address, each held until taken. Every request is
// answered OKAY; what is not mapped reads as 0 and ignores writes.
// Arguments are copied when a run begins, so that a write during a run counts for the next one.
`default_nettype none

module axil_control #(
    // Geometry, as the identification registers show it
    parameter WORD = 128,
    parameter OC = 16,
    parameter PX = 4,
    parameter FEATURE_WORDS = 24576,
    parameter WEIGHT_ROWS = 512,
    parameter UNITS = 7,
    parameter ACC_BITS = 24,
    // Bits of an address that the AXI master drives
    parameter ADDR_BITS = 64,
    // Reset value of the watchdog register, cycles
    parameter WATCHDOG_CYCLES = 1048576
) (
    input  wire                 clk,
    input  wire                 rst_n,

    // AXI4-Lite slave
    input  wire [11:0]          s_axi_awaddr,
    input  wire                 s_axi_awvalid,
    output wire                 s_axi_awready,
    input  wire [31:0]          s_axi_wdata,
    input  wire [3:0]           s_axi_wstrb,
    input  wire                 s_axi_wvalid,
    output wire                 s_axi_wready,
    output wire [1:0]           s_axi_bresp,
    output wire                 s_axi_bvalid,
    input  wire                 s_axi_bready,
    input  wire [11:0]          s_axi_araddr,
    input  wire                 s_axi_arvalid,
    output wire                 s_axi_arready,
    output wire [31:0]          s_axi_rdata,
    output wire [1:0]           s_axi_rresp,
    output wire                 s_axi_rvalid,
    input  wire                 s_axi_rready,

    // Run control: start is a level; run_begin copies the arguments, run_done ends the run
    output wire                 start,
    input  wire                 run_begin,
    input  wire                 run_done,
    input  wire                 run_idle,
    output wire                 irq,

    // Arguments of the run in work; the low 6 address bits are 0
    output wire [ADDR_BITS-1:0] program_address,
    output wire [ADDR_BITS-1:0] input_address,
    output wire [ADDR_BITS-1:0] output_address,
    output wire [ADDR_BITS-1:0] scratch_address,
    output wire [ADDR_BITS-1:0] record_address,
    output wire [31:0]          images,
    output wire [31:0]          watchdog_cycles,

    // Status, and words 10..25 of the final record as they stand now
    input  wire [3:0]           status_state,
    input  wire [7:0]           status_error,
    input  wire [15:0]          status_index,
    input  wire [16*32-1:0]     counters
);
    localparam [31:0] MAGIC = 32'h524E5442;             // "BTNR"
    localparam [31:0] INTERFACE_VERSION = 32'd1;
    localparam [31:0] WATCHDOG_RESET = WATCHDOG_CYCLES;
    localparam ARGUMENT_WORDS = 11;                     // five addresses and the images

    // ---- write side: both halves are caught, then worked off together --------------------
    reg        aw_full_reg, w_full_reg, bvalid_reg;
    reg [9:0]  aw_word_reg;
    reg [31:0] w_data_reg;
    reg [3:0]  w_strb_reg;

    wire write = aw_full_reg && w_full_reg && !bvalid_reg;

    assign s_axi_awready = !aw_full_reg;
    assign s_axi_wready  = !w_full_reg;
    assign s_axi_bvalid  = bvalid_reg;
    assign s_axi_bresp   = 2'b00;

    always @(posedge clk)
        if (!rst_n) begin
            aw_full_reg <= 1'b0;
            w_full_reg  <= 1'b0;
            bvalid_reg  <= 1'b0;
        end else begin
            if (write)
                aw_full_reg <= 1'b0;
            else if (s_axi_awvalid)
                aw_full_reg <= 1'b1;
            if (write)
                w_full_reg <= 1'b0;
            else if (s_axi_wvalid)
                w_full_reg <= 1'b1;
            if (write)
                bvalid_reg <= 1'b1;
            else if (s_axi_bready)
                bvalid_reg <= 1'b0;
        end

    always @(posedge clk) begin
        if (!aw_full_reg)
            aw_word_reg <= s_axi_awaddr[11:2];
        if (!w_full_reg) begin
            w_data_reg <= s_axi_wdata;
            w_strb_reg <= s_axi_wstrb;
        end
    end

    wire write_control  = write && aw_word_reg == 10'h000 && w_strb_reg[0];
    wire write_gie      = write && aw_word_reg == 10'h001 && w_strb_reg[0];
    wire write_ier      = write && aw_word_reg == 10'h002 && w_strb_reg[0];
    wire write_isr      = write && aw_word_reg == 10'h003 && w_strb_reg[0];
    wire write_watchdog = write && aw_word_reg == 10'h053;

    // ---- control and interrupt -----------------------------------------------------------
    reg       ap_start_reg, ap_done_reg, ap_ready_reg, auto_restart_reg, gie_reg;
    reg [1:0] ier_reg, isr_reg;
    reg       read_control_reg;     // a read of the control register is being answered

    assign start     = ap_start_reg;
    assign irq       = gie_reg && isr_reg != 2'b00;

    always @(posedge clk)
        if (!rst_n) begin
            ap_start_reg     <= 1'b0;
            ap_done_reg      <= 1'b0;
            ap_ready_reg     <= 1'b0;
            auto_restart_reg <= 1'b0;
            gie_reg          <= 1'b0;
            ier_reg          <= 2'b00;
            isr_reg          <= 2'b00;
        end else begin
            if (write_control && w_data_reg[0])
                ap_start_reg <= 1'b1;
            else if (run_done)
                ap_start_reg <= auto_restart_reg;
            if (write_control)
                auto_restart_reg <= w_data_reg[7];
            if (run_done) begin
                ap_done_reg  <= 1'b1;
                ap_ready_reg <= 1'b1;
            end else if (read_control_reg) begin
                ap_done_reg  <= 1'b0;
                ap_ready_reg <= 1'b0;
            end
            if (write_gie)
                gie_reg <= w_data_reg[0];
            if (write_ier)
                ier_reg <= w_data_reg[1:0];
            isr_reg <= (isr_reg ^ (write_isr ? w_data_reg[1:0] : 2'b00))
                       | (run_done ? ier_reg : 2'b00);
        end

    // ---- arguments -----------------------------------------------------------------------
    reg [32*ARGUMENT_WORDS-1:0] argument_reg;   // as written
    reg [32*ARGUMENT_WORDS-1:0] run_reg;        // of the run in work
    reg [31:0]                  watchdog_reg;

    // Register word at which argument word n lies: 64-bit ones take three words each.
    function [31:0] argument_word(input integer n);
        argument_word = 4 + 3 * (n / 2) + (n % 2);
    endfunction

    // Bits of argument word n that exist.
    function [31:0] argument_mask(input integer n);
        begin
            argument_mask = 32'hFFFF_FFFF;
            if (n < 10 && n % 2 == 0)
                argument_mask = 32'hFFFF_FFC0;
            if (n < 10 && n % 2 == 1 && ADDR_BITS < 64)
                argument_mask = 32'hFFFF_FFFF >> (64 - ADDR_BITS);
        end
    endfunction

    genvar n, b;
    generate
        for (n = 0; n < ARGUMENT_WORDS; n = n + 1) begin : g_argument
            localparam [31:0] AT = argument_word(n);
            localparam [31:0] MASK = argument_mask(n);
            wire hit = write && aw_word_reg == AT[9:0];
            for (b = 0; b < 4; b = b + 1) begin : g_byte
                always @(posedge clk)
                    if (!rst_n)
                        argument_reg[32*n+8*b +: 8] <= 8'd0;
                    else if (hit && w_strb_reg[b])
                        argument_reg[32*n+8*b +: 8]
                            <= w_data_reg[8*b +: 8] & MASK[8*b +: 8];
            end
        end
        for (b = 0; b < 4; b = b + 1) begin : g_watchdog
            always @(posedge clk)
                if (!rst_n)
                    watchdog_reg[8*b +: 8] <= WATCHDOG_RESET[8*b +: 8];
                else if (write_watchdog && w_strb_reg[b])
                    watchdog_reg[8*b +: 8] <= w_data_reg[8*b +: 8];
        end
    endgenerate

    always @(posedge clk)
        if (run_begin)
            run_reg <= argument_reg;

    assign program_address = run_reg[0   +: ADDR_BITS];
    assign input_address   = run_reg[64  +: ADDR_BITS];
    assign output_address  = run_reg[128 +: ADDR_BITS];
    assign scratch_address = run_reg[192 +: ADDR_BITS];
    assign record_address  = run_reg[256 +: ADDR_BITS];
    assign images          = run_reg[320 +: 32];
    assign watchdog_cycles = watchdog_reg;

    // ---- read side -----------------------------------------------------------------------
    reg        ar_full_reg, rvalid_reg;
    reg [9:0]  ar_word_reg;
    reg [31:0] rdata_reg, high_reg;

    wire read = ar_full_reg && !rvalid_reg;

    assign s_axi_arready = !ar_full_reg;
    assign s_axi_rvalid  = rvalid_reg;
    assign s_axi_rdata   = rdata_reg;
    assign s_axi_rresp   = 2'b00;

    always @(posedge clk)
        if (!rst_n) begin
            ar_full_reg      <= 1'b0;
            rvalid_reg       <= 1'b0;
        end else begin
            if (read)
                ar_full_reg <= 1'b0;
            else if (s_axi_arvalid)
                ar_full_reg <= 1'b1;
            if (read)
                rvalid_reg <= 1'b1;
            else if (s_axi_rready)
                rvalid_reg <= 1'b0;
        end

    always @*
        read_control_reg = read && ar_word_reg == 10'h000;

    // The four blocks of registers, each with its own selector
    reg [31:0] control_word, argument_word_read, identity_word, status_word, counter_word;
    integer k;

    always @* begin
        case (ar_word_reg[1:0])
            2'd0: control_word = {24'd0, auto_restart_reg, 3'd0, ap_ready_reg,
                                  run_idle && !ap_start_reg, ap_done_reg, ap_start_reg};
            2'd1: control_word = {31'd0, gie_reg};
            2'd2: control_word = {30'd0, ier_reg};
            default: control_word = {30'd0, isr_reg};
        endcase
    end

    always @* begin
        argument_word_read = 32'd0;
        for (k = 0; k < ARGUMENT_WORDS; k = k + 1)
            if ({27'd0, ar_word_reg[4:0]} == argument_word(k))
                argument_word_read = argument_word_read | argument_reg[32*k +: 32];
    end

    always @*
        case (ar_word_reg[3:0])
            4'd0: identity_word = MAGIC;
            4'd1: identity_word = INTERFACE_VERSION;
            4'd2: identity_word = WORD;
            4'd3: identity_word = OC;
            4'd4: identity_word = PX;
            4'd5: identity_word = UNITS;
            4'd6: identity_word = FEATURE_WORDS * (WORD / 8);
            4'd7: identity_word = WEIGHT_ROWS * OC * (WORD / 8);
            4'd8: identity_word = ACC_BITS;
            4'd9: identity_word = WORD;
            default: identity_word = 32'd0;
        endcase

    always @*
        case (ar_word_reg[3:0])
            4'd0: status_word = {28'd0, status_state};
            4'd1: status_word = {24'd0, status_error};
            4'd2: status_word = {16'd0, status_index};
            4'd3: status_word = watchdog_reg;
            default: status_word = 32'd0;
        endcase

    // A counter's upper half is kept when its lower half is read.
    wire [31:0] counter_live = counters[32*ar_word_reg[3:0] +: 32];
    wire        counter_pair = ar_word_reg[3:0] < 4'd14;

    always @*
        counter_word = counter_pair && ar_word_reg[0] ? high_reg : counter_live;

    always @(posedge clk)
        if (read) begin
            case (ar_word_reg[9:4])
                6'h00, 6'h01:
                    rdata_reg <= ar_word_reg[9:2] == 8'h00 ? control_word : argument_word_read;
                6'h04: rdata_reg <= identity_word;
                6'h05: rdata_reg <= status_word;
                6'h06: rdata_reg <= counter_word;
                default: rdata_reg <= 32'd0;
            endcase
            if (ar_word_reg[9:4] == 6'h06 && !ar_word_reg[0])
                high_reg <= counters[32*{ar_word_reg[3:1], 1'b1} +: 32];
        end

    always @(posedge clk)
        if (!ar_full_reg)
            ar_word_reg <= s_axi_araddr[11:2];

    // The two low bits of an address name a byte, which WSTRB does.
    wire unused = &{1'b0, s_axi_awaddr[1:0], s_axi_araddr[1:0]};
endmodule

`default_nettype wire
