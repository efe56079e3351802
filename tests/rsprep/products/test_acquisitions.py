from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from rsprep.granule import Granule
from rsprep.products.acquisitions import by_date, solar_day, unique_acquisitions

BASELINE = "s2:processing_baseline"
TILE = "s2:mgrs_tile"
BOX = shapely.box(15, 47, 16, 48)


def granule(
    name: str, when: str = "2021-06-01T10:00:31", footprint: shapely.Geometry = BOX, **properties: Any
) -> Granule:
    known = {"tile": TILE, "baseline": BASELINE, "datatake": "s2:datatake_id", "datastrip": "s2:datastrip_id"}
    return Granule(
        id=name,
        product="sentinel2",
        source="planted",
        collection="sentinel-2-l2a",
        datetime=dt.datetime.fromisoformat(when).replace(tzinfo=dt.UTC),
        footprint=footprint,
        assets={},
        properties={"platform": "sentinel-2a"} | {known.get(key, key): value for key, value in properties.items()},
    )


def kept(*granules: Granule, tile_key: str | None = TILE) -> list[str]:
    return [one.id for one in unique_acquisitions(granules, tile_key=tile_key, baseline_key=BASELINE)]


def test_newest_baseline_of_an_acquisition_wins() -> None:
    """Pitfall 14."""
    old = granule("z-old", tile="33UWP", baseline="02.12", datatake="GS2A_20210601T100031_031051_N02.12")
    new = granule("a-new", tile="33UWP", baseline="05.00", datatake="GS2A_20210601T100031_031051_N05.00")
    assert kept(old, new) == kept(new, old) == ["a-new"]


def test_newest_creation_wins_among_equal_baselines() -> None:
    """Pitfall 14."""
    first = granule("station-sgs", tile="33UWP", baseline="05.00", created="2021-06-01T15:00:00Z")
    second = granule("station-mti", tile="33UWP", baseline="05.00", created="2021-06-02T01:00:00Z")
    assert kept(first, second) == ["station-mti"]


def test_last_id_wins_when_nothing_else_tells() -> None:
    """Pitfall 14."""
    assert kept(granule("x_T1"), granule("x_T2"), tile_key=None) == ["x_T2"]


def test_times_across_a_full_minute_are_one_acquisition() -> None:
    """Pitfall 14."""
    assert kept(granule("a", "2021-06-01T10:00:59.9"), granule("b", "2021-06-01T10:01:00.1"), tile_key=None) == ["b"]


def test_other_tiles_dates_and_platforms_are_no_duplicates() -> None:
    """Pitfall 14."""
    granules = (
        granule("a", tile="33UWP"),
        granule("b", tile="33UXP"),
        granule("c", "2021-06-04T10:00:31", tile="33UWP"),
        granule("d", tile="33UWP", platform="sentinel-2c"),
    )
    assert kept(*granules) == ["a", "b", "c", "d"]


def test_tile_names_in_different_spellings_are_one_tile() -> None:
    """Pitfall 14."""
    assert kept(granule("a", tile="MGRS-33UWP"), granule("b", tile="T33UWP"), granule("c", tile="33UWP")) == ["c"]


def test_both_halves_of_a_split_granule_stay() -> None:
    """Pitfall 15: two parts with their own footprints, sharing a seam."""
    south = granule("south", tile="33UWP", baseline="05.00", footprint=shapely.box(15, 47, 16, 47.55))
    north = granule("north", tile="33UWP", baseline="05.00", footprint=shapely.box(15, 47.45, 16, 48))
    reprocessed = granule("north-old", tile="33UWP", baseline="02.00", footprint=shapely.box(15, 47.45, 16, 48))
    assert kept(south, north, reprocessed) == ["south", "north"]


def test_halves_with_the_tile_as_footprint_are_told_apart_by_datastrip() -> None:
    """Pitfall 15: a provider that draws the whole tile around each half."""
    strip = "S2A_OPER_MSI_L2A_DS_ESRI_2021{}T120000_S20210601T{}_N05.00"
    one = granule("one", tile="33UWP", datastrip=strip.format("0601", "095500"))
    two = granule("two", tile="33UWP", datastrip=strip.format("0601", "100030"))
    again = granule("two-again", tile="33UWP", datastrip=strip.format("1224", "100030"))
    assert kept(one, two, again) == ["one", "two-again"]


def test_old_granule_that_reaches_further_than_the_new_one_stays() -> None:
    """Pitfall 15."""
    half = granule("new-half", tile="33UWP", baseline="05.00", footprint=shapely.box(15, 47, 16, 47.5))
    whole = granule("old-whole", tile="33UWP", baseline="02.00")
    assert kept(whole, half) == ["old-whole", "new-half"]


@given(st.permutations(range(6)))
def test_choice_does_not_depend_on_the_order(order: list[int]) -> None:
    granules = [granule(f"{n}", tile=f"33UW{n % 2}", baseline=f"0{n}.00") for n in range(6)]
    assert sorted(kept(*(granules[n] for n in order))) == ["4", "5"]


def test_a_pass_is_one_date_and_passes_stay_apart() -> None:
    """Pitfall 15."""
    granules = [
        granule("s", "2021-06-01T10:00:45"),
        granule("n", "2021-06-01T10:00:31"),
        granule("other-orbit", "2021-06-01T10:00:40", **{"sat:relative_orbit": 122}),
        granule("other-platform", "2021-06-01T10:20:00", platform="sentinel-2c"),
        granule("later", "2021-06-04T10:10:00"),
    ]
    groups = [(day.isoformat(), [one.id for one in group]) for day, group in by_date(granules)]
    assert groups == [
        ("2021-06-01", ["n", "s"]),
        ("2021-06-01", ["other-orbit"]),
        ("2021-06-01", ["other-platform"]),
        ("2021-06-04", ["later"]),
    ]


def test_pass_over_midnight_utc_and_the_antimeridian_is_one_date() -> None:
    """Pitfall 40: near 180° the UTC day changes in the morning, and east and west have different dates."""
    before = granule("fiji-west", "2021-06-01T23:59:50", shapely.box(178, -18, 179.9, -17))
    after = granule("fiji-east", "2021-06-02T00:00:05", shapely.box(-179.9, -18, -179, -17))
    ((day, group),) = by_date([after, before])
    assert [one.id for one in group] == ["fiji-west", "fiji-east"]
    assert day == dt.date(2021, 6, 2)


@pytest.mark.parametrize(
    ("when", "longitude", "expected"),
    [("2021-06-01T23:00:00", 170, "2021-06-02"), ("2021-06-02T01:00:00", -120, "2021-06-01"),
     ("2021-06-01T10:00:00", 15, "2021-06-01")],
)  # fmt: skip
def test_solar_day(when: str, longitude: float, expected: str) -> None:
    footprint = shapely.box(longitude - 0.5, 0, longitude + 0.5, 1)
    assert solar_day(granule("a", when, footprint)).isoformat() == expected


def test_solar_day_of_a_footprint_across_180_degrees() -> None:
    """The mean longitude of its two parts lies near 0° and would give the day before."""
    both = shapely.MultiPolygon([shapely.box(178, 0, 180, 1), shapely.box(-180, 0, -179, 1)])
    assert solar_day(granule("a", "2021-06-01T22:30:00", both)).isoformat() == "2021-06-02"
