/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers and runs. A run's end is seen by looking at the state of its command, with pauses that
 * grow with the time that has passed. xrt::run::wait would do on a card, but in XRT's emulation it
 * sleeps for whole seconds, or, with less than 100 ms, never reports that time is up (docs/xrt.md).
 */
#include "card.hpp"

extern "C" {
#include "device/kernel_driver.h"
#include "device/kernel_record.h"
}

#include <algorithm>
#include <cinttypes>
#include <thread>

using std::chrono::microseconds;

static constexpr uint64_t ALIGNMENT = 4096;
static constexpr microseconds SHORTEST_PAUSE{10};
static constexpr microseconds LONGEST_PAUSE{1000};

xrt::bo new_buffer(card &card, uint64_t size)
{
    uint64_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    xrt::bo buffer(card.loaded->device, rounded, xrt::bo::flags::normal, card.group);
    if (buffer.address() == 0) {
        card.at_zero.push_back(buffer);
        buffer = xrt::bo(card.loaded->device, rounded, xrt::bo::flags::normal, card.group);
    }
    return buffer;
}

xrt::bo *find_buffer(card &card, uint64_t address, uint64_t size, uint64_t *offset)
{
    auto next = card.buffers.upper_bound(address);
    if (next == card.buffers.begin()) {
        return nullptr;
    }
    auto &entry = *std::prev(next);
    *offset = address - entry.first;
    uint64_t room = entry.second.size();
    return *offset <= room && size <= room - *offset ? &entry.second : nullptr;
}

/* A buffer as such, so that XRT can check its memory bank; any other address as a number. */
static void set_address(card &card, int index, uint64_t address)
{
    auto buffer = card.buffers.find(address);
    if (address == 0) {
        card.run.set_arg(index, card.own);
    } else if (buffer != card.buffers.end()) {
        card.run.set_arg(index, buffer->second);
    } else {
        card.run.set_arg(index, address);
    }
}

void start_run(card &card)
{
    const uint64_t addresses[ADDRESSES] = {card.start.program, card.start.input, card.start.output,
                                           card.start.scratch, card.start.record};
    for (int i = 0; i < ADDRESSES; i++) {
        set_address(card, i, addresses[i]);
    }
    card.run.set_arg(IMAGES, card.start.images);
    card.run.start();
}

static bool is_over(ert_cmd_state state)
{
    return state >= ERT_CMD_STATE_COMPLETED && state != ERT_CMD_STATE_SUBMITTED;
}

bool poll_until(const xrt::run &run, clock_type::time_point start, clock_type::time_point end)
{
    while (!is_over(run.state())) {
        auto now = clock_type::now();
        if (now >= end) {
            return false;
        }
        auto pause = std::chrono::duration_cast<microseconds>(now - start) / 64;
        std::this_thread::sleep_for(std::clamp(pause, SHORTEST_PAUSE, LONGEST_PAUSE));
    }
    return true;
}

static const char *state_text(ert_cmd_state state)
{
    switch (state) {
    case ERT_CMD_STATE_ERROR:
        return "error";
    case ERT_CMD_STATE_ABORT:
        return "aborted";
    case ERT_CMD_STATE_TIMEOUT:
        return "timed out";
    case ERT_CMD_STATE_NORESPONSE:
        return "no response";
    default:
        return "failed";
    }
}

bittern_status check_state(ert_cmd_state state, bittern_error *err)
{
    if (state == ERT_CMD_STATE_COMPLETED) {
        return BITTERN_OK;
    }
    return bittern_error_set(err, BITTERN_ERR_DEVICE,
                             "XRT gave up the run (state %d, %s): the card was lost or reset, or "
                             "the kernel does not answer; see 'xbutil examine' and the kernel log, "
                             "then 'xbutil reset' and run again",
                             static_cast<int>(state), state_text(state));
}

void read_buffer(xrt::bo &buffer, void *data, uint64_t size, uint64_t offset)
{
    buffer.sync(XCL_BO_SYNC_BO_FROM_DEVICE, size, offset);
    buffer.read(data, size, offset);
}

void write_buffer(xrt::bo &buffer, const void *data, uint64_t size, uint64_t offset)
{
    buffer.write(data, size, offset);
    buffer.sync(XCL_BO_SYNC_BO_TO_DEVICE, size, offset);
}

/* What the record says; only after error 11 there is none. */
static bittern_status check_record(card &card, bittern_error *err)
{
    uint8_t head[KERNEL_RECORD_HEAD];
    kernel_record record;
    uint64_t offset = 0;
    xrt::bo *buffer = find_buffer(card, card.start.record, sizeof head, &offset);

    if (!buffer) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE, "the run's record was released");
    }
    read_buffer(*buffer, head, sizeof head, offset);
    if (!kernel_record_parse(head, &record)) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "the kernel ended with error %d (%s), the only one after which it "
                                 "leaves no record: device memory stopped answering for as long as "
                                 "the watchdog waits; reset the card ('xbutil reset') if it stays",
                                 KERNEL_ERROR_HANDSHAKE, kernel_error_name(KERNEL_ERROR_HANDSHAKE));
    }
    {
        std::lock_guard<std::mutex> held(card.lock);
        uint64_t nanoseconds = card.counters.nanoseconds;
        card.counters = record.counters;
        card.counters.nanoseconds = nanoseconds;
    }
    if (record.error_code == 0 && record.images != card.start.images) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "the kernel was done after %" PRIu32 " of %" PRIu32 " images",
                                 record.images, card.start.images);
    }
    return kernel_error_set(record.error_code, record.descriptor, err);
}

void finish_run(card &card)
{
    auto passed = clock_type::now() - card.started;
    {
        std::lock_guard<std::mutex> held(card.lock);
        card.counting = false;
        card.counters.nanoseconds = static_cast<uint64_t>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(passed).count());
    }
    card.running = false;
    card.status = guard("the end of the run", &card.error, [&] {
        bittern_status status = check_state(card.run.state(), &card.error);
        return status == BITTERN_OK ? check_record(card, &card.error) : status;
    });
}
