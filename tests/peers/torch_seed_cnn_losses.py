"""Records PyTorch's losses on the seed CNN with weights and pictures from counter_hash.py.

    python torch_seed_cnn_losses.py [--check]

Writes seed_cnn_losses.json beside this script. The pictures are visited in order, `batch` at a time, from the front
again after the last. --check prints, without writing, how far PyTorch is from itself in another memory format: the
floor under any comparison with these numbers.
"""

import argparse
import json
import math
import os

import numpy as np
import torch
from torch import nn

import counter_hash

RUNS = {
    "f32": dict(dtype=torch.float32, batch=64, pictures=192, steps=10),
    "f64": dict(dtype=torch.float64, batch=16, pictures=64, steps=40),
}
LR = 1e-3


class SeedCnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1)
        self.conv2 = nn.Conv2d(64, 128, 3, padding=1)
        self.fc1 = nn.Linear(128 * 8 * 8, 512)
        self.fc2 = nn.Linear(512, 10)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.conv1(x).relu(), 2)
        x = nn.functional.max_pool2d(self.conv2(x).relu(), 2)
        return self.fc2(self.fc1(x.flatten(1)).relu())


def model(dtype, memory_format):
    m = SeedCnn().to(dtype)
    fan_in = {"conv1": 3 * 9, "conv2": 64 * 9, "fc1": 8192, "fc2": 512}
    with torch.no_grad():
        for number, (name, p) in enumerate(m.named_parameters()):
            values = counter_hash.weights(number, tuple(p.shape), fan_in[name.split(".")[0]])
            p.copy_(torch.from_numpy(values).to(dtype))
    return m.to(memory_format=memory_format)


def losses(dtype, batch, pictures, steps, memory_format=torch.contiguous_format):
    numpy_type = np.float64 if dtype == torch.float64 else np.float32
    x = torch.from_numpy(counter_hash.pictures(pictures).astype(numpy_type) / numpy_type(255))
    y = torch.from_numpy(counter_hash.labels(pictures))
    m = model(dtype, memory_format)
    adam = torch.optim.Adam(m.parameters(), lr=LR)
    found = []
    for step in range(steps):
        first = step * batch % pictures
        images = x[first : first + batch].contiguous(memory_format=memory_format)
        loss = nn.functional.cross_entropy(m(images), y[first : first + batch])
        adam.zero_grad()
        loss.backward()
        adam.step()
        found.append(loss.item())
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    record = {"peer": f"PyTorch {torch.__version__}", "optimiser": f"Adam, lr {LR}, else PyTorch's defaults"}
    for name, run in RUNS.items():
        found = losses(**run)
        if check:
            other = losses(**run, memory_format=torch.channels_last)
            apart = [abs(a - b) / a for a, b in zip(found, other)]
            print(name, "largest relative difference from channels last:", max(apart), "losses:", found)
        assert all(math.isfinite(loss) for loss in found)
        record[name] = {k: v for k, v in run.items() if k != "dtype"} | {"losses": found}
    if not check:
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "seed_cnn_losses.json")
        with open(path, "w") as file:
            json.dump(record, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
