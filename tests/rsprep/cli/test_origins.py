from __future__ import annotations

from typing import Any

import pytest

from rsprep.cli.origins import override_origins
from rsprep.config import make_config
from rsprep.errors import ConfigError


def overridden(recipe: dict[str, Any], sources: list[str], endpoints: list[str]) -> dict[str, Any]:
    values = dict(recipe)
    override_origins(values, sources, endpoints)
    return values


def test_one_source_for_all_layers_and_others_for_some() -> None:
    values = overridden(
        {}, ["planetary-computer", "lulc=earthengine, esa-worldcover"], ["earthengine=http://127.0.0.1:9"]
    )
    config = make_config({"aoi": "0,0,1,1", "out": "x", **values})
    assert [origin.source for origin in config.origins("s2")] == ["planetary-computer"]
    first, second = config.origins("lulc")
    assert (first.source, first.endpoint) == ("earthengine", "http://127.0.0.1:9")
    assert (second.source, second.endpoint) == ("esa-worldcover", None)


def test_what_is_given_wins_over_the_recipe_and_leaves_the_rest() -> None:
    recipe = {"source": "planted", "sources": {"lulc": ["a", {"source": "b", "endpoint": "http://b"}], "s1": "c"}}
    values = overridden(recipe, ["s1=d"], ["https://all.example.org/v1", "b=http://other"])
    assert values["endpoint"] == "https://all.example.org/v1"
    assert values["sources"]["s1"] == [{"source": "d"}]
    assert values["sources"]["lulc"] == [{"source": "a"}, {"source": "b", "endpoint": "http://other"}]
    assert overridden({}, [], ["planted=world/catalog.json"])["endpoint"] == "world/catalog.json"


def test_a_path_with_an_equals_sign_is_still_a_path() -> None:
    assert overridden({}, ["./a=b/tiny.yaml"], ["/data/a=b/catalog.json"]) == {
        "source": "./a=b/tiny.yaml",
        "endpoint": "/data/a=b/catalog.json",
    }


@pytest.mark.parametrize(
    ("sources", "endpoints", "name"),
    [(["dem=earthengine"], [], "config/bad-source"), ([], ["earthengine=http://x"], "config/bad-endpoint")],
)
def test_what_names_nothing_is_refused(sources: list[str], endpoints: list[str], name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        overridden({}, sources, endpoints)
    assert caught.value.name == name
