"""PyTorch's side of `cargo xtask bench`: the works of xtask/bench/src/works in PyTorch's fastest configuration.

    python torch_bench.py NAME --threads T
    python torch_bench.py --version

Prints `ready`; then, for each line `go K` on standard input, makes K iterations and prints their milliseconds as a JSON
array on one line; for `memory` the MiB by which resident memory has grown at most since before the model was made, after
each (Linux's /proc/self/status). Convolutions run channels last, Adam is fused, SGD fused or foreach, whichever is faster here;
nothing is compiled. One synthetic batch; a step is forward, cross entropy, backward, optimiser.
"""

import argparse
import json
import sys
import time

import torch
from torch import nn

from torch_airbench import Airbench

# As our side: so small that the batch is not learnt by heart, which would have denormals timed.
ADAM_LR = 1e-5
SGD_LR = 1e-4


def conv(inputs, outputs, size=3, stride=1, padding=None):
    return nn.Conv2d(inputs, outputs, size, stride, size // 2 if padding is None else padding, bias=False)


def seed_cnn():
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(128 * 8 * 8, 512), nn.ReLU(inplace=True), nn.Linear(512, 10),
    )


def mlp(*sizes):
    layers = [nn.Flatten()]
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.body = nn.Sequential(
            conv(inputs, outputs, stride=stride), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True),
            conv(outputs, outputs), nn.BatchNorm2d(outputs),
        )
        changes = stride != 1 or inputs != outputs
        shortcut = [conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)] if changes else []
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x):
        return (self.body(x) + self.shortcut(x)).relu_()


def resnet18():
    layers, channels = [conv(3, 64), nn.BatchNorm2d(64), nn.ReLU(inplace=True)], 64
    for outputs, first in [(64, 1), (128, 2), (256, 2), (512, 2)]:
        for stride in [first, 1]:
            layers.append(Block(channels, outputs, stride))
            channels = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


def vgg11():
    layers, channels = [], 3
    for outputs in [64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool", 512, 512, "pool"]:
        if outputs == "pool":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.ReLU(inplace=True)]
            channels = outputs
    for inputs, outputs in [(512 * 7 * 7, 4096), (4096, 4096)]:
        layers += [nn.Flatten(), nn.Linear(inputs, outputs), nn.ReLU(inplace=True), nn.Dropout()]
    return nn.Sequential(*layers, nn.Linear(4096, 1000))


class Bottleneck(nn.Module):
    def __init__(self, inputs, channels, stride):
        super().__init__()
        norm, outputs = nn.BatchNorm2d, 4 * channels
        self.body = nn.Sequential(
            nn.Conv2d(inputs, channels, 1, bias=False), norm(channels), nn.ReLU(inplace=True),
            conv(channels, channels, stride=stride), norm(channels), nn.ReLU(inplace=True),
            nn.Conv2d(channels, outputs, 1, bias=False), norm(outputs),
        )
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), norm(outputs))

    def forward(self, x):
        return (self.body(x) + self.shortcut(x)).relu_()


def resnet50():
    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for channels, count, first in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]:
        for block in range(count):
            layers.append(Bottleneck(inputs, channels, first if block == 0 else 1))
            inputs = 4 * channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 1000))


def images(*shape):
    return torch.randn(*shape).to(memory_format=torch.channels_last)


def training(model, x, classes, make_optimizer):
    model = model.to(memory_format=torch.channels_last)
    optimizer = make_optimizer(model.parameters())
    labels = torch.arange(x.shape[0]) % classes

    def step():
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()

    return step


class Recurrent(nn.Module):
    """A recurrent layer, and a linear layer on its last state. The gradient of its input is computed."""

    def __init__(self, kind):
        super().__init__()
        self.layer, self.head = kind(128, 256), nn.Linear(256, 10)

    def forward(self, x):
        return self.head(self.layer(x)[0][-1])


def recurrent(kind):
    model, x = Recurrent(kind), torch.randn(64, 32, 128).requires_grad_()
    optimizer, labels = adam(model.parameters()), torch.arange(32) % 10

    def step():
        optimizer.zero_grad()
        x.grad = None
        nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()

    return step


def adam(parameters):
    return torch.optim.Adam(parameters, lr=ADAM_LR, fused=True)


def faster_sgd(build, x, classes, **options):
    """A step with fused or foreach SGD, whichever takes less here."""
    best = None
    for kind in ["fused", "foreach"]:
        step = training(build(), x, classes, lambda p: torch.optim.SGD(p, lr=SGD_LR, **options, **{kind: True}))
        step()
        taken = min(timed(step) for _ in range(3))
        if best is None or taken < best[0]:
            best = taken, step
    return best[1]


def inference(batch):
    model, x = seed_cnn().to(memory_format=torch.channels_last).eval(), images(batch, 3, 32, 32)

    def forward():
        with torch.inference_mode():
            model(x)

    return forward


class GptBlock(nn.Module):
    """A block of GPT-2, as nanoGPT writes it."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)
        )

    def forward(self, x):
        n, t, e = x.shape
        q, k, v = (
            y.view(n, t, self.heads, e // self.heads).transpose(1, 2) for y in self.c_attn(self.ln_1(x)).split(e, 2)
        )
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.c_proj(y.transpose(1, 2).reshape(n, t, e))
        return x + self.mlp(self.ln_2(x))


class Gpt(nn.Module):
    def __init__(self, vocabulary, context, width, layers, heads):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*[GptBlock(width, heads) for _ in range(layers)])
        self.ln_f, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)
        nn.init.normal_(self.wte.weight, std=0.02)
        self.head.weight = self.wte.weight

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        return self.head(self.ln_f(self.blocks(x)))


def gpt_training(samples=16, tokens=128, vocabulary=65):
    model = Gpt(vocabulary, tokens, 256, 4, 4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=ADAM_LR, fused=True)
    x, y = torch.randint(vocabulary, (samples, tokens)), torch.randint(vocabulary, (samples * tokens,))

    def step():
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x).flatten(0, 1), y).backward()
        optimizer.step()

    return step


class Seq2Seq(nn.Module):
    def __init__(self, vocabulary, context, width):
        super().__init__()
        self.source, self.target = nn.Embedding(vocabulary, width), nn.Embedding(vocabulary, width)
        self.transformer = nn.Transformer(width, 4, 3, 3, 1024, dropout=0.0, batch_first=True)
        self.head = nn.Linear(width, vocabulary)
        self.positions = torch.randn(context, width)
        self.mask = nn.Transformer.generate_square_subsequent_mask(context)

    def forward(self, source, target):
        source, target = (16 * table(x) + self.positions for table, x in [(self.source, source), (self.target, target)])
        return self.head(self.transformer(source, target, tgt_mask=self.mask, tgt_is_causal=True))


def transformer_training(samples=16, tokens=64, vocabulary=1000):
    model = Seq2Seq(vocabulary, tokens, 256)
    optimizer = adam(model.parameters())
    source, target = (torch.randint(vocabulary, (samples, tokens)) for _ in range(2))
    y = torch.randint(vocabulary, (samples * tokens,))

    def step():
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(source, target).flatten(0, 1), y).backward()
        optimizer.step()

    return step


def attention_alone(context=1024, heads=12, head=64):
    q, k, v = (torch.randn(1, heads, context, head, requires_grad=True) for _ in range(3))
    g = torch.randn(1, heads, context, head)

    def both():
        q.grad = k.grad = v.grad = None
        (nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True) * g).sum().backward()

    return both


def product(m, k, n):
    a, b, c = torch.randn(m, k), torch.randn(k, n), torch.empty(m, n)
    return lambda: torch.mm(a, b, out=c)


WORKS = {
    "seed-cnn": lambda: training(seed_cnn(), images(64, 3, 32, 32), 10, adam),
    "seed-cnn-1": lambda: training(seed_cnn(), images(64, 3, 32, 32), 10, adam),
    "memory": lambda: training(seed_cnn(), images(64, 3, 32, 32), 10, adam),
    "forward-256": lambda: inference(256),
    "forward-1": lambda: inference(1),
    "mlp": lambda: training(mlp(784, 1024, 1024, 10), torch.randn(128, 784), 10, adam),
    "tiny": lambda: training(mlp(32, 24, 8), torch.randn(16, 32), 8, adam),
    "resnet18": lambda: faster_sgd(resnet18, images(64, 3, 32, 32), 10, momentum=0.9),
    "lstm": lambda: recurrent(nn.LSTM),
    "gru": lambda: recurrent(nn.GRU),
    "vgg11": lambda: faster_sgd(vgg11, images(8, 3, 224, 224), 1000, momentum=0.9),
    "resnet50": lambda: faster_sgd(resnet50, images(8, 3, 224, 224), 1000, momentum=0.9),
    "airbench": lambda: faster_sgd(Airbench, images(500, 3, 32, 32), 10, momentum=0.85, nesterov=True),
    "gpt": gpt_training,
    "attention-1024": attention_alone,
    "transformer": transformer_training,
}


def make(name):
    if name.startswith("sgemm-"):
        return product(*map(int, name.removeprefix("sgemm-").split("x")))
    if name not in WORKS:
        sys.exit(f"no work {name}; known: {', '.join(WORKS)}, sgemm-MxKxN")
    return WORKS[name]()


def timed(iteration):
    """Milliseconds of one iteration."""
    start = time.perf_counter()
    iteration()
    return 1e3 * (time.perf_counter() - start)


def resident(key):
    """MiB that /proc/self/status tells of."""
    with open("/proc/self/status") as status:
        return next(float(line.split()[1]) for line in status if line.startswith(f"{key}:")) / 1024


def meter():
    """What tells the high-water mark over what is resident now."""
    try:
        with open("/proc/self/clear_refs", "w") as marks:
            marks.write("5")  # sets the mark back to what is resident now
    except OSError:
        pass  # the mark may hold what was freed before
    before = resident("VmRSS")
    return lambda: resident("VmHWM") - before


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--version", action="version", version=f"PyTorch {torch.__version__}")
    options = parser.parse_args()
    if options.name is None:
        parser.error("the name of a work is missing")
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    growth = meter() if options.name == "memory" else None
    iteration = make(options.name)

    def measured():
        ms = timed(iteration)
        return growth() if growth else ms

    print("ready", flush=True)
    for line in sys.stdin:
        count = int(line.removeprefix("go "))
        print(json.dumps([measured() for _ in range(count)]), flush=True)


if __name__ == "__main__":
    main()
