"""Records what torchvision's networks give, at an eighth of their width, for tests/tests/parity_vision.rs.

    python tests/peers/parity_vision.py

Each network, with dropout off: logits, loss, and the gradients of the first and the last layer in evaluation; where there is
batch norm, the same in a training step, and the logits in evaluation with the statistics that the step has left. Inputs are
drawn from the name `input`.
"""

import contextlib
from unittest import mock

import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from parity import filled, record, uniform

CLASSES = 10
WIDTH = 8


@contextlib.contextmanager
def narrow(factor):
    """Layers that are made inside have a `factor`-th of the channels, but for pictures and classes."""
    of = lambda size: size if size in (3, CLASSES) else size // factor

    class Conv2d(nn.Conv2d):
        def __init__(self, inputs, outputs, *args, **more):
            super().__init__(of(inputs), of(outputs), *args, **more)

    class BatchNorm2d(nn.BatchNorm2d):
        def __init__(self, channels, *args, **more):
            super().__init__(of(channels), *args, **more)

    class Linear(nn.Linear):
        def __init__(self, inputs, outputs, *args, **more):
            super().__init__(of(inputs), of(outputs), *args, **more)

    with mock.patch.multiple(nn, Conv2d=Conv2d, BatchNorm2d=BatchNorm2d, Linear=Linear):
        yield


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, CLASSES)

    def forward(self, x):
        x = F.avg_pool2d(torch.tanh(self.conv1(x)), 2)
        x = F.avg_pool2d(torch.tanh(self.conv2(x)), 2).flatten(1)
        return self.fc3(torch.tanh(self.fc2(torch.tanh(self.fc1(x)))))


class Padded(nn.Module):
    """A basic block with a shortcut of option A."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.changes = stride != 1 or inputs != outputs

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.changes:
            quarter = (y.shape[1] - x.shape[1]) // 2
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, quarter, quarter))
        return F.relu(y + x)


class CifarResNet(nn.Module):
    """He et al. 2016, section 4.2, with Idelbayev's names."""

    def __init__(self, depth, width):
        super().__init__()
        channels = [16 // width, 32 // width, 64 // width]
        self.conv1, self.bn1 = nn.Conv2d(3, channels[0], 3, padding=1, bias=False), nn.BatchNorm2d(channels[0])
        inputs = channels[0]
        for stage, outputs in enumerate(channels):
            blocks = []
            for block in range((depth - 2) // 6):
                blocks.append(Padded(inputs, outputs, 2 if block == 0 and stage > 0 else 1))
                inputs = outputs
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(inputs, CLASSES)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))


def compared(name, model, shape, first, last):
    """Records `model` on pictures of `shape`."""
    model = filled(model)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    x, labels = uniform("input", shape), torch.arange(shape[0]) % CLASSES
    named = dict(model.named_parameters())
    parameters = [p for layer in (first, last) for p in named if p.startswith(f"{layer}.")]
    model.eval()
    y = model(x)
    loss = F.cross_entropy(y, labels)
    loss.backward()
    found = {"eval": y, "eval_loss": loss.reshape(1)} | {f"eval_grad.{p}": named[p].grad.clone() for p in parameters}
    if any(isinstance(module, nn.BatchNorm2d) for module in model.modules()):
        model.zero_grad()
        model.train()
        y = model(x)
        if isinstance(y, tuple):  # GoogLeNetOutputs: logits, aux_logits2, aux_logits1
            found |= {"train": y.logits, "aux1": y.aux_logits1, "aux2": y.aux_logits2}
            loss = F.cross_entropy(y.logits, labels)
            loss = loss + 0.3 * (F.cross_entropy(y.aux_logits1, labels) + F.cross_entropy(y.aux_logits2, labels))
        else:
            found |= {"train": y}
            loss = F.cross_entropy(y, labels)
        loss.backward()
        # The gradient of a bias in front of batch norm is 0, and what rounding leaves of it is no one's.
        found |= {f"train_grad.{p}": named[p].grad.clone() for p in parameters if p != "features.0.bias"}
        model.eval()
        found |= {"train_loss": loss.reshape(1), "after": model(x)}
    record(name, model, found)


def mlps():
    """The activations that a multilayer perceptron may have."""
    activations = {
        "relu": nn.ReLU(),
        "leaky_relu": nn.LeakyReLU(),
        "elu": nn.ELU(),
        "gelu": nn.GELU(),
        "silu": nn.SiLU(),
        "hardswish": nn.Hardswish(),
        "softplus": nn.Softplus(),
        "sigmoid": nn.Sigmoid(),
        "tanh": nn.Tanh(),
        "identity": nn.Identity(),
    }

    class Mlp(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.fc3 = nn.Linear(12, 7), nn.Linear(7, 5), nn.Linear(5, CLASSES)

        def forward(self, x, f):
            return self.fc3(f(self.fc2(f(self.fc1(x.flatten(1))))))

    model, x = filled(Mlp()), uniform("input", [4, 3, 2, 2])
    record("mlp", model, {name: model(x, f) for name, f in activations.items()})

    class Perceptron(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = nn.Linear(12, CLASSES)

        def forward(self, x):
            return self.fc1(x.flatten(1))

    compared("perceptron", Perceptron(), [4, 3, 2, 2], "fc1", "fc1")


def main():
    torch.set_num_threads(1)
    mlps()
    compared("lenet5", LeNet5(), [4, 1, 28, 28], "conv1", "fc3")
    vision = torchvision.models
    with narrow(WIDTH):
        alexnet = vision.alexnet(num_classes=CLASSES)
        vggs = {name: getattr(vision, name)(num_classes=CLASSES) for depth in (11, 13, 16, 19) for name in (f"vgg{depth}", f"vgg{depth}_bn")}
        googlenet = vision.GoogLeNet(CLASSES, aux_logits=True, transform_input=True, init_weights=False)
        resnets = {f"resnet{depth}": getattr(vision, f"resnet{depth}")(num_classes=CLASSES) for depth in (18, 34, 50, 101, 152)}
    compared("alexnet", alexnet, [2, 3, 67, 63], "features.0", "classifier.6")
    for name, model in vggs.items():
        compared(name, model, [4, 3, 64, 48], "features.0", "classifier.6")
    compared("googlenet", googlenet, [4, 3, 64, 48], "conv1", "fc")
    for name, model in resnets.items():
        compared(name, model, [4, 3, 65, 64], "conv1", "fc")
    for depth in (20, 32, 56, 110):
        compared(f"resnet{depth}", CifarResNet(depth, 4), [4, 3, 16, 17], "conv1", "linear")


if __name__ == "__main__":
    main()
