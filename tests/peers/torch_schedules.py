"""Records the factors of PyTorch's learning-rate schedules, step by step: what taper-nn's schedules are held to.

    python torch_schedules.py

Writes crates/taper-nn/tests/data/torch_schedules.json. The base rate is 1, so that rates are factors.
"""

import json
import os
import warnings

import torch
from torch.optim import lr_scheduler as S

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "crates/taper-nn/tests/data/torch_schedules.json")
# Of SequentialLR, which steps to an epoch by its own argument.
warnings.filterwarnings("ignore", message="The epoch parameter")


def record(schedule, params, make, steps, losses=None):
    """The rate of every step; with `losses` one step of the schedule takes each."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimiser)
    factors = []
    for step in range(steps):
        factors.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        if losses is not None:
            scheduler.step(losses[step])
        elif step + 1 < steps:
            scheduler.step()
    found = {"schedule": schedule, "params": params, "factors": factors}
    return found | ({} if losses is None else {"losses": losses})


def one_cycle(steps, warm_fraction, start_div, end_div):
    params = dict(steps=steps, warm_fraction=warm_fraction, start_div=start_div, end_div=end_div)
    make = lambda o: S.OneCycleLR(
        o, 1.0, total_steps=steps, pct_start=warm_fraction, div_factor=start_div, final_div_factor=end_div, cycle_momentum=False
    )
    return record("one_cycle", params, make, steps)


def plateau(factor, patience, threshold, minimum, losses):
    params = dict(factor=factor, patience=patience, threshold=threshold, min=minimum)
    make = lambda o: S.ReduceLROnPlateau(o, "min", factor, patience, threshold, "rel", 0, minimum, 0.0)
    return record("plateau", params, make, len(losses), losses)


def warm_up(steps, start, name, params, inner, total):
    make = lambda o: S.SequentialLR(o, [S.LinearLR(o, start, 1.0, steps), inner(o)], [steps])
    return record("warm_up", {"steps": steps, "from": start, "inner": name, "params": params}, make, total)


cases = [
    record("step_decay", dict(every=7, gamma=0.3), lambda o: S.StepLR(o, 7, 0.3), 40),
    record("multi_step", dict(milestones=[3, 4, 20], gamma=0.2), lambda o: S.MultiStepLR(o, [3, 4, 20], 0.2), 40),
    record("exponential", dict(gamma=0.93, every=1), lambda o: S.ExponentialLR(o, 0.93), 60),
    record("cosine", dict(steps=30, min=0.0), lambda o: S.CosineAnnealingLR(o, 30), 31),
    record("cosine", dict(steps=17, min=0.1), lambda o: S.CosineAnnealingLR(o, 17, 0.1), 18),
    record("cosine_restarts", dict(first=10, multiply=1, min=0.05), lambda o: S.CosineAnnealingWarmRestarts(o, 10, 1, 0.05), 45),
    record("cosine_restarts", dict(first=5, multiply=2, min=0.0), lambda o: S.CosineAnnealingWarmRestarts(o, 5, 2), 80),
    record("linear", {"steps": 20, "from": 0.25, "to": 1.0}, lambda o: S.LinearLR(o, 0.25, 1.0, 20), 30),
    record("linear", {"steps": 9, "from": 1.0, "to": 0.1}, lambda o: S.LinearLR(o, 1.0, 0.1, 9), 15),
    record("polynomial", dict(steps=25, power=0.9), lambda o: S.PolynomialLR(o, 25, 0.9), 30),
    record("polynomial", dict(steps=12, power=2.0), lambda o: S.PolynomialLR(o, 12, 2.0), 15),
    one_cycle(100, 0.3, 25.0, 1e4),
    one_cycle(37, 0.41, 10.0, 50.0),
    one_cycle(20, 0.0, 4.0, 10.0),
    one_cycle(20, 1.0, 4.0, 10.0),
    plateau(0.5, 2, 0.01, 0.1, [3, 2, 1.99, 1.985, 1.9, 1.9, 1.9, 1.9, 1.5, 1.6, 1.6, 1.6, 1.6, 1.6, 1.6, 2, 2, 2, 2, 2, 2]),
    plateau(0.1, 0, 0.0, 0.0, [1.0, 1.0, 0.5, 0.6, float("nan"), 0.4, 0.4]),
    warm_up(5, 0.1, "cosine", dict(steps=20, min=0.0), lambda o: S.CosineAnnealingLR(o, 20), 26),
    warm_up(8, 0.01, "step_decay", dict(every=4, gamma=0.5), lambda o: S.StepLR(o, 4, 0.5), 30),
]
# NaN is not JSON: such a loss is recorded as null.
for case in cases:
    if "losses" in case:
        case["losses"] = [None if loss != loss else loss for loss in case["losses"]]
with open(OUT, "w") as file:
    json.dump({"peer": f"PyTorch {torch.__version__}, f64", "schedules": cases}, file, separators=(",", ":"), allow_nan=False)
    file.write("\n")
