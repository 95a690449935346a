"""Records what pycocotools makes of detections: crates/taper-tasks/tests/data/coco_eval.json.

    pip install pycocotools==2.0.11
    python tests/peers/coco_eval.py

Each case has pictures with boxes that are there and boxes that were found, both [x1, y1, x2, y2], and COCOeval's twelve numbers
(-1 where there is nothing to be found), and the average precision of each class at the overlaps 0.5 to 0.95, and at 0.5.
"""

import contextlib
import io
import json
import pathlib
import random

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def scored(truth, found, classes):
    images = [{"id": i + 1, "width": 400, "height": 400} for i in range(len(truth))]
    annotations, results = [], []
    for i, (things, ones) in enumerate(zip(truth, found)):
        for thing in things:
            x1, y1, x2, y2 = thing["bounds"]
            annotations.append({"id": len(annotations) + 1, "image_id": i + 1, "category_id": thing["class"] + 1,
                                "bbox": [x1, y1, x2 - x1, y2 - y1], "area": thing["area"],
                                "iscrowd": int(thing["crowd"])})
        for one in ones:
            x1, y1, x2, y2 = one["bounds"]
            results.append({"image_id": i + 1, "category_id": one["class"] + 1, "bbox": [x1, y1, x2 - x1, y2 - y1],
                            "score": one["score"]})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {"info": {}, "images": images, "annotations": annotations,
                        "categories": [{"id": c + 1, "name": str(c)} for c in range(classes)]}
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval["precision"][:, :, :, 0, 2]  # overlap, recall, class
    mean = lambda values: float(np.mean(values)) if (values > -1).all() else -1.0
    each = [[mean(precision[:, :, c]), mean(precision[0, :, c])] for c in range(classes)]
    return {"stats": [float(number) for number in evaluation.stats], "classes": each}


def drawn(seed, pictures, classes, most, clutter, step):
    """Boxes in quarters of a pixel, whose sides are exact in any order of operations; scores in steps, so that some are equal."""
    rng = random.Random(seed)
    quarter = lambda low, high: rng.randint(4 * low, 4 * high) / 4
    truth, found = [], []
    for _ in range(pictures):
        things, ones = [], []
        for _ in range(rng.randint(0, most)):
            side = rng.choice([20, 60, 180])
            x, y, w, h = quarter(0, 200), quarter(0, 200), quarter(side // 2, side), quarter(side // 2, side)
            if rng.random() < 0.05:
                w = 0  # a box without area
            # One class is never there.
            things.append({"bounds": [x, y, x + w, y + h], "class": rng.randrange(classes - 1),
                           "area": w * h * rng.choice([1, 0.75]), "crowd": rng.random() < 0.1})
        for thing in things:
            for _ in range(rng.randint(0, 3)):
                x1, y1, x2, y2 = (side + quarter(-5, 5) for side in thing["bounds"])
                other = rng.random() < 0.1
                ones.append({"bounds": [x1, y1, max(x1, x2), max(y1, y2)],
                             "class": rng.randrange(classes) if other else thing["class"],
                             "score": round(rng.random() / step) * step})
        for _ in range(rng.randint(0, clutter)):
            x, y, w, h = quarter(0, 300), quarter(0, 300), quarter(0, 100), quarter(0, 100)
            ones.append({"bounds": [x, y, x + w, y + h], "class": rng.randrange(classes),
                         "score": round(rng.random() / step) * step})
        rng.shuffle(ones)
        truth.append(things)
        found.append(ones)
    return truth, found


def case(name, truth, found, classes):
    return {"name": name, "number": classes, "truth": truth, "found": found} | scored(truth, found, classes)


cases = []
for name, arguments in {
    "a few": (0, 12, 4, 4, 6, 0.001),
    "equal scores": (1, 15, 3, 6, 8, 0.25),
    "many": (4, 3, 2, 6, 700, 0.01),
    "one class": (3, 10, 2, 3, 3, 0.05),
}.items():
    cases.append(case(name, *drawn(*arguments), arguments[2]))
# Exactly at a threshold: overlaps of 1/2 and of 3/4; and a crowd that two detections are in.
there = {"bounds": [0, 0, 40, 40], "class": 0, "area": 1600, "crowd": False}
crowd = {"bounds": [100, 100, 300, 300], "class": 0, "area": 30000, "crowd": True}
inside = [{"bounds": [120 + 40 * i, 120, 150 + 40 * i, 150], "class": 0, "score": 0.9} for i in range(2)]
half = {"bounds": [0, 0, 40, 20], "class": 0, "score": 0.5}
most = {"bounds": [0, 0, 40, 30], "class": 0, "score": 0.4}
cases.append(case("at a threshold, and crowds", [[there, crowd], [there]], [inside + [half], [most, half]], 1))
cases.append(case("nothing right", [[there]], [[inside[0] | {"class": 1}]], 2))

path = pathlib.Path(__file__).parents[2] / "crates/taper-tasks/tests/data/coco_eval.json"
path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
print(path, path.stat().st_size, "bytes;", [case["stats"][:3] for case in cases])
