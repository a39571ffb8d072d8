/* SPDX-License-Identifier: Apache-2.0 */
/* A card behind XRT: what backend.cpp (the interface), card_open.cpp and card_run.cpp share. */
#ifndef BITTERN_XRT_CARD_HPP
#define BITTERN_XRT_CARD_HPP

#include "xrt_options.h"

#include <bittern/device.h>

#include <xrt/xrt_bo.h>
#include <xrt/xrt_device.h>
#include <xrt/xrt_kernel.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

extern "C" {
#include "device/kernel_registers.h"
}

using clock_type = std::chrono::steady_clock;
using std::chrono::milliseconds;

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
template <typename Body> bittern_status guard(const char *what, bittern_error *err, Body body)
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

/* ---- card_open.cpp ----------------------------------------------------------------------------
 */

bittern_status open_card(const xrt_options &options, xrt::device *device, bittern_error *err);
/* Throws where XRT itself is not set up. 0 does not mean that there is none: emulated cards are not
 * counted. */
unsigned count_cards();
/* Load the .xclbin, find the kernel, and have it say what it is. */
bittern_status open_all(card &card, const xrt_options &options, bittern_error *err);

/* ---- card_run.cpp -----------------------------------------------------------------------------
 */

xrt::bo new_buffer(card &card, uint64_t size);
/* The buffer that holds size bytes at an address, and where in it they are; NULL where none does.
 */
xrt::bo *find_buffer(card &card, uint64_t address, uint64_t size, uint64_t *offset);
void read_buffer(xrt::bo &buffer, void *data, uint64_t size, uint64_t offset);
void write_buffer(xrt::bo &buffer, const void *data, uint64_t size, uint64_t offset);

/* Start what card.start says. */
void start_run(card &card);
/* Look until the run is over: false where time is up first. */
bool poll_until(const xrt::run &run, clock_type::time_point start, clock_type::time_point end);
/* Did XRT bring the run to its end? */
bittern_status check_state(ert_cmd_state state, bittern_error *err);
/* The run is over: take its result and counters. */
void finish_run(card &card);

#endif
