"""MaskMix against the plain sequence of warps with Pillow, with albumentations, and against OpenCV.

    python benchmarks/maskmix.py [--sizes 256 512] [--masks 600] [--repeats 5] [--json FILE]

Everyone makes the same number of masks by Eq. 7 from the same 28 planted seed masks into one new array
of uint8, with parameters drawn anew for each mask by the same laws, on one core. No area bounds are
looked at. The contestants:

rsprep
    ``MaskMix.batch``, which prepares the seeds within the time that counts.
pillow
    nine nearest-neighbour warps in a row, three a branch, then the weighted sum and the threshold.
albumentations
    the same, three ``OneOf`` of ``Affine`` a branch in a ``Compose``.
opencv
    the operations of a branch composed first, one ``warpAffine`` a branch, then sum and threshold.
rsprep, bounds
    what ``rsprep maskmix`` does: seeds resized, turned and moved first, masks drawn until the area fits.

Every measurement is a process of its own that makes some masks first and is then timed twice, and
contestants take turns; the second time counts, in CPU seconds of the process.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it would ask the network

SEEDS = 28
BRANCHES = DEPTH = 3
ROTATE, SHIFT, SHEAR = 30.0, 1 / 3, 0.3
THRESHOLD = 0.5
CONTESTANTS = ("rsprep", "pillow", "albumentations", "opencv", "rsprep, bounds")
Masks = np.ndarray


def main() -> None:
    """Let the contestants take turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=(256, 512), help="pixels along a mask's side")
    parser.add_argument("--masks", type=int, default=600, help="masks of 256 pixels in one measurement")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write every measurement here")
    parser.add_argument("--contestants", nargs="*", default=CONTESTANTS)
    parser.add_argument("--one", nargs=2, metavar=("CONTESTANT", "SIZE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        contestant, size = arguments.one
        print(json.dumps(measure(contestant, int(size), arguments.masks)))
        return
    runs = take_turns(arguments.contestants, arguments.sizes, arguments.masks, arguments.repeats)
    for size in arguments.sizes:
        report([run for run in runs if run["size"] == size], size)
    if arguments.json:
        arguments.json.write_text(json.dumps(runs, indent=1))


def planted(size: int) -> Masks:
    """Ragged blobs about the middle of their frames, 10 to 50 % of them: (seed, y, x)."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    seeds = np.empty((SEEDS, size, size), np.uint8)
    for number, seed in enumerate(seeds):
        noise = [gaussian_filter(rng.standard_normal((size, size)), size / part) for part in (8, 32, 96)]
        relief = sum(weight * one / one.std() for weight, one in zip((1, 0.5, 0.15), noise, strict=True))
        relief -= 3 * (x**2 + y**2)
        seed[:] = relief > np.quantile(relief, 1 - (0.1 + 0.4 * number / SEEDS))
    return seeds


def measure(contestant: str, size: int, masks: int) -> dict[str, float]:
    """Masks a CPU second, on one core, and the mean share that is masked."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    make, seeds = MAKERS[contestant](size), planted(size)
    make(seeds, 20)
    count = max(1, masks * 256**2 // size**2)
    make(seeds, count)
    before = time.process_time()
    made = make(seeds, count)
    seconds = time.process_time() - before
    assert made.shape == (count, size, size)
    assert made.max() == 1
    return {"masks_per_second": count / seconds, "area": float(made.mean())}


def ours(size: int) -> Callable[[Masks, int], Masks]:
    """Pure generation: Eq. 7, no bounds."""
    from rsprep.masks.maskmix import MaskMix, MixSettings

    mixer = MaskMix(MixSettings.bare(area=None, keep_seed=True))
    return lambda seeds, count: mixer.batch(seeds, range(count), seed=1).masks


def ours_within_bounds(size: int) -> Callable[[Masks, int], Masks]:
    """The defaults: placed, mixed, drawn again until the area is within 15 and 60 %."""
    from rsprep.masks.maskmix import MaskMix

    mixer = MaskMix()
    return lambda seeds, count: mixer.batch(seeds, range(count), seed=1).masks


def dirichlet(rng: random.Random) -> list[float]:
    """Weights of the branches and of the seed."""
    raw = [rng.expovariate(1) for _ in range(BRANCHES + 1)]
    total = sum(raw)
    return [one / total for one in raw]


def mixed(copies: list[Masks], weights: list[float], out: Masks) -> None:
    """Weighted sum and threshold."""
    total = copies[0] * np.float32(weights[0])
    for copy, weight in zip(copies[1:], weights[1:], strict=True):
        total += copy * np.float32(weight)
    np.greater_equal(total, np.float32(THRESHOLD), out=out.view(np.bool_))


def pillow(size: int) -> Callable[[Masks, int], Masks]:
    """Nine warps in a row."""

    def step(image: Image.Image, rng: random.Random) -> Image.Image:
        op = rng.randrange(3)
        if op == 0:
            dx, dy = (rng.uniform(-SHIFT, SHIFT) * size for _ in range(2))
            return image.transform((size, size), Image.Transform.AFFINE, (1, 0, dx, 0, 1, dy))
        if op == 1:
            by = rng.uniform(-SHEAR, SHEAR)
            along_x = (1, by, -by * size / 2, 0, 1, 0) if rng.random() < 0.5 else (1, 0, 0, by, 1, -by * size / 2)
            return image.transform((size, size), Image.Transform.AFFINE, along_x)
        return image.rotate(rng.uniform(-ROTATE, ROTATE))

    def make(seeds: Masks, count: int) -> Masks:
        rng = random.Random(1)  # noqa: S311
        images = [Image.fromarray(seed) for seed in seeds]
        out = np.empty((count, size, size), np.uint8)
        for k in range(count):
            number = rng.randrange(len(images))
            copies = []
            for _ in range(BRANCHES):
                image = images[number]
                for _ in range(DEPTH):
                    image = step(image, rng)
                copies.append(np.asarray(image))
            mixed([*copies, seeds[number]], dirichlet(rng), out[k])
        return out

    return make


def with_albumentations(size: int) -> Callable[[Masks, int], Masks]:
    """The same sequence, in the library's own words."""
    import albumentations as A  # noqa: N812
    import cv2

    cv2.setNumThreads(1)
    degrees = math.degrees(math.atan(SHEAR))
    nearest = {"interpolation": cv2.INTER_NEAREST, "p": 1.0}
    one = [
        A.Affine(translate_percent=dict.fromkeys("xy", (-SHIFT, SHIFT)), **nearest),
        A.OneOf(
            [A.Affine(shear={axis: (-degrees, degrees), other: 0.0}, **nearest) for axis, other in ("xy", "yx")], p=1
        ),
        A.Affine(rotate=(-ROTATE, ROTATE), **nearest),
    ]
    branch = A.Compose([A.OneOf(one, p=1)] * DEPTH, seed=1)

    def make(seeds: Masks, count: int) -> Masks:
        rng = random.Random(1)  # noqa: S311
        out = np.empty((count, size, size), np.uint8)
        for k in range(count):
            seed = seeds[rng.randrange(len(seeds))]
            copies = [branch(image=seed)["image"] for _ in range(BRANCHES)]
            mixed([*copies, seed], dirichlet(rng), out[k])
        return out

    return make


def opencv(size: int) -> Callable[[Masks, int], Masks]:
    """Composed first, then one warp a branch."""
    import cv2

    cv2.setNumThreads(1)
    centre = np.array([[1, 0, size / 2], [0, 1, size / 2], [0, 0, 1]])
    back = np.array([[1, 0, -size / 2], [0, 1, -size / 2], [0, 0, 1]])

    def matrix(rng: random.Random) -> Masks:
        step = np.eye(3)
        op = rng.randrange(3)
        if op == 0:
            step[0, 2], step[1, 2] = (rng.uniform(-SHIFT, SHIFT) * size for _ in range(2))
        elif op == 1:
            step[(0, 1) if rng.random() < 0.5 else (1, 0)] = rng.uniform(-SHEAR, SHEAR)
        else:
            angle = math.radians(rng.uniform(-ROTATE, ROTATE))
            step[:2, :2] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        return step

    def make(seeds: Masks, count: int) -> Masks:
        rng = random.Random(1)  # noqa: S311
        out = np.empty((count, size, size), np.uint8)
        for k in range(count):
            seed = seeds[rng.randrange(len(seeds))]
            copies = []
            for _ in range(BRANCHES):
                whole = centre @ matrix(rng) @ matrix(rng) @ matrix(rng) @ back
                copies.append(cv2.warpAffine(seed, whole[:2], (size, size), flags=cv2.INTER_NEAREST))
            mixed([*copies, seed], dirichlet(rng), out[k])
        return out

    return make


MAKERS: dict[str, Callable[[int], Callable[[Masks, int], Masks]]] = {
    "rsprep": ours,
    "pillow": pillow,
    "albumentations": with_albumentations,
    "opencv": opencv,
    "rsprep, bounds": ours_within_bounds,
}


def take_turns(contestants: Any, sizes: Any, masks: int, repeats: int) -> list[dict[str, Any]]:
    """Every measurement in a process of its own, contestants interleaved."""
    runs = []
    for repeat in range(repeats + 1):
        for size in sizes:
            for contestant in contestants:
                command = [sys.executable, __file__, "--masks", str(masks), "--one", contestant, str(size)]
                answer = subprocess.run(command, check=True, capture_output=True, text=True)
                if repeat:  # the first round compiles the kernel
                    runs.append({"size": size, "contestant": contestant, **json.loads(answer.stdout)})
    return runs


def report(runs: list[dict[str, Any]], size: int) -> None:
    """Print medians and how many times faster this package is."""
    print(f"\n{size} x {size}        masks/s on a core   rsprep is times faster   mean area")
    middle = {
        name: {
            key: statistics.median(run[key] for run in runs if run["contestant"] == name)
            for key in ("masks_per_second", "area")
        }
        for name in dict.fromkeys(run["contestant"] for run in runs)
    }
    for name, row in middle.items():
        times = middle["rsprep"]["masks_per_second"] / row["masks_per_second"] if "rsprep" in middle else math.nan
        print(f"{name:16} {row['masks_per_second']:18.0f} {times:24.1f} {row['area']:11.3f}")


if __name__ == "__main__":
    main()
