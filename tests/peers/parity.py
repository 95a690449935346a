"""What the scripts parity_*.py share: they record what PyTorch's models and layers give, for tests/src/parity.rs.

Weights are drawn by counter_hash.py from the names of a state dict, so that no file holds them. Everything is computed
in f64. A record is tests/peers/parity/NAME.safetensors: inputs, outputs and gradients by name, and the state dict's
names and shapes in the metadata.
"""

import json
import pathlib

import numpy as np
import torch
from safetensors.numpy import save_file

from counter_hash import words

FOLDER = pathlib.Path(__file__).parent / "parity"


def stream(name):
    """FNV-1a of the name, 64 bits."""
    hash = 0xCBF29CE484222325
    for byte in name.encode():
        hash = (hash ^ byte) * 0x100000001B3 % 2**64
    return hash


def uniform(name, shape):
    """Numbers in [-1, 1) of the stream that `name` selects."""
    unit = (words(stream(name), int(np.prod(shape))) >> np.uint64(11)) * 2.0**-53
    return torch.from_numpy((2 * unit - 1).reshape(tuple(shape)))


def value(name, shape):
    """The value of the parameter or buffer `name`: a matrix keeps the variance of its input; a scale is near 1, a running
    variance in [1, 1.5), a bias or running mean within 0.1."""
    if len(shape) >= 2:
        fan_in = int(np.prod(shape[1:]))
        return uniform(name, shape) * np.sqrt(3 / fan_in)
    small = uniform(name, shape)
    if name.endswith("running_var"):
        return 1.25 + 0.25 * small
    return 1 + 0.1 * small if name.endswith("weight") else 0.1 * small


def filled(model):
    """`model` in f64 with the weights of its names."""
    model = model.double()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(value(name, tensor.shape))
    return model


def record(name, model, tensors, gradients=()):
    """Writes `tensors` (inputs, outputs, losses: by name), and the gradients that the parameters `gradients` of `model`
    have after a backward pass, as grad.NAME. `model` may be None."""
    named = dict(model.named_parameters()) if model is not None else {}
    found = dict(tensors) | {f"grad.{p}": named[p].grad for p in gradients}
    arrays = {key: np.array(tensor.detach().numpy(), order="C") for key, tensor in found.items()}
    state = [] if model is None else [[k, list(v.shape)] for k, v in model.state_dict().items()]
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.safetensors"
    save_file(arrays, path, {"state_dict": json.dumps(state)})
    size = path.stat().st_size
    assert size < 200_000, f"{path} has {size} bytes"
    print(f"{path.name}: {size} bytes, torch {torch.__version__}")
