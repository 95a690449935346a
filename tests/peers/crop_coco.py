"""Cuts the things out of pictures with boxes (COCO's annotations.json), into a folder for each class: a small set of
pictures to be told apart, for docs/results.md.

    python tests/peers/crop_coco.py COCO OUT EACH

COCO holds train/annotations.json and test/annotations.json with their pictures. Of each class the first EACH things of
the training pictures are taken, and all of the test pictures; each is the square around its box, as a PNG."""

import collections
import json
import pathlib
import sys

from PIL import Image

source, target, each = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
for split, most in (("train", each), ("test", None)):
    coco = json.loads((source / split / "annotations.json").read_text())
    pictures = {picture["id"]: picture["file_name"] for picture in coco["images"]}
    names = {category["id"]: category["name"] for category in coco["categories"]}
    counts = collections.Counter()
    for thing in sorted(coco["annotations"], key=lambda thing: thing["id"]):
        name = names[thing["category_id"]]
        if most is not None and counts[name] == most:
            continue
        left, top, width, height = thing["bbox"]
        half = max(width, height) / 2
        middle = (left + width / 2, top + height / 2)
        box = [middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half]
        folder = target / split / name
        folder.mkdir(parents=True, exist_ok=True)
        picture = Image.open(source / split / pictures[thing["image_id"]]).convert("RGB")
        picture.crop([round(side) for side in box]).resize((32, 32), Image.BILINEAR).save(folder / f"{thing['id']:05}.png")
        counts[name] += 1
    print(split, sum(counts.values()), dict(sorted(counts.items())))
