"""Which chips an occlusion corpus has, which masks each of them may get, and what the report tells of both."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from rsprep.corpus.inputs import listed
from rsprep.corpus.occlusion.chips import stable_seed
from rsprep.corpus.occlusion.clouds import CloudPool
from rsprep.corpus.occlusion.images import Image, Images
from rsprep.corpus.occlusion.masks import Mask, MaskPool
from rsprep.corpus.occlusion.settings import OccludeSettings
from rsprep.corpus.pictures import picture_size, read_picture
from rsprep.corpus.plan import CorpusChip, Place
from rsprep.errors import InputError
from rsprep.job.desk import Desk
from rsprep.report.data import SPLITS, SourceRow, Table
from rsprep.store.read import open_dataset

_AT_ONCE = 256
"""Images that are looked through before their chips are named."""
_ROWS = 1024


# -- cutting --------------------------------------------------------------------------------------


def pieces(image: Image, images: Images) -> list[tuple[int, int]]:
    """Row and column of the upper-left pixel of each chip: whole chips without overlap, the rest is left."""
    height, width = images.scaled(image) or (image.height, image.width)
    size = images.size
    return list(itertools.product(range(0, height - size + 1, size), range(0, width - size + 1, size)))


def count_chips(images: Images, per_image: int) -> dict[str, int]:
    """Split to the number of chips."""
    counts: Counter[str] = Counter()
    for image in images.images:
        counts[image.split] += per_image * len(pieces(image, images))
    return dict(counts)


# -- chips ----------------------------------------------------------------------------------------


def plan_chips(settings: OccludeSettings, images: Images, masks: MaskPool) -> Iterator[CorpusChip]:
    """The chips of all images, in order; each picture is decoded once first, so that a damaged one is told at once.

    Raises
    ------
    InputError : ``corrupt-images``, or as :func:`rsprep.corpus.pictures.read_picture`.
    """
    certain = masks.as_is and settings.fill != "clouds" and images.nodata is None and np.dtype(images.dtype).kind != "f"
    for some in _batched(images.images):
        if not images.variable:
            _look_through([images.root / str(image.key) for image in some], images.root)
        for image in some:
            for chip_id, at in _named_pieces(image, images):
                pool = masks.masks[image.split]
                drawn = _candidates(chip_id, pool, settings, each=1 if certain else settings.tries)
                for number, own in enumerate(drawn):
                    yield _chip(chip_id if len(drawn) == 1 else f"{chip_id}-m{number}", image, at, own, images)


def _batched(images: Sequence[Image]) -> Iterator[Sequence[Image]]:
    for first in range(0, len(images), _AT_ONCE):
        yield images[first : first + _AT_ONCE]


def _named_pieces(image: Image, images: Images) -> list[tuple[str, tuple[int, int]]]:
    found, size = pieces(image, images), images.size
    if len(found) == 1:
        return [(image.image_id, found[0])]
    return [(f"{image.image_id}-r{row // size:03d}-c{column // size:03d}", (row, column)) for row, column in found]


def _candidates(chip_id: str, pool: Sequence[Mask], settings: OccludeSettings, *, each: int) -> list[list[Mask]]:
    """Masks to try, in order, for each of the chips that one piece of an image becomes; no mask for two of them.

    Only where masks are moved and there are fewer than chips, a mask comes again.
    """
    rng = np.random.default_rng(stable_seed(settings.seed, chip_id, "masks"))
    wanted = min(len(pool), each * settings.per_image)
    order = rng.choice(len(pool), wanted, replace=False).tolist()
    lists = [order[number :: settings.per_image] for number in range(settings.per_image)]
    return [[pool[i] for i in own or [order[number % wanted]]] for number, own in enumerate(lists)]


def _chip(chip_id: str, image: Image, at: tuple[int, int], masks: Sequence[Mask], images: Images) -> CorpusChip:
    other = images.scaled(image)
    payload = {
        "image": image.key,
        "source": image.image_id if images.variable else str(image.key),
        "label": image.label,
        "shape": (image.height, image.width),
        "at": at,
        "windowed": image.windowed and other is None,
        "scaled": other,
        "moments": image.moments,
        "masks": [[mask.key, mask.mask_id] for mask in masks],
    }
    place = _place(image, at, images.size) if other is None else None
    return CorpusChip(chip_id=chip_id, split=image.split, payload=payload, place=place, reject=image.reject)


def _place(image: Image, at: tuple[int, int], size: int) -> Place | None:
    grid = image.grid
    if grid is None:
        return None
    x, y = grid.x + at[1] * grid.pixel, grid.y - at[0] * grid.pixel
    return Place.at_corner(grid.epsg, x, y, size * grid.pixel)


def _look_through(files: Sequence[Path], root: Path) -> None:
    with ThreadPoolExecutor() as pool:
        errors = [error for error in pool.map(_defect, files) if error is not None]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise InputError(
            "corrupt-images",
            f"{len(errors):,} pictures cannot be decoded",
            value=listed(str(error.value).replace(f"{root}/", "") for error in errors),
            remedy="fetch or save them again, or take them out of the folder",
        )


def _defect(path: Path) -> InputError | None:
    """What keeps a picture from being read; None for a sound one."""
    try:
        info = picture_size(path)
        step = _ROWS if info.windowed else info.height
        for row in range(0, info.height, step):
            read_picture(path, window=(slice(row, min(row + step, info.height)), slice(0, info.width)))
    except InputError as error:
        return error
    return None


# -- what the report tells ------------------------------------------------------------------------


def subtitle(settings: OccludeSettings, images: Images, masks: MaskPool) -> str:
    """One line: what was given, and how it was put together."""
    low, high = (f"{100 * share:g}" for share in settings.area)
    how = "laid on as they are" if masks.as_is else "turned, resized and moved"
    fill = "pixels of real clouds" if settings.fill == "clouds" else f"fill {_words(settings.fill)}"
    return (
        f"{len(images.images):,} images, {'whole as ' if images.whole else ''}chips of {images.size} × {images.size} "
        f"pixels, masks {how}, {low} to {high} % hidden, {fill}"
    )


def _words(fill: str | tuple[float, ...]) -> str:
    return fill if isinstance(fill, str) else ", ".join(f"{value:g}" for value in fill)


def sources(
    settings: OccludeSettings, images: Images, masks: MaskPool, clouds: CloudPool | None
) -> tuple[SourceRow, ...]:
    """What the pixels come from."""
    noun = f"chips, variable {images.variable}" if images.variable else "pictures"
    rows = [
        SourceRow(product="images", collection=Path(settings.images).name, granules=len(images.images), note=noun),
        SourceRow(product="masks", collection=Path(settings.masks).name, granules=masks.given, note=_unused(masks)),
    ]
    if clouds is not None:
        count = sum(len(some) for some in clouds.clouds.values())
        rows.append(SourceRow(product="clouds", collection=Path(settings.clouds).name, granules=count))
    return tuple(rows)


def _unused(masks: MaskPool) -> str:
    return "; ".join(f"{count:,} not used: {reason}" for reason, count in masks.unused.items()) or "all can be used"


def tables(desk: Desk, *, images: Images, masks: MaskPool) -> tuple[Table, ...]:
    """Masks and images of each split, counted in the finished data set."""
    chips = open_dataset(desk.store)
    columns: Mapping[str, Any] = {name: chips[name].to_numpy() for name in ("split", "mask_id", "source", "area_ratio")}
    mask_rows, image_rows, owners = [], [], Counter[str]()
    for split in SPLITS:
        here = columns["split"] == split
        used = Counter(columns["mask_id"][here].tolist())
        owners.update(used.keys())
        given = [image for image in images.images if image.split == split]
        if not given:
            continue
        most = max(used.values(), default=0)
        mask_rows.append((split, *_texts(len(masks.masks.get(split, ())), len(used), most)))
        mean = f"{100 * float(columns['area_ratio'][here].mean()):.1f} %" if here.any() else ""
        shown = len(set(columns["source"][here].tolist()))
        image_rows.append((split, *_texts(len(given), shown, int(here.sum())), mean))
    twice = [name for name, count in owners.items() if count > 1]
    if twice:
        raise RuntimeError(f"masks serve several splits: {listed(twice)}")
    note = "No mask serves two splits." + (f" {_unused(masks)}." if masks.unused else "")
    if masks.shared_seeds:
        note += f" Masks of {masks.shared_seeds:,} seeds came with several splits; --mask-split hash deals out by seed."
    header = ("split", "images", "with chips", "chips", "mean hidden")
    return (
        Table(title="Images", header=header, rows=tuple(image_rows), note=_rest(images)),
        Table(title="Masks", header=("split", "available", "used", "most of one"), rows=tuple(mask_rows), note=note),
    )


def _texts(*counts: int) -> tuple[str, ...]:
    return tuple(f"{count:,}" for count in counts)


def _rest(images: Images) -> str:
    """What of the images lies in no chip."""
    whole = covered = 0
    for image in images.images:
        height, width = images.scaled(image) or (image.height, image.width)
        whole += height * width
        covered += len(pieces(image, images)) * images.size**2
    parts = (
        [f"{100 * (1 - covered / whole):.1f} % of the pixels lie beyond the last whole chip."]
        if covered < whole
        else []
    )
    return " ".join([*parts, *_resized(images)])


def _resized(images: Images) -> Iterator[str]:
    """How many images are not as large as they were, and of which the shape is another."""
    changed = [image for image in images.images if images.scaled(image) is not None]
    enlarged = sum(min(image.height, image.width) < images.size for image in changed)
    if enlarged:
        yield f"{enlarged:,} images were enlarged."
    if len(changed) > enlarged:
        yield f"{len(changed) - enlarged:,} images were averaged down to a chip each."
    squeezed = sum(image.height != image.width for image in changed) if images.whole else 0
    if squeezed:
        yield f"{squeezed:,} of them are not square, and were squeezed."
