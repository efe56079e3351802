"""Colour a raster, or a folder of pictures, into a folder: images, a record and a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import rasterio

from rsmodels.colouring.page import Shown, write_report
from rsmodels.colouring.painter import Painter, painter_of
from rsmodels.colouring.rasters import Grey, open_grey
from rsmodels.colouring.settings import ColorizeSettings
from rsmodels.colouring.work import Done, colour_scene
from rsmodels.errors import ModelError
from rsmodels.records import as_json
from rsmodels.tiling.folder import (
    IMAGES,
    PAGE,
    Layout,
    check_goes_on,
    check_names,
    check_out,
    key_of,
    read_record,
    working,
)
from rsmodels.tiling.rasters import CACHE
from rsprep.cloud.address import folder_only
from rsprep.corpus.inputs import fingerprint, is_corpus, list_files
from rsprep.files import write_text
from rsprep.job.progress import Progress

RECORD = "colorize.json"
LAYOUT = Layout(noun="a colorization", done="coloured", record=RECORD, folders=(IMAGES,))
_NO_PIXEL_DEPENDS_ON = {"input", "out", "checkpoint", "keep_lightness", "window", "device"}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Ready:
    name: str
    """Below the input, without its ending."""
    scene: Grey
    out: Path


def colour_files(settings: ColorizeSettings, progress: Progress) -> dict[str, Any]:
    """Colour what ``settings.input`` names; the record, as in ``colorize.json``.

    All files are looked at before anything is written.

    Raises
    ------
    InputError : something that was given cannot be used.
    ModelError : as :func:`rsmodels.colouring.painter.painter_of`, :func:`rsmodels.colouring.rasters.open_grey` and
        :mod:`rsmodels.tiling.folder`; ``chips-not-pictures`` for a data set.
    """
    out = folder_only(settings.out, "--out")
    check_out(out)
    progress.stage("check")
    if is_corpus(settings.input):
        raise ModelError(
            "chips-not-pictures",
            "this is a data set; a folder of pictures is coloured, or one raster",
            value=settings.input,
            remedy="`rsmodels synth-augment` recolours chips of a data set, `rsmodels evaluate` measures colours on it",
        )
    files = list_files(settings.input)
    painter = painter_of(settings)
    identity = _identity(settings, painter, files)
    if check_goes_on(out, identity, LAYOUT):
        return {**read_record(out, LAYOUT), "again": True}
    source = Path(settings.input)
    root = source if source.is_dir() else source.parent
    ready = [_ready(file, key_of(file, root), painter, settings, out) for file in files]
    check_names([one.out for one in ready], out)
    with rasterio.Env(GDAL_CACHEMAX=CACHE):
        return _work(ready, painter, settings, identity, progress)


def _ready(file: Path, name: str, painter: Painter, settings: ColorizeSettings, out: Path) -> _Ready:
    scene = open_grey(file, painter, settings)
    return _Ready(name=name, scene=scene, out=out / IMAGES / f"{name}{scene.ending}")


def _identity(settings: ColorizeSettings, painter: Painter, files: Sequence[Path]) -> dict[str, Any]:
    return {
        **settings.model_dump(mode="json", exclude=_NO_PIXEL_DEPENDS_ON),
        "keep_lightness": painter.keep_lightness,
        "network": painter.trained.manifest_hash,
        "images": fingerprint(files, settings.input),
    }


def _work(
    ready: Sequence[_Ready], painter: Painter, settings: ColorizeSettings, identity: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    out = Path(settings.out)
    with working(out, identity, settings.window) as work:
        progress.stage("colour", total=sum(one.scene.shape[0] * one.scene.shape[1] for one in ready), unit="px")
        done = [_one(number, one, painter, settings, work, progress) for number, one in enumerate(ready)]
        record = _record(ready, done, painter, settings, identity)
        progress.stage("report")
        shown = [Shown(name=one.name, scene=one.scene, out=one.out) for one in ready]
        write_report(out / PAGE, shown, record)
        write_text(out / RECORD, as_json(record))
    return record


def _one(
    number: int, one: _Ready, painter: Painter, settings: ColorizeSettings, work: Path, progress: Progress
) -> Done:
    marker = work / f"{number:06d}.json"
    if marker.is_file() and one.out.is_file():
        done = Done(**json.loads(marker.read_text(encoding="utf-8")))
        progress.advance(done.pixels)
        return done
    parts = work / f"{number:06d}-{settings.window}"
    done = colour_scene(one.scene, painter, window=settings.window, work=parts, out=one.out, told=progress.advance)
    write_text(marker, as_json(asdict(done)))
    one.scene.forget()
    return done


def _record(
    ready: Sequence[_Ready],
    done: Sequence[Done],
    painter: Painter,
    settings: ColorizeSettings,
    identity: dict[str, Any],
) -> dict[str, Any]:
    out = Path(settings.out)
    files = [
        {
            "name": one.name,
            "image": one.out.relative_to(out).as_posix(),
            "type": one.scene.info.dtype,
            "bands": [one.scene.names[band] for band in one.scene.bands],
            **asdict(what),
        }
        for one, what in zip(ready, done, strict=True)
    ]
    counts = {key: sum(file[key] for file in files) for key in ("pixels", "coloured", "nodata", "beyond")}
    return {
        "identity": identity,
        "model": painter.settings.model,
        "network": painter.trained.manifest_hash,
        "trained_on": [dict(one) for one in painter.trained.parents],
        "starts_from": painter.starts_from,
        "keep_lightness": painter.keep_lightness,
        "tile": painter.tiling.size,
        "overlap": painter.tiling.overlap,
        **counts,
        "files": files,
    }
