"""Every kind of bad input has an error of its own, exit code 2, and leaves nothing behind.

Each case spoils one thing in a folder from which a build works, then runs the command line. The
message names the cause, the offending value and the remedy; no file is written or changed.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from rasterio.transform import Affine

from rsprep.cli.main import main
from rsprep.job import engine
from rsprep.sources import catalog_io
from rsprep.sources.http import make_retry
from tests.rsprep.cli.workplace import COVER, DEM, S1, S2, Workplace, rewrite, write_workplace
from tests.rsprep.sources.making import serving

SHIFT = Affine.translation(0.5, 0)
Spoil = Callable[[Workplace], Sequence[str] | None]
"""Spoils a workplace; gives the options that are added to the command, if any."""
CASES: dict[str, tuple[str, str, Spoil]] = {}
"""Case to the error's name, what the message shows of the value, and how the input is spoilt."""


def case(title: str, name: str, shown: str = "") -> Callable[[Spoil], Spoil]:
    def enter(spoil: Spoil) -> Spoil:
        assert title not in CASES
        CASES[title] = (name, shown, spoil)
        return spoil

    return enter


def options(title: str, name: str, shown: str, *arguments: str) -> None:
    """A case of wrong options on a sound folder."""
    case(title, name, shown)(lambda _: arguments)


def area(title: str, name: str, shown: str, content: object) -> None:
    """A case of a wrong region.geojson."""
    text = content if isinstance(content, str) else json.dumps(content)
    case(title, name, shown)(lambda place: (place.region.write_text(text), None)[1])


def recipe(title: str, name: str, shown: str, **keys: Any) -> None:
    """A case of wrong keys in the recipe; ``grid__snap`` stands for ``snap`` in the section grid."""

    def change(content: Any) -> None:
        for key, value in keys.items():
            *section, last = key.split("__")
            (content[section[0]] if section else content)[last] = value

    case(title, name, shown)(lambda place: place.edit_yaml(place.recipe, change))


def item(title: str, name: str, shown: str, collection: str, change: Callable[[Any], object]) -> None:
    """A case of a wrong item."""
    case(title, name, shown)(lambda place: place.edit_item(collection, change))


def raster(title: str, name: str, shown: str, file: str, change: Callable[[Any, Any], Any]) -> None:
    """A case of a raster that is otherwise than its item or its definition says."""
    case(title, name, shown)(lambda place: rewrite(place.raster(file), change))


def polygon(*ring: tuple[float, float]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


# -- area of interest -----------------------------------------------------------------------------
options("no area at all", "aoi/not-found", "nowhere.geojson", "--aoi", "nowhere.geojson")
area("not JSON", "aoi/not-json", "region.geojson", '{"type": "Polygon", ')
area("no GeoJSON", "aoi/not-geojson", "Topology", {"type": "Topology"})
area("no features", "aoi/empty", "features", {"type": "FeatureCollection", "features": []})
area("a feature without geometry", "aoi/null-geometry", "", {"type": "Feature", "geometry": None, "properties": {}})
area("points only", "aoi/no-polygon", "Point", {"type": "Point", "coordinates": [15.0, 48.0]})
area("self-crossing", "aoi/self-crossing", "15.1 48.05", polygon((15, 48), (15.2, 48.1), (15.2, 48), (15, 48.1)))
area("latitude first", "aoi/swapped-axes", "36, 140", polygon((35, 139), (36, 139), (36, 140)))
area("out of range", "aoi/out-of-range", "121, 96", polygon((120, 95), (121, 95), (121, 96)))
area("metres undeclared", "aoi/undeclared-projected", "510000", polygon((5e5, 5e6), (5.1e5, 5e6), (5.1e5, 5.1e6)))
area("unclosed", "aoi/unclosed-ring", "15", {"type": "Polygon", "coordinates": [[[15, 48], [16, 48], [16, 49]]]})
area(
    "unknown CRS",
    "aoi/unknown-crs",
    "EPSG:99999",
    {**polygon((15, 48), (16, 48), (16, 49)), "crs": {"type": "name", "properties": {"name": "EPSG:99999"}}},
)
area("beyond UTM", "aoi/polar", "85", polygon((15, 83), (16, 83), (16, 85)))
options("three numbers", "aoi/bad-bbox", "1,2,3", "--aoi", "1,2,3")
options("south above north", "aoi/bbox-without-area", "5,48,6,47", "--aoi", "5,48,6,47")
options("not a number", "aoi/non-finite", "nan", "--aoi", "1,2,nan,4")
options("no chip fits", "aoi/no-chip", "0.0", "--aoi", "15.005,48.035,15.0055,48.0355")
options("half the globe", "aoi/too-many", "at least 11,5", "--aoi", "-170,-70,170,70")


@case("several layers", "aoi/layer-ambiguous", "area.gpkg")
def _(place: Workplace) -> Sequence[str]:
    path = place.root / "area.gpkg"
    for layer in ("one", "two"):
        geopandas.GeoDataFrame(geometry=[shapely.box(15, 48, 16, 49)], crs=4326).to_file(path, layer=layer)
    return ("--aoi", str(path))


@case("no such layer", "aoi/layer-unknown", "area.gpkg")
def _(place: Workplace) -> Sequence[str]:
    path = place.root / "area.gpkg"
    geopandas.GeoDataFrame(geometry=[shapely.box(15, 48, 16, 49)], crs=4326).to_file(path, layer="one")
    return ("--aoi", f"{path}|three")


@case("no area given", "config/missing", "--aoi")
def _(place: Workplace) -> None:
    place.edit_yaml(place.recipe, lambda content: content.pop("aoi"))


# -- time -----------------------------------------------------------------------------------------
options("no date", "time/unreadable", "June 2021", "--start", "June 2021")
options("no such day", "time/unreadable", "2021-02-30", "--start", "2021-02-30")
options("no zone", "time/naive", "2021-06-01T10:00:00", "--end", "2021-06-01T10:00:00")
options("reversed", "time/reversed", "2021-07-01", "--start", "2021-07-01", "--end", "2021-06-01")
options("no window", "time/missing", "planetary-computer", "--source", "planetary-computer")

# -- configuration --------------------------------------------------------------------------------
options("no recipe", "config/not-found", "none.yaml", "--config", "none.yaml")
case("recipe is no YAML", "config/not-yaml", "recipe.yaml")(
    lambda place: (place.recipe.write_text("grid: [1, 2"), None)[1]
)
case("recipe is a list", "config/not-a-mapping", "recipe.yaml")(
    lambda place: (place.recipe.write_text("- grid\n"), None)[1]
)
recipe("unknown key", "config/unknown-key", "did you mean 'grid'", grd={})
recipe("unknown key in a section", "config/unknown-key", "did you mean 'grid.chip_size'", grid__chipsize=64)
recipe("key outside its section", "config/unknown-key", "did you mean 'grid.snap'", snap="utm")
recipe("section is a number", "config/bad-terrain", "5", terrain=5)
recipe("text for a number", "config/bad-border-px", "three", sentinel1__border_px="three")
recipe("unknown band", "config/bad-bands", "B99", sentinel2__bands=["B99"])
recipe("polarisation", "config/bad-polarisations", "HH", sentinel1__polarisations=["HH"])
recipe("fractions", "config/bad-fractions", "0.9", split__fractions=[0.9, 0.9, 0.1])
recipe("quota of no class", "config/bad-quotas", "12", select={"quotas": {12: 5}})
recipe("not finite", "config/bad-z-factor", "inf", terrain={"z_factor": float("inf")})
recipe("split blocks too small", "config/block-too-small", "0.2", split__block_km=0.2)
options("chip of 3 pixels", "config/bad-chip-size", "3", "--chip-size", "3")
options("chip as wide as a zone", "config/chip-too-large", "4096 km", "--chip-size", "4096", "--resolution", "1000")
options("snap", "config/bad-snap", "grid", "--snap", "grid")
options("partial", "config/bad-partial", "maybe", "--partial", "maybe")
options("composite", "config/bad-composite", "mean", "--composite", "mean")
options("layer", "config/bad-layers", "s3", "--layers", "s2,s3")
options("selection", "config/bad-select", "min_valid", "--select", "min_valid")
options("selection of nothing", "config/unknown-key", "did you mean 'select.min_valid'", "--select", "minvalid=1")
options("quotas without labels", "config/needs-layer", "s2", "--layers", "s2", "--select", "6=1")
options("scheduler", "config/bad-scheduler", "cluster", "--scheduler", "cluster")
options("no scheduler", "config/no-scheduler", "tcp://127.0.0.1:9", "--scheduler", "tcp://127.0.0.1:9")


# -- places to write to ---------------------------------------------------------------------------
@case("out is a file", "store/not-a-folder", "chips")
def _(place: Workplace) -> None:
    (place.root / "chips").write_text("mine")


@case("out is in use", "store/not-empty", "thesis.txt")
def _(place: Workplace) -> None:
    (place.root / "chips").mkdir()
    (place.root / "chips" / "thesis.txt").write_text("mine")


@case("out is another's journal", "store/not-a-journal", "journal")
def _(place: Workplace) -> None:
    (place.root / "chips").mkdir()
    (place.root / "chips" / "journal.sqlite").write_text("mine")


@case("catalog is something else", "catalog/not-a-catalog", "catalog.json")
def _(place: Workplace) -> None:
    (place.root / "catalog").mkdir()
    (place.root / "catalog" / "catalog.json").write_text("[]")


# -- catalog --------------------------------------------------------------------------------------
options("unknown source", "catalog/unknown-source", "did you mean 'planted'", "--source", "plantet")
options("no definition", "catalog/definition-not-found", "none.yaml", "--source", "./none.yaml")
options("no endpoint", "catalog/not-found", "none.json", "--endpoint", "none.json")
options("no Sentinel-1 that fits", "catalog/grd-unsupported", "sentinel-1-grd", "--source", "earth-search",
        "--start", "2021-06-01", "--end", "2021-06-02", "--layers", "s1")  # fmt: skip
options("product that the source lacks", "catalog/no-such-product", "landcover", "--source", "earth-search")
options("nobody answers", "catalog/unreachable", "http://127.0.0.1:9", "--endpoint", "http://127.0.0.1:9")
options("not in the period", "catalog/nothing-found", "2021-06-01", "--start", "2022-01-01", "--end", "2022-02-01")
options("not in the area", "catalog/nothing-found", "0 of them meet the AOI", "--aoi", "-3,40,-2.9,40.1")
recipe("all cloudy", "catalog/all-cloudy", "max_scene_cloud: 5", sentinel2__max_scene_cloud=5)
recipe("other orbit", "catalog/orbit-absent", "ascending", sentinel1__orbit="descending")
options("band that the source lacks", "catalog/band-not-offered", "B08", "--bands", "B08")
options("no lattice to snap to", "catalog/no-lattice", "1 granules", "--snap", "source", "--resolution", "7")
case("catalog is no JSON", "catalog/not-json", "catalog.json")(
    lambda place: (place.catalog.write_text("<html>"), None)[1]
)
case("JSON is no STAC", "catalog/not-stac", "catalog.json")(lambda place: (place.catalog.write_text("{}"), None)[1])


@case("STAC of another kind", "catalog/wrong-type", "item.json")
def _(place: Workplace) -> Sequence[str]:
    return ("--endpoint", str(place.item(S2)))


@case("old STAC", "catalog/stac-version", "catalog.json")
def _(place: Workplace) -> None:
    place.edit_json(place.catalog, lambda content: content.update(stac_version="0.9.0"))


@case("no collection", "catalog/collection-missing", DEM)
def _(place: Workplace) -> None:
    place.edit_json(place.catalog, lambda content: content["links"].pop(0))
    place.edit_yaml(place.recipe, lambda content: content.update(layers=["terrain"]))


@case("definition's typing error", "catalog/definition-unknown-key", "did you mean 'licence'")
def _(place: Workplace) -> None:
    place.edit_yaml(place.definition, lambda content: content.update(license="x"))


@case("nodata is never guessed", "catalog/nodata-undeclared", "nodata")
def _(place: Workplace) -> None:
    """Pitfall 8."""
    place.edit_yaml(place.definition, lambda content: content["products"]["landcover"].pop("nodata"))


@case("no such crosswalk", "catalog/bad-crosswalk", "martian")
def _(place: Workplace) -> None:
    place.edit_yaml(place.definition, lambda content: content["products"]["landcover"].update(crosswalk="martian"))


# -- items ----------------------------------------------------------------------------------------
item("no asset", "item/missing-asset", "SCL", S2, lambda one: one["assets"].pop("SCL"))
item("no footprint", "item/no-geometry", "optical", S2, lambda one: one.update(geometry=None))
item("empty footprint", "item/bad-geometry", "Polygon", S2, lambda one: one["geometry"].update(coordinates=[]))
item("footprint in metres", "item/not-lonlat", "500000", S2,
     lambda one: one.update(geometry=polygon((5e5, 5e6), (5.1e5, 5e6), (5.1e5, 5.1e6))))  # fmt: skip
item("GDAL's transform", "item/bad-transform", "500000", S2,
     lambda one: one["assets"]["B04"].update({"proj:transform": [500000, 10, 0, 5320960, 0, -10]}))  # fmt: skip
item("shape", "item/bad-shape", "96", S2, lambda one: one["assets"]["B04"].update({"proj:shape": [96]}))
item("CRS", "item/bad-crs", "EPSG:99999", S2, lambda one: one["assets"]["B04"].update({"proj:code": "EPSG:99999"}))
item("other zone", "item/misplaced", "EPSG:32618", S2,
     lambda one: one["assets"]["B04"].update({"proj:code": "EPSG:32618"}))  # fmt: skip
item("no baseline", "item/baseline-unknown", "s2:processing_baseline", S2,
     lambda one: one["properties"].pop("s2:processing_baseline"))  # fmt: skip
item("offset not told", "item/offset-flag-missing", "05.09", S2,
     lambda one: one["properties"].update({"s2:processing_baseline": "05.09"}))  # fmt: skip
item("offset flag", "item/offset-flag", "perhaps", S2,
     lambda one: one["properties"].update({"earthsearch:boa_offset_applied": "perhaps"}))  # fmt: skip
item("offset told twice", "item/offset-contradiction", "-0.1", S2,
     lambda one: one["assets"]["B04"].update({"raster:bands": [{"offset": -0.1}]}))  # fmt: skip
item("null time", "item/no-datetime", "optical", S2, lambda one: one["properties"].update(datetime=None))
item("time that is none", "item/bad-datetime", "noon", S2, lambda one: one["properties"].update(datetime="noon"))
item("local time", "item/naive-datetime", "2021-06-01T10:00:00", S2,
     lambda one: one["properties"].update(datetime="2021-06-01T10:00:00"))  # fmt: skip
item("no id", "item/no-id", S2, S2, lambda one: one.pop("id"))
item("no properties", "item/malformed", "optical", S2, lambda one: one.pop("properties"))
item("declared type", "item/dtype-differs", "int16", S2, lambda one: one["assets"]["B04"].update(data_type="int16"))
item("declared nodata", "item/nodata-differs", "255", S2, lambda one: one["assets"]["B04"].update(nodata=255))
item("foreign href", "item/unreadable-href", "ftp://", S2, lambda one: one["assets"]["B04"].update(href="ftp://x/y"))
item("orbit untold", "item/orbit-unknown", "sat:orbit_state", S1, lambda one: one["properties"].pop("sat:orbit_state"))
item("other calibration", "item/calibration-mixed", "sigma0", S1,
     lambda one: one["properties"].update({"s1:calibration": "sigma0"}))  # fmt: skip


@case("one id twice", "item/duplicate-id", "optical")
def _(place: Workplace) -> None:
    again = place.item(S2).parent.parent / "1" / "item.json"
    shutil.copytree(place.item(S2).parent, again.parent)
    place.edit_json(again, lambda one: one["properties"].update(datetime="2021-06-02T10:00:00Z"))
    link = {"rel": "item", "href": "./1/item.json"}
    place.edit_json(again.parent.parent / "collection.json", lambda content: content["links"].append(link))


@case("item in another's collection", "catalog/wrong-collection", "elsewhere")
def _(place: Workplace) -> None:
    place.edit_item(S2, lambda one: one.update(collection="elsewhere"))


# -- rasters: found by looking into one file of every band before anything is written -------------
raster("no CRS", "raster/no-crs", "B04.tif", "B04", lambda profile, px: ({**profile, "crs": None}, px))
raster("other CRS", "raster/crs", "zone 32N", "B04", lambda profile, px: ({**profile, "crs": "EPSG:32632"}, px))
raster("other type", "raster/dtype", "int16", "B04",
       lambda profile, px: ({**profile, "dtype": "int16"}, px.astype("int16")))  # fmt: skip
raster("other nodata", "raster/nodata", "7.0", "B04", lambda profile, px: ({**profile, "nodata": 7}, px))
raster("other nodata of labels", "raster/nodata", "0.0", "label", lambda profile, px: ({**profile, "nodata": 0}, px))
raster("moved by a pixel", "raster/transform", "500010.0", "SCL",
       lambda profile, px: ({**profile, "transform": profile["transform"] * SHIFT}, px))  # fmt: skip
raster("cut short", "raster/shape", "(80, 96)", "VV", lambda profile, px: ({**profile, "height": 80}, px[:, :80]))
raster("radar in 16 bits", "raster/dtype", "int16", "VV",
       lambda profile, px: ({**profile, "dtype": "int16"}, np.zeros_like(px, "int16")))  # fmt: skip


@case("band that the file lacks", "raster/no-band", "2")
def _(place: Workplace) -> None:
    probabilities = {number: number + 1 for number in range(9)}
    place.edit_yaml(
        place.definition,
        lambda content: content["products"]["landcover"].update(
            probabilities=probabilities, probabilities_asset="label",
            probabilities_dtype="uint8", probabilities_nodata=255,
        ),
    )  # fmt: skip
    place.edit_yaml(place.recipe, lambda content: content.update(landcover={"method": "probability"}))


@case("size", "raster/size", "99")
def _(place: Workplace) -> None:
    place.edit_item(COVER, lambda one: one["assets"]["label"].update({"file:size": 99}))


# -- how they are run -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    return write_workplace(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def place(sound: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.chdir(tmp_path)
    return sound.copy_to(tmp_path / "place")


@pytest.mark.parametrize("title", CASES)
def test_bad_input(
    title: str, place: Workplace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, shown, spoil = CASES[title]
    extra = spoil(place) or ()
    monkeypatch.setattr(engine, "CONNECT_TIMEOUT", "0.5s")
    monkeypatch.setattr(catalog_io, "make_retry", lambda: make_retry(total=0))
    before = place.files()
    code = main([*place.arguments(), *extra])
    told = capsys.readouterr().err
    head = next(line for line in told.splitlines() if line.startswith("error "))
    assert head.split()[1].rstrip(":") == name, told
    assert code == 2
    message = told[told.index(head) :]
    assert len(head) > len(f"error {name} ") + 10  # the cause
    assert shown in message
    assert "\n  fix: " in message
    assert "Traceback" not in told
    assert place.files() == before
    assert list(Path.cwd().iterdir()) == [place.root]


def test_there_are_more_kinds_than_were_asked_for() -> None:
    kinds = {name for name, _, _ in CASES.values()}
    assert len(kinds) >= 60
    assert {name.split("/")[0] for name in kinds} >= {"aoi", "time", "config", "catalog", "item", "raster", "store"}


def test_the_sound_folder_builds(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    """Without this, every case above could fail for a reason of its own."""
    assert main(place.arguments()) == 0
    notes = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert "0.5671 km² around 48.0376°N 15.0062°E" in notes[0]["text"]  # Pitfall 39
    assert (place.root / "chips" / "report.html").is_file()
    assert main(["verify", str(place.root / "chips")]) == 0


@pytest.mark.parametrize("damage", ["absent", "truncated", "not a TIFF"])
def test_a_file_that_cannot_be_read_is_no_bad_input(
    damage: str, place: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pitfall 7: one damaged file says nothing on the others, so the build goes on: its chips are quarantined."""
    file = place.raster("VV")
    whole = file.read_bytes()
    if damage == "absent":
        file.unlink()
    else:
        file.write_bytes(whole[: len(whole) // 2] if damage == "truncated" else b"no raster")
    assert main(place.arguments()) == 1
    assert "sentinel1 radar: read/" in capsys.readouterr().err
    assert main(["inspect", str(place.root / "chips")]) == 0
    assert "quarantined 16" in " ".join(capsys.readouterr().out.split())


def test_another_configuration_is_refused(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(place.arguments()) == 0
    before = place.files()
    assert main([*place.arguments(), "--layers", "s2"]) == 2
    assert "store/other-config" in capsys.readouterr().err
    assert place.files() == before


def test_pages_that_are_no_catalog(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    """A server's answers; an address with a key in it is refused before it is asked."""
    with serving() as server:
        for status, body, name in ((200, b"<html>", "not-json"), (403, b"no", "refused"), (404, b"", "not-found")):
            server.tell("/stac", (status, body))
            assert main([*place.arguments(), "--endpoint", f"{server.url}/stac"]) == 2
            assert f"catalog/{name}" in capsys.readouterr().err
        assert main([*place.arguments(), "--endpoint", f"{server.url}/stac?token=SECRET"]) == 2
        told = capsys.readouterr().err
        assert "config/endpoint-secret" in told
        assert "SECRET" not in told
    assert not (place.root / "chips").exists()


def run(place: Workplace, *extra: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program as a stranger starts it."""
    program = "import sys; from rsprep.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, *place.arguments(), *extra]
    path = os.pathsep.join([str(Path(__file__).parents[3]), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path, **environment}
    )


def test_as_a_program(place: Workplace) -> None:
    before = place.files()
    done = run(place, "--snap", "grid")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error config/bad-snap grid.snap: should be 'utm' or 'source'\n  got: grid\n  fix: ")
    assert place.files() == before


def test_the_time_zone_of_the_machine_changes_nothing(
    place: Workplace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pitfall 40: 23:30 UTC is another day in Chicago and in Tokyo; bare dates are days of UTC everywhere."""
    place.edit_item(S2, lambda one: one["properties"].update(datetime="2021-06-01T23:30:00Z"))
    arguments = [*place.arguments(), "--dry-run", "--layers", "s2"]
    try:
        for zone in ("US/Central", "Asia/Tokyo"):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            assert dt.datetime(2021, 6, 1, 12).astimezone().utcoffset() != dt.timedelta(0)
            for day, code in (("2021-05-31", 2), ("2021-06-01", 0), ("2021-06-02", 2)):
                assert main([*arguments, "--start", day, "--end", day]) == code
                told = capsys.readouterr()
                assert ("1 sentinel2" in told.out) if code == 0 else ("catalog/nothing-found" in told.err)
    finally:
        monkeypatch.undo()
        time.tzset()
