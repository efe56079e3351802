"""Coloured images held against the real ones: planted colours whose figures are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rsmodels.data.batch import ChipBatch
from rsmodels.data.fit import Normalise
from rsmodels.data.loader import sweep
from rsmodels.data.normalise import Normaliser
from rsmodels.data.source import ChipSource, field
from rsmodels.evaluation.colorizer import CHIP_FIGURES, ColorizerJudge
from rsmodels.lab import to_lab, to_rgb
from rsmodels.metrics.colour import colourfulness
from tests.rsmodels.scenes import build_scenes

CHIPS = 5
LEVEL = 2 / 255
"""One level of 8 bit on the normalised scale of -1 to 1."""
Colours = Callable[[Tensor], Tensor]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ChipSource:
    return ChipSource.open(build_scenes(tmp_path_factory.mktemp("scenes") / "scenes", chips=20))


def judge(source: ChipSource, colours: Colours) -> tuple[ColorizerJudge, Iterator[ChipBatch]]:
    """A judge of what `colours` makes of real images, and images of values from 40 to 215, so that no level is cut."""
    image = field(source, "image")
    normaliser = Normaliser.fit([source], [image], how=Normalise(curve="linear", together=True, whole=True))

    def batches() -> Iterator[ChipBatch]:
        for batch in sweep(source, np.arange(CHIPS), (image,), normaliser, batch=2):
            levels = (batch.values["image"] * 0.5 + 0.5).mul(175).round().add(40)
            batch.values["image"] = levels / 255 * 2 - 1
            yield batch

    trained = SimpleNamespace(
        normaliser=normaliser,
        colorize=lambda batch: colours(batch.values["image"]),
        grey=lambda batch: to_lab(batch.values["image"] * 0.5 + 0.5)[:, :1],
    )
    return ColorizerJudge(trained), batches()  # type: ignore[arg-type]  # only what a judge asks for


def judged(source: ChipSource, colours: Colours) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    one, batches = judge(source, colours)
    scores = [one.update(batch) for batch in batches]
    found = one.figures(allow_few=False)
    return {**found["figures"], "left_grey": found["left_grey"]}, {
        name: np.concatenate([part[name] for part in scores]) for name in scores[0]
    }


def test_real_colours_are_all_right(source: ChipSource) -> None:
    figures, scores = judged(source, Tensor.clone)
    assert figures["acc@2"] == figures["acc@5"] == figures["ssim"] == 1.0
    assert figures["mse"] == 0.0
    assert figures["equal"] == figures["images"] == CHIPS
    assert figures["colourfulness"] == pytest.approx(figures["colourfulness_real"])
    assert set(scores) >= set(CHIP_FIGURES)
    assert all(len(values) == CHIPS for values in scores.values())


@pytest.mark.parametrize(("off", "within"), [(2, (1.0, 1.0)), (3, (0.0, 1.0)), (6, (0.0, 0.0))])
def test_one_channel_that_is_off_counts_for_its_pixel(
    source: ChipSource, off: int, within: tuple[float, float]
) -> None:
    """Eq. 12: a pixel is right when none of its three channels is further off."""

    def colours(real: Tensor) -> Tensor:
        return real + torch.tensor([0.0, off * LEVEL, 0.0])[:, None, None]

    figures, _ = judged(source, colours)
    assert (figures["acc@2"], figures["acc@5"]) == within
    assert figures["mse"] == pytest.approx(off**2 / 3, rel=1e-3)
    assert figures["psnr"] == pytest.approx(10 * np.log10(255**2 / (off**2 / 3)), abs=1e-2)


def test_grey_is_not_colourful_however_like(source: ChipSource) -> None:
    """And has the figures that are told beside all others: what no colours at all are worth."""

    def grey(real: Tensor) -> Tensor:
        return to_rgb(to_lab(real * 0.5 + 0.5) * torch.tensor([1.0, 0.0, 0.0])[:, None, None]) * 2 - 1

    figures, scores = judged(source, grey)
    assert figures["colourfulness"] == pytest.approx(0.0, abs=0.1)
    assert figures["left_grey"] == pytest.approx({name: figures[name] for name in figures["left_grey"]}, rel=1e-5)
    one, batches = judge(source, Tensor.clone)
    real = torch.cat([colourfulness(batch.values["image"] * 0.5 + 0.5, batch.valid["image"]) for batch in batches])
    np.testing.assert_allclose(scores["colourfulness_real"], real.numpy(), rtol=1e-5)
    assert figures["colourfulness_real"] == pytest.approx(float(real.mean()), rel=1e-5)
    assert one.words({"psnr": np.array([20.0]), "acc@5": np.array([0.25])}, 0) == "PSNR 20.00 dB\nacc@5 25.0 %"


def test_pixels_without_data_do_not_count(source: ChipSource) -> None:
    one, batches = judge(source, lambda real: torch.where(torch.arange(real.shape[-1]) < 4, -real, real))
    batch = next(batches)
    batch.valid["image"][..., :4] = False
    found = one.update(batch)
    assert (found["acc@2"] == 1.0).all()


def test_each_row_of_pictures_has_grey_coloured_real_and_difference(source: ChipSource) -> None:
    one, batches = judge(source, lambda real: real.flip(1))
    pictures = one.pictures(next(batches), [1])[1]
    assert len(pictures) == len(one.columns) == 4
    grey, coloured, real, difference = pictures
    assert (grey == grey[..., :1]).all()
    assert (coloured[..., ::-1] == real).all()
    assert np.asarray(difference).any()
    assert "hatched: no data" in one.legend.note
