"""Reads an event file with TensorBoard's own reader and prints what it found as JSON.

    python tests/peers/tensorboard_read.py EVENT_FILE
    python tests/peers/tensorboard_read.py --torch

The first prints what crates/taper-report/tests/data/tensorboard_read.json holds, for the file that the test beside it
(tests/tensorboard.rs) writes and names. The second prints torch_histograms.json, beside it too: histograms as PyTorch's
SummaryWriter makes them.
"""

import hashlib
import io
import json
import sys


def read(path):
    import tensorboard
    from PIL import Image
    from tensorboard.backend.event_processing import event_accumulator

    events = event_accumulator.EventAccumulator(
        path, size_guidance={kind: 0 for kind in event_accumulator.DEFAULT_SIZE_GUIDANCE}
    )
    events.Reload()
    tags = events.Tags()

    def image(event):
        picture = Image.open(io.BytesIO(event.encoded_image_string))
        pixels = hashlib.sha256(picture.tobytes()).hexdigest()
        assert picture.size == (event.width, event.height)
        return {"width": event.width, "height": event.height, "mode": picture.mode, "pixels_sha256": pixels}

    def histogram(event):
        value = event.histogram_value
        return {
            "min": value.min,
            "max": value.max,
            "num": value.num,
            "sum": value.sum,
            "sum_squares": value.sum_squares,
            "limits": list(value.bucket_limit),
            "counts": list(value.bucket),
        }

    def text(event):
        return [line.decode() for line in event.tensor_proto.string_val]

    def series(tags, events_of, value_of):
        return {
            tag: [{"step": e.step, "wall_time": e.wall_time, "value": value_of(e)} for e in events_of(tag)]
            for tag in tags
        }

    with open(path, "rb") as f:
        sha256 = hashlib.sha256(f.read()).hexdigest()
    return {
        "sha256": sha256,
        "peer": f"tensorboard {tensorboard.__version__}",
        "file_version": events.file_version,
        "scalars": series(tags["scalars"], events.Scalars, lambda e: e.value),
        "images": series(tags["images"], events.Images, image),
        "histograms": series(tags["histograms"], events.Histograms, histogram),
        "texts": series(tags["tensors"], events.Tensors, text),
    }


def torch_histograms():
    import numpy as np
    import torch
    from torch.utils.tensorboard.summary import make_histogram

    bins = default_bins()
    rng = np.random.default_rng(3)
    cases = {
        "normal": rng.normal(size=50).round(3),
        "f32": rng.normal(size=20).astype(np.float32).astype(np.float64),
        "positive": rng.uniform(0.1, 1, size=30).round(3),
        "negative": -rng.uniform(0.1, 1, size=30).round(3),
        "zeros": np.zeros(4),
        "one": np.array([0.25]),
        "limits": np.array([-1e-12, -0.0, 0.0, 1e-12, 1.1e-12, 1.0]),
        "wide": np.array([-3e19, -1.0, 1e-15, 2e-12, 5.0, 3e19]),
    }
    out = []
    for name, values in cases.items():
        h = make_histogram(values, bins)
        counts, limits = list(h.bucket), list(h.bucket_limit)
        # Only what is not empty, with its limits: the rest is told by that.
        filled = [[limits[i - 1], limits[i], counts[i]] for i in range(len(counts)) if counts[i] > 0]
        out.append(
            {
                "name": name,
                "values": values.tolist(),
                "min": h.min,
                "max": h.max,
                "num": h.num,
                "sum": h.sum,
                "sum_squares": h.sum_squares,
                "first_limit": limits[0],
                "last_limit": limits[-1],
                "filled": filled,
            }
        )
    return {"peer": f"torch {torch.__version__}", "histograms": out}


def default_bins():
    """SummaryWriter's own, taken from a writer over an empty folder."""
    import tempfile

    from torch.utils.tensorboard import SummaryWriter

    with tempfile.TemporaryDirectory() as folder:
        with SummaryWriter(folder) as writer:
            return writer.default_bins


if len(sys.argv) != 2:
    sys.exit(__doc__)
found = torch_histograms() if sys.argv[1] == "--torch" else read(sys.argv[1])
json.dump(found, sys.stdout)
print()
