from __future__ import annotations

import copy
import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsprep.errors import CatalogError, ItemError
from rsprep.granule import Granule
from rsprep.sources.definition import SourceDefinition
from rsprep.sources.footprints import read_footprint
from rsprep.sources.items import item_interval, make_granule, wanted_bands
from tests.rsprep.sources.making import make_definition, make_item, with_properties


def _granule(
    item: Any, *, definition: SourceDefinition | None = None, href: str = "/cat/a/item.json", product: str = "sentinel2"
) -> Granule:
    definition = definition or make_definition()
    bands = wanted_bands(definition, product, None)
    return make_granule(item, href, read_footprint(item), definition=definition, product=product, bands=bands)


def _assets(**red: Any) -> dict[str, Any]:
    return {"red": {"href": "./B04.tif", **red}, "scl": {"href": "./SCL.tif"}}


def test_assets_take_the_store_names_and_absolute_paths() -> None:
    granule = _granule(make_item("a"))
    assert {name: asset.href for name, asset in granule.assets.items()} == {
        "B04": "/cat/a/B04.tif",
        "SCL": "/cat/a/SCL.tif",
    }
    assert Granule.from_json(granule.to_json()) == granule


def test_a_granule_keeps_what_rules_read_and_drops_the_rest() -> None:
    """Pitfalls 9, 14: baseline, flag, tile and datatake survive under the provider's keys."""
    item = with_properties(make_item("a"), flag=False, s2__datatake_id="D1", eo__cloud_cover=7, other="x", updated=None)
    assert _granule(item).properties == {
        "eo:cloud_cover": 7,
        "flag": False,
        "s2:datatake_id": "D1",
        "s2:mgrs_tile": "33UWP",
        "s2:processing_baseline": "03.01",
    }


def test_a_granule_carries_renamed_properties_under_their_stac_keys() -> None:
    words = {"sat:orbit_state": "orbitProperties_pass", "platform": "SPACECRAFT_NAME"}
    rules = make_definition().model_dump()["products"]["sentinel1"]
    definition = make_definition(products={"sentinel1": {**rules, "properties": words}})
    item = make_item("a", assets={"vv": {"href": "/v.tif"}})
    item["properties"] |= {"orbitProperties_pass": "ASCENDING", "platform": "overruled", "SPACECRAFT_NAME": "S1A"}
    found = _granule(item, definition=definition, product="sentinel1").properties
    assert found == {"platform": "S1A", "sat:orbit_state": "ASCENDING"}


def test_size_and_checksum_are_carried() -> None:
    asset = _granule(make_item("a", assets=_assets(**{"file:size": 5, "file:checksum": "1220ab"}))).assets["B04"]
    assert (asset.size, asset.checksum) == (5, "1220ab")


def test_hrefs_are_stored_unsigned() -> None:
    """Pitfall 5: what a provider signed into its items is not what a later task could read."""
    blob = "https://a.blob.core.windows.net/c/B04.tif"
    item = make_item("a", assets=_assets(href=f"{blob}?sig=SECRET"))
    granule = _granule(item, definition=make_definition(signing="planetary-computer"))
    assert granule.assets["B04"].href == blob
    assert "SECRET" not in repr(granule) + str(granule.to_json())


def test_buckets_are_rewritten_to_https_and_queries_kept_where_nothing_is_signed() -> None:
    definition = make_definition(rewrite={"s3://b/": "https://b.org/"})
    item = make_item("a", assets={"red": {"href": "s3://b/x.tif"}, "scl": {"href": "https://c.org/y.tif?v=2"}})
    hrefs = [asset.href for asset in _granule(item, definition=definition).assets.values()]
    assert hrefs == ["https://b.org/x.tif", "https://c.org/y.tif?v=2"]


def test_file_urls_become_paths() -> None:
    item = make_item("a", assets=_assets(href="file:///data/with%20space.tif"))
    assert _granule(item).assets["B04"].href == "/data/with space.tif"


def test_only_the_bands_asked_for_must_be_there() -> None:
    definition, item = make_definition(), make_item("a", assets={"red": {"href": "/x.tif"}})
    bands = wanted_bands(definition, "sentinel2", ["B04"])
    granule = make_granule(item, "", read_footprint(item), definition=definition, product="sentinel2", bands=bands)
    assert list(granule.assets) == ["B04"]


def test_a_band_that_the_source_lacks() -> None:
    with pytest.raises(CatalogError, match="B04, SCL") as caught:
        wanted_bands(make_definition(), "sentinel2", ["B04", "B08"])
    assert caught.value.slug == "band-not-offered"


@pytest.mark.parametrize(
    ("assets", "slug"),
    [
        ({"scl": {"href": "./SCL.tif"}}, "missing-asset"),
        (_assets(href=""), "missing-asset"),
        (_assets(href="s3://bucket/x.tif"), "unreadable-href"),
        (_assets(**{"raster:bands": [{"data_type": "int16"}]}), "dtype-differs"),
        (_assets(**{"raster:bands": [{"nodata": 65535}]}), "nodata-differs"),
        (_assets(nodata=7, bands=[{"name": "B04"}]), "nodata-differs"),
        (_assets(**{"raster:bands": [{"nodata": 0, "data_type": "uint16"}]}), None),
        (_assets(**{"raster:bands": [{"nodata": "nan"}]}), None),
    ],
)
def test_every_bad_asset_has_its_name(assets: Any, slug: str | None) -> None:
    """Pitfalls 4, 8: an item that lacks an asset, or whose nodata is another, is an error and never fill."""
    item = make_item("a", assets=assets)
    if slug is None:
        assert _granule(item).assets["B04"].href == "/cat/a/B04.tif"
        return
    with pytest.raises(ItemError, match="item a") as caught:
        _granule(item)
    assert caught.value.slug == slug
    assert caught.value.exit_code == 2


def test_a_missing_asset_is_named_with_those_that_are_there() -> None:
    with pytest.raises(ItemError, match=r"'red'[\s\S]*it has: blue, scl"):
        _granule(make_item("a", assets={"blue": {"href": "x"}, "scl": {"href": "y"}}))


def test_a_relative_href_needs_a_place() -> None:
    with pytest.raises(ItemError) as caught:
        _granule(make_item("a"), href="")
    assert caught.value.slug == "relative-href"


def test_a_band_number_beyond_the_file() -> None:
    definition = make_definition(
        products={
            "landcover": {
                "collection": "dw", "label": "label", "dtype": "uint8", "nodata": 255, "crosswalk": "dynamic-world",
                "probabilities": {index: index + 1 for index in range(9)}, "probabilities_asset": "p",
                "probabilities_nodata": -1,
            }
        }
    )  # fmt: skip
    bands = [{"name": str(index)} for index in range(8)]
    item = make_item("a", assets={"label": {"href": "/l.tif"}, "p": {"href": "/p.tif", "bands": bands}})
    with pytest.raises(ItemError) as caught:
        _granule(item, definition=definition, product="landcover")
    assert caught.value.slug == "missing-band"


@pytest.mark.parametrize(
    ("baseline", "flag", "slug"),
    [
        ("03.01", None, None),
        ("05.10", False, None),
        ("unknown", True, None),
        (None, True, None),
        ("unknown", False, "baseline-unknown"),
        (None, None, "baseline-unknown"),
        ("05.10", "perhaps", "offset-flag"),
        ("05.10", None, "offset-flag-missing"),
    ],
)
def test_the_offset_can_always_be_decided(baseline: Any, flag: Any, slug: str | None) -> None:
    """Pitfall 9: by baseline and by what was applied already; where neither is known the item is refused."""
    item = with_properties(make_item("a"), s2__processing_baseline=baseline, flag=flag)
    if slug is None:
        assert _granule(item).properties.get("flag") == flag
        return
    with pytest.raises(ItemError, match="item a") as caught:
        _granule(item)
    assert caught.value.slug == slug


@pytest.mark.parametrize("words", [{"raster:bands": [{"offset": -0.1}]}, {"raster:offset": -0.1, "bands": [{}]}])
def test_the_offset_that_an_item_declares_must_agree(words: dict[str, Any]) -> None:
    """Pitfall 9: a flag that says "applied" beside an offset still to apply is a fault of the provider."""
    item = with_properties(make_item("a", assets=_assets(**words)), s2__processing_baseline="05.10", flag=False)
    assert _granule(item).properties["flag"] is False
    with pytest.raises(ItemError, match="item a") as caught:
        _granule(with_properties(item, flag=True))
    assert caught.value.slug == "offset-contradiction"


@pytest.mark.parametrize("orbit", [None, "both", ["ascending", "descending"], 1])
def test_radar_tells_its_orbit(orbit: Any) -> None:
    """Pitfall 19: a scene of unknown direction could be mixed with either."""
    item = with_properties(make_item("a", assets={"vv": {"href": "/v.tif"}}), sat__orbit_state=orbit)
    with pytest.raises(ItemError) as caught:
        _granule(item, product="sentinel1")
    assert caught.value.slug == "orbit-unknown"
    for told in ("descending", "DESCENDING"):
        known = with_properties(item, sat__orbit_state=told)
        assert _granule(known, product="sentinel1").properties["sat:orbit_state"] == told


def test_times_are_utc() -> None:
    """Pitfall 40: an offset is taken to UTC."""
    item = with_properties(make_item("a"), datetime="2021-06-01T12:00:00.5+02:00")
    assert _granule(item).datetime == dt.datetime(2021, 6, 1, 10, 0, 0, 500_000, tzinfo=dt.UTC)


def test_a_span_of_time_stands_in_for_a_moment() -> None:
    item = with_properties(
        make_item("a"), datetime=None, start_datetime="2020-01-01T00:00:00Z", end_datetime="2021-01-01T00:00:00Z"
    )
    assert item_interval(item) == (dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2021, 1, 1, tzinfo=dt.UTC))
    assert _granule(item).datetime == dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        (None, "no-datetime"),
        ("yesterday", "bad-datetime"),
        (5, "bad-datetime"),
        ("2021-06-01T10:00:00", "naive-datetime"),
    ],
)
def test_every_bad_time_has_its_name(text: Any, slug: str) -> None:
    """Pitfall 40: among them, a time without a zone."""
    with pytest.raises(ItemError) as caught:
        item_interval(with_properties(make_item("a"), datetime=text))
    assert caught.value.slug == slug


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
PLACES = [
    *(("properties", key) for key in ("datetime", "start_datetime", "end_datetime", "flag", "s2:processing_baseline")),
    *(("properties", key) for key in ("proj:code", "proj:shape", "proj:transform")),
    *(("assets", "red", key) for key in ("href", "raster:bands", "bands", "nodata", "file:size", "data_type")),
    *(("assets", "red", key) for key in ("proj:code", "proj:epsg", "proj:shape", "proj:transform")),
    ("assets", "red"),
    ("geometry",),
    ("geometry", "coordinates"),
    ("geometry", "type"),
    ("bbox",),
    ("links",),
]


@settings(deadline=None)
@given(place=st.sampled_from(PLACES), junk=JUNK)
def test_junk_anywhere_is_a_named_error_or_harmless(place: tuple[str, ...], junk: Any) -> None:
    words = {"proj:code": "EPSG:32633", "proj:shape": [30, 20], "proj:transform": [10, 0, 500000, 0, -10, 5320000]}
    item = copy.deepcopy(make_item("a", (14.9, 47.9, 15.1, 48.1), assets=_assets(**words)))
    node = item
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = junk
    try:
        granule = _granule(item)
    except (ItemError, CatalogError) as error:
        assert error.slug  # noqa: PT017 - which error it is depends on the junk
        return
    assert Granule.from_json(granule.to_json()) == granule
