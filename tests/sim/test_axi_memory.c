/* SPDX-License-Identifier: Apache-2.0 */
/* The memory model against a master of a few lines: order, timing, faults, and every rule that it
 * must see broken. */
#include "axi_memory.h"
#include "testing.h"

#include <stdlib.h>
#include <string.h>

#define BASE 0x4000
#define SIZE 0x4000

struct bench {
    uint8_t bytes[SIZE];
    struct axi_memory *memory;
    struct sim_inputs in;
    struct sim_outputs out;
    uint64_t cycle;
};

static uint8_t *find(void *user, uint64_t address, uint64_t size)
{
    struct bench *bench = user;
    return address >= BASE && size <= SIZE && address - BASE <= SIZE - size
               ? bench->bytes + (address - BASE)
               : NULL;
}

static const struct axi_memory_options plain = {
    .read_latency = 10, .write_latency = 7, .beats_per_cycle = 1.0};

static struct bench *make_bench(const struct axi_memory_options *options)
{
    struct bittern_error err;
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    for (size_t i = 0; i < SIZE; i++) {
        bench->bytes[i] = (uint8_t)(i * 7 + i / 256);
    }
    assert_ok(axi_memory_create(options, 16, find, bench, &bench->memory, &err), &err);
    bench->in.ap_rst_n = 1;
    return bench;
}

static void free_bench(struct bench *bench)
{
    axi_memory_free(bench->memory);
    free(bench);
}

/* One cycle with the outputs as they stand. */
static void tick(struct bench *bench)
{
    axi_memory_drive(bench->memory, &bench->in);
    axi_memory_clock(bench->memory, &bench->in, &bench->out);
    bench->cycle++;
}

static void offer_read(struct bench *bench, uint64_t address, unsigned beats)
{
    bench->out.arvalid = 1;
    bench->out.araddr = address;
    bench->out.arlen = (uint8_t)(beats - 1);
    bench->out.arsize = 4;
    bench->out.arburst = 1;
}

static void offer_write(struct bench *bench, uint64_t address, unsigned beats)
{
    bench->out.awvalid = 1;
    bench->out.awaddr = address;
    bench->out.awlen = (uint8_t)(beats - 1);
    bench->out.awsize = 4;
    bench->out.awburst = 1;
}

/* Offer an address until it is taken. */
static void give_address(struct bench *bench, uint8_t *valid, const uint8_t *ready)
{
    for (int i = 0; i < 1000; i++) {
        tick(bench);
        if (*ready) {
            *valid = 0;
            return;
        }
    }
    fail_msg("an address was not taken");
}

/* Take one read beat; its cycle. */
static uint64_t take_beat(struct bench *bench)
{
    bench->out.rready = 1;
    for (int i = 0; i < 10000; i++) {
        tick(bench);
        if (bench->in.rvalid) {
            return bench->cycle;
        }
    }
    fail_msg("no read beat came");
    return 0;
}

static void read_burst(struct bench *bench, uint64_t address, unsigned beats)
{
    offer_read(bench, address, beats);
    give_address(bench, &bench->out.arvalid, &bench->in.arready);
    for (unsigned i = 0; i < beats; i++) {
        (void)take_beat(bench);
        assert_memory_equal(bench->in.rdata, bench->bytes + (address - BASE) + (size_t)16 * i, 16);
        assert_int_equal(bench->in.rlast, i + 1 == beats);
        assert_int_equal(bench->in.rresp, 0);
    }
    bench->out.rready = 0;
}

static void write_burst(struct bench *bench, uint64_t address, unsigned beats, uint8_t value)
{
    offer_write(bench, address, beats);
    give_address(bench, &bench->out.awvalid, &bench->in.awready);
    for (unsigned i = 0; i < beats; i++) {
        bench->out.wvalid = 1;
        bench->out.wstrb = 0xFFFF;
        bench->out.wlast = i + 1 == beats;
        memset(bench->out.wdata, value + (int)i, 16);
        give_address(bench, &bench->out.wvalid, &bench->in.wready);
    }
    bench->out.bready = 1;
    do {
        tick(bench);
    } while (!bench->in.bvalid && bench->cycle < 1000000);
    assert_int_equal(bench->in.bvalid, 1);
    bench->out.bready = 0;
}

/* Would catch: beats that come too early, too late, or out of order; a lost one. */
static void reads_take_their_latency_and_then_a_cycle_a_beat(void **state)
{
    (void)state;
    struct bench *bench = make_bench(&plain);
    offer_read(bench, BASE + 64, 4);
    give_address(bench, &bench->out.arvalid, &bench->in.arready);
    uint64_t asked = bench->cycle;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(take_beat(bench), asked + plain.read_latency + i);
        assert_memory_equal(bench->in.rdata, bench->bytes + 64 + (size_t)16 * i, 16);
    }
    assert_true(axi_memory_is_idle(bench->memory));
    assert_null(axi_memory_violation(bench->memory));
    free_bench(bench);
}

/* Would catch: bandwidth above what was set, or credit saved up while nothing was read. */
static void bandwidth_is_what_was_set(void **state)
{
    (void)state;
    struct axi_memory_options options = plain;
    options.beats_per_cycle = 0.25;
    struct bench *bench = make_bench(&options);
    for (int i = 0; i < 100; i++) {
        tick(bench);
    }
    offer_read(bench, BASE, 32);
    give_address(bench, &bench->out.arvalid, &bench->in.arready);
    uint64_t first = take_beat(bench);
    uint64_t last = first;
    for (int i = 1; i < 32; i++) {
        last = take_beat(bench);
    }
    assert_in_range(last - first, 31 * 4 - 1, 31 * 4 + 1);
    free_bench(bench);
}

/* Would catch: stalls that lose, double or reorder what is transferred, on any channel. */
static void random_stalls_change_nothing_but_time(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct axi_memory_options options = plain;
        options.stall_percent = (uint32_t)(5 * seed) % 96;
        options.seed = seed;
        struct bench *bench = make_bench(&options);
        for (unsigned i = 0; i < 20; i++) {
            uint64_t address = BASE + (uint64_t)256 * i;
            write_burst(bench, address, 1 + i % 16, (uint8_t)(i * 3));
            assert_int_equal(bench->bytes[address - BASE + (size_t)16 * (i % 16)],
                             (uint8_t)(i * 3 + i % 16));
            read_burst(bench, address, 16);
        }
        assert_true(axi_memory_is_idle(bench->memory));
        assert_null(axi_memory_violation(bench->memory));
        free_bench(bench);
    }
}

/* Would catch: strobes that are not honoured. */
static void strobes_choose_the_bytes(void **state)
{
    (void)state;
    struct bench *bench = make_bench(&plain);
    uint8_t before[16];
    memcpy(before, bench->bytes, 16);
    offer_write(bench, BASE, 1);
    give_address(bench, &bench->out.awvalid, &bench->in.awready);
    bench->out.wvalid = bench->out.wlast = 1;
    bench->out.wstrb = 0x8001;
    memset(bench->out.wdata, 0xEE, 16);
    give_address(bench, &bench->out.wvalid, &bench->in.wready);
    assert_int_equal(bench->bytes[0], 0xEE);
    assert_int_equal(bench->bytes[15], 0xEE);
    assert_memory_equal(bench->bytes + 1, before + 1, 14);
    free_bench(bench);
}

/* Would catch: an address outside of memory that is served, or crashes the model. */
static void nothing_there_is_a_decode_error(void **state)
{
    (void)state;
    struct bench *bench = make_bench(&plain);
    offer_read(bench, BASE + SIZE, 1);
    give_address(bench, &bench->out.arvalid, &bench->in.arready);
    (void)take_beat(bench);
    assert_int_equal(bench->in.rresp, 3);
    write_burst(bench, 0x100, 2, 1);
    assert_int_equal(bench->in.bresp, 3);
    free_bench(bench);
}

static void add_fault(struct bench *bench, enum axi_fault_kind kind, uint64_t at, uint32_t value)
{
    struct bittern_error err;
    const struct axi_fault fault = {kind, at, value};
    assert_ok(axi_memory_add_fault(bench->memory, &fault, &err), &err);
}

/* Would catch: faults at another beat, more than once, or never. */
static void faults_happen_once_where_they_were_set(void **state)
{
    (void)state;
    struct bench *bench = make_bench(&plain);
    add_fault(bench, AXI_FAULT_READ_RESPONSE, 5, 2);
    add_fault(bench, AXI_FAULT_FLIP, 6, 127);
    add_fault(bench, AXI_FAULT_FLIP_ADDRESS, BASE + 16 * 7 + 3, 4);
    add_fault(bench, AXI_FAULT_WRITE_RESPONSE, 1, 3);
    for (int round = 0; round < 2; round++) {
        offer_read(bench, BASE, 8);
        give_address(bench, &bench->out.arvalid, &bench->in.arready);
        for (unsigned i = 0; i < 8; i++) {
            (void)take_beat(bench);
            const uint8_t *right = bench->bytes + (size_t)16 * i;
            assert_int_equal(bench->in.rresp, round == 0 && i == 5 ? 2 : 0);
            assert_int_equal(bench->in.rdata[15] ^ right[15], round == 0 && i == 6 ? 128 : 0);
            assert_int_equal(bench->in.rdata[3] ^ right[3], round == 0 && i == 7 ? 16 : 0);
        }
    }
    bench->out.rready = 0;
    for (int i = 0; i < 4; i++) {
        write_burst(bench, BASE + 1024, 1, 0);
        assert_int_equal(bench->in.bresp, i == 1 ? 3 : 0);
    }
    free_bench(bench);
}

/* Would catch: a stuck channel that lets something through, or never works again. */
static void stuck_channels_stand_still_until_released(void **state)
{
    (void)state;
    for (uint32_t channel = AXI_AR; channel <= AXI_B; channel++) {
        struct bench *bench = make_bench(&plain);
        add_fault(bench, AXI_FAULT_STUCK, 3, channel);
        axi_memory_begin_run(bench->memory);
        for (int i = 0; i < 3; i++) {
            tick(bench);
        }
        bench->out.rready = bench->out.bready = 1;
        bench->out.wvalid = bench->out.wlast = 1;
        bench->out.wstrb = 0xFFFF;
        offer_read(bench, BASE, 1);
        offer_write(bench, BASE, 1);
        for (int i = 0; i < 100; i++) {
            tick(bench);
            if (bench->in.arready) {
                bench->out.arvalid = 0;
            }
            if (bench->in.awready) {
                bench->out.awvalid = 0;
            }
            if (bench->in.wready && bench->out.wvalid) {
                bench->out.wvalid = 0;
            }
            assert_false(channel == AXI_R && bench->in.rvalid);
            assert_false(channel == AXI_B && bench->in.bvalid);
        }
        assert_int_equal(bench->out.arvalid, channel == AXI_AR);
        assert_int_equal(bench->out.awvalid, channel == AXI_AW);
        assert_int_equal(bench->out.wvalid, channel == AXI_W || channel == AXI_AW);
        axi_memory_release_stuck(bench->memory);
        for (int i = 0; i < 100; i++) {
            tick(bench);
            bench->out.arvalid = bench->out.arvalid && !bench->in.arready;
            bench->out.awvalid = bench->out.awvalid && !bench->in.awready;
            bench->out.wvalid = bench->out.wvalid && !bench->in.wready;
        }
        assert_true(axi_memory_is_idle(bench->memory));
        assert_int_equal(axi_memory_get_statistics(bench->memory)->read_beats, 1);
        assert_int_equal(axi_memory_get_statistics(bench->memory)->write_bursts, 1);
        free_bench(bench);
    }
}

static void expect_violation(struct bench *bench, const char *part)
{
    const char *violation = axi_memory_violation(bench->memory);
    if (!violation || !strstr(violation, part)) {
        fail_msg("'%s' was not seen, but %s", part, violation ? violation : "nothing");
    }
    free_bench(bench);
}

/* Would catch: a rule of AXI4 that a kernel could break without anybody noticing. */
static void broken_rules_are_seen(void **state)
{
    (void)state;
    struct axi_memory_options options = plain;
    struct bench *bench = make_bench(&options);
    offer_read(bench, BASE + 4096 - 32, 3);
    tick(bench);
    expect_violation(bench, "crosses 4 KiB");

    bench = make_bench(&options);
    offer_write(bench, BASE + 8, 1);
    tick(bench);
    expect_violation(bench, "not aligned");

    bench = make_bench(&options);
    offer_read(bench, BASE, 1);
    bench->out.arburst = 2;
    tick(bench);
    expect_violation(bench, "not INCR");

    bench = make_bench(&options);
    offer_read(bench, BASE, 1);
    bench->out.arsize = 2;
    tick(bench);
    expect_violation(bench, "ARSIZE");

    bench = make_bench(&options);
    offer_write(bench, BASE, 2);
    give_address(bench, &bench->out.awvalid, &bench->in.awready);
    bench->out.wvalid = bench->out.wlast = 1;
    give_address(bench, &bench->out.wvalid, &bench->in.wready);
    expect_violation(bench, "WLAST");

    bench = make_bench(&options);
    add_fault(bench, AXI_FAULT_STUCK, 0, AXI_AR);
    offer_read(bench, BASE, 1);
    tick(bench);
    bench->out.araddr += 16;
    tick(bench);
    expect_violation(bench, "AR changed");

    bench = make_bench(&options);
    add_fault(bench, AXI_FAULT_STUCK, 0, AXI_AW);
    offer_write(bench, BASE, 1);
    tick(bench);
    bench->out.awvalid = 0;
    tick(bench);
    expect_violation(bench, "AW changed");

    bench = make_bench(&options);
    bench->out.wvalid = 1;
    tick(bench);
    bench->out.wdata[3] ^= 1;
    tick(bench);
    expect_violation(bench, "W changed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_take_their_latency_and_then_a_cycle_a_beat),
        cmocka_unit_test(bandwidth_is_what_was_set),
        cmocka_unit_test(random_stalls_change_nothing_but_time),
        cmocka_unit_test(strobes_choose_the_bytes),
        cmocka_unit_test(nothing_there_is_a_decode_error),
        cmocka_unit_test(faults_happen_once_where_they_were_set),
        cmocka_unit_test(stuck_channels_stand_still_until_released),
        cmocka_unit_test(broken_rules_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
