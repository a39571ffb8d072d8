/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backend "xrt": a card behind the Xilinx Runtime. Device memory is buffers of XRT, each with a
 * copy on the host's side that is synchronized at once; a run is an xrt::run. All of XRT's
 * exceptions end in guard().
 *
 * The kernel is opened shared, so XRT gives no access to its registers. What the host needs to know
 * the kernel writes into its record in device memory: a run of 0 images says which kernel this is,
 * and the record of each run how it ended and what it cost (docs/device-program.md).
 */
#include "card.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <exception>

namespace {

constexpr milliseconds CLOSE_TIMEOUT{60000};

bittern_status xrt_list(size_t index, bittern_device_info *info, bittern_error *err)
{
    memset(info, 0, sizeof *info);
    return guard("looking for cards", err, [&] {
        xrt::device device;
        if (index >= std::max(count_cards(), 1U)) {
            return bittern_error_set(err, BITTERN_ERR_NOT_FOUND, "there are no more cards");
        }
        xrt_options options{};
        options.index = static_cast<uint32_t>(index);
        bittern_status status = open_card(options, &device, err);
        if (status != BITTERN_OK) {
            return status;
        }
        (void)snprintf(info->name, sizeof info->name, "xrt:%zu", index);
        (void)snprintf(info->description, sizeof info->description, "card %s",
                       device.get_info<xrt::info::device::name>().c_str());
        /* Which kernel is on it shows when it is opened. */
        (void)snprintf(info->geometry.name, sizeof info->geometry.name, "-");
        return BITTERN_OK;
    });
}

void xrt_close(void *handle)
{
    auto *card = static_cast<struct card *>(handle);
    (void)guard("closing the card", nullptr, [&] {
        if (card->running) {
            /* Memory must not go while the kernel writes to it; its watchdog ends it. */
            auto now = clock_type::now();
            (void)poll_until(card->run, now, now + CLOSE_TIMEOUT);
        }
        delete card;
        return BITTERN_OK;
    });
}

bittern_status xrt_open(const char *address, void **handle, bittern_error *err)
{
    xrt_options options;

    *handle = nullptr;
    bittern_status status = xrt_options_parse(address, &options, err);
    if (status != BITTERN_OK) {
        return status;
    }
    card *opened = nullptr;
    status = guard("opening the card", err, [&] {
        opened = new card;
        return open_all(*opened, options, err);
    });
    if (status != BITTERN_OK) {
        if (opened) {
            xrt_close(opened);
        }
        return status;
    }
    *handle = opened;
    return BITTERN_OK;
}

bittern_status xrt_discover(void *handle, bittern_device_info *info, bittern_error * /*err*/)
{
    *info = static_cast<card *>(handle)->info;
    return BITTERN_OK;
}

bittern_status xrt_allocate(void *handle, uint64_t size, uint64_t *address, bittern_error *err)
{
    auto &card = *static_cast<struct card *>(handle);
    *address = 0;
    return guard("device memory", err, [&] {
        if (size > SIZE_MAX / 2) {
            return bittern_error_set(err, BITTERN_ERR_MEMORY, "a buffer of %" PRIu64 " bytes",
                                     size);
        }
        xrt::bo buffer = new_buffer(card, size);
        *address = buffer.address();
        card.buffers.emplace(*address, std::move(buffer));
        return BITTERN_OK;
    });
}

bittern_status xrt_release(void *handle, uint64_t address, bittern_error *err)
{
    auto &card = *static_cast<struct card *>(handle);
    if (card.running) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "memory cannot be released while a run is in progress; wait for "
                                 "its end first");
    }
    return guard("device memory", err, [&] {
        return card.buffers.erase(address) == 1
                   ? BITTERN_OK
                   : bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                       "there is no buffer at address 0x%" PRIx64, address);
    });
}

bittern_status no_buffer(uint64_t address, size_t size, bittern_error *err)
{
    return bittern_error_set(err, BITTERN_ERR_RANGE,
                             "%zu bytes at address 0x%" PRIx64 " are not within one buffer", size,
                             address);
}

bittern_status xrt_write(void *handle, uint64_t address, const void *data, size_t size,
                         bittern_error *err)
{
    auto &card = *static_cast<struct card *>(handle);
    uint64_t offset = 0;
    xrt::bo *buffer = find_buffer(card, address, size, &offset);
    return buffer ? guard("writing to the card", err,
                          [&] {
                              write_buffer(*buffer, data, size, offset);
                              return BITTERN_OK;
                          })
                  : no_buffer(address, size, err);
}

bittern_status xrt_read(void *handle, uint64_t address, void *data, size_t size, bittern_error *err)
{
    auto &card = *static_cast<struct card *>(handle);
    uint64_t offset = 0;
    xrt::bo *buffer = find_buffer(card, address, size, &offset);
    return buffer ? guard("reading from the card", err,
                          [&] {
                              read_buffer(*buffer, data, size, offset);
                              return BITTERN_OK;
                          })
                  : no_buffer(address, size, err);
}

bittern_status xrt_start(void *handle, const bittern_start *start, bittern_error *err)
{
    static const uint8_t nothing[KERNEL_RECORD_HEAD] = {0};
    auto &card = *static_cast<struct card *>(handle);
    uint64_t offset = 0;

    if (card.running) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "a run is in progress; wait for its end before the next start");
    }
    xrt::bo *record = find_buffer(card, start->record, sizeof nothing, &offset);
    if (!record || start->record_bytes < sizeof nothing) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "there is no room for the record");
    }
    return guard("the start of a run", err, [&] {
        /* So that a record of an earlier run cannot pass for this one's. */
        write_buffer(*record, nothing, sizeof nothing, offset);
        card.start = *start;
        card.error = bittern_error{};
        card.started = clock_type::now();
        start_run(card);
        card.has_run = card.running = true;
        std::lock_guard<std::mutex> held(card.lock);
        card.counting = true;
        card.counters = bittern_counters{};
        return BITTERN_OK;
    });
}

bittern_status xrt_wait(void *handle, uint32_t timeout_ms, bittern_error *err)
{
    auto &card = *static_cast<struct card *>(handle);

    if (!card.has_run) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE, "nothing was started");
    }
    if (card.running) {
        bool ended = false;
        bittern_status status = guard("waiting for the card", err, [&] {
            ended =
                poll_until(card.run, card.started, clock_type::now() + milliseconds(timeout_ms));
            return BITTERN_OK;
        });
        if (status == BITTERN_OK && !ended) {
            status = bittern_error_set(err, BITTERN_ERR_TIMEOUT,
                                       "the run did not end within %" PRIu32 " ms", timeout_ms);
        }
        if (status != BITTERN_OK) {
            return status;
        }
        finish_run(card);
    }
    if (card.status != BITTERN_OK && err) {
        *err = card.error;
    }
    return card.status;
}

bittern_status xrt_counters(void *handle, bittern_counters *counters, bittern_error * /*err*/)
{
    auto &card = *static_cast<struct card *>(handle);
    std::lock_guard<std::mutex> held(card.lock);
    *counters = card.counters;
    if (card.counting) {
        counters->nanoseconds = static_cast<uint64_t>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(clock_type::now() - card.started)
                .count());
    }
    return BITTERN_OK;
}

} // namespace

extern "C" __attribute__((visibility("default"))) const bittern_backend *bittern_backend_entry()
{
    static const bittern_backend verbs = {
        BITTERN_BACKEND_VERSION,
        "xrt",
        xrt_list,
        xrt_open,
        xrt_close,
        xrt_discover,
        xrt_allocate,
        xrt_release,
        xrt_write,
        xrt_read,
        xrt_start,
        xrt_wait,
        xrt_counters,
    };
    return &verbs;
}
