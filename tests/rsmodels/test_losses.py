import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics.functional.image import spectral_angle_mapper

from rsmodels.losses import cross_entropy, feature_matching, gan_loss, masked_l1, sam_loss

SEEDS = st.integers(0, 2**31)


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("kind", "real", "for_generator", "formula"),
    [
        ("bce", True, False, lambda d: math.log(1 + math.exp(-d))),
        ("bce", False, False, lambda d: math.log(1 + math.exp(d))),
        ("bce", True, True, lambda d: math.log(1 + math.exp(-d))),
        ("lsgan", True, False, lambda d: (d - 1) ** 2),
        ("lsgan", False, False, lambda d: d**2),
        ("lsgan", True, True, lambda d: (d - 1) ** 2),
        ("hinge", True, False, lambda d: max(0, 1 - d)),
        ("hinge", False, False, lambda d: max(0, 1 + d)),
        ("hinge", True, True, lambda d: -d),
    ],
)
def test_gan_losses_by_hand(kind: Any, real: bool, for_generator: bool, formula: Any) -> None:
    logits = torch.tensor([-2.0, -0.5, 0.0, 0.25, 3.0])
    expected = sum(formula(float(d)) for d in logits) / 5
    assert float(gan_loss(logits, real, kind, for_generator=for_generator)) == pytest.approx(expected, rel=1e-6)


def test_gan_loss_is_float32_and_steady_far_out() -> None:
    loss = gan_loss(torch.tensor([1000.0, -1000.0], dtype=torch.bfloat16), True)
    assert loss.dtype == torch.float32
    assert float(loss) == 500
    with pytest.raises(ValueError, match="real=True"):
        gan_loss(torch.zeros(1), False, for_generator=True)


@given(SEEDS, st.floats(0, 1))
@settings(max_examples=25)
def test_l1_is_the_mean_over_valid_pixels(seed: int, share: float) -> None:
    a, b = draw(seed, 2, 3, 4, 4), draw(seed + 1, 2, 3, 4, 4)
    valid = torch.rand((2, 1, 4, 4), generator=torch.Generator().manual_seed(seed)) < share
    chosen = (a - b).abs().permute(0, 2, 3, 1)[valid[:, 0]]
    expected = chosen.mean() if len(chosen) else torch.tensor(0.0)
    torch.testing.assert_close(masked_l1(a, b, valid), expected)
    # what is not valid is of no matter
    torch.testing.assert_close(masked_l1(torch.where(valid, a, 1e6), b, valid), expected)
    torch.testing.assert_close(masked_l1(a, b), F.l1_loss(a, b))


def test_l1_of_nothing_is_zero_with_a_graph() -> None:
    pred = torch.ones(1, 2, 2, 2, requires_grad=True)
    loss = masked_l1(pred, torch.zeros(1, 2, 2, 2), torch.zeros(1, 1, 2, 2, dtype=torch.bool))
    loss.backward()
    assert float(loss.detach()) == 0
    assert pred.grad is not None
    assert not pred.grad.any()


def test_feature_matching_leaves_the_logits_out_and_real_alone() -> None:
    fake = [torch.full((2, 2), 3.0, requires_grad=True), torch.ones(4, requires_grad=True), torch.zeros(1)]
    real = [torch.full((2, 2), 1.0, requires_grad=True), torch.full((4,), 1.5), torch.full((1,), 99.0)]
    loss = feature_matching(fake, real)
    assert float(loss.detach()) == 2 + 0.5
    loss.backward()
    assert real[0].grad is None
    assert fake[0].grad is not None
    for wrong in (fake[:1], fake[:2]):
        with pytest.raises(ValueError, match="layers"):
            feature_matching(wrong, real[: len(fake[:1])])


@given(SEEDS, st.floats(0.1, 10))
@settings(max_examples=25)
def test_sam_is_the_angle_whatever_the_brightness(seed: int, brighter: float) -> None:
    a, b = draw(seed, 2, 4, 3, 3).abs() + 0.05, draw(seed + 1, 2, 4, 3, 3).abs() + 0.05
    angle = sam_loss(a, b)
    torch.testing.assert_close(angle, spectral_angle_mapper(a, b), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(sam_loss(a * brighter, b), angle, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(sam_loss(b, a), angle)


def test_sam_by_hand_and_zero_pixels_are_left_out() -> None:
    a = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [1.0, 2.0]]).T.reshape(1, 2, 2, 2)
    b = torch.tensor([[0.0, 2.0], [1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]).T.reshape(1, 2, 2, 2)
    assert float(sam_loss(a, b)) == pytest.approx((math.pi / 2 + math.pi / 4 + 0) / 3, abs=1e-5)
    first = torch.tensor([[[[True, False], [False, False]]]])
    assert float(sam_loss(a, b, first)) == pytest.approx(math.pi / 2, abs=1e-5)


@pytest.mark.parametrize("case", ["equal", "zero", "opposite", "invalid"])
def test_sam_has_a_finite_gradient_everywhere(case: str) -> None:
    target = torch.rand((2, 4, 3, 3), generator=torch.Generator().manual_seed(0)) + 0.1
    pred = {"equal": target, "zero": 0 * target, "opposite": -target, "invalid": target + 1}[case]
    pred = pred.clone().requires_grad_()
    valid = torch.full((2, 1, 3, 3), case != "invalid")
    loss = sam_loss(pred, target, valid)
    loss.backward()
    assert pred.grad is not None
    assert bool(pred.grad.isfinite().all())
    expected = {"equal": 0, "zero": 0, "opposite": math.pi, "invalid": 0}[case]
    assert float(loss.detach()) == pytest.approx(expected, abs=1e-5)


def test_sam_gradient_leads_towards_the_target() -> None:
    target = torch.tensor([0.2, 0.4, 0.1, 0.3]).reshape(1, 4, 1, 1)
    pred = torch.tensor([0.4, 0.1, 0.3, 0.2]).reshape(1, 4, 1, 1).requires_grad_()
    losses = []
    for _ in range(300):
        loss = sam_loss(pred, target)
        (gradient,) = torch.autograd.grad(loss, pred)
        pred = (pred - 0.01 * gradient).detach().requires_grad_()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.05 < 0.5 < losses[0]


@given(SEEDS, st.booleans(), st.floats(0, 0.9))
@settings(max_examples=25)
def test_cross_entropy_equals_that_of_torch(seed: int, weighted: bool, unknown: float) -> None:
    logits = draw(seed, 2, 5, 4, 4)
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 5, (2, 4, 4), generator=generator)
    labels[torch.rand((2, 4, 4), generator=generator) < unknown] = 255
    labels[0, 0, 0] = 1
    weights = torch.rand(5, generator=generator) + 0.1 if weighted else None
    expected = F.cross_entropy(logits, labels, weights, ignore_index=255)
    torch.testing.assert_close(cross_entropy(logits, labels, weights), expected)
    if not weighted:
        chances = logits.softmax(1).gather(1, labels.where(labels != 255, 0)[:, None])[:, 0]
        torch.testing.assert_close(expected, -chances.log()[labels != 255].mean())


@pytest.mark.parametrize("weights", [None, torch.tensor([0.0, 1.0, 2.0])])
def test_cross_entropy_of_nothing_is_zero_with_a_graph(weights: Tensor | None) -> None:
    logits = draw(0, 1, 3, 2, 2).requires_grad_()
    labels = torch.full((1, 2, 2), 255)
    if weights is not None:
        labels[0, 0, 0] = 0  # known, of no weight
    loss = cross_entropy(logits, labels, weights)
    loss.backward()
    assert float(loss.detach()) == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_losses_of_bfloat16_are_computed_in_float32() -> None:
    logits, labels = draw(0, 2, 5, 16, 16), torch.randint(0, 5, (2, 16, 16))
    rough = logits.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        losses = {
            "entropy": (cross_entropy(rough, labels), cross_entropy(rough.float(), labels)),
            "l1": (masked_l1(rough, logits), masked_l1(rough.float(), logits)),
            "sam": (sam_loss(rough, logits), sam_loss(rough.float(), logits)),
            "features": (feature_matching([rough] * 2, [logits] * 2), F.l1_loss(rough.float(), logits)),
        }
    for name, (found, expected) in losses.items():
        assert found.dtype == torch.float32, name
        assert torch.equal(found, expected), name
