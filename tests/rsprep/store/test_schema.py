"""What a schema says of its variables."""

from __future__ import annotations

from rsprep.config import make_config
from rsprep.store.schema import multisource_schema


def test_another_light_is_told() -> None:
    """Hillshade can be made anew only by who knows where its light stood; the usual light needs no word."""
    base = {"aoi": "0,0,1,1", "out": "x"}
    usual = multisource_schema(make_config(base))["terrain"].attrs
    assert not {"azimuth", "altitude"} & set(usual)
    other = multisource_schema(make_config({**base, "terrain": {"azimuth": 135.0}}))["terrain"].attrs
    assert (other["azimuth"], other["altitude"]) == (135.0, 45.0)


def test_heights_say_what_they_are() -> None:
    """Pitfall 33: a surface model is told from a terrain model, and what heights are counted from."""
    config = make_config({"aoi": "0,0,1,1", "out": "x"})
    told = multisource_schema(config, dem_surface="DSM", dem_datum="EGM2008")["terrain"].attrs
    assert (told["surface"], told["vertical_datum"]) == ("DSM", "EGM2008")
