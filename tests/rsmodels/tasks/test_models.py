"""The registry: names, presets, and what is refused."""

from __future__ import annotations

import pytest

from rsmodels.errors import ModelError
from rsmodels.tasks.models import MODELS, model, preset, resolve
from rsmodels.tasks.presets import PRESETS

EVERY = [(name, chosen) for name, presets in PRESETS.items() for chosen in presets]


def test_every_model_has_the_three_presets() -> None:
    assert PRESETS.keys() == MODELS.keys()
    assert all(set(presets) == {"tiny", "base", "paper"} for presets in PRESETS.values())


@pytest.mark.parametrize(("name", "chosen"), EVERY)
def test_presets_are_settings(name: str, chosen: str) -> None:
    settings = resolve({"model": name, "preset": chosen, "data": ["chips"], "out": "run"})
    record = settings.model_dump(mode="json")
    for key, value in preset(name, chosen).items():
        kept = record[key]
        if isinstance(value, dict):
            assert value.items() <= kept.items()
        else:
            assert kept == (list(value) if isinstance(value, tuple) else value)


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
