// SPDX-License-Identifier: Apache-2.0
// Properties of fifo and skid_buffer: the n-th beat out is the n-th beat in, for any n; nothing is
// offered that was not put in; an offered beat stays until it is taken; what goes in can come out.
`default_nettype none

module fifo_formal #(
    // The buffer is a skid_buffer; else a fifo of DEPTH entries
    parameter SKID = 0,
    parameter DEPTH = 4
) (
    input  wire       clk,
    // Free
    input  wire       clear,
    input  wire       in_valid,
    input  wire [3:0] in_data,
    input  wire       out_ready
);
    wire       in_ready, out_valid;
    wire [3:0] out_data;

    generate
        if (SKID) begin : g_skid
            skid_buffer #(
                .WIDTH(4)
            ) u_dut (
                .clk(clk), .clear(clear), .in_valid(in_valid), .in_ready(in_ready),
                .in_data(in_data), .out_valid(out_valid), .out_ready(out_ready),
                .out_data(out_data)
            );
        end else begin : g_fifo
            wire [$clog2(DEPTH):0] count;
            fifo #(
                .WIDTH(4),
                .DEPTH(DEPTH)
            ) u_dut (
                .clk(clk), .clear(clear), .in_valid(in_valid), .in_ready(in_ready),
                .in_data(in_data), .out_valid(out_valid), .out_ready(out_ready),
                .out_data(out_data), .count(count)
            );
            always @(posedge clk)
                if (past_valid && !$past(clear)) begin
                    assert (count == entered - left);
                    assert (in_ready == (count < DEPTH));
                end
        end
    endgenerate

    // Beats that entered and left since the last clear
    reg       past_valid = 1'b0;
    reg [7:0] entered = 8'd0, left = 8'd0;
    reg [3:0] kept;
    (* anyconst *) reg [7:0] n;

    initial assume (clear);

    always @(posedge clk) begin
        past_valid <= 1'b1;
        if (clear) begin
            entered <= 8'd0;
            left    <= 8'd0;
        end else begin
            if (in_valid && in_ready) begin
                entered <= entered + 1'b1;
                if (entered == n)
                    kept <= in_data;
            end
            if (out_valid && out_ready)
                left <= left + 1'b1;
        end
        assume (entered < 8'd100);

        if (past_valid) begin
            assert (out_valid == (entered != left));
            if (out_valid && left == n && !clear)
                assert (out_data == kept);
            if ($past(out_valid && !out_ready && !clear)) begin
                assert (out_valid);
                assert ($stable(out_data));
            end
        end
        cover (past_valid && !in_ready);
        cover (left == 8'd5);
    end
endmodule

`default_nettype wire
