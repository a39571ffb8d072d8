/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two independent sides. Reads: address bursts wait in a ring for their latency, then give their
 * beats in order. Writes: an address burst takes the data beats that follow, then waits in a second
 * ring for its response. All bursts of a direction are answered in order, whatever their ID.
 */
#include "axi_memory.h"
#include "axi_check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RING 32 /* open bursts a direction; a power of two */
#define MAX_FAULTS 8
#define RESPONSE_OKAY 0
#define RESPONSE_DECERR 3
#define FULL_RATE 65536 /* beats a cycle are counted in 1/65536 */

struct burst {
    uint8_t *data; /* NULL: nothing is at its address */
    uint64_t address;
    uint64_t ready; /* cycle from which its beats, or its response, can be offered */
    uint32_t beats; /* left */
    uint8_t id, response;
};

struct ring {
    struct burst items[RING];
    uint32_t head, count;
};

struct axi_memory {
    struct axi_memory_options options;
    uint32_t beat_bytes;
    axi_memory_find find;
    void *user;
    uint64_t cycle, run_started;
    uint64_t random;
    uint32_t stall_limit; /* a random byte below it stalls */
    uint32_t rate;        /* of FULL_RATE */
    uint32_t read_credit, write_credit;
    uint64_t full_strobe;

    struct ring reads, writes, responses;
    bool r_offered, b_offered; /* stays until taken, as a slave must */

    struct axi_fault faults[MAX_FAULTS];
    size_t fault_count;
    bool has_stuck;
    struct axi_memory_statistics statistics;
    struct axi_check check;
};

/* ---- Create and set -------------------------------------------------------------------------- */

static bittern_status check_options(const struct axi_memory_options *options,
                                    struct bittern_error *err)
{
    if (options->read_latency < 1 || options->write_latency < 1) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "a memory's latency is at least 1");
    }
    if (!(options->beats_per_cycle > 0.0 && options->beats_per_cycle <= 1.0)) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "a memory's bandwidth is more than 0 and at most 1 beat a cycle");
    }
    if (options->stall_percent > 95) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "a memory can stall 0 to 95 %% of the cycles");
    }
    return BITTERN_OK;
}

bittern_status axi_memory_create(const struct axi_memory_options *options, uint32_t beat_bytes,
                                 axi_memory_find find, void *user, struct axi_memory **memory_out,
                                 struct bittern_error *err)
{
    *memory_out = NULL;
    bittern_status status = check_options(options, err);
    if (status != BITTERN_OK) {
        return status;
    }
    struct axi_memory *memory = calloc(1, sizeof *memory);
    if (!memory) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a memory model");
    }
    memory->options = *options;
    memory->beat_bytes = beat_bytes;
    memory->find = find;
    memory->user = user;
    memory->random = options->seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    memory->stall_limit = options->stall_percent * 256 / 100;
    memory->rate = (uint32_t)(options->beats_per_cycle * FULL_RATE + 0.5);
    memory->rate = memory->rate > 0 ? memory->rate : 1;
    memory->full_strobe = beat_bytes == 64 ? UINT64_MAX : (UINT64_C(1) << beat_bytes) - 1;
    axi_check_init(&memory->check, beat_bytes);
    *memory_out = memory;
    return BITTERN_OK;
}

void axi_memory_free(struct axi_memory *memory)
{
    free(memory);
}

bittern_status axi_memory_add_fault(struct axi_memory *memory, const struct axi_fault *fault,
                                    struct bittern_error *err)
{
    if (memory->fault_count == MAX_FAULTS) {
        return bittern_error_set(err, BITTERN_ERR_RANGE, "more than %d faults", MAX_FAULTS);
    }
    memory->faults[memory->fault_count++] = *fault;
    memory->has_stuck = memory->has_stuck || fault->kind == AXI_FAULT_STUCK;
    return BITTERN_OK;
}

void axi_memory_release_stuck(struct axi_memory *memory)
{
    memory->has_stuck = false;
    for (size_t i = 0; i < memory->fault_count; i++) {
        struct axi_fault *fault = &memory->faults[i];
        if (fault->kind == AXI_FAULT_STUCK && memory->cycle - memory->run_started >= fault->at) {
            fault->kind = AXI_FAULT_NONE;
        }
        memory->has_stuck = memory->has_stuck || fault->kind == AXI_FAULT_STUCK;
    }
}

void axi_memory_reset(struct axi_memory *memory)
{
    axi_memory_release_stuck(memory);
    memory->reads.count = memory->writes.count = memory->responses.count = 0;
    memory->r_offered = memory->b_offered = false;
    axi_check_reset(&memory->check);
}

void axi_memory_begin_run(struct axi_memory *memory)
{
    memory->run_started = memory->cycle;
}

/* ---- Rings ----------------------------------------------------------------------------------- */

static struct burst *ring_head(struct ring *ring)
{
    return &ring->items[ring->head];
}

static struct burst *ring_push(struct ring *ring)
{
    return &ring->items[(ring->head + ring->count++) % RING];
}

static void ring_pop(struct ring *ring)
{
    ring->head = (ring->head + 1) % RING;
    ring->count--;
}

/* ---- Faults ---------------------------------------------------------------------------------- */

static bool is_stuck(const struct axi_memory *memory, enum axi_channel channel)
{
    for (size_t i = 0; memory->has_stuck && i < memory->fault_count; i++) {
        const struct axi_fault *fault = &memory->faults[i];
        if (fault->kind == AXI_FAULT_STUCK && fault->value == (uint32_t)channel &&
            memory->cycle - memory->run_started >= fault->at) {
            return true;
        }
    }
    return false;
}

static void flip(uint8_t *data, uint32_t bit)
{
    data[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/* Read beat number statistics.read_beats is about to be offered. */
static void spoil_read(struct axi_memory *memory, const struct burst *burst, struct sim_inputs *in)
{
    for (size_t i = 0; i < memory->fault_count; i++) {
        struct axi_fault *fault = &memory->faults[i];
        bool now = fault->at == memory->statistics.read_beats;
        if (fault->kind == AXI_FAULT_READ_RESPONSE && now) {
            in->rresp = (uint8_t)fault->value;
        } else if (fault->kind == AXI_FAULT_FLIP && now) {
            flip(in->rdata, fault->value % (8 * memory->beat_bytes));
        } else if (fault->kind == AXI_FAULT_FLIP_ADDRESS && fault->at >= burst->address &&
                   fault->at - burst->address < memory->beat_bytes) {
            flip(in->rdata + (fault->at - burst->address), fault->value % 8);
        } else {
            continue;
        }
        fault->kind = AXI_FAULT_NONE;
    }
}

static uint8_t write_response(struct axi_memory *memory, const struct burst *burst)
{
    uint8_t response = burst->data ? RESPONSE_OKAY : RESPONSE_DECERR;
    for (size_t i = 0; i < memory->fault_count; i++) {
        struct axi_fault *fault = &memory->faults[i];
        if (fault->kind == AXI_FAULT_WRITE_RESPONSE &&
            fault->at == memory->statistics.write_bursts) {
            response = (uint8_t)fault->value;
            fault->kind = AXI_FAULT_NONE;
        }
    }
    return response;
}

/* ---- A cycle --------------------------------------------------------------------------------- */

/* Bit c: channel c holds still in this cycle. */
static uint32_t draw_stalls(struct axi_memory *memory)
{
    uint32_t held = 0;
    if (memory->stall_limit > 0) {
        memory->random ^= memory->random << 13; /* xorshift64 (Marsaglia 2003) */
        memory->random ^= memory->random >> 7;
        memory->random ^= memory->random << 17;
        for (uint32_t channel = 0; channel < AXI_CHANNELS; channel++) {
            held |= (uint32_t)((memory->random >> (8 * channel + 16) & 255) < memory->stall_limit)
                    << channel;
        }
    }
    if (memory->has_stuck) {
        for (uint32_t channel = 0; channel < AXI_CHANNELS; channel++) {
            held |= (uint32_t)is_stuck(memory, (enum axi_channel)channel) << channel;
        }
    }
    return held;
}

static bool is_free(uint32_t held, enum axi_channel channel)
{
    return (held >> channel & 1) == 0;
}

/* Credit for one beat comes at the set rate, and is not saved up. */
static bool has_credit(uint32_t *credit, uint32_t rate)
{
    if (*credit < FULL_RATE) {
        *credit += rate;
    }
    return *credit >= FULL_RATE;
}

static void offer_read(struct axi_memory *memory, struct sim_inputs *in)
{
    const struct burst *burst = ring_head(&memory->reads);

    memory->r_offered = true;
    in->rvalid = 1;
    in->rlast = burst->beats == 1;
    in->rid = burst->id;
    in->rresp = burst->data ? RESPONSE_OKAY : RESPONSE_DECERR;
    if (burst->data) {
        memcpy(in->rdata, burst->data, memory->beat_bytes);
    } else {
        memset(in->rdata, 0xA5, memory->beat_bytes);
    }
    if (memory->fault_count > 0) {
        spoil_read(memory, burst, in);
    }
}

void axi_memory_drive(struct axi_memory *memory, struct sim_inputs *in)
{
    uint32_t held = draw_stalls(memory);
    bool read_credit = has_credit(&memory->read_credit, memory->rate);
    bool write_credit = has_credit(&memory->write_credit, memory->rate);

    in->arready = is_free(held, AXI_AR) && memory->reads.count < RING;
    in->awready = is_free(held, AXI_AW) && memory->writes.count < RING;
    in->wready = is_free(held, AXI_W) && memory->writes.count > 0 &&
                 memory->responses.count < RING && write_credit;
    if (!memory->r_offered) {
        in->rvalid = 0;
        if (memory->reads.count > 0) {
            if (is_free(held, AXI_R) && read_credit &&
                ring_head(&memory->reads)->ready <= memory->cycle) {
                offer_read(memory, in);
            } else {
                memory->statistics.read_wait_cycles++;
            }
        }
    }
    if (!memory->b_offered) {
        const struct burst *burst = ring_head(&memory->responses);
        memory->b_offered =
            memory->responses.count > 0 && is_free(held, AXI_B) && burst->ready <= memory->cycle;
        in->bvalid = memory->b_offered;
        in->bresp = burst->response;
        in->bid = burst->id;
    }
}

static void take_address(struct axi_memory *memory, struct ring *ring, uint64_t address,
                         uint8_t length, uint8_t id)
{
    struct burst *burst = ring_push(ring);
    burst->address = address;
    burst->beats = (uint32_t)length + 1;
    burst->id = id;
    burst->ready = memory->cycle + memory->options.read_latency;
    burst->data = memory->find(memory->user, address, (uint64_t)burst->beats * memory->beat_bytes);
}

static void take_read_beat(struct axi_memory *memory)
{
    struct burst *burst = ring_head(&memory->reads);

    memory->r_offered = false;
    memory->read_credit -= FULL_RATE;
    memory->statistics.read_beats++;
    burst->address += memory->beat_bytes;
    burst->data = burst->data ? burst->data + memory->beat_bytes : NULL;
    if (--burst->beats == 0) {
        memory->statistics.read_bursts++;
        ring_pop(&memory->reads);
    }
}

static void store(const struct axi_memory *memory, uint8_t *data, const struct sim_outputs *out)
{
    if (out->wstrb == memory->full_strobe) {
        memcpy(data, out->wdata, memory->beat_bytes);
        return;
    }
    for (uint32_t i = 0; i < memory->beat_bytes; i++) {
        if (out->wstrb >> i & 1) {
            data[i] = out->wdata[i];
        }
    }
}

static void take_write_beat(struct axi_memory *memory, const struct sim_outputs *out)
{
    struct burst *burst = ring_head(&memory->writes);

    memory->write_credit -= FULL_RATE;
    memory->statistics.write_beats++;
    if (burst->data) {
        store(memory, burst->data, out);
        burst->data += memory->beat_bytes;
    }
    burst->beats--;
    if ((out->wlast != 0) != (burst->beats == 0)) {
        axi_check_fail(&memory->check, memory->cycle,
                       "WLAST is %u with %" PRIu32 " beats of the burst left", (unsigned)out->wlast,
                       burst->beats);
    }
    if (burst->beats == 0) {
        struct burst *response = ring_push(&memory->responses);
        *response = *burst;
        response->ready = memory->cycle + memory->options.write_latency;
        response->response = write_response(memory, burst);
        memory->statistics.write_bursts++;
        ring_pop(&memory->writes);
    }
}

void axi_memory_clock(struct axi_memory *memory, const struct sim_inputs *in,
                      const struct sim_outputs *out)
{
    axi_check_cycle(&memory->check, in, out, memory->cycle);
    if (in->ap_rst_n) {
        if (in->rvalid) {
            if (out->rready) {
                take_read_beat(memory);
            } else {
                memory->statistics.read_held_cycles++;
            }
        }
        if (in->bvalid && out->bready) {
            memory->b_offered = false;
            ring_pop(&memory->responses);
        }
        if (out->wvalid) {
            if (in->wready) {
                take_write_beat(memory, out);
            } else {
                memory->statistics.write_held_cycles++;
            }
        }
        if (out->arvalid && in->arready) {
            take_address(memory, &memory->reads, out->araddr, out->arlen, out->arid);
        }
        if (out->awvalid && in->awready) {
            take_address(memory, &memory->writes, out->awaddr, out->awlen, out->awid);
        }
    }
    memory->cycle++;
}

bool axi_memory_is_idle(const struct axi_memory *memory)
{
    return memory->reads.count == 0 && memory->writes.count == 0 && memory->responses.count == 0;
}

const char *axi_memory_violation(const struct axi_memory *memory)
{
    return memory->check.violation[0] != '\0' ? memory->check.violation : NULL;
}

const struct axi_memory_statistics *axi_memory_get_statistics(const struct axi_memory *memory)
{
    return &memory->statistics;
}
