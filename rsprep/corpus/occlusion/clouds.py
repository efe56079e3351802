"""Pictures of real clouds with their masks: what is pasted where an image is hidden."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.corpus.inputs import fingerprint, list_files, listed
from rsprep.corpus.occlusion.settings import OccludeSettings
from rsprep.corpus.pictures import picture_size, read_mask, read_picture
from rsprep.errors import InputError
from rsprep.masks.occlusion import cover_offsets, cut_patch, missing_pixels
from rsprep.masks.scenes import deal
from rsprep.report.data import SPLITS

BESIDE = "_mask"
"""Ends the names of masks that lie beside their pictures."""
WINDOW_PX = 1024
"""Part of a cloud picture that one draw looks at."""


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """One picture of clouds."""

    cloud_id: str
    """Path below the folder."""
    picture: Path
    mask: Path


@dataclass(frozen=True, kw_only=True)
class CloudPool:
    """The cloud pictures of each split, no one of them in two."""

    clouds: Mapping[str, tuple[Cloud, ...]]
    fingerprint: str


def find_clouds(settings: OccludeSettings, *, size: int, bands: int, dtype: str, chips: Mapping[str, int]) -> CloudPool:
    """Pair cloud pictures with their masks, see that they suit the images, and share them out.

    Parameters
    ----------
    size : pixels along a chip's side.
    bands, dtype : of the images.
    chips : split to the number of chips that need clouds.

    Raises
    ------
    InputError : ``no-cloud-mask``, ``clouds-unlike-images``, ``too-little-cloud``, ``too-few-clouds``.
    """
    root, masks = Path(settings.clouds).absolute(), Path(settings.cloud_masks or settings.clouds).absolute()
    pairs = _pairs(root, masks)
    enough = []
    for cloud in pairs:
        info, mask = picture_size(cloud.picture), read_mask(cloud.mask)
        if (info.bands, info.dtype, info.height, info.width) != (bands, dtype, *mask.shape):
            raise InputError(
                "clouds-unlike-images",
                f"a cloud picture has the {bands} × {dtype} of the images, and the size of its mask",
                value=f"{cloud.cloud_id}: {info.bands} × {info.dtype}, {info.height} × {info.width}, mask "
                f"{mask.shape[0]} × {mask.shape[1]}",
                remedy="convert it, or leave it out",
            )
        if mask.sum() >= settings.area[0] * size * size:
            enough.append(cloud)
    if not enough:
        raise InputError(
            "too-little-cloud",
            f"no cloud picture has as many pixels of cloud as are hidden of a chip at least: {settings.area[0]:.0%}",
            value=listed(cloud.cloud_id for cloud in pairs),
            remedy="give pictures of larger clouds, or lower --area or --size",
        )
    return CloudPool(
        clouds=_share_out(enough, settings, chips),
        fingerprint=fingerprint((cloud.picture for cloud in pairs), root)
        + fingerprint((cloud.mask for cloud in pairs), masks),
    )


def _pairs(root: Path, masks: Path) -> list[Cloud]:
    files = list_files(root)
    beside = masks == root
    others = {_name(path, masks): path for path in (files if beside else list_files(masks))}
    ending = BESIDE if beside else ""
    pictures = [path for path in files if not (beside and path.stem.endswith(BESIDE))]
    alone = [path for path in pictures if _name(path, root) + ending not in others]
    if alone or not pictures:
        raise InputError(
            "no-cloud-mask",
            f"{len(alone):,} of {len(pictures):,} cloud pictures have no mask that tells where they are cloud",
            value=listed(_name(path, root) for path in alone),
            remedy=f"put NAME{BESIDE}.png beside NAME, or give a folder of masks of the same names with --cloud-masks",
        )
    return [
        Cloud(cloud_id=_name(path, root), picture=path, mask=others[_name(path, root) + ending]) for path in pictures
    ]


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).with_suffix("").as_posix()


def _share_out(
    clouds: list[Cloud], settings: OccludeSettings, chips: Mapping[str, int]
) -> dict[str, tuple[Cloud, ...]]:
    wanted = [split for split in SPLITS if chips.get(split)]
    if len(clouds) < len(wanted):
        raise InputError(
            "too-few-clouds",
            f"{len(wanted)} splits need as many cloud pictures, since none serves two",
            value=f"{len(clouds)} with enough cloud",
            remedy="give more pictures, or put all images in one --split",
        )
    dealt = deal(Counter(cloud.cloud_id for cloud in clouds), [chips.get(split, 0) for split in SPLITS], settings.seed)
    return {split: tuple(cloud for cloud in clouds if SPLITS[dealt[cloud.cloud_id]] == split) for split in wanted}


# -- for workers ----------------------------------------------------------------------------------


def paste(
    cloud: Cloud, mask: NDArray[np.uint8], image: NDArray[Any], nodata: float | None, rng: np.random.Generator
) -> NDArray[Any] | None:
    """One draw of cloud pixels for the whole of `mask`; None where the piece of sky that was drawn is too small for it.

    Parameters
    ----------
    mask : (y, x) uint8, 0 and 1, at least one pixel 1.
    image : (bands, y, x), whose dtype the picture has.

    Returns
    -------
    (bands, y, x): fill for :func:`rsprep.masks.occlusion.occlude`.
    """
    scene, cloudy = _load(cloud)
    turns, mirrored, down, right = int(rng.integers(4)), bool(rng.integers(2)), rng.random(), rng.random()
    rows, columns = _part(cloudy.shape[0], down), _part(cloudy.shape[1], right)
    scene, cloudy = scene[:, rows, columns], cloudy[rows, columns]
    cloudy = np.where(missing_pixels(scene, nodata), 0, cloudy).astype(np.uint8)
    scene, cloudy = np.rot90(scene, turns, axes=(1, 2)), np.rot90(cloudy, turns)
    if mirrored:
        scene, cloudy = scene[:, :, ::-1], cloudy[:, ::-1]
    offsets = cover_offsets(mask, cloudy)
    if not len(offsets):
        return None
    down_px, right_px = offsets[rng.integers(len(offsets))].tolist()
    return cut_patch(scene, (down_px, right_px), mask, image)


def _part(side: int, at: float) -> slice:
    first = int(at * (max(side - WINDOW_PX, 0) + 1))
    return slice(first, min(first + WINDOW_PX, side))


@lru_cache(maxsize=4)
def _load(cloud: Cloud) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    return read_picture(cloud.picture), read_mask(cloud.mask)
