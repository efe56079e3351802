"""Source definitions, STAC catalogs and their items."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable
from typing import Any

import shapely

from rsprep.sources.catalog_io import CatalogIO, check_stac
from rsprep.sources.definition import load_definition
from rsprep.sources.footprints import read_footprint
from rsprep.sources.items import item_interval
from rsprep.sources.projection import read_grid
from rsprep.sources.properties import check_properties
from rsprep.sources.static import linked
from tests.inputs.table import Kit, bad, command, made, odd
from tests.rsprep.cli.workplace import S1, S2

Change = Callable[[Any], object]


def item(title: str, name: str, shown: str, change: Change, collection: str = S2) -> None:
    def make(kit: Kit) -> list[str]:
        kit.place.edit_item(collection, change)
        return kit.build_place()

    bad("item", title, name, shown, make)


def top(**words: Any) -> Change:
    return lambda one: one.update(words)


def told(**words: Any) -> Change:
    """Properties; ``eo__cloud_cover`` stands for ``eo:cloud_cover``."""
    return lambda one: one["properties"].update({key.replace("__", ":"): value for key, value in words.items()})


def red(**words: Any) -> Change:
    """Words of the asset B04."""
    return lambda one: one["assets"]["B04"].update({key.replace("__", ":"): value for key, value in words.items()})


def footprint(title: str, geometry: Any) -> None:
    item(f"footprint: {title}", "item/bad-geometry", str(geometry)[:30], top(geometry=geometry))


footprint("a point", {"type": "Point", "coordinates": [15, 48]})
footprint("a line", {"type": "LineString", "coordinates": [[15, 48], [16, 48]]})
footprint("a list", [1])
footprint("text", "POLYGON ((0 0, 1 1, 1 0, 0 0))")
footprint("a type that is a list", {"type": ["Polygon"], "coordinates": []})
footprint("no coordinates", {"type": "Polygon"})
footprint("coordinates that are a number", {"type": "Polygon", "coordinates": 5})
footprint("coordinates that are text", {"type": "Polygon", "coordinates": [[["a", "b"]] * 4]})
footprint("coordinates that are null", {"type": "Polygon", "coordinates": [[[None, None]] * 4]})
footprint("coordinates too deep", {"type": "Polygon", "coordinates": [[[[15, 48]]]]})
footprint(
    "coordinates without end", {"type": "Polygon", "coordinates": [[[15, 48], [math.inf, 48], [16, 49], [15, 48]]]}
)
footprint("two positions", {"type": "Polygon", "coordinates": [[[15, 48], [16, 48]]]})
footprint("a number of 400 digits", {"type": "Polygon", "coordinates": [[[10**400, 48], [16, 48], [16, 49], [15, 48]]]})
item("id is a number", "item/no-id", "5", top(id=5))
item("id is empty", "item/no-id", S2, top(id=""))
item("properties are a list", "item/malformed", "[]", top(properties=[]))
item("assets are a list", "item/malformed", "[]", top(assets=[]))
item("an asset is text", "item/missing-asset", "B04", lambda one: one["assets"].update(B04="B04.tif"))
item("an asset without an address", "item/missing-asset", "B04", red(href=""))
item("an address that is a number", "item/missing-asset", "B04", red(href=5))
item("half a bracket in an address", "item/unreadable-href", "http://[", red(href="http://["))
item("a bucket", "item/unreadable-href", "s3://b/c", red(href="s3://b/c"))
item("another type", "catalog/wrong-type", "Item", top(type="Item"))
item("a version that is a number", "catalog/not-stac", "item.json", top(stac_version=1.1))
item("a version that is a word", "catalog/stac-version", "latest", top(stac_version="latest"))
item("a collection that is a number", "catalog/wrong-collection", "5", top(collection=5))
for moment in (5, "", "yesterday", "2021-06-01T10:00:00+25:00", "0001-01-01T00:00:00+14:00", ["2021-06-01"]):
    item(f"time {moment!r}", "item/bad-datetime", str(moment), told(datetime=moment))
item("a bare date", "item/naive-datetime", "2021-06-01", told(datetime="2021-06-01"))
item(
    "half an interval", "item/no-datetime", "start_datetime", told(datetime=None, start_datetime="2021-06-02T00:00:00Z")
)
item("an interval that ends before it starts", "item/interval-reversed", "2021-06-02", told(
     datetime=None, start_datetime="2021-06-02T00:00:00Z", end_datetime="2021-06-01T00:00:00Z"))  # fmt: skip
for share in ("cloudy", [1], True, math.nan):
    item(f"cloud {share!r}", "item/bad-cloud-cover", str(share), told(eo__cloud_cover=share))
for baseline in (4, "", "abc", [1]):
    item(f"baseline {baseline!r}", "item/baseline-unknown", repr(baseline), told(s2__processing_baseline=baseline))
item("an offset that is no number", "item/offset-contradiction", "nan", red(raster__bands=[{"offset": math.nan}]))
for shape in ([96.0, 96.0], [0, 96], [-96, 96], [True, 96], "96x96", [96, 96, 1]):
    item(f"shape {shape}", "item/bad-shape", str(shape), red(proj__shape=shape))
for title, transform in {
    "five numbers": [10, 0, 500000, 0, -10],
    "a last row of its own": [10, 0, 500000, 0, -10, 5320960, 0, 0, 2],
    "turned": [10, 1, 500000, 0, -10, 5320960],
    "no width": [0, 0, 500000, 0, -10, 5320960],
    "mirrored": [-10, 0, 500960, 0, -10, 5320960],
    "no number": [math.nan, 0, 500000, 0, -10, 5320960],
    "text": ["10", 0, 500000, 0, -10, 5320960],
    "yes": [True, 0, 500000, 0, -1, 5320960],
    "400 digits": [10**400, 0, 500000, 0, -10, 5320960],
}.items():
    item(f"transform: {title}", "item/bad-transform", "got: [", red(proj__transform=transform))
item("transform beyond the Earth", "item/misplaced", "1e+300", red(proj__transform=[10, 0, 1e300, 0, -10, 5320960]))
for code in ("32633", True, -5, {"a": 1}, "IAU:30100"):
    item(f"CRS {code}", "item/bad-crs", str(code), red(proj__code=code))
item("degrees declared for metres", "item/misplaced", "EPSG:4326", red(proj__code="EPSG:4326"))
item("orbit up", "item/orbit-unknown", "up", told(sat__orbit_state="up"), S1)
item("orbit in a list", "item/orbit-unknown", "['ascending']", told(sat__orbit_state=["ascending"]), S1)
item("calibration is a number", "item/calibration-mixed", "5", told(s1__calibration=5), S1)


def raw(title: str, name: str, change: Callable[[bytes], bytes]) -> None:
    def make(kit: Kit) -> list[str]:
        path = kit.place.item(S2)
        path.write_bytes(change(path.read_bytes()))
        return kit.build_place()

    bad("item", title, name, "item.json", make)


raw("an empty file", "catalog/not-json", lambda content: b"")
raw("a file cut off", "catalog/not-json", lambda content: content[:50])
raw("UTF-16", "catalog/unreadable", lambda content: content.decode().encode("utf-16"))
raw("a list", "catalog/not-stac", lambda content: b"[]")


# -- catalogs -------------------------------------------------------------------------------------


def catalog(title: str, name: str, shown: str, change: Change, *, collection: bool = False) -> None:
    def make(kit: Kit) -> list[str]:
        path = kit.place.root / "source" / S2 / "collection.json" if collection else kit.place.catalog
        kit.place.edit_json(path, change)
        return kit.build_place()

    bad("catalog", title, f"catalog/{name}", shown, make)


def link(href: object, rel: str = "child") -> Change:
    return lambda one: one["links"].append({"rel": rel, "href": href})


catalog("no links", "collection-missing", S2, top(links=None))
catalog("links are text", "collection-missing", S2, top(links="abc"))
catalog("links are numbers", "collection-missing", S2, top(links=[1]))
catalog("a link to nothing", "not-found", "nope.json", link("./nope.json"))
catalog("a link to the folder", "not-found", "source", link("./"))
catalog("half a bracket in a link", "bad-link", "http://[x", link("http://[x"))
catalog("a link into a bucket", "odd-address", "s3://b/c.json", link("s3://b/c.json"))
catalog("a link without end", "unreadable", "xxxx", link("x" * 400))
catalog("a type that is a list", "not-stac", "catalog.json", top(type=["Catalog"]))
catalog("a version that is a number", "not-stac", "catalog.json", top(stac_version=1))
catalog("a collection without items", "nothing-found", "0 items", top(links=[]), collection=True)
catalog("an item that is not there", "not-found", "nope.json", link("./nope.json", "item"), collection=True)
catalog("a collection's id is a list", "collection-missing", S2, top(id=["x"]), collection=True)


# -- definitions ----------------------------------------------------------------------------------


def definition(title: str, name: str, shown: str, content: object, *keys: str) -> None:
    """A key of the sound definition, or all of it, told wrongly."""

    def make(kit: Kit) -> list[str]:
        if not keys:
            return ["sources", "./" + kit.write("mine.yaml", content)]

        def change(whole: Any) -> None:
            for key in keys[:-1]:
                whole = whole[key]
            whole[keys[-1]] = content

        kit.place.edit_yaml(kit.place.definition, change)
        return ["sources", str(kit.place.definition)]

    bad("definition", title, f"catalog/{name}", shown, make)


definition("empty", "definition-not-a-mapping", "mine.yaml", "")
definition("a list", "definition-not-a-mapping", "mine.yaml", "- a\n")
definition("no YAML", "definition-not-yaml", "mine.yaml", "a: [1, 2")
definition("a key twice", "definition-not-yaml", "given twice", "a: 1\na: 2\n")
definition("UTF-16", "definition-not-yaml", "mine.yaml", "name: x\n".encode("utf-16"))
definition("one key only", "definition-missing-key", "title", "name: x\n")
definition("name with a slash", "bad-name", "../x", "../x", "name")
definition("name that is a number", "bad-name", "5", 5, "name")
definition("no products", "bad-products", "at least one product", {}, "products")
definition("a product nobody knows", "definition-unknown-key", "sentinel3", {}, "products", "sentinel3")
definition("type", "bad-dtype", "complex64", "complex64", "products", "sentinel2", "dtype")
definition("nodata that the type cannot hold", "bad-nodata", "-1", -1, "products", "sentinel2", "nodata")
definition("nodata that is text", "bad-nodata", "none", "none", "products", "sentinel2", "nodata")
definition("no assets", "bad-assets", "at least 1", {}, "products", "sentinel2", "assets")
definition("assets nobody knows", "bad-sentinel2", "B99", {"B99": "x"}, "products", "sentinel2", "assets")
definition("polarisation", "bad-assets", "HH", {"HH": "x"}, "products", "sentinel1", "assets")
definition("units", "bad-units", "decibels", "decibels", "products", "sentinel1", "units")
definition("kernel", "bad-resampling", "lanczos", "lanczos", "products", "sentinel2", "resampling")
definition("surface", "bad-surface", "geoid", "geoid", "products", "dem", "surface")
definition("crosswalk with a slash", "bad-crosswalk", "../x", "../x", "products", "landcover", "crosswalk")
definition("signing by nobody", "bad-signing", "amazon", "amazon", "signing")
definition("a host with a scheme", "bad-hosts", "https://x", ["https://x"], "hosts")


@made("definition", "kind", "catalog/unknown-kind", "ftp")
def _(kit: Kit) -> list[str]:
    kit.place.edit_yaml(kit.place.definition, lambda content: content.update(kind="ftp"))
    return kit.build_place()


command("definition", "no such source", "catalog/unknown-source", "planetary", "sources", "planetary")
command("definition", "an address without a source", "config/unnamed-endpoint", "x", "sources", "--endpoint", "x")
command("definition", "a name and a recipe", "config/one-of", "planted", "sources", "planted", "--config", "x")
command("definition", "no such recipe", "config/not-found", "nowhere.yaml", "sources", "--config", "nowhere.yaml")


# -- odd but valid --------------------------------------------------------------------------------


def sound_item(kit: Kit, collection: str = S2) -> Any:
    return json.loads(kit.sound.item(collection).read_text())


def timed(**properties: Any) -> tuple[dt.datetime, dt.datetime]:
    return item_interval({"id": "x", "properties": properties})


@odd("item", "nanoseconds")
def _(_: Kit) -> None:
    moment = dt.datetime(2021, 6, 1, 10, 0, 0, 123456, dt.UTC)
    assert timed(datetime="2021-06-01T10:00:00.123456789Z") == (moment, moment)


@odd("item", "a blank for the T, and another zone")
def _(_: Kit) -> None:
    assert timed(datetime="2021-06-01 12:00:00+02:00")[0] == dt.datetime(2021, 6, 1, 10, tzinfo=dt.UTC)


@odd("item", "an interval goes before its middle")
def _(_: Kit) -> None:
    words = {"start_datetime": "2021-01-01T00:00:00Z", "end_datetime": "2021-12-31T00:00:00Z"}
    assert timed(datetime="2021-06-01T10:00:00Z", **words)[1].month == 12


@odd("item", "a cloud cover in quotes, of null, or beyond 100 by rounding")
def _(_: Kit) -> None:
    rules = load_definition("planted").product("sentinel2")
    for share in ("12.5", None, 100.00001, 0):
        words = {"eo:cloud_cover": share, "s2:processing_baseline": "03.01"}
        check_properties("x", words, rules)


@odd("item", "baselines as N0301 and as a number with a point")
def _(_: Kit) -> None:
    rules = load_definition("planted").product("sentinel2")
    for baseline in ("N0301", 3.01, "03.01"):
        check_properties("x", {"s2:processing_baseline": baseline}, rules)


@odd("item", "an orbit in capitals")
def _(_: Kit) -> None:
    check_properties("x", {"sat:orbit_state": "ASCENDING"}, load_definition("planted").product("sentinel1"))


@odd("item", "the older word for a CRS, small letters, nine numbers")
def _(kit: Kit) -> None:
    one = sound_item(kit)
    asset = one["assets"]["B04"]
    wanted = read_grid(one, asset, "B04")
    older = {key: value for key, value in asset.items() if key != "proj:code"}
    assert read_grid(one, {**older, "proj:epsg": 32633}, "B04") == wanted
    assert read_grid(one, {**asset, "proj:code": "epsg:32633"}, "B04") == wanted
    assert read_grid(one, {**asset, "proj:transform": [*asset["proj:transform"], 0, 0, 1]}, "B04") == wanted


@odd("item", "words of the lattice on the item instead of the asset")
def _(kit: Kit) -> None:
    one = sound_item(kit)
    asset = one["assets"]["B04"]
    words = {key: value for key, value in asset.items() if key.startswith("proj:")}
    assert read_grid({**one, "properties": words}, {"href": "x"}, "B04") == read_grid(one, asset, "B04")


@odd("item", "no words of the lattice at all")
def _(kit: Kit) -> None:
    assert read_grid(sound_item(kit), {"href": "x"}, "B04") is None


RING = [[14.9, 48.0], [15.2, 48.0], [15.2, 48.2], [14.9, 48.2], [14.9, 48.0]]
BOX = shapely.box(14.9, 48.0, 15.2, 48.2)
for title, geometry in {
    "with heights": {"type": "Polygon", "coordinates": [[[*point, 7] for point in RING]]},
    "not closed": {"type": "Polygon", "coordinates": [RING[:-1]]},
    "clockwise": {"type": "Polygon", "coordinates": [RING[::-1]]},
    "in a collection": {
        "type": "GeometryCollection",
        "geometries": [{"type": "Polygon", "coordinates": [RING]}, {"type": "Point", "coordinates": [15, 48.1]}],
    },
    "a turn further west": {"type": "Polygon", "coordinates": [[[x - 360, y] for x, y in RING]]},
}.items():

    @odd("footprint", title)
    def _(_: Kit, geometry: Any = geometry) -> None:
        found = read_footprint({"id": "x", "geometry": geometry})
        assert found.symmetric_difference(BOX).area < 1e-9


@odd("footprint", "one ring across the antimeridian, against GeoJSON")
def _(_: Kit) -> None:
    ring = [[179, 10], [-179, 10], [-179, 11], [179, 11], [179, 10]]
    found = read_footprint({"id": "x", "geometry": {"type": "Polygon", "coordinates": [ring]}})
    assert math.isclose(found.area, 2.0)


@odd("catalog", "a mark before the text")
def _(kit: Kit) -> None:
    kit.write("c.json", b'\xef\xbb\xbf{"type": "Catalog"}')
    assert CatalogIO().read_document(str(kit.here / "c.json")) == {"type": "Catalog"}


@odd("catalog", "links of other kinds, without an address, to itself")
def _(_: Kit) -> None:
    links = [{"rel": "license", "href": "x"}, {"rel": "child"}, {"rel": "child", "href": 5}, 7,
             {"rel": "child", "href": "./a b.json"}, {"rel": ["child"], "href": "y"}]  # fmt: skip
    assert linked({"links": links}, "/root/catalog.json", "child") == ["/root/a b.json"]


@odd("catalog", "a version to come, and words that nobody knows")
def _(_: Kit) -> None:
    check_stac({"type": "Catalog", "stac_version": "1.7.0-beta.2", "mood": 5}, "here", kinds=("Catalog",))


@odd("definition", "nodata that is no number, of floats")
def _(kit: Kit) -> None:
    kit.place.edit_yaml(kit.place.definition, lambda one: one["products"]["sentinel1"].update(nodata=math.nan))
    assert math.isnan(load_definition(kit.place.definition).product("sentinel1").nodata or 0.0)


@odd("definition", "words for people may change, and its fingerprint stays")
def _(kit: Kit) -> None:
    before = load_definition(kit.place.definition).fingerprint()
    kit.place.edit_yaml(kit.place.definition, lambda one: one.update(title="Ünïcode ✓", cost="none: free"))
    assert load_definition(kit.place.definition).fingerprint() == before
