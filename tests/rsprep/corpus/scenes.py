"""Planted scenes: small images and masks whose every pixel is known."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning

from rsprep.products.crosswalk import load_crosswalk

SIZE = 16
UTM = {"crs": "EPSG:32633", "transform": Affine(10, 0, 500_000, 0, -10, 5_300_000)}
SHAPES = ((40, 50), (33, 16), (64, 47), (16, 16), (50, 18), (31, 80), (48, 48), (20, 35))


def draw(
    shape: tuple[int, int], seed: int, *, bands: int = 3, dtype: str = "uint8", codes: int = 4
) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Image (bands, y, x) of noise and mask (y, x) of blocks of 5 pixels."""
    generator = np.random.default_rng(seed)
    image = generator.integers(0, np.iinfo(dtype).max, (bands, *shape)).astype(dtype)
    coarse = generator.integers(0, codes, (-(-shape[0] // 5), -(-shape[1] // 5))).astype(np.uint8)
    return image, coarse.repeat(5, axis=0).repeat(5, axis=1)[: shape[0], : shape[1]].copy()


def save(path: Path, values: NDArray[Any], **profile: Any) -> None:
    """Write (bands, y, x) or (y, x) as the suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".png", ".jpg"):
        Image.fromarray(values if values.ndim == 2 else np.moveaxis(values, 0, 2)).save(path, **profile)
        return
    values = values if values.ndim == 3 else values[None]
    names = profile.pop("names", ())
    count, height, width = values.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="GTiff", count=count, height=height, width=width, dtype=values.dtype, **profile
        ) as file:
            file.write(values)
            for index, name in enumerate(names):
                file.set_band_description(index + 1, name)


def coloured(codes: NDArray[np.uint8], table: str) -> NDArray[np.uint8]:
    """A mask as a picture in the colours of a class table: (3, y, x)."""
    back = np.zeros((256, 3), np.uint8)
    for rgb, code in load_crosswalk(table).palette.items():
        back[code] = rgb
    return np.ascontiguousarray(np.moveaxis(back[codes], 2, 0))


def save_palette(path: Path, codes: NDArray[np.uint8], colours: dict[int, tuple[int, int, int]]) -> None:
    """A mask as a palette PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(codes, mode="P")
    flat = [0] * 768
    for index, rgb in colours.items():
        flat[3 * index : 3 * index + 3] = rgb
    picture.putpalette(flat)
    picture.save(path)


def plant(
    folder: Path, *, bands: int = 3, dtype: str = "uint8", suffix: str = ".png", **profile: Any
) -> dict[str, tuple[NDArray[Any], NDArray[np.uint8]]]:
    """Scenes ``s0`` … with PNG masks of codes 0 to 3; name to image and mask."""
    scenes = {}
    for index, shape in enumerate(SHAPES):
        image, mask = draw(shape, index, bands=bands, dtype=dtype)
        if index == 6:
            mask[:SIZE] = 0  # a row of chips without a class
        save(folder / "images" / f"s{index}{suffix}", image, **profile)
        save(folder / "masks" / f"s{index}.png", mask)
        scenes[f"s{index}"] = (image, mask)
    return scenes
