"""Records PyTorch's own sample inputs for its operators, and what it computes from them, for `cargo xtask op-samples`.

    python torch_op_samples.py FILE [NAME...]

Walks `torch.testing._internal.common_methods_invocations.op_db` (PyPI's torch; it asks for expecttest and pytest), all of it
or the operators named. Each operator gives its reference inputs: its samples, and for elementwise ones broadcasts, empty
and zero-dimensional tensors, small, large, infinite and NaN values. Every dtype that Taper offers is asked for.

Of each sample the file has the arguments; the value; where the operator is differentiable, the gradients of every input
that wants one, for cotangents drawn here; and for dtypes less exact than f64 the same of the same numbers in f64.

The file is in the safetensors format. It has one tensor for each dtype, all elements one behind the other, and as bytes
the tensor `samples`: lines of JSON, {"op", "variant", "dtype", "args", "kwargs", "outputs", "exact", "cotangents",
"grads", "exact_grads"}. A tensor is {"t": [dtype, shape, first element]}, with "grad": true where it wants a gradient; what JSON
cannot say is {"dtype": name}, {"slice": [...]}, {"number": "inf"} or {"other": text}. The header's
metadata counts what was left out, by reason.
"""

import json
import math
import random
import struct
import sys
import warnings
from collections import Counter

import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_flatten, tree_map

DTYPES = {
    torch.float32: "f32",
    torch.float64: "f64",
    torch.float16: "f16",
    torch.bfloat16: "bf16",
    torch.int64: "i64",
    torch.uint8: "u8",
}
NAMES = DTYPES | {torch.bool: "bool"}
SAFETENSORS = {"f32": "F32", "f64": "F64", "f16": "F16", "bf16": "BF16", "i64": "I64", "u8": "U8", "bool": "U8"}
MOST = 5_000  # elements of a sample's tensors, in all

DATA = {name: [] for name in SAFETENSORS}
COUNT = Counter()
SKIPPED = Counter()


class Left(Exception):
    """Why a sample is left out."""


def store(tensor):
    """The tensor's place in the file."""
    tensor = tensor.detach().resolve_conj().resolve_neg()
    if tensor.dtype not in NAMES:
        raise Left(f"a tensor of {tensor.dtype}")
    if tensor.layout != torch.strided:
        raise Left(f"a tensor of layout {tensor.layout}")
    name = NAMES[tensor.dtype]
    if tensor._is_zerotensor():
        tensor = torch.zeros(tensor.shape, dtype=tensor.dtype)
    flat = tensor.reshape(-1).clone(memory_format=torch.contiguous_format)
    place = [name, list(tensor.shape), COUNT[name]]
    COUNT[name] += flat.numel()
    DATA[name].append(flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b"")
    return {"t": place}


def encode(value):
    if isinstance(value, torch.Tensor):
        place = store(value)
        return place | {"grad": True} if value.requires_grad else place
    if isinstance(value, (list, tuple)):
        return [encode(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else {"number": str(value)}
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, torch.dtype):
        return {"dtype": NAMES.get(value, str(value))}
    if isinstance(value, slice):
        return {"slice": [encode(value.start), encode(value.stop), encode(value.step)]}
    return {"other": str(value)}


def copy(value, exact):
    """A leaf like `value`, in f64 for `exact`."""
    if isinstance(value, torch.Tensor):
        clone = value.detach().clone()
        if exact and value.is_floating_point():
            clone = clone.to(torch.float64)
        return clone.requires_grad_(value.requires_grad)
    if exact and isinstance(value, torch.dtype) and value.is_floating_point:
        return torch.float64
    return value


def evaluate(op, call, cotangents, exact):
    """Outputs, cotangents and gradients; cotangents are drawn where `cotangents` is None."""
    args, kwargs = tree_map(lambda v: copy(v, exact), call)
    leaves = [v for v in tree_flatten((args, kwargs))[0] if isinstance(v, torch.Tensor) and v.requires_grad]
    outputs = op.op(*args, **kwargs)
    outputs = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
    if not all(isinstance(y, (torch.Tensor, int, float, bool)) for y in outputs):
        raise Left("an output that is no tensor")
    followed = [isinstance(y, torch.Tensor) and y.requires_grad for y in outputs]
    if not leaves or not any(followed):
        return outputs, None, None
    if cotangents is None:
        cotangents = [torch.randn(y.shape, dtype=torch.float32) if f else None for y, f in zip(outputs, followed)]
        # With few digits, so that every dtype holds them.
        cotangents = [None if g is None else ((g * 16).round() / 16).to(y.dtype) for g, y in zip(cotangents, outputs)]
    pairs = [(y, g.to(y.dtype)) for y, g in zip(outputs, cotangents) if g is not None]
    grads = torch.autograd.grad([y for y, _ in pairs], leaves, [g for _, g in pairs], allow_unused=True)
    return outputs, cotangents, grads


def record(op, dtype, sample, differentiable):
    # By name, as the reader orders them: gradients are matched by their order.
    call = ((sample.input, *sample.args), dict(sorted(sample.kwargs.items())))
    tensors = [v for v in tree_flatten(call)[0] if isinstance(v, torch.Tensor)]
    if not differentiable:
        call = tree_map(lambda v: v.detach() if isinstance(v, torch.Tensor) else v, call)
    if any(t.dtype not in NAMES for t in tensors):
        raise Left("an argument of a dtype that is not offered")
    if sum(t.numel() for t in tensors) > MOST:
        raise Left(f"more than {MOST} elements")
    outputs, cotangents, grads = evaluate(op, call, None, False)
    if sum(y.numel() for y in outputs if isinstance(y, torch.Tensor)) > MOST:
        raise Left(f"more than {MOST} elements")
    result = {"op": op.name, "variant": op.variant_test_name, "dtype": DTYPES[dtype]}
    result |= {"args": encode(list(call[0])), "kwargs": {k: encode(v) for k, v in call[1].items()}}
    result |= {"outputs": encode([y.detach() if isinstance(y, torch.Tensor) else y for y in outputs])}
    if grads is not None:
        result |= {"cotangents": encode(cotangents), "grads": encode([None if g is None else g.detach() for g in grads])}
    if dtype.is_floating_point and dtype != torch.float64:
        try:
            exact, _, exact_grads = evaluate(op, call, cotangents, True)
            if [getattr(y, "shape", None) for y in exact] == [getattr(y, "shape", None) for y in outputs]:
                result["exact"] = encode([y.detach() if isinstance(y, torch.Tensor) else y for y in exact])
                if exact_grads is not None:
                    result["exact_grads"] = encode([None if g is None else g.detach() for g in exact_grads])
        except (RuntimeError, ValueError, TypeError, IndexError, Left):
            SKIPPED["no value in f64"] += 1
    return result


def samples(op, dtype):
    differentiable = op.supports_autograd and dtype in op.supported_backward_dtypes("cpu")
    iterator = iter(op.reference_inputs("cpu", dtype, requires_grad=differentiable))
    while True:
        try:
            yield next(iterator), differentiable
        except StopIteration:
            return
        except Exception as error:  # an operator that needs another machine, a package that is not there
            SKIPPED[f"{op.name}: no samples: {type(error).__name__}: {str(error).splitlines()[0][:80] if str(error) else ''}"] += 1
            return


def main():
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    path, wanted = sys.argv[1], set(sys.argv[2:])
    found = []
    for op in op_db:
        if wanted and op.name not in wanted:
            continue
        for dtype in [dtype for dtype in DTYPES if dtype in op.supported_dtypes("cpu")]:
            torch.manual_seed(0)
            random.seed(0)
            for sample, differentiable in samples(op, dtype):
                before = dict(COUNT), {k: len(v) for k, v in DATA.items()}
                try:
                    found.append(record(op, dtype, sample, differentiable))
                except Exception as error:
                    COUNT.clear()
                    COUNT.update(before[0])
                    for name, length in before[1].items():
                        del DATA[name][length:]
                    reason = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
                    SKIPPED[reason if isinstance(error, Left) else f"{op.name}: {reason}"] += 1
    compact = {"separators": (",", ":")}
    # Wide elements first, so that each tensor is aligned.
    chunks = {name: b"".join(DATA[name]) for name in ["f64", "i64", "f32", "f16", "bf16", "u8", "bool"]}
    chunks["samples"] = "\n".join(json.dumps(sample, **compact) for sample in found).encode()
    tensors, at = {}, 0
    for name, chunk in chunks.items():
        shape = [COUNT[name] if name in SAFETENSORS else len(chunk)]
        tensors[name] = {"dtype": SAFETENSORS.get(name, "U8"), "shape": shape, "data_offsets": [at, at + len(chunk)]}
        at += len(chunk)
    metadata = {
        "peer": f"PyTorch {torch.__version__}, whose op_db has {len({op.name for op in op_db})} operators",
        "skipped": json.dumps(SKIPPED, **compact),
    }
    header = json.dumps({"__metadata__": metadata} | tensors, **compact).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for chunk in chunks.values():
            file.write(chunk)
    print(f"{len(found)} samples of {len({s['op'] for s in found})} operators, {sum(SKIPPED.values())} left out")


main()
