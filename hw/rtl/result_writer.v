// SPDX-License-Identifier: Apache-2.0
// Turns results into chunks for the write master: OC int32 of output pixel `index`, tile `tile`, to
//
//     output + (first_image * results_per_image + index) * result_stride + tile * OC * 4
//
// `begin_layer` multiplies out where the layer's images begin, in at most 18 cycles. After that the
// address of the pixel before is kept: the same pixel or the one behind it costs four cycles, in
// parallel to the beats of the result before; a jump takes up to 33 more (a multiplication by
// shifting and adding). A result is accepted when its data have a place here; it must be held
// until then. `idle`: all accepted results are with the write master.
`default_nettype none

module result_writer #(
    // Bits of a beat; divides OC * 32
    parameter WORD = 128,
    // int32 values of a result
    parameter OC = 16,
    // Bits of an address
    parameter ADDR_BITS = 64
) (
    input  wire                 clk,
    input  wire                 rst_n,

    // Of the layer; stable from begin_layer to its last result
    input  wire                 begin_layer,
    input  wire [ADDR_BITS-1:0] output_address,
    input  wire [15:0]          first_image,
    input  wire [31:0]          results_per_image,
    input  wire [31:0]          result_stride,
    output wire                 idle,

    // Results
    input  wire                 result_valid,
    output wire                 result_ready,
    input  wire [31:0]          result_index,
    input  wire [15:0]          result_tile,
    input  wire [OC*32-1:0]     result_data,

    // Client of the write master
    output wire                 chunk_valid,
    input  wire                 chunk_ready,
    output wire [ADDR_BITS-1:0] chunk_address,
    output wire [WORD-1:0]      chunk_data,
    output wire                 chunk_last
);
    localparam BEATS     = OC * 32 / WORD;
    localparam TILE_BITS = $clog2(OC * 4);
    localparam BEAT_BITS = BEATS > 1 ? $clog2(BEATS) : 1;
    localparam LAST_BEAT = BEATS - 1;

    localparam [2:0] COMPARE = 3'd0, STEP = 3'd1, MULTIPLY = 3'd2, TILE = 3'd3, OFFER = 3'd4,
                     SETUP = 3'd5;

    // ---- address of the result that is offered ----------------------------------------------
    reg [2:0]           state_reg;
    reg                 setup_reg;               // the product is the layer's first pixel
    reg                 known_reg;               // sum_reg is the address of pixel_reg
    reg                 same_reg, next_reg;      // the result's pixel is pixel_reg, or one further
    reg [31:0]          pixel_reg, pixel_next_reg, first_pixel_reg;
    reg [31:0]          factor_reg;
    reg [ADDR_BITS-1:0] term_reg, sum_reg, address_reg;

    wire send_free;
    wire [ADDR_BITS-1:0] stride_wide = {{ADDR_BITS-32{1'b0}}, result_stride};
    wire [ADDR_BITS-1:0] sum_next    = sum_reg + term_reg;

    assign result_ready = state_reg == OFFER && send_free;

    always @(posedge clk)
        if (!rst_n) begin
            state_reg <= COMPARE;
            known_reg <= 1'b0;
            setup_reg <= 1'b0;
        end else if (begin_layer) begin
            state_reg <= SETUP;
            known_reg <= 1'b0;
            setup_reg <= 1'b1;
        end else begin
            case (state_reg)
                COMPARE:  state_reg <= result_valid ? STEP : COMPARE;
                STEP:     state_reg <= known_reg && (same_reg || next_reg) ? TILE : MULTIPLY;
                MULTIPLY: state_reg <= factor_reg != 32'd0 ? MULTIPLY : setup_reg ? COMPARE : TILE;
                TILE:     state_reg <= OFFER;
                OFFER:    state_reg <= send_free ? COMPARE : OFFER;
                default:  state_reg <= MULTIPLY;
            endcase
            if (state_reg == MULTIPLY && factor_reg == 32'd0) begin
                known_reg <= !setup_reg;
                setup_reg <= 1'b0;
            end
        end

    always @(posedge clk) begin
        same_reg <= result_index == pixel_reg;
        next_reg <= result_index == pixel_next_reg;
        case (state_reg)
            SETUP: begin
                sum_reg    <= {ADDR_BITS{1'b0}};
                term_reg   <= {{ADDR_BITS-32{1'b0}}, results_per_image};
                factor_reg <= {16'd0, first_image};
            end
            STEP: begin
                pixel_reg      <= result_index;
                pixel_next_reg <= result_index + 1'b1;
                factor_reg     <= first_pixel_reg + result_index;
                if (!known_reg || !(same_reg || next_reg))
                    sum_reg <= output_address;
                else if (next_reg)
                    sum_reg <= sum_next;
            end
            MULTIPLY: begin
                factor_reg <= factor_reg >> 1;
                term_reg   <= factor_reg == 32'd0 ? stride_wide : term_reg << 1;
                if (factor_reg[0])
                    sum_reg <= sum_next;
                if (setup_reg)
                    first_pixel_reg <= sum_reg[31:0];
            end
            default:
                address_reg <= sum_reg + {{ADDR_BITS-16-TILE_BITS{1'b0}}, result_tile,
                                          {TILE_BITS{1'b0}}};
        endcase
    end

    // ---- beats of the result that was taken -------------------------------------------------
    reg                 sending_reg;
    reg [BEAT_BITS-1:0] beat_reg;
    reg [ADDR_BITS-1:0] send_address_reg;
    reg [OC*32-1:0]     send_data_reg;
    wire                beat = sending_reg && chunk_ready;

    assign send_free     = !sending_reg || (beat && chunk_last);
    assign chunk_valid   = sending_reg;
    assign chunk_address = send_address_reg;
    assign chunk_data    = send_data_reg[WORD*beat_reg +: WORD];
    assign chunk_last    = beat_reg == LAST_BEAT[BEAT_BITS-1:0];

    always @(posedge clk)
        if (!rst_n)
            sending_reg <= 1'b0;
        else if (result_valid && result_ready)
            sending_reg <= 1'b1;
        else if (beat && chunk_last)
            sending_reg <= 1'b0;

    always @(posedge clk)
        if (result_valid && result_ready) begin
            beat_reg         <= 0;
            send_address_reg <= address_reg;
            send_data_reg    <= result_data;
        end else if (beat) begin
            beat_reg <= beat_reg + 1'b1;
        end

    assign idle = !sending_reg && state_reg == COMPARE && !result_valid;
endmodule

`default_nettype wire
