/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a card's name to a kernel that has said what it is: the card, the .xclbin, the kernel's
 * arguments, and a run of 0 images, which leaves the kernel's record and reads nothing.
 */
#include "card.hpp"
#include "xclbin_file.h"

extern "C" {
#include "device/kernel_record.h"
}

#include <bittern/accelerator.h>

#include <experimental/xrt_system.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <stdexcept>

static constexpr auto KERNEL_NAME = "bittern_kernel";
static constexpr milliseconds IDENTIFY_TIMEOUT{60000};

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
static bittern_status check_arguments(card &card, bittern_error *err)
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

static void name_geometry(bittern_geometry *geometry)
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
static bittern_status identify(card &card, bittern_error *err)
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

static bittern_status check_xclbin(const char *path, bittern_error *err)
{
    xclbin_file file;
    bittern_status status = xclbin_file_read(path, &file, err);
    if (status == BITTERN_OK) {
        xclbin_file_free(&file);
    }
    return status;
}

static bittern_status load_xclbin(const xrt_options &options, loaded_card &loaded,
                                  bittern_error *err)
{
    char path[XRT_MAX_PATH];

    bittern_status status = xrt_options_find_xclbin(&options, loaded.platform.c_str(), path, err);
    if (status == BITTERN_OK) {
        status = check_xclbin(path, err);
    }
    if (status == BITTERN_OK) {
        loaded.path = path;
        loaded.uuid = loaded.device.load_xclbin(loaded.path);
    }
    return status;
}

static std::string name_of(const xrt_options &options)
{
    return options.has_bdf ? std::string(options.bdf) : std::to_string(options.index);
}

/* Use what is open already; its file must be the one that is asked for. */
static bittern_status check_shared(const xrt_options &options, const loaded_card &loaded,
                                   bittern_error *err)
{
    char path[XRT_MAX_PATH];
    bittern_status status = xrt_options_find_xclbin(&options, loaded.platform.c_str(), path, err);
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
static bittern_status share_card(const xrt_options &options, std::shared_ptr<loaded_card> *shared,
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

static bittern_status open_kernel(card &card, const xrt_options &options, bittern_error *err)
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
