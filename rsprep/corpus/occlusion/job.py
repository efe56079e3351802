"""Occlusion pairs: images, what hides them, and the two together, as a chip corpus.

Paper C, section IV-A: each image gets a mask that covers 15 to 60 % of it. The occluded image equals the
clean one outside of the mask bit for bit; inside it is the fill, or pixels of a real cloud.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rsprep.corpus.inputs import fingerprint
from rsprep.corpus.occlusion.chips import ImageReader, OcclusionWork, make_occluded
from rsprep.corpus.occlusion.clouds import find_clouds
from rsprep.corpus.occlusion.images import Images, find_images
from rsprep.corpus.occlusion.masks import MaskReader, find_masks
from rsprep.corpus.occlusion.planning import count_chips, plan_chips, sources, subtitle, tables
from rsprep.corpus.occlusion.settings import OccludeSettings
from rsprep.corpus.plan import CorpusPlan, Histogram
from rsprep.corpus.run import run_corpus
from rsprep.errors import InputError
from rsprep.finish import Outcome
from rsprep.job.progress import Progress, Silent
from rsprep.settings import make_settings
from rsprep.store.schema import Column, Schema, Variable

SHARD_BYTES = 32 * 2**20
MAX_SLOTS = 64
REFLECTANCE_OF_CLOUD = 1.0


def occlude(
    settings: OccludeSettings | Mapping[str, Any], *, progress: Progress | None = None, retry_failed: bool = False
) -> Outcome:
    """Make a corpus of occlusion pairs, or go on with it: the same call resumes.

    Parameters
    ----------
    settings : checked settings, or a mapping with their keys.
    progress : who watches; nobody by default.
    retry_failed : try quarantined chips again.

    Raises
    ------
    InputError : something that was given cannot be used; nothing is written then.
    """
    checked = make_settings(OccludeSettings, settings)
    watcher = progress or Silent()
    return run_corpus(plan_occlusion(checked, watcher), progress=watcher, retry_failed=retry_failed)


def plan_occlusion(settings: OccludeSettings, progress: Progress) -> CorpusPlan:
    """Find and check images, masks and clouds, and decide which serve together.

    Raises
    ------
    InputError : as :func:`find_images`, :func:`find_masks`, :func:`find_clouds` and :func:`fill_of`.
    """
    progress.stage("check images")
    images = find_images(settings)
    fill = fill_of(settings, images)
    chips = count_chips(images, settings.per_image)
    progress.stage("check masks")
    masks = find_masks(settings, images.size, chips)
    clouds = None
    if settings.fill == "clouds":
        clouds = find_clouds(settings, size=images.size, bands=len(images.bands), dtype=images.dtype, chips=chips)
    inputs = {"images": images.fingerprint, "masks": masks.fingerprint}
    if settings.split_file:
        inputs["split_file"] = fingerprint([Path(settings.split_file)], Path(settings.split_file))
    return CorpusPlan(
        kind="occlusion",
        title="Occlusion pairs",
        subtitle=subtitle(settings, images, masks),
        settings=settings,
        inputs=inputs | ({"clouds": clouds.fingerprint} if clouds else {}),
        schema=occlusion_schema(settings, images, fill),
        chips=plan_chips(settings, images, masks),
        make=make_occluded,
        shared=OcclusionWork(
            images=ImageReader(root=images.root.resolve(), variable=images.variable, nodata=images.nodata),
            kind=(len(images.bands), images.dtype),
            masks=MaskReader(root=masks.root.resolve(), stored=masks.stored),
            as_is=masks.as_is,
            fill=fill,
            clouds=clouds.clouds if clouds else {},
            carried={name: variable.name for name, variable in images.carried.items()},
        ),
        sources=sources(settings, images, masks, clouds),
        histograms=(
            Histogram(
                column="area_ratio",
                title="Hidden area",
                note="share of the pixels with data that the mask hides",
                low=0.0,
                high=1.0,
            ),
        ),
        finish=partial(tables, images=images, masks=masks),
    )


def fill_of(settings: OccludeSettings, images: Images) -> tuple[float, ...]:
    """What is seen in place of the image: one number, or one a band; empty where clouds are pasted.

    Raises
    ------
    InputError : ``fill-needed`` where white is not known; ``unfit-fill``.
    """
    if settings.fill == "clouds":
        return ()
    if settings.fill == "white":
        if images.dtype == "uint8":
            return (255.0,)
        if images.dtype == "int16" and "scale" in images.attrs:
            return (round(REFLECTANCE_OF_CLOUD / images.attrs["scale"]),)
        raise InputError(
            "fill-needed",
            f"what is white in {images.dtype} images is not known",
            value=settings.images,
            remedy="say what a hidden pixel becomes, with --fill NUMBER or one number a band",
        )
    kind = np.dtype(images.dtype)
    values = np.array(settings.fill)
    with np.errstate(all="ignore"):
        fits = np.isfinite(values) & (values.astype(kind) == values)
    if not fits.all() or len(values) not in (1, len(images.bands)) or images.nodata in settings.fill:
        raise InputError(
            "unfit-fill",
            f"the fill is one number, or one for each of {len(images.bands)} band(s), that {kind} holds and that does "
            "not mean no data",
            value=", ".join(f"{value:g}" for value in settings.fill),
            remedy="choose another --fill",
        )
    return settings.fill


def occlusion_schema(settings: OccludeSettings, images: Images, fill: tuple[float, ...]) -> Schema:
    """Schema of the store: what is seen, what hides it, what was there, and what is passed on beside it."""
    missing = float("nan") if np.dtype(images.dtype).kind == "f" else images.nodata or 0
    attrs = dict(images.attrs)
    if images.nodata is not None and not np.isnan(missing):
        attrs["nodata"] = missing
    instead: Any = list(fill) or "pixels of real clouds"
    seen = attrs | {"long_name": "image with what the mask hides replaced", "occlusion_fill": instead}
    if fill:
        seen["stretch_without"] = list(fill)  # so that the report shows both pictures alike

    def picture(name: str, attrs: Mapping[str, Any]) -> Variable:
        return Variable(
            name=name, bands=images.bands, band_dim=images.band_dim, dtype=images.dtype, fill=missing, attrs=attrs
        )

    mask = Variable(
        name="mask", bands=None, band_dim=None, dtype="uint8", fill=0,
        attrs={
            "long_name": "what is hidden", "units": "1", "flag_values": [0, 1], "flag_meanings": "clear occluded",
            "flag_colors": "#1b2a41 #ffffff",
        },
    )  # fmt: skip
    variables = (picture("occluded", seen), mask, picture("clean", attrs), *images.carried.values())
    chip_bytes = sum(int(np.prod(v.chip_shape(images.size))) * np.dtype(v.dtype).itemsize for v in variables)
    columns = [
        Column(name="source", kind="string", meaning="image: path below the folder, or chip of the data set"),
        Column(name="mask_id", kind="string", meaning="mask: path below the folder, or chip of the data set"),
        Column(name="area_ratio", kind="float32", meaning="share of the pixels with data that is hidden"),
        Column(name="label", kind="string", meaning="folder that the image lies in, below that of its split"),
        Column(name="draws", kind="int32", meaning="masks, places and clouds that were tried until all suited"),
    ]
    if settings.fill == "clouds":
        columns.append(Column(name="cloud_id", kind="string", meaning="picture that the pasted pixels come from"))
    return Schema(
        variables=variables,
        chip_px=images.size,
        resolution=images.resolution,
        slots_per_shard=int(np.clip(SHARD_BYTES // chip_bytes, 1, MAX_SLOTS)),
        columns=tuple(columns),
    )
