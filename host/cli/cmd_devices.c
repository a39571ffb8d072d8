/* SPDX-License-Identifier: Apache-2.0 */
/* bittern devices: what programs can run on, and why the rest is not there. */
#include "cli.h"
#include "network_report.h"
#include "table.h"

#include <bittern/device.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "List the backends and their devices, or why a backend is not there.\n"
    "\n"
    "Usage: bittern devices [OPTION...]\n"
    "\n"
    "      --json   as JSON\n"
    "  -h, --help\n"
    "\n"
    "Backends other than the reference are shared libraries, looked for in $BITTERN_BACKENDS and\n"
    "beside libbittern.\n"
    "\n"
    "Examples:\n"
    "  bittern devices\n"
    "  bittern devices --json | jq -r '.devices[].name'\n";

#define MAX_DEVICES 64 /* of one backend: a backend whose list does not end is broken */

/* What one backend has; error.status is BITTERN_OK where it is there. */
struct backend_devices {
    const char *name;
    struct bittern_error error;
    size_t count;
    struct bittern_device_info devices[MAX_DEVICES];
};

static void list_backend(const char *name, struct backend_devices *backend)
{
    memset(backend, 0, sizeof *backend);
    backend->name = name;
    while (backend->count < MAX_DEVICES) {
        bittern_status status = bittern_device_list(
            name, backend->count, &backend->devices[backend->count], &backend->error);
        if (status == BITTERN_ERR_NOT_FOUND) {
            backend->error = (struct bittern_error){0}; /* the end of the list */
        }
        if (status != BITTERN_OK) {
            return;
        }
        backend->count++;
    }
}

static void print_backend(struct cli_table *table, const struct backend_devices *backend)
{
    for (size_t i = 0; i < backend->count; i++) {
        cli_table_add(table, "%s", backend->devices[i].name);
        cli_table_add(table, "%s", backend->devices[i].geometry.name);
        cli_table_add(table, "%s", backend->devices[i].description);
    }
    if (backend->count == 0) {
        cli_table_add(table, "%s", backend->name);
        cli_table_add(table, "-");
        cli_table_add(table, "%s",
                      backend->error.status == BITTERN_OK ? "no device found"
                                                          : backend->error.message);
    }
}

static int print_people(void)
{
    static const struct cli_column columns[] = {
        {"device", false}, {"geometry", false}, {"description", false}};
    struct cli_table table;
    struct backend_devices backend;

    cli_table_start(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; bittern_backend_name(i); i++) {
        list_backend(bittern_backend_name(i), &backend);
        print_backend(&table, &backend);
    }
    if (!cli_table_finish(&table, stdout)) {
        fprintf(stderr, "bittern devices: no memory for the table\n");
        return CLI_EXIT_FAILED;
    }
    return cli_finish_output("devices");
}

static bool add_devices(cJSON *devices, const struct backend_devices *backend)
{
    for (size_t i = 0; i < backend->count; i++) {
        const struct bittern_device_info *info = &backend->devices[i];
        cJSON *device = cJSON_CreateObject();
        cJSON *geometry = geometry_to_json(&info->geometry);
        if (!device || !geometry || !cJSON_AddStringToObject(device, "name", info->name) ||
            !cJSON_AddStringToObject(device, "backend", backend->name) ||
            !cJSON_AddStringToObject(device, "description", info->description)) {
            cJSON_Delete(device);
            cJSON_Delete(geometry);
            return false;
        }
        cJSON_AddItemToObject(device, "geometry", geometry);
        cJSON_AddItemToArray(devices, device);
    }
    return true;
}

static bool add_backend(cJSON *backends, const struct backend_devices *backend)
{
    cJSON *item = cJSON_CreateObject();
    bool available = backend->error.status == BITTERN_OK;
    if (!item || !cJSON_AddStringToObject(item, "name", backend->name) ||
        !cJSON_AddBoolToObject(item, "available", available) ||
        (!available && !cJSON_AddStringToObject(item, "reason", backend->error.message))) {
        cJSON_Delete(item);
        return false;
    }
    cJSON_AddItemToArray(backends, item);
    return true;
}

static int print_json(void)
{
    struct backend_devices backend;
    cJSON *root = cJSON_CreateObject();
    cJSON *backends = root ? cJSON_AddArrayToObject(root, "backends") : NULL;
    cJSON *devices = root ? cJSON_AddArrayToObject(root, "devices") : NULL;
    bool made = backends && devices;

    for (size_t i = 0; made && bittern_backend_name(i); i++) {
        list_backend(bittern_backend_name(i), &backend);
        made = add_backend(backends, &backend) && add_devices(devices, &backend);
    }
    if (!made) {
        cJSON_Delete(root);
        root = NULL;
    }
    return json_print("devices", root);
}

int command_devices(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    bool json = false;
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return cli_finish_output("devices");
        }
        if (option != 'j') {
            return cli_usage("devices", "the command line is wrong");
        }
        json = true;
    }
    if (optind != argc) {
        return cli_usage("devices", "there is no argument '%s'", argv[optind]);
    }
    return json ? print_json() : print_people();
}
