"""The source that needs no network: the planted world, published beside the data set that asks for it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from rsprep.cloud.address import Address, place
from rsprep.config import BuildConfig
from rsprep.errors import CatalogError
from rsprep.ground.aoi import read_aoi
from rsprep.ground.grid import plan_grid
from rsprep.job.progress import Progress, counted
from rsprep.sources.planted import publish

NAME = "planted"
DEFAULT_START, DEFAULT_END = dt.date(2021, 6, 1), dt.date(2022, 8, 31)
"""Covers processing baselines before and after 04.00."""


def with_embedded_source(config: BuildConfig, progress: Progress) -> BuildConfig:
    """`config` with an endpoint: where it asks for the planted world and names none, one is published for its AOI."""
    if not _wants_simulation(config):
        return config
    aoi = read_aoi(config.aoi)
    if config.grid.snap == "utm":
        plan_grid(aoi, config.grid, config.split)  # an area in which no chip fits is told before a file is written
    folder = _folder(config)
    progress.note(f"no --endpoint: the planted world is simulated over the AOI in {folder}")
    catalog = publish(
        0,
        aoi.geometry,
        folder,
        start=config.start.date() if config.start else DEFAULT_START,
        end=config.end.date() if config.end else DEFAULT_END,
        progress=counted(progress, "simulate", "pieces"),
    )
    return config.model_copy(update={"endpoint": str(catalog)})


def with_simulated_source(config: BuildConfig) -> BuildConfig:
    """The same for a dry run, which writes nothing: an earlier build must have published the planted world.

    Raises
    ------
    CatalogError : ``not-simulated``.
    """
    if not _wants_simulation(config):
        return config
    catalog = _folder(config) / "catalog.json"
    if not catalog.is_file():
        raise CatalogError(
            "not-simulated",
            "a dry run needs scenes to look at, and the planted world is not written yet",
            value=str(catalog),
            remedy="run `rsprep simulate world`, then give --endpoint world/catalog.json",
        )
    return config.model_copy(update={"endpoint": str(catalog)})


def _wants_simulation(config: BuildConfig) -> bool:
    """Whether a layer is to come from the planted world, of which no address is given."""
    served = any(layer not in config.sources for layer in config.layers)
    return served and config.source == NAME and config.endpoint is None


def _folder(config: BuildConfig) -> Path:
    """Beside the data set; in the current folder where that lies in a bucket."""
    out = place(config.out.rstrip("/"))
    return Path(f"{out.name}.source" if isinstance(out, Address) else f"{out}.source")
