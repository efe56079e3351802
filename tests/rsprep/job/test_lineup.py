"""Which sources a recipe uses, and what it leaves to the command line."""

from __future__ import annotations

import pytest

from rsprep.errors import CatalogError, ConfigError
from rsprep.job.lineup import all_sources, one_source, read_lineup
from rsprep.sources.definition import list_definitions

MIXED = {
    "source": "planetary-computer",
    "sources": {"lulc": ["earthengine", {"source": "esa-worldcover", "endpoint": "http://127.0.0.1/stac"}]},
    "earthengine": {"project": "my-project"},
}


def test_layers_with_their_fallback_in_order() -> None:
    lineup = read_lineup(MIXED)
    assert lineup.layers == {
        "s2": ("planetary-computer",),
        "s1": ("planetary-computer",),
        "lulc": ("earthengine", "esa-worldcover"),
        "terrain": ("planetary-computer",),
    }
    assert lineup.names == ("planetary-computer", "earthengine", "esa-worldcover")  # each once
    assert [one.endpoint for one in lineup.asked] == [None, None, "http://127.0.0.1/stac"]
    assert lineup.login.project == "my-project"
    assert lineup.refused == {}


def test_a_layer_that_the_source_has_and_rsprep_does_not_read() -> None:
    lineup = read_lineup({"source": "earth-search", "layers": ["s2", "s1"]})
    assert lineup.refused == {"s1": "not calibrated, not terrain corrected"}


def test_who_needs_a_period() -> None:
    assert read_lineup(MIXED).without_period == ("planetary-computer", "earthengine")
    assert read_lineup({**MIXED, "start": "2024-06-01"}).without_period == ("planetary-computer", "earthengine")
    assert read_lineup({**MIXED, "start": "2024-06-01", "end": "2024-08-31"}).without_period == ()
    assert read_lineup({"source": "planted"}).without_period == ()


@pytest.mark.parametrize(
    ("recipe", "error", "slug"),
    [
        ({"sources": {"lulc": ["earthengin"]}}, CatalogError, "unknown-source"),
        ({"source": "earth-search"}, CatalogError, "no-such-product"),
        ({"model": "rs-spade"}, ConfigError, "unknown-key"),
    ],
)
def test_recipes_that_cannot_be_used(recipe: dict[str, object], error: type[CatalogError], slug: str) -> None:
    with pytest.raises(error) as caught:
        read_lineup(recipe)
    assert caught.value.slug == slug


def test_all_and_one() -> None:
    assert list(all_sources({}).names) == list_definitions()
    one = one_source("planted", "catalog.json", {"earthengine": {"project": "p"}})
    assert (one.names, one.asked[0].address, one.login.project) == (("planted",), "catalog.json", "p")
    with pytest.raises(ConfigError, match="endpoint-secret"):
        one_source("planted", "https://example.org/stac?sig=secret", {})
