"""Planted skies: class rasters with clouds whose every pixel is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from scipy import ndimage

from tests.rsprep.corpus.scenes import save

SIZE = 48
WEST, NORTH = 600_000.0, 5_400_000.0
THICK = 1


def utm(metres: float = 10.0, west: float = WEST, north: float = NORTH) -> dict[str, Any]:
    return {"crs": "EPSG:32633", "transform": Affine(metres, 0, west, 0, -metres, north)}


def ragged_sky(seed: int, side: int = 300, scale: float = 7) -> NDArray[np.uint8]:
    """Codes 0 clear, 1 thick, 2 thin, 3 shadow: ragged clouds of many sizes, thin at their rims."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=(side, side)), scale) * scale
    noise += ndimage.gaussian_filter(rng.normal(size=(side, side)), 1.5) * 0.2
    codes = np.zeros((side, side), np.uint8)
    codes[noise > 0.3] = 2
    codes[noise > 0.4] = THICK
    codes[noise < -0.9] = 3
    return codes


def put_disc(codes: NDArray[np.uint8], row: int, column: int, radius: float, code: int = THICK) -> None:
    y, x = np.mgrid[: codes.shape[0], : codes.shape[1]]
    codes[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = code


def put_cross(codes: NDArray[np.uint8], row: int, column: int, arm: int, width: int) -> None:
    codes[row - width : row + width + 1, column - arm : column + arm + 1] = THICK
    codes[row - arm : row + arm + 1, column - width : column + width + 1] = THICK


def put_bar(codes: NDArray[np.uint8], row: int, column: int, arm: int, width: int) -> None:
    codes[row - width : row + width + 1, column - arm : column + arm + 1] = THICK


def plain_sky() -> NDArray[np.uint8]:
    """A disc, a cross and a bar that fit, a speck, and a second disc at the edge of the scene."""
    codes = np.zeros((200, 240), np.uint8)
    put_disc(codes, 50, 60, 15)
    put_cross(codes, 50, 150, 18, 4)
    put_bar(codes, 120, 60, 20, 4)
    put_disc(codes, 150, 150, 2)
    put_disc(codes, 198, 100, 14)
    return codes


def plant_sky(folder: Path, codes: NDArray[np.uint8], name: str = "sky.tif", **profile: Any) -> Path:
    save(folder / name, codes, **{**utm(), **profile})
    return folder / name


def to_scl(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same sky in the codes of the Sentinel-2 scene classification."""
    return np.array([4, 9, 10, 3], np.uint8)[codes]


def plant_stac(folder: Path, skies: list[NDArray[np.uint8]]) -> Path:
    """A static catalog of Sentinel-2 items, one a day from 6 June 2021 on, with SCL of 20 m."""
    links = []
    for day, codes in enumerate(skies, start=6):
        name = f"S2A_202106{day:02d}"
        save(folder / "s2" / name / "SCL.tif", to_scl(codes), **utm(20.0), nodata=0)
        item = {
            "type": "Feature", "stac_version": "1.1.0", "id": name, "geometry": None,
            "properties": {"datetime": f"2021-06-{day:02d}T10:00:31Z"},
            "assets": {"SCL": {"href": "./SCL.tif"}}, "links": [],
        }  # fmt: skip
        (folder / "s2" / name / "item.json").write_text(json.dumps(item))
        links.append({"rel": "item", "href": f"./{name}/item.json"})
    collection = {"type": "Collection", "stac_version": "1.1.0", "id": "s2", "description": "s2", "links": links}
    (folder / "s2" / "collection.json").write_text(json.dumps(collection))
    child = {"rel": "child", "href": "./s2/collection.json"}
    root = {"type": "Catalog", "stac_version": "1.1.0", "id": "sky", "description": "sky", "links": [child]}
    (folder / "catalog.json").write_text(json.dumps(root))
    return folder
