"""All shapes of all scenes: found, described, freed of near-duplicates, and the most diverse of them marked."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rsprep.corpus.clouds.scenes import CloudScene, UnknownCodesError
from rsprep.corpus.clouds.settings import CloudSettings
from rsprep.corpus.inputs import listed
from rsprep.errors import InputError
from rsprep.job.progress import Progress
from rsprep.masks.descriptors import Descriptors, describe
from rsprep.masks.diverse import RINGS, diverse_subset, find_duplicates, signature
from rsprep.masks.shapes import Frame, find_seeds

FEATURES: Final = ("area_ratio", "compactness", "eccentricity", "solidity", "extent")
"""Descriptors in which seeds are to differ, beside their outlines."""
_AT_ONCE: Final = 4
"""Scenes in memory at a time, at most: one of 10980 × 10980 pixels takes about 0.4 GB."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """One shape of one scene that is large enough to be a seed."""

    scene: str
    frame: Frame
    digest: str = ""
    """Of the mask; empty where there is none."""
    area_ratio: float = 0.0
    shape: NDArray[np.uint64] | None = None
    """Signature; None for what is left out."""
    features: NDArray[np.float64] | None = None
    whole: bool = False
    """True where the window cuts nothing off: moved about, a cut shape shows straight edges."""
    refused: str = ""
    diverse: bool = False

    @property
    def chip_id(self) -> str:
        """Scene, and row and column of the shape's first pixel in it."""
        return f"{self.scene}-{self.frame.anchor[0]:05d}-{self.frame.anchor[1]:05d}"


def survey_clouds(scenes: Sequence[CloudScene], settings: CloudSettings, progress: Progress) -> list[Found]:
    """Every shape that is large enough, in the order of the scenes and of the shapes in them.

    Raises
    ------
    InputError : ``unknown-cloud-code`` with the files of all scenes where there is one, ``no-seeds`` where no shape
        is left; or what reading a scene raises.
    """
    progress.stage("find clouds", total=len(scenes), unit="scenes")
    found: list[Found] = []
    strange: dict[float, list[str]] = defaultdict(list)
    with ThreadPoolExecutor(min(_AT_ONCE, os.cpu_count() or 1)) as pool:
        for scene, seen in zip(scenes, pool.map(lambda one: _look(one, settings), scenes), strict=True):
            if isinstance(seen, UnknownCodesError):
                for code in seen.codes:
                    strange[code].append(_label(scene))
            else:
                found += seen
            progress.advance()
    if strange:
        raise _unknown_codes(strange)
    chosen = _choose(found, settings)
    if not any(not one.refused for one in chosen):
        raise _no_seeds(scenes, chosen, settings)
    return chosen


def mask_digest(mask: NDArray[np.uint8]) -> str:
    """Digest of a seed: the plan's and the one that is made later must be equal."""
    return hashlib.blake2b(np.ascontiguousarray(mask).tobytes(), digest_size=16).hexdigest()


def _look(scene: CloudScene, settings: CloudSettings) -> list[Found] | UnknownCodesError:
    try:
        mask = scene.read()
    except UnknownCodesError as error:
        return error
    found = []
    for candidate in find_seeds(mask, settings.rules):
        one = Found(scene=scene.name, frame=candidate.frame, refused=candidate.refused)
        if candidate.cut is not None and not candidate.refused:
            seed = candidate.cut.mask
            one = replace(
                one,
                digest=mask_digest(seed),
                area_ratio=candidate.cut.area_ratio,
                whole=candidate.cut.cut_share == 0,
                shape=signature(seed),
                features=_features(describe(seed)),
            )
        found.append(one)
    return found


def _features(shape: Descriptors) -> NDArray[np.float64]:
    values: Mapping[str, Any] = shape.as_dict()
    return np.array([values[name] for name in FEATURES], np.float64)


def _choose(found: Sequence[Found], settings: CloudSettings) -> list[Found]:
    """The same shapes, with near-duplicates and what is beyond `max_seeds` refused and the diverse few marked."""
    out = list(found)
    # Of two that are the same the larger one stays: it has more detail.
    taken = sorted(
        (index for index, one in enumerate(out) if not one.refused),
        key=lambda index: (-out[index].area_ratio, out[index].chip_id),
    )
    shapes, features = _stacked([out[index] for index in taken])
    repeats = find_duplicates(shapes, settings.duplicate_iou)
    for index, first in zip(taken, repeats.tolist(), strict=True):
        if first >= 0:
            out[index] = replace(out[index], refused=f"near-duplicate of {out[taken[first]].chip_id}")
    kept = np.flatnonzero(repeats < 0)
    if settings.max_seeds and len(kept) > settings.max_seeds:
        stay = np.sort(kept[diverse_subset(shapes[kept], features[kept], settings.max_seeds)])
        for position in np.setdiff1d(kept, stay):
            reason = f"not among the {settings.max_seeds} most diverse"
            out[taken[position]] = replace(out[taken[position]], refused=reason)
        kept = stay
    whole = np.array([position for position in kept.tolist() if out[taken[position]].whole], np.int64)
    pool = whole if len(whole) >= settings.n_diverse else kept
    for position in pool[diverse_subset(shapes[pool], features[pool], settings.n_diverse)].tolist():
        out[taken[position]] = replace(out[taken[position]], diverse=True)
    return out


def _stacked(found: Sequence[Found]) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
    """(n, RINGS, 2) signatures and (n, features) descriptors."""
    shapes = [one.shape for one in found if one.shape is not None]
    features = [one.features for one in found if one.features is not None]
    if not shapes:
        return np.empty((0, RINGS, 2), np.uint64), np.empty((0, len(FEATURES)))
    return np.stack(shapes), np.stack(features)


def _label(scene: CloudScene) -> str:
    return scene.source.files[0].name if scene.source.files else scene.name


def _unknown_codes(strange: Mapping[float, Sequence[str]]) -> InputError:
    files = list(dict.fromkeys(name for names in strange.values() for name in names))
    codes = ", ".join(f"{code:g}" for code in sorted(strange))
    return InputError(
        "unknown-cloud-code",
        "the class map does not say what every code of the rasters stands for",
        value=f"{codes} in {listed(files)}",
        remedy="give the map that they were made with (--classes), or name the codes in --thick, --clear and --nodata",
    )


def _no_seeds(scenes: Sequence[CloudScene], found: Sequence[Found], settings: CloudSettings) -> InputError:
    reasons = Counter(one.refused for one in found)
    least = settings.rules.min_pixels
    told = "; ".join(f"{count:,}: {reason}" for reason, count in reasons.most_common(3))
    return InputError(
        "no-seeds",
        "there is no thick cloud that the rules take",
        value=f"{len(scenes):,} scenes, {len(found):,} shapes of {least:,} pixels or more{': ' if told else ''}{told}",
        remedy="loosen --min-area, --max-area or --max-cut, take a smaller --size, or check --classes",
    )
