/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record holds the array's ports just before an edge. A step of the netlist is that edge's
 * predecessor and what follows: registers and inputs change, all settles, and then the accumulators
 * are those of the record. A burst's first cycles fill the pipeline, whose earlier contents are not
 * known; then the accumulators are set to the recorded sums, and counting begins.
 */
#include "replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAMS 64
/* Registers on an operand's way, and one more. */
#define FILL_CYCLES 5
#define MAX_CHANNELS 256
#define MAX_LANES 64
#define MAX_WORD 512
#define MAX_ACC 32

/* The netlist's ports, and which streams have which lane and channel. */
struct wiring {
    const struct recording *recording;
    uint32_t word, px, oc, acc_bits;
    uint32_t first_unit, units; /* of this group; unit o * PX + j is stream unit - first_unit */
    uint64_t streams;
    uint64_t lane[MAX_LANES], channel[MAX_CHANNELS];
    int ce, int_mode, sum_first, sum_enable;
    int act[MAX_WORD], wgt[MAX_WORD], neg[MAX_WORD / 8], nonzero[MAX_WORD / 8];
    int zero[2], odd[2], acc[MAX_ACC];
};

static bool find_bits(const struct netlist *netlist, const char *port, uint32_t bits, int *nets)
{
    bool found = true;
    for (uint32_t i = 0; i < bits; i++) {
        nets[i] = netlist_find_port(netlist, port, (int)i);
        found = found && nets[i] >= 0;
    }
    return found;
}

static bittern_status find_ports(const struct netlist *netlist, struct wiring *w,
                                 struct bittern_error *err)
{
    w->ce = netlist_find_port(netlist, "ce", -1);
    w->int_mode = netlist_find_port(netlist, "int_mode", -1);
    w->sum_first = netlist_find_port(netlist, "sum_first", -1);
    w->sum_enable = netlist_find_port(netlist, "sum_enable", -1);
    bool found = w->ce >= 0 && w->int_mode >= 0 && w->sum_first >= 0 && w->sum_enable >= 0 &&
                 find_bits(netlist, "act", w->word, w->act) &&
                 find_bits(netlist, "wgt", w->word, w->wgt) &&
                 find_bits(netlist, "neg", w->word / 8, w->neg) &&
                 find_bits(netlist, "nonzero", w->word / 8, w->nonzero) &&
                 find_bits(netlist, "zero", 2, w->zero) && find_bits(netlist, "odd", 2, w->odd) &&
                 find_bits(netlist, "acc", w->acc_bits, w->acc);
    return found ? BITTERN_OK
                 : bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                     "the netlist is not that of a compute unit with words of "
                                     "%" PRIu32 " bits",
                                     w->word);
}

static void choose_units(struct wiring *w, uint32_t first)
{
    uint32_t all = w->oc * w->px;

    memset(w->lane, 0, sizeof w->lane);
    memset(w->channel, 0, sizeof w->channel);
    w->first_unit = first;
    w->units = all - first < STREAMS ? all - first : STREAMS;
    w->streams = w->units == STREAMS ? ~UINT64_C(0) : (UINT64_C(1) << w->units) - 1;
    for (uint32_t s = 0; s < w->units; s++) {
        w->lane[(first + s) % w->px] |= UINT64_C(1) << s;
        w->channel[(first + s) / w->px] |= UINT64_C(1) << s;
    }
}

static bool bit_of(const uint8_t *bytes, size_t bit)
{
    return bytes[bit / 8] >> (bit % 8) & 1;
}

/* Offer bits of `count` owners (lanes or channels), `bits` each, to their streams. */
static void offer(struct netlist *netlist, const uint8_t *field, const uint64_t *owners,
                  uint32_t count, uint32_t bits, const int *nets)
{
    for (uint32_t b = 0; b < bits; b++) {
        uint64_t value = 0;
        for (uint32_t i = 0; i < count; i++) {
            value |= bit_of(field, (size_t)i * bits + b) ? owners[i] : 0;
        }
        netlist_set_input(netlist, nets[b], value);
    }
}

static void offer_record(struct netlist *netlist, const struct wiring *w, const uint8_t *record)
{
    const size_t *offset = w->recording->field_offset;
    uint8_t flags = record[0];

    netlist_set_input(netlist, w->ce, flags & ACTIVITY_FLAG_CE ? ~UINT64_C(0) : 0);
    netlist_set_input(netlist, w->int_mode, flags & ACTIVITY_FLAG_INT_MODE ? ~UINT64_C(0) : 0);
    netlist_set_input(netlist, w->sum_first, flags & ACTIVITY_FLAG_SUM_FIRST ? ~UINT64_C(0) : 0);
    netlist_set_input(netlist, w->sum_enable, flags & ACTIVITY_FLAG_SUM_ENABLE ? ~UINT64_C(0) : 0);
    offer(netlist, record + offset[ACTIVITY_ACT], w->lane, w->px, w->word, w->act);
    offer(netlist, record + offset[ACTIVITY_ZERO], w->lane, w->px, 2, w->zero);
    offer(netlist, record + offset[ACTIVITY_ODD], w->lane, w->px, 2, w->odd);
    offer(netlist, record + offset[ACTIVITY_WEIGHT], w->channel, w->oc, w->word, w->wgt);
    offer(netlist, record + offset[ACTIVITY_NEGATIVE], w->channel, w->oc, w->word / 8, w->neg);
    offer(netlist, record + offset[ACTIVITY_NONZERO], w->channel, w->oc, w->word / 8, w->nonzero);
}

/* Bit `bit` of each stream's recorded sum. */
static uint64_t recorded_sums(const struct wiring *w, const uint8_t *record, uint32_t bit)
{
    const uint8_t *acc = record + w->recording->field_offset[ACTIVITY_ACC];
    uint64_t value = 0;
    for (uint32_t s = 0; s < w->units; s++) {
        value |= (uint64_t)bit_of(acc, (size_t)(w->first_unit + s) * w->acc_bits + bit) << s;
    }
    return value;
}

static bool set_sums(struct netlist *netlist, const struct wiring *w, const uint8_t *record)
{
    bool set = true;
    for (uint32_t b = 0; b < w->acc_bits; b++) {
        set = netlist_force(netlist, w->acc[b], recorded_sums(w, record, b)) && set;
    }
    return set;
}

static bool sums_agree(const struct netlist *netlist, const struct wiring *w, const uint8_t *record)
{
    for (uint32_t b = 0; b < w->acc_bits; b++) {
        if ((netlist_value(netlist, w->acc[b]) ^ recorded_sums(w, record, b)) & w->streams) {
            return false;
        }
    }
    return true;
}

static bittern_status replay_burst(struct netlist *netlist, const struct wiring *w,
                                   const struct recording_burst *burst, bool delayed,
                                   struct replay_result *result, struct bittern_error *err)
{
    struct toggles *toggles = delayed ? &result->delayed : &result->settled;
    uint32_t filled = 0; /* cycles in which the pipeline moved */
    bool counting = false;

    netlist_reset(netlist);
    for (uint32_t c = 0; c < burst->cycles; c++) {
        const uint8_t *record = burst->records + c * w->recording->record_bytes;
        bool first = !counting && filled >= FILL_CYCLES;
        if (first && !set_sums(netlist, w, record)) {
            return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                     "the netlist's sums do not come from registers");
        }
        offer_record(netlist, w, record);
        bittern_status status =
            netlist_step(netlist, delayed, w->streams, counting ? toggles : NULL, err);
        if (status != BITTERN_OK) {
            return status;
        }
        if ((counting || first) && !sums_agree(netlist, w, record)) {
            return bittern_error_set(err, BITTERN_ERR_MISMATCH,
                                     "the netlist's sums are not those of the simulated kernel, "
                                     "units %" PRIu32 " and on, cycle %" PRIu32 " of a burst",
                                     w->first_unit, c);
        }
        if (counting && !delayed) {
            result->sums += w->units;
            if (w->first_unit == 0) {
                result->cycles++;
                result->compute_cycles += (record[0] & ACTIVITY_FLAG_CE) != 0 &&
                                          (record[0] & ACTIVITY_FLAG_SUM_ENABLE) != 0;
            }
        }
        counting = counting || first;
        filled += (record[0] & ACTIVITY_FLAG_CE) != 0;
    }
    return BITTERN_OK;
}

bittern_status replay_layer(struct netlist *netlist, const struct recording *recording,
                            const struct recording_layer *layer, struct replay_result *result,
                            struct bittern_error *err)
{
    struct wiring *w = calloc(1, sizeof *w);

    *result = (struct replay_result){0};
    if (!w) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory to replay a recording");
    }
    *w = (struct wiring){.recording = recording,
                         .word = recording->head.word_bits,
                         .px = recording->head.pixels,
                         .oc = recording->head.output_channels,
                         .acc_bits = recording->head.acc_bits};
    bittern_status status = find_ports(netlist, w, err);
    for (uint32_t first = 0; status == BITTERN_OK && first < w->oc * w->px; first += STREAMS) {
        choose_units(w, first);
        for (uint32_t b = 0; status == BITTERN_OK && b < layer->head.bursts; b++) {
            status = replay_burst(netlist, w, &layer->bursts[b], false, result, err);
            if (status == BITTERN_OK) {
                status = replay_burst(netlist, w, &layer->bursts[b], true, result, err);
            }
        }
    }
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "layer %" PRIu32, layer->head.number);
    }
    free(w);
    return status;
}
