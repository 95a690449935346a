"""Records what scikit-learn makes of scores of pairs, in f64: crates/taper-tasks/tests/data/verification.json.

    pip install scikit-learn
    python tests/peers/sklearn_verification.py

The area under the ROC curve, the largest accuracy at a threshold with that threshold, and the largest part of true accepts at
parts of false ones, all read from `roc_curve`, of scores that overlap, of scores in steps, so that many are equal, and of few pairs
of the same among many of others.
"""

import json
import os

import numpy as np
import sklearn
from sklearn.metrics import accuracy_score, roc_auc_score, roc_curve

RNG = np.random.default_rng(5)
OUT = os.path.join(os.path.dirname(__file__), "../../crates/taper-tasks/tests/data/verification.json")
FAR = [0.0, 0.01, 0.1, 0.5]


def case(pairs, part, apart, step):
    same = RNG.random(pairs) < part
    scores = np.clip(RNG.normal(apart * same, 0.3), -1, 1)
    scores = np.round(scores / step) * step
    false, true, thresholds = roc_curve(same, scores, drop_intermediate=False)
    accuracies = [accuracy_score(same, scores >= threshold) for threshold in thresholds]
    best = int(np.argmax(accuracies))  # the first, which is the highest threshold
    return {
        "same": same.tolist(),
        "scores": scores.tolist(),
        "auc": roc_auc_score(same, scores),
        "accuracy": accuracies[best],
        "threshold": thresholds[best] if np.isfinite(thresholds[best]) else None,
        "far": FAR,
        "tar": [true[false <= far].max() for far in FAR],
    }


cases = [case(*sizes) for sizes in [(120, 0.5, 0.4, 2**-20), (150, 0.5, 0.3, 0.125), (200, 0.1, 0.5, 2**-20),
                                    (60, 0.2, 0.0, 0.25), (40, 0.5, 1.5, 2**-20)]]
with open(OUT, "w") as file:
    json.dump({"written_by": f"scikit-learn {sklearn.__version__}", "cases": cases}, file)
    file.write("\n")
print(os.path.getsize(OUT), "bytes;", [(c["auc"], c["accuracy"], c["threshold"], c["tar"]) for c in cases])
