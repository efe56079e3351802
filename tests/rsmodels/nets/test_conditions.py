import pytest
import torch

from rsmodels.errors import ModelError
from rsmodels.nets.conditions import Condition, concatenated, planes, resized, total_channels
from tests.rsmodels.nets.planted import ALL, LAND, RADAR, TERRAIN, drawn


def test_classes_become_one_hot_and_unknown_ones_nothing() -> None:
    labels = torch.tensor([[[0, 8], [255, 3]]])
    one_hot = planes(LAND, {"landcover": labels})
    assert one_hot.shape == (1, 9, 2, 2)
    assert one_hot.dtype == torch.float32
    for y, x in ((0, 0), (0, 1), (1, 1)):
        assert one_hot[0, :, y, x].nonzero().flatten().tolist() == [labels[0, y, x]]
    assert not one_hot[0, :, 1, 0].any()


def test_concatenation_keeps_the_order_and_enlarges_what_is_coarser() -> None:
    values = drawn(8) | {"terrain": drawn(4)["terrain"]}
    stack = concatenated(ALL, values)
    assert stack.shape == (2, total_channels(ALL), 8, 8)
    torch.testing.assert_close(stack[:, :9], planes(LAND, values))
    torch.testing.assert_close(stack[:, 9:11], values["radar"])
    # bilinear, pixels as areas: the middle of four pixels is as far from each
    torch.testing.assert_close(stack[:, 11:, 1:3, 1:3].mean((2, 3)), values["terrain"][:, :, :2, :2].mean((2, 3)))


def test_coarser_classes_are_repeated() -> None:
    labels = torch.tensor([[[0, 1], [255, 3]]])
    fine = concatenated((LAND,), {"landcover": labels}, 6)
    again = labels.repeat_interleave(3, 1).repeat_interleave(3, 2)
    torch.testing.assert_close(fine, planes(LAND, {"landcover": again}))


def test_going_down_is_the_mean_of_the_area() -> None:
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert resized(x, 2).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]


@pytest.mark.parametrize("last", [False, True])
def test_planes_lie_in_memory_as_the_caller_has_them(last: bool) -> None:
    order = torch.channels_last if last else torch.contiguous_format
    values = {
        name: tensor.contiguous(memory_format=order) if tensor.ndim == 4 else tensor
        for name, tensor in drawn(8).items()
    }
    assert concatenated(ALL, values).is_contiguous(memory_format=order)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"radar": torch.zeros(1, 2, 8, 8)}, "no-such-condition"),
        ({"radar": torch.zeros(1, 3, 8, 8), "terrain": torch.zeros(1, 5, 8, 8)}, "unlike-condition"),
        ({"radar": torch.zeros(1, 2, 8, 8), "terrain": torch.zeros(1, 5, 3, 3)}, "odd-size"),
        ({"radar": torch.zeros(1, 2, 8, 8), "terrain": torch.zeros(1, 5, 8, 4)}, "odd-size"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(values: dict[str, torch.Tensor], name: str) -> None:
    with pytest.raises(ModelError) as caught:
        concatenated((RADAR, TERRAIN), values)
    assert caught.value.slug == name


def test_class_conditions_want_indices() -> None:
    with pytest.raises(ModelError, match="unlike-condition"):
        planes(LAND, {"landcover": torch.zeros(1, 9, 4, 4)})


@pytest.mark.parametrize("conditions", [(), (RADAR, RADAR)])
def test_no_condition_and_one_twice_are_refused(conditions: tuple[Condition, ...]) -> None:
    with pytest.raises(ModelError, match="bad-conditions"):
        total_channels(conditions)


def test_a_condition_without_channels_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one channel"):
        Condition(name="radar", channels=0)
