"""Layers from sources of their own, and land cover that falls back on another source chip by chip, never silently."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import yaml
from rich.console import Console

import rsprep
from rsprep.config import make_config
from rsprep.errors import CatalogError, ConfigError, InputError, StoreError
from rsprep.job.journal_view import JournalView
from rsprep.job.progress import Silent
from rsprep.overview import overview
from rsprep.products.crosswalk import load_crosswalk
from rsprep.reading.extent import outline
from rsprep.report.summary import print_summary
from tests.rsprep.job.tiny import DEFINITION, EPSG, EXTENT_PX, NORTH, WEST, TinySource, write_tiny
from tests.rsprep.reading.rasters import utm, write
from tests.rsprep.sources.making import make_item, write_catalog

SIDE = 256
HALF = EXTENT_PX // 2
CODES = np.array([10, 20, 30, 40, 50, 60, 80, 90], np.uint8)


class Heard(Silent):
    """Keeps what a build says."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> TinySource:
    """The tiny source, whose land cover ends in mid-chip, and a map of the world in another catalog."""
    tiny = write_tiny(tmp_path_factory.mktemp("mixed") / "tiny", SIDE)
    with rasterio.open(tiny.file("lc-label"), "r+") as file:
        labels = file.read(1)
        labels[:, HALF + 5 :] = 255
        file.write(labels, 1)
    _write_world_map(tiny.root / "map")
    return tiny


def _write_world_map(root: Path) -> None:
    """WorldCover's coding over all of the ground, dated years before the build's period."""
    root.mkdir()
    grid = utm(WEST, NORTH, (EXTENT_PX, EXTENT_PX), epsg=EPSG)
    codes = CODES[np.random.default_rng(5).integers(0, len(CODES), grid.shape)]
    write(root / "map.tif", codes, grid)
    asset = {
        "href": str(root / "map.tif"),
        "proj:code": f"EPSG:{EPSG}",
        "proj:shape": list(grid.shape),
        "proj:transform": list(grid.affine)[:6],
    }
    times = {"start_datetime": "2020-01-01T00:00:00Z", "end_datetime": "2020-12-31T23:59:59Z"}
    item = make_item(
        "lc", outline(grid).bounds, collection="worldcover",
        properties={"datetime": None, **times}, assets={"map": asset},
    )  # fmt: skip
    write_catalog(root, [item])
    product = {
        "collection": "worldcover", "label": "map", "dtype": "uint8", "nodata": 0,
        "crosswalk": "esa-worldcover", "epoch": "nearest",
    }  # fmt: skip
    definition = {"name": "worldmap", "title": "A map", "licence": "none", "products": {"landcover": product}}
    (root / "worldmap.yaml").write_text(yaml.safe_dump(definition))


def settings(places: TinySource, folder: Path, *covers: str, **more: Any) -> dict[str, Any]:
    known = {
        "tiny": {"source": str(places.root / "tiny.yaml"), "endpoint": str(places.root / "catalog.json")},
        "map": {
            "source": str(places.root / "map" / "worldmap.yaml"),
            "endpoint": str(places.root / "map" / "catalog.json"),
        },
    }
    sources = {"lulc": [known[name] for name in covers]}
    grid = {"chip_size": 32, "block_px": 160}
    return places.settings(folder, start="2021-06-01", end="2021-06-30", sources=sources, grid=grid, **more)


def chips_of(folder: Path) -> dict[str, Any]:
    data = rsprep.open(folder / "chips")
    return dict(zip(data["chip_id"].to_numpy().tolist(), data["lulc"].to_numpy(), strict=True))


@pytest.fixture(scope="module")
def built(places: TinySource, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {}
    for name, covers in {"tiny": ("tiny",), "map": ("map",), "both": ("tiny", "map")}.items():
        folders[name] = tmp_path_factory.mktemp(name)
        # Without the fallback a chip that has no label is rejected.
        assert not rsprep.build(settings(places, folders[name], *covers)).failures
    return folders


def test_a_chip_without_a_label_is_taken_as_a_whole_from_the_next_source(built: dict[str, Path]) -> None:
    alone, world, both = (chips_of(built[name]) for name in ("tiny", "map", "both"))
    assert set(alone) < set(both)
    assert set(both) == set(world)
    straddling = 0
    for name, labels in both.items():
        # Two codings never meet in a chip: what the preferred source lacks there stays without a label.
        np.testing.assert_array_equal(labels, alone[name] if name in alone else world[name])
        straddling += bool((labels == 255).any())
    assert straddling > 0


def test_every_chip_tells_its_source(built: dict[str, Path]) -> None:
    data = rsprep.open(built["both"] / "chips")
    table = geopandas.read_parquet(built["both"] / "chips" / "items.parquet")
    alone = set(chips_of(built["tiny"]))
    sources = dict(zip(data["chip_id"].to_numpy().tolist(), data["lulc_source"].to_numpy().tolist(), strict=True))
    assert {name for name, source in sources.items() if source == "tiny"} == alone
    assert {source for name, source in sources.items() if name not in alone} == {"worldmap"}
    told = table.set_index("id")["rsprep:lulc_source"].to_dict()
    assert told == sources
    facts = table.set_index("id")["rsprep:facts"]
    assert all(("landcover_epoch=2020" in facts[name]) == (source == "worldmap") for name, source in sources.items())
    # A map of a year long past does not date the chip.
    assert data["datetime_start"].to_numpy().min() >= np.datetime64("2021-06-01")
    page = (built["both"] / "chips" / "report.html").read_text()
    assert "worldmap: worldcover" in page
    assert "tiny: lc" in page
    console = Console(record=True, width=200)
    print_summary(overview(built["both"] / "chips"), console)
    assert f"landcover from tiny ({len(alone)} chips), worldmap ({len(sources) - len(alone)} chips)" in (
        console.export_text()
    )


def test_the_store_tells_both_codings(built: dict[str, Path]) -> None:
    data = rsprep.open(built["both"] / "chips")
    assert data["lulc"].attrs["origin"] == "dynamic-world, esa-worldcover"
    assert load_crosswalk("esa-worldcover").to_dynamic_world(CODES, np.ones(CODES.shape, bool)).max() <= 8


def test_a_source_that_could_not_be_read_is_not_replaced(places: TinySource, tmp_path: Path) -> None:
    """A fault is no observation: what a flaky night would change must not change the pixels."""
    shutil.copytree(places.root, tmp_path / "tiny")
    spoilt = TinySource(root=tmp_path / "tiny", side_px=SIDE)
    for item in (spoilt.root).rglob("*.json"):
        item.write_text(item.read_text().replace(str(places.root), str(spoilt.root)))
    whole = spoilt.file("lc-label").read_bytes()
    spoilt.file("lc-label").write_bytes(whole[: len(whole) // 3])
    values = settings(spoilt, tmp_path, "tiny", "map")
    assert rsprep.build(values).data.counts.committed == 0
    with JournalView.open(tmp_path / "chips") as journal:
        assert {state for state, _, _ in journal.reasons()} == {"quarantined"}
    # What was found is frozen: the chips are made once the file is whole again, even if no catalog answers then.
    spoilt.file("lc-label").write_bytes(whole)
    (spoilt.root / "catalog.json").unlink()
    assert not rsprep.build(values, retry_failed=True).failures


def test_a_source_with_nothing_in_the_period_is_told(places: TinySource, tmp_path: Path) -> None:
    heard = Heard()
    values = settings(places, tmp_path, "tiny", "map")
    only = {**values, "start": "2022-01-01", "end": "2022-02-01", "layers": ["lulc", "terrain"]}
    rsprep.build(only, progress=heard)
    assert any("tiny has no landcover" in line for line in heard.said)
    assert set(rsprep.open(tmp_path / "chips")["lulc_source"].to_numpy().tolist()) == {"worldmap"}


def test_no_land_cover_at_all_is_an_error_and_no_water(places: TinySource, tmp_path: Path) -> None:
    """Pitfall 23: a period without a scene."""
    values = settings(places, tmp_path, "tiny")
    with pytest.raises(CatalogError) as caught:
        rsprep.build({**values, "start": "2022-01-01", "end": "2022-02-01", "layers": ["lulc", "terrain"]})
    assert caught.value.slug == "nothing-found"
    assert not (tmp_path / "chips").exists()


def test_only_land_cover_falls_back(places: TinySource, tmp_path: Path) -> None:
    origin = str(places.root / "tiny.yaml")
    with pytest.raises(ConfigError, match=r"sources\.s2 takes one source"):
        make_config(places.settings(tmp_path, sources={"s2": [origin, origin]}))
    with pytest.raises(ConfigError) as caught:
        make_config(places.settings(tmp_path, sources={"lulc": {"source": origin, "endpoint": "https://a.org/?sig=x"}}))
    assert caught.value.slug == "endpoint-secret"


def test_one_name_stands_for_one_place(places: TinySource, tmp_path: Path) -> None:
    values = settings(places, tmp_path, "tiny")
    values["sources"]["lulc"][0]["endpoint"] = str(places.root / "map" / "catalog.json")
    with pytest.raises(InputError) as caught:
        rsprep.build(values)
    assert caught.value.slug == "two-endpoints"


def test_the_same_granules_are_read_again(places: TinySource, built: dict[str, Path], tmp_path: Path) -> None:
    """Found items are frozen: what the catalog has got since does not change a rebuild."""
    values = settings(places, tmp_path, "tiny", "map", granules=str(built["both"] / "chips"))
    values["sources"]["lulc"] = values["sources"]["lulc"][::-1]
    rsprep.build(values)
    assert set(rsprep.open(tmp_path / "chips")["lulc_source"].to_numpy().tolist()) == {"worldmap"}
    with pytest.raises(StoreError) as caught:
        rsprep.build({**settings(places, tmp_path / "b", "map"), "granules": str(built["tiny"] / "chips")})
    assert caught.value.slug == "no-such-granules"
    assert DEFINITION["name"] == "tiny"
