"""Files that PyTorch's own torch.save writes, for crates/taper-nn/tests/pytorch.rs: in both containers, with views, shared
storages, all dtypes that are read; checkpoints; and what is refused. The values are beside them, as safetensors."""

import collections
import pathlib

import torch
from safetensors.torch import save_file

FOLDER = pathlib.Path(__file__).parents[2] / "crates/taper-nn/tests/data/pickles"
FOLDER.mkdir(exist_ok=True)


def save(value, name, **options):
    path = FOLDER / name
    torch.save(value, path, **options)
    print(f"{name}: {path.stat().st_size} bytes")


grid = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 7
numbers = torch.tensor([-3, 0, 1, 100])
tensors = collections.OrderedDict(
    {str(dtype).removeprefix("torch."): (numbers.abs() if dtype.is_signed is False else numbers).to(dtype) for dtype in (
        torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
        torch.uint8, torch.bool)}
)
tensors |= {
    "scalar": torch.tensor(2.5),
    "empty": torch.zeros(0, 3),
    "transposed": grid.t(),
    "sliced": grid[1:, 1::2],
    "permuted": grid.reshape(2, 3, 4).permute(2, 0, 1),
    "row": grid[2],
    "shared.a": grid,
    "shared.b": grid,
    "parameter": torch.nn.Parameter(torch.tensor([1.5, -2.5])),
    "channels_last": torch.arange(24.0).reshape(1, 2, 3, 4).contiguous(memory_format=torch.channels_last),
}
save_file({name: value.detach().contiguous().clone() for name, value in tensors.items()}, FOLDER / "values.safetensors")
save(tensors, "zip.pt")
save(tensors, "protocol4.pt", pickle_protocol=4)
save(tensors, "before_1_6.pth", _use_new_zipfile_serialization=False)
save(tensors, "before_1_6_protocol4.pth", _use_new_zipfile_serialization=False, pickle_protocol=4)

# Dtypes that have no class of storages.
save({"u16": torch.tensor([7, 65535], dtype=torch.uint16), "u32": torch.tensor([7], dtype=torch.uint32)}, "untyped.pt")

torch.manual_seed(0)
model = torch.nn.Sequential(collections.OrderedDict(fc=torch.nn.Linear(3, 2), bn=torch.nn.BatchNorm1d(2)))
optimizer = torch.optim.Adam(model.parameters())
model(torch.randn(4, 3)).square().sum().backward()
optimizer.step()
save_file(model.state_dict(), FOLDER / "model.safetensors")
parallel = torch.nn.DataParallel(model)
checkpoint = {
    "epoch": 3,
    "model_state_dict": parallel.state_dict(),
    "optimizer_state_dict": optimizer.state_dict(),
    "loss": 0.5,
    "args": {"lr": 0.1, "names": ["a", "b"]},
}
save(checkpoint, "checkpoint.pt")
save(checkpoint, "checkpoint_before_1_6.pth", _use_new_zipfile_serialization=False)
# Lightning's manner, and two networks without a name that is known.
save({"state_dict": {f"model.{k}": v for k, v in model.state_dict().items()}, "hyper_parameters": {}}, "lightning.ckpt")
save({"first": model.state_dict(), "opt": optimizer.state_dict(), "second": [model.fc.weight]}, "several.pt")

# A perceptron for 8x8 digits, for the command line's tests.
torch.manual_seed(1)
mlp = torch.nn.Sequential(collections.OrderedDict(fc1=torch.nn.Linear(64, 4), fc2=torch.nn.Linear(4, 10)))
save({"model": torch.nn.DataParallel(mlp).state_dict(), "epoch": 1}, "digits_mlp.pth")

# What is refused.
save(model, "module.pt")
save({"x": torch.ones(1).expand(3)}, "expanded.pt")
save({"x": torch.ones(2, dtype=torch.complex64)}, "complex.pt")
save(torch.ones(2, 3), "tensor.pt")
save({"epoch": 3}, "nothing.pt")
save(b"bytes", "bytes.pt")
torch.jit.script(model).save(FOLDER / "script.pt")
