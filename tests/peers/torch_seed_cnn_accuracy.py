"""Trains the seed CNN on CIFAR-10 with PyTorch, as `cargo xtask train cifar` does, and prints a JSON line an epoch.

    python torch_seed_cnn_accuracy.py --data-dir DIR [--seeds 0 1 2] [--epochs 10] [--threads 2] [--channels-last] \
        [--fused-adam] > accuracy.jsonl

DIR holds cifar-10-batches-bin/. Batches of 64, shuffled; Adam 1e-3; pictures scaled to [0, 1]. The rate is over the
training steps alone, the data already in memory. --channels-last --fused-adam is PyTorch's fastest configuration.
"""

import argparse
import json
import os
import time

import numpy as np
import torch
from torch import nn

from torch_seed_cnn_losses import LR, SeedCnn


def load(folder, names):
    records = np.concatenate([np.fromfile(os.path.join(folder, name), np.uint8).reshape(-1, 3073) for name in names])
    x = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / np.float32(255))
    return x, torch.from_numpy(records[:, 0].astype(np.int64))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--fused-adam", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    folder = os.path.join(args.data_dir, "cifar-10-batches-bin")
    x_train, y_train = load(folder, [f"data_batch_{i}.bin" for i in range(1, 6)])
    x_test, y_test = load(folder, ["test_batch.bin"])
    memory_format = torch.channels_last if args.channels_last else torch.contiguous_format

    for seed in args.seeds:
        torch.manual_seed(seed)
        model = SeedCnn().to(memory_format=memory_format)
        adam = torch.optim.Adam(model.parameters(), lr=LR, fused=args.fused_adam)
        for epoch in range(1, args.epochs + 1):
            start = time.perf_counter()
            order, total = torch.randperm(len(x_train)), 0.0
            for indices in order.split(args.batch_size):
                x = x_train[indices].contiguous(memory_format=memory_format)
                loss = nn.functional.cross_entropy(model(x), y_train[indices])
                adam.zero_grad()
                loss.backward()
                adam.step()
                total += loss.item() * len(indices)
            seconds = time.perf_counter() - start
            with torch.no_grad():
                logits = torch.cat([model(x.contiguous(memory_format=memory_format)) for x in x_test.split(500)])
                test_loss = nn.functional.cross_entropy(logits, y_test).item()
                accuracy = (logits.argmax(1) == y_test).double().mean().item()
            line = {
                "seed": seed,
                "epoch": epoch,
                "train_loss": total / len(x_train),
                "test_loss": test_loss,
                "test_accuracy": accuracy,
                "images_per_s": len(x_train) / seconds,
                "seconds": seconds,
            }
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
