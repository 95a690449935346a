"""Records what PyTorch's grid_sample, Pillow and the standard library's colorsys make of a small picture, into
crates/taper-data/src/augment/recorded.json: what taper-data's augmentations are held to.

    python torch_augment.py

Each case: an operation, its parameters, and the picture [C, H, W] that comes out, values in [0, 1]. The picture that goes
in is in bytes; 1 is 255. torchvision itself is not needed: the maps are composed from its definitions.
"""

import colorsys
import json
import math
import os

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps

SHAPE = (3, 16, 17)
RNG = np.random.default_rng(5)
# A few repeated levels, so that the histogram has something to equalize.
PICTURE = np.minimum(RNG.integers(20, 300, SHAPE), RNG.integers(60, 256, SHAPE)).astype(np.uint8)
X = PICTURE.astype(np.float64) / 255
CASES = []


def record(op, y, **params):
    data = np.asarray(y, dtype=np.float64).reshape(-1)
    CASES.append({"op": op, "params": params, "y": [round(v, 6) for v in data.tolist()]})


def motion(degrees=0.0, shift=(0.0, 0.0), scale=1.0, shear=(0.0, 0.0)):
    """torchvision's affine: M = T · R(degrees) · scale · Shear_y · Shear_x about the centre; fetched from M⁻¹."""
    a, sx, sy = (math.radians(v) for v in (degrees, *shear))
    turn = np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
    shear_x = np.array([[1, -math.tan(sx), 0], [0, 1, 0], [0, 0, 1]])
    shear_y = np.array([[1, 0, 0], [-math.tan(sy), 1, 0], [0, 0, 1]])
    move = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]])
    inverse = np.linalg.inv(move @ turn @ np.diag([scale, scale, 1]) @ shear_y @ shear_x)
    _, h, w = SHAPE
    ys, xs = np.meshgrid(np.arange(h) - (h - 1) / 2, np.arange(w) - (w - 1) / 2, indexing="ij")
    source = inverse @ np.stack([xs, ys, np.ones_like(xs)]).reshape(3, -1)
    grid = np.stack([source[0] / (w / 2), source[1] / (h / 2)], -1).reshape(1, h, w, 2)
    y = F.grid_sample(torch.tensor(X)[None], torch.tensor(grid), "bilinear", "zeros", align_corners=False)
    record("motion", y, degrees=degrees, shift=shift, scale=scale, shear=shear)


def color():
    grey = 0.2989 * X[0] + 0.587 * X[1] + 0.114 * X[2]
    for factor in [0.0, 0.4, 1.7]:
        record("brightness", np.clip(X * factor, 0, 1), factor=factor)
        record("contrast", np.clip(X * factor + (1 - factor) * grey.mean(), 0, 1), factor=factor)
        record("saturation", np.clip(X * factor + (1 - factor) * grey, 0, 1), factor=factor)
        kernel = torch.ones(1, 1, 3, 3, dtype=torch.float64)
        kernel[0, 0, 1, 1] = 5
        smooth = X.copy()
        smooth[:, 1:-1, 1:-1] = F.conv2d(torch.tensor(X)[:, None], kernel / 13)[:, 0].numpy()
        record("sharpness", np.clip(X * factor + (1 - factor) * smooth, 0, 1), factor=factor)
    for turn in [-0.5, -0.13, 0.2]:
        y = np.empty_like(X)
        for i in np.ndindex(X.shape[1:]):
            h, s, v = colorsys.rgb_to_hsv(*X[(slice(None), *i)])
            y[(slice(None), *i)] = colorsys.hsv_to_rgb((h + turn) % 1.0, s, v)
        record("hue", y, turn=turn)


def tone():
    def pillow(op, change, **params):
        y = np.asarray(change(Image.fromarray(PICTURE.transpose(1, 2, 0)))).transpose(2, 0, 1) / 255
        record(op, y, **params)

    pillow("equalize", ImageOps.equalize)
    pillow("auto-contrast", ImageOps.autocontrast)
    for bits in [4, 7]:
        pillow("posterize", lambda picture: ImageOps.posterize(picture, bits), bits=bits)
    for threshold in [128, 256]:
        pillow("solarize", lambda picture: ImageOps.solarize(picture, threshold), threshold=threshold / 255)


motion()
motion(degrees=30.0)
motion(degrees=-137.5)
motion(shift=(3.0, -2.0))
motion(scale=1.6)
motion(shear=(20.0, 0.0))
motion(shear=(0.0, -15.0))
motion(degrees=12.0, shift=(-1.0, 2.0), scale=0.7, shear=(-25.0, 10.0))
color()
tone()
here = os.path.dirname(os.path.abspath(__file__))
path = os.path.join(here, "../../crates/taper-data/src/augment/recorded.json")
head = {"torch": torch.__version__, "shape": SHAPE, "picture": PICTURE.reshape(-1).tolist()}
with open(path, "w") as file:
    file.write("{" + ", ".join(f'"{k}": {json.dumps(v)}' for k, v in head.items()))
    file.write(', "cases": [\n' + ",\n".join(json.dumps(case) for case in CASES) + "\n]}\n")
