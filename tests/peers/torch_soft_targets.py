"""Records PyTorch's cross entropy with distributions as targets, as Mixup and CutMix make them, in f64.

    python torch_soft_targets.py

Writes crates/taper-nn/tests/data/torch_soft_targets.json: losses with the gradients of logits and targets for a cotangent
of ones. Tensors are {"shape": [...], "data": [...]} with row-major data.
"""

import json
import os

import torch
import torch.nn.functional as F

torch.manual_seed(18)
torch.set_default_dtype(torch.float64)
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "crates/taper-nn/tests/data/torch_soft_targets.json")


def tensor(t):
    return {"shape": list(t.shape), "data": t.detach().reshape(-1).tolist()}


def case(shape, weighted, **params):
    """Targets are two classes mixed, along dim 1."""
    x = ((torch.randn(*shape) * 3000).round() / 1000).requires_grad_(True)
    rows = (shape[0], *shape[2:])
    classes = [F.one_hot(torch.randint(shape[1], rows), shape[1]).movedim(-1, 1).double() for _ in range(2)]
    target = (0.3 * classes[0] + 0.7 * classes[1]).requires_grad_(True)
    weight = torch.linspace(0.5, 2.0, shape[1]) if weighted else None
    y = F.cross_entropy(x, target, weight, **params)
    dx, dt = torch.autograd.grad(y.sum(), [x, target])
    tensors = dict(x=x, target=target, y=y, dx=dx, dt=dt) | ({"weight": weight} if weighted else {})
    return {"params": params, "tensors": {k: tensor(v) for k, v in tensors.items()}}


cases = [
    case(shape, weighted, reduction=reduction, label_smoothing=smoothing)
    for shape in [(6, 5), (2, 3, 2, 2)]
    for weighted in [False, True]
    for reduction in ["mean", "sum", "none"]
    for smoothing in [0.0, 0.1]
]
with open(OUT, "w") as file:
    json.dump({"peer": f"PyTorch {torch.__version__}, f64", "cross_entropy": cases}, file, separators=(",", ":"))
    file.write("\n")
