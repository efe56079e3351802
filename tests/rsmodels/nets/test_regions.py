import numpy as np
import torch
from scipy import ndimage

from rsmodels.nets.regions import numbered

DRAWN = """
aaabb
abbba
aabca
cabaa
"""
NUMBERS = """
00000
00001
00001
10011
"""


def of_text(text: str) -> torch.Tensor:
    return torch.tensor([[int(letter, 16) for letter in line] for line in text.split()])


def test_regions_of_a_class_are_numbered_in_reading_order() -> None:
    labels = of_text(DRAWN) - 10
    assert torch.equal(numbered(labels[None], 3)[0], of_text(NUMBERS))


def test_regions_are_those_of_scipy() -> None:
    labels = torch.randint(0, 3, (2, 40, 40), generator=torch.Generator().manual_seed(0))
    found = numbered(labels, 3)
    for image, numbers in zip(labels.numpy(), found.numpy(), strict=True):
        for label in range(3):
            expected, count = ndimage.label(image == label)
            within = numbers[image == label]
            assert set(within.tolist()) == set(range(count))
            assert len(np.unique(expected[image == label] * 1000 + within)) == count
