"""Fill a raster, or a folder of pictures, into a folder: images, masks of what was filled, a record and a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import rasterio

from rsmodels.errors import ModelError
from rsmodels.filling.folder import FILLED, LAYOUT, RECORD, read_done, write_done
from rsmodels.filling.method import Method, method_of
from rsmodels.filling.page import Shown, write_report
from rsmodels.filling.rasters import Scene, open_scene
from rsmodels.filling.settings import InpaintSettings
from rsmodels.filling.work import Done, Todo, fill_scene, look
from rsmodels.records import as_json
from rsmodels.tiling.folder import IMAGES, PAGE, check_goes_on, check_names, check_out, key_of, read_record, working
from rsmodels.tiling.rasters import CACHE
from rsprep.cloud.address import folder_only
from rsprep.corpus.inputs import fingerprint, list_files, listed
from rsprep.files import write_text
from rsprep.job.progress import Progress

_MASK = "_mask"
_NO_PIXEL_DEPENDS_ON = {
    "input",
    "out",
    "checkpoint",
    "mask",
    "catalog",
    "engine",
    "window",
    "device",
    "variable",
    "max_hidden",
}


@dataclass(frozen=True, kw_only=True)
class Job:
    """One raster of the job."""

    name: str
    """Below the input, without its ending."""
    image: Path
    mask: Path


@dataclass(frozen=True, kw_only=True, eq=False)
class _Ready:
    job: Job
    scene: Scene
    todo: Todo
    files: tuple[Path, Path]
    """Image and mask of what was filled, below OUT."""


def fill_files(settings: InpaintSettings, progress: Progress) -> dict[str, Any]:
    """Fill what ``settings.input`` names; the record, as in ``inpaint.json``.

    Everything is looked at before anything is written: all files, and every pixel of the masks.

    Raises
    ------
    InputError : something that was given cannot be used.
    ModelError : as :func:`rsmodels.filling.rasters.open_scene`, :mod:`rsmodels.tiling.folder` and :func:`jobs`;
        ``nothing-hidden`` where no mask hides a pixel.
    """
    out = folder_only(settings.out, "--out")
    check_out(out)
    progress.stage("check")
    found = jobs(settings)
    method = method_of(settings)
    identity = _identity(settings, method, found)
    if check_goes_on(out, identity, LAYOUT):
        return {**read_record(out, LAYOUT), "again": True}
    ready = [_ready(job, method, settings, out) for job in found]
    check_names([one.files[0] for one in ready], out)
    if not any(one.todo.pixels for one in ready):
        raise ModelError(
            "nothing-hidden",
            "the masks hide no pixel",
            value=listed(str(job.mask) for job in found),
            remedy="check the mask, and --mask-codes where it holds codes",
        )
    with rasterio.Env(GDAL_CACHEMAX=CACHE):
        return _work(ready, method, settings, identity, progress)


def jobs(settings: InpaintSettings) -> list[Job]:
    """Rasters with their masks.

    A folder's masks are looked for in the folder that ``mask`` names, under the same names with any ending, or beside
    the pictures as NAME_mask.

    Raises
    ------
    ModelError : ``no-mask`` where none is given or found; InputError where there are no files.
    """
    source = Path(settings.input)
    if source.is_dir():
        images = [path for path in list_files(source) if not path.stem.endswith(_MASK)]
        masks = _masks(source, Path(settings.mask) if settings.mask else None)
        paired = [(path, masks.get(key_of(path, source))) for path in images]
    else:
        images = list_files(source)
        source = source.parent
        given = Path(settings.mask) if settings.mask else None
        paired = [(path, given) for path in images]
    missing = [str(path) for path, mask in paired if mask is None]
    if missing or not images:
        raise ModelError(
            "no-mask",
            "there is no mask that says what is hidden",
            value=listed(missing) or settings.input,
            remedy="--mask FILE for one raster; for a folder --mask FOLDER with masks of the same names, or NAME_mask "
            "beside each picture",
        )
    return [Job(name=key_of(path, source), image=path, mask=mask) for path, mask in paired if mask is not None]


def _masks(images: Path, masks: Path | None) -> dict[str, Path]:
    if masks is not None:
        return {key_of(path, masks): path for path in list_files(masks)}
    beside = [path for path in list_files(images) if path.stem.endswith(_MASK)]
    return {key_of(path, images).removesuffix(_MASK): path for path in beside}


def _ready(job: Job, method: Method, settings: InpaintSettings, out: Path) -> _Ready:
    scene = open_scene(job.image, job.mask, method, settings)
    files = out / IMAGES / f"{job.name}{scene.ending}", out / FILLED / f"{job.name}{scene.ending}"
    todo = look(scene, settings.window)
    scene.forget()
    return _Ready(job=job, scene=scene, todo=todo, files=files)


def _identity(settings: InpaintSettings, method: Method, found: Sequence[Job]) -> dict[str, Any]:
    source, mask = Path(settings.input), Path(settings.mask or settings.input)
    return {
        **settings.model_dump(mode="json", exclude=_NO_PIXEL_DEPENDS_ON),
        "filler": method.identity,
        "images": fingerprint([job.image for job in found], source),
        "masks": fingerprint([job.mask for job in found], mask),
    }


def _work(
    ready: Sequence[_Ready], method: Method, settings: InpaintSettings, identity: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    out = Path(settings.out)
    with working(out, identity, settings.window) as work:
        progress.stage("fill", total=sum(one.todo.pixels for one in ready), unit="px")
        done = [_one(number, one, method, settings, work, progress) for number, one in enumerate(ready)]
        record = _record(ready, done, method, settings, identity)
        progress.stage("report")
        shown = [
            Shown(name=one.job.name, scene=one.scene, out=one.files[0], filled=one.files[1], done=what)
            for one, what in zip(ready, done, strict=True)
        ]
        write_report(out / PAGE, shown, record)
        write_text(out / RECORD, as_json(record))
    return record


def _one(number: int, one: _Ready, method: Method, settings: InpaintSettings, work: Path, progress: Progress) -> Done:
    marker = work / f"{number:06d}.json"
    done = read_done(marker)
    if done is not None and all(file.is_file() for file in one.files):
        progress.advance(one.todo.pixels)
        return done
    image, filled = one.files
    done = fill_scene(
        one.scene,
        one.todo,
        method,
        window=settings.window,
        work=work / f"{number:06d}-{settings.window}",
        out=image,
        filled=filled,
        told=progress.advance,
    )
    write_done(marker, done)
    one.scene.forget()
    return done


def _record(
    ready: Sequence[_Ready],
    done: Sequence[Done],
    method: Method,
    settings: InpaintSettings,
    identity: dict[str, Any],
) -> dict[str, Any]:
    out = Path(settings.out)
    files = [
        {
            "name": one.job.name,
            "image": one.files[0].relative_to(out).as_posix(),
            "filled": one.files[1].relative_to(out).as_posix(),
            "pixels": one.scene.shape[0] * one.scene.shape[1],
            "bands": [one.scene.names[band] for band in one.scene.bands],
            **asdict(what),
        }
        for one, what in zip(ready, done, strict=True)
    ]
    counts = {key: sum(file[key] for file in files) for key in ("pixels", "hidden", "filled", "left", "nodata")}
    trained = method.trained
    return {
        "identity": identity,
        "method": method.name,
        "filler": method.identity,
        "trained_on": [] if trained is None else [dict(one) for one in trained.parents],
        "tile": method.tiling.size,
        "overlap": method.tiling.overlap,
        **counts,
        "files": files,
    }
