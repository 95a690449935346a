"""The translation experiment in PyTorch, on the pairs and with the byte pairs of a run of ours: the same model, the same number
of steps, the same settings, other random numbers.

    cargo xtask train translate --data-dir DIR --recipe short --run-dir RUN
    python tests/peers/torch_translate.py DIR RUN [--seed 0] [--threads 2]

DIR has train.tsv, val.tsv and test.tsv. The model is nn.Transformer with norms first, embeddings times the square root of their
size, sinusoidal positions; AdamW with a cosine and half an epoch's warm-up; the test is translated by the likeliest token
each time, and sacrebleu counts. Needs torch, regex and sacrebleu.
"""

import argparse
import json
import math
import pathlib
import time
import tomllib

import regex
import sacrebleu
import torch
from torch import nn

PIECES = regex.compile(r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""")
PADDING, START, END, OWN = 0, 1, 2, 3


class BytePairs:
    def __init__(self, merges):
        printed = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
        self.tokens = [bytes([byte]) for byte in printed + [byte for byte in range(256) if byte not in printed]]
        self.byte = {token[0]: number for number, token in enumerate(self.tokens)}
        known = {token: number for number, token in enumerate(self.tokens)}
        self.ranks = {}
        for rank, (left, right) in enumerate(merges):
            joined = self.tokens[left] + self.tokens[right]
            if joined not in known:
                known[joined] = len(self.tokens)
                self.tokens.append(joined)
            self.ranks.setdefault((left, right), (rank, known[joined]))
        self.seen = {}

    def piece(self, piece):
        if piece not in self.seen:
            tokens = [self.byte[byte] for byte in piece.encode()]
            while True:
                pairs = [(self.ranks[pair], place) for place, pair in enumerate(zip(tokens, tokens[1:])) if pair in self.ranks]
                if not pairs:
                    break
                (_, merged), place = min(pairs)
                tokens[place : place + 2] = [merged]
            self.seen[piece] = tokens
        return self.seen[piece]

    def encode(self, text):
        return [token for piece in PIECES.findall(text) for token in self.piece(piece)]

    def text(self, tokens):
        tokens = tokens[: tokens.index(END)] if END in tokens else tokens
        return b"".join(self.tokens[token - OWN] for token in tokens if token >= OWN).decode(errors="replace").strip()


class Translator(nn.Module):
    def __init__(self, vocabulary, longest, model):
        super().__init__()
        size = model["d_model"]
        self.scale = math.sqrt(size)
        self.src_embed, self.tgt_embed = nn.Embedding(vocabulary, size), nn.Embedding(vocabulary, size)
        for table in (self.src_embed, self.tgt_embed):
            nn.init.normal_(table.weight, std=1 / self.scale)
        place, feature = torch.arange(longest + 2)[:, None], torch.arange(size)[None]
        angle = place / 10_000 ** ((feature - feature % 2) / size)
        self.register_buffer("positions", torch.where(feature % 2 == 0, angle.sin(), angle.cos()))
        self.dropout = nn.Dropout(model["dropout"])
        self.transformer = nn.Transformer(
            size, model["nhead"], model["layers"], model["layers"], model["dim_feedforward"], model["dropout"],
            batch_first=True, norm_first=model["norm_first"],
        )
        self.generator = nn.Linear(size, vocabulary)

    def embedded(self, tokens, table):
        return self.dropout(table(tokens) * self.scale + self.positions[: tokens.shape[1]])

    def encode(self, source):
        return self.transformer.encoder(self.embedded(source, self.src_embed), src_key_padding_mask=source == PADDING)

    def decode(self, target, memory, source):
        mask = torch.triu(torch.ones(target.shape[1], target.shape[1], dtype=torch.bool), 1)
        return self.transformer.decoder(
            self.embedded(target, self.tgt_embed), memory, tgt_mask=mask, memory_key_padding_mask=source == PADDING
        )

    def forward(self, source, target):
        return self.generator(self.decode(target, self.encode(source), source))

    @torch.no_grad()
    def greedy(self, source, longest):
        memory = self.encode(source)
        target = torch.full((source.shape[0], 1), START)
        done = torch.zeros(source.shape[0], dtype=torch.bool)
        for _ in range(longest + 1):
            token = self.generator(self.decode(target, memory, source)[:, -1]).argmax(-1)
            target = torch.cat([target, token[:, None]], 1)
            done |= token == END
            if done.all():
                break
        return target[:, 1:].tolist()


def pairs(path):
    return [[text.strip() for text in line.split("\t")] for line in path.read_text().splitlines() if line.strip()]


def padded(rows):
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=PADDING)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dir", type=pathlib.Path)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    config = tomllib.loads((args.run / "config.toml").read_text())
    spec = json.loads((args.run / "spec.json").read_text())
    tokens, longest, train = BytePairs(spec["merges"]), spec["longest"], config["train"]
    encoded = [[tokens.encode(text) for text in pair] for pair in pairs(args.dir / "train.tsv")]
    encoded = [pair for pair in encoded if max(map(len, pair)) <= longest]
    model = Translator(len(tokens.tokens) + OWN, longest, config["model"])
    print(sum(parameter.numel() for parameter in model.parameters()), "parameters,", len(encoded), "pairs")
    settings = config["optimizer"]
    optimizer = torch.optim.AdamW(model.parameters(), settings["lr"], settings["betas"], weight_decay=settings["weight_decay"])
    steps, warmup = train["epochs"] * train["epoch_steps"], config["schedule"]["warmup"] * train["epoch_steps"]

    def factor(step):
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    loss_of = nn.CrossEntropyLoss(ignore_index=PADDING, label_smoothing=config["task"]["label_smoothing"])
    model.train()
    began, order = time.perf_counter(), []
    for step in range(steps):
        if len(order) < train["batch_size"]:
            order = torch.randperm(len(encoded)).tolist()
        batch = [encoded[order.pop()] for _ in range(train["batch_size"])]
        source = padded([[token + OWN for token in pair[0]] + [END] for pair in batch])
        target = padded([[START] + [token + OWN for token in pair[1]] + [END] for pair in batch])
        loss = loss_of(model(source, target[:, :-1]).flatten(0, 1), target[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config["regularization"]["clip_norm"])
        optimizer.step()
        schedule.step()
        if (step + 1) % 250 == 0:
            print(f"step {step + 1}: loss {loss.item():.3f}, {time.perf_counter() - began:.0f} s", flush=True)
    model.eval()
    test = pairs(args.dir / "test.tsv")
    count = min(config["data"]["test_samples"] or len(test), len(test))
    test = [test[place * len(test) // count] for place in range(count)]
    test = [pair for pair in test if max(len(tokens.encode(text)) for text in pair) <= longest]
    count = len(test)
    written = []
    for place in range(0, count, 64):
        rows = [[token + OWN for token in tokens.encode(text)] + [END] for text, _ in test[place : place + 64]]
        written += [tokens.text(row) for row in model.greedy(padded(rows), longest)]
    print(f"BLEU {sacrebleu.corpus_bleu(written, [[text for _, text in test]]).score:.2f} on {count} pairs")
    for place in range(3):
        print(test[place][0], "|", written[place], "|", test[place][1])


if __name__ == "__main__":
    main()
