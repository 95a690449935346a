"""Records the initial values of PyTorch that no random number is in: Dirac convolutions.

    python torch_inits.py

Writes crates/taper-nn/tests/data/torch_inits.json: shapes, groups, and the places that hold a 1.
"""

import json
import os

import torch

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "crates/taper-nn/tests/data/torch_inits.json")

cases = []
for shape, groups in [
    ((4, 4, 3, 3), 1),
    ((3, 5, 3, 3), 1),
    ((5, 3, 1, 1), 1),
    ((6, 3, 3, 5), 2),
    ((6, 2, 2, 4), 3),
    ((4, 1, 3, 3), 4),
    ((4, 3, 5), 1),
    ((2, 2, 3, 4, 5), 1),
]:
    weight = torch.nn.init.dirac_(torch.full(shape, 7.0), groups)
    ones = weight.reshape(-1).nonzero().reshape(-1).tolist()
    assert weight.sum() == len(ones)
    cases.append({"shape": shape, "groups": groups, "ones": ones})
with open(OUT, "w") as file:
    json.dump({"peer": f"PyTorch {torch.__version__}", "dirac": cases}, file, separators=(",", ":"))
    file.write("\n")
