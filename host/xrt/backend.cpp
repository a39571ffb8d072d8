/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backend "xrt": a card behind the Xilinx Runtime. Device memory is buffers of XRT, each with a
 * copy on the host's side that is synchronized at once; a run is an xrt::run. All of XRT's exceptions
 * end in guard().
 *
 * The kernel is opened shared, so XRT gives no access to its registers. What the host needs to know
 * the kernel writes into its record in device memory: a run of 0 images says which kernel this is,
 * and the record of each run how it ended and what it cost (docs/device-program.md).
 *
 * A run's end is seen by looking at the state of its command, with pauses that grow with the time
 * that has passed. xrt::run::wait would do on a card, but in XRT's emulation it sleeps for whole
 * seconds, or, with less than 100 ms, never reports that time is up (docs/xrt.md).
 */
#include "xclbin_file.h"
#include "xrt_options.h"

extern "C" {
#include "device/kernel_driver.h"
#include "device/kernel_record.h"
}

#include <bittern/accelerator.h>
#include <bittern/device.h>

#include <experimental/xrt_system.h>
#include <xrt/xrt_bo.h>
#include <xrt/xrt_device.h>
#include <xrt/xrt_kernel.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr uint64_t ALIGNMENT = 4096;
constexpr auto KERNEL_NAME = "bittern_kernel";
constexpr milliseconds IDENTIFY_TIMEOUT{60000};
constexpr milliseconds CLOSE_TIMEOUT{60000};
constexpr microseconds SHORTEST_PAUSE{10};
constexpr microseconds LONGEST_PAUSE{1000};

/* The arguments, in their order; addresses first. */
constexpr uint32_t ARGUMENTS[] = {KERNEL_PROGRAM, KERNEL_INPUT,  KERNEL_OUTPUT,
                                  KERNEL_SCRATCH, KERNEL_RECORD, KERNEL_IMAGES};
constexpr int ADDRESSES = 5;
constexpr int IMAGES = 5;

/* A card with its .xclbin. Those of one process share it: where each of them loaded the file, an
 * emulated card would start anew, and the buffers of the others be gone. */
struct loaded_card {
    xrt::device device;
    xrt::uuid uuid;
    std::string name;    /* as it was asked for: a number or a PCIe address */
    std::string address; /* PCIe */
    std::string path, platform;
};

struct card {
    std::shared_ptr<loaded_card> loaded;
    xrt::kernel kernel;
    xrt::run run;
    xrt::memory_group group = 0;
    std::map<uint64_t, xrt::bo> buffers;
    std::vector<xrt::bo> at_zero; /* 0 is "no buffer" to a session, so that one stays unused */
    xrt::bo own;                  /* the record of the first run; stands for absent arguments */
    bittern_device_info info{};

    bool has_run = false;
    bool running = false;
    bittern_start start{};
    clock_type::time_point started;
    bittern_status status = BITTERN_OK; /* of the last finished run */
    bittern_error error{};

    std::mutex lock; /* of what follows: counters may be asked for during a wait */
    bool counting = false;
    bittern_counters counters{};
};

/* Run `body`; an exception becomes an error. XRT throws what has a message, and nothing else. */
template <typename Body>
bittern_status guard(const char *what, bittern_error *err, Body body)
{
    try {
        return body();
    } catch (const std::bad_alloc &) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "%s: no memory", what);
    } catch (const std::exception &exception) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE, "%s: XRT says: %s", what,
                                 exception.what());
    } catch (...) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE, "%s: XRT failed without a reason", what);
    }
}

/* ---- Runs ------------------------------------------------------------------------------------ */

/* The buffer that holds size bytes at an address, and where in it they are; NULL where none does. */
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
void set_address(card &card, int index, uint64_t address)
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

bool is_over(ert_cmd_state state)
{
    return state >= ERT_CMD_STATE_COMPLETED && state != ERT_CMD_STATE_SUBMITTED;
}

/* Look until the run is over: false where time is up first. */
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

const char *state_text(ert_cmd_state state)
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
bittern_status check_record(card &card, bittern_error *err)
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

/* ---- Open ------------------------------------------------------------------------------------ */

/* Throws where XRT itself is not set up. 0 does not mean that there is none: emulated cards are not
 * counted. */
unsigned count_cards()
{
    try {
        return xrt::system::enumerate_devices();
    } catch (const std::exception &exception) {
        throw std::runtime_error(std::string(exception.what()) +
                                 "; XILINX_XRT must name XRT's folder: 'source "
                                 "/opt/xilinx/xrt/setup.sh', or docs/xrt.md for Debian's package");
    }
}

bittern_status open_card(const xrt_options &options, xrt::device *device, bittern_error *err)
{
    unsigned count = count_cards();
    if (!options.has_bdf && count > 0 && options.index >= count) {
        return bittern_error_set(err, BITTERN_ERR_NOT_FOUND,
                                 "there is no card %" PRIu32 ": XRT finds %u, counted from 0",
                                 options.index, count);
    }
    try {
        *device =
            options.has_bdf ? xrt::device(std::string(options.bdf)) : xrt::device(options.index);
    } catch (const std::exception &exception) {
        return bittern_error_set(err, BITTERN_ERR_NOT_FOUND,
                                 "there is no such card: XRT finds %u, and says: %s; see 'xbutil "
                                 "examine', and whether the driver (xocl, zocl) is loaded",
                                 count, exception.what());
    }
    return BITTERN_OK;
}

/* Arguments where the driver expects them, and all of them in one bank. */
bittern_status check_arguments(card &card, bittern_error *err)
{
    for (int i = 0; i <= IMAGES; i++) {
        if (card.kernel.offset(i) != ARGUMENTS[i]) {
            return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                     "argument %d of the kernel is at register 0x%02x, not at "
                                     "0x%02x: the .xclbin was built from another version",
                                     i, static_cast<unsigned>(card.kernel.offset(i)),
                                     static_cast<unsigned>(ARGUMENTS[i]));
        }
    }
    int group = card.kernel.group_id(0);
    for (int i = 1; i < ADDRESSES; i++) {
        if (card.kernel.group_id(i) != group) {
            return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                     "the kernel's arguments lie in several memory banks (%d and "
                                     "%d): connect m_axi_gmem to one",
                                     group, card.kernel.group_id(i));
        }
    }
    card.group = static_cast<xrt::memory_group>(group);
    return BITTERN_OK;
}

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

void name_geometry(bittern_geometry *geometry)
{
    bittern_geometry known;
    (void)snprintf(geometry->name, sizeof geometry->name, "unnamed");
    for (size_t i = 0; bittern_geometry_name(i); i++) {
        if (bittern_geometry_find(bittern_geometry_name(i), &known, nullptr) == BITTERN_OK) {
            bittern_geometry renamed = *geometry;
            memcpy(renamed.name, known.name, sizeof renamed.name);
            if (memcmp(&renamed, &known, sizeof known) == 0) {
                *geometry = known;
                return;
            }
        }
    }
}

/* A run of 0 images leaves the kernel's record, and reads nothing. */
bittern_status identify(card &card, bittern_error *err)
{
    uint8_t head[KERNEL_RECORD_HEAD] = {0};

    card.own = new_buffer(card, sizeof head);
    write_buffer(card.own, head, sizeof head, 0);
    start_run(card); /* of a start that is all 0: every address is this buffer's */
    auto start = clock_type::now();
    if (!poll_until(card.run, start, start + IDENTIFY_TIMEOUT)) {
        return bittern_error_set(err, BITTERN_ERR_TIMEOUT,
                                 "the kernel does not end a run of 0 images; reset the card with "
                                 "'xbutil reset'");
    }
    bittern_status status = check_state(card.run.state(), err);
    if (status == BITTERN_OK) {
        read_buffer(card.own, head, sizeof head, 0);
        status = kernel_record_identify(head, &card.info.geometry, err);
    }
    if (status == BITTERN_OK) {
        name_geometry(&card.info.geometry);
    }
    return status;
}

bittern_status check_xclbin(const char *path, bittern_error *err)
{
    xclbin_file file;
    bittern_status status = xclbin_file_read(path, &file, err);
    if (status == BITTERN_OK) {
        xclbin_file_free(&file);
    }
    return status;
}

bittern_status load_xclbin(const xrt_options &options, loaded_card &loaded, bittern_error *err)
{
    char path[XRT_MAX_PATH];

    bittern_status status =
        xrt_options_find_xclbin(&options, loaded.platform.c_str(), path, err);
    if (status == BITTERN_OK) {
        status = check_xclbin(path, err);
    }
    if (status == BITTERN_OK) {
        loaded.path = path;
        loaded.uuid = loaded.device.load_xclbin(loaded.path);
    }
    return status;
}

std::string name_of(const xrt_options &options)
{
    return options.has_bdf ? std::string(options.bdf) : std::to_string(options.index);
}

/* Use what is open already; its file must be the one that is asked for. */
bittern_status check_shared(const xrt_options &options, const loaded_card &loaded,
                            bittern_error *err)
{
    char path[XRT_MAX_PATH];
    bittern_status status =
        xrt_options_find_xclbin(&options, loaded.platform.c_str(), path, err);
    if (status == BITTERN_OK && loaded.path != path) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "this program has the card open with %s; close it before %s is "
                                 "loaded",
                                 loaded.path.c_str(), path);
    }
    return status;
}

/* The one list that outlives a call: the cards that this process has open. They are found by name,
 * as closing a second xrt::device of an emulated card closes the first one, too. */
bittern_status share_card(const xrt_options &options, std::shared_ptr<loaded_card> *shared,
                          bittern_error *err)
{
    static std::mutex lock;
    static std::vector<std::weak_ptr<loaded_card>> open_cards;
    std::string name = name_of(options);

    std::lock_guard<std::mutex> held(lock);
    for (const auto &entry : open_cards) {
        auto known = entry.lock();
        if (known && (known->name == name || known->address == name)) {
            bittern_status status = check_shared(options, *known, err);
            if (status == BITTERN_OK) {
                *shared = known;
            }
            return status;
        }
    }
    auto fresh = std::make_shared<loaded_card>();
    bittern_status status = open_card(options, &fresh->device, err);
    if (status == BITTERN_OK) {
        fresh->name = name;
        fresh->address = fresh->device.get_info<xrt::info::device::bdf>();
        fresh->platform = fresh->device.get_info<xrt::info::device::name>();
        status = load_xclbin(options, *fresh, err);
    }
    if (status == BITTERN_OK) {
        open_cards.erase(std::remove_if(open_cards.begin(), open_cards.end(),
                                        [](const auto &entry) { return entry.expired(); }),
                         open_cards.end());
        open_cards.push_back(fresh);
        *shared = fresh;
    }
    return status;
}

bittern_status open_kernel(card &card, const xrt_options &options, bittern_error *err)
{
    std::string name = KERNEL_NAME;
    if (options.unit > 0) {
        name += ":{" + name + "_" + std::to_string(options.unit) + "}";
    }
    try {
        card.kernel = xrt::kernel(card.loaded->device, card.loaded->uuid, name,
                                  xrt::kernel::cu_access_mode::shared);
    } catch (const std::exception &exception) {
        return bittern_error_set(err, BITTERN_ERR_NOT_FOUND, "there is no kernel '%s': %s",
                                 name.c_str(), exception.what());
    }
    card.run = xrt::run(card.kernel);
    return check_arguments(card, err);
}

bittern_status open_all(card &card, const xrt_options &options, bittern_error *err)
{
    bittern_status status = share_card(options, &card.loaded, err);
    if (status != BITTERN_OK) {
        return status;
    }
    status = open_kernel(card, options, err);
    if (status == BITTERN_OK) {
        status = identify(card, err);
    }
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, "%s", card.loaded->path.c_str());
    }
    (void)snprintf(card.info.name, sizeof card.info.name, "xrt:%.24s", name_of(options).c_str());
    (void)snprintf(card.info.description, sizeof card.info.description, "card %.100s",
                   card.loaded->platform.c_str());
    return status;
}

/* ---- The interface --------------------------------------------------------------------------- */

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
        if (size > SIZE_MAX - ALIGNMENT) {
            return bittern_error_set(err, BITTERN_ERR_MEMORY, "a buffer of %" PRIu64 " bytes", size);
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
            ended = poll_until(card.run, card.started,
                               clock_type::now() + milliseconds(timeout_ms));
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
        counters->nanoseconds =
            static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                      clock_type::now() - card.started)
                                      .count());
    }
    return BITTERN_OK;
}

} // namespace

extern "C" __attribute__((visibility("default"))) const bittern_backend *bittern_backend_entry()
{
    static const bittern_backend verbs = {
        BITTERN_BACKEND_VERSION, "xrt",        xrt_list,     xrt_open,    xrt_close,
        xrt_discover,            xrt_allocate, xrt_release,  xrt_write,   xrt_read,
        xrt_start,               xrt_wait,     xrt_counters,
    };
    return &verbs;
}
