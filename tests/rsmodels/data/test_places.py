"""One place a chip: as many as there are train chips, and none that others are held against."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rsmodels.data.fields import Field
from rsmodels.data.loader import sweep
from rsmodels.data.normalise import Normaliser
from rsmodels.data.places import ELSEWHERE
from rsmodels.data.source import ChipSource, field
from rsmodels.errors import ModelError
from rsprep.corpus.occlusion.job import occlude
from tests.rsmodels.views import build_views
from tests.rsprep.corpus.occluding import write_masks


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ChipSource:
    return ChipSource.open(build_views(tmp_path_factory.mktemp("views") / "views"))


def test_places_are_those_of_the_train_chips(source: ChipSource) -> None:
    fields = tuple(field(source, name, variable) for name, variable in (("image", "ground"), ("place", None)))
    place = fields[1]
    assert place.classes == tuple(sorted(source.chips.chip_id[source.chips.split == "train"].tolist()))
    assert Field.from_json(place.to_json()) == place
    normaliser = Normaliser.from_json(Normaliser.fit([source], fields).to_json())
    assert normaliser.channels("place") == len(place.classes)
    names = dict(zip(source.chips.slot.tolist(), source.chips.chip_id.tolist(), strict=True))
    for batch in sweep(source, "train", fields, normaliser, batch=5):
        assert batch.values["place"].dtype == torch.int64
        assert [place.classes[i] for i in batch.values["place"].tolist()] == [names[key.slot] for key in batch.chips]
        assert batch.valid["place"].shape == (len(batch), 1, 1, 1)
        assert batch.valid["place"].all()
    for batch in sweep(source, "test", fields, normaliser, batch=5):
        assert (batch.values["place"] == ELSEWHERE).all()
        assert not batch.valid["place"].any()


def test_there_may_be_more_places_than_classes() -> None:
    names = tuple(f"p{i:04d}" for i in range(1000))
    made = Field(name="place", variable="chip_id", kind="place", classes=names, codes=tuple(range(1000)))
    assert Field.from_json(made.to_json()) == made


def test_pairs_show_the_place_that_they_were_made_of(source: ChipSource, tmp_path: Path) -> None:
    masks = write_masks(tmp_path / "masks", 12, side=32)
    settings = {"images": str(source.folder), "masks": str(masks), "variable": "ground", "carry": ["satellite"]}
    settings |= {
        "per_image": 2,
        "out": str(tmp_path / "pairs"),
        "catalog": str(tmp_path / "catalog"),
        "place": "random",
    }
    pairs = ChipSource.open(occlude(settings).dataset)
    place = field(pairs, "place")
    assert place.variable == "source"
    assert place.classes == field(source, "place").classes
    assert field(pairs, "satellite").bands == ("red", "green", "blue")


def test_one_place_is_nothing_to_tell_apart(source: ChipSource) -> None:
    with pytest.raises(ModelError, match="model/no-places"):
        field(source, "place", "epsg")
