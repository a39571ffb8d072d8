/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Devices: whatever runs a program. The caller sees one interface; behind it stands a backend:
 * "reference" (this CPU, built in), "sim" (the Verilated accelerator) or "xrt" (a board). Backends
 * other than the reference are shared libraries libbittern-backend-NAME.so, opened when asked for.
 *
 * A device has byte-addressed memory that the host allocates, writes and reads, and a kernel that
 * is started on addresses in it. On top of that, bittern_session puts a program there once and
 * then runs batches.
 */
#ifndef BITTERN_DEVICE_H
#define BITTERN_DEVICE_H

#include <bittern/error.h>
#include <bittern/program.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bittern_device;
struct bittern_session;

/** What a run cost. Cycles and beats are 0 where a device does not count them. */
struct bittern_counters {
    uint64_t cycles;         /* from start to done */
    uint64_t compute_cycles; /* in which the array worked */
    uint64_t weight_stall_cycles;
    uint64_t input_stall_cycles;
    uint64_t output_stall_cycles;
    uint64_t read_beats; /* AXI data beats */
    uint64_t write_beats;
    uint64_t nanoseconds; /* wall clock of the host, from start to done */
};

/** What the layers of one index cost, as the device counted it. */
struct bittern_layer_profile {
    uint64_t images; /* that went through the layer */
    uint64_t cycles; /* from its start to its end */
    uint64_t compute_cycles;
    uint64_t weight_stall_cycles;
    uint64_t input_stall_cycles;
    uint64_t output_stall_cycles;
};

/**
 * One run of the kernel: addresses are of device memory.
 *
 * A device of geometry "any" gets the bytes of a program file, and input and output as said here.
 * Any other gets what docs/device-program.md lays out for it: the program's device section, images
 * and results in that layout, scratch memory and room for the record.
 */
struct bittern_start {
    uint64_t program; /* of the program's bytes */
    uint64_t program_bytes;
    uint64_t input;  /* [images][channels][height][width]: the network's input values, one byte
                        each, int8 or uint8 by its input type; the host has applied the tables */
    uint64_t output; /* [images][outputs] int32, little-endian */
    uint32_t images;
    uint64_t scratch;      /* 0: the program needs none */
    uint64_t record;       /* 0: the device writes none */
    uint64_t record_bytes; /* room there */
};

struct bittern_device_info {
    char name[32];         /* "reference", "sim", "xrt:0" */
    char description[128]; /* for people */
    struct bittern_geometry geometry;
};

#define BITTERN_BACKEND_VERSION 2

/**
 * What a backend provides. All functions but `open` and `list` take the backend's own handle; each
 * is called by one thread at a time for one handle.
 */
struct bittern_backend {
    uint32_t version; /* BITTERN_BACKEND_VERSION */
    const char *name;
    /** Describe device number `index`; BITTERN_ERR_NOT_FOUND past the last one. */
    bittern_status (*list)(size_t index, struct bittern_device_info *info,
                           struct bittern_error *err);
    /** @param address  what followed the colon in the device's name, or "" */
    bittern_status (*open)(const char *address, void **handle, struct bittern_error *err);
    void (*close)(void *handle);
    bittern_status (*discover)(void *handle, struct bittern_device_info *info,
                               struct bittern_error *err);
    /** Addresses are multiples of 4096. */
    bittern_status (*allocate)(void *handle, uint64_t size, uint64_t *address,
                               struct bittern_error *err);
    bittern_status (*release)(void *handle, uint64_t address, struct bittern_error *err);
    bittern_status (*write)(void *handle, uint64_t address, const void *data, size_t size,
                            struct bittern_error *err);
    bittern_status (*read)(void *handle, uint64_t address, void *data, size_t size,
                           struct bittern_error *err);
    /** Start the kernel and return at once; BITTERN_ERR_DEVICE while it is busy. */
    bittern_status (*start)(void *handle, const struct bittern_start *start,
                            struct bittern_error *err);
    /** Wait for the end of the run: its own error, or BITTERN_ERR_TIMEOUT (it goes on running).
     * After the end the same result comes at each call, until the next start. */
    bittern_status (*wait)(void *handle, uint32_t timeout_ms, struct bittern_error *err);
    /** Of the last finished run; of the current one as far as known while it runs. May be called
     * by another thread than the one that waits. */
    bittern_status (*counters)(void *handle, struct bittern_counters *counters,
                               struct bittern_error *err);
};

/** The one symbol that a backend library exports: "bittern_backend_entry". */
typedef const struct bittern_backend *(*bittern_backend_entry_function)(void);

/**
 * Backend names that this library knows, built in or not: 0..; NULL past the end.
 *
 * A backend library is looked for in the folder $BITTERN_BACKENDS, then beside libbittern, then
 * where the loader looks; one of any other name can be opened, too.
 */
BITTERN_API const char *bittern_backend_name(size_t index);

/** Describe device `index` of a backend; BITTERN_ERR_NOT_FOUND past the last one,
 * BITTERN_ERR_DEVICE with the package to install where the backend itself is missing. */
BITTERN_API bittern_status bittern_device_list(const char *backend, size_t index,
                                               struct bittern_device_info *info,
                                               struct bittern_error *err);

/** Open a device.
 * @param name  "reference", "sim", "xrt", "xrt:0", ...; for the reference "reference:kernel=avx2"
 * and "reference:threads=2" (or both, with a comma)
 * @return BITTERN_ERR_NOT_FOUND for an unknown backend, BITTERN_ERR_DEVICE with what to install or
 *         to build where the backend's library is missing */
BITTERN_API bittern_status bittern_device_open(const char *name, struct bittern_device **device,
                                               struct bittern_error *err);
/** Waits for a run in progress. NULL is fine. */
BITTERN_API void bittern_device_close(struct bittern_device *device);

BITTERN_API const struct bittern_device_info *
bittern_device_get_info(const struct bittern_device *device);

/* ---- The device's own verbs, as struct bittern_backend has them ------------------------------ */

BITTERN_API bittern_status bittern_device_allocate(struct bittern_device *device, uint64_t size,
                                                   uint64_t *address, struct bittern_error *err);
BITTERN_API bittern_status bittern_device_release(struct bittern_device *device, uint64_t address,
                                                  struct bittern_error *err);
BITTERN_API bittern_status bittern_device_write(struct bittern_device *device, uint64_t address,
                                                const void *data, size_t size,
                                                struct bittern_error *err);
BITTERN_API bittern_status bittern_device_read(struct bittern_device *device, uint64_t address,
                                               void *data, size_t size, struct bittern_error *err);
BITTERN_API bittern_status bittern_device_start(struct bittern_device *device,
                                                const struct bittern_start *start,
                                                struct bittern_error *err);
BITTERN_API bittern_status bittern_device_wait(struct bittern_device *device, uint32_t timeout_ms,
                                               struct bittern_error *err);
BITTERN_API bittern_status bittern_device_counters(struct bittern_device *device,
                                                   struct bittern_counters *counters,
                                                   struct bittern_error *err);

/* ---- Sessions: a program on a device --------------------------------------------------------- */

struct bittern_session_options {
    size_t batch;        /* images a start, 1..4096; 0: 64 */
    uint32_t timeout_ms; /* for one batch; 0: 60,000 */
    /* Called after each batch, when the values of the first `done` images of `total` are there;
     * a non-zero return stops the run with BITTERN_ERR_CANCELLED. NULL if not wanted. */
    int (*progress)(void *user, size_t done, size_t total);
    void *user;
};

/**
 * Check that the program fits the device, and put it into device memory. Device and program must
 * outlive the session. Several sessions can share a device, run one after the other.
 * @return BITTERN_ERR_MISMATCH with both geometries where they differ
 */
BITTERN_API bittern_status bittern_session_create(struct bittern_device *device,
                                                  const struct bittern_program *program,
                                                  const struct bittern_session_options *options,
                                                  struct bittern_session **session,
                                                  struct bittern_error *err);
BITTERN_API void bittern_session_free(struct bittern_session *session);

/**
 * Run images in batches: the next batch's input is prepared and written while one runs. After an
 * error the values of the last reported progress are there.
 * @param images    [count][channels][height][width] pixels as the data set has them
 * @param values    out: [count][bittern_network_output_count]
 * @param counters  out: summed over the batches; NULL if not wanted
 */
BITTERN_API bittern_status bittern_session_run(struct bittern_session *session,
                                               const uint8_t *images, size_t count, int32_t *values,
                                               struct bittern_counters *counters,
                                               struct bittern_error *err);

/**
 * What each layer has cost since the session was created, summed over its runs; layers[i] is of
 * layer i of the network. All zero where the device keeps no records.
 * @param count  room in `layers`, at least the network's number of layers
 */
BITTERN_API bittern_status bittern_session_profile(const struct bittern_session *session,
                                                   struct bittern_layer_profile *layers,
                                                   size_t count, struct bittern_error *err);

#ifdef __cplusplus
}
#endif

#endif
