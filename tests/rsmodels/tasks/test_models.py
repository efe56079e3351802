"""The registry: names, presets, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from rsmodels.errors import ModelError
from rsmodels.tasks.models import MODELS, model, preset, resolve
from rsmodels.tasks.presets import PRESETS

WHOLE = ("tiny", "base", "paper")
EVERY = [
    (name, chosen if chosen in WHOLE else f"tiny,{chosen}") for name, presets in PRESETS.items() for chosen in presets
]


def test_every_model_has_the_three_presets() -> None:
    assert PRESETS.keys() == MODELS.keys()
    assert all(tuple(presets)[:3] == WHOLE for presets in PRESETS.values())


def test_systems_that_are_compared_are_of_one_width() -> None:
    """What SemanticTask trains, by size: anything but the network's own numbers is the same."""
    systems = ("csebgan", "spade", "vspade", "clade", "inade", "pix2pixhd")
    for chosen in WHOLE:
        given = [resolve({"model": name, "preset": chosen, "data": ["a"], "out": "run"}) for name in systems]
        records = [settings.model_dump() for settings in given]
        assert len({record["network"]["width"] for record in records}) == 1
        for record in records:
            record["losses"].pop("kl")
            for key in ("model", "network", "conductor", "conductor_optimiser"):
                record.pop(key)
            assert record == records[0]


@pytest.mark.parametrize(("name", "chosen"), EVERY)
def test_presets_are_settings(name: str, chosen: str) -> None:
    settings = resolve({"model": name, "preset": chosen, "data": ["chips"], "out": "run"})
    assert_holds(settings.model_dump(mode="json"), preset(name, chosen))


def assert_holds(record: Any, wanted: Any) -> None:
    """What was asked for is in the record, section by section."""
    if isinstance(wanted, Mapping):
        for key, value in wanted.items():
            assert_holds(record[key], value)
    else:
        assert record == (list(wanted) if isinstance(wanted, tuple) else wanted)


def test_presets_are_laid_over_one_another() -> None:
    both = preset("csebgan", "tiny,without-real")
    assert both == preset("csebgan", ["tiny", "without-real"])
    assert both["conductor"] == {**PRESETS["csebgan"]["tiny"]["conductor"], "on_real": False}
    assert PRESETS["csebgan"]["tiny"]["conductor"].keys() == {"network"}  # as it was


def test_a_part_of_a_section_goes_over_the_default_of_its_place() -> None:
    given = {"model": "csebgan", "data": ["a"], "out": "run", "steps": 1}
    settings = resolve({**given, "generator_optimiser": {"lr": 0.5}, "conductor": {"weight": 2}}).model_dump()
    assert settings["generator_optimiser"]["betas"] == (0.0, 0.9)
    assert (settings["conductor"]["kind"], settings["conductor"]["weight"]) == ("joint", 2)


def test_what_is_given_wins_over_the_preset() -> None:
    given = {"model": "rs-spade", "preset": "tiny", "data": ["a"], "out": "run"}
    settings = resolve({**given, "network": {"width": 7}, "epochs": 3})
    record = settings.model_dump(mode="json")
    assert (record["network"]["width"], record["network"]["hidden"]) == (
        7,
        PRESETS["rs-spade"]["tiny"]["network"]["hidden"],
    )
    assert (record["epochs"], record["steps"]) == (3, 0)  # the preset's steps give way
    assert resolve({**given, "ratio": "1"}).ratio == (1,)


def test_settings_are_taken_as_they_were_saved() -> None:
    settings = resolve({"model": "segmentation", "preset": "base", "data": ["a", "b"], "out": "run", "ratio": "2:1"})
    assert resolve(settings.model_dump(mode="json")) == settings


def test_unknown_names() -> None:
    with pytest.raises(ModelError, match=r"no-such-model[\s\S]*did you mean 'pix2pix'"):
        model("pix2pixel")
    with pytest.raises(ModelError, match=r"no-such-preset[\s\S]*tiny, base, paper"):
        preset("pix2pix", "giant")
    with pytest.raises(ModelError, match="no-such-model"):
        resolve({"data": ["a"], "out": "run"})
