/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process of the emulated card, with this test in the place of XRT: it listens on both sockets,
 * asks, and looks at answers, exit codes and messages. Requests are put together by hand, field by
 * field.
 */
#include "testing.h"
#include "xclbin_parts.h"

#include "device/kernel_registers.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALL_CLOSE 1
#define CALL_ALLOCATE 4
#define CALL_FREE 5
#define CALL_WRITE_MEMORY 6
#define CALL_READ_MEMORY 7
#define CALL_WRITE_REGISTER 9
#define CALL_READ_REGISTER 11
#define CALL_MESSAGES 19
#define CALL_ENVIRONMENT 20
#define ROOM 70000

struct shim {
    char folder[64];
    int listener, second_listener;
    int fd, second;
    int messages; /* the card's standard error */
    pid_t card;
    uint8_t request[ROOM], reply[ROOM];
    size_t request_size, reply_size;
};

/* ---- The shim's side ------------------------------------------------------------------------- */

static int listen_at(const char *folder, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%.60s/%s", folder, name);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

/* A card that does not start says why on its standard error, and never connects. */
static int accept_card(struct shim *shim)
{
    char text[1024] = "";
    struct pollfd entry = {.fd = shim->listener, .events = POLLIN};
    for (int tries = 0; tries < 600; tries++) {
        if (poll(&entry, 1, 100) > 0) {
            return accept(shim->listener, NULL, NULL);
        }
        if (waitpid(shim->card, NULL, WNOHANG) == shim->card) {
            ssize_t got = read(shim->messages, text, sizeof text - 1);
            text[got > 0 ? got : 0] = '\0';
            break;
        }
    }
    fail_msg("the card does not connect: %s", text);
    return -1;
}

static void open_shim(struct shim *shim, const char *settings)
{
    int pipe_ends[2];

    memset(shim, 0, sizeof *shim);
    (void)snprintf(shim->folder, sizeof shim->folder, "/tmp/bittern-test-card-XXXXXX");
    assert_non_null(mkdtemp(shim->folder));
    shim->listener = listen_at(shim->folder, "main");
    shim->second_listener = listen_at(shim->folder, "D2X_unix_sock_main");
    assert_int_equal(pipe(pipe_ends), 0);
    shim->card = fork();
    assert_true(shim->card >= 0);
    if (shim->card == 0) {
        (void)dup2(pipe_ends[1], STDERR_FILENO);
        (void)setenv("USER", shim->folder + strlen("/tmp/"), 1);
        (void)setenv("EMULATION_SOCKETID", "main", 1);
        (void)setenv("BITTERN_XRT_DEVICE_OPTIONS", settings, 1);
        (void)execl(CARD, CARD, "--geometry", "tiny", "--units", "2", " --wdb x", (char *)NULL);
        _exit(127);
    }
    (void)close(pipe_ends[1]);
    shim->messages = pipe_ends[0];
    shim->fd = accept_card(shim);
    assert_true(shim->fd >= 0);
    shim->second = -1;
}

/* Wait for the card's end: its exit code, with what it said in `text`. */
static int close_shim(struct shim *shim, char text[1024])
{
    int status = 0;
    size_t size = 0;
    ssize_t got = 0;
    char path[128];

    (void)close(shim->fd);
    do {
        size += (size_t)got;
        got = read(shim->messages, text + size, 1023 - size);
    } while (got > 0 && size + (size_t)got < 1023);
    text[size] = '\0';
    assert_int_equal(waitpid(shim->card, &status, 0), shim->card);
    (void)close(shim->messages);
    (void)close(shim->listener);
    (void)close(shim->second_listener);
    if (shim->second >= 0) {
        (void)close(shim->second);
    }
    (void)snprintf(path, sizeof path, "%s/main", shim->folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/D2X_unix_sock_main", shim->folder);
    (void)unlink(path);
    assert_int_equal(rmdir(shim->folder), 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void begin(struct shim *shim)
{
    shim->request_size = 0;
}

static void add_varint(struct shim *shim, uint64_t value)
{
    do {
        shim->request[shim->request_size++] = (uint8_t)((value & 0x7F) | (value > 0x7F ? 0x80 : 0));
        value >>= 7;
    } while (value > 0);
}

static void add_number(struct shim *shim, unsigned field, uint64_t value)
{
    add_varint(shim, field << 3);
    add_varint(shim, value);
}

static void add_bytes(struct shim *shim, unsigned field, const void *data, size_t size)
{
    add_varint(shim, field << 3 | 2);
    add_varint(shim, size);
    memcpy(shim->request + shim->request_size, data, size);
    shim->request_size += size;
}

static bool receive(int fd, uint8_t *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(fd, data + done, size - done);
        if (got <= 0) {
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

/* False where the card has gone instead of answering. */
static bool ask(struct shim *shim, uint32_t call)
{
    uint8_t header[14] = {0x09, [9] = 0x15};
    uint64_t size = shim->request_size;
    memcpy(header + 1, &size, 8);
    memcpy(header + 10, &call, 4);
    (void)send(shim->fd, header, sizeof header, MSG_NOSIGNAL);
    (void)send(shim->fd, shim->request, shim->request_size, MSG_NOSIGNAL);
    if (!receive(shim->fd, header, 9)) {
        return false;
    }
    assert_int_equal(header[0], 0x09);
    memcpy(&size, header + 1, 8);
    assert_true(size <= ROOM);
    shim->reply_size = (size_t)size;
    assert_true(receive(shim->fd, shim->reply, shim->reply_size));
    return true;
}

static bool allocate(struct shim *shim, uint64_t address, uint64_t size)
{
    begin(shim);
    add_number(shim, 1, address);
    add_number(shim, 2, size);
    return ask(shim, CALL_ALLOCATE);
}

static bool write_memory(struct shim *shim, uint64_t address, const void *data, size_t size)
{
    begin(shim);
    add_bytes(shim, 2, "handle", 6);
    add_number(shim, 3, address - 100);
    add_bytes(shim, 4, data, size);
    add_number(shim, 5, size);
    add_number(shim, 6, 100);
    add_number(shim, 7, 0);
    return ask(shim, CALL_WRITE_MEMORY);
}

/* The last `size` bytes of the reply are the data. */
static bool read_memory(struct shim *shim, uint64_t address, size_t size)
{
    begin(shim);
    add_bytes(shim, 2, "handle", 6);
    add_bytes(shim, 3, "rubbish", 7);
    add_number(shim, 4, address);
    add_number(shim, 5, size);
    add_number(shim, 6, 0);
    return ask(shim, CALL_READ_MEMORY);
}

static bool write_register(struct shim *shim, uint64_t address, uint32_t value)
{
    begin(shim);
    add_number(shim, 2, address);
    add_number(shim, 3, 4);
    add_bytes(shim, 4, &value, 4);
    return ask(shim, CALL_WRITE_REGISTER);
}

static uint32_t read_register(struct shim *shim, uint64_t address)
{
    uint32_t value = 0;
    begin(shim);
    add_number(shim, 2, address);
    add_number(shim, 3, 4);
    assert_true(ask(shim, CALL_READ_REGISTER));
    assert_true(shim->reply_size >= 4);
    memcpy(&value, shim->reply + shim->reply_size - 4, 4);
    return value;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

#define UNIT_1 XCLBIN_UNIT_BASE
#define UNIT_2 (XCLBIN_UNIT_BASE + XCLBIN_UNIT_RANGE)
#define MEMORY XCLBIN_MEMORY_BASE

/* Would catch: registers that are not the kernel's own; units that are one and the same; a run that
 * never shows its end, or shows it twice. */
static void registers_are_those_of_each_kernel(void **state)
{
    (void)state;
    static struct shim shim;
    char text[1024];
    const uint64_t units[] = {UNIT_1, UNIT_2};
    const uint64_t record = MEMORY + 4096;

    open_shim(&shim, "");
    assert_true(allocate(&shim, record, 8192));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(read_register(&shim, units[i] + KERNEL_MAGIC), KERNEL_MAGIC_VALUE);
        assert_int_equal(read_register(&shim, units[i] + KERNEL_WORD), 32);
        assert_true(write_register(&shim, units[i] + KERNEL_IMAGES, 0));
        assert_true(write_register(&shim, units[i] + KERNEL_INPUT, 0x1000 * (i + 1)));
        assert_true(
            write_register(&shim, units[i] + KERNEL_RECORD, (uint32_t)record + 4096 * (uint32_t)i));
        assert_true(write_register(&shim, units[i] + KERNEL_RECORD + 4, (uint32_t)(record >> 32)));
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(read_register(&shim, units[i] + KERNEL_INPUT), 0x1000 * (i + 1));
        assert_true(write_register(&shim, units[i], KERNEL_CONTROL_START));
    }
    for (int i = 0; i < 2; i++) {
        uint32_t control;
        do {
            control = read_register(&shim, units[i]);
        } while ((control & KERNEL_CONTROL_DONE) == 0);
        assert_int_equal(control & KERNEL_CONTROL_IDLE, KERNEL_CONTROL_IDLE);
        assert_int_equal(read_register(&shim, units[i]) & KERNEL_CONTROL_DONE, 0);
        assert_true(read_memory(&shim, record + 4096 * (uint64_t)i, 256));
        assert_memory_equal(shim.reply + shim.reply_size - 256, "BTNR", 4);
    }
    assert_int_equal(close_shim(&shim, text), 0);
    assert_string_equal(text, "");
}

/* Would catch: copies that go elsewhere; memory that a later buffer inherits. */
static void memory_is_there_where_buffers_are(void **state)
{
    (void)state;
    static struct shim shim;
    static uint8_t data[60000];
    char text[1024];

    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 7 + i / 256);
    }
    open_shim(&shim, "");
    assert_true(allocate(&shim, MEMORY, 65536));
    assert_true(write_memory(&shim, MEMORY + 4000, data, sizeof data));
    assert_true(read_memory(&shim, MEMORY + 4000, sizeof data));
    assert_memory_equal(shim.reply + shim.reply_size - sizeof data, data, sizeof data);
    begin(&shim);
    add_number(&shim, 1, MEMORY);
    assert_true(ask(&shim, CALL_FREE));
    assert_true(allocate(&shim, MEMORY, 65536));
    assert_true(read_memory(&shim, MEMORY + 4000, 4));
    assert_memory_equal(shim.reply + shim.reply_size - 4, "\0\0\0\0", 4);
    /* Past its end there is nothing. */
    assert_false(read_memory(&shim, MEMORY + 65530, 8));
    assert_int_equal(close_shim(&shim, text), 1);
    assert_non_null(strstr(text, "there is no buffer"));
}

/* Would catch: a call that hangs the host, as nothing answers it. */
static void unknown_calls_end_the_card_with_a_message(void **state)
{
    (void)state;
    static const uint32_t calls[] = {0, 2, 8, 14, 21, 34, UINT32_MAX};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        static struct shim shim;
        char text[1024];
        char wanted[32];
        open_shim(&shim, "");
        begin(&shim);
        assert_false(ask(&shim, calls[i]));
        assert_int_equal(close_shim(&shim, text), 1);
        (void)snprintf(wanted, sizeof wanted, "call %u ", (unsigned)calls[i]);
        assert_non_null(strstr(text, wanted));
    }
}

/* Would catch: a request that crashes the card. */
static void broken_requests_end_the_card_with_a_message(void **state)
{
    (void)state;
    static const uint32_t calls[] = {CALL_ALLOCATE,    CALL_FREE,           CALL_WRITE_MEMORY,
                                     CALL_READ_MEMORY, CALL_WRITE_REGISTER, CALL_READ_REGISTER};
    uint64_t random = 9;
    for (size_t i = 0; i < 24; i++) {
        static struct shim shim;
        char text[1024];
        open_shim(&shim, "");
        begin(&shim);
        for (size_t n = random_below(&random, 60); n > 0; n--) {
            shim.request[shim.request_size++] = (uint8_t)random_u64(&random);
        }
        assert_false(ask(&shim, calls[i % 6]));
        assert_int_equal(close_shim(&shim, text), 1);
        assert_non_null(strstr(text, "bittern-xrt-device: "));
    }
}

/* Would catch: data shorter than it says, a register that is none, buffers in each other. */
static void impossible_requests_end_the_card_with_a_message(void **state)
{
    (void)state;
    static const char *const parts[] = {"not understood", "no register", "within another",
                                        "outside of the card's memory", "no buffer at"};
    for (int i = 0; i < 5; i++) {
        static struct shim shim;
        char text[1024];
        open_shim(&shim, "");
        assert_true(allocate(&shim, MEMORY, 65536));
        begin(&shim);
        switch (i) {
        case 0:
            add_number(&shim, 3, MEMORY);
            add_bytes(&shim, 4, "abc", 3);
            add_number(&shim, 5, 4000);
            add_number(&shim, 6, 0);
            assert_false(ask(&shim, CALL_WRITE_MEMORY));
            break;
        case 1:
            assert_false(write_register(&shim, UNIT_2 + XCLBIN_UNIT_RANGE, 0));
            break;
        case 2:
            assert_false(allocate(&shim, MEMORY + 61440, 8192));
            break;
        case 3:
            assert_false(allocate(&shim, MEMORY + XCLBIN_MEMORY_BYTES - 4096, 8192));
            break;
        default:
            add_number(&shim, 1, MEMORY + 4096);
            assert_false(ask(&shim, CALL_FREE));
            break;
        }
        assert_int_equal(close_shim(&shim, text), 1);
        if (!strstr(text, parts[i])) {
            fail_msg("case %d: %s", i, text);
        }
    }
}

/* Would catch: a card that outlives its host, or keeps it waiting when it closes. */
static void the_card_ends_with_its_host(void **state)
{
    (void)state;
    static struct shim shim;
    uint8_t farewell[14];
    char text[1024];

    open_shim(&shim, "");
    begin(&shim);
    assert_true(ask(&shim, CALL_ENVIRONMENT));
    assert_true(ask(&shim, CALL_MESSAGES));
    assert_int_equal(shim.reply_size, 0);
    assert_true(ask(&shim, CALL_CLOSE));
    shim.second = accept(shim.second_listener, NULL, NULL);
    assert_true(shim.second >= 0);
    assert_true(receive(shim.second, farewell, sizeof farewell));
    assert_int_equal(close_shim(&shim, text), 0);

    /* A host that is killed just goes. */
    open_shim(&shim, "");
    assert_int_equal(close_shim(&shim, text), 0);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_are_those_of_each_kernel),
        cmocka_unit_test(memory_is_there_where_buffers_are),
        cmocka_unit_test(unknown_calls_end_the_card_with_a_message),
        cmocka_unit_test(broken_requests_end_the_card_with_a_message),
        cmocka_unit_test(impossible_requests_end_the_card_with_a_message),
        cmocka_unit_test(the_card_ends_with_its_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
