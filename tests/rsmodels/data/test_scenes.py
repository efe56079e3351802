"""One class a chip, from the column of a store to a batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rsmodels.data.augment import Augment, Jitter
from rsmodels.data.fields import IGNORE, Field
from rsmodels.data.loader import Loader, sweep
from rsmodels.data.normalise import Normaliser
from rsmodels.data.order import Stream
from rsmodels.data.raw import ChipFields
from rsmodels.data.source import ChipSource, check_alike, field
from rsmodels.errors import ModelError
from rsmodels.report.pictures import colours_of
from tests.rsmodels.scenes import LABELS, build_scenes


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ChipSource:
    """Of every four chips one has no label."""
    return ChipSource.open(build_scenes(tmp_path_factory.mktemp("some") / "some", labels=(*LABELS, "")))


@pytest.fixture(scope="module")
def fields(source: ChipSource) -> tuple[Field, ...]:
    return (field(source, "image"), field(source, "scene"))


def test_classes_are_the_labels(source: ChipSource, fields: tuple[Field, ...]) -> None:
    scene = fields[1]
    assert (scene.kind, scene.variable, scene.bands) == ("scene", "label", None)
    assert (scene.classes, scene.codes) == (LABELS, (0, 1, 2))
    assert Field.from_json(scene.to_json()) == scene
    assert colours_of(source, fields) == {}


def test_a_batch_has_the_index_of_each_chips_label(source: ChipSource, fields: tuple[Field, ...]) -> None:
    normaliser = Normaliser.from_json(Normaliser.fit([source], fields).to_json())
    told = dict(zip(source.chips.slot.tolist(), source.column("label").tolist(), strict=True))
    batches = list(sweep(source, "train", fields, normaliser, batch=4))
    for batch in batches:
        scenes, valid = batch.values["scene"], batch.valid["scene"]
        assert (scenes.dtype, scenes.shape) == (torch.int64, (len(batch),))
        assert (valid.dtype, valid.shape) == (torch.bool, (len(batch), 1, 1, 1))
        wanted = [LABELS.index(told[key.slot]) if told[key.slot] else IGNORE for key in batch.chips]
        assert scenes.tolist() == wanted
        assert valid.flatten().tolist() == [index != IGNORE for index in wanted]
    every = torch.cat([batch.values["scene"] for batch in batches])
    assert (every == IGNORE).any()
    np.testing.assert_array_equal(normaliser.class_counts("scene"), np.bincount(every[every != IGNORE], minlength=3))
    assert normaliser.channels("scene") == 3
    moved = batches[0].to("cpu", channels_last=True)
    assert torch.equal(moved.values["scene"], batches[0].values["scene"])


def test_turns_and_jitter_leave_the_scene_alone(source: ChipSource, fields: tuple[Field, ...]) -> None:
    normaliser = Normaliser.fit([source], fields)

    def batch(augment: Augment) -> tuple[list[int], torch.Tensor]:
        stream = Stream.of([source], seed=3)
        made = Loader(stream, [source], fields, normaliser, batch=8, augment=augment, threads=0).make(0)
        return made.values["scene"].tolist(), made.values["image"]

    plain, image = batch(Augment(turn=False))
    varied, other = batch(Augment(turn=True, jitter=Jitter(chance=1)))
    assert plain == varied
    assert len(set(plain)) > 1
    assert not torch.equal(image, other)


def test_single_chips_can_be_encoded(source: ChipSource, fields: tuple[Field, ...]) -> None:
    normaliser = Normaliser.fit([source], fields)
    values, valid = normaliser.encode("scene", np.array([2, IGNORE, 0]))
    assert values.tolist() == [2, IGNORE, 0]
    assert valid[:, 0, 0, 0].tolist() == [True, False, True]
    reader = ChipFields(source, fields)
    assert reader.shape("scene") == ()
    with pytest.raises(ModelError, match="model/not-an-image"):
        normaliser.stored("scene", torch.from_numpy(values))


def test_other_data_sets(source: ChipSource, fields: tuple[Field, ...], tiny_dataset: Path, tmp_path: Path) -> None:
    scene = fields[1]
    with pytest.raises(ModelError, match="model/no-such-column"):
        field(ChipSource.open(tiny_dataset), "scene")
    bare = ChipSource.open(build_scenes(tmp_path / "bare", chips=5, labels=("",)))
    with pytest.raises(ModelError, match="model/no-scenes"):
        field(bare, "scene")
    with pytest.raises(ModelError, match="model/unlike-data-sets"):
        bare.layer(scene)
    fewer = ChipSource.open(build_scenes(tmp_path / "fewer", chips=6, labels=LABELS[:2]))
    check_alike([source, fewer], fields)
    more = ChipSource.open(build_scenes(tmp_path / "more", chips=6, labels=(*LABELS[:2], "dRiver")))
    with pytest.raises(ModelError, match=r"unlike-data-sets[\s\S]*dRiver"):
        check_alike([source, more], fields)
    # Whoever only measures on it leaves out what the field does not know.
    (batch,) = sweep(more, more.chips.slot.tolist(), (scene,), Normaliser.fit([source], (scene,)), batch=6)
    assert sorted(set(batch.values["scene"].tolist())) == [0, 1, IGNORE]
