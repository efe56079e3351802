"""Which train chip an image is nearest to: how a generator that recites what it was trained on is found.

Images are compared as thumbnails: means over blocks, at most 16 x 16 of them, of every band on the 0 to 1 on which
images are compared. That is coarse on purpose: a copy that was slightly shifted, blurred or noised is still a copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from rsmodels.data.fields import Field
from rsmodels.data.loader import sweep
from rsmodels.data.normalise import Normaliser
from rsmodels.data.source import ChipSource

BLOCKS = 16
"""Blocks along the side of a thumbnail, or as many as there are pixels."""
MEMORY = 256 * 2**20
"""Bytes that the thumbnails of a gallery may take; of more chips an even choice is taken, and said."""
SHARED = 0.25
"""Share of the blocks that two images must both have data in; with less they are not compared."""
LOWEST = 0.01
"""The share of real chips that are nearest to a train chip: what is nearer still is suspect."""
NEXT = 5
"""The nearest chip is held against the one of this rank: a recited image has one chip that is far nearer than others,
a smooth image or one of an ordinary scene has many that are equally near."""
RECITED = 0.5
"""An image is suspect whose nearest chip is nearer than this share of the distance to the other."""


class Near(NamedTuple):
    """The nearest chips of some images."""

    distances: NDArray[np.float64]
    """(B,) root of the mean squared difference of the thumbnails; infinite where there is no chip to compare with."""
    ids: list[str]
    """Names of these chips; empty where there is none."""
    ratios: NDArray[np.float64]
    """(B,) distance over that to the chip of rank `NEXT`, from 0 to 1; NaN where there are not so many."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Gallery:
    """Thumbnails of train chips."""

    ids: tuple[str, ...]
    """Name of each chip."""
    slots: NDArray[np.int64]
    """Its place in the store."""
    of_chips: int
    """Chips that there were; more than `ids` where memory would not have held all."""
    thumbs: Tensor
    """(N, bands, blocks, blocks) float32, 0 where there is no data."""
    known: Tensor
    """(N, blocks, blocks) float32: 1 where a block has data, else 0."""

    @classmethod
    def of(
        cls,
        source: ChipSource,
        slots: Iterable[int],
        field: Field,
        normaliser: Normaliser,
        *,
        batch: int = 32,
        threads: int = 2,
        memory: int = MEMORY,
    ) -> Gallery:
        """Read the chips at `slots`.

        Parameters
        ----------
        field : the image, an optical field.
        memory : bytes that the thumbnails may take.

        Raises
        ------
        ModelError : ``no-chips`` where there are none; ``not-optical``.
        """
        every = np.array([int(slot) for slot in slots], np.int64)
        each = 4 * (normaliser.channels(field.name) + 1) * min(BLOCKS, source.schema.chip_px) ** 2
        count = min(len(every), max(1, memory // each))
        taken = every[np.linspace(0, len(every) - 1, count).round().astype(np.int64)] if count < len(every) else every
        parts = []
        with closing(sweep(source, taken.tolist(), (field,), normaliser, batch=batch, threads=threads)) as batches:
            for one in batches:
                parts.append(thumbnails(normaliser.unit(field.name, one.values[field.name]), one.valid[field.name]))
        names = dict(zip(source.chips.slot.tolist(), source.chips.chip_id.tolist(), strict=True))
        return cls(
            ids=tuple(str(names[slot]) for slot in taken.tolist()),
            slots=taken,
            of_chips=len(every),
            thumbs=torch.cat([thumbs for thumbs, _ in parts]),
            known=torch.cat([known for _, known in parts]),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def nearest(self, images: Tensor, valid: Tensor | None = None, *, without: Sequence[int] | None = None) -> Near:
        """The nearest chip of the gallery, over the blocks in which both have data.

        Parameters
        ----------
        images : (B, bands, y, x) on 0 to 1.
        valid : (B, 1, y, x) bool; all pixels by default.
        without : a slot for each image that it is not compared with: its own.
        """
        thumbs, known = thumbnails(images, valid)
        squared = _squared(thumbs, known, self.thumbs, self.known)
        if without is not None:
            squared[torch.from_numpy(np.asarray(without)[:, None] == self.slots[None])] = torch.inf
        ranked = squared.topk(min(NEXT, len(self)), dim=1, largest=False)
        found, there = ranked.indices[:, 0], ranked.values[:, 0].isfinite()
        # The product that found it loses digits where two are all but equal; the difference itself does not.
        exact = _exact(thumbs, known, self.thumbs[found], self.known[found])
        further = ranked.values[:, -1].clamp_min(0).sqrt()
        enough = further.isfinite() & (further > 0) & (len(self) >= NEXT)
        return Near(
            distances=torch.where(there, exact, torch.inf).numpy(),
            ids=[self.ids[k] if ok else "" for k, ok in zip(found.tolist(), there.tolist(), strict=True)],
            ratios=torch.where(enough, exact / further, torch.nan).clamp_max(1.0).numpy(),
        )


@torch.no_grad()
def thumbnails(images: Tensor, valid: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Means of the valid pixels of each block (B, bands, n, n), and which blocks have any (B, n, n); on the CPU."""
    images = images.detach().float().cpu()
    ok = torch.ones_like(images[:, :1]) if valid is None else valid.detach().float().cpu()
    side = min(BLOCKS, *images.shape[-2:])
    share = functional.adaptive_avg_pool2d(ok, side)
    # `where`, for what lies under no data may be anything
    sums = functional.adaptive_avg_pool2d(torch.where(ok > 0, images, 0.0), side)
    known = (share > 0).float()
    return sums / share.clamp_min(torch.finfo(torch.float32).tiny) * known, known[:, 0]


def _squared(a: Tensor, known_a: Tensor, b: Tensor, known_b: Tensor) -> Tensor:
    """(A, B) mean squared difference over shared blocks; infinite where too few are shared."""
    bands = a.shape[1]
    weight_a, weight_b = (one.flatten(1).double() for one in (known_a, known_b))
    shared = weight_a @ weight_b.T
    total = (a**2).sum(dim=1).flatten(1).double() @ weight_b.T
    total += weight_a @ (b**2).sum(dim=1).flatten(1).double().T
    total -= 2 * (a.flatten(1).double() @ b.flatten(1).double().T)
    enough = shared >= SHARED * weight_a.shape[1]
    return torch.where(enough, total / (bands * shared.clamp_min(1.0)), torch.inf)


def _exact(a: Tensor, known_a: Tensor, b: Tensor, known_b: Tensor) -> Tensor:
    """(B,) root of the mean squared difference of pairs, over shared blocks."""
    both = (known_a * known_b)[:, None].double()
    squared = ((a.double() - b.double()) ** 2 * both).sum(dim=(1, 2, 3))
    return (squared / (a.shape[1] * both.sum(dim=(1, 2, 3)).clamp_min(1.0))).sqrt()


def compared(made: NDArray[np.float64], real: NDArray[np.float64]) -> dict[str, Any]:
    """Distances of generated images and of real held-out ones to their nearest train chips, side by side.

    Returns
    -------
    ``made``, ``real`` : ``median`` and ``lowest`` (1st percentile) of the finite distances.
    ``closer`` : share of the generated images that are nearer to a train chip than the 1st percentile of real ones;
        a hundredth or less where nothing is recited.
    """
    known = {name: values[np.isfinite(values)] for name, values in (("made", made), ("real", real))}
    found: dict[str, Any] = {
        name: {
            "images": len(values),
            "median": float(np.median(values)) if len(values) else float("nan"),
            "lowest": float(np.quantile(values, LOWEST)) if len(values) else float("nan"),
        }
        for name, values in known.items()
    }
    both = len(known["made"]) and len(known["real"])
    return found | {"closer": float((known["made"] < found["real"]["lowest"]).mean()) if both else float("nan")}


def recited(ratios: Sequence[float]) -> float:
    """Share of the images whose nearest train chip stands out (`RECITED`); NaN where none could be ranked."""
    known = np.array(ratios)[~np.isnan(ratios)]
    return float((known < RECITED).mean()) if len(known) else float("nan")
