/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Status codes, error details, and the macros that every public header shares.
 *
 * A function that can fail returns a bittern_status and takes a `struct bittern_error *` last.
 * The caller owns that struct; the function fills it in on failure only, and accepts NULL where
 * the caller wants no details. No function of the library prints or exits.
 */
#ifndef BITTERN_ERROR_H
#define BITTERN_ERROR_H

#include <stdarg.h>

#if defined(BITTERN_STATIC)
#define BITTERN_API
#else
#define BITTERN_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum bittern_status {
    BITTERN_OK = 0,
    BITTERN_ERR_ARGUMENT,  /* the caller passed something that can never be right */
    BITTERN_ERR_MEMORY,    /* out of memory, or a size that cannot be allocated */
    BITTERN_ERR_IO,        /* open, read, write or rename failed; errno's text is in the message */
    BITTERN_ERR_NOT_FOUND, /* no such file, data set, tensor or device */
    BITTERN_ERR_FORMAT,    /* foreign bytes that do not have the format they claim */
    BITTERN_ERR_CHECKSUM,  /* stored and computed check sums differ */
    BITTERN_ERR_UNSUPPORTED, /* well formed, but outside of what Bittern does */
    BITTERN_ERR_RANGE,       /* a value outside of its allowed range */
    BITTERN_ERR_MISMATCH, /* two parts that do not fit: program and geometry, image and network */
    BITTERN_ERR_NETWORK,  /* a download failed */
    BITTERN_ERR_DEVICE,   /* a device reported an error, or its backend is missing */
    BITTERN_ERR_TIMEOUT,  /* a device did not answer in time */
    BITTERN_ERR_CANCELLED /* the caller's callback asked to stop */
} bittern_status;

/** What went wrong, where, and what to do: one sentence or two, without a final newline. */
struct bittern_error {
    bittern_status status;
    char message[1024];
};

/** The status' name in lower case with dashes, e.g. "not-found"; "unknown" for other values. */
BITTERN_API const char *bittern_status_name(bittern_status status);

/**
 * Fill in err (may be NULL) with a formatted message, cut where it is too long.
 * @return status, so that a caller can write `return bittern_error_set(err, ...)`
 */
BITTERN_API bittern_status bittern_error_set(struct bittern_error *err, bittern_status status,
                                             const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __clang_analyzer__
/* The analyzer cannot see that a status that is set is returned as it is. */
#define bittern_error_set(err, status, ...)                                                        \
    ((void)(bittern_error_set)((err), (status), __VA_ARGS__), (status))
#endif

/** As bittern_error_set, with the arguments as a va_list. */
BITTERN_API bittern_status bittern_error_set_va(struct bittern_error *err, bittern_status status,
                                                const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/**
 * Put context in front of err's message: "CONTEXT: old message". Does nothing where err is NULL.
 */
BITTERN_API void bittern_error_prefix(struct bittern_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif

#endif
