"""Scenes: an image and its mask each, found by name and checked before anything is written.

What does not fit is told once for all files: a folder with two kinds of defects takes two runs, not two hundred.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rsprep.corpus.files import band_names, bands_of, is_coloured, metres_per_pixel
from rsprep.corpus.inputs import list_files, listed
from rsprep.corpus.pictures import PictureInfo, picture_size
from rsprep.errors import InputError

IMAGE_DTYPES = ("uint8", "uint16", "int16")


@dataclass(frozen=True, kw_only=True)
class Side:
    """Where one half of the pairs lies."""

    folder: Path
    suffix: str
    """What the names end with before the file's own suffix, as in ``_label``; it is no part of the scene's name."""
    what: str
    """``image`` or ``mask``, for messages."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One image and its mask; both are of one size."""

    name: str
    """Path below the folder of images, without suffixes; the same for both files."""
    image: PictureInfo
    mask: PictureInfo

    @property
    def height(self) -> int:
        return self.image.height

    @property
    def width(self) -> int:
        return self.image.width


# -- pairing --------------------------------------------------------------------------------------


def find_scenes(images: Side, masks: Side) -> tuple[Scene, ...]:
    """Pair images with masks by name; read their headers. In the order of the names.

    Raises
    ------
    InputError : ``no-scenes-folder``, ``empty-folder``, ``same-files``, ``duplicate-scene``, ``unpaired-scenes``; or as
        :func:`rsprep.corpus.pictures.picture_size`.
    """
    if images.folder == masks.folder and images.suffix == masks.suffix:
        raise InputError(
            "same-files",
            "images and masks lie in one folder, and nothing in their names tells them apart",
            value=str(images.folder),
            remedy="give --image-suffix or --mask-suffix, as in --mask-suffix _label",
        )
    found_images, found_masks = _named(images, masks), _named(masks, images)
    _check_pairs(found_images, found_masks)
    paths = [path for name in found_images for path in (found_images[name], found_masks[name])]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        infos = list(pool.map(picture_size, paths))
    return tuple(
        Scene(name=name, image=image, mask=mask)
        for name, image, mask in zip(found_images, infos[::2], infos[1::2], strict=True)
    )


def _named(side: Side, other: Side) -> dict[str, Path]:
    """Name of a scene to its file on this side."""
    if not side.folder.is_dir():
        raise InputError(
            "no-scenes-folder",
            f"there is no folder of {side.what}s here",
            value=str(side.folder),
            remedy=f"SCENES holds one folder of images and one of masks; name it with --{side.what}s",
        )
    names: dict[str, list[Path]] = defaultdict(list)
    for path in list_files(side.folder):
        if _belongs(path, side, other):
            stem = path.relative_to(side.folder).with_suffix("").as_posix()
            names[stem.removesuffix(side.suffix)].append(path)
    if not names:
        raise InputError(
            "no-such-suffix",
            f"no {side.what} has a name that ends with this",
            value=f"{side.suffix!r} in {side.folder}",
            remedy=f"check --{side.what}-suffix; it stands before the file's own suffix",
        )
    twice = [path for paths in names.values() if len(paths) > 1 for path in paths]
    if twice:
        raise InputError(
            "duplicate-scene",
            f"two {side.what}s have the same name",
            value=listed(path.name for path in twice),
            remedy="keep one of them, or tell them apart by folder",
        )
    return {name: paths[0] for name, paths in sorted(names.items())}


def _belongs(path: Path, side: Side, other: Side) -> bool:
    """False for files of the other side that lie in this side's folder, and for names without the suffix."""
    if other.folder != side.folder and other.folder.is_relative_to(side.folder) and path.is_relative_to(other.folder):
        return False
    if other.folder == side.folder and path.stem.endswith(other.suffix) and len(other.suffix) > len(side.suffix):
        return False
    return path.stem.endswith(side.suffix)


def _check_pairs(images: Mapping[str, Path], masks: Mapping[str, Path]) -> None:
    alone = {
        "without a mask": [images[name].name for name in images if name not in masks],
        "without an image": [masks[name].name for name in masks if name not in images],
    }
    if any(alone.values()):
        raise InputError(
            "unpaired-scenes",
            f"{len(images):,} images and {len(masks):,} masks do not make pairs",
            value="; ".join(f"{what}: {listed(names)}" for what, names in alone.items() if names),
            remedy="an image and its mask share a name; --image-suffix and --mask-suffix tell what else it ends with",
        )


# -- checks ---------------------------------------------------------------------------------------


def check_scenes(scenes: Sequence[Scene], *, bands_given: int, has_palette: bool, by_palette: bool) -> None:
    """See that the headers of all scenes agree, within a scene and with one another.

    Parameters
    ----------
    bands_given : number of band names that were given; 0 for none.
    has_palette : whether the class table tells colours of masks that are pictures.
    by_palette : whether the codes of palette masks are to be looked up by their colours.

    Raises
    ------
    InputError : ``scene-sizes``, ``mixed-images``, ``image-type``, ``not-rgb``, ``band-names``, ``lossy-mask``,
        ``mask-type``, ``no-palette``, ``mixed-pixel-sizes``.
    """
    wrong = [
        f"{scene.image.path.name} {_size(scene.image)}, {scene.mask.path.name} {_size(scene.mask)}"
        for scene in scenes
        if (scene.image.height, scene.image.width) != (scene.mask.height, scene.mask.width)
    ]
    if wrong:
        raise InputError(
            "scene-sizes", "an image and its mask differ in size", value=listed(wrong), remedy="cut them alike"
        )
    _check_images(scenes, bands_given)
    _check_masks([scene.mask for scene in scenes], has_palette, by_palette)
    _check_pixel_sizes(scenes)


def _size(info: PictureInfo) -> str:
    return f"{info.height} × {info.width}"


def _check_images(scenes: Sequence[Scene], bands_given: int) -> None:
    kinds: dict[str, list[str]] = defaultdict(list)
    for scene in scenes:
        names = ", ".join(band_names(scene.image))
        kinds[f"{bands_of(scene.image)} × {scene.image.dtype} ({names})"].append(scene.image.path.name)
    if len(kinds) > 1:
        raise InputError(
            "mixed-images",
            "all images must have the same bands, in one order and of one type",
            value="; ".join(f"{kind}: {listed(names)}" for kind, names in kinds.items()),
            remedy="convert them alike, or make a corpus of each kind",
        )
    first = scenes[0].image
    if first.dtype not in IMAGE_DTYPES:
        raise InputError(
            "image-type",
            f"images hold {', '.join(IMAGE_DTYPES)}",
            value=f"{first.dtype} in {first.path.name}",
            remedy="scale them to 16 bit",
        )
    if not bands_given and (bands_of(first) < 3 or first.mode == "palette"):
        what = "a palette" if first.mode == "palette" else f"{bands_of(first)} band(s)"
        raise InputError(
            "not-rgb",
            "images have three bands or more; these look like masks or greyscale",
            value=f"{what} in {first.path.name}",
            remedy="check --images; where it is meant so, name the bands: --bands grey",
        )
    if bands_given and bands_given != bands_of(first):
        raise InputError(
            "band-names",
            "every band of the images needs one name",
            value=f"{bands_given} name(s) for {bands_of(first)} band(s)",
            remedy="name all of them in --bands",
        )


def _check_masks(masks: Sequence[PictureInfo], has_palette: bool, by_palette: bool) -> None:
    lossy = [mask.path.name for mask in masks if mask.format == "JPEG"]
    if lossy:
        raise InputError(
            "lossy-mask", "JPEG changes the codes of a mask", value=listed(lossy), remedy="save masks as PNG or GeoTIFF"
        )
    wrong = [
        f"{mask.path.name}: {bands_of(mask)} × {mask.dtype}"
        for mask in masks
        if bands_of(mask) not in (1, 3)
        or np.dtype(mask.dtype).kind not in "iu"
        or (is_coloured(mask) and mask.dtype != "uint8")
    ]
    if wrong:
        raise InputError(
            "mask-type",
            "a mask has one band of whole numbers, or three of 8 bit that are colours",
            value=listed(wrong),
            remedy="save the codes as an 8-bit PNG",
        )
    coloured = [mask.path.name for mask in masks if is_coloured(mask) or (by_palette and mask.mode == "palette")]
    if coloured and not has_palette:
        raise InputError(
            "no-palette",
            "these masks are colour pictures, but the class table does not say what the colours stand for",
            value=listed(coloured),
            remedy="add palette: [red, green, blue] to every class of the table, or save the codes",
        )


def _check_pixel_sizes(scenes: Sequence[Scene]) -> None:
    sizes: dict[float, list[str]] = defaultdict(list)
    for scene in scenes:
        size = metres_per_pixel(scene.image)
        if size is not None:
            sizes[round(size, 6)].append(scene.image.path.name)
    if len(sizes) > 1:
        raise InputError(
            "mixed-pixel-sizes",
            "the images have pixels of different sizes on the ground",
            value="; ".join(f"{size:g} m: {listed(names)}" for size, names in sizes.items()),
            remedy="resample them, or make a corpus of each size",
        )
