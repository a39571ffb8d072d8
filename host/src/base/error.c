/* SPDX-License-Identifier: Apache-2.0 */
/* Error details: formatting into the caller's struct, and adding context in front. */
#include <bittern/error.h>
#include <stdio.h>
#include <string.h>

const char *bittern_status_name(bittern_status status)
{
    switch (status) {
    case BITTERN_OK:
        return "ok";
    case BITTERN_ERR_ARGUMENT:
        return "argument";
    case BITTERN_ERR_MEMORY:
        return "memory";
    case BITTERN_ERR_IO:
        return "io";
    case BITTERN_ERR_NOT_FOUND:
        return "not-found";
    case BITTERN_ERR_FORMAT:
        return "format";
    case BITTERN_ERR_CHECKSUM:
        return "checksum";
    case BITTERN_ERR_UNSUPPORTED:
        return "unsupported";
    case BITTERN_ERR_RANGE:
        return "range";
    case BITTERN_ERR_MISMATCH:
        return "mismatch";
    case BITTERN_ERR_NETWORK:
        return "network";
    case BITTERN_ERR_DEVICE:
        return "device";
    case BITTERN_ERR_TIMEOUT:
        return "timeout";
    case BITTERN_ERR_CANCELLED:
        return "cancelled";
    }
    return "unknown";
}

bittern_status bittern_error_set_va(struct bittern_error *err, bittern_status status,
                                    const char *format, va_list args)
{
    if (err) {
        err->status = status;
        (void)vsnprintf(err->message, sizeof err->message, format, args);
    }
    return status;
}

bittern_status(bittern_error_set)(struct bittern_error *err, bittern_status status,
                                  const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bittern_error_set_va(err, status, format, args);
    va_end(args);
    return status;
}

void bittern_error_prefix(struct bittern_error *err, const char *format, ...)
{
    char context[sizeof err->message];
    va_list args;

    if (!err) {
        return;
    }
    va_start(args, format);
    int length = vsnprintf(context, sizeof context, format, args);
    va_end(args);
    if (length < 0 || (size_t)length + 3 >= sizeof context) {
        return; /* the old message says more than a cut context would */
    }
    size_t used = (size_t)length;
    size_t room = sizeof context - used - 3;
    size_t old = strnlen(err->message, sizeof err->message);
    if (old > room) {
        old = room;
    }
    memcpy(context + used, ": ", 2);
    memcpy(context + used + 2, err->message, old);
    context[used + 2 + old] = '\0';
    memcpy(err->message, context, used + 2 + old + 1);
}
