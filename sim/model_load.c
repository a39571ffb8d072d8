/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the library of a Verilated geometry, and checks that it is one. */
#include "kernel.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PATH 4096

/* FOLDER/libbittern-sim-GEOMETRY[-VARIANT].so */
static bool library_path(const char *folder, size_t length, const char *geometry,
                         const char *variant, char *path)
{
    int size = snprintf(path, MAX_PATH, "%.*s/libbittern-sim-%s%s%s.so", (int)length, folder,
                        geometry, *variant ? "-" : "", variant);
    return size > 0 && size < MAX_PATH && access(path, F_OK) == 0;
}

static bool find_library(const char *geometry, const char *variant, char *path)
{
    Dl_info info;
    const char *chosen = getenv("BITTERN_BACKENDS");
    static const char here; /* in the library, or the program, that this is linked into */

    if (chosen && *chosen && library_path(chosen, strlen(chosen), geometry, variant, path)) {
        return true;
    }
    if (dladdr(&here, &info) == 0 || !info.dli_fname) {
        return false;
    }
    const char *slash = strrchr(info.dli_fname, '/');
    return slash &&
           library_path(info.dli_fname, (size_t)(slash - info.dli_fname), geometry, variant, path);
}

bittern_status sim_model_load(const char *geometry, const char *variant,
                              const struct sim_model **model, void **library,
                              struct bittern_error *err)
{
    char path[MAX_PATH];
    sim_model_entry_function entry = NULL;

    *model = NULL;
    *library = NULL;
    if (!find_library(geometry, variant, path)) {
        return bittern_error_set(err, BITTERN_ERR_NOT_FOUND,
                                 "libbittern-sim-%s%s%s.so was not found: build it with 'cmake "
                                 "--build build/release --target sim-%s%s%s' (needs Verilator 5)",
                                 geometry, *variant ? "-" : "", variant, geometry,
                                 *variant ? "-" : "", variant);
    }
    /* Stays mapped: Verilator's run time keeps memory in static data that a second load would not
     * find again. */
    *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!*library) {
        const char *reason = dlerror();
        return bittern_error_set(err, BITTERN_ERR_DEVICE, "cannot load a simulated kernel: %s",
                                 reason ? reason : path);
    }
    void *symbol = dlsym(*library, "sim_model_entry");
    if (symbol) {
        memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast for this */
        *model = entry();
    }
    if (!*model || (*model)->version != SIM_MODEL_VERSION) {
        dlclose(*library);
        *library = NULL;
        *model = NULL;
        return bittern_error_set(err, BITTERN_ERR_DEVICE,
                                 "%s was not built with this version of Bittern", path);
    }
    return BITTERN_OK;
}
