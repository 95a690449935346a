"""The fast94 recipe in PyTorch on the CPU: airbench94_muon (Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024).

    python torch_airbench.py --data-dir DIR [--threads 2] [--seed S] [--epochs 8] [--stop-after EPOCHS] [--max-steps N] \
        [--init OUT.safetensors] > airbench.jsonl

DIR holds cifar-10-batches-bin/. f32, channels last, nothing compiled; glibc is told to keep freed memory (it would hand large blocks
back to the system after each operation, and have them zeroed again), unless the environment says otherwise. `--stop-after 2` and `--max-steps` cut the run short;
the rates still fall over all of `--epochs`. `--init` writes the weights that training begins with, whitening included.
Prints a JSON line for each thing measured: {"prepare": seconds}; {"epoch", "steps", "loss", "seconds"} with the mean loss
of an example and the seconds of training alone, batches included; {"epoch", "accuracy", "seconds"} on the test pictures;
at the end {"views": 6, "accuracy", "seconds"}.
"""

import argparse
import json
import math
import os
import sys
import time

# glibc reads these when a process starts.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40), "MALLOC_TOP_PAD_": str(1 << 30)}
if __name__ == "__main__" and not any(name in os.environ for name in KEEP_MEMORY):
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | KEEP_MEMORY)

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)
BATCH = 2000
BIAS_LR, HEAD_LR, FILTER_LR = 0.053, 0.67, 0.24
WEIGHT_DECAY = 2e-6 * BATCH  # of a step, whatever the rate
WHITEN_EPOCHS = 3


class BatchNorm(nn.BatchNorm2d):
    def __init__(self, channels):
        super().__init__(channels, eps=1e-12, momentum=0.4)
        self.weight.requires_grad = False


class Conv(nn.Conv2d):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs, 3, padding=1, bias=False)
        with torch.no_grad():
            nn.init.dirac_(self.weight[:inputs])


class Group(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = Conv(inputs, outputs)
        self.norm1 = BatchNorm(outputs)
        self.conv2 = Conv(outputs, outputs)
        self.norm2 = BatchNorm(outputs)

    def forward(self, x):
        x = F.gelu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return F.gelu(self.norm2(self.conv2(x)))


class Airbench(nn.Module):
    def __init__(self, channels=3, size=32, classes=10):
        super().__init__()
        whitened = 2 * channels * 4
        self.whiten = nn.Conv2d(channels, whitened, 2)
        self.whiten.weight.requires_grad = False
        self.layers = nn.Sequential(nn.GELU(), Group(whitened, 64), Group(64, 256), Group(256, 256), nn.MaxPool2d(3))
        self.head = nn.Linear(256 * ((size - 1) // 24) ** 2, classes, bias=False)
        with torch.no_grad():
            self.head.weight /= self.head.weight.std()

    def forward(self, x):
        x = self.layers(self.whiten(x)).flatten(1)
        return self.head(x) / x.size(1)


def second_moment(pictures):
    """E[p pᵀ] of the 2 × 2 patches p: (channel, row, column)."""
    patches = F.unfold(pictures, 2).transpose(1, 2).reshape(-1, 4 * pictures.size(1))
    return patches.T @ patches / len(patches)


def whitening(pictures, eps=5e-4):
    values, vectors = torch.linalg.eigh(second_moment(pictures), UPLO="U")
    filters = (vectors / torch.sqrt(values + eps)).T.reshape(-1, pictures.size(1), 2, 2)
    return torch.cat([filters, -filters])


def orthogonalised(g, steps=3, eps=1e-7):
    """About U Vᵀ of g = U S Vᵀ, by Newton-Schulz steps (Jordan et al., "Muon", 2024)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g / (g.norm() + eps)
    if tall := g.size(0) > g.size(1):
        x = x.T
    for _ in range(steps):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Of filters, each tensor rescaled to the norm sqrt(filters) before its step."""

    def __init__(self, params, lr, momentum):
        super().__init__(params, dict(lr=lr, momentum=momentum))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                buffer = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
                buffer.mul_(group["momentum"]).add_(p.grad)
                g = p.grad.add(buffer, alpha=group["momentum"])  # Nesterov
                p.mul_(len(p) ** 0.5 / p.norm())
                p.add_(orthogonalised(g.reshape(len(g), -1)).view(g.shape), alpha=-group["lr"])


class Recipe:
    """The optimisers and their rates."""

    def __init__(self, model, steps, whiten_steps):
        self.model, self.steps, self.whiten_steps = model, steps, whiten_steps
        trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        groups = [
            ([model.whiten.bias], BIAS_LR),
            ([p for name, p in trained if "norm" in name], BIAS_LR),
            ([model.head.weight], HEAD_LR),
        ]
        groups = [dict(params=params, lr=lr, weight_decay=WEIGHT_DECAY / lr) for params, lr in groups]
        self.sgd = torch.optim.SGD(groups, momentum=0.85, nesterov=True, fused=True)
        self.muon = Muon([p for _, p in trained if p.dim() == 4], lr=FILTER_LR, momentum=0.6)
        self.base = [group["lr"] for group in self.groups()]

    def groups(self):
        return self.sgd.param_groups + self.muon.param_groups

    def step(self, step, x, labels):
        """Makes step `step`, from 0; the summed loss, still as a tensor."""
        self.model.whiten.bias.requires_grad = step < self.whiten_steps
        loss = F.cross_entropy(self.model(x), labels, label_smoothing=0.2, reduction="sum")
        loss.backward()
        for i, (group, lr) in enumerate(zip(self.groups(), self.base)):
            group["lr"] = lr * max(0.0, 1 - step / (self.whiten_steps if i == 0 else self.steps))
        self.sgd.step()
        self.muon.step()
        self.model.zero_grad(set_to_none=True)
        return loss.detach()


class Batches:
    """Alternating flip and reflect translation by up to 2, in a new order each epoch; the last, short batch is dropped."""

    def __init__(self, pictures, labels):
        self.labels, self.epoch = labels, 0
        flip = (torch.rand(len(pictures)) < 0.5).view(-1, 1, 1, 1)
        self.padded = F.pad(torch.where(flip, pictures.flip(-1), pictures), (2,) * 4, "reflect")

    def __iter__(self):
        pictures = crops(self.padded)
        if self.epoch % 2 == 1:
            pictures = pictures.flip(-1)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        self.epoch += 1
        order = torch.randperm(len(pictures))
        for first in range(0, len(pictures) // BATCH * BATCH, BATCH):
            chosen = order[first : first + BATCH]
            yield pictures[chosen], self.labels[chosen]


def crops(padded, r=2):
    size = padded.size(-1) - 2 * r
    shifts = torch.randint(0, 2 * r + 1, (len(padded), 2))
    pictures = torch.empty(len(padded), padded.size(1), size, size).contiguous(memory_format=torch.channels_last)
    for y in range(2 * r + 1):
        for x in range(2 * r + 1):
            chosen = (shifts[:, 0] == y) & (shifts[:, 1] == x)
            pictures[chosen] = padded[chosen, :, y : y + size, x : x + size]
    return pictures


def mirrored(model, x):
    return (model(x) + model(x.flip(-1))) / 2


def six_views(model, x):
    """Half the mean over the mirror, half that of the two diagonal shifts by one pixel."""
    h, w = x.shape[2:]
    padded = F.pad(x, (1,) * 4, "reflect")
    shifted = [mirrored(model, padded[:, :, i : i + h, i : i + w]) for i in (0, 2)]
    return mirrored(model, x) / 2 + (shifted[0] + shifted[1]) / 4


@torch.inference_mode()
def accuracy(logits, pictures, labels):
    right = [(logits(x).argmax(1) == y).sum() for x, y in zip(pictures.split(BATCH), labels.split(BATCH))]
    return sum(right).item() / len(labels)


def read(folder, files):
    records = np.concatenate([np.fromfile(os.path.join(folder, file), np.uint8).reshape(-1, 3073) for file in files])
    pictures = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32)).float() / 255
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    pictures = ((pictures - mean) / std).contiguous(memory_format=torch.channels_last)
    return pictures, torch.from_numpy(records[:, 0].astype(np.int64))


def say(**record):
    print(json.dumps(record), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=8, help="over which the rates fall")
    parser.add_argument("--stop-after", type=int, help="epochs to make, if fewer")
    parser.add_argument("--max-steps", type=int, help="steps to make, if fewer; nothing is measured on the test pictures then")
    parser.add_argument("--init", help="where the first weights are written")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)

    folder = os.path.join(args.data_dir, "cifar-10-batches-bin")
    train, labels = read(folder, [f"data_batch_{i}.bin" for i in range(1, 6)])
    test, test_labels = read(folder, ["test_batch.bin"])
    model = Airbench().to(memory_format=torch.channels_last)
    start = time.perf_counter()
    with torch.no_grad():
        model.whiten.weight.copy_(whitening(train[:5000]))
    say(prepare=time.perf_counter() - start)
    if args.init:
        from safetensors.torch import save_file

        save_file({name: value.contiguous() for name, value in model.state_dict().items()}, args.init)

    per_epoch = len(train) // BATCH
    recipe = Recipe(model, args.epochs * per_epoch, math.ceil(WHITEN_EPOCHS * per_epoch))
    last = args.max_steps or recipe.steps
    start = time.perf_counter()
    batches = Batches(train, labels)
    step = 0
    for epoch in range(1, min(args.epochs, args.stop_after or args.epochs) + 1):
        model.train()
        losses = []
        for x, y in batches:
            losses.append(recipe.step(step, x, y))
            step += 1
            if step == last:
                break
        loss = torch.stack(losses).mean().item() / BATCH
        say(epoch=epoch, steps=step, loss=loss, seconds=time.perf_counter() - start)
        if args.max_steps and step == last:
            return
        model.eval()
        start = time.perf_counter()
        say(epoch=epoch, accuracy=accuracy(model, test, test_labels), seconds=time.perf_counter() - start)
        start = time.perf_counter()
    found = accuracy(lambda x: six_views(model, x), test, test_labels)
    say(views=6, accuracy=found, seconds=time.perf_counter() - start)


if __name__ == "__main__":
    main()
