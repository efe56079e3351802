from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsmodels.errors import ModelError
from rsmodels.synth.settings import SynthSettings
from rsmodels.synth.variations import Variation, dealt, variations
from rsprep.errors import ConfigError
from rsprep.settings import make_settings

PARENTS = np.array([3, 7, 8, 20, 31], np.int64)
ALL = variations(turns=True, edits=True)


def test_each_way_has_a_name_of_its_own() -> None:
    assert [one.name for one in ALL[:5]] == ["identity", "rot90", "rot180", "rot270", "mirror"]
    assert ALL[9].name == "edit2-rot90"
    assert len({one.name for one in ALL}) == len(ALL) == 16
    assert [one.unchanged for one in ALL] == [True] + [False] * 15
    assert len(variations(turns=False, edits=False)) == 1
    still = variations(turns=False, edits=True)
    assert {one.element for one in still} == {0}
    assert len({one.name for one in still}) == 9


@given(count=st.integers(1, 80), seed=st.integers(0, 5))
def test_no_chip_is_made_twice_and_none_is_preferred(count: int, seed: int) -> None:
    chips = list(dealt(PARENTS, count, ALL, seed))
    assert len(set(chips)) == count
    uses = [sum(slot == parent for slot, _ in chips) for parent in PARENTS.tolist()]
    assert max(uses) - min(uses) <= 1
    for slot, variation in chips:
        assert (slot, ALL[0]) in chips or variation == ALL[0]
    assert set(chips) <= set(dealt(PARENTS, min(count + 1, 80), ALL, seed))


def test_the_seed_chooses_who_is_used_once_more() -> None:
    chosen = {tuple(slot for slot, _ in dealt(PARENTS, 2, ALL, seed)) for seed in range(20)}
    assert len(chosen) > 3


def test_more_than_possible_is_refused_with_the_most() -> None:
    assert len(list(dealt(PARENTS, 80, ALL, 0))) == 80
    with pytest.raises(ModelError, match=r"too-many.*at most 80"):
        list(dealt(PARENTS, 81, ALL, 0))


@pytest.mark.parametrize("kind", ["edit_seed", "noise_seed"])
def test_randomness_follows_from_seed_parent_and_variation(kind: str) -> None:
    one, other = Variation(element=1, edit=2), Variation(element=1, edit=3)
    seeds = [getattr(one, kind)(*of) for of in ((0, "a"), (1, "a"), (0, "b"))] + [getattr(other, kind)(0, "a")]
    assert len(set(seeds)) == 4
    assert getattr(one, kind)(0, "a") == seeds[0]
    assert all(0 <= seed < 2**31 for seed in seeds)


@given(parent=st.text(max_size=40), seed=st.integers(0, 9))
def test_all_chips_of_a_parent_have_different_noise(parent: str, seed: int) -> None:
    every = variations(turns=True, edits=True, samples=50)
    assert len({one.noise_seed(seed, parent) for one in every}) == len(every) == 800


def test_samples_of_one_form_have_one_edit_and_names_of_their_own() -> None:
    every = variations(turns=True, edits=True, samples=3)
    assert len({one.name for one in every}) == len(every) == 48
    second = Variation(element=1, edit=2, sample=1)
    assert second.name == "edit2-rot90-s2"
    assert second.edit_seed(0, "a") == second.form.edit_seed(0, "a") != second.noise_seed(0, "a")
    assert Variation(sample=2).name == "identity-s3"
    assert Variation(sample=2).unchanged


def test_the_mask_as_it_is_comes_first_with_all_its_samples() -> None:
    every = variations(turns=True, edits=True, samples=3)
    order = [one for slot, one in dealt(PARENTS, len(PARENTS) * 48, every, 0) if slot == 7]
    assert len(set(order)) == 48
    assert [one.name for one in order[:3]] == ["identity", "identity-s2", "identity-s3"]
    assert [bool(one.edit) for one in order] == [False] * 24 + [True] * 24
    assert [one.sample for one in order[3:]] == [0] * 7 + [1] * 7 + [2] * 7 + [0] * 8 + [1] * 8 + [2] * 8
    alone = [one for slot, one in dealt(PARENTS, 80, ALL, 0) if slot == 7]
    assert [one for one in order if not one.sample] == alone  # the first samples come as they do without others


def test_parents_are_used_in_proportion_to_their_weights() -> None:
    weights = np.array([1.0, 1, 2, 0, 4])
    uses = [slot for slot, _ in dealt(PARENTS, 16, ALL, 0, weights)]
    assert [uses.count(slot) for slot in PARENTS.tolist()] == [2, 2, 4, 0, 8]
    assert len(set(dealt(PARENTS, 80, ALL, 0, weights))) == 80


def settings(**values: object) -> SynthSettings:
    return make_settings(SynthSettings, {"data": "chips", "checkpoint": "run", **values})


def test_how_many_chips_are_asked_for() -> None:
    assert [settings(n=n).count(20) for n in ("2x", "1.5X", "7", 7)] == [40, 30, 7, 7]
    assert settings().count(20) == 20
    with pytest.raises(ModelError, match="too-few"):
        settings(n="0.01x").count(20)


@pytest.mark.parametrize("n", ["0", 0, "0x", "-1", "2.5", "x", "many", "", "nan", "1e3", None])
def test_an_amount_that_is_none_is_refused(n: object) -> None:
    with pytest.raises(ConfigError, match="bad-n"):
        settings(n=n)


def test_one_worker_unless_more_are_asked_for() -> None:
    assert settings().engine.workers == 1
    assert settings(engine={"scheduler": "processes"}).engine.workers == 1
    assert settings(engine={"workers": 3}).engine.workers == 3


def test_parents_are_not_all_turned_alike() -> None:
    """Twice as many chips as parents: each once as it is, and once in a form that differs from parent to parent."""
    many = np.arange(64)
    second = [variation for _, variation in list(dealt(many, 128, ALL, 0))[64:]]
    assert {one.element for one in second} == set(range(1, 8))
    assert not any(one.edit for one in second)
    assert second != [variation for _, variation in list(dealt(many, 128, ALL, 1))[64:]]
