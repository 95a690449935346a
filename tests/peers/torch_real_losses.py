"""PyTorch's losses on the seed CNN over the real pictures, in the files' order, from weights that are written first.

    python torch_real_losses.py --data-dir DIR --init OUT.safetensors [--dtype f32|f64] [--steps N] [--seed S] \
        [--batch-size N] [--threads N] > torch.jsonl
    cargo xtask train cifar --data-dir DIR --init OUT.safetensors --no-shuffle --dtype f32 --max-steps N

DIR holds cifar-10-batches-bin/. Prints a line {"step":1,"loss":...} a step. The initial weights are drawn in f32 by
torch.manual_seed and saved as f32 for either dtype; the pictures are scaled to [0, 1] in the dtype.
"""

import argparse
import json
import os

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from torch_seed_cnn_losses import LR, SeedCnn


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--init", required=True, help="where the initial weights are written")
    parser.add_argument("--dtype", choices=["f32", "f64"], default="f32")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--channels-last", action="store_true", help="the memory format; its losses differ by rounding")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)

    model = SeedCnn()
    save_file({name: p.detach().clone().contiguous() for name, p in model.state_dict().items()}, args.init)
    dtype, numpy_type = (torch.float64, np.float64) if args.dtype == "f64" else (torch.float32, np.float32)
    memory_format = torch.channels_last if args.channels_last else torch.contiguous_format
    model = model.to(dtype).to(memory_format=memory_format)
    adam = torch.optim.Adam(model.parameters(), lr=LR)

    folder = os.path.join(args.data_dir, "cifar-10-batches-bin")
    files = [os.path.join(folder, f"data_batch_{i}.bin") for i in range(1, 6)]
    records = np.concatenate([np.fromfile(file, np.uint8).reshape(-1, 3073) for file in files])
    for step in range(args.steps):
        first = step * args.batch_size % len(records)
        batch = records[first : first + args.batch_size]
        x = torch.from_numpy(batch[:, 1:].reshape(-1, 3, 32, 32).astype(numpy_type) / numpy_type(255))
        y = torch.from_numpy(batch[:, 0].astype(np.int64))
        loss = nn.functional.cross_entropy(model(x.contiguous(memory_format=memory_format)), y)
        adam.zero_grad()
        loss.backward()
        adam.step()
        print(json.dumps({"step": step + 1, "loss": loss.item()}), flush=True)


if __name__ == "__main__":
    main()
