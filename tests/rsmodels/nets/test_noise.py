import torch

from rsmodels.nets.noise import NoiseForm

FORM = NoiseForm(shape=(4, 3), by_class=True)


def test_what_a_chip_gets_depends_on_its_seed_alone() -> None:
    together = FORM.seeded([7, 8, 2**40])
    assert together.shape == (3, 4, 3)
    assert torch.equal(together[1:2], FORM.seeded([8]))
    assert torch.equal(together[2:], FORM.seeded([2**40]))
    assert not torch.equal(together[0], together[1])


def test_redrawing_changes_the_rows_of_the_classes() -> None:
    noise, other = FORM.seeded([1, 2]), FORM.seeded([3, 4])
    mixed = FORM.redrawn(noise, other, [1, 3])
    assert torch.equal(mixed[:, [1, 3]], other[:, [1, 3]])
    assert torch.equal(mixed[:, [0, 2]], noise[:, [0, 2]])
    assert torch.equal(noise, FORM.seeded([1, 2]))  # left as it was
    whole = NoiseForm(shape=(5,), by_class=False)
    assert torch.equal(whole.redrawn(whole.seeded([1]), whole.seeded([2]), [0]), whole.seeded([2]))
