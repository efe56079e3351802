"""Small seeded reports that the tests of this folder share."""

from __future__ import annotations

from typing import Any

import numpy as np

from rsprep.report.data import ChipTable, Counts, LandClass, Quicklook, ReportData, SourceRow, State, Timings

CLASSES = tuple(
    LandClass(name=name, colour=colour)
    for name, colour in (("water", "#419bdf"), ("trees", "#397d49"), ("grass", "#88b053"), ("built", "#c4281b"))
)
BANDS = {
    "s2": ("B02", "B03", "B04", "B08"),
    "s1": ("VV", "VH"),
    "terrain": ("elevation", "slope", "aspect", "hillshade"),
}


def chip_table(count: int = 12, *, lon: float = 15.0, lat: float = 47.0, step: float = 0.03) -> ChipTable:
    """A row of chips along a parallel: the fifth rejected, the seventh quarantined, splits in turn."""
    rng = np.random.default_rng(1)
    lons = (lon + step * np.arange(count) + 180.0) % 360.0 - 180.0
    half = step / 2
    offsets = np.array([[-half, -0.01], [half, -0.01], [half, 0.01], [-half, 0.01]])
    corners = np.stack([lons, np.full(count, lat)], axis=1)[:, None, :] + offsets
    corners[..., 0] = (corners[..., 0] + 180.0) % 360.0 - 180.0
    states: list[State] = ["committed"] * count
    reasons = [""] * count
    if count > 6:
        states[4], reasons[4] = "rejected", "too much cloud"
        states[6], reasons[6] = "quarantined", "read/timeout: no answer in 60 s"
    return ChipTable(
        chip_id=tuple(f"33N-0001-{i:04d}" for i in range(count)),
        lon=lons.astype(np.float64),
        lat=np.full(count, lat),
        corners=corners,
        split=tuple(("train", "val", "test")[i % 3] for i in range(count)),
        state=tuple(states),
        reason=tuple(reasons),
        s2_cloud_fraction=rng.random(count) * 0.5,
        valid_fraction=0.5 + rng.random(count) * 0.5,
        class_shares=rng.dirichlet(np.ones(len(CLASSES)), count),
    )


def chip_arrays(size: int = 24, seed: int = 0, *, hole: int = 6) -> dict[str, Any]:
    """All layers of one chip; the first `hole` columns have no data in any of them."""
    rng = np.random.default_rng(seed)
    s2 = rng.integers(100, 3000, (4, size, size)).astype(np.int16)
    s1 = rng.normal([[[-10.0]], [[-17.0]]], 2.0, (2, size, size)).astype(np.float32)
    terrain = np.stack(
        [
            rng.normal(500.0, 80.0, (size, size)),
            rng.random((size, size)) * 40,
            rng.random((size, size)) * 360,
            rng.random((size, size)) * 255,
        ]
    ).astype(np.float32)
    lulc = rng.integers(0, len(CLASSES), (size, size)).astype(np.uint8)
    clear = (rng.random((size, size)) > 0.2).astype(np.uint8)
    s2[:, :, :hole], s1[:, :, :hole], terrain[:, :, :hole] = -32768, np.nan, np.nan
    lulc[:, :hole], clear[:, :hole] = 255, 0
    return {"s2": s2, "s2_valid": clear, "s1": s1, "lulc": lulc, "terrain": terrain}


def full_report(**changes: Any) -> ReportData:
    """A report with every section; `changes` replace fields."""
    image = np.random.default_rng(2).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    fields: dict[str, Any] = {
        "title": "Test region",
        "counts": Counts(planned=12, committed=10, rejected=1, quarantined=1),
        "chips": chip_table(),
        "aoi": (np.array([[14.9, 46.9], [15.5, 46.9], [15.5, 47.1], [14.9, 46.9]]),),
        "classes": CLASSES,
        "quicklooks": (Quicklook(chip_id="33N-0001-0000", caption="train", layers={"S2 true colour": image}),),
        "sources": (SourceRow(product="Sentinel-2", collection="s2", granules=3, licence="CC-BY-4.0"),),
        "timings": Timings(stages={"read": 3.0, "warp": 1.0}, shard_seconds=(1.0, 2.0, 2.5), wall_seconds=75.0),
        "configuration": "aoi: region.geojson\n",
        "software": {"rsprep": "0.1.0"},
        "places": {"store": "out/chips.zarr", "catalog": "catalog", "report": "out/report.html"},
    }
    return ReportData(**(fields | changes))
