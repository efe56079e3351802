"""Make a chip store of the real chips in `hls-dem-worldcover`: four bands, land cover, terrain; no radar, no place.

    python benchmarks/hls_chips.py FOLDER OUT

FOLDER holds GeoTIFFs of 128 x 128 pixels with blue, green, red, nir (x 1e4), elevation (m), ESA WorldCover, and the
Fmask bits of HLS. Land cover becomes Dynamic World's classes; the outermost pixels have no slope.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from rsprep.config import Engine, make_config
from rsprep.corpus.pictures import read_picture
from rsprep.corpus.plan import Batch, CorpusChip, CorpusPlan, MadeChip
from rsprep.corpus.run import run_corpus
from rsprep.corpus.settings import CorpusSettings
from rsprep.dynamic_world import NODATA
from rsprep.products.terrain import terrain
from rsprep.settings import make_settings
from rsprep.store.schema import S2_NODATA, multisource_schema

WORLDCOVER = {10: 1, 20: 5, 30: 2, 40: 4, 50: 6, 60: 7, 70: 8, 80: 0, 90: 3, 95: 3, 100: 2}
"""WorldCover to Dynamic World: tree, shrub, grass, crops, built, bare, snow, water, wetland, mangrove, moss."""
CLOUD_OR_SHADOW = 0b1010
RESOLUTION = 30.0


class HlsSettings(CorpusSettings):
    """Where the chips come from."""

    folder: str


def split_of(name: str) -> str:
    """70 : 15 : 15 by the hash of the chip's name."""
    share = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32
    return "train" if share < 0.7 else "val" if share < 0.85 else "test"


def make(batch: Batch) -> Iterable[MadeChip]:
    """Chips as files have them; what Fmask calls cloud or shadow is not clear."""
    assert isinstance(batch.settings, HlsSettings)
    table = np.full(256, NODATA, np.uint8)
    table[list(WORLDCOVER)] = list(WORLDCOVER.values())
    for chip in batch.chips:
        pixels = read_picture(Path(batch.settings.folder, chip.payload["file"]))
        bands, height, cover, bits = pixels[:4], pixels[4].astype(np.float32), pixels[5], pixels[6]
        height[height == -9999] = np.nan
        ground = np.full((4, *height.shape), np.nan, np.float32)
        ground[0] = height
        ground[:, 1:-1, 1:-1] = terrain(height, resolution=RESOLUTION)
        clear = ((bits & CLOUD_OR_SHADOW) == 0) & (bands > S2_NODATA).all(0)
        yield MadeChip(
            arrays={
                "s2": bands.astype(np.int16),
                "s2_valid": clear.astype(np.uint8),
                "lulc": table[cover.astype(np.uint8)],
                "terrain": ground,
            },
            stats={"valid_fraction": float(clear.mean())},
        )


def plan(folder: Path, out: Path) -> CorpusPlan:
    """All files of `folder`."""
    config = make_config(
        {
            "aoi": "0,0,1,1",
            "out": str(out),
            "layers": ["s2", "lulc", "terrain"],
            "grid": {"chip_size": 128, "resolution": RESOLUTION, "block_px": 512},
            "sentinel2": {"bands": ["B02", "B03", "B04", "B08"]},
        }
    )
    files = sorted(folder.glob("*.tif"), key=lambda path: int(path.stem))

    def chips() -> Iterator[CorpusChip]:
        for file in files:
            yield CorpusChip(chip_id=f"hls-{file.stem}", split=split_of(file.stem), payload={"file": file.name})

    values = {"folder": str(folder), "out": str(out), "catalog": str(out.parent / "catalog"), "engine": Engine()}
    return CorpusPlan(
        kind="hls",
        title="HLS, WorldCover and terrain",
        settings=make_settings(HlsSettings, values),
        inputs={"files": str(len(files))},
        schema=multisource_schema(config, lulc_origin="ESA WorldCover"),
        chips=chips(),
        make=make,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    run_corpus(plan(given.folder, given.out)).show()
