"""Records torchmetrics' scale-invariant signal-to-noise ratios into crates/taper-tasks/tests/data/torchmetrics_si_snr.json.

    python tests/peers/torchmetrics_si_snr.py

Sounds are sines with noise, of other levels and with an offset; silence and the target itself are among them.
"""

import importlib.metadata
import json
import os

import torch
from torchmetrics.functional.audio import scale_invariant_signal_noise_ratio

OUT = os.path.join(os.path.dirname(__file__), "../../crates/taper-tasks/tests/data/torchmetrics_si_snr.json")


def case(estimate, target):
    estimate, target = (torch.as_tensor(values, dtype=torch.float64) for values in (estimate, target))
    # What the file holds is what was measured.
    value = scale_invariant_signal_noise_ratio(estimate, target).item()
    return dict(estimate=estimate.tolist(), target=target.tolist(), si_snr=value)


if __name__ == "__main__":
    torch.manual_seed(7)
    time = torch.arange(24, dtype=torch.float64)
    sine = torch.sin(time * 0.7).round(decimals=4)
    noise = torch.randn(8, 24, dtype=torch.float64).round(decimals=4)
    cases = [case(sine * 0.3, sine), case(sine + 1, sine), case(-sine, sine), case(noise[0], sine),
             case(torch.zeros(24), sine), case(sine, torch.zeros(24)), case(torch.zeros(24), torch.zeros(24))]
    for i, level in enumerate([0.01, 0.1, 0.5, 1.0, 2.0, 10.0, 100.0]):
        cases.append(case((0.5 * sine + level * noise[i + 1] + 0.2).round(decimals=4), sine))
    with open(OUT, "w") as file:
        json.dump(dict(torchmetrics=importlib.metadata.version("torchmetrics"), cases=cases), file, separators=(",", ":"))
        file.write("\n")
    print([round(one["si_snr"], 3) for one in cases])
