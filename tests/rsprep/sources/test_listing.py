"""What definitions say in words: complete for each that ships, and true where a user could go wrong."""

from __future__ import annotations

import pytest

from rsprep.sources.definition import list_definitions, load_definition
from rsprep.sources.listing import LAYER_OF, describe, layers_of, needs_account, refusal, short_licence
from tests.rsprep.sources.making import make_definition

PUBLIC = ["earth-search", "earthengine", "esa-worldcover", "planetary-computer"]


@pytest.mark.parametrize("name", list_definitions())
def test_every_product_of_every_source_is_described(name: str) -> None:
    definition = load_definition(name)
    told = describe(definition)
    assert list(told.layers) == [LAYER_OF[product] for product in definition.products.names()]
    for product, words in zip(definition.products.names(), told.layers.values(), strict=True):
        pairs = dict(words)
        assert pairs["collection"] == definition.product(product).collection
        assert {"bands", "resolution", "values", "licence"} <= pairs.keys()
        assert all(text for text in pairs.values())


@pytest.mark.parametrize("name", PUBLIC)
def test_public_providers_tell_cost_and_what_to_print(name: str) -> None:
    definition = load_definition(name)
    told = describe(definition)
    assert "cost" in dict(told.source)
    assert all("to print" in dict(words) for words in told.layers.values())
    assert needs_account(definition) == ("log in" in dict(told.source) and name == "earthengine")


def test_what_is_there_and_not_read_is_said_so() -> None:
    definition = load_definition("earth-search")
    assert layers_of(definition) == ("s2", "terrain")
    assert refusal(definition.product("sentinel1")) == dict(describe(definition).layers["s1"])["refused"]
    assert layers_of(load_definition("planetary-computer")) == ("s2", "s1", "lulc", "terrain")


def test_who_takes_the_offset_off() -> None:
    def offset(name: str) -> str:
        return dict(describe(load_definition(name)).layers["s2"])["offset"]

    assert offset("earthengine").startswith("taken off by the provider")
    assert offset("planetary-computer") == "−1000 from baseline 04.00 on, taken off when read"
    assert offset("planted").endswith("unless earthsearch:boa_offset_applied says that it is off")


def test_units_and_calibration_of_radar_are_told_apart() -> None:
    rtc = dict(describe(load_definition("planetary-computer")).layers["s1"])
    gtc = dict(describe(load_definition("earthengine")).layers["s1"])
    assert rtc["values"].startswith("γ⁰ as linear power; float32, nodata -32768")
    assert gtc["values"].startswith("σ⁰ as dB")
    assert rtc["geometry"].endswith("(rtc)")
    assert gtc["geometry"].endswith("(gtc)")


def test_the_crosswalk_of_other_codings_is_named() -> None:
    def coding(name: str) -> str:
        return dict(describe(load_definition(name)).layers["lulc"])["coding"]

    assert coding("earthengine") == "Dynamic World, as it is"
    assert "catalogs/crosswalks/esa-worldcover.yaml" in coding("esa-worldcover")
    assert "catalogs/crosswalks/io-lulc-v2.yaml: Rangeland holds grass and shrub alike" in coding("planetary-computer")


def test_licences_in_few_words() -> None:
    assert short_licence(load_definition("planetary-computer")) == "Copernicus; CC BY 4.0"
    assert short_licence(make_definition(licence="as the owner says")) == "as the owner says"


def test_an_address_that_is_given_is_the_one_that_is_told() -> None:
    assert dict(describe(load_definition("planted")).source)["address"].startswith("none of its own: give --endpoint")
    elsewhere = describe(load_definition("planetary-computer"), "http://127.0.0.1/stac")
    assert dict(elsewhere.source)["address"] == "http://127.0.0.1/stac (STAC)"
