"""A planted world as Earth Engine has it: images with bands on their own lattices, values apart from masks.

The files of a published world are what the pixels come from; what differs is what differs in production: Sentinel-2
without its offset and clamped at zero, Sentinel-1 in decibels and doubles, masks instead of numbers for no data, other
names for bands and properties, and a cloud score beside the images.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

Pixels = tuple[NDArray[Any], NDArray[np.bool_]]
"""Values and mask, True where there is an observation."""
UNSEEN = 4321
"""What lies under a mask on the server: nobody may ever see it."""

S2 = "COPERNICUS/S2_SR_HARMONIZED"
S1 = "COPERNICUS/S1_GRD"
DW = "GOOGLE/DYNAMICWORLD/V1"
DEM = "COPERNICUS/DEM/GLO30"
SCORE = "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED"
PROBABILITIES = (
    "water", "trees", "grass", "flooded_vegetation", "crops", "shrub_and_scrub", "built", "bare", "snow_and_ice",
)  # fmt: skip
NOT_CLEAR = (0, 1, 3, 8, 9, 10)


@dataclass(frozen=True, kw_only=True)
class FakeBand:
    """One band of an image."""

    name: str
    lattice: GeoBox
    precision: str
    """INT, FLOAT or DOUBLE."""
    limits: tuple[float, float] | None
    read: Callable[[slice, slice], Pixels]
    """Values and mask of rows and columns of the lattice."""

    def words(self) -> dict[str, Any]:
        """As the service lists it; what is zero is left out there."""
        affine = self.lattice.affine
        numbers = {
            "scaleX": affine.a, "shearX": affine.b, "translateX": affine.c,
            "shearY": affine.d, "scaleY": affine.e, "translateY": affine.f,
        }  # fmt: skip
        kind: dict[str, Any] = {"precision": self.precision}
        if self.limits is not None:
            kind["range"] = {key: value for key, value in zip(("min", "max"), self.limits, strict=True) if value}
        return {
            "id": self.name,
            "dataType": kind,
            "grid": {
                "crsCode": str(self.lattice.crs),
                "dimensions": {"width": int(self.lattice.shape[1]), "height": int(self.lattice.shape[0])},
                "affineTransform": {key: value for key, value in numbers.items() if value},
            },
            "pyramidingPolicy": "MEAN",
        }


@dataclass(frozen=True, kw_only=True)
class FakeImage:
    """One image of a collection."""

    collection: str
    index: str
    start: dt.datetime
    geometry: Mapping[str, Any]
    properties: Mapping[str, Any]
    bands: Mapping[str, FakeBand]

    @property
    def id(self) -> str:
        return f"{self.collection}/{self.index}"

    def words(self) -> dict[str, Any]:
        moment = self.start.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "type": "IMAGE",
            "name": f"projects/earthengine-public/assets/{self.id}",
            "id": self.id,
            "startTime": moment,
            "endTime": moment,
            "geometry": dict(self.geometry),
            "properties": {"system:index": self.index, **self.properties},
            "bands": [band.words() for band in self.bands.values()],
        }


def images_of(world: Path) -> dict[str, FakeImage]:
    """Image id to image, of every item of a published world."""
    found = []
    for path in sorted(world.glob("*/*/*.json")):
        item = json.loads(path.read_text(encoding="utf-8"))
        found += _MAKERS[item["collection"]](item, path.parent)
    return {image.id: image for image in found}


def _sentinel2(item: dict[str, Any], folder: Path) -> list[FakeImage]:
    words = item["properties"]
    baseline = words["s2:processing_baseline"]
    offset = 1000 if baseline >= "04.00" and not words["earthsearch:boa_offset_applied"] else 0

    def harmonised(name: str) -> FakeBand:
        def convert(numbers: NDArray[Any]) -> Pixels:
            return np.maximum(numbers.astype(np.int32) - offset, 0).astype(np.uint16), numbers != 0

        return _band(re.sub(r"^B0", "B", name), item["assets"][name], folder, convert, "INT", (0, 65535))

    bands = [harmonised(name) for name in item["assets"] if name.startswith("B")]
    classes = _band("SCL", item["assets"]["SCL"], folder, lambda scl: (scl, scl != 0), "INT", (0, 255))
    orbit = re.search(r"_R(\d{3})_", words["s2:product_uri"])
    properties = {
        "SPACECRAFT_NAME": words["platform"].replace("sentinel", "Sentinel").upper().replace("SENTINEL", "Sentinel"),
        "CLOUDY_PIXEL_PERCENTAGE": words["eo:cloud_cover"],
        "MGRS_TILE": words["s2:mgrs_tile"],
        "PROCESSING_BASELINE": baseline,
        "DATATAKE_IDENTIFIER": words["s2:datatake_id"],
        "PRODUCT_ID": words["s2:product_uri"].removesuffix(".SAFE"),
        "GENERATION_TIME": _moment(words["created"]).timestamp() * 1000,
        "SENSING_ORBIT_NUMBER": int(orbit[1]) if orbit else 0,
    }
    image = _image(S2, item, properties, [*bands, classes])
    return [image, _image(SCORE, item, {}, _scores(classes, image.bands["B2"].lattice))]


def _scores(classes: FakeBand, lattice: GeoBox) -> list[FakeBand]:
    """A cloud score at 10 m out of the scene classification: what is clear there has 0.9, what is not 0.2."""

    def read(rows: slice, columns: slice) -> Pixels:
        ratio = lattice.shape[0] // classes.lattice.shape[0]
        first = (rows.start // ratio, columns.start // ratio)
        last = (-(-rows.stop // ratio), -(-columns.stop // ratio))
        scl, seen = classes.read(slice(first[0], last[0]), slice(first[1], last[1]))
        inner = (
            slice(rows.start - first[0] * ratio, rows.stop - first[0] * ratio),
            slice(columns.start - first[1] * ratio, columns.stop - first[1] * ratio),
        )
        scores = np.where(np.isin(scl, NOT_CLEAR), 0.2, 0.9)
        fine = [np.repeat(np.repeat(values, ratio, 0), ratio, 1)[inner] for values in (scores, seen)]
        return fine[0], fine[1]

    return [
        FakeBand(name=name, lattice=lattice, precision="DOUBLE", limits=None, read=read) for name in ("cs", "cs_cdf")
    ]


def _sentinel1(item: dict[str, Any], folder: Path) -> list[FakeImage]:
    words = item["properties"]

    def decibel(power: NDArray[Any]) -> Pixels:
        seen = power > 0
        return 10 * np.log10(np.where(seen, power, 1.0).astype(np.float64)), seen

    bands = [
        _band(name.upper(), asset, folder, decibel, "DOUBLE", None) for name, asset in sorted(item["assets"].items())
    ]
    properties = {
        "platform_number": words["platform"][-1].upper(),
        "instrumentMode": words["sar:instrument_mode"],
        "orbitProperties_pass": words["sat:orbit_state"].upper(),
        "relativeOrbitNumber_start": words["sat:relative_orbit"],
        "transmitterReceiverPolarisation": sorted((name.upper() for name in item["assets"]), reverse=True),
        "resolution_meters": 10,
    }
    return [_image(S1, item, properties, bands)]


def _dynamic_world(item: dict[str, Any], folder: Path) -> list[FakeImage]:
    assets = item["assets"]
    label = _band("label", assets["label"], folder, lambda labels: (labels, labels != 255), "INT", (0, 255))
    shares = [
        _band(name, assets["probabilities"], folder, lambda p: (p, np.isfinite(p)), "FLOAT", None, number=number)
        for number, name in enumerate(PROBABILITIES, start=1)
    ]
    return [_image(DW, item, {"dynamicworld_algorithm_version": "3.5"}, [*shares, label])]


def _dem(item: dict[str, Any], folder: Path) -> list[FakeImage]:
    heights = _band(
        "DEM", item["assets"]["data"], folder, lambda metres: (metres, np.ones(metres.shape, np.bool_)), "FLOAT", None
    )
    return [_image(DEM, item, {}, [heights])]


_MAKERS: dict[str, Callable[[dict[str, Any], Path], list[FakeImage]]] = {
    "sentinel-2-l2a": _sentinel2,
    "sentinel-1-rtc": _sentinel1,
    "dynamic-world": _dynamic_world,
    "cop-dem-glo-30": _dem,
}


def _image(collection: str, item: dict[str, Any], properties: dict[str, Any], bands: list[FakeBand]) -> FakeImage:
    return FakeImage(
        collection=collection,
        index=item["id"],
        start=_moment(item["properties"]["datetime"]),
        geometry=item["geometry"],
        properties=properties,
        bands={band.name: band for band in bands},
    )


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))


def _band(
    name: str,
    asset: dict[str, Any],
    folder: Path,
    convert: Callable[[NDArray[Any]], Pixels],
    precision: str,
    limits: tuple[float, float] | None,
    *,
    number: int = 1,
) -> FakeBand:
    path = folder / asset["href"]
    lattice = GeoBox(asset["proj:shape"], Affine(*asset["proj:transform"]), asset["proj:code"])

    def read(rows: slice, columns: slice) -> Pixels:
        with rasterio.open(path) as file:
            values, mask = convert(file.read(number, window=Window.from_slices(rows, columns)))
        return np.where(mask, values, np.asarray(UNSEEN).astype(values.dtype)), mask

    return FakeBand(name=name, lattice=lattice, precision=precision, limits=limits, read=read)
