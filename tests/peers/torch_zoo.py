"""Records the zoo's networks with batch norm in PyTorch, in f64, and airbench's whitening with NumPy.

    python torch_zoo.py

Writes crates/taper-models/tests/data/torch_zoo.json: for each network names and shapes of its state dict (those of
ResNet-18 are torchvision's), its output in evaluation, and a training step's logits, loss and gradients (of each parameter
sum, norm and product with the formula of the next), and the output in evaluation after it; the whitening's matrix, eigenvalues,
eigenvectors. Weights, pictures and labels come from formulas.
"""

import json
import os

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from torch_airbench import Airbench, second_moment

torch.set_default_dtype(torch.float64)
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../crates/taper-models/tests/data/torch_zoo.json")


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class ResNet18(nn.Module):
    """torchvision's resnet18 with a 3 × 3 stem and no pooling behind it; attributes in torchvision's order."""

    def __init__(self, channels=3, size=32, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 64, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        for i, (inputs, outputs, stride) in enumerate([(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]):
            layer = nn.Sequential(BasicBlock(inputs, outputs, stride), BasicBlock(outputs, outputs, 1))
            setattr(self, f"layer{i + 1}", layer)
        self.fc = nn.Linear(512, classes)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


def tensor(t):
    return {"shape": list(t.shape), "data": t.detach().reshape(-1).tolist()}


def formula(shape, p):
    """Element i of parameter p: (7919 i + 104729 p) mod 1009 / 504 - 1; that / 16 with more than one dimension."""
    i = torch.arange(shape.numel())
    return (((7919 * i + 104729 * p) % 1009) / 504 - 1).reshape(shape) / (1 if len(shape) == 1 else 16)


def pictures(n, channels, size):
    """Element i: 31 i mod 257 / 257."""
    return ((31 * torch.arange(n * channels * size**2)) % 257 / 257).reshape(n, channels, size, size)


def network(kind, channels, size, classes):
    """p counts all parameters, frozen ones too."""
    m = kind(channels, size, classes)
    with torch.no_grad():
        for p, value in enumerate(m.parameters()):
            value.copy_(formula(value.shape, p))
    names = [[name, list(value.shape)] for name, value in m.state_dict().items()]
    y = m.eval()(pictures(2, channels, size))

    x, labels = pictures(4, channels, size), torch.arange(4) % classes
    logits = m.train()(x)
    loss = F.cross_entropy(logits, labels, label_smoothing=0.2, reduction="sum")
    loss.backward()
    gradients = []
    for p, (name, value) in enumerate(m.named_parameters()):
        if value.requires_grad:
            g = value.grad
            gradients.append([name, g.sum().item(), g.norm().item(), (g * formula(g.shape, p + 1)).sum().item()])
    after = m.eval()(x)
    step = {"logits": tensor(logits), "loss": loss.item(), "gradients": gradients, "after": tensor(after)}
    return {"input": [channels, size, size], "classes": classes, "state_dict": names, "y": tensor(y), "step": step}


def whitening():
    torch.manual_seed(3)
    x = (torch.randn(4, 3, 7, 6).cumsum(2) * 100).round() / 100  # two decimals; neighbours alike
    moment = second_moment(x)
    values, vectors = np.linalg.eigh(moment.numpy())
    rows = np.ascontiguousarray(vectors.T).reshape(-1).tolist()
    flat = moment.reshape(-1).tolist()
    return {"pictures": tensor(x), "eps": 5e-4, "moment": flat, "values": values.tolist(), "vectors": rows}


record = {"peer": f"PyTorch {torch.__version__}, NumPy {np.__version__}, f64"}
record |= {"airbench": network(Airbench, 3, 32, 10), "resnet18": network(ResNet18, 3, 32, 10), "whitening": whitening()}
with open(OUT, "w") as file:
    json.dump(record, file, separators=(",", ":"))
    file.write("\n")
