"""Records what scikit-learn gives for small rankings, in f64, into crates/taper-tasks/tests/data/ranking_metrics.json.

    python tests/peers/ranking_metrics.py

In each row one thing, the first, is relevant. Scores of a case differ from each other: scikit-learn gives equal ones the mean
of their places, where ours count against the thing.
"""

import json
import os

import numpy as np
import sklearn
from sklearn.metrics import ndcg_score, top_k_accuracy_score

RNG = np.random.default_rng(3)
OUT = os.path.join(os.path.dirname(__file__), "../../crates/taper-tasks/tests/data/ranking_metrics.json")


def case(samples, width, k):
    scores = np.stack([RNG.permutation(width) / 4 - 3 for _ in range(samples)])
    relevant = np.zeros((samples, width))
    relevant[:, 0] = 1
    classes = np.zeros(samples, dtype=int)
    return {
        "width": width,
        "k": k,
        "scores": scores.ravel().tolist(),
        "hit_rate": top_k_accuracy_score(classes, scores, k=k, labels=list(range(width))),
        "ndcg": ndcg_score(relevant, scores, k=k),
    }


found = {
    "written_by": f"scikit-learn {sklearn.__version__}",
    "cases": [case(*sizes) for sizes in [(12, 20, 10), (7, 5, 2), (30, 8, 1), (5, 30, 10)]],
}
with open(OUT, "w") as file:
    json.dump(found, file)
    file.write("\n")
