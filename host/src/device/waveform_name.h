/* SPDX-License-Identifier: Apache-2.0 */
/* The name of the save file that the simulator writes beside a waveform, for who writes it and for
 * who tells of it: they share no library. */
#ifndef BITTERN_DEVICE_WAVEFORM_NAME_H
#define BITTERN_DEVICE_WAVEFORM_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* "run.fst" -> "run.gtkw"; another ending stays in front of ".gtkw". False: no room. */
static inline bool waveform_save_name(const char *trace, char *name, size_t size)
{
    size_t length = strlen(trace);
    if (length > 4 && strcmp(trace + length - 4, ".fst") == 0) {
        length -= 4;
    }
    int written = snprintf(name, size, "%.*s.gtkw", (int)length, trace);
    return written > 0 && (size_t)written < size;
}

#endif
