#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Milliseconds of a training step of PyTorch, for bench/train-speed to compare with.

The networks, batch, ternary quantization (TWN), loss, optimizer and augmentation are those of the
recipes cifar10-vgg7-twn and mnist-lenet5-wide-twn, with ReLU; memory is channels_last, and
convolutions run in bf16 autocast where the CPU has it. Pixels are random: times do not depend on
them. Prints "MILLISECONDS TYPE", the median of the steps after the first.

Usage: train_speed_torch.py vgg7|lenet5-wide STEPS THREADS
"""
import contextlib
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 128
STORED_IMAGES = 4096


class Ternary(torch.autograd.Function):
    """Li et al. 2016: threshold 0.7 mean|w|, mu = mean of the magnitudes above it."""

    @staticmethod
    def forward(ctx, weight):
        magnitude = weight.abs()
        mask = (magnitude > 0.7 * magnitude.mean()).to(weight.dtype)
        mu = (magnitude * mask).sum() / mask.sum()
        return weight.sign() * mask * mu

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class TernaryConv(nn.Conv2d):
    def forward(self, x):
        return self._conv_forward(x, Ternary.apply(self.weight), None)


class TernaryLinear(nn.Linear):
    def forward(self, x):
        return F.linear(x, Ternary.apply(self.weight))


def conv(inputs, outputs, kernel, pool):
    parts = [TernaryConv(inputs, outputs, kernel, padding=kernel // 2, bias=False)]
    if pool:
        parts.append(nn.MaxPool2d(2))
    return parts + [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def full(inputs, outputs, last):
    parts = [TernaryLinear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs)]
    return parts if last else parts + [nn.ReLU(inplace=True)]


def make_vgg7():
    layers = []
    inputs = 3
    for outputs in (128, 256, 512):
        layers += conv(inputs, outputs, 3, False) + conv(outputs, outputs, 3, True)
        inputs = outputs
    layers += [nn.Flatten()] + full(8192, 1024, False) + full(1024, 10, True)
    network = nn.Sequential(*layers)
    return network, torch.optim.SGD(network.parameters(), 1e-4, 0.9, weight_decay=1e-4)


def make_lenet5_wide():
    layers = conv(1, 32, 5, True) + conv(32, 64, 5, True)
    layers += [nn.Flatten()] + full(3136, 512, False) + full(512, 10, True)
    network = nn.Sequential(*layers)
    return network, torch.optim.Adam(network.parameters(), 1e-4, weight_decay=1e-4)


def augment(images):
    """Pad by 4 and crop at random, flip every second image or so."""
    count, channels, height, width = images.shape
    padded = F.pad(images, (4, 4, 4, 4))
    top = torch.randint(0, 9, (count, 1, 1, 1))
    left = torch.randint(0, 9, (count, 1, 1, 1))
    flip = torch.randint(0, 2, (count, 1, 1, 1)).bool()
    column = torch.arange(width).view(1, 1, 1, width)
    column = torch.where(flip, width - 1 - column, column) + left
    row = torch.arange(height).view(1, 1, height, 1) + top
    image = torch.arange(count).view(count, 1, 1, 1)
    channel = torch.arange(channels).view(1, channels, 1, 1)
    return padded[image, channel, row, column]


def has_bf16():
    """As our own choice: AVX-512 BF16 or AMX, not emulated."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="ascii") as info:
        words = set(info.read().split())
        return bool(words & {"avx512_bf16", "amx_bf16"})
    return False


def next_batch(images, labels, shape):
    index = torch.randint(0, STORED_IMAGES, (BATCH,))
    batch = images[index]
    if shape[0] == 3:
        batch = augment(batch)
    # normalized, and quantized to 8 bits as hardware has it
    batch = torch.round((batch.float() / 255 - 0.5) * 63.5) / 63.5
    return batch.contiguous(memory_format=torch.channels_last), labels[index]


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("vgg7", "lenet5-wide"):
        sys.exit(__doc__)
    steps = int(sys.argv[2])
    torch.set_num_threads(int(sys.argv[3]))
    torch.manual_seed(1)
    if sys.argv[1] == "vgg7":
        shape = (3, 32, 32)
        network, optimizer = make_vgg7()
    else:
        shape = (1, 28, 28)
        network, optimizer = make_lenet5_wide()
    network = network.to(memory_format=torch.channels_last)
    images = torch.randint(0, 256, (STORED_IMAGES, *shape), dtype=torch.uint8)
    labels = torch.randint(0, 10, (STORED_IMAGES,))
    bf16 = has_bf16()
    times = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        batch, target = next_batch(images, labels, shape)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            scores = network(batch)
        loss = F.cross_entropy(scores.float(), target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        loss.item()
        times.append(1e3 * (time.perf_counter() - start))
    print(f"{statistics.median(times[1:]):.4f} {'bf16' if bf16 else 'f32'}")


if __name__ == "__main__":
    main()
