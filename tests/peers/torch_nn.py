"""Records PyTorch's losses, batch norm, optimiser steps and small models, in f64: what taper-nn and taper-models are held to.

    python torch_nn.py

Writes, under crates/:
    taper-nn/tests/data/torch_nn.json            losses with gradients, batch norm over steps, optimisers over steps
    taper-nn/tests/data/torch_tiny.safetensors   a small model's state dict, saved by PyTorch's own tool
    taper-models/tests/data/torch_models.json    names, shapes and outputs of the models, with weights from a formula

Tensors are {"shape": [...], "data": [...]} with row-major data.
"""

import json
import os

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

torch.manual_seed(11)
torch.set_default_dtype(torch.float64)
CRATES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "crates")


def draw(*shape, scale=1.0):
    """Normal numbers with three decimals, so that the files stay small."""
    return (torch.randn(*shape) * scale * 1000).round() / 1000


def tensor(t):
    return {"shape": list(t.shape), "data": t.detach().reshape(-1).tolist()}


def write(path, record):
    record = {"peer": f"PyTorch {torch.__version__}, f64"} | record
    with open(os.path.join(CRATES, path), "w") as file:
        json.dump(record, file, separators=(",", ":"))
        file.write("\n")


# ---- losses ----


def loss(name, params, f, inputs):
    """f's output y, and dx for a cotangent of ones; inputs not called x are constants."""
    x = inputs["x"].clone().requires_grad_(True)
    y = f(**(inputs | {"x": x}))
    (dx,) = torch.autograd.grad(y.sum(), [x])
    found = {k: tensor(v) for k, v in (inputs | {"y": y, "dx": dx}).items()}
    return {"loss": name, "params": params, "tensors": found}


def losses():
    cases = []
    target = torch.tensor([1, 0, 4, -100, 2])
    weight = torch.tensor([0.5, 2.0, 1.0, 0.1, 1.5])
    for reduction in ["mean", "sum", "none"]:
        for smoothing in [0.0, 0.2]:
            params = dict(reduction=reduction, label_smoothing=smoothing)
            f = lambda x, target, weight=None: F.cross_entropy(x, target, weight, **params)
            cases.append(loss("cross_entropy", params, f, dict(x=draw(5, 5, scale=3), target=target)))
            cases.append(loss("cross_entropy", params, f, dict(x=draw(5, 5, scale=3), target=target, weight=weight)))
        params = dict(reduction=reduction, label_smoothing=0.1)
        pictures = dict(x=draw(2, 3, 2, 2), target=torch.tensor([[[0, 1], [2, 2]], [[-100, 1], [0, 0]]]))
        cases.append(loss("cross_entropy", params, lambda x, target: F.cross_entropy(x, target, **params), pictures))
        params = dict(reduction=reduction)
        rows = F.log_softmax(draw(5, 5, scale=2), 1)
        f = lambda x, target, weight=None: F.nll_loss(x, target, weight, **params)
        cases.append(loss("nll", params, f, dict(x=rows, target=target, weight=weight)))
        pair = lambda: dict(x=draw(4, 3, scale=2), target=draw(4, 3))
        cases.append(loss("mse", params, lambda x, target: F.mse_loss(x, target, **params), pair()))
        cases.append(loss("l1", params, lambda x, target: F.l1_loss(x, target, **params), pair()))
        for delta in [1.0, 0.4]:
            huber = params | dict(delta=delta)
            cases.append(loss("huber", huber, lambda x, target: F.huber_loss(x, target, **huber), pair()))
        far = dict(x=torch.tensor([-800.0, -30.0, -1.0, 0.0, 0.5, 40.0, 800.0]), target=torch.rand(7))
        f = lambda x, target, pos_weight=None: F.binary_cross_entropy_with_logits(x, target, pos_weight=pos_weight, **params)
        cases.append(loss("bce_with_logits", params, f, far))
        binary = dict(x=draw(4, 3, scale=3), target=(draw(4, 3) > 0).double(), pos_weight=torch.tensor([0.5, 1.0, 3.0]))
        cases.append(loss("bce_with_logits", params, f, binary))
        # PyTorch has no plain hinge loss: its definition, written out.
        f = lambda x, target: {"mean": torch.mean, "sum": torch.sum, "none": lambda y: y}[reduction]((1 - target * x).clamp(min=0))
        cases.append(loss("hinge", params, f, dict(x=draw(4, 3), target=draw(4, 3).sign())))
        for margin in [1.0, 0.5]:
            margins = params | dict(margin=margin)
            f = lambda x, target: F.multi_margin_loss(x, target, **margins)
            cases.append(loss("multi_margin", margins, f, dict(x=draw(4, 5), target=torch.tensor([3, 0, 4, 1]))))
    for reduction in ["batchmean", "mean", "sum", "none"]:
        for log in [False, True]:
            params = dict(reduction=reduction, log_target=log)
            target = F.log_softmax(draw(3, 4), 1) if log else torch.tensor([[0.5, 0.5, 0, 0], [0, 0, 0, 1], [0.1, 0.2, 0.3, 0.4]])
            f = lambda x, target: F.kl_div(x, target, **params)
            cases.append(loss("kl_div", params, f, dict(x=F.log_softmax(draw(3, 4), 1), target=target)))
    return cases


# ---- batch norm ----


def batch_norm(shape, momentum, affine):
    layer = (nn.BatchNorm1d if len(shape) < 4 else nn.BatchNorm2d)(shape[1], eps=1e-3, momentum=momentum, affine=affine)
    if affine:
        with torch.no_grad():
            layer.weight.copy_(draw(shape[1]))
            layer.bias.copy_(draw(shape[1]))
    params = {name: tensor(p) for name, p in layer.named_parameters()}
    steps = []
    for _ in range(3):
        x = draw(*shape, scale=2)
        y = layer(x)
        steps.append({"x": tensor(x), "y": tensor(y), "mean": tensor(layer.running_mean), "var": tensor(layer.running_var)})
    layer.eval()
    x = draw(*shape)
    record = {"momentum": momentum, "eps": 1e-3, "params": params, "steps": steps}
    return record | {"x": tensor(x), "y": tensor(layer(x)), "batches": layer.num_batches_tracked.item()}


# ---- optimisers ----


def optimiser(kind, params):
    """Five steps on a vector; after each, its value. The last step is at another learning rate."""
    p, gradients = draw(7), draw(5, 7)
    q = p.clone().requires_grad_(True)
    steps = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[kind]([q], **params)
    after = []
    for i, g in enumerate(gradients):
        if i == 4:
            steps.param_groups[0]["lr"] *= 0.1
        q.grad = g.clone()
        steps.step()
        after.append(q.detach().clone())
    return {"kind": kind, "params": params, "p": tensor(p), "g": tensor(gradients), "after": tensor(torch.stack(after))}


def optimisers():
    return [
        optimiser("adam", dict(lr=1e-2)),
        optimiser("adam", dict(lr=1e-2, betas=(0.8, 0.99), eps=1e-3, weight_decay=0.1)),
        optimiser("adamw", dict(lr=1e-2)),
        optimiser("adamw", dict(lr=1e-2, betas=(0.8, 0.99), eps=1e-3, weight_decay=0.1)),
        optimiser("sgd", dict(lr=0.1)),
        optimiser("sgd", dict(lr=0.1, weight_decay=0.05)),
        optimiser("sgd", dict(lr=0.1, momentum=0.9, dampening=0.2, weight_decay=0.05)),
        optimiser("sgd", dict(lr=0.1, momentum=0.9, weight_decay=0.05, nesterov=True)),
    ]


# ---- a model saved by PyTorch ----


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4 * 3 * 3, 5)

    def forward(self, x):
        return self.fc(self.bn1(self.conv1(x)).relu().flatten(1))


def tiny():
    model = Tiny().float()
    for _ in range(2):
        model(draw(8, 2, 6, 6).float())  # so that the running statistics are not those of the start
    save_file(model.state_dict(), os.path.join(CRATES, "taper-nn/tests/data/torch_tiny.safetensors"))
    x = draw(2, 2, 6, 6)
    return {"x": tensor(x), "y": tensor(model.double().eval()(x))}


# ---- the models ----


class SeedCnn(nn.Module):
    def __init__(self, channels, size, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 64, 3, padding=1)
        self.conv2 = nn.Conv2d(64, 128, 3, padding=1)
        self.fc1 = nn.Linear(128 * (size // 4) ** 2, 512)
        self.fc2 = nn.Linear(512, classes)

    def forward(self, x):
        x = F.max_pool2d(self.conv1(x).relu(), 2)
        x = F.max_pool2d(self.conv2(x).relu(), 2)
        return self.fc2(self.fc1(x.flatten(1)).relu())


class Mlp(nn.Module):
    def __init__(self, channels, size, classes):
        super().__init__()
        self.fc1 = nn.Linear(channels * size**2, 128)
        self.fc2 = nn.Linear(128, 128)
        self.fc3 = nn.Linear(128, classes)

    def forward(self, x):
        return self.fc3(self.fc2(self.fc1(x.flatten(1)).relu()).relu())


def model(kind, channels, size, classes):
    """Element i of parameter p: ((7919 i + 104729 p) mod 1009 / 504 - 1) / 16. Element i of the pictures: 31 i mod 257 / 257."""
    m = kind(channels, size, classes)
    with torch.no_grad():
        for p, value in enumerate(m.parameters()):
            i = torch.arange(value.numel())
            value.copy_((((7919 * i + 104729 * p) % 1009) / 504 - 1).reshape(value.shape) / 16)
    x = ((31 * torch.arange(2 * channels * size**2)) % 257 / 257).reshape(2, channels, size, size)
    names = [[name, list(value.shape)] for name, value in m.state_dict().items()]
    return {"input": [channels, size, size], "classes": classes, "state_dict": names, "y": tensor(m(x))}


def state_dict(kind, *args):
    return [[name, list(value.shape)] for name, value in kind(*args).state_dict().items()]


write(
    "taper-nn/tests/data/torch_nn.json",
    {
        "losses": losses(),
        "batch_norm": [batch_norm((4, 3), 0.1, True), batch_norm((3, 2, 2, 3), 0.3, True), batch_norm((2, 3, 4), None, False)],
        "optimisers": optimisers(),
        "tiny": tiny(),
    },
)
write(
    "taper-models/tests/data/torch_models.json",
    {
        "seed-cnn": model(SeedCnn, 3, 8, 10),
        "mlp": model(Mlp, 1, 8, 10),
        "seed-cnn on CIFAR-10": state_dict(SeedCnn, 3, 32, 10),
    },
)
