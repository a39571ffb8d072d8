/* SPDX-License-Identifier: Apache-2.0 */
/* Make a changed program file's check sums and length right again, so that tests and the fuzzer
 * reach what lies behind them. */
#ifndef BITTERN_PROGRAM_REPAIR_H
#define BITTERN_PROGRAM_REPAIR_H

#include <stddef.h>
#include <stdint.h>

/* Does nothing where the header or the section table does not fit into `size`. */
void program_repair(uint8_t *data, size_t size);

#endif
