"""Cross-view retrieval as it is trained: which view from above shows the place that is seen from the ground."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Self, cast

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field, model_validator
from torch import Tensor, nn

from rsmodels.data.batch import ChipBatch
from rsmodels.data.fields import Field as ChipField
from rsmodels.data.normalise import Normaliser
from rsmodels.data.places import ELSEWHERE, PLACE
from rsmodels.data.source import ChipSource, field
from rsmodels.metrics.retrieval import average_precision, first_ranks, retrieval_figures, same_places
from rsmodels.nets.views import ViewMatcher, Views, ViewsNetwork
from rsmodels.report.pictures import paint
from rsmodels.tasks.base import Kind, Networks, Phase, Rows, in_mode
from rsmodels.tasks.settings import Optimiser, RunSettings
from rsprep.errors import ConfigError
from rsprep.settings import Section

IMAGE, SATELLITE = "image", "satellite"
TURNS = 8


class ViewLosses(Section):
    """What brings two views of a place together."""

    places: float = Field(
        1.0, ge=0, description="weight of classifying places: cross-entropy summed over parts, as LPN"
    )
    contrast: float = Field(0.0, ge=0, description="weight of telling the views of a batch apart (InfoNCE)")
    temperature: float = Field(0.1, gt=0, description="of the contrast: similarities are divided by it")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.places + self.contrast:
            raise ValueError("places and contrast cannot both be 0: nothing would be learned")
        return self


class RetrievalSettings(RunSettings):
    """A run of cross-view retrieval."""

    model: Literal["retrieval"] = Field("retrieval", description="what is trained")
    image: str | None = Field(None, description="variable with the view from the ground; null: ground, or clean")
    satellite: str = Field("satellite", description="variable with the view from above")
    place: str | None = Field(None, description="column that tells places apart; null: source, else chip_id")
    bands: tuple[str, ...] | None = Field(None, description="bands of both views, in this order; null: all")
    turn: Literal["none", "panorama"] = Field(
        "panorama", description="panorama: views are turned and mirrored together, rolling the one from the ground"
    )
    network: ViewsNetwork = ViewsNetwork()
    losses: ViewLosses = ViewLosses()
    optimiser: Optimiser = Optimiser(lr=1e-3, betas=(0.9, 0.999), weight_decay=1e-2)

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if len(self.data) > 1:
            raise ConfigError(
                "one-data-set",
                "places are told apart within one data set",
                value=", ".join(self.data),
                remedy="give one --data",
            )
        if self.augment.turn:
            raise ConfigError(
                "turned-panorama",
                "quarter turns of a panorama show nothing that there is",
                value="augment.turn: true",
                remedy="leave it out: turn: panorama turns both views as they belong together",
            )
        return self

    def fields(self, source: ChipSource) -> tuple[ChipField, ...]:
        """The view from the ground, the one from above, and the place."""
        seen = self.image or next((name for name in ("ground", "clean") if name in source.schema.names), "ground")
        return (
            field(source, IMAGE, seen, self.bands),
            field(source, SATELLITE, self.satellite, self.bands),
            field(source, PLACE, self.place),
        )


class RetrievalTask:
    """A network of two branches that describes views of a place alike."""

    kind: Kind = "retrieval"
    main = "network"
    headline: tuple[str, Literal["higher", "lower"]] = ("recall@1", "higher")

    def __init__(self, settings: RetrievalSettings, normaliser: Normaliser, network: ViewMatcher) -> None:
        self.settings = settings
        self.normaliser = normaliser
        self.fields = tuple(normaliser.field(name) for name in (IMAGE, SATELLITE, PLACE))
        self.networks = nn.ModuleDict({"network": network})
        self.phases = (Phase(name="network", networks=("network",), optimiser=settings.optimiser),)

    def begin(self, networks: Networks, batch: ChipBatch) -> Views:
        """Descriptions and places of both views, turned together."""
        ground, satellite = batch.values[IMAGE], batch.values[SATELLITE]
        if self.settings.turn == "panorama":
            ground, satellite = turned(ground, satellite, torch.randint(TURNS, (len(batch),)))
        views: Views = networks["network"](ground, satellite)
        return views

    def loss(self, phase: str, networks: Networks, batch: ChipBatch, state: Views) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy of the places, summed over parts; the contrast of the batch, if it weighs anything."""
        how = self.settings.losses
        parts: dict[str, Tensor] = {}
        total = state.ground.new_zeros((), dtype=torch.float32)
        if how.places:
            truth = batch.values[PLACE]
            parts["places"] = (
                part_entropy(state.ground_logits, truth) + part_entropy(state.satellite_logits, truth)
            ) / 2
            total = total + how.places * parts["places"]
        if how.contrast:
            parts["contrast"] = contrast(state.ground, state.satellite, batch.values[PLACE], how.temperature)
            total = total + how.contrast * parts["contrast"]
        return total, parts

    def predict(self, network: nn.Module, batch: ChipBatch, noise: Tensor | None = None) -> Tensor:
        """(B, 2, n) descriptions of length 1: of the view from the ground, and of the one from above."""
        del noise  # it draws none
        matcher = cast(ViewMatcher, network)
        with in_mode(network, training=False):
            both = matcher.embed("ground", batch.values[IMAGE]), matcher.embed("satellite", batch.values[SATELLITE])
        return torch.stack(both, dim=1)

    def score(self, network: nn.Module, batches: Iterable[ChipBatch]) -> dict[str, float]:
        """Recall@1, 5 and 10, and average precision, of all chips as queries and all their views from above."""
        pairs: list[Tensor] = []
        keys: list[object] = []
        for batch in batches:
            pairs.append(self.predict(network, batch).cpu())
            keys += views_of(batch.values[SATELLITE])
        return found_places(torch.cat(pairs), keys)

    def panels(
        self, network: nn.Module, batch: ChipBatch, colours: Mapping[str, Sequence[str]]
    ) -> tuple[tuple[str, ...], Rows]:
        """Views from the ground, their places, and the places that are most like them within the batch."""
        found = self.predict(network, batch).cpu()
        nearest = (found[:, 0] @ found[:, 1].T).argmax(dim=1).tolist()
        image, satellite = (
            paint(self.normaliser.field(name), batch.values[name], self.normaliser, valid=batch.valid[name])
            for name in (IMAGE, SATELLITE)
        )
        rows: Rows = [
            (str(key.slot), [image[row], satellite[row], satellite[nearest[row]]])
            for row, key in enumerate(batch.chips)
        ]
        return ("ground", "its place", "found"), rows


def found_places(pairs: Tensor, keys: Sequence[object]) -> dict[str, float]:
    """Figures of descriptions (N, 2, n) of views from the ground and from above; `keys` tell places apart."""
    kept, relevant = same_places(keys)
    similarity = pairs[:, 0] @ pairs[kept, 1].T
    return retrieval_figures(first_ranks(similarity, relevant), average_precision(similarity, relevant))


def views_of(images: Tensor) -> list[object]:
    """What tells places apart where their names are not known: pixels of their views from above, (B, C, y, x)."""
    return [image.contiguous().cpu().numpy().tobytes() for image in images]


def part_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy of (B, parts, places) with (B,) places, summed over parts; the mean over chips of known place."""
    each = F.cross_entropy(
        logits.float().flatten(0, 1),
        truth.repeat_interleave(logits.shape[1]),
        ignore_index=ELSEWHERE,
        reduction="sum",
    )
    return each / (truth != ELSEWHERE).sum().clamp_min(1)


def contrast(ground: Tensor, satellite: Tensor, truth: Tensor, temperature: float) -> Tensor:
    """InfoNCE of the parts' descriptions (B, parts, n) in both directions; views of one place are no rivals."""
    one, other = (F.normalize(parts.float(), dim=2).flatten(1) / parts.shape[1] ** 0.5 for parts in (ground, satellite))
    similarity = one @ other.T / temperature
    alike = (
        (truth[:, None] == truth[None])
        & (truth[:, None] != ELSEWHERE)
        & ~torch.eye(len(truth), device=truth.device).bool()
    )
    similarity = similarity.masked_fill(alike, -torch.inf)
    own = torch.arange(len(truth), device=truth.device)
    return (F.cross_entropy(similarity, own) + F.cross_entropy(similarity.T, own)) / 2


def turned(ground: Tensor, satellite: Tensor, elements: Tensor) -> tuple[Tensor, Tensor]:
    """Both views of each place as if the place were another: mirrored east to west (4 to 7), then turned.

    A quarter turn of the view from above, counter-clockwise, moves what was east to the north: a quarter of the
    panorama to the left.

    Parameters
    ----------
    ground : (B, C, y, x) panoramas with north in the middle, x a multiple of 4.
    satellite : (B, C, y, x), square, north up.
    elements : (B,) of the dihedral group, 0 to 7.
    """
    pairs = []
    for one, other, element in zip(ground, satellite, elements.tolist(), strict=True):
        if element >= TURNS // 2:
            one, other = one.flip(-1), other.flip(-1)
        quarters = element % 4
        pairs.append((one.roll(-quarters * (one.shape[-1] // 4), -1), torch.rot90(other, quarters, (-2, -1))))
    grounds, satellites = zip(*pairs, strict=True)
    return torch.stack(grounds), torch.stack(satellites)
