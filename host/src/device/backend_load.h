/* SPDX-License-Identifier: Apache-2.0 */
/* Backends by name: the built-in one, or a shared library that is opened when asked for. */
#ifndef BITTERN_DEVICE_BACKEND_LOAD_H
#define BITTERN_DEVICE_BACKEND_LOAD_H

#include <bittern/device.h>

struct loaded_backend {
    const struct bittern_backend *verbs;
    void *library; /* of dlopen; NULL where it is built in */
};

/* Find, open and check a backend. */
bittern_status backend_load(const char *name, struct loaded_backend *backend,
                            struct bittern_error *err);
/* Close its library; verbs must not be used any more. */
void backend_unload(struct loaded_backend *backend);

/* This CPU (backend_reference.c). */
const struct bittern_backend *backend_reference(void);

#endif
