"""Clean images as input of occlusion pairs: a folder of pictures, or the chips of a data set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.cloud.address import folder_only
from rsprep.corpus.files import band_names, grid_of
from rsprep.corpus.inputs import Corpus, fingerprint, is_corpus, list_files, listed, open_corpus, slugs
from rsprep.corpus.occlusion.carried import find_carried, refuse_carrying
from rsprep.corpus.occlusion.settings import OccludeSettings
from rsprep.corpus.partition import by_folder, choose_splits
from rsprep.corpus.pictures import PictureInfo, picture_size
from rsprep.errors import InputError
from rsprep.store.schema import Variable

DEFAULT_SIZE = 256
_RGB = (("red", "green", "blue"), ("r", "g", "b"), ("b04", "b03", "b02"))


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Where an image lies: north up, square pixels, a CRS in metres."""

    epsg: int
    x: float
    """Outer edge of the upper-left pixel."""
    y: float
    pixel: float
    """Metres along a pixel's side."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """One clean image."""

    key: str | int
    """Path below the folder, or slot in the store."""
    image_id: str
    """Name that chips are called after."""
    label: str
    split: str
    """train, val or test."""
    height: int
    width: int
    windowed: bool = False
    """True where a part can be read without decoding the whole."""
    grid: Grid | None = None
    moments: tuple[str, str] | None = None
    """First and last acquisition, ISO with a zone; None where not known."""
    reject: str = ""
    """Why it is left out before a pixel is read."""


@dataclass(frozen=True, kw_only=True)
class Images:
    """All clean images; they have the same bands and the same type."""

    root: Path
    variable: str
    """Of a data set; empty for a folder."""
    images: tuple[Image, ...]
    bands: tuple[str, ...]
    band_dim: str
    dtype: str
    nodata: float | None
    """Value of missing pixels in the files; None where none is declared. Floats are NaN there in any case."""
    size: int
    """Pixels along a chip's side."""
    resolution: float
    """Metres along a pixel's side; 1 where it is not known."""
    fingerprint: str
    attrs: Mapping[str, Any] = field(default_factory=dict)
    """Attributes of the image variable."""
    whole: bool = False
    """True where every image becomes one chip, whatever its shape."""
    carried: Mapping[str, Variable] = field(default_factory=dict)
    """Name in the data set to the variable of the corpus that holds the same pixels."""

    def scaled(self, image: Image) -> tuple[int, int] | None:
        """Rows and columns of the grid that an image is brought to before it is cut; None where it stays as it is."""
        shorter = min(image.height, image.width)
        if self.whole:
            return None if image.height == image.width == self.size else (self.size, self.size)
        if shorter >= self.size:
            return None
        height, width = (max(self.size, round(side * self.size / shorter)) for side in (image.height, image.width))
        return height, width


def find_images(settings: OccludeSettings) -> Images:
    """Find the images and read their headers; see that they agree.

    Raises
    ------
    InputError : ``needs-rgb``, ``unlike-images``, ``image-too-small``, ``variable-unclear``, ``carry-folder``,
        ``carried-name``, ``carried-size``; or as
        :func:`rsprep.corpus.partition.choose_splits`, :func:`rsprep.corpus.inputs.list_files`, :func:`open_corpus`
        and :func:`rsprep.corpus.pictures.picture_size`.
    """
    found = _dataset(settings) if is_corpus(settings.images) else _folder(settings)
    found = replace(found, whole=settings.whole)
    if settings.whole and any(found.scaled(image) for image in found.images):
        found = replace(found, resolution=1.0)
    small = [image for image in found.images if min(image.height, image.width) < found.size]
    if small and not settings.resize:
        raise InputError(
            "image-too-small",
            f"{len(small):,} of {len(found.images):,} images are smaller than a chip of {found.size} pixels",
            value=listed(f"{image.key} {image.height} × {image.width}" for image in small),
            remedy="lower --size, or enlarge them with --resize",
        )
    return found


# -- a folder of pictures -------------------------------------------------------------------------


def _folder(settings: OccludeSettings) -> Images:
    refuse_carrying(settings)
    root = folder_only(settings.images, "IMAGES")
    files = list_files(root)
    base = root if root.is_dir() else root.parent
    with ThreadPoolExecutor() as pool:
        infos = list(pool.map(picture_size, files))
    if settings.bands == "rgb":
        _check_rgb(infos, base)
    first = _check_alike(infos, base)
    bands = _names(first)
    keys = [path.relative_to(base).as_posix() for path in files]
    stems = [_stem(key) for key in keys]
    names = stems if len(set(stems)) == len(stems) else keys
    ids = slugs(names)
    grids = [_grid(info) for info in infos]
    pixels = {grid.pixel for grid in grids if grid is not None}
    if len(pixels) > 1:  # chips of one store have pixels of one size; without a place they need none
        grids, pixels = [None] * len(grids), set()
    images = tuple(
        Image(
            key=key,
            image_id=ids[name],
            label=by_folder(path, root)[1],
            split="",
            height=info.height,
            width=info.width,
            windowed=info.windowed,
            grid=grid,
        )
        for key, name, path, info, grid in zip(keys, names, files, infos, grids, strict=True)
    )
    return Images(
        root=base,
        variable="",
        images=_with_splits(images, [by_folder(path, root)[0] for path in files], settings),
        bands=bands,
        band_dim="band",
        dtype=first.dtype,
        nodata=_fitting(first.nodata, first.dtype),
        size=settings.size or DEFAULT_SIZE,
        resolution=pixels.pop() if pixels else 1.0,
        fingerprint=fingerprint(files, base),
        attrs=_attrs(bands, {"long_name": "image, numbers as in the files", "units": "1"}),
    )


def _fitting(nodata: float | None, dtype: str) -> float | None:
    """None for a value that no pixel of this type can have."""
    kind = np.dtype(dtype)
    if nodata is None or kind.kind == "f":
        return nodata
    return nodata if float(nodata).is_integer() and np.iinfo(kind).min <= nodata <= np.iinfo(kind).max else None


def _stem(key: str) -> str:
    return key.rpartition(".")[0]


def _bands(info: PictureInfo) -> int:
    """Bands that are read: a palette is shown in its colours."""
    return 3 if info.mode == "palette" else info.bands


def _names(info: PictureInfo) -> tuple[str, ...]:
    """Names of the bands that are read; an alpha channel is one of them."""
    if info.mode == "palette":
        return _RGB[0]
    names = band_names(info)
    return names if len(names) == info.bands else (*names, "alpha")


def _check_rgb(infos: Sequence[PictureInfo], base: Path) -> None:
    wrong = [info for info in infos if info.mode not in ("rgb", "palette", "bands") or _bands(info) != 3]
    if wrong:
        raise InputError(
            "needs-rgb",
            f"{len(wrong):,} of {len(infos):,} pictures are not red, green and blue",
            value=listed(f"{info.path.relative_to(base)} ({info.mode}, {info.bands} band(s))" for info in wrong),
            remedy="convert them, take them out of the folder, or take pictures of any kind with --bands any",
        )


def _check_alike(infos: Sequence[PictureInfo], base: Path) -> PictureInfo:
    """The first header, for all; NaN stands for itself."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for info in infos:
        nodata = "no nodata" if info.nodata is None else f"nodata {info.nodata:g}"
        kinds[f"{_bands(info)} × {info.dtype}, {nodata}"].append(str(info.path.relative_to(base)))
    if len(kinds) > 1:
        raise InputError(
            "unlike-images",
            "all images must have the same bands, type and nodata value",
            value="; ".join(f"{kind}: {listed(names)}" for kind, names in kinds.items()),
            remedy="convert them alike, or make a corpus of each kind",
        )
    return infos[0]


def _grid(info: PictureInfo) -> Grid | None:
    found = grid_of(info)
    if found is None:
        return None
    epsg, transform = found
    return Grid(epsg=epsg, x=float(transform.c), y=float(transform.f), pixel=float(transform.a))


def _attrs(bands: Sequence[str], attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes with what to show: bands that are named so, else the first three."""
    lower = {name.lower(): name for name in bands}
    for names in _RGB:
        if all(name in lower for name in names):
            return {**attrs, "picture": "rgb", "rgb_bands": [lower[name] for name in names]}
    return {**attrs, "picture": "rgb", "rgb_bands": list(bands[:3])} if len(bands) >= 3 else dict(attrs)


def _with_splits(images: tuple[Image, ...], own: Sequence[str], settings: OccludeSettings) -> tuple[Image, ...]:
    """Images with the split that the settings ask for; `own` is what folders or a data set say."""
    names = [(str(image.key), _stem(str(image.key)), image.image_id) for image in images]
    splits = choose_splits(
        settings.split, names, own, ratio=settings.ratio, seed=settings.seed, file=settings.split_file
    )
    return tuple(replace(image, split=split) for image, split in zip(images, splits, strict=True))


# -- a data set -----------------------------------------------------------------------------------


def _dataset(settings: OccludeSettings) -> Images:
    corpus = open_corpus(settings.images)
    name = settings.variable or _image_variable(corpus)
    variable = corpus.require(name).schema[name]
    bands = variable.bands or (name,)
    images = tuple(_chips(corpus, settings))
    nodata = None if np.isnan(variable.fill) or not variable.has_nodata else float(variable.fill)
    return Images(
        root=folder_only(corpus.path, "IMAGES"),
        variable=name,
        images=_with_splits(images, corpus.splits, settings),
        bands=bands,
        band_dim=variable.band_dim or ("band" if "band" not in corpus.schema.band_coords else f"{name}_band"),
        dtype=variable.dtype,
        nodata=nodata,
        size=settings.size or corpus.schema.chip_px,
        resolution=corpus.schema.resolution,
        fingerprint=corpus.fingerprint,
        carried=find_carried(settings, corpus),
        attrs=_attrs(bands, {key: value for key, value in variable.attrs.items() if not key.startswith("flag_")}),
    )


def _image_variable(corpus: Corpus) -> str:
    names = corpus.schema.names
    many = tuple(variable.name for variable in corpus.schema.variables if variable.bands)
    wanted: tuple[str, ...] = ("s2", "image", *(many if len(many) == 1 else ()))
    for name in wanted:
        if name in names:
            return name
    raise InputError(
        "variable-unclear",
        "it is not clear which variable of the data set is the image",
        value=f"{corpus.path}: {', '.join(names)}",
        remedy="name it with --variable",
    )


def _chips(corpus: Corpus, settings: OccludeSettings) -> list[Image]:
    coords: dict[str, NDArray[Any]] = {
        name: corpus.dataset[name].to_numpy()
        for name in ("epsg", "x_origin", "y_origin", "valid_fraction", "datetime_start", "datetime_end")
    }
    side, pixel = corpus.schema.chip_px, corpus.schema.resolution
    labels = corpus.dataset["label"].to_numpy() if "label" in corpus.dataset.coords else [""] * len(corpus)
    too_poor = f"valid_fraction below {settings.min_valid:g}"
    found = []
    for i, (name, slot) in enumerate(zip(corpus.chip_ids, corpus.slots, strict=True)):
        row = {key: values[i] for key, values in coords.items()}
        grid = Grid(epsg=int(row["epsg"]), x=float(row["x_origin"]), y=float(row["y_origin"]), pixel=pixel)
        found.append(
            Image(
                key=slot,
                image_id=name,
                label=str(labels[i]),
                split="",
                height=side,
                width=side,
                grid=grid if grid.epsg else None,
                moments=_moments(row["datetime_start"], row["datetime_end"]),
                reject=too_poor if row["valid_fraction"] < settings.min_valid else "",
            )
        )
    return found


def _moments(start: Any, end: Any) -> tuple[str, str] | None:
    if np.isnat(start) or np.isnat(end):
        return None
    return _iso(start), _iso(end)


def _iso(moment: Any) -> str:
    return f"{np.datetime_as_string(moment, unit='s')}+00:00"
