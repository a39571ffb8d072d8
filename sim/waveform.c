/* SPDX-License-Identifier: Apache-2.0 */
/* A table of groups; each signal's full name, with its width, comes from the waveform's hierarchy.
 * Units that a geometry has many of are shown once: channel 0, pixel 0. */
#include "waveform.h"

#include "device/waveform_name.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOP "kernel.bittern_kernel"
#define MAX_SIGNALS 16
#define MAX_NAME 256

struct group {
    const char *name;
    const char *scope;                /* below TOP; "" is TOP */
    const char *signals[MAX_SIGNALS]; /* without widths; NULL ends */
};

static const struct group groups[] = {
    {"Clock and control",
     "u_control",
     {"clk", "rst_n", "start", "run_begin", "run_done", "irq", "images"}},
    {"Descriptors",
     "u_walker",
     {"state_reg", "item_valid", "item_layer", "item_index", "item_take", "walk_end"}},
    {"Controller",
     "u_controller",
     {"state_reg", "status_error", "status_index", "layer_start", "layer_done", "first_image",
      "layer_images", "load_start", "load_idle", "store_start", "store_idle"}},
    {"AXI read",
     "",
     {"m_axi_gmem_arvalid", "m_axi_gmem_arready", "m_axi_gmem_araddr", "m_axi_gmem_arlen",
      "m_axi_gmem_rvalid", "m_axi_gmem_rready", "m_axi_gmem_rlast", "m_axi_gmem_rdata"}},
    {"Weight ring",
     "u_ring",
     {"due_left_reg", "ring_rows_loaded", "room_reg", "ring_read", "ring_row", "ring_release",
      "ring_release_rows"}},
    {"Input loader",
     "u_loader",
     {"state_reg", "load_valid", "load_ready", "load_address", "load_data", "loaded"}},
    {"Kernel walker",
     "u_core.u_walker",
     {"valid", "pop", "last", "weight_row", "lo_offset", "hi_offset"}},
    {"Lanes", "u_core.u_lanes", {"state_reg", "valid", "pop", "place", "pixel", "last"}},
    {"Issue",
     "u_core.u_issue",
     {"ce", "issue_step", "issue_parameters", "sum_first", "sum_last", "tiles_left_reg",
      "waits_weights", "waits_input", "finished"}},
    {"Feature memory",
     "u_core.u_features",
     {"read", "read_address", "word", "write_enable", "write_row", "write_data"}},
    {"Compute array",
     "u_core.u_array",
     {"ce", "sum_enable", "sum_first", "int_mode", "act", "zero", "weight", "acc"}},
    {"Output stage",
     "u_core.u_output",
     {"group_push", "offer", "lane_reg", "last_lane_reg", "tile_reg", "idle", "result_valid",
      "result_ready", "result_index", "result_tile"}},
    {"AXI write",
     "",
     {"m_axi_gmem_awvalid", "m_axi_gmem_awready", "m_axi_gmem_awaddr", "m_axi_gmem_awlen",
      "m_axi_gmem_wvalid", "m_axi_gmem_wready", "m_axi_gmem_wlast", "m_axi_gmem_wdata",
      "m_axi_gmem_bvalid", "m_axi_gmem_bready"}},
    {"Stalls", "u_core", {"event_compute", "event_weights", "event_input", "event_output"}},
};
#define GROUP_COUNT (sizeof groups / sizeof groups[0])

struct names {
    char *of[GROUP_COUNT][MAX_SIGNALS]; /* full names as the waveform has them; owned */
    bool failed;
};

/* "wide [3:0]" and "wide[3:0]" are the signal "wide". */
static size_t bare_length(const char *signal)
{
    size_t length = strcspn(signal, "[");
    while (length > 0 && signal[length - 1] == ' ') {
        length--;
    }
    return length;
}

static bool scope_is(const char *scope, const char *wanted)
{
    size_t top = strlen(TOP);
    if (strncmp(scope, TOP, top) != 0) {
        return false;
    }
    return *wanted == '\0' ? scope[top] == '\0'
                           : scope[top] == '.' && strcmp(scope + top + 1, wanted) == 0;
}

/* "kernel.bittern_kernel.u_ring" and "room_reg [11:0]" as GTKWave writes it. */
static char *full_name(const char *scope, const char *signal)
{
    size_t size = strlen(scope) + strlen(signal) + 2;
    size_t bare = bare_length(signal);
    char *name = malloc(size);
    if (name) {
        (void)snprintf(name, size, "%s.%.*s%s", scope, (int)bare, signal,
                       signal + strcspn(signal, "["));
    }
    return name;
}

static void take_signal(void *user, const char *scope, const char *signal)
{
    struct names *names = user;
    size_t bare = bare_length(signal);

    for (size_t g = 0; g < GROUP_COUNT; g++) {
        if (!scope_is(scope, groups[g].scope)) {
            continue;
        }
        for (size_t s = 0; s < MAX_SIGNALS && groups[g].signals[s]; s++) {
            if (!names->of[g][s] && strlen(groups[g].signals[s]) == bare &&
                strncmp(groups[g].signals[s], signal, bare) == 0) {
                names->of[g][s] = full_name(scope, signal);
                names->failed = names->failed || !names->of[g][s];
            }
        }
    }
}

/* 28: one bit, shown in hexadecimal; 22: a vector. 0x800200 and 0x1000200 open and close a group.
 */
static void write_groups(const struct names *names, const char *trace, FILE *file)
{
    const char *slash = strrchr(trace, '/');

    (void)fprintf(file, "[dumpfile] \"%s\"\n[timestart] 0\n[sst_expanded] 1\n",
                  slash ? slash + 1 : trace);
    for (size_t g = 0; g < GROUP_COUNT; g++) {
        (void)fprintf(file, "@800200\n-%s\n", groups[g].name);
        for (size_t s = 0; s < MAX_SIGNALS && groups[g].signals[s]; s++) {
            const char *name = names->of[g][s];
            if (name) {
                (void)fprintf(file, "@%s\n%s\n", strchr(name, '[') ? "22" : "28", name);
            }
        }
        (void)fprintf(file, "@1000200\n-%s\n", groups[g].name);
    }
}

static void find_missing(const struct names *names, char *missing)
{
    *missing = '\0';
    for (size_t g = 0; g < GROUP_COUNT && !*missing; g++) {
        for (size_t s = 0; s < MAX_SIGNALS && groups[g].signals[s] && !*missing; s++) {
            if (!names->of[g][s]) {
                (void)snprintf(missing, MAX_NAME, "%s: %s", groups[g].name, groups[g].signals[s]);
            }
        }
    }
}

bittern_status waveform_write_save(const struct sim_model *model, const char *trace, char *missing,
                                   struct bittern_error *err)
{
    char path[1024];
    struct names names = {0};
    bittern_status status = BITTERN_OK;
    FILE *file = NULL;

    if (!waveform_save_name(trace, path, sizeof path)) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, "the name '%.64s...' is too long",
                                 trace);
    }
    if (!model->list_signals || !model->list_signals(trace, take_signal, &names)) {
        return bittern_error_set(err, BITTERN_ERR_IO, "cannot read the waveform '%s'", trace);
    }
    if (names.failed) {
        status = bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for names of signals");
        goto cleanup;
    }
    if (missing) {
        find_missing(&names, missing);
    }
    file = fopen(path, "w");
    if (file) {
        write_groups(&names, trace, file);
    }
    if (!file || ferror(file) != 0) {
        status =
            bittern_error_set(err, BITTERN_ERR_IO, "cannot write '%s': %s", path, strerror(errno));
    }
    if (file && fclose(file) != 0 && status == BITTERN_OK) {
        status =
            bittern_error_set(err, BITTERN_ERR_IO, "cannot write '%s': %s", path, strerror(errno));
    }

cleanup:
    for (size_t g = 0; g < GROUP_COUNT; g++) {
        for (size_t s = 0; s < MAX_SIGNALS; s++) {
            free(names.of[g][s]);
        }
    }
    return status;
}
