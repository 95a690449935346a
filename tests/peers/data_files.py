"""Writes small data files with the libraries that people write theirs with, for the readers of taper-data:

    python data_files.py

CSV by csv and pandas' usual settings, .npy and .npz by NumPy, Parquet by pyarrow, pictures by Pillow; and expected.json,
what these libraries read back from them (pictures: as [C, H, W] bytes, also grey and scaled).
"""

import csv
import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageOps

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "..", "crates", "taper-data", "tests", "data")
RANDOM = np.random.default_rng(11)
SPECIES = ["lily", "daisy", "tall, red poppy", 'so-called "rose"']


def path(*names):
    found = os.path.join(DATA, *names)
    os.makedirs(os.path.dirname(found), exist_ok=True)
    return found


def table():
    """Numbers of many sizes, which no text of few digits holds exactly, and labels."""
    x = RANDOM.normal(size=(12, 3)) * 10.0 ** RANDOM.integers(-6, 7, size=(12, 3))
    y = RANDOM.integers(0, 4, size=12)
    y[:4] = [2, 0, 3, 1]
    return x, y


def write_csv(x, y):
    with open(path("flowers.csv"), "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["width", "height", "species", "two\nlines"])
        for row, label in zip(x.tolist(), y):
            writer.writerow([row[0], row[1], SPECIES[label], row[2]])
    with open(path("numbers.csv"), "w", newline="") as file:
        writer = csv.writer(file, delimiter=";", lineterminator="\n")
        writer.writerows([[label, *row] for row, label in zip(x.tolist(), y.tolist())])


def write_numpy(x, y):
    np.save(path("x.npy"), np.asfortranarray(x))
    np.save(path("x32.npy"), x.astype(">f4"))
    np.save(path("y.npy"), y)
    np.savez(path("plain.npz"), x=x.astype(np.float32), y=y.astype(np.uint8))
    np.savez_compressed(path("compressed.npz"), x=np.round(x).clip(-99, 99).astype(np.int16), y=y.reshape(-1, 1))


def write_parquet(x, y):
    flowers = pa.table(
        {
            "width": pa.array(x[:, 0]),
            "species": pa.array([SPECIES[label] for label in y]).dictionary_encode(),
            "height": pa.array(x[:, 1].astype(np.float32)),
            "half": pa.array(x[:, 2].clip(-1, 1).astype(np.float16)),
            "small": pa.array(np.arange(12, dtype=np.int8) - 5),
            "yes": pa.array((y > 1).tolist()),
        }
    )
    pq.write_table(flowers, path("flowers.parquet"), row_group_size=5)
    pq.write_table(flowers, path("plain.parquet"), compression="none", use_dictionary=False, version="1.0")
    for compression in ["zstd", "gzip", "lz4", "brotli"]:
        pq.write_table(flowers, path(compression + ".parquet"), compression=compression)
    missing = pa.table({"a": [1.0, None, 3.0], "label": [0, 1, 0]})
    pq.write_table(missing, path("missing.parquet"))
    nested = pa.table({"a": [[1.0], [2.0, 3.0]], "label": [0, 1]})
    pq.write_table(nested, path("nested.parquet"))
    back = pq.read_table(path("flowers.parquet")).to_pydict()
    names = [name for name in back if name != "species"]
    return [[float(np.float32(back[name][row])) for name in names] for row in range(12)]


def picture(height, width):
    """A slope in each channel, and a disc: something that JPEG keeps."""
    down, across = np.mgrid[0:height, 0:width]
    disc = (down - height / 2) ** 2 + (across - width / 2) ** 2 < (min(height, width) / 3) ** 2
    planes = [255 * down / height, 255 * across / width, np.where(disc, 220, 40)]
    return np.stack(planes, axis=-1).astype(np.uint8)


def write_pictures():
    noise = RANDOM.integers(0, 256, size=(9, 12, 4), dtype=np.uint8)
    images = {
        "train/cat/a.png": (Image.fromarray(noise[:, :, :3]), {}),
        "train/cat/b.png": (Image.fromarray(noise, "RGBA"), {}),
        "train/cat/c.png": (Image.fromarray(noise[:, :, 0], "L"), {}),
        "train/dog/a.jpg": (Image.fromarray(picture(9, 12)), {"quality": 95, "subsampling": 0}),
        "train/dog/palette.png": (Image.fromarray(picture(9, 12)).quantize(16), {}),
        "test/cat/a.webp": (Image.fromarray(noise[:, :, :3]), {"lossless": True}),
        "test/dog/a.webp": (Image.fromarray(picture(9, 12)), {"quality": 90}),
        "test/dog/grey.jpeg": (Image.fromarray(picture(9, 12)[:, :, 0], "L"), {"quality": 95}),
    }
    # How a camera was held: 6 is a quarter turn to the right, which makes it 9 high and 12 wide.
    turned = Image.fromarray(picture(12, 9))
    for orientation in [1, 3, 6, 7]:
        exif = Image.Exif()
        exif[0x0112] = orientation
        for kind, options in [("jpg", {"quality": 95, "subsampling": 0}), ("png", {}), ("webp", {"lossless": True})]:
            images[f"turned/{orientation}/a.{kind}"] = (turned, {"exif": exif, **options})
    images["cut/all/progressive.jpg"] = (Image.fromarray(picture(40, 56)), {"quality": 95, "progressive": True})
    images["cut/all/baseline.jpg"] = (Image.fromarray(picture(40, 56)), {"quality": 95})
    expected = {}
    for name, (image, options) in images.items():
        image.save(path("pictures", *name.split("/")), **options)
        back = Image.open(path("pictures", *name.split("/")))
        rgb = ImageOps.exif_transpose(back).convert("RGB")
        if name.startswith("cut/"):
            continue
        expected[name] = {
            "rgb": np.asarray(rgb).transpose(2, 0, 1).reshape(-1).tolist(),
            "grey": np.asarray(rgb.convert("L") if back.mode not in ("L",) else back).reshape(-1).tolist(),
            "scaled": np.asarray(rgb.resize((7, 5), Image.BILINEAR)).transpose(2, 0, 1).reshape(-1).tolist(),
        }
    return expected


def main():
    x, y = table()
    write_csv(x, y)
    write_numpy(x, y)
    expected = {
        "x": x.astype(np.float32).astype(float).tolist(),
        "rounded": np.round(x).clip(-99, 99).tolist(),
        "labels": y.tolist(),
        "species": SPECIES,
        "parquet": write_parquet(x, y),
        "pictures": write_pictures(),
    }
    with open(path("expected.json"), "w") as file:
        json.dump(expected, file, separators=(",", ":"))
        file.write("\n")


main()
