"""A data set filled: its chips as they are, but for the hidden pixels of one variable; a data set like any other.

Chips keep their names, places, splits and dates. What was filled is in the variable ``filled``, and in the columns each
chip's source; what the filler saw lies beside the store (``seen.parquet``), so that whoever trains on it is held
to the same rules as if the model had been trained further.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from rsmodels.data.lineage import FILE_NAME, Seen, seen_behind
from rsmodels.data.source import CLEAR, ChipSource
from rsmodels.errors import ModelError
from rsmodels.filling.chips import FILLED, FillWork, make_filled
from rsmodels.filling.dataset_page import figures, write_before_after
from rsmodels.filling.method import IMAGE, Method, method_of
from rsmodels.filling.settings import InpaintSettings
from rsmodels.synth.schema import MAX_SLOTS, SHARD_BYTES
from rsmodels.tiling.numbers import Numbers, bands_of
from rsprep.cloud.address import resolved
from rsprep.corpus.plan import CorpusChip, CorpusPlan, Histogram, Place
from rsprep.corpus.run import run_corpus
from rsprep.finish import Outcome
from rsprep.job.desk import Desk
from rsprep.job.progress import Progress
from rsprep.report.data import SourceRow, Table
from rsprep.stac.catalog import COLLECTION, relative_href
from rsprep.store.read import open_dataset
from rsprep.store.schema import NOWHERE, Column, Schema, Variable

COLUMNS = (
    Column(name="filled_from", kind="string", meaning="chip whose hidden pixels were filled"),
    Column(name="filled_digest", kind="string", meaning="fingerprint of that chip's pixels"),
    Column(name="filled_dataset", kind="string", meaning="identity of the data set that it is of"),
    Column(name="filled_by", kind="string", meaning="hash of the checkpoint, or the release of OpenCV"),
    Column(name="filled_share", kind="float32", meaning="share of the chip that was filled, 0 to 1"),
)
VARIABLES = ("s2", "occluded")
"""That are filled unless another is named."""
REPAIRED = {"occluded": "image"}
"""Variables that stay as they are, and the new one that has the filled pixels."""
HIDES = {"s2": ("s2_valid", (0,)), "occluded": ("mask", (1,))}
"""What hides a variable, and which codes of it do."""


@dataclass(frozen=True, kw_only=True)
class _Target:
    """What of the data set is filled, and what hides it."""

    variable: Variable
    mask: str
    codes: tuple[int, ...]

    @property
    def name(self) -> str:
        """Variable of the new store that holds the filled image."""
        return REPAIRED.get(self.variable.name, self.variable.name)


def fill_dataset(settings: InpaintSettings, progress: Progress, *, retry_failed: bool = False) -> Outcome:
    """Fill the chips of a data set into another one, or go on with it.

    Raises
    ------
    InputError : something that was given cannot be used; nothing is written then.
    """
    return run_corpus(plan_filling(settings, progress), progress=progress, retry_failed=retry_failed)


def plan_filling(settings: InpaintSettings, progress: Progress) -> CorpusPlan:
    """Open data set and filler, and see that they fit together.

    Raises
    ------
    StoreError : the data set cannot be read.
    ModelError : ``nothing-to-fill``, ``no-hiding-variable``, ``bands``, ``unlike-data-sets``; a checkpoint that cannot
        be used.
    """
    progress.stage("check")
    source = ChipSource.open(settings.input)
    method = method_of(settings)
    target = _target(source, settings)
    work = _work(source, method, target, settings)
    trained = method.trained
    return CorpusPlan(
        kind="filled",
        title="Filled chips",
        subtitle=f"{len(source.chips):,} chips of {source.name}, {target.variable.name} filled where {target.mask} "
        f"hides it, by {method.name}",
        settings=settings,
        inputs={"input": source.identity, "filler": method.identity},
        schema=filled_schema(source, target.variable, target.name, work.clear),
        chips=_planned(source),
        make=make_filled,
        shared=work,
        sources=(
            SourceRow(product="chips", collection=source.name, granules=len(source.chips), note="of all splits"),
            SourceRow(product="filler", collection=method.name, granules=1, note=_told(method)),
        ),
        histograms=(
            Histogram(column="filled_share", title="Filled", note="share of each chip's pixels", low=0.0, high=1.0),
        ),
        finish=partial(
            _finish,
            seen=seen_behind(source) if trained is None else trained.seen.merge(seen_behind(source)),
            source=source,
            target=target,
            work=work,
        ),
        derived_from={source.name: relative_href(resolved(source.folder) / COLLECTION, resolved(settings.out))},
        synthetic=bool(source.chips.synthetic.all()),
    )


def filled_schema(source: ChipSource, variable: Variable, target: str, clear: str) -> Schema:
    """The data set's own variables, the filled one and what was filled; its own columns and ours."""
    size = source.schema.chip_px
    note = {"filled": f"1 in {FILLED} where a pixel was filled, not observed"}
    kept = []
    for one in source.schema.variables:
        changed = one.name in (target, clear)
        if one.name != FILLED and (one.name != target or one.name == variable.name):
            tints = {"flag_colors": "#1b2a41 #e8e6e1"} if one.name == clear else {}
            kept.append(replace(one, attrs={**tints, **one.attrs, **note}) if changed else one)
    if target != variable.name:
        dim = None if variable.band_dim is None else f"{target}_band"
        kept.append(replace(variable, name=target, band_dim=dim, attrs={**variable.attrs, **note}))
    marks = {
        "long_name": "filled pixels",
        "units": "1",
        "flag_values": [0, 1],
        "flag_meanings": "as_it_was filled",
        "flag_colors": "#e8e6e1 #d9731f",
    }
    kept.append(Variable(name=FILLED, bands=None, band_dim=None, dtype="uint8", fill=0, attrs=marks))
    chip_bytes = sum(int(np.prod(one.chip_shape(size))) * np.dtype(one.dtype).itemsize for one in kept)
    slots = min(int(np.clip(SHARD_BYTES // chip_bytes, 4, MAX_SLOTS)), len(source.chips))
    ours = {column.name for column in COLUMNS}
    return Schema(
        variables=tuple(kept),
        chip_px=size,
        resolution=source.schema.resolution,
        slots_per_shard=slots,
        columns=(*(column for column in source.schema.columns if column.name not in ours), *COLUMNS),
    )


def _target(source: ChipSource, settings: InpaintSettings) -> _Target:
    names = source.schema.names
    wanted = settings.variable or next((name for name in VARIABLES if name in names), None)
    if wanted is None or wanted not in names:
        raise ModelError(
            "nothing-to-fill",
            f"the data set has no variable {wanted or ' or '.join(VARIABLES)}",
            value=f"{source.name}: {', '.join(names)}",
            remedy="name the one that is to be filled with --variable",
        )
    mask, codes = HIDES.get(wanted, ("mask", (1,)))
    if settings.mask is not None:
        mask = settings.mask
        codes = (0,) if mask in CLEAR.values() else (1,)
    if mask not in names or source.schema[mask].bands is not None or np.dtype(source.schema[mask].dtype).kind == "f":
        raise ModelError(
            "no-hiding-variable",
            f"the data set has no mask {mask!r} that says where {wanted} is hidden",
            value=f"{source.name}: {', '.join(names)}",
            remedy="name a variable of codes with --mask, and which of its codes hide with --mask-codes",
        )
    return _Target(variable=source.schema[wanted], mask=mask, codes=settings.mask_codes or codes)


def _work(source: ChipSource, method: Method, target: _Target, settings: InpaintSettings) -> FillWork:
    variable = target.variable
    positions: tuple[int, ...] = ()
    if variable.bands is not None:
        positions = bands_of(method.bands, variable.bands, settings.bands, source.name)
    if method.trained is not None:
        learned = method.trained.normaliser[IMAGE]
        there, mine = float(variable.attrs.get("scale", 1)), float(learned.scale)
        if settings.scale is None and (variable.dtype, there) != (learned.dtype, mine):
            raise ModelError(
                "unlike-data-sets",
                "the model learned from numbers of another type or scale",
                value=f"{source.name}: {variable.dtype}, {there:g}; the model: {learned.dtype}, {mine:g}",
                remedy="give a data set that was made like the one it was trained on, or --scale",
            )
    numbers = Numbers(
        bands=None if variable.bands is None else tuple(variable.bands[band] for band in positions),
        dtype=variable.dtype,
        fill=variable.fill,
        nodata=variable.fill if variable.has_nodata and not np.isnan(variable.fill) else None,
    )
    clear = CLEAR.get(variable.name, "")
    return FillWork(
        data=str(resolved(source.folder)),
        identity=source.identity,
        filler=method.identity,
        variable=variable.name,
        positions=positions,
        target=target.name,
        mask=target.mask,
        codes=target.codes,
        grow=settings.grow,
        max_hidden=settings.max_hidden,
        clear=clear if clear in source.schema.names else "",
        normaliser=method.normaliser(numbers, settings.scale, settings.offset),
    )


def _planned(source: ChipSource) -> Iterator[CorpusChip]:
    index = source.chips
    lon, lat = source.column("lon"), source.column("lat")
    opened = open_dataset(source.path)  # its chips are those of the source, in the same order
    moments = [opened[name].to_numpy() for name in ("datetime_start", "datetime_end")]
    shares = {name: source.column(name) for name in ("s2_cloud_fraction", "valid_fraction")}
    ours = {column.name for column in COLUMNS}
    columns = {one.name: source.column(one.name) for one in source.schema.columns if one.name not in ours}
    for number, slot in enumerate(index.slot.tolist()):
        place = None
        if index.epsg[number] != NOWHERE:
            place = Place(
                epsg=int(index.epsg[number]),
                x_origin=float(index.x_origin[number]),
                y_origin=float(index.y_origin[number]),
                lon=float(lon[number]),
                lat=float(lat[number]),
            )
        stats: dict[str, Any] = {
            name: float(values[number]) for name, values in shares.items() if np.isfinite(values[number])
        }
        start, end = (_moment(values[number]) for values in moments)
        if start and end:
            stats |= {"datetime_start": start, "datetime_end": end}
        yield CorpusChip(
            chip_id=str(index.chip_id[number]),
            split=str(index.split[number]),
            payload={
                "slot": slot,
                "parent": str(index.chip_id[number]),
                "digest": str(index.digest[number]),
                "columns": {name: _plain(values[number]) for name, values in columns.items()},
                "stats": stats,
            },
            place=place,
        )


def _moment(value: Any) -> str | None:
    moment = np.datetime64(value, "s")
    return None if np.isnat(moment) else f"{moment}+00:00"


def _plain(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and not np.isfinite(plain) else plain


def _told(method: Method) -> str:
    if method.trained is None:
        return f"{method.identity}, each band on its own"
    real = ", ".join(f"{one['name']} ({one['split']})" for one in method.trained.parents)
    return f"checkpoint {method.identity[:16]}, trained on {real}"


def _finish(desk: Desk, *, seen: Seen, source: ChipSource, target: _Target, work: FillWork) -> tuple[Table, ...]:
    """Write what the filler saw, and pictures of before and after; a table of how much was filled."""
    seen.write(desk.folder / FILE_NAME)
    write_before_after(desk, source, target.variable, work)
    rows, note = figures(desk)
    return (
        Table(
            title="Filled", header=("split", "chips", "filled pixels", "share", "nothing to fill"), rows=rows, note=note
        ),
    )
