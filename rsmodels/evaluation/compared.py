"""Sets of real and of generated images, compared by features."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor

from rsmodels.errors import ModelError
from rsmodels.evaluation.sight import Sight
from rsmodels.metrics.extractors import BandStatistics, Extractor, SegmenterFeatures
from rsmodels.metrics.frechet import Moments, frechet_distance, kernel_distance


class Compared:
    """Features of real and of generated images, by one extractor. Pixels without data are 0 in both.

    Parameters
    ----------
    seen : images and which of their pixels are valid, to what the extractor takes.
    """

    def __init__(self, extractor: Extractor, seen: Callable[[Tensor, Tensor], Tensor] | None = None) -> None:
        self.extractor = extractor
        self.seen = seen or _cut
        self.real, self.made = (Moments(dim=extractor.dim) for _ in range(2))

    def update(self, real: Tensor, made: Tensor, valid: Tensor) -> None:
        there = valid.flatten(1).any(dim=1)
        if bool(there.any()):
            for moments, images in ((self.real, real), (self.made, made)):
                moments.update(self.extractor(self.seen(images[there], valid[there])))

    def record(self, *, allow_few: bool) -> dict[str, Any]:
        """Both distances, or why there is none."""
        found: dict[str, Any] = {
            "extractor": self.extractor.name,
            "dim": self.extractor.dim,
            "real": self.real.count,
            "made": self.made.count,
            "kernel_images": len(self.real.sample),
        }
        figures: dict[str, Callable[[Moments, Moments], float]] = {
            "frechet": partial(frechet_distance, allow_few=allow_few),
            "kernel": kernel_distance,
        }
        for name, distance in figures.items():
            try:
                found[name] = distance(self.real, self.made)
            except ModelError as error:
                if error.slug != "too-few-images":
                    raise
                found[name], found[f"no_{name}"] = None, error.cause
        return found


def by_bands(bands: int) -> Compared:
    """By plain figures of each band."""
    return Compared(BandStatistics(bands))


def by_segmenter(sight: Sight) -> Compared:
    """By the deepest features of a segmentation network."""
    return Compared(SegmenterFeatures(sight.segmenter.network, sight.name, sight.probe()), sight.seen)


def _cut(images: Tensor, valid: Tensor) -> Tensor:
    return images.float().clamp(-1.0, 1.0) * valid
