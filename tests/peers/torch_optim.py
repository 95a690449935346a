"""Records steps of optimisers, in f64: what taper-nn's are held to.

    python torch_optim.py

Writes crates/taper-nn/tests/data/torch_optim.json. RMSprop, Adagrad, Muon, clipping, and what L1 adds are PyTorch's
own; Lion, LAMB, SGD with decoupled weight decay, the Muon of airbench94 and Lookahead, which PyTorch has not, are
written out below.

Tensors are {"shape": [...], "data": [...]} with row-major data.
"""

import json
import os

import torch

torch.manual_seed(12)
torch.set_default_dtype(torch.float64)
PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../crates/taper-nn/tests/data/torch_optim.json")

# PyTorch's Muon iterates in bfloat16, whatever its parameters are. In f64 it is the same recurrence, and can be
# compared.
torch.bfloat16 = torch.float64


def draw(*shape, scale=1.0):
    """Normal numbers with three decimals, so that the files stay small."""
    return (torch.randn(*shape) * scale * 1000).round() / 1000


def tensor(t):
    return {"shape": list(t.shape), "data": t.detach().reshape(-1).tolist()}


class Written(torch.optim.Optimizer):
    """An optimiser by its recurrence: `change(p, g, state, group)`, in place, with state["step"] from 1."""

    def __init__(self, params, **defaults):
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state["step"] = state.get("step", 0) + 1
                self.change(p, p.grad, state, group)


class Lion(Written):
    """Chen et al. 2023, algorithm 2."""

    def change(self, p, g, state, group):
        m = state.setdefault("m", torch.zeros_like(p))
        (beta1, beta2), lr, decay = group["betas"], group["lr"], group["weight_decay"]
        c = beta1 * m + (1 - beta1) * g
        p.sub_(lr * (c.sign() + decay * p))
        m.copy_(beta2 * m + (1 - beta2) * g)


class Lamb(Written):
    """You et al. 2020, algorithm 2, with φ(z) = z, and a ratio of 1 where a norm is 0."""

    def change(self, p, g, state, group):
        m, v = state.setdefault("m", torch.zeros_like(p)), state.setdefault("v", torch.zeros_like(p))
        (beta1, beta2), t = group["betas"], state["step"]
        m.copy_(beta1 * m + (1 - beta1) * g)
        v.copy_(beta2 * v + (1 - beta2) * g**2)
        r = m / (1 - beta1**t) / ((v / (1 - beta2**t)).sqrt() + group["eps"]) + group["weight_decay"] * p
        ratio = p.norm() / r.norm() if p.norm() > 0 and r.norm() > 0 else 1.0
        p.sub_(group["lr"] * ratio * r)


class Sgdw(Written):
    """Loshchilov and Hutter 2019, algorithm 1, with PyTorch's velocity."""

    def change(self, p, g, state, group):
        u = group["momentum"] * state["u"] + g if "u" in state else g.clone()
        state["u"] = u
        p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(group["lr"] * u)


class AirbenchMuon(Written):
    """The Muon of airbench94_muon.py (Jordan et al. 2024), with the rescaling of the weights as an option."""

    def change(self, p, g, state, group):
        buf = state.setdefault("buf", torch.zeros_like(p))
        buf.mul_(group["momentum"]).add_(g)
        g = g.add(buf, alpha=group["momentum"]) if group["nesterov"] else buf
        if group["normalize_weights"]:
            p.mul_(len(p) ** 0.5 / p.norm())
        x = g.reshape(len(g), -1)
        x = x / (x.norm() + 1e-7)
        tall = x.size(0) > x.size(1)
        x = x.T if tall else x
        for _ in range(group["ns_steps"]):
            a = x @ x.T
            b = -4.7750 * a + 2.0315 * a @ a
            x = 3.4445 * x + b @ x
        x = x.T if tall else x
        p.sub_(group["lr"] * x.reshape(p.shape))


KINDS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "muon": torch.optim.Muon,
    "lion": Lion,
    "lamb": Lamb,
    "sgdw": Sgdw,
    "airbench_muon": AirbenchMuon,
}


def optimiser(kind, shape=(7,), l1=0.0, **params):
    """Five steps; after each, the parameter's value. The last step is at another learning rate."""
    p, gradients = draw(*shape), draw(5, *shape)
    q = p.clone().requires_grad_(True)
    steps = KINDS[kind]([q], **params)
    after = []
    for i, g in enumerate(gradients):
        if i == 4:
            steps.param_groups[0]["lr"] *= 0.1
        q.grad = g + l1 * q.detach().sign()
        steps.step()
        after.append(q.detach().clone())
    params = params | ({"l1": l1} if l1 else {})
    return {"kind": kind, "params": params, "p": tensor(p), "g": tensor(gradients), "after": tensor(torch.stack(after))}


def optimisers():
    muon = dict(lr=0.1, momentum=0.9, eps=1e-300)
    airbench = dict(lr=0.24, momentum=0.6, nesterov=True, ns_steps=3, normalize_weights=True)
    return [
        optimiser("rmsprop", lr=1e-2),
        optimiser("rmsprop", lr=1e-2, alpha=0.9, eps=1e-3, weight_decay=0.1),
        optimiser("rmsprop", lr=1e-2, alpha=0.9, momentum=0.8),
        optimiser("rmsprop", lr=1e-2, alpha=0.9, eps=1e-3, momentum=0.8, centered=True, weight_decay=0.1),
        optimiser("adagrad", lr=1e-1),
        optimiser("adagrad", lr=1e-1, lr_decay=0.1, eps=1e-3, initial_accumulator_value=0.5, weight_decay=0.1),
        optimiser("lion", lr=1e-2, betas=(0.9, 0.99), weight_decay=0.0),
        optimiser("lion", lr=1e-2, betas=(0.8, 0.95), weight_decay=0.1),
        optimiser("lamb", lr=1e-2, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.0),
        optimiser("lamb", lr=1e-2, betas=(0.8, 0.99), eps=1e-3, weight_decay=0.1),
        optimiser("sgdw", lr=0.1, momentum=0.9, weight_decay=0.05),
        optimiser("muon", (3, 5), weight_decay=0.1, ns_steps=5, **muon),
        optimiser("muon", (5, 3), weight_decay=0.0, ns_steps=5, **muon),
        optimiser("muon", (5, 3), weight_decay=0.1, ns_steps=3, nesterov=False, adjust_lr_fn="match_rms_adamw", **muon),
        optimiser("muon", (5, 3), weight_decay=0.0, ns_steps=5, adjust_lr_fn="spectral_unclamped", **muon),
        optimiser("airbench_muon", (3, 2, 2, 2), **airbench),
        optimiser("airbench_muon", (9, 1, 2, 2), **(airbench | dict(normalize_weights=False, ns_steps=5))),
        optimiser("sgd", l1=0.3, lr=0.1, momentum=0.9, weight_decay=0.1),
        optimiser("adam", l1=0.3, lr=1e-2, weight_decay=0.1),
        optimiser("adamw", l1=0.3, lr=1e-2, weight_decay=0.1),
        optimiser("rmsprop", l1=0.3, lr=1e-2),
        optimiser("adagrad", l1=0.3, lr=1e-1),
        optimiser("lion", l1=0.3, lr=1e-2, betas=(0.9, 0.99), weight_decay=0.1),
        optimiser("lamb", l1=0.3, lr=1e-2, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.1),
        optimiser("muon", (3, 5), l1=0.3, weight_decay=0.1, ns_steps=5, **muon),
    ]


def lookahead():
    """Zhang et al. 2019, algorithm 1, around PyTorch's SGD: every 2 steps, by 0.3."""
    p, gradients = draw(7), draw(5, 7)
    fast, slow = p.clone().requires_grad_(True), p.clone()
    inner = torch.optim.SGD([fast], lr=0.1, momentum=0.9)
    after = []
    for i, g in enumerate(gradients):
        fast.grad = g.clone()
        inner.step()
        if (i + 1) % 2 == 0:
            slow += 0.3 * (fast.detach() - slow)
            fast.data.copy_(slow)
        after.append(fast.detach().clone())
    return {"p": tensor(p), "g": tensor(gradients), "after": tensor(torch.stack(after))}


def ema():
    """PyTorch's average of weights, with a decay of 0.9."""
    values = draw(5, 7)
    model = torch.nn.Module()
    model.p = torch.nn.Parameter(values[0].clone())
    average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    average.update_parameters(model)  # the first is a copy
    for value in values[1:]:
        model.p.data.copy_(value)
        average.update_parameters(model)
    return {"values": tensor(values), "average": tensor(average.module.p)}


def clips():
    found = []
    for bound in [0.5, 100.0]:
        a, b = torch.zeros(4, requires_grad=True), torch.zeros(2, 3, requires_grad=True)
        g = [draw(4), draw(2, 3)]
        a.grad, b.grad = g[0].clone(), g[1].clone()
        norm = torch.nn.utils.clip_grad_norm_([a, b], bound)
        by_norm = [tensor(a.grad), tensor(b.grad)]
        a.grad, b.grad = g[0].clone(), g[1].clone()
        torch.nn.utils.clip_grad_value_([a, b], bound)
        by_value = [tensor(a.grad), tensor(b.grad)]
        g = [tensor(x) for x in g]
        found.append({"bound": bound, "g": g, "norm": norm.item(), "by_norm": by_norm, "by_value": by_value})
    return found


record = {"peer": f"PyTorch {torch.__version__}, f64", "optimisers": optimisers()}
record |= {"lookahead": lookahead(), "ema": ema(), "clips": clips()}
with open(PATH, "w") as file:
    json.dump(record, file, separators=(",", ":"))
    file.write("\n")
