"""Times, recipes and options of builds."""

from __future__ import annotations

import datetime as dt
from typing import Any

from rsprep.config import make_config
from rsprep.moments import parse_moment
from rsprep.settings import read_config
from tests.inputs.table import Kit, bad, command, made, odd

# -- time -----------------------------------------------------------------------------------------
for title, given in {
    "day first": "01.06.2021",
    "American": "06/01/2021",
    "a year": "2021",
    "a month": "2021-06",
    "one digit": "2021-6-1",
    "nothing": "",
    "a word": "now",
    "a blank after it": "2021-06-01 ",
    "an interval": "2021-06-01/2021-07-01",
    "no thirteenth month": "2021-13-01",
    "year zero": "0000-01-01",
    "a leap second": "2021-06-01T23:59:60Z",
    "a zone by name": "2021-06-01T10:00:00 CEST",
    "a zone of 25 hours": "2021-06-01T10:00:00+25:00",
    "before the first moment of UTC": "0001-01-01T00:00:00+05:00",
    "after the last one": "9999-12-31T23:59:59-05:00",
    "digits of another script": "٢٠٢١-٠٦-٠١",
}.items():
    bad("time", title, "time/unreadable", given[:19], lambda kit, given=given: kit.build("--start", given))  # type: ignore[misc]
command("time", "simulate: reversed", "time/reversed", "2021-02-01",
        "simulate", "world", "--start", "2021-02-01", "--end", "2021-01-01")  # fmt: skip
command("time", "simulate: no date", "time/unreadable", "spring", "simulate", "world", "--start", "spring")

JUNE = dt.datetime(2021, 6, 1, tzinfo=dt.UTC)
for given, meant in {
    "20210601": JUNE,
    "2021-W22-2": JUNE,
    "2021-06-01T00Z": JUNE,
    "2021-06-01T05:30:00+05:30": JUNE,
    "2021-06-01 00:00:00.000000+00:00": JUNE,
    "2020-02-29": dt.datetime(2020, 2, 29, tzinfo=dt.UTC),
}.items():

    @odd("time", given)
    def _(_: Kit, given: str = given, meant: dt.datetime = meant) -> None:
        assert parse_moment(given, is_end=False) == meant


@odd("time", "a bare date ends with its day")
def _(_: Kit) -> None:
    assert parse_moment("2021-06-01", is_end=True) == JUNE + dt.timedelta(days=1) - dt.timedelta(microseconds=1)


@odd("time", "one day from and to")
def _(_: Kit) -> None:
    config = make_config({"aoi": "1,2,3,4", "out": "x", "start": dt.date(2021, 6, 1), "end": "2021-06-01"})
    assert config.start is not None
    assert config.end is not None
    assert config.end - config.start > dt.timedelta(hours=23)


# -- recipes --------------------------------------------------------------------------------------


def recipe(title: str, name: str, shown: str, content: object, *more: str) -> None:
    """A recipe of a build; a mapping is laid over the sound one."""

    def make(kit: Kit) -> list[str]:
        if isinstance(content, dict):
            kit.place.edit_yaml(kit.place.recipe, lambda recipe: recipe.update(content))
            return kit.build_place(*more)
        return ["build-multisource", "--config", kit.write("r.yaml", content), "--dry-run", *more]

    bad("recipe", title, f"config/{name}", shown, make)


recipe("empty", "not-a-mapping", "r.yaml", "")
recipe("a word", "not-a-mapping", "r.yaml", "hello")
recipe("UTF-16", "not-yaml", "r.yaml", "aoi: x\n".encode("utf-16"))
recipe("a tab", "not-yaml", "line 2", "grid:\n\tchip_size: 16\n")
recipe("a quote without end", "not-yaml", "line 1", 'aoi: "x\n')
recipe("two documents", "not-yaml", "another document", "aoi: a\n---\naoi: b\n")
recipe("a key twice", "not-yaml", "'aoi' is given twice", "aoi: a\naoi: b\n")
recipe("a list for a key", "not-yaml", "unhashable", "[a]: 2\n")
recipe("an alias of nothing", "not-yaml", "undefined alias", "aoi: *x\n")
recipe("a tag", "not-yaml", "python/object", "aoi: !!python/object/apply:os.getcwd []\n")
recipe("a number of 5,000 digits", "not-yaml", "digits", "split: {seed: " + "9" * 5000 + "}\n")
recipe("a number for a key", "missing", "aoi", "1: 2\n")
recipe("a section that is empty", "bad-grid", "section", {"grid": None})
recipe("a list for a section", "bad-grid", "[1]", {"grid": [1]})
recipe("a list for a section, and an option of it", "bad-grid", "[1]", {"grid": [1]}, "--chip-size", "16")
recipe("text for a section, and an option of it", "bad-engine", "fast", {"engine": "fast"}, "--workers", "1")
recipe("a list of sources", "bad-sources", "planted", {"sources": ["planted"]})
recipe("a list of sources, and an option", "bad-sources", "planted", {"sources": ["planted"]}, "--source", "s2=planted")
recipe("a number for a source, and its address", "bad-sources", "5", {"sources": {"s2": 5}, "source": "planted"},
       "--endpoint", "planted=x")  # fmt: skip
recipe("pairs for a source, and its address", "bad-sources", "a",
       {"sources": {"s2": [["a", "b"]]}, "source": "planted"},
       "--endpoint", "planted=x")  # fmt: skip
recipe("no such layer", "bad-sources", "s3", {"sources": {"s3": "planted"}})
recipe("a layer without a source", "bad-sources", "sources.s2", {"sources": {"s2": []}})
recipe("two sources of a layer", "bad-sources", "a, b", {"sources": {"s1": ["a", "b"]}})
recipe("a source without a name", "bad-source", "at least 1", {"source": ""})
recipe("a list for a source", "bad-source", "['planted']", {"source": ["planted"]})
recipe("a number for an address", "bad-endpoint", "5", {"endpoint": 5})
recipe("an area as a list", "bad-aoi", "[15, 48, 16, 49]", {"aoi": [15, 48, 16, 49]})
recipe("an area in the recipe", "bad-aoi", "Polygon", {"aoi": {"type": "Polygon"}})
recipe("a number for a folder", "bad-out", "5", {"out": 5})
recipe("nowhere to", "bad-out", "string", {"out": None})
recipe("no catalog", "bad-catalog", "at least 1", {"catalog": ""})
recipe("layers as text", "bad-layers", "s2", {"layers": "s2"})
recipe("no layers", "bad-layers", "[]", {"layers": []})
recipe("a layer twice", "bad-layers", "named twice", {"layers": ["s2", "s2"]})
recipe("a band twice", "bad-bands", "named twice", {"sentinel2": {"bands": ["B04", "B04"]}})
recipe("a polarisation twice", "bad-polarisations", "named twice", {"sentinel1": {"polarisations": ["VV", "VV"]}})
recipe("yes for a size", "bad-chip-size", "True", {"grid": {"chip_size": True}})
recipe("yes for metres", "bad-resolution", "True", {"grid": {"resolution": True}})
recipe("half a pixel", "bad-chip-size", "16.5", {"grid": {"chip_size": 16.5}})
recipe("a size of thirty digits", "bad-chip-size", "1000000", {"grid": {"chip_size": 10**30}})
recipe("two fractions", "bad-fractions", "[0.5, 0.5]", {"split": {"fractions": [0.5, 0.5]}})
recipe("fractions as text", "bad-fractions", "0.7,0.2,0.1", {"split": {"fractions": "0.7,0.2,0.1"}})
recipe("a fraction that is no number", "bad-fractions", "nan", {"split": {"fractions": [float("nan"), 0.5, 0.5]}})
recipe("a buffer around the globe", "block-too-small", "split.block_km", {"split": {"block_km": 1.0, "buffer_m": 1e8}})
recipe("a class by name", "bad-quotas", "water", {"select": {"quotas": {"water": 5}}})
recipe("less than no chips of a class", "bad-quotas", "-5", {"select": {"quotas": {1: -5}}})
recipe("fewer than no retries", "bad-retries", "-1", {"engine": {"retries": -1}})
recipe("a number for a scheduler", "bad-scheduler", "5", {"engine": {"scheduler": 5}})
for title, moment in {"a number": 2021, "yes": True, "a list": ["2021-06-01"], "a fraction": 1.5}.items():

    @made("recipe", f"{title} for a date", "time/unreadable", str(moment))
    def _(kit: Kit, moment: Any = moment) -> list[str]:
        kit.place.edit_yaml(kit.place.recipe, lambda content: content.update(start=moment))
        return kit.build_place()


def make(values: dict[str, Any]) -> Any:
    return make_config({"aoi": "1,2,3,4", "out": "x", **values})


@odd("recipe", "numbers in quotes")
def _(_: Kit) -> None:
    assert make({"grid": {"chip_size": "64", "resolution": "10"}}).grid == make({"grid": {"chip_size": 64}}).grid


@odd("recipe", "a mark before the text, and Windows's line ends")
def _(kit: Kit) -> None:
    kit.write("r.yaml", b"\xef\xbb\xbfaoi: a\r\ngrid:\r\n  chip_size: 16\r\n")
    assert read_config(kit.here / "r.yaml") == {"aoi": "a", "grid": {"chip_size": 16}}


@odd("recipe", "aliases and merged keys")
def _(kit: Kit) -> None:
    kit.write("r.yaml", "grid: &g {chip_size: 16, snap: utm}\ngrid2: {<<: *g, chip_size: 32}\n")
    assert read_config(kit.here / "r.yaml")["grid2"] == {"chip_size": 32, "snap": "utm"}


@odd("recipe", "one fallback written as a word, several as a list")
def _(_: Kit) -> None:
    config = make({"sources": {"s2": "a", "lulc": ["b", {"source": "c", "endpoint": "d"}]}})
    assert [one.source for one in config.origins("lulc")] == ["b", "c"]
    assert config.origins("s2")[0].source == "a"


@odd("recipe", "a seed below zero and one of forty digits")
def _(_: Kit) -> None:
    assert make({"split": {"seed": -1}}).split.seed == -1
    assert make({"split": {"seed": 10**40}}).split.seed == 10**40


@odd("recipe", "a home folder")
def _(_: Kit) -> None:
    from pathlib import Path

    from rsprep.cloud.address import place

    assert place("~/chips") == Path.home() / "chips"


# -- options --------------------------------------------------------------------------------------


def options(title: str, name: str, shown: str, *given: str) -> None:
    bad("options", title, name, shown, lambda kit: kit.build(*given))


options("no size", "config/bad-chip-size", "0", "--chip-size", "0")
options("no bands", "config/bad-bands", "[]", "--bands", "")
options("commas only", "config/bad-layers", "[]", "--layers", ",")
options("no metres", "config/bad-resolution", "0.0", "--resolution", "0")
options("metres that are no number", "config/bad-resolution", "nan", "--resolution", "nan")
options("metres without end", "config/bad-resolution", "inf", "--resolution", "inf")
options("pixels of a nanometre", "aoi/too-many", "at least", "--resolution", "1e-9", "--chip-size", "16")
options("fewer than no workers", "config/bad-workers", "-1", "--workers", "-1")
options("a selection of nothing", "config/unknown-key", "select.", "--select", "=1")
options("a class beyond the last", "config/bad-quotas", "9", "--select", "9=1")
options("half a chip of a class", "config/bad-select", "6=1.5", "--select", "6=1.5")
options("two clouds of one", "config/bad-max-cloud", "2.0", "--select", "max_cloud=2")
options("a share that is no number", "config/bad-min-valid", "nan", "--select", "min_valid=nan")
options("a superscript", "config/bad-select", "²=1", "--select", "²=1")
options("no source", "config/bad-source", "at least 1", "--source", "")
options("a layer of no source", "config/bad-sources", "sources.s2", "--source", "s2=")
options("a source of no layer", "config/bad-source", "s5=planted", "--source", "s5=planted")
options("a definition outside", "catalog/definition-not-found", "../nothing", "--source", "../nothing")
options("a folder for a definition", "catalog/definition-not-found", "/", "--source", "./")
options("an address of nobody", "config/bad-endpoint", "nobody=x", "--endpoint", "nobody=x")
options("half a bracket", "config/bad-endpoint", "https://[::1", "--endpoint", "https://[::1")
options("a port beyond all", "catalog/odd-address", "99999999", "--endpoint", "http://x:99999999/")
options("no host", "catalog/odd-address", "http://", "--endpoint", "http://")
options("a password in an address", "config/endpoint-secret", "https://host", "--endpoint", "https://me:SECRET@host/x")
options("a name without end", "input/name-too-long", "xxxx", "--endpoint", "x" * 400)
options("no folder", "config/bad-out", "at least 1", "--out", "")
options("a folder without end", "input/name-too-long", "xxxx", "--out", "x" * 400)
options("a bucket without a name", "config/bad-address", "s3://", "--out", "s3://")
options("a bucket with a query", "config/bad-address", "(hidden)", "--out", "s3://bucket/x?key=SECRET")
options("a bucket with a password", "config/bad-address", "s3://bucket", "--out", "s3://key:SECRET@bucket/x")
options("a bucket with one slash", "config/bad-address", "gs:/bucket/x", "--out", "gs:/bucket/x")
options("a file's address", "config/bad-address", "file://", "--out", "file:///x")
options("another's server", "config/bad-address", "ftp://", "--out", "ftp://host/x")
options("the home of nobody", "config/bad-address", "~nobody-of", "--out", "~nobody-of-this-name/x")
options("a catalog in a bucket without a name", "config/bad-address", "s3://b", "--catalog", "s3://b/c")
options("granules of nothing", "store/not-found", "nowhere", "--granules", "nowhere")
options("a recipe that is a folder", "config/not-found", "got: .", "--config", ".")
command("options", "a recipe without end", "input/name-too-long", "xxx", "build-multisource", "--config", "x" * 400)
command("options", "no recipe of that name", "config/no-recipe", "nope", "config", "nope")


@odd("options", "blanks within lists")
def _(kit: Kit) -> None:
    from rsprep.cli.options import names

    assert names(" s2 , lulc,") == ["s2", "lulc"]
