"""Errors: one name for one defect, a remedy each, no secrets, and whole after a journey between processes."""

from __future__ import annotations

import ast
import pickle
from collections import defaultdict
from collections.abc import Iterator
from functools import cache

import pytest

from rsmodels import errors as model_errors
from rsprep import errors
from rsprep.errors import CatalogError, ConfigError, InputError, RasterError, ReadError, RsprepError
from tests.support import REPOSITORY

LEAVES = sorted(
    {
        kind
        for home in (errors, model_errors)
        for kind in vars(home).values()
        if isinstance(kind, type) and issubclass(kind, RsprepError)
    },
    key=lambda kind: kind.__name__,
)
SHARED = {
    # One defect that can be met in several places; each place tells what it has found.
    "aoi/bad-coordinates", "aoi/crs-unnamed", "aoi/empty", "aoi/no-chip", "aoi/non-finite", "aoi/not-geojson",
    "aoi/not-geopackage",
    "aoi/out-of-range", "aoi/polar", "aoi/swapped-axes", "aoi/too-many",
    "build/disk-full", "build/unwritable",
    "catalog/bad-crosswalk", "catalog/not-found", "catalog/not-stac", "catalog/server-error",
    "item/bad-geometry", "item/orbit-mixed",
    "model/no-checkpoint", "model/no-chips", "model/no-lineage", "model/no-noise",
    "model/no-such-field", "model/not-a-folder",
    "model/not-finite", "model/odd-size", "model/ratio", "model/saw-held-out", "model/too-few-images",
    "model/unlike-data-sets",
    "raster/no-crs", "raster/not-integer", "raster/size",
    "store/damaged-chunk", "store/locked", "store/missing-chunk", "store/missing-shard", "store/no-index",
    "store/not-a-store", "store/not-found", "store/unsealed", "store/wrong-arrays",
    "time/missing", "time/naive", "time/reversed", "time/unreadable",
}  # fmt: skip


@cache
def raised() -> tuple[tuple[str, str, ast.Call], ...]:
    """Name, place and call of every error that is made with a literal slug."""
    return tuple(_raised())


def _raised() -> Iterator[tuple[str, str, ast.Call]]:
    families = {kind.__name__: kind.family for kind in LEAVES}
    for path in sorted(path for package in ("rsprep", "rsmodels") for path in (REPOSITORY / package).rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or not call.args:
                continue
            family = families.get(call.func.id) or {"contradiction": "raster", "_damage": "store"}.get(call.func.id)
            slug = call.args[1 if call.func.id == "contradiction" else 0]
            for word in (slug.body, slug.orelse) if isinstance(slug, ast.IfExp) else (slug,):
                if family and isinstance(word, ast.Constant) and isinstance(word.value, str):
                    yield f"{family}/{word.value}", f"{path.relative_to(REPOSITORY)}:{call.lineno}", call


def test_a_name_stands_for_one_defect() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for name, place, _ in raised():
        places[name].append(place)
    assert len(places) > 120
    assert {name: where for name, where in places.items() if len(where) > 1 and name not in SHARED} == {}
    assert sorted(name for name in SHARED if len(places[name]) < 2) == []


def test_names_are_written_alike() -> None:
    for name, place, _ in raised():
        assert name.replace("/", "").replace("-", "").isalnum(), place
        assert name == name.lower(), place


def test_every_error_has_a_remedy() -> None:
    for name, place, call in raised():
        if call.func.id in ("contradiction", "_damage"):  # type: ignore[attr-defined]  # a Name, see `raised`
            continue  # these give one of their own
        remedy = next((keyword.value for keyword in call.keywords if keyword.arg == "remedy"), None)
        assert remedy is not None, f"{name} at {place}"
        assert not (isinstance(remedy, ast.Constant) and not remedy.value), f"{name} at {place}"


def test_families_are_distinct() -> None:
    families = [kind.family for kind in LEAVES]
    assert len(set(families)) == len(families)


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_errors_survive_pickling(kind: type[RsprepError]) -> None:
    """Workers send their errors home; an exception of several arguments is easily lost on the way."""
    error = kind("some-slug", "something is wrong", value=("a", 1), remedy="put it right")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
    assert type(again) is kind
    assert str(again) == str(error)
    assert (again.slug, again.cause, again.value, again.remedy) == (error.slug, error.cause, ("a", 1), error.remedy)
    assert again.exit_code == (2 if issubclass(kind, InputError) else 1)


def test_a_message_has_three_parts() -> None:
    error = ConfigError("bad-thing", "the thing is wrong", value={"thing": 3}, remedy="take another")
    assert str(error) == "config/bad-thing: the thing is wrong\n  got: {'thing': 3}\n  fix: take another"
    assert str(ReadError("slug", "cause", remedy="remedy")) == "read/slug: cause\n  fix: remedy"
    assert len(str(RasterError("slug", "cause", value="x" * 10_000, remedy="r"))) < 400
    assert "  got: 0\n" in str(ConfigError("slug", "cause", value=0, remedy="r"))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://host/a.tif?sig=SECRET&se=2021", "https://host/a.tif?(hidden)"),
        ("read https://me:SECRET@host/a and 'http://b/c?k=SECRET'", "read https://host/a and 'http://b/c?(hidden)'"),
        ("https://host/a.tif?(signed)", "https://host/a.tif?(signed)"),
        ("/data/what?.tif", "/data/what?.tif"),
        (["s3://bucket/a?token=SECRET"], "['s3://bucket/a?(hidden)']"),
    ],
)
def test_no_secret_is_shown(given: object, shown: str) -> None:
    error = CatalogError("slug", given if isinstance(given, str) else "cause", value=given, remedy="r")
    assert f"got: {shown}\n" in str(error)
    assert "SECRET" not in str(error) + error.cause
