from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rsmodels.errors import ModelError
from rsmodels.metrics.segmentation import Confusion

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torchmetrics.functional.classification import (
        multiclass_accuracy,
        multiclass_confusion_matrix,
        multiclass_jaccard_index,
    )

IGNORED = 255


def labels(seed: int, classes: int, *, right: float = 0.6, unknown: float = 0.1) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, (3, 16, 16))
    pred = np.where(rng.random(truth.shape) < right, truth, rng.integers(0, classes, truth.shape))
    truth = np.where(rng.random(truth.shape) < unknown, IGNORED, truth)
    return torch.from_numpy(pred), torch.from_numpy(truth)


def counted(pred: Tensor, truth: Tensor, classes: int) -> Confusion:
    confusion = Confusion(classes)
    confusion.update(pred, truth)
    return confusion


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("classes", [2, 9])
def test_figures_equal_torchmetrics(classes: int, seed: int) -> None:
    pred, truth = labels(seed, classes)
    confusion = counted(pred, truth, classes)
    found = confusion.compute()
    setting = {"num_classes": classes, "ignore_index": IGNORED}
    torch.testing.assert_close(torch.from_numpy(confusion.matrix), multiclass_confusion_matrix(pred, truth, **setting))
    each = multiclass_jaccard_index(pred, truth, average="none", **setting)
    np.testing.assert_allclose(found["iou"], each.numpy(), atol=1e-6)
    for name, average in (("miou", "macro"), ("fwiou", "weighted")):
        assert found[name] == pytest.approx(
            float(multiclass_jaccard_index(pred, truth, average=average, **setting)), abs=1e-6
        )
    assert found["accuracy"] == pytest.approx(
        float(multiclass_accuracy(pred, truth, average="micro", **setting)), abs=1e-6
    )
    assert found["pixels"] + found["ignored"] == truth.numel()


def test_a_class_in_neither_is_nan_and_skipped_while_one_only_predicted_counts_as_zero() -> None:
    truth = torch.tensor([[[0, 0, 1, 1]]])
    pred = torch.tensor([[[0, 0, 1, 2]]])
    found = counted(pred, truth, 4).compute()
    np.testing.assert_allclose(found["iou"], [1.0, 0.5, 0.0, np.nan])
    assert found["miou"] == pytest.approx(0.5)
    assert found["fwiou"] == pytest.approx(0.75)
    assert found["support"] == [2, 2, 0, 0]
    theirs = multiclass_jaccard_index(pred, truth, num_classes=4, average="macro")
    assert found["miou"] == pytest.approx(float(theirs), abs=1e-6)


def test_what_is_predicted_on_unknown_pixels_does_not_matter() -> None:
    pred, truth = labels(0, 5, unknown=0.3)
    other = torch.where(truth == IGNORED, 4 - pred, pred)
    np.testing.assert_array_equal(counted(pred, truth, 5).matrix, counted(other, truth, 5).matrix)
    nothing = counted(pred, torch.full_like(truth, IGNORED), 5).compute()
    assert all(math.isnan(nothing[name]) for name in ("miou", "fwiou", "accuracy"))
    assert nothing["pixels"] == 0


def test_one_matrix_for_all_chips_is_not_a_mean_over_chips() -> None:
    truth = torch.tensor([[[0, 0]], [[0, 1]]])
    pred = torch.tensor([[[0, 0]], [[1, 1]]])
    found = counted(pred, truth, 2).compute()
    assert found["miou"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    one_by_one = Confusion(2)
    for chip in range(2):
        one_by_one.update(pred[chip, None], truth[chip, None])
    assert one_by_one.compute() == found


@given(seed=st.integers(0, 1000), cut=st.integers(0, 768), classes=st.integers(1, 6))
def test_neither_order_nor_parts_change_the_matrix(seed: int, cut: int, classes: int) -> None:
    pred, truth = (one.flatten() for one in labels(seed, classes))
    whole = counted(pred[None, None], truth[None, None], classes)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(pred)))
    first, second = Confusion(classes), Confusion(classes)
    first.update(pred[order][:cut], truth[order][:cut])
    second.update(pred[order][cut:], truth[order][cut:])
    first.merge(second)
    np.testing.assert_array_equal(first.matrix, whole.matrix)
    assert first.ignored == whole.ignored
    found = whole.compute()
    known = [value for value in found["iou"] if not math.isnan(value)]
    assert min(known, default=0) - 1e-12 <= found["miou"] <= max(known, default=1) + 1e-12 or not known
    assert math.isnan(found["accuracy"]) or found["fwiou"] <= found["accuracy"] + 1e-12


def test_what_is_no_class_is_refused() -> None:
    truth = torch.zeros(1, 2, 2, dtype=torch.int64)
    for pred, value in ((3, 0), (-1, 0), (0, 3), (0, -1), (IGNORED, 0)):
        with pytest.raises(ModelError, match="no-such-class"):
            Confusion(3).update(torch.full_like(truth, pred), torch.full_like(truth, value))
    with pytest.raises(ModelError, match="odd-labels"):
        Confusion(3).update(truth[0], truth)
    with pytest.raises(ValueError, match="ignored"):
        Confusion(3, ignore=2)
    with pytest.raises(ValueError, match="different classes"):
        Confusion(3).merge(Confusion(4))
