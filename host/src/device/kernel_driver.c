/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of the kernel as docs/register-map.md has them, in the order that a driver uses them.
 */
#include "device/kernel_driver.h"

#include <inttypes.h>

/* After a channel was stuck, memory may have answered in the meantime: the kernel then needs a
 * moment to get through with what was open. */
#define STUCK_POLLS 1000

static bittern_status read_register(const struct kernel_access *access, uint32_t offset,
                                    uint32_t *value, struct bittern_error *err)
{
    *value = 0;
    return access->read(access->user, offset, value, err);
}

static bittern_status write_register(const struct kernel_access *access, uint32_t offset,
                                     uint32_t value, struct bittern_error *err)
{
    return access->write(access->user, offset, value, err);
}

bittern_status kernel_identify(const struct kernel_access *access,
                               struct bittern_geometry *geometry, struct bittern_error *err)
{
    uint32_t magic;
    bittern_status status = read_register(access, KERNEL_MAGIC, &magic, err);

    if (status != BITTERN_OK) {
        return status;
    }
    if (magic != KERNEL_MAGIC_VALUE) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "the device is no kernel of Bittern: register 0x%03x reads "
                                 "0x%08" PRIx32,
                                 KERNEL_MAGIC, magic);
    }
    status = read_register(access, KERNEL_VERSION, &geometry->version, err);
    if (status == BITTERN_OK && geometry->version != KERNEL_VERSION_VALUE) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "the kernel has version %" PRIu32 " of the hardware interface, "
                                 "this library drives version %" PRIu32,
                                 geometry->version, KERNEL_VERSION_VALUE);
    }
    const struct {
        uint32_t offset;
        uint32_t *value;
    } fields[] = {
        {KERNEL_WORD, &geometry->word_bits},
        {KERNEL_OC, &geometry->output_channels},
        {KERNEL_PX, &geometry->pixels},
        {KERNEL_UNITS, &geometry->units},
        {KERNEL_FEATURE_BYTES, &geometry->feature_bytes},
        {KERNEL_WEIGHT_BYTES, &geometry->weight_bytes},
    };
    for (size_t i = 0; status == BITTERN_OK && i < sizeof fields / sizeof fields[0]; i++) {
        status = read_register(access, fields[i].offset, fields[i].value, err);
    }
    return status;
}

bittern_status kernel_set_watchdog(const struct kernel_access *access, uint32_t cycles,
                                   struct bittern_error *err)
{
    return write_register(access, KERNEL_WATCHDOG, cycles, err);
}

/* ---- Start and end --------------------------------------------------------------------------- */

static bittern_status check_ready(const struct kernel_access *access, struct bittern_error *err)
{
    uint32_t control;
    uint32_t state = 0;
    bittern_status status = read_register(access, KERNEL_CONTROL, &control, err);

    if (status != BITTERN_OK) {
        return status;
    }
    if ((control & KERNEL_CONTROL_START) != 0) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE, "the kernel is busy with another start");
    }
    for (int i = 0; i < STUCK_POLLS; i++) {
        status = read_register(access, KERNEL_STATE, &state, err);
        if (status != BITTERN_OK || state != KERNEL_STATE_STUCK) {
            return status;
        }
    }
    return bittern_error_set(err, BITTERN_ERR_DEVICE,
                             "device memory still has not answered what an earlier run asked for; "
                             "the device needs a reset: open it again");
}

static bittern_status write_address(const struct kernel_access *access, uint32_t offset,
                                    uint64_t address, struct bittern_error *err)
{
    bittern_status status = write_register(access, offset, (uint32_t)address, err);
    if (status == BITTERN_OK) {
        status = write_register(access, offset + 4, (uint32_t)(address >> 32), err);
    }
    return status;
}

bittern_status kernel_start(const struct kernel_access *access, const struct bittern_start *start,
                            struct bittern_error *err)
{
    const struct {
        uint32_t offset;
        uint64_t address;
    } arguments[] = {
        {KERNEL_PROGRAM, start->program}, {KERNEL_INPUT, start->input},
        {KERNEL_OUTPUT, start->output},   {KERNEL_SCRATCH, start->scratch},
        {KERNEL_RECORD, start->record},
    };
    const struct {
        uint32_t offset;
        uint32_t value;
    } last[] = {
        {KERNEL_IMAGES, start->images},
        {KERNEL_INTERRUPT_ENABLE, KERNEL_INTERRUPT_DONE},
        {KERNEL_GLOBAL_INTERRUPT, 1},
        {KERNEL_CONTROL, KERNEL_CONTROL_START},
    };

    bittern_status status = check_ready(access, err);
    for (size_t i = 0; status == BITTERN_OK && i < sizeof arguments / sizeof arguments[0]; i++) {
        status = write_address(access, arguments[i].offset, arguments[i].address, err);
    }
    for (size_t i = 0; status == BITTERN_OK && i < sizeof last / sizeof last[0]; i++) {
        status = write_register(access, last[i].offset, last[i].value, err);
    }
    return status;
}

bittern_status kernel_finish(const struct kernel_access *access, bool *done,
                             struct bittern_error *err)
{
    uint32_t pending;
    uint32_t control;

    *done = false;
    bittern_status status = read_register(access, KERNEL_INTERRUPT_STATUS, &pending, err);
    if (status != BITTERN_OK || (pending & KERNEL_INTERRUPT_DONE) == 0) {
        return status;
    }
    status = write_register(access, KERNEL_INTERRUPT_STATUS, KERNEL_INTERRUPT_DONE, err);
    if (status == BITTERN_OK) {
        status = read_register(access, KERNEL_CONTROL, &control, err); /* clears done */
    }
    *done = status == BITTERN_OK;
    return status;
}

bittern_status kernel_result(const struct kernel_access *access, struct bittern_error *err)
{
    uint32_t code;
    uint32_t index;
    bittern_status status = read_register(access, KERNEL_ERROR, &code, err);

    if (status == BITTERN_OK) {
        status = read_register(access, KERNEL_INDEX, &index, err);
    }
    return status == BITTERN_OK ? kernel_error_set(code, index, err) : status;
}

bittern_status kernel_counters(const struct kernel_access *access,
                               struct bittern_counters *counters, struct bittern_error *err)
{
    uint64_t *const values[] = {
        &counters->cycles,
        &counters->compute_cycles,
        &counters->weight_stall_cycles,
        &counters->input_stall_cycles,
        &counters->output_stall_cycles,
        &counters->read_beats,
        &counters->write_beats,
    };
    bittern_status status = BITTERN_OK;

    for (size_t i = 0; status == BITTERN_OK && i < sizeof values / sizeof values[0]; i++) {
        uint32_t low;
        uint32_t high = 0;
        uint32_t offset = KERNEL_COUNTERS + (uint32_t)(8 * i);
        /* The low word first: the kernel keeps the high one that belongs to it. */
        status = read_register(access, offset, &low, err);
        if (status == BITTERN_OK) {
            status = read_register(access, offset + 4, &high, err);
        }
        *values[i] = (uint64_t)high << 32 | low;
    }
    return status;
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    bittern_status status;
    const char *text; /* what it is, and what to do */
} errors[] = {
    [KERNEL_ERROR_BAD_MAGIC] = {"BAD_MAGIC", BITTERN_ERR_FORMAT,
                                "what was started is no device program"},
    [KERNEL_ERROR_BAD_VERSION] = {"BAD_VERSION", BITTERN_ERR_FORMAT,
                                  "the device program has a version that this kernel does not "
                                  "know; compile the model again"},
    [KERNEL_ERROR_GEOMETRY] = {"GEOMETRY", BITTERN_ERR_MISMATCH,
                               "the device program is laid out for another geometry; compile the "
                               "model again with 'bittern compile --geometry NAME'"},
    [KERNEL_ERROR_CHECKSUM] = {"CHECKSUM", BITTERN_ERR_CHECKSUM,
                               "the header or a descriptor of the device program is damaged in "
                               "device memory; run again, and check the memory if it stays"},
    [KERNEL_ERROR_DESCRIPTOR] = {"DESCRIPTOR", BITTERN_ERR_FORMAT,
                                 "the device program has a descriptor that this kernel cannot "
                                 "run; compile the model again with this version of Bittern"},
    [KERNEL_ERROR_WEIGHT_CHECKSUM] = {"WEIGHT_CHECKSUM", BITTERN_ERR_CHECKSUM,
                                      "weights of the device program are damaged in device "
                                      "memory; run again, and check the memory if it stays"},
    [KERNEL_ERROR_READ_SLVERR] = {"READ_SLVERR", BITTERN_ERR_DEVICE,
                                  "device memory reported an error (SLVERR) for a read"},
    [KERNEL_ERROR_READ_DECERR] = {"READ_DECERR", BITTERN_ERR_DEVICE,
                                  "there is no device memory at an address that was read (DECERR); "
                                  "check the addresses of the start"},
    [KERNEL_ERROR_WRITE_SLVERR] = {"WRITE_SLVERR", BITTERN_ERR_DEVICE,
                                   "device memory reported an error (SLVERR) for a write"},
    [KERNEL_ERROR_WRITE_DECERR] = {"WRITE_DECERR", BITTERN_ERR_DEVICE,
                                   "there is no device memory at an address that was written "
                                   "(DECERR); check the addresses of the start"},
    [KERNEL_ERROR_HANDSHAKE] = {"HANDSHAKE", BITTERN_ERR_DEVICE,
                                "device memory stopped answering for as long as the watchdog "
                                "waits; if it does not answer any more, open the device again"},
    [KERNEL_ERROR_STALLED] = {"STALLED", BITTERN_ERR_DEVICE,
                              "the kernel made no progress for as long as the watchdog waits; the "
                              "program asks for what never comes, or the kernel has a fault"},
    [KERNEL_ERROR_IMAGES] = {"IMAGES", BITTERN_ERR_RANGE,
                             "more than 65535 images in one start; use smaller batches"},
};
#define ERROR_COUNT (sizeof errors / sizeof errors[0])

const char *kernel_error_name(uint32_t code)
{
    return code > 0 && code < ERROR_COUNT ? errors[code].name : "unknown";
}

bittern_status kernel_error_set(uint32_t code, uint32_t descriptor, struct bittern_error *err)
{
    if (code == 0) {
        return BITTERN_OK;
    }
    if (code >= ERROR_COUNT) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "the kernel ended with error %" PRIu32
                                 ", which this version of Bittern does not know, at descriptor "
                                 "%" PRIu32,
                                 code, descriptor);
    }
    return bittern_error_set(err, errors[code].status,
                             "the kernel ended with error %" PRIu32 " (%s) at descriptor %" PRIu32
                             ": %s",
                             code, errors[code].name, descriptor, errors[code].text);
}
