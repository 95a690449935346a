"""The experiment `text` in PyTorch: the same GPT over characters, the same steps, the same measure.

    python tests/peers/torch_text.py DIR [--seed S] [--steps N] [--block B] [--threads N]

DIR has train.txt and val.txt. Prints the seconds of the steps and the nats a character on all of val.txt, in blocks that lie
one after the other. Taper's side is `taper train text --data-dir DIR --seed S --set data.validation=0`.
"""

import argparse
import math
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

LAYERS, HEADS, WIDTH, BATCH = 4, 4, 128, 12
RATE, LOWEST, WARM_UP, CLIP = 1e-3, 1e-4, 100, 1.0


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.c_attn, self.attn_proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.c_fc, self.mlp_proj = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        n, t, _ = x.shape
        q, k, v = (y.view(n, t, HEADS, -1).transpose(1, 2) for y in self.c_attn(self.ln_1(x)).chunk(3, -1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attn_proj(y.transpose(1, 2).reshape(n, t, WIDTH))
        return x + self.mlp_proj(F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh"))


class Gpt(nn.Module):
    def __init__(self, vocabulary, block):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, WIDTH), nn.Embedding(block, WIDTH)
        self.h = nn.ModuleList(Block() for _ in range(LAYERS))
        self.ln_f = nn.LayerNorm(WIDTH)
        for name, p in self.named_parameters():
            if p.dim() >= 2:
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * LAYERS) if "_proj" in name else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(p)

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.h:
            x = block(x)
        return F.linear(self.ln_f(x), self.wte.weight)  # the head is tied


def rate(step, steps):
    if step < WARM_UP:
        return RATE * (step + 1) / WARM_UP
    share = (step - WARM_UP) / (steps - WARM_UP)
    return LOWEST + 0.5 * (RATE - LOWEST) * (1 + math.cos(math.pi * share))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dir", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--block", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)

    train, held_out = ((args.dir / name).read_text(encoding="utf-8") for name in ("train.txt", "val.txt"))
    number = {c: i for i, c in enumerate(sorted(set(train)))}
    train, held_out = (torch.tensor([number[c] for c in text if c in number]) for text in (train, held_out))

    model = Gpt(len(number), args.block)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(number)} characters", flush=True)
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    rest = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, betas=(0.9, 0.99))

    begun = time.perf_counter()
    for step in range(args.steps):
        for group in adamw.param_groups:
            group["lr"] = rate(step, args.steps)
        starts = torch.randint(len(train) - args.block, (BATCH, 1))
        places = starts + torch.arange(args.block + 1)
        tokens = train[places]
        logits = model(tokens[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        adamw.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        adamw.step()
        if step % 250 == 249:
            print(f"step {step + 1}: loss {loss.item():.4f}", flush=True)
    seconds = time.perf_counter() - begun

    begun, nats = time.perf_counter(), 0.0
    targets = len(held_out) - 1
    with torch.no_grad():
        whole = targets // args.block * args.block
        blocks = held_out[:whole].view(-1, args.block), held_out[1 : whole + 1].view(-1, args.block)
        parts = list(zip(blocks[0].split(250), blocks[1].split(250)))
        parts.append((held_out[None, whole:-1], held_out[None, whole + 1 :]))
        for x, y in parts:
            if x.numel():
                nats += F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").item()
    measured = time.perf_counter() - begun
    print(f"seed {args.seed}: {nats / targets:.4f} nats a character, {seconds:.1f} s of steps, {measured:.1f} s of measuring")


if __name__ == "__main__":
    main()
