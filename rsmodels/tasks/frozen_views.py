"""A trained matcher of views that does not learn any more: what repaired panoramas are to be located by."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from rsmodels.data.normalise import Normaliser
from rsmodels.nets.views import ViewMatcher
from rsmodels.tasks.frozen import Frozen, Rescaling
from rsmodels.tasks.retrieval import SATELLITE, found_places, views_of


class FrozenRetriever(Frozen):
    """A trained matcher, given views from the ground in the scale of another model's normaliser: (B, C, y, x).

    Its target are the views from above of the same places, in that normaliser's scale, too.
    """

    network: ViewMatcher
    target = SATELLITE
    headline = "recall@1"

    def __init__(self, network: ViewMatcher, theirs: Normaliser, mine: Normaliser) -> None:
        super().__init__(network, theirs, mine)
        self.above = Rescaling(mine, theirs, SATELLITE)

    def forward(self, images: Tensor) -> Tensor:
        """(B, n) descriptions of length 1 of views from the ground."""
        return self.network.embed("ground", self.translated(images))

    def loss(self, images: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy over the places that it was trained on, summed over parts, the mean over chips.

        The place of each chip is what the network makes of the view from above, which nothing hides: of a place that
        it knows nearly all of the distribution is on that one, and the loss is LPN's; of another it is as many places
        as look like it.

        Parameters
        ----------
        target : (B, C, y, x) the views from above.
        """
        with torch.no_grad():
            told = self.network.logits("satellite", self.above(target)).float().softmax(dim=2)
        said = self.network.logits("ground", self.translated(images)).float().log_softmax(dim=2)
        return -(told * said).sum(dim=(1, 2)).mean()

    @torch.no_grad()
    def score(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Recall@1, 5 and 10, and average precision: all images as queries, all their views from above as gallery."""
        described: list[Tensor] = []
        keys: list[object] = []
        for images, target in pairs:
            above = self.network.embed("satellite", self.above(target))
            described.append(torch.stack([self(images), above], dim=1).cpu())
            keys += views_of(target)
        return found_places(torch.cat(described), keys)
