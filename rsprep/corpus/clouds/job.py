"""The corpus of seed masks: connected shapes of thick cloud, cut out of scenes in which clouds are known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rsprep.corpus.clouds.inputs import CloudInputs, find_cloud_scenes
from rsprep.corpus.clouds.manifest import write_seeds
from rsprep.corpus.clouds.scenes import CloudScene, UnknownCodesError
from rsprep.corpus.clouds.schema import seed_schema
from rsprep.corpus.clouds.settings import CloudSettings
from rsprep.corpus.clouds.survey import Found, mask_digest, survey_clouds
from rsprep.corpus.partition import by_hash
from rsprep.corpus.plan import Batch, CorpusChip, CorpusPlan, Histogram, MadeChip, Place
from rsprep.corpus.run import run_corpus
from rsprep.errors import RsprepError
from rsprep.finish import Outcome
from rsprep.job.progress import Progress, Silent
from rsprep.masks.descriptors import describe
from rsprep.masks.shapes import Frame, cut_seed
from rsprep.report.data import SourceRow
from rsprep.settings import make_settings

KIND: Final = "cloud-masks"
CHANGED: Final = "the scene is not what it was when the shapes were found"


def cloud_masks(
    settings: CloudSettings | Mapping[str, Any], *, progress: Progress | None = None, retry_failed: bool = False
) -> Outcome:
    """Make a corpus of seed masks, or go on with it: the same call resumes.

    Parameters
    ----------
    settings : checked settings, or a mapping with their keys.
    progress : who watches; nobody by default.
    retry_failed : try quarantined seeds again.

    Raises
    ------
    InputError : something that was given cannot be used; nothing is written then.
    """
    checked = make_settings(CloudSettings, settings)
    watcher = progress or Silent()
    return run_corpus(plan_clouds(checked, watcher), progress=watcher, retry_failed=retry_failed)


def plan_clouds(settings: CloudSettings, progress: Progress) -> CorpusPlan:
    """Find the scenes; their clouds are looked for when the plan's chips are taken.

    Raises
    ------
    InputError : as :func:`find_cloud_scenes`.
    """
    inputs = find_cloud_scenes(settings)
    return CorpusPlan(
        kind=KIND,
        title="Cloud masks",
        subtitle=_subtitle(settings, inputs),
        settings=settings,
        inputs=inputs.fingerprints,
        schema=seed_schema(settings, inputs),
        chips=_chips(settings, inputs.scenes, progress),
        make=make_seeds,
        shared={scene.name: scene for scene in inputs.scenes},
        sources=(_source(settings, inputs),),
        histograms=(
            Histogram(column="area_ratio", title="Area", note="share of a seed that is cloud", low=0, high=1),
            Histogram(column="compactness", title="Compactness", note="1 is a disc, less is ragged", low=0, high=1),
            Histogram(column="eccentricity", title="Eccentricity", note="0 is round, 1 a line", low=0, high=1),
            Histogram(column="solidity", title="Solidity", note="share of the convex hull", low=0, high=1),
        ),
        sheet="diverse",
        finish=write_seeds,
    )


# -- plan -----------------------------------------------------------------------------------------


def _chips(settings: CloudSettings, scenes: Sequence[CloudScene], progress: Progress) -> Iterator[CorpusChip]:
    found = survey_clouds(scenes, settings, progress)
    by_name = {scene.name: scene for scene in scenes}
    progress.stage("plan", total=len(found), unit="chips")
    for one in found:
        scene, frame = by_name[one.scene], one.frame
        yield CorpusChip(
            chip_id=one.chip_id,
            split="train" if settings.split == "none" else by_hash(one.scene, settings.ratio, settings.seed),
            payload={
                "scene": one.scene,
                "row": frame.row,
                "column": frame.column,
                "side": frame.side,
                "anchor": list(frame.anchor),
                "digest": one.digest,
                "diverse": one.diverse,
            },
            place=_place(scene, one, settings),
            reject=one.refused,
        )


def _place(scene: CloudScene, one: Found, settings: CloudSettings) -> Place | None:
    """Where the seed lies; None for one that is shrunk, whose pixels are larger than those of the others."""
    if scene.transform is None or scene.epsg is None or one.frame.side != settings.size:
        return None
    x, y = scene.transform @ (one.frame.column * scene.step, one.frame.row * scene.step)
    return Place.at_corner(scene.epsg, x, y, settings.size * scene.step * scene.transform.a)


def _subtitle(settings: CloudSettings, inputs: CloudInputs) -> str:
    scenes = len(inputs.scenes)
    return (
        f"thick clouds of {scenes:,} scene{'s' * (scenes != 1)}, {settings.size} × {settings.size} pixels, "
        f"cloud on {settings.min_area:g} to {settings.max_area:g} of a seed"
    )


def _source(settings: CloudSettings, inputs: CloudInputs) -> SourceRow:
    codes = settings.raster_codes
    dates = sorted({scene.date for scene in inputs.scenes if scene.date})
    told = f"clouds found by {inputs.fingerprints['detector']}" if settings.detector else ""
    if not told and codes is not None:
        told = f"codes of rasters ({codes.name}): {codes.to_text()}"
    return SourceRow(
        product="cloud masks of scenes",
        collection=", ".join(Path(given).name for given in settings.scenes),
        granules=len(inputs.scenes),
        dates=" to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else "",
        note=told or f"codes of SCL: {settings.stac_codes.to_text()}",
    )


# -- chips ----------------------------------------------------------------------------------------


def make_seeds(batch: Batch) -> Iterable[MadeChip]:
    """Cut the seeds of one shard out of their scenes again, each from the pixels around it."""
    settings = batch.settings
    assert isinstance(settings, CloudSettings)  # noqa: S101  # the plan's own
    for chip in batch.chips:
        payload = chip.payload
        frame = Frame(
            row=payload["row"], column=payload["column"], side=payload["side"], anchor=tuple(payload["anchor"])
        )
        try:
            yield _make(batch.shared[payload["scene"]], frame, payload, settings)
        except UnknownCodesError:
            yield MadeChip(quarantined=CHANGED)
        except RsprepError as error:
            yield MadeChip(quarantined=f"{error.name}: {error.cause}")


def _make(scene: CloudScene, frame: Frame, payload: Mapping[str, Any], settings: CloudSettings) -> MadeChip:
    seen = scene.view(frame, settings.rules.margin)
    try:
        cut = cut_seed(seen, frame, settings.rules)
    except ValueError:  # no cloud where there was one
        return MadeChip(quarantined=CHANGED)
    if mask_digest(cut.mask) != payload["digest"]:
        return MadeChip(quarantined=CHANGED)
    row, column = scene.in_source(frame.row, frame.column)
    metres = 1.0 if scene.resolution is None else scene.resolution * frame.side / settings.size
    described = describe(cut.mask).as_dict()
    moment = {"datetime_start": scene.moment, "datetime_end": scene.moment} if scene.moment else {}
    return MadeChip(
        arrays={"mask": cut.mask},
        values={
            **described,
            "cut_share": cut.cut_share,
            "resolution": metres,
            "source": scene.name,
            "date": scene.date,
            "row": row,
            "col": column,
            "diverse": payload["diverse"],
        },
        stats={"sources": {"clouds": [scene.name]}, **moment},
    )
