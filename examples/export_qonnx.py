#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Train a small quantized network with PyTorch and export it as QONNX.

This is the outside door: a network that Bittern's own trainer has never seen. The two files beside
this script were made with it, and the tests and the demo run them.

    bittern data make digits --data data
    python3 export_qonnx.py --data data/digits --network tfc-w1a1 --out tfc-w1a1-digits.onnx
    python3 export_qonnx.py --data data/digits --network lenet5-w2a2 --out lenet5-w2a2-digits.onnx

Needs PyTorch and its ONNX exporter only (Debian: python3-torch, python3-onnx).
"""
import argparse
import gzip
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

QONNX = "qonnx.custom_op.general"


class BipolarQuant(torch.autograd.Function):
    """Sign with a scale; the gradient passes where |x| <= 1 (straight-through estimator)."""

    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x)
        return torch.where(x >= 0, scale, -scale)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * (x.abs() <= 1), None

    @staticmethod
    def symbolic(g, x, scale):
        return g.op(f"{QONNX}::BipolarQuant", x, scale).setType(x.type())


class Quant(torch.autograd.Function):
    """Uniform quantizer, signed and narrow; the gradient passes inside of the range."""

    @staticmethod
    def forward(ctx, x, scale, bits):
        top = 2 ** (int(bits) - 1) - 1
        ctx.save_for_backward(x, scale)
        ctx.top = top
        return torch.clamp(torch.round(x / scale), -top, top) * scale

    @staticmethod
    def backward(ctx, grad):
        x, scale = ctx.saved_tensors
        return grad * (x.abs() <= scale * (ctx.top + 0.5)), None, None

    @staticmethod
    def symbolic(g, x, scale, bits):
        zero = g.op("Constant", value_t=torch.tensor(0.0))
        return g.op(f"{QONNX}::Quant", x, scale, zero, bits, signed_i=1, narrow_i=1,
                    rounding_mode_s="ROUND").setType(x.type())


class Activation(nn.Module):
    def __init__(self, bits):
        super().__init__()
        self.register_buffer("scale", torch.tensor(1.0 if bits == 1 else 0.8))
        self.register_buffer("bits", torch.tensor(float(bits)))
        self.binary = bits == 1

    def forward(self, x):
        if self.binary:
            return BipolarQuant.apply(x, self.scale)
        return Quant.apply(x, self.scale, self.bits)


class Weight(nn.Module):
    """Quantizer of a layer's weights: scale 1 for one bit, mean |w| for two."""

    def __init__(self, bits):
        super().__init__()
        self.register_buffer("scale", torch.tensor(1.0))
        self.register_buffer("bits", torch.tensor(float(bits)))
        self.binary = bits == 1

    def forward(self, w):
        if self.binary:
            return BipolarQuant.apply(w, self.scale)
        if self.training:
            self.scale.fill_(float(w.abs().mean()) * 1.4)
        return Quant.apply(w, self.scale, self.bits)


class Linear(nn.Linear):
    def __init__(self, inputs, outputs, bits):
        super().__init__(inputs, outputs, bias=False)
        self.quant = Weight(bits)
        nn.init.uniform_(self.weight, -1, 1) if bits == 1 else None

    def forward(self, x):
        return F.linear(x, self.quant(self.weight))


class Conv(nn.Conv2d):
    def __init__(self, inputs, outputs, kernel, bits, **options):
        super().__init__(inputs, outputs, kernel, bias=False, **options)
        self.quant = Weight(bits)

    def forward(self, x):
        return F.conv2d(x, self.quant(self.weight), None, self.stride, self.padding)


class Tfc(nn.Module):
    """784-64-64-64-10, the smallest of FINN's fully connected networks."""

    def __init__(self, weight_bits, activation_bits):
        super().__init__()
        sizes = [784, 64, 64, 64]
        layers = []
        for inputs, outputs in zip(sizes, sizes[1:]):
            layers += [Linear(inputs, outputs, weight_bits), nn.BatchNorm1d(outputs),
                       Activation(activation_bits)]
        self.input = Activation(activation_bits)
        self.features = nn.Sequential(*layers)
        self.last = Linear(64, 10, weight_bits)
        self.norm = nn.BatchNorm1d(10)

    def forward(self, x):
        x = self.input(2.0 * x - 1.0)
        x = x.view(x.shape[0], -1)
        return self.norm(self.last(self.features(x)))


class LeNet5(nn.Module):
    """6-16-120-84-10 with the pools between convolution and batch norm."""

    def __init__(self, weight_bits, activation_bits):
        super().__init__()
        self.input = Activation(activation_bits)
        self.features = nn.Sequential(
            Conv(1, 6, 5, weight_bits, padding=2), nn.MaxPool2d(2), nn.BatchNorm2d(6),
            Activation(activation_bits),
            Conv(6, 16, 5, weight_bits), nn.MaxPool2d(2), nn.BatchNorm2d(16),
            Activation(activation_bits))
        self.classifier = nn.Sequential(
            Linear(400, 120, weight_bits), nn.BatchNorm1d(120), Activation(activation_bits),
            Linear(120, 84, weight_bits), nn.BatchNorm1d(84), Activation(activation_bits),
            Linear(84, 10, weight_bits), nn.BatchNorm1d(10))

    def forward(self, x):
        x = self.features(self.input(2.0 * x - 1.0))
        return self.classifier(x.view(x.size(0), -1))


NETWORKS = {
    "tfc-w1a1": lambda: Tfc(1, 1),
    "tfc-w1a2": lambda: Tfc(1, 2),
    "tfc-w2a2": lambda: Tfc(2, 2),
    "lenet5-w2a2": lambda: LeNet5(2, 2),
}


def read_idx(path):
    with gzip.open(path) as file:
        data = file.read()
    rank = data[3]
    dims = np.frombuffer(data, ">u4", rank, 4)
    return torch.from_numpy(np.frombuffer(data, np.uint8, -1, 4 + 4 * rank).reshape(dims).copy())


def load(folder, split):
    images = read_idx(f"{folder}/{split}-images-idx3-ubyte.gz")
    labels = read_idx(f"{folder}/{split}-labels-idx1-ubyte.gz")
    return images.unsqueeze(1).float() / 255.0, labels.long()


def accuracy(network, images, labels):
    network.eval()
    with torch.no_grad():
        hits = sum((network(images[i:i + 1000]).argmax(1) == labels[i:i + 1000]).sum().item()
                   for i in range(0, len(images), 1000))
    return hits / len(images)


def train(network, images, labels, epochs, rate):
    weights = [m.weight for m in network.modules() if isinstance(m, (Linear, Conv))]
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        network.train()
        order = torch.randperm(len(images))
        total = 0.0
        for batch in order.split(100):
            loss = F.cross_entropy(network(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for weight in weights:
                    weight.clamp_(-1, 1)
            total += loss.item() * len(batch)
        schedule.step()
        print(f"epoch {epoch + 1}: loss {total / len(images):.4f}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with the four IDX files (.gz)")
    parser.add_argument("--network", choices=sorted(NETWORKS), required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    network = NETWORKS[options.network]()
    images, labels = load(options.data, "train")
    train(network, images, labels, options.epochs, options.rate)
    images, labels = load(options.data, "t10k")
    # The file's own arithmetic is judged in float64, as the integer network is.
    print(f"test accuracy: {100 * accuracy(network.double(), images.double(), labels):.2f} %")
    torch.onnx.export(network.float(), torch.zeros(1, 1, 28, 28), options.out, opset_version=13,
                      input_names=["image"], output_names=["scores"],
                      dynamic_axes={"image": {0: "batch"}, "scores": {0: "batch"}},
                      custom_opsets={QONNX: 1}, do_constant_folding=False)


if __name__ == "__main__":
    main()
