"""The configuration: defaults written out, typing errors named with what was meant, moments in UTC."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from rsprep import settings as module
from rsprep.config import BuildConfig, make_config
from rsprep.config_text import describe_config
from rsprep.errors import ConfigError, TimeError
from rsprep.moments import parse_moment
from rsprep.settings import Section, dump_config, read_config
from tests.support import REPOSITORY

LEAST = {"aoi": "region.geojson", "out": "chips"}


def fields(model: type[Section] = BuildConfig, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from fields(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field


def refused(values: dict[str, Any]) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        make_config(values)
    return caught.value


def test_the_description_is_a_recipe_of_the_defaults() -> None:
    assert make_config(yaml.safe_load(describe_config(BuildConfig))) == make_config(LEAST)


@pytest.mark.parametrize(("key", "field"), list(fields()))
def test_every_key_is_described(key: str, field: FieldInfo) -> None:
    text = describe_config(BuildConfig)
    assert field.description
    assert f"{key.split('.')[-1]}: " in text
    assert field.description.split()[0] in text


def test_the_page_shows_the_description() -> None:
    page = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert f"```yaml\n{describe_config(BuildConfig)}```\n" in page, "write it anew: rsprep config"


def test_what_is_dumped_is_read_again() -> None:
    values = {
        **LEAST,
        "start": dt.date(2021, 6, 1),
        "end": "2021-06-30",
        "layers": ["lulc", "s2"],
        "select": {"quotas": {6: 20}, "min_valid": 0.5},
        "split": {"fractions": [0.6, 0.2, 0.2]},
    }
    one = make_config(values)
    assert make_config(yaml.safe_load(dump_config(one))) == one


@pytest.mark.parametrize("path", sorted((REPOSITORY / "pipelines").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_recipes_are_valid(path: Path) -> None:
    recipe = read_config(path)
    if "source" in recipe:
        make_config({**LEAST, **recipe})


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("grd", "grid"), ("sentinel_2", "sentinel2"), ("Source", "source"), ("end-point", "endpoint"),
        ("chip_size", "grid.chip_size"), ("chip-size", "grid.chip_size"), ("band", "sentinel2.bands"),
        ("fraction", "split.fractions"), ("scheduller", "engine.scheduler"),
    ],
)  # fmt: skip
def test_a_typing_error_is_told_what_was_meant(wrong: str, meant: str) -> None:
    error = refused({**LEAST, wrong: 1})
    assert error.name == "config/unknown-key"
    assert error.value == wrong
    assert error.remedy == f"did you mean {meant!r}?"


def test_a_key_is_sought_in_its_own_section_first() -> None:
    assert refused({**LEAST, "sentinel1": {"orbits": "auto"}}).remedy == "did you mean 'sentinel1.orbit'?"
    assert refused({**LEAST, "terrain": {"snap": "utm"}}).remedy == "did you mean 'grid.snap'?"
    assert refused({**LEAST, "zzz": 1}).remedy == "`rsprep config` lists every key"


def test_a_misspelt_key_goes_before_the_one_that_it_leaves_missing() -> None:
    assert refused({"aio": "x", "out": "y"}).remedy == "did you mean 'aoi'?"
    assert refused({"out": "y"}).name == "config/missing"


@pytest.mark.parametrize(
    ("values", "name", "value"),
    [
        ({"grid": {"chip_size": 15}}, "bad-chip-size", 15),
        ({"grid": {"chip_size": 16.5}}, "bad-chip-size", 16.5),
        ({"grid": {"resolution": float("nan")}}, "bad-resolution", None),
        ({"grid": None}, "bad-grid", None),
        ({"sentinel2": {"bands": []}}, "bad-bands", None),
        ({"sentinel2": {"bands": ["B02", "B02"]}}, "bad-bands", None),
        ({"sentinel1": {"polarisations": ["VV", "HH"]}}, "bad-polarisations", "HH"),
        ({"layers": ["s2", "s2"]}, "bad-layers", None),
        ({"layers": []}, "bad-layers", None),
        ({"select": {"quotas": {"water": 3}}}, "bad-quotas", "water"),
        ({"select": {"quotas": {0: -3}}}, "bad-quotas", -3),
        ({"split": {"fractions": [1.0, 0.5, -0.5]}}, "bad-fractions", None),
        ({"split": {"fractions": [0.5, 0.5]}}, "bad-fractions", None),
        ({"engine": {"workers": -1}}, "bad-workers", -1),
        ({"aoi": ""}, "bad-aoi", ""),
    ],
)
def test_values_are_checked(values: dict[str, Any], name: str, value: object) -> None:
    error = refused({**LEAST, **values})
    assert error.name == f"config/{name}"
    assert value is None or error.value == value
    assert error.remedy


@pytest.mark.parametrize(
    "values",
    [
        {"layers": ["s1"], "grid": {"snap": "source"}},
        {"layers": ["s1"], "select": {"max_cloud": 0.5}},
        {"layers": ["s2"], "select": {"quotas": {6: 1}}},
    ],
)
def test_settings_that_need_a_layer(values: dict[str, Any]) -> None:
    assert refused({**LEAST, **values}).name == "config/needs-layer"


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "recipe.yaml"
    for content, name in ((b"a: [1", "not-yaml"), (b"\xff\xfe\x00", "not-yaml"), (b"", "not-a-mapping")):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=f"config/{name}"):
            read_config(path)
    path.write_text("out: chips")
    assert read_config(path) == {"out": "chips"}
    monkeypatch.setattr(module, "MAX_CONFIG_BYTES", 3)
    with pytest.raises(ConfigError, match="config/too-large"):
        read_config(path)


# -- moments: Pitfall 40 --------------------------------------------------------------------------


@given(st.dates(min_value=dt.date(1000, 1, 1)))
def test_a_bare_date_is_a_whole_day_of_utc(day: dt.date) -> None:
    first, last = (parse_moment(day.isoformat(), is_end=is_end) for is_end in (False, True))
    assert first == parse_moment(day, is_end=False) == dt.datetime.combine(day, dt.time.min, dt.UTC)
    assert first is not None
    assert last is not None
    assert last - first == dt.timedelta(days=1, microseconds=-1)


@given(st.datetimes(min_value=dt.datetime(1001, 1, 1), max_value=dt.datetime(9998, 1, 1)), st.integers(-14, 14))
def test_any_zone_becomes_utc(moment: dt.datetime, hours: int) -> None:
    aware = moment.replace(tzinfo=dt.timezone(dt.timedelta(hours=hours)))
    found = parse_moment(aware.isoformat(), is_end=True)
    assert found == aware
    assert found is not None
    assert found.tzinfo is dt.UTC


@pytest.mark.parametrize(
    ("given", "slug"),
    [
        ("2021-06-01T10:00:00", "naive"), (dt.datetime(2021, 6, 1, 10), "naive"), ("yesterday", "unreadable"),
        ("2021-13-01", "unreadable"), ("01.06.2021", "unreadable"), (2021, "unreadable"), ("", "unreadable"),
    ],
)  # fmt: skip
def test_moments_that_are_refused(given: object, slug: str) -> None:
    with pytest.raises(TimeError, match=f"time/{slug}"):
        make_config({**LEAST, "start": given})


def test_reversed_windows() -> None:
    with pytest.raises(TimeError, match="time/reversed"):
        make_config({**LEAST, "start": "2021-06-02", "end": "2021-06-01"})
    make_config({**LEAST, "start": "2021-06-01", "end": "2021-06-01"})


@pytest.mark.parametrize("endpoint", ["https://stac.example/v1?token=abc", "https://me:secret@stac.example/v1"])
def test_an_endpoint_with_a_key_is_refused_and_not_shown(endpoint: str) -> None:
    """What is resolved is written beside the data: no secret may be in it."""
    error = refused({**LEAST, "endpoint": endpoint})
    assert error.name == "config/endpoint-secret"
    assert "abc" not in str(error)
    assert "secret@" not in str(error)
