"""Records PyTorch's results on small inputs, in f64, into torch_ops.json: what the tests' slow reference is held to.

    python torch_ops.py

Each case: an operation, its parameters, inputs and outputs, each output or gradient as PyTorch gives it. Tensors are
{"shape": [...], "data": [...]} with row-major data. Gradients are for a cotangent "g" unless the output is a scalar.
"""

import json
import os

import torch
import torch.nn.functional as F

torch.manual_seed(7)
CASES = []


def draw(*shape, scale=1.0):
    """Normal numbers with three decimals, so that the file stays small."""
    return (torch.randn(*shape, dtype=torch.float64) * scale * 1000).round() / 1000


def record(op, params, inputs, outputs):
    def tensor(t):
        data = t.detach().reshape(-1).tolist()
        return {"shape": list(t.shape), "data": data}

    CASES.append(
        {
            "op": op,
            "params": params,
            "inputs": {k: tensor(v) for k, v in inputs.items() if v is not None},
            "outputs": {k: tensor(v) for k, v in outputs.items() if v is not None},
        }
    )


def with_grads(op, params, f, inputs, scalar=False):
    """Records f's output `y` and its gradients with respect to every float input given."""
    leaves = {k: v.clone().requires_grad_(v.is_floating_point()) if v is not None else None for k, v in inputs.items()}
    y = f(**leaves)
    g = None if scalar else draw(*y.shape)
    wanted = {k: v for k, v in leaves.items() if v is not None and v.requires_grad}
    grads = torch.autograd.grad(y, list(wanted.values()), g)
    record(op, params, inputs | {"g": g}, {"y": y} | {f"d{k}": d for k, d in zip(wanted, grads)})


def conv2d():
    for x, w, stride, padding, dilation, groups in [
        ((2, 3, 5, 5), (4, 3, 3, 3), [1, 1], [1, 1], [1, 1], 1),
        ((1, 4, 7, 5), (6, 2, 3, 2), [2, 1], [0, 2], [1, 2], 2),
        ((2, 3, 6, 7), (3, 1, 3, 3), [2, 3], [2, 1], [2, 1], 3),
        ((1, 5, 4, 3), (2, 5, 1, 1), [1, 2], [0, 0], [1, 1], 1),
    ]:
        params = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
        with_grads("conv2d", params, lambda x, weight: F.conv2d(x, weight, None, **params), dict(x=draw(*x), weight=draw(*w)))


def pooling():
    for shape, kernel, stride, padding, ceil in [
        ((1, 2, 6, 7), [2, 2], [2, 2], [0, 0], False),
        ((1, 2, 6, 7), [2, 2], [2, 2], [0, 0], True),
        ((2, 1, 5, 8), [3, 2], [2, 3], [1, 1], True),
        ((1, 2, 4, 4), [3, 3], [3, 3], [1, 1], True),
        ((1, 1, 7, 5), [3, 3], [1, 2], [1, 0], False),
    ]:
        params = dict(kernel_size=kernel, stride=stride, padding=padding, ceil_mode=ceil)
        x = draw(*shape)
        y, index = F.max_pool2d(x, **params, return_indices=True)
        record("max_pool2d", params, dict(x=x), dict(y=y, index=index))
        for include in [True, False]:
            average = params | dict(count_include_pad=include)
            with_grads("avg_pool2d", average, lambda x: F.avg_pool2d(x, **average), dict(x=draw(*shape)))


def activations():
    x = torch.cat([torch.tensor([-6.0, -3.0, -2.5, 0.0, 1e-3, 2.5, 3.0, 5.0, 25.0], dtype=torch.float64), draw(6)])
    for name, params, f in [
        ("relu", {}, F.relu),
        ("leaky_relu", {"negative_slope": 0.1}, lambda x: F.leaky_relu(x, 0.1)),
        ("elu", {"alpha": 1.5}, lambda x: F.elu(x, 1.5)),
        ("gelu", {}, F.gelu),
        ("gelu_tanh", {}, lambda x: F.gelu(x, approximate="tanh")),
        ("silu", {}, F.silu),
        ("sigmoid", {}, torch.sigmoid),
        ("tanh", {}, torch.tanh),
        ("softplus", {"beta": 2.0, "threshold": 8.0}, lambda x: F.softplus(x, 2.0, 8.0)),
        ("hardswish", {}, F.hardswish),
        ("erf", {}, torch.erf),
    ]:
        # PyTorch differs from the contract in the subgradients at hardswish's kinks: left out there.
        points = x[(x.abs() != 3)] if name == "hardswish" else x
        with_grads(name, params, lambda x, f=f: f(x), dict(x=points))


def losses_and_norms():
    target = torch.tensor([1, 0, 4, -100, 2])
    for smoothing in [0.0, 0.1]:
        params = dict(label_smoothing=smoothing, ignore_index=-100)
        f = lambda x: F.cross_entropy(x, target, **params)
        x = draw(5, 5, scale=3).requires_grad_(True)
        y = f(x)
        (dx,) = torch.autograd.grad(y, [x])
        record("cross_entropy", params, dict(x=x, target=target), dict(y=y, dx=dx))
    for log in [False, True]:
        f = F.log_softmax if log else F.softmax
        with_grads("softmax", dict(axis=1, log=log), lambda x: f(x, 1), dict(x=draw(2, 4, 3, scale=2)))
    with_grads(
        "layer_norm",
        dict(dims=2, eps=1e-5),
        lambda x, weight, bias: F.layer_norm(x, (3, 4), weight, bias, 1e-5),
        dict(x=draw(3, 3, 4), weight=draw(3, 4), bias=draw(3, 4)),
    )
    with_grads(
        "batch_norm",
        dict(eps=1e-3),
        lambda x, weight, bias: F.batch_norm(x, None, None, weight, bias, True, 0.1, 1e-3),
        dict(x=draw(3, 4, 2, 3), weight=draw(4), bias=draw(4)),
    )


def optimisers():
    for params in [
        dict(lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.0),
        dict(lr=1e-2, betas=(0.8, 0.999), eps=1e-3, weight_decay=0.1),
    ]:
        for kind, optimiser in [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]:
            run_optimiser(kind, optimiser, params)
    for params in [
        dict(lr=0.1),
        dict(lr=0.1, momentum=0.9, dampening=0.2, weight_decay=0.05),
        dict(lr=0.1, momentum=0.9, weight_decay=0.05, nesterov=True),
    ]:
        run_optimiser("sgd", torch.optim.SGD, params)


def run_optimiser(kind, optimiser, params):
    p, grads = draw(7), draw(3, 7)
    q = p.clone().requires_grad_(True)
    steps, after = optimiser([q], **params), []
    for g in grads:
        q.grad = g.clone()
        steps.step()
        after.append(q.detach().clone())
    record(kind, params, dict(p=p, g=grads), dict(p=torch.stack(after)))


conv2d()
pooling()
activations()
losses_and_norms()
optimisers()
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_ops.json")
with open(path, "w") as file:
    json.dump({"peer": f"PyTorch {torch.__version__}, f64", "cases": CASES}, file, separators=(",", ":"))
    file.write("\n")
