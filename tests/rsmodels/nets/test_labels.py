import pytest
import torch

from rsmodels.errors import ModelError
from rsmodels.nets.labels import Labels, only_classes
from tests.rsmodels.nets.planted import LAND, RADAR


def test_every_size_takes_the_upper_left_pixel_of_its_blocks() -> None:
    labels = torch.randint(0, 9, (2, 16, 16), generator=torch.Generator().manual_seed(0))
    guide = Labels(labels, 9)
    nearest = torch.nn.functional.interpolate(labels[:, None].float(), size=(4, 4), mode="nearest")[:, 0].long()
    assert torch.equal(guide.index(4), nearest)
    assert torch.equal(guide.index(16), labels)


def test_whatever_is_no_class_is_the_unknown_one() -> None:
    guide = Labels(torch.tensor([[[0, 3], [255, -1]]]), 3)
    assert guide.index(2).tolist() == [[[0, 3], [3, 3]]]
    planes = guide.planes(2)
    assert planes.shape == (1, 4, 2, 2)
    assert torch.equal(planes.sum(1), torch.ones(1, 2, 2))
    assert torch.equal(planes.argmax(1), guide.index(2))


def test_one_map_of_classes_and_nothing_else() -> None:
    assert only_classes((LAND,)) is LAND
    for others in ((), (RADAR,), (LAND, RADAR)):
        with pytest.raises(ModelError, match="not-one-label-map"):
            only_classes(others)
