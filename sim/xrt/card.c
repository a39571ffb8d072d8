/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bittern-xrt-device: the simulated kernel as a card for XRT's hardware emulation. XRT starts it
 * in place of a vendor's simulator and asks it to read and write registers and memory. Register
 * accesses are simulated on AXI4-Lite, and the kernel's own traffic on its AXI master; the host's
 * copies go straight to memory.
 *
 * It ends well when the host closes the card or is gone itself, and with a message and an exit code
 * when it cannot go on: XRT would not see that, but the script around it does
 * (hw/xrt/xclbin_archive.c).
 */
#include "card.pb-c.h"
#include "card_memory.h"
#include "card_units.h"
#include "link.h"
#include "xclbin_parts.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2
#define OPTIONS_VARIABLE "BITTERN_XRT_DEVICE_OPTIONS"

static const char help[] =
    "The simulated kernel as a card for XRT's hardware emulation. XRT starts it; to use it:\n"
    "scripts/xrt-emu.sh COMMAND...\n"
    "\n"
    "Usage: bittern-xrt-device [OPTION...]\n"
    "\n"
    "  -g, --geometry NAME   geometry of the kernel (default: edge)\n"
    "  -u, --units N         compute units, 1 to 8 (default: 1)\n"
    "  -h, --help\n"
    "\n"
    "The environment variable " OPTIONS_VARIABLE " holds settings of the simulation as those of\n"
    "'--device sim': latency=, bandwidth=, stall=, seed=, watchdog=, fault=, with commas between.\n"
    "\n"
    "Exit code: 0 the host has closed the card, 1 failed, 2 wrong usage.\n"
    "\n"
    "Example:\n"
    "  " OPTIONS_VARIABLE "=latency=200,fault=slverr-read@500 scripts/xrt-emu.sh \\\n"
    "      build/release/bin/bittern run examples/lenet5-w2a2-mnist.onnx --device xrt\n";

/* Calls of the shim that are answered, by their numbers. */
enum call {
    CALL_CLOSE = 1,
    CALL_ALLOCATE = 4,
    CALL_FREE = 5,
    CALL_WRITE_MEMORY = 6,
    CALL_READ_MEMORY = 7,
    CALL_WRITE_REGISTER = 9,
    CALL_READ_REGISTER = 11,
    CALL_MESSAGES = 19,
    CALL_ENVIRONMENT = 20
};

struct card {
    struct link link;
    struct card_memory *memory;
    struct card_units *units;
    bool closed;
};

/* ---- Calls: each unpacks its request, acts, and leaves a packed reply of *size bytes ----------
 */

static bittern_status broken(const char *what, struct bittern_error *err)
{
    return bittern_error_set(err, BITTERN_ERR_FORMAT, "the host's request to %s is not understood",
                             what);
}

static bittern_status reply(struct card *card, const ProtobufCMessage *message, size_t *size,
                            struct bittern_error *err)
{
    *size = protobuf_c_message_get_packed_size(message);
    uint8_t *room = link_reply_room(&card->link, *size);
    if (!room) {
        return bittern_error_set(err, BITTERN_ERR_MEMORY, "no memory for a reply");
    }
    (void)protobuf_c_message_pack(message, room);
    return BITTERN_OK;
}

static bittern_status reply_done(struct card *card, size_t *size, struct bittern_error *err)
{
    Card__Done done = CARD__DONE__INIT;
    done.done = 1;
    return reply(card, &done.base, size, err);
}

static bittern_status allocate(struct card *card, size_t *size, struct bittern_error *err)
{
    Card__AllocateCall *call =
        card__allocate_call__unpack(NULL, card->link.request_size, card->link.request);
    if (!call) {
        return broken("allocate", err);
    }
    bittern_status status = card_memory_allocate(card->memory, call->address, call->size, err);
    card__allocate_call__free_unpacked(call, NULL);
    return status == BITTERN_OK ? reply_done(card, size, err) : status;
}

static bittern_status release(struct card *card, size_t *size, struct bittern_error *err)
{
    Card__FreeCall *call =
        card__free_call__unpack(NULL, card->link.request_size, card->link.request);
    if (!call) {
        return broken("free", err);
    }
    bittern_status status = card_memory_release(card->memory, call->address, err);
    card__free_call__free_unpacked(call, NULL);
    return status == BITTERN_OK ? reply_done(card, size, err) : status;
}

static bittern_status outside(const char *what, uint64_t address, uint64_t size,
                              struct bittern_error *err)
{
    return bittern_error_set(err, BITTERN_ERR_RANGE,
                             "the host %s %" PRIu64 " bytes at 0x%" PRIx64
                             ", where there is no buffer",
                             what, size, address);
}

static bittern_status write_memory(struct card *card, size_t *size, struct bittern_error *err)
{
    Card__WriteMemoryCall *call =
        card__write_memory_call__unpack(NULL, card->link.request_size, card->link.request);
    Card__WriteMemoryReply answer = CARD__WRITE_MEMORY_REPLY__INIT;
    bittern_status status = BITTERN_OK;

    if (!call || call->data.len < call->size) {
        status = broken("write memory", err);
        goto cleanup;
    }
    uint64_t address = call->destination + call->seek;
    uint8_t *data = card_memory_find(card->memory, address, call->size);
    if (!data) {
        status = outside("writes", address, call->size, err);
        goto cleanup;
    }
    memcpy(data, call->data.data, (size_t)call->size);
    answer.size = call->size;
    status = reply(card, &answer.base, size, err);

cleanup:
    card__write_memory_call__free_unpacked(call, NULL);
    return status;
}

static bittern_status read_memory(struct card *card, size_t *size, struct bittern_error *err)
{
    Card__ReadMemoryCall *call =
        card__read_memory_call__unpack(NULL, card->link.request_size, card->link.request);
    Card__ReadMemoryReply answer = CARD__READ_MEMORY_REPLY__INIT;
    bittern_status status = BITTERN_OK;

    if (!call) {
        return broken("read memory", err);
    }
    uint64_t address = call->source + call->skip;
    uint8_t *data = card_memory_find(card->memory, address, call->size);
    if (data) {
        answer.size = call->size;
        answer.data = (ProtobufCBinaryData){(size_t)call->size, data};
        status = reply(card, &answer.base, size, err);
    } else {
        status = outside("reads", address, call->size, err);
    }
    card__read_memory_call__free_unpacked(call, NULL);
    return status;
}

static bittern_status write_register(struct card *card, size_t *size, struct bittern_error *err)
{
    Card__WriteRegisterCall *call =
        card__write_register_call__unpack(NULL, card->link.request_size, card->link.request);
    bittern_status status = BITTERN_OK;

    if (!call || call->size % 4 != 0 || call->data.len < call->size) {
        status = broken("write a register", err);
    }
    for (uint32_t at = 0; status == BITTERN_OK && at < call->size; at += 4) {
        const uint8_t *bytes = call->data.data + at;
        uint32_t value = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                         (uint32_t)bytes[3] << 24;
        status = card_units_write(card->units, call->address + at, value, err);
    }
    card__write_register_call__free_unpacked(call, NULL);
    return status == BITTERN_OK ? reply_done(card, size, err) : status;
}

static bittern_status read_register(struct card *card, size_t *size, struct bittern_error *err)
{
    uint8_t bytes[64];
    Card__ReadRegisterCall *call =
        card__read_register_call__unpack(NULL, card->link.request_size, card->link.request);
    Card__ReadRegisterReply answer = CARD__READ_REGISTER_REPLY__INIT;
    bittern_status status = BITTERN_OK;

    if (!call || call->size % 4 != 0 || call->size > sizeof bytes) {
        status = broken("read a register", err);
        goto cleanup;
    }
    for (uint32_t at = 0; status == BITTERN_OK && at < call->size; at += 4) {
        uint32_t value = 0;
        status = card_units_read(card->units, call->address + at, &value, err);
        for (unsigned i = 0; i < 4; i++) {
            bytes[at + i] = (uint8_t)(value >> 8 * i);
        }
    }
    if (status == BITTERN_OK) {
        answer.valid = 1;
        answer.has_data = 1;
        answer.data = (ProtobufCBinaryData){call->size, bytes};
        status = reply(card, &answer.base, size, err);
    }

cleanup:
    card__read_register_call__free_unpacked(call, NULL);
    return status;
}

static bittern_status answer(struct card *card, uint32_t call, size_t *size,
                             struct bittern_error *err)
{
    *size = 0;
    switch (call) {
    case CALL_CLOSE:
        card->closed = true;
        link_finish(&card->link);
        return reply_done(card, size, err);
    case CALL_ALLOCATE:
        return allocate(card, size, err);
    case CALL_FREE:
        return release(card, size, err);
    case CALL_WRITE_MEMORY:
        return write_memory(card, size, err);
    case CALL_READ_MEMORY:
        return read_memory(card, size, err);
    case CALL_WRITE_REGISTER:
        return write_register(card, size, err);
    case CALL_READ_REGISTER:
        return read_register(card, size, err);
    case CALL_MESSAGES:
        return BITTERN_OK; /* there are none */
    case CALL_ENVIRONMENT:
        return reply_done(card, size, err);
    default:
        return bittern_error_set(err, BITTERN_ERR_UNSUPPORTED,
                                 "the host made call %" PRIu32
                                 " of XRT's emulation interface, which this card does not know: "
                                 "profiling, streams, peer-to-peer and host memory are not there",
                                 call);
    }
}

/* ---- The process ----------------------------------------------------------------------------- */

static bittern_status serve(struct card *card, struct bittern_error *err)
{
    bool ended = false;
    bittern_status status = BITTERN_OK;

    while (status == BITTERN_OK && !ended && !card->closed) {
        uint32_t call = 0;
        size_t size = 0;
        if (card_units_are_busy(card->units) && !link_is_readable(&card->link)) {
            status = card_units_advance(card->units, err);
            continue;
        }
        status = link_receive(&card->link, &call, &ended, err);
        if (status == BITTERN_OK && !ended) {
            status = answer(card, call, &size, err);
        }
        if (status == BITTERN_OK && !ended) {
            status = link_send(&card->link, size, &ended, err);
        }
    }
    return status;
}

struct arguments {
    const char *geometry;
    uint32_t units;
};

static int usage_error(const char *message)
{
    fprintf(stderr, "bittern-xrt-device: %s\nTry 'bittern-xrt-device --help'.\n", message);
    return EXIT_USAGE;
}

/* -1: go on; else the exit code. What XRT adds behind our options is not looked at. */
static int parse(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"geometry", required_argument, NULL, 'g'},
        {"units", required_argument, NULL, 'u'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    *arguments = (struct arguments){"edge", 1};
    while ((option = getopt_long(argc, argv, "g:u:h", options, NULL)) != -1) {
        switch (option) {
        case 'g':
            arguments->geometry = optarg;
            break;
        case 'u':
            if (strlen(optarg) != 1 || *optarg < '1' || *optarg > '0' + CARD_MAX_UNITS) {
                return usage_error("--units takes 1 to 8");
            }
            arguments->units = (uint32_t)(*optarg - '0');
            break;
        case 'h':
            fputs(help, stdout);
            return 0;
        default:
            return usage_error("an option is wrong");
        }
    }
    return -1;
}

static bittern_status open_card(struct card *card, const struct arguments *arguments,
                                struct bittern_error *err)
{
    char text[1024];
    struct sim_options options;
    const char *settings = getenv(OPTIONS_VARIABLE);
    bool has_settings = settings && *settings;

    *card = (struct card){.link = {.fd = -1, .second = -1}};
    int length = snprintf(text, sizeof text, "%s%s%s", arguments->geometry, has_settings ? "," : "",
                          has_settings ? settings : "");
    if (length < 0 || (size_t)length >= sizeof text) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT, OPTIONS_VARIABLE " is too long");
    }
    bittern_status status = sim_options_parse(text, &options, err);
    if (status != BITTERN_OK) {
        bittern_error_prefix(err, OPTIONS_VARIABLE);
        return status;
    }
    if (options.variant[0] != '\0' || options.base != 0) {
        return bittern_error_set(err, BITTERN_ERR_ARGUMENT,
                                 OPTIONS_VARIABLE ": a card has no trace=, threads= and base=");
    }
    status = card_memory_create(XCLBIN_MEMORY_BASE, XCLBIN_MEMORY_BYTES, &card->memory, err);
    if (status == BITTERN_OK) {
        status = card_units_create(&options, arguments->units, card->memory, &card->units, err);
    }
    return status == BITTERN_OK ? link_open(&card->link, err) : status;
}

int main(int argc, char **argv)
{
    struct card card;
    struct arguments arguments;
    struct bittern_error err = {0};

    int code = parse(argc, argv, &arguments);
    if (code >= 0) {
        return code;
    }
    /* Ctrl-C is for the host; the card ends when the host does. */
    (void)signal(SIGINT, SIG_IGN);
    bittern_status status = open_card(&card, &arguments, &err);
    if (status == BITTERN_OK) {
        status = serve(&card, &err);
    }
    link_close(&card.link);
    card_units_free(card.units);
    card_memory_free(card.memory);
    if (status != BITTERN_OK) {
        fprintf(stderr, "bittern-xrt-device: %s\n", err.message);
        return 1;
    }
    return 0;
}
