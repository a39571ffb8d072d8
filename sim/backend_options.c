/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of a simulated device: a table of names, each with the function that takes its value. */
#include "backend_options.h"

#include "device/device_memory.h"
#include "kernel.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A decimal or 0x number, with nothing behind it but `end` (0: the string's end). */
static bool take_u64(const char **text, char end, uint64_t maximum, uint64_t *value)
{
    char *stop = NULL;
    errno = 0;
    unsigned long long parsed = **text >= '0' && **text <= '9' ? strtoull(*text, &stop, 0) : 0;
    if (!stop || errno != 0 || *stop != end || parsed > maximum) {
        return false;
    }
    *value = parsed;
    *text = end ? stop + 1 : stop;
    return true;
}

static bool take_u32(const char *text, uint32_t minimum, uint32_t maximum, uint32_t *value)
{
    uint64_t wide;
    if (!take_u64(&text, '\0', maximum, &wide) || wide < minimum) {
        return false;
    }
    *value = (uint32_t)wide;
    return true;
}

static bool set_latency(const char *text, struct sim_options *options)
{
    bool good = take_u32(text, 1, 1000000, &options->memory.read_latency);
    options->memory.write_latency = options->memory.read_latency;
    return good;
}

static bool set_bandwidth(const char *text, struct sim_options *options)
{
    char *end = NULL;
    double value = strtod(text, &end);
    options->memory.beats_per_cycle = value;
    return end != text && *end == '\0' && value >= 0.001 && value <= 1.0;
}

static bool set_stall(const char *text, struct sim_options *options)
{
    return take_u32(text, 0, 95, &options->memory.stall_percent);
}

static bool set_seed(const char *text, struct sim_options *options)
{
    return take_u64(&text, '\0', UINT64_MAX, &options->memory.seed);
}

static bool set_base(const char *text, struct sim_options *options)
{
    return take_u64(&text, '\0', UINT64_MAX - (UINT64_C(1) << 36), &options->base) &&
           options->base % DEVICE_MEMORY_ALIGNMENT == 0;
}

static bool set_watchdog(const char *text, struct sim_options *options)
{
    options->has_watchdog = true;
    return take_u32(text, 0, UINT32_MAX, &options->watchdog);
}

static bool set_variant(struct sim_options *options, const char *variant)
{
    bool is_free = options->variant[0] == '\0';
    (void)snprintf(options->variant, sizeof options->variant, "%s", variant);
    return is_free;
}

static bool set_threads(const char *text, struct sim_options *options)
{
    char variant[16];
    if (!take_u32(text, 1, 64, &options->threads)) {
        return false;
    }
    (void)snprintf(variant, sizeof variant, "threads%" PRIu32, options->threads);
    return options->threads == 1 || set_variant(options, variant);
}

static bool set_trace(const char *text, struct sim_options *options)
{
    int length = snprintf(options->trace, sizeof options->trace, "%s", text);
    return length > 0 && (size_t)length < sizeof options->trace && set_variant(options, "trace");
}

static bool set_activity(const char *text, struct sim_options *options)
{
    int length = snprintf(options->activity, sizeof options->activity, "%s", text);
    return length > 0 && (size_t)length < sizeof options->activity &&
           set_variant(options, "activity");
}

static bool set_trace_descriptors(const char *text, struct sim_options *options)
{
    uint64_t first;
    uint64_t last;
    if (!take_u64(&text, '-', UINT16_MAX, &first) || !take_u64(&text, '\0', UINT16_MAX, &last)) {
        return false;
    }
    options->trace_first = (uint32_t)first;
    options->trace_last = (uint32_t)last;
    return first <= last;
}

static bool set_fault(const char *text, struct sim_options *options)
{
    static const struct {
        const char *name;
        enum axi_fault_kind kind;
        uint32_t value;
        bool has_bit; /* the value stands behind a dot */
    } kinds[] = {
        {"slverr-read", AXI_FAULT_READ_RESPONSE, 2, false},
        {"decerr-read", AXI_FAULT_READ_RESPONSE, 3, false},
        {"slverr-write", AXI_FAULT_WRITE_RESPONSE, 2, false},
        {"decerr-write", AXI_FAULT_WRITE_RESPONSE, 3, false},
        {"flip", AXI_FAULT_FLIP, 0, true},
        {"flip-byte", AXI_FAULT_FLIP_ADDRESS, 0, true},
        {"stuck-ar", AXI_FAULT_STUCK, AXI_AR, false},
        {"stuck-r", AXI_FAULT_STUCK, AXI_R, false},
        {"stuck-aw", AXI_FAULT_STUCK, AXI_AW, false},
        {"stuck-w", AXI_FAULT_STUCK, AXI_W, false},
        {"stuck-b", AXI_FAULT_STUCK, AXI_B, false},
    };
    const char *at = strchr(text, '@');

    for (size_t i = 0; at && i < sizeof kinds / sizeof kinds[0]; i++) {
        struct axi_fault fault = {.kind = kinds[i].kind, .value = kinds[i].value};
        uint64_t bit = fault.value;
        const char *rest = at + 1;
        if (strlen(kinds[i].name) != (size_t)(at - text) ||
            strncmp(kinds[i].name, text, (size_t)(at - text)) != 0) {
            continue;
        }
        if (options->fault_count == SIM_MAX_FAULTS ||
            !take_u64(&rest, kinds[i].has_bit ? '.' : '\0', UINT64_MAX, &fault.at) ||
            (kinds[i].has_bit && !take_u64(&rest, '\0', 511, &bit))) {
            return false;
        }
        fault.value = (uint32_t)bit;
        options->faults[options->fault_count++] = fault;
        return true;
    }
    return false;
}

static const struct {
    const char *name;
    bool (*set)(const char *text, struct sim_options *options);
} settings[] = {
    {"latency", set_latency},
    {"bandwidth", set_bandwidth},
    {"stall", set_stall},
    {"seed", set_seed},
    {"base", set_base},
    {"watchdog", set_watchdog},
    {"threads", set_threads},
    {"trace", set_trace},
    {"trace-descriptors", set_trace_descriptors},
    {"activity", set_activity},
    {"fault", set_fault},
};

static bittern_status set_option(const char *option, struct sim_options *options,
                                 struct bittern_error *err)
{
    const char *equals = strchr(option, '=');
    size_t length = equals ? (size_t)(equals - option) : 0;

    for (size_t i = 0; equals && i < sizeof settings / sizeof settings[0]; i++) {
        if (strlen(settings[i].name) == length && strncmp(settings[i].name, option, length) == 0) {
            return settings[i].set(equals + 1, options)
                       ? BITTERN_OK
                       : bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                           "'%.64s' is not a setting that the simulator can take",
                                           option);
        }
    }
    return bittern_error_set(
        err, BITTERN_ERR_ARGUMENT,
        "the simulator has no setting '%.64s': it takes a geometry's name, "
        "latency=, bandwidth=, stall=, seed=, base=, watchdog=, threads=, trace=, "
        "trace-descriptors=, activity= and fault=",
        option);
}

bittern_status sim_options_parse(const char *text, struct sim_options *options,
                                 struct bittern_error *err)
{
    char copy[1024];
    struct sim_kernel_options defaults;
    bittern_status status = BITTERN_OK;

    sim_kernel_default_options(&defaults);
    *options = (struct sim_options){
        .geometry = "edge", .threads = 1, .trace_last = UINT32_MAX, .memory = defaults.memory};
    if (strlen(text) >= sizeof copy) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "the simulator's settings are too long");
    }
    (void)snprintf(copy, sizeof copy, "%s", text);
    char *rest = copy;
    for (bool first = true; status == BITTERN_OK && rest && *rest; first = false) {
        const char *option = strsep(&rest, ",");
        if (first && !strchr(option, '=') && strlen(option) < sizeof options->geometry) {
            (void)snprintf(options->geometry, sizeof options->geometry, "%s", option);
        } else {
            status = set_option(option, options, err);
        }
    }
    return status;
}
