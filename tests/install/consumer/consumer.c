/* SPDX-License-Identifier: Apache-2.0 */
/* A program of a user's: includes every public header and calls into the library. */
#include <bittern/dataset.h>
#include <bittern/device.h>
#include <bittern/error.h>
#include <bittern/model.h>
#include <bittern/network.h>
#include <bittern/program.h>
#include <bittern/reference.h>
#include <bittern/version.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    struct bittern_error err;
    struct bittern_program *program = NULL;

    if (bittern_program_read("no-such-file.btn", &program, &err) != BITTERN_ERR_NOT_FOUND ||
        !strstr(err.message, "no-such-file.btn")) {
        return 1;
    }
    printf("bittern %s\n", BITTERN_VERSION);
    return 0;
}
