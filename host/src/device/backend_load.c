/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds a backend by name. "reference" is built in. Any other NAME is the shared library
 * libbittern-backend-NAME.so, tried in $BITTERN_BACKENDS, in the folder that holds this library,
 * and by the loader's own path. A library that is there but cannot be used (a missing dependency,
 * another interface version, an empty function) is an error of its own: falling through to the next
 * folder would hide it.
 */
#include "device/backend_load.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PATH 4096

static const struct {
    const char *name;
    const char *advice; /* what to do where its library is missing */
} known_backends[] = {
    {"reference", NULL},
    {"sim", "it needs Verilator; install it with 'scripts/install-deps.sh', then build "
            "Bittern again with 'scripts/build.sh release'; or use 'reference'"},
    {"xrt", "it needs the Xilinx Runtime; install libxrt-dev and uuid-dev with "
            "'scripts/install-deps.sh', then build Bittern again with 'scripts/build.sh release'"},
};
#define KNOWN_COUNT (sizeof known_backends / sizeof known_backends[0])

const char *bittern_backend_name(size_t index)
{
    return index < KNOWN_COUNT ? known_backends[index].name : NULL;
}

static bool name_is_plain(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && length < 32 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length;
}

static bittern_status missing_error(const char *name, struct bittern_error *err)
{
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        if (strcmp(known_backends[i].name, name) == 0) {
            return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                     "the backend '%s' is not there "
                                     "(libbittern-backend-%s.so was not found): %s",
                                     name, name, known_backends[i].advice);
        }
    }
    return bittern_error_set(
        err, BITTERN_ERR_NOT_FOUND,
        "there is no backend '%s': libbittern-backend-%s.so was not found, and "
        "Bittern's own are reference, sim and xrt",
        name, name);
}

/* The folder of the library (or of the program) that this function was linked into. */
static bool own_folder(char *folder, size_t size)
{
    Dl_info info;
    if (dladdr(known_backends, &info) == 0 || !info.dli_fname) {
        return false;
    }
    const char *slash = strrchr(info.dli_fname, '/');
    if (!slash || (size_t)(slash - info.dli_fname) >= size) {
        return false;
    }
    size_t length = (size_t)(slash - info.dli_fname);
    memcpy(folder, info.dli_fname, length);
    folder[length] = '\0';
    return true;
}

/* Open `folder`/libbittern-backend-NAME.so if there is one; OK with *library NULL if not. */
static bittern_status open_in_folder(const char *folder, const char *name, void **library,
                                     struct bittern_error *err)
{
    char path[MAX_PATH];
    int length = snprintf(path, sizeof path, "%s/libbittern-backend-%s.so", folder, name);

    *library = NULL;
    if (length < 0 || (size_t)length >= sizeof path || access(path, F_OK) != 0) {
        return BITTERN_OK;
    }
    *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!*library) {
        const char *reason = dlerror();
        return bittern_error_set(err, BITTERN_ERR_DEVICE, "cannot load the backend '%s': %s", name,
                                 reason ? reason : path);
    }
    return BITTERN_OK;
}

/* The loader says "NAME: cannot open shared object file" where it found no such file at all, and
 * something else where the file is there and unusable. */
static bittern_status open_by_loader(const char *name, void **library, struct bittern_error *err)
{
    char file[64];
    char absent[128];
    (void)snprintf(file, sizeof file, "libbittern-backend-%s.so", name);
    (void)snprintf(absent, sizeof absent, "%s: cannot open shared object", file);

    *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (*library) {
        return BITTERN_OK;
    }
    const char *reason = dlerror();
    if (reason && !strstr(reason, absent)) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE, "cannot load the backend '%s': %s", name,
                                 reason);
    }
    return missing_error(name, err);
}

static bittern_status open_library(const char *name, void **library, struct bittern_error *err)
{
    char folder[MAX_PATH];
    const char *chosen = getenv("BITTERN_BACKENDS");

    *library = NULL;
    if (chosen && *chosen) {
        bittern_status status = open_in_folder(chosen, name, library, err);
        if (status != BITTERN_OK || *library) {
            return status;
        }
    }
    if (own_folder(folder, sizeof folder)) {
        bittern_status status = open_in_folder(folder, name, library, err);
        if (status != BITTERN_OK || *library) {
            return status;
        }
    }
    return open_by_loader(name, library, err);
}

static bool verbs_are_complete(const struct bittern_backend *verbs)
{
    return verbs->name && verbs->list && verbs->open && verbs->close && verbs->discover &&
           verbs->allocate && verbs->release && verbs->write && verbs->read && verbs->start &&
           verbs->wait && verbs->counters;
}

static bittern_status find_verbs(const char *name, void *library,
                                 const struct bittern_backend **verbs, struct bittern_error *err)
{
    bittern_backend_entry_function entry = NULL;
    void *symbol = dlsym(library, "bittern_backend_entry");

    *verbs = NULL;
    if (symbol) {
        memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast for this */
        *verbs = entry();
    }
    if (!*verbs) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "libbittern-backend-%s.so is not a backend of Bittern: it has no "
                                 "working bittern_backend_entry",
                                 name);
    }
    if ((*verbs)->version != BITTERN_BACKEND_VERSION) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "libbittern-backend-%s.so has version %u of the backend "
                                 "interface, this libbittern has version %u: install both from one "
                                 "release",
                                 name, (unsigned)(*verbs)->version,
                                 (unsigned)BITTERN_BACKEND_VERSION);
    }
    if (!verbs_are_complete(*verbs)) {
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "libbittern-backend-%s.so leaves functions of the backend "
                                 "interface empty",
                                 name);
    }
    return BITTERN_OK;
}

bittern_status backend_load(const char *name, struct loaded_backend *backend,
                            struct bittern_error *err)
{
    *backend = (struct loaded_backend){0};
    if (!name_is_plain(name)) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 "'%s' is not a backend's name: known ones are reference, sim and "
                                 "xrt",
                                 name);
    }
    if (strcmp(name, "reference") == 0) {
        backend->verbs = backend_reference();
        return BITTERN_OK;
    }
    bittern_status status = open_library(name, &backend->library, err);
    if (status == BITTERN_OK) {
        status = find_verbs(name, backend->library, &backend->verbs, err);
    }
    if (status != BITTERN_OK) {
        backend_unload(backend);
    }
    return status;
}

void backend_unload(struct loaded_backend *backend)
{
    if (backend->library) {
        dlclose(backend->library);
    }
    *backend = (struct loaded_backend){0};
}
