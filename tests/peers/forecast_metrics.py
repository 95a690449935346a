"""Records what scikit-learn and utilsforecast give for small series and forecasts, in f64, into
crates/taper-tasks/tests/data/forecast_metrics.json.

    pip install scikit-learn utilsforecast pandas
    python tests/peers/forecast_metrics.py

The pinball loss is scikit-learn's and, the same, utilsforecast's; MASE and coverage are utilsforecast's. Values are
multiples of 1/8, so that some lie on the ends of bands.
"""

import json
import os

import numpy as np
import pandas as pd
import sklearn
import utilsforecast
from sklearn.metrics import mean_absolute_error, mean_pinball_loss
from utilsforecast import losses

RNG = np.random.default_rng(5)
OUT = os.path.join(os.path.dirname(__file__), "../../crates/taper-tasks/tests/data/forecast_metrics.json")


def values(n, spread=16):
    return RNG.integers(-spread, spread, n) / 8


def case(learned, horizon, season):
    y = values(horizon)
    median = y + values(horizon, 6)
    low, high = median - np.abs(values(horizon, 8)), median + np.abs(values(horizon, 8))
    frame = pd.DataFrame(
        {"unique_id": "a", "ds": np.arange(horizon), "y": y, "m": median, "m-lo-80": low, "m-hi-80": high}
    )
    past = values(learned) + np.arange(learned) % season
    train = pd.DataFrame({"unique_id": "a", "ds": np.arange(-learned, 0), "y": past})
    pinball = {}
    for quantile, predicted in [(0.1, low), (0.5, median), (0.9, high)]:
        ours = mean_pinball_loss(y, predicted, alpha=quantile)
        theirs = losses.quantile_loss(frame.assign(q=predicted), {"q": "q"}, q=quantile)["q"].item()
        assert abs(ours - theirs) < 1e-12
        pinball[str(quantile)] = ours
    return {
        "learned": past.tolist(),
        "season": season,
        "targets": y.tolist(),
        "median": median.tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
        "pinball": pinball,
        "mae": mean_absolute_error(y, median),
        "mase": losses.mase(frame, ["m"], season, train)["m"].item(),
        "coverage": losses.coverage(frame, ["m"], 80)["m"].item(),
    }


found = {
    "written_by": f"scikit-learn {sklearn.__version__}, utilsforecast {utilsforecast.__version__}",
    "cases": [case(*sizes) for sizes in [(20, 9, 1), (30, 12, 7), (9, 40, 4), (50, 1, 12)]],
}
with open(OUT, "w") as file:
    json.dump(found, file, indent=1)
    file.write("\n")
