"""From the paths that were given to scenes: folders of rasters, static STAC catalogs, data sets of rsprep."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
from pystac.utils import make_absolute_href

from rsprep.corpus.clouds.mosaic import mosaic_scenes
from rsprep.corpus.clouds.scenes import BandRaster, ClassRaster, CloudScene, Source
from rsprep.corpus.clouds.settings import PRESETS, CloudSettings, CodeMap
from rsprep.corpus.files import band_names, bands_of, grid_of, metres_per_pixel
from rsprep.corpus.inputs import SUFFIXES, fingerprint, is_corpus, list_files, listed, slugs
from rsprep.corpus.pictures import PictureInfo, picture_size
from rsprep.errors import ConfigError, InputError
from rsprep.masks.detectors import DETECTORS, Detector, version
from rsprep.moments import parse_moment
from rsprep.reading.reach import Reach, reach
from rsprep.sources.catalog_io import CatalogIO, check_stac
from rsprep.sources.static import StaticCatalog

_STAC_ROOTS: Final = ("catalog.json", "collection.json")
_ALL_BANDS: Final = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
_DATE: Final = re.compile(r"(?<!\d)((?:19|20)\d{2})-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])(?!\d)")

FINEST = 1 / 16
"""Smallest pixel that scenes are resampled to, as a share of their own."""


@dataclass(frozen=True, kw_only=True)
class CloudInputs:
    """All scenes, and what they are made of."""

    scenes: tuple[CloudScene, ...]
    fingerprints: dict[str, str]
    """Name to fingerprint, for the identity of the corpus."""
    resolution: float
    """Metres along a pixel's side, the same for all scenes; 1 where it is not known."""


def find_cloud_scenes(settings: CloudSettings) -> CloudInputs:
    """Everything that the settings name, checked as far as headers tell.

    Raises
    ------
    InputError : ``not-found``, ``empty-folder``, ``remote-scenes``, ``not-class-rasters``, ``no-scl``,
        ``mixed-resolutions``, ``resolution-too-fine``, ``detector-input``, ``detector-bands``,
        ``detector-missing``; or as :func:`picture_size`.
    ConfigError : ``no-class-map``.
    CatalogError, StoreError : a STAC catalog or a data set cannot be used.
    """
    scenes: list[CloudScene] = []
    fingerprints: dict[str, str] = {}
    if settings.detector:
        fingerprints["detector"] = f"{settings.detector} {version(settings.detector)}"
    for number, given in enumerate(dict.fromkeys(settings.scenes), start=1):
        found, print_ = _look(given, settings)
        scenes += found
        fingerprints[f"scenes-{number}"] = print_
    scenes = _named(list(dict.fromkeys(scenes)))
    return CloudInputs(
        scenes=tuple(_resampled(scenes, settings.resolution)),
        fingerprints=fingerprints,
        resolution=settings.resolution or next((one.metres for one in scenes if one.metres is not None), 1.0),
    )


def _look(given: str, settings: CloudSettings) -> tuple[list[CloudScene], str]:
    """Scenes at one of the paths, and their fingerprint."""
    path = _local(given)
    root = next((path / name for name in _STAC_ROOTS if (path / name).is_file()), path)
    if is_corpus(path) or root.suffix.lower() == ".json":
        if settings.detector:
            raise InputError(
                "detector-input",
                "a detector looks into rasters of bands; STAC items and data sets come with masks of their own",
                value=given,
                remedy="give a folder of GeoTIFFs, or leave out --detector",
            )
        return mosaic_scenes(path) if is_corpus(path) else _of_stac(root, settings)
    files = list_files(path, SUFFIXES)
    found = [_of_raster(one, path, settings) for one in _infos(files, settings)]
    return found, fingerprint(files, path)


def _local(href: str, within: Reach | None = None) -> Path:
    if urlsplit(href).scheme in ("http", "https", "s3", "gs"):
        remedy = "fetch the files first, and give the folder"
        raise InputError("remote-scenes", "scenes are read from disk", value=href, remedy=remedy)
    return Path(href) if within is None else within.local(href)


# -- rasters ---------------------------------------------------------------------------------------


def _infos(files: Sequence[Path], settings: CloudSettings) -> list[PictureInfo]:
    infos = [picture_size(path) for path in files]
    if not settings.detector:
        wrong = [
            f"{info.path.name}: {bands_of(info)} × {info.dtype}"
            for info in infos
            if bands_of(info) != 1 or np.dtype(info.dtype).kind not in "iu" or info.format == "JPEG"
        ]
        if wrong:
            raise InputError(
                "not-class-rasters",
                "a class raster has one band of whole numbers, and is no JPEG, which changes them",
                value=listed(wrong),
                remedy="give the masks alone in a folder of their own, or name a --detector for scenes of bands",
            )
    return infos


def _of_raster(info: PictureInfo, root: Path, settings: CloudSettings) -> CloudScene:
    name = info.path.relative_to(root).with_suffix("").as_posix() if info.path != root else info.path.stem
    source = _band_raster(info, settings) if settings.detector else _class_raster(info, _raster_codes(settings, info))
    date = _DATE.search(info.path.stem)
    return _scene(name, source, info, date="-".join(date.groups()) if date else "")


def _raster_codes(settings: CloudSettings, info: PictureInfo) -> CodeMap:
    codes = settings.raster_codes
    if codes is None:
        raise ConfigError(
            "no-class-map",
            "a raster does not tell what its codes stand for",
            value=str(info.path),
            remedy=f"say --classes {', '.join(PRESETS)}; or --thick and --clear, and --nodata where there is any",
        )
    return codes


def _class_raster(info: PictureInfo, codes: CodeMap) -> ClassRaster:
    return ClassRaster(path=info.path.absolute(), codes=codes, declared=info.nodata, windowed=info.windowed)


def _band_raster(info: PictureInfo, settings: CloudSettings) -> BandRaster:
    detector = DETECTORS[settings.detector]
    return BandRaster(
        path=info.path.absolute(),
        detector=detector.name,
        bands=_positions(info, detector),
        scale=settings.scale,
        offset=settings.offset,
        threshold=settings.threshold,
        declared=info.nodata,
        tiled=info.windowed,
    )


def _positions(info: PictureInfo, detector: Detector) -> tuple[int, ...]:
    """Where the bands of a detector are: by their names, else by their number where that is telling."""
    names = [name.upper() for name in band_names(info)]
    if set(detector.bands) <= set(names):
        return tuple(names.index(band) for band in detector.bands)
    if len(names) == len(_ALL_BANDS):
        return tuple(_ALL_BANDS.index(band) for band in detector.bands)
    if len(names) == len(detector.bands):
        return tuple(range(len(names)))
    raise InputError(
        "detector-bands",
        f"{detector.name} needs {', '.join(detector.bands)}",
        value=f"{info.path.name}: {', '.join(band_names(info))}",
        remedy="name the bands in the file (band descriptions), or give those bands, or all 13, in their order",
    )


def _scene(name: str, source: Source, info: PictureInfo, *, date: str = "", moment: str = "") -> CloudScene:
    grid = grid_of(info)
    return CloudScene(
        name=name,
        source=source,
        source_shape=(info.height, info.width),
        metres=metres_per_pixel(info),
        epsg=grid[0] if grid else None,
        transform=grid[1] if grid else None,
        moment=moment,
        date=date,
    )


# -- STAC ------------------------------------------------------------------------------------------


def _of_stac(root: Path, settings: CloudSettings) -> tuple[list[CloudScene], str]:
    """Items with an asset SCL, of all collections of a static catalog."""
    within = reach([str(root.absolute())])
    items = list(_items(root, within))
    scenes = []
    for href, item in items:
        asset = next((item["assets"][key] for key in ("SCL", "scl") if key in (item.get("assets") or {})), None)
        if asset is None:
            continue
        info = picture_size(_local(make_absolute_href(str(asset.get("href")), href), within))
        moment = parse_moment((item.get("properties") or {}).get("datetime"), is_end=False)
        scenes.append(
            _scene(
                str(item.get("id")),
                _class_raster(info, settings.stac_codes),
                info,
                date=moment.date().isoformat() if moment else "",
                moment=moment.isoformat() if moment else "",
            )
        )
    if not scenes:
        raise InputError(
            "no-scl",
            "no item of the catalog has an asset SCL, the scene classification of Sentinel-2 L2A",
            value=f"{root}: {len(items):,} items",
            remedy="give a catalog of Sentinel-2 L2A, or a folder of class rasters",
        )
    return scenes, fingerprint([path for scene in scenes for path in scene.source.files], _common(scenes))


def _items(root: Path, within: Reach) -> Iterator[tuple[str, dict[str, Any]]]:
    href = str(root.absolute())
    io = CatalogIO(reach=within)
    document = io.read_document(href)
    check_stac(document, href, kinds=("Catalog", "Collection", "Feature"))
    if document["type"] == "Feature":
        yield href, document
        return
    catalog = StaticCatalog(io, href, document)
    for name in catalog.collections():
        yield from catalog.items(name)


def _common(scenes: Sequence[CloudScene]) -> Path:
    """The folder that holds the files of all scenes."""
    folders = [path.parent for scene in scenes for path in scene.source.files]
    return next(
        parent for parent in (folders[0], *folders[0].parents) if all(f.is_relative_to(parent) for f in folders)
    )


# -- all together ----------------------------------------------------------------------------------


def _named(scenes: Sequence[CloudScene]) -> list[CloudScene]:
    """Scenes with names that chip ids may have; those that share one are told apart by where their files are."""
    uses = Counter(scene.name for scene in scenes)
    names = [scene.name if uses[scene.name] == 1 else f"{scene.name} {_where(scene)}" for scene in scenes]
    safe = slugs(names)
    return [replace(scene, name=safe[name]) for scene, name in zip(scenes, names, strict=True)]


def _where(scene: CloudScene) -> str:
    source = scene.source
    return str(source.files[0] if source.files else getattr(source, "path", "")) + f" {scene.transform}"


def _resampled(scenes: Sequence[CloudScene], resolution: float | None) -> Iterator[CloudScene]:
    """Scenes at one resolution. One that does not tell its own is taken as it is."""
    sizes: dict[float | None, list[str]] = defaultdict(list)
    for scene in scenes:
        sizes[None if scene.metres is None else round(scene.metres, 6)].append(scene.name)
    if resolution is None:
        if len(sizes) > 1:
            told = sorted(sizes.items(), key=lambda one: one[0] or 0)
            raise InputError(
                "mixed-resolutions",
                "the scenes have pixels of different sizes on the ground",
                value="; ".join(f"{f'{size:g} m' if size else 'unknown'}: {listed(names)}" for size, names in told),
                remedy="say --resolution with the metres to resample them to, or make a corpus of each",
            )
        yield from scenes
        return
    for scene in scenes:
        step = None if scene.metres is None else resolution / scene.metres
        if step is not None and step < FINEST:
            raise InputError(
                "resolution-too-fine",
                f"pixels of {scene.name} would become more than {1 / FINEST:g} times as fine, which shows nothing more",
                value=f"{resolution:g} m of {scene.metres:g} m",
                remedy="say a --resolution near that of the scenes",
            )
        yield scene if step is None else replace(scene, step=step)
