"""Records scikit-learn's metrics on small random cases, in f64, into
crates/taper-tasks/tests/data/sklearn_metrics.json.

    python tests/peers/sklearn_metrics.py

Probabilities are multiples of 1/20, so that rows have ties and lie on the limits of bins. All labels of a case are told
to scikit-learn, also those that do not occur; what it calls undefined (a NaN) is null.
"""

import json
import math
import os
import warnings

import numpy as np
import sklearn
from sklearn import calibration, metrics

warnings.simplefilter("ignore")
RNG = np.random.default_rng(11)
OUT = os.path.join(os.path.dirname(__file__), "../../crates/taper-tasks/tests/data/sklearn_metrics.json")


def number(x):
    x = float(x)
    return None if math.isnan(x) else x


def classification(name, num_classes, classes, probabilities):
    classes, p = np.asarray(classes), np.asarray(probabilities, dtype=np.float64)
    labels = list(range(num_classes))
    predicted = p.argmax(axis=1)
    onehot = np.eye(num_classes)[classes]
    confidence, right = p.max(axis=1), (predicted == classes).astype(int)
    want = {
        "accuracy": metrics.accuracy_score(classes, predicted),
        "confusion": metrics.confusion_matrix(classes, predicted, labels=labels).tolist(),
        # Of two classes scikit-learn's top-k compares one score with a threshold: another thing.
        "top_k": [
            metrics.top_k_accuracy_score(classes, p, k=k, labels=labels)
            for k in range(1, num_classes)
            if num_classes > 2
        ],
        "auc": [number(metrics.roc_auc_score(onehot[:, c], p[:, c])) for c in labels],
        "log_loss": metrics.log_loss(classes, p, labels=labels),
        "brier": metrics.brier_score_loss(classes, p, labels=labels, scale_by_half=False),
    }
    areas = [area for area in want["auc"] if area is not None]
    want["auc_macro"] = np.mean(areas) if areas else None
    if all(a is not None for a in want["auc"]) and num_classes > 2:
        want["auc_macro"] = metrics.roc_auc_score(classes, p, multi_class="ovr", average="macro", labels=labels)
    for average in [None, "macro", "micro", "weighted"]:
        scores = metrics.precision_recall_fscore_support(
            classes, predicted, labels=labels, average=average, zero_division=0
        )
        want[average or "per_class"] = [np.asarray(s).tolist() for s in scores[:3]]
    want["calibration"] = []
    for bins in [1, 5, 10, 15]:
        accuracy, mean = calibration.calibration_curve(right, confidence, pos_label=1, n_bins=bins, strategy="uniform")
        # calibration_curve leaves out empty bins and does not tell how many samples the others have: its rule again.
        at = np.searchsorted(np.linspace(0.0, 1.0, bins + 1)[1:-1], confidence)
        count = np.bincount(at, minlength=bins)
        error = np.sum(count[count > 0] * np.abs(accuracy - mean)) / len(classes)
        want["calibration"].append(
            {
                "bins": bins,
                "count": count.tolist(),
                "accuracy": accuracy.tolist(),
                "confidence": mean.tolist(),
                "error": error,
            }
        )
    return {
        "name": name,
        "num_classes": num_classes,
        "classes": classes.tolist(),
        "probabilities": p.reshape(-1).tolist(),
        "want": want,
    }


def random_rows(n, num_classes, classes=None):
    """Rows of twentieths; with `classes`, the true class is likelier."""
    rows = []
    for i in range(n):
        weights = RNG.dirichlet(np.full(num_classes, 0.7))
        if classes is not None:
            weights = 0.5 * weights + 0.5 * np.eye(num_classes)[classes[i]]
        rows.append(RNG.multinomial(20, weights) / 20)
    return np.array(rows)


def cases():
    for n, num_classes in [(1, 2), (7, 2), (40, 2), (25, 3), (60, 5), (80, 10)]:
        classes = RNG.integers(0, num_classes, n)
        yield classification(f"random {n} of {num_classes}", num_classes, classes, random_rows(n, num_classes, classes))
    classes = RNG.integers(0, 3, 30) * 2
    yield classification("absent classes", 6, classes, random_rows(30, 6, classes))
    yield classification("one class only", 4, np.full(12, 2), random_rows(12, 4))
    yield classification("one class of two", 2, np.zeros(9, dtype=int), random_rows(9, 2))
    classes = RNG.integers(0, 4, 20)
    yield classification("perfect", 4, classes, np.eye(4)[classes])
    classes = np.arange(20) % 2
    yield classification("inverted", 2, classes, np.eye(2)[1 - classes])
    classes = np.arange(21) % 3
    yield classification("never right", 3, classes, np.eye(3)[(classes + 1) % 3])
    yield classification("all tied", 5, np.arange(25) % 5, np.full((25, 5), 0.2))


def regression(name, targets, predicted):
    targets, predicted = np.round(targets, 3), np.round(predicted, 3)
    return {
        "name": name,
        "targets": targets.tolist(),
        "predicted": predicted.tolist(),
        "mae": metrics.mean_absolute_error(targets, predicted),
        "rmse": metrics.root_mean_squared_error(targets, predicted),
        "r2": number(metrics.r2_score(targets, predicted)),
    }


def regressions():
    for n in [1, 2, 10, 50]:
        targets = RNG.normal(size=n) * 3
        yield regression(f"random {n}", targets, targets + RNG.normal(size=n))
    targets = RNG.normal(size=12)
    yield regression("perfect", targets, targets)
    yield regression("inverted", targets, -targets)
    yield regression("equal targets", np.full(5, 2.5), RNG.normal(size=5))
    yield regression("equal targets, perfect", np.full(5, 2.5), np.full(5, 2.5))
    yield regression("their mean", np.array([1.0, 2.0, 6.0]), np.full(3, 3.0))


with open(OUT, "w") as f:
    json.dump(
        {
            "peer": f"scikit-learn {sklearn.__version__}",
            "classification": list(cases()),
            "regression": list(regressions()),
        },
        f,
    )
    f.write("\n")
