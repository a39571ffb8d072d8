/* SPDX-License-Identifier: Apache-2.0 */
/* Networks that have a name, in the notation of network_notation.c. */
#include "recipe/recipe.h"

#include <string.h>

static const struct {
    const char *name, *layers;
} networks[] = {
    /* LeCun et al. 1998 as commonly simplified: 61,470 weights. Padding by 2 makes 28x28 images
     * the 32x32 of the original. */
    {"lenet5", "6C5p2-MP2-16C5p0-MP2-120-84-10"},
    /* Li et al. (TWN), section 3.1 */
    {"lenet5-wide", "32C5-MP2-64C5-MP2-512-10"},
    /* Li et al. (TWN), after Courbariaux et al. (BinaryConnect), with one full connection less */
    {"vgg7", "2x(128C3)-MP2-2x(256C3)-MP2-2x(512C3)-MP2-1024-10"},
    /* Simonyan and Zisserman's 13 convolutions, and one full connection for 32x32 images. With
     * binary weights, but the first and last layers at 32 bits, it is 31.5 times smaller than in
     * float, as Razani et al. (SQ) report; a hidden layer of 512 more would give 31.6. */
    {"vgg16", "2x(64C3)-MP2-2x(128C3)-MP2-3x(256C3)-MP2-3x(512C3)-MP2-3x(512C3)-MP2-10"},
    /* Umuroglu et al. (FINN), section 5.1 */
    {"cnv", "2x(64C3p0)-MP2-2x(128C3p0)-MP2-2x(256C3p0)-512-512-10"},
    {"tfc", "64-64-64-10"},
    {"sfc", "256-256-256-10"},
    {"lfc", "1024-1024-1024-10"},
};
#define NETWORK_COUNT (sizeof networks / sizeof networks[0])

const char *network_layers(const char *name)
{
    for (size_t i = 0; i < NETWORK_COUNT; i++) {
        if (strcmp(networks[i].name, name) == 0) {
            return networks[i].layers;
        }
    }
    return NULL;
}

const char *network_name(size_t index)
{
    return index < NETWORK_COUNT ? networks[index].name : NULL;
}
