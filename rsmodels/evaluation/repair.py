"""Repaired images against the clean ones, and what a task makes of them (Sun et al., IV, Tables I to III)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.data.batch import ChipBatch
from rsmodels.evaluation.bench import OCCLUDED, Bench
from rsmodels.evaluation.fed import Fed
from rsmodels.evaluation.judges import IMAGE, Legend, named, sentence
from rsmodels.evaluation.page import number, scale_of
from rsmodels.evaluation.repair_page import SCORE_NAMES, repair_sections
from rsmodels.generators.inpainting_settings import MASK
from rsmodels.metrics.image import ImageScores, by_parts
from rsmodels.nets.inpainting import InpaintUNet, composite
from rsmodels.report.page import Ramp, Section
from rsmodels.report.pictures import ERROR_STOPS, ERROR_TOP, MASK_COLOURS, error_map, key_of, paint
from rsmodels.training.load import Trained
from rsprep.report.data import Rgb

CLEAN, COARSE, REPAIRED = "clean", "coarse", "repaired"
LIKENESS = ("psnr", "ssim", "mse")
Pair = tuple[Tensor, Tensor]


@dataclass(kw_only=True, eq=False)
class Row:
    """One way of treating the images: leave them occluded, or repair them somehow."""

    key: str
    title: str
    whole: ImageScores = field(default_factory=ImageScores)
    hole: ImageScores = field(default_factory=ImageScores)
    """Within what is hidden alone."""
    natural: list[float] = field(default_factory=list)
    """Naturalness of each image; NaN where it has nothing to tell."""
    served: Fed[Pair, dict[str, float]] | None = None
    """The task's score of its images."""


class RepairJudge:
    """PSNR, SSIM and squared error of repaired images, whole and within the hole, and what the task makes of them.

    The same for the images as they were occluded, and for every rival; for the clean ones the task alone. Everyone
    sees the same pixels, is held against the same pixels, and leaves those that are not hidden as they are.
    """

    rank_by = "hole_psnr"

    def __init__(self, trained: Trained, bench: Bench) -> None:
        self.trained, self.bench = trained, bench
        self.normaliser = bench.normaliser
        titles = {CLEAN: "clean", OCCLUDED: "occluded"} | {one.key: one.title for one in bench.rivals}
        if not isinstance(trained.network, InpaintUNet):  # which has one stage only
            titles[COARSE] = "coarse"
        titles[REPAIRED] = "repaired"
        self.rows = [Row(key=key, title=title) for key, title in titles.items()]
        if bench.task is not None:
            for row in self.rows:
                row.served = Fed(bench.task.score)
        self.shown = (OCCLUDED, MASK, *(one.key for one in self.rows[2:]), CLEAN)
        self.columns = (OCCLUDED, MASK, *(one.title for one in self.rows[2:]), CLEAN, "difference")
        self.hidden: list[float] = []

    @property
    def legend(self) -> Legend:
        ramp = Ramp(name="difference", stops=ERROR_STOPS, low="0", high=f"{ERROR_TOP:g} and above")
        note = sentence(
            [
                key_of(self.normaliser.field(IMAGE), self.normaliser),
                "ranked by PSNR within the hole",
                "difference: of the repaired image, mean over the bands, on the scale of 0 to 1 on which images are "
                "compared",
            ]
        )
        return Legend(classes=tuple(named(("seen", "hidden"), MASK_COLOURS)), ramps=(ramp,), note=note)

    def update(self, batch: ChipBatch) -> dict[str, NDArray[np.float64]]:
        made, valid = self._images(batch), batch.valid[IMAGE]
        hole = batch.values[MASK] > 0.5
        clean = self.bench.unit(made[CLEAN])
        share = (hole & valid).sum(dim=(1, 2, 3)).double() / valid.sum(dim=(1, 2, 3))
        scores = {"hidden": share.numpy()}
        self.hidden += share.tolist()
        for row in self.rows:
            images = made[row.key]
            if row.served is not None and self.bench.task is not None:
                device = self.trained.device
                row.served.put((images.to(device), batch.values[self.bench.task.target].to(device)))
            unit = self.bench.unit(images)
            if self.bench.naturalness is not None:
                row.natural += self.bench.naturalness.score(unit).tolist()
            if row.key == CLEAN:
                continue
            whole, inside = by_parts(unit, clean, valid, (None, hole))
            row.whole.add(whole)
            row.hole.add(inside)
            before = "" if row.key == REPAIRED else f"{row.key}_"
            scores |= {f"{before}{name}": whole[name].numpy() for name in LIKENESS}
            scores |= {f"{before}hole_{name}": inside[name].numpy() for name in LIKENESS}
        return scores

    @torch.no_grad()
    def _images(self, batch: ChipBatch) -> dict[str, Tensor]:
        """Key of each row to its images (B, C, y, x) in the scale of the network, 0 where there is no data."""
        clean, mask, valid = batch.values[IMAGE], batch.values[MASK], batch.valid[IMAGE]
        maps = self.trained.inpainted(clean, mask)
        made = {CLEAN: clean, OCCLUDED: self.bench.occluded(batch)}
        made |= {one.key: one.fill(clean, mask) for one in self.bench.rivals}
        made |= {COARSE: composite(maps.coarse, clean, mask), REPAIRED: composite(maps.refined, clean, mask)}
        return {key: images * valid for key, images in made.items()}

    def figures(self, *, allow_few: bool) -> dict[str, Any]:
        del allow_few  # of generated images only
        rows = [self._row(row) for row in self.rows]
        by_key = {row["key"]: row for row in rows}
        repaired, task = by_key[REPAIRED], self.bench.task
        for row in rows:
            row["won_back"] = _won_back(row, by_key[OCCLUDED], by_key[CLEAN])
        found = dict(repaired["whole"]) | {f"hole_{name}": repaired["hole"][name] for name in LIKENESS}
        found |= repaired["task"]
        if task is not None:
            found["won_back"] = repaired["won_back"].get(task.headline)
        scaling = self.normaliser[IMAGE]
        judge = self.bench.judge
        return {
            "figures": {name: np.nan if value is None else value for name, value in found.items()},
            "rows": rows,
            "hidden": float(np.nanmean(self.hidden)),
            "task": None
            if task is None or judge is None
            else {"model": judge.settings.model, "hash": judge.manifest_hash, "headline": task.headline},
            "naturalness": None if self.bench.naturalness is None else self.bench.naturalness.name,
            "no_naturalness": self.bench.unnatural,
            "against": [{"key": one.key, "title": one.title, "hash": one.hash} for one in self.bench.rivals],
            "own_numbers": self.bench.own_numbers,
            "range": {
                "curve": scaling.curve,
                "low": [value * scaling.scale for value in scaling.low],
                "high": [value * scaling.scale for value in scaling.high],
            },
        }

    def _row(self, row: Row) -> dict[str, Any]:
        whole, hole = ({} if row.key == CLEAN else one.compute() for one in (row.whole, row.hole))
        for one in (whole, hole):
            one.pop("sam", None)
        task = {} if row.served is None else row.served.result()
        told = np.array([value for value in row.natural if np.isfinite(value)])
        natural = float(told.mean()) if len(told) else None
        return {
            "key": row.key,
            "title": row.title,
            "whole": whole,
            "hole": hole,
            "naturalness": natural,
            "task": task,
        }

    def headline(self, record: Mapping[str, Any]) -> Sequence[str]:
        figures, rows = record["figures"], {row["key"]: row for row in record["rows"]}
        parts = [f"PSNR {number(figures['psnr'], 2)} dB", f"SSIM {number(figures['ssim'], 3)}"]
        if record["task"] is not None:
            name = record["task"]["headline"]
            ours, low, high = (number(rows[key]["task"][name], 3) for key in (REPAIRED, OCCLUDED, CLEAN))
            parts.append(f"{SCORE_NAMES.get(name, name)} {ours} (occluded {low}, clean {high})")
        return parts

    def sections(
        self, record: Mapping[str, Any], scores: Mapping[str, NDArray[np.float64]], names: Mapping[int, str]
    ) -> list[Section]:
        del names
        scale = "Pictures of 8 bit are compared by their own numbers over 255."
        if not record["own_numbers"]:
            scale = scale_of(record["range"])
        return repair_sections(record, scores, scale, self.trained.path)

    def words(self, scores: Mapping[str, NDArray[np.float64]], place: int) -> str:
        of = {name: float(scores[name][place]) for name in ("hidden", "hole_psnr", "ssim")}
        parts = [f"{100 * of['hidden']:.0f} % hidden", f"PSNR {number(of['hole_psnr'], 2)} dB in it"]
        return "\n".join([*parts, f"SSIM {number(of['ssim'], 3)}"])

    def pictures(self, batch: ChipBatch, rows: Sequence[int]) -> dict[int, list[Rgb]]:
        made, valid = self._images(batch), batch.valid[IMAGE]
        image = self.normaliser.field(IMAGE)
        shown = {key: paint(image, values, self.normaliser, valid=valid) for key, values in made.items()}
        shown[MASK] = paint(self.normaliser.field(MASK), batch.values[MASK], self.normaliser)
        units = [self.bench.unit(made[key]) for key in (REPAIRED, CLEAN)]
        return {
            row: [
                *(shown[name][row] for name in self.shown),
                error_map(units[0][row], units[1][row], valid[row]),
            ]
            for row in rows
        }


def _won_back(row: Mapping[str, Any], occluded: Mapping[str, Any], clean: Mapping[str, Any]) -> dict[str, float | None]:
    """Share of what occlusion cost each score of the task that this row has back; None where it cost nothing."""
    found: dict[str, float | None] = {}
    for name, value in row["task"].items():
        lost = clean["task"][name] - occluded["task"][name]
        found[name] = (value - occluded["task"][name]) / lost if lost > 0 else None
    return found
