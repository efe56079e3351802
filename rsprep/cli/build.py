"""`rsprep build-multisource`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rsprep.cli.options import (
    CATALOG,
    CONFIG,
    EPILOG,
    RETRY_FAILED,
    SCHEDULER,
    WORKERS,
    names,
    override,
    override_section,
    run_job,
)
from rsprep.cli.origins import override_origins
from rsprep.config import make_config
from rsprep.errors import ConfigError
from rsprep.settings import read_config


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("build-multisource", epilog=EPILOG)(build_multisource)


def build_multisource(
    aoi: Annotated[str | None, typer.Option(help="GeoJSON or GeoPackage file, or west,south,east,north.")] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="A name that `rsprep sources` lists, or a YAML file; LAYER=NAME for one layer, "
            "lulc=NAME,NAME with what to fall back on; repeatable."
        ),
    ] = None,
    endpoint: Annotated[
        list[str] | None,
        typer.Option(help="STAC API or catalog.json to read instead of the source's own; NAME=URL for one of several."),
    ] = None,
    start: Annotated[str | None, typer.Option(help="First day, as 2021-06-01 (UTC).")] = None,
    end: Annotated[str | None, typer.Option(help="Last day, as 2021-09-30 (UTC).")] = None,
    out: Annotated[str | None, typer.Option(help="Folder of the data set.  [default: datasets/AOI-SOURCE]")] = None,
    catalog: CATALOG = None,
    config: CONFIG = None,
    layers: Annotated[str | None, typer.Option(help="Comma list of s2,s1,lulc,terrain.  [default: all]")] = None,
    bands: Annotated[str | None, typer.Option(help="Comma list of Sentinel-2 bands.  [default: all 12]")] = None,
    composite: Annotated[
        str | None, typer.Option(help="Sentinel-2 composite: best or median.  [default: best]")
    ] = None,
    chip_size: Annotated[int | None, typer.Option(help="Pixels along a chip's side.  [default: 256]")] = None,
    resolution: Annotated[float | None, typer.Option(help="Metres along a pixel's side.  [default: 10]")] = None,
    snap: Annotated[
        str | None,
        typer.Option(help="utm: multiples of the resolution; source: the Sentinel-2 lattice.  [default: utm]"),
    ] = None,
    partial: Annotated[
        str | None, typer.Option(help="keep or drop chips that stick out of the AOI or the data.  [default: drop]")
    ] = None,
    select: Annotated[
        list[str] | None, typer.Option(help="min_valid=0.9, max_cloud=0.1 or class quota 6=200; repeatable.")
    ] = None,
    scheduler: SCHEDULER = None,
    workers: WORKERS = None,
    granules: Annotated[
        str | None, typer.Option(help="Data set whose granules are read again, instead of searching.")
    ] = None,
    project: Annotated[str | None, typer.Option(help="Google Cloud project that Earth Engine charges.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print plan, requests, bytes and time; write nothing.")
    ] = False,
    retry_failed: RETRY_FAILED = False,
) -> int:
    """Build chips of Sentinel-2, Sentinel-1, land cover and terrain from an area of interest.

    Example, with the planted landscape and no network:

        rsprep simulate world

        rsprep build-multisource --aoi world/region.geojson --endpoint world/catalog.json --out chips

    The same command again resumes. Options override the recipe given by --config.
    """
    from rsprep import multisource

    values = read_config(config) if config else {}
    override(values, aoi=aoi, start=start, end=end, out=out, catalog=catalog)
    override(values, layers=names(layers), granules=granules)
    override_origins(values, source or [], endpoint or [])
    override_section(values, "earthengine", project=project)
    override_section(values, "grid", chip_size=chip_size, resolution=resolution, snap=snap, partial=partial)
    override_section(values, "sentinel2", bands=names(bands), composite=composite)
    override_section(values, "select", **_selection(select or []))
    override_section(values, "engine", scheduler=scheduler, workers=workers)
    if "out" not in values and "aoi" in values:
        values["out"] = _default_out(str(values["aoi"]), Path(str(values.get("source", "planted"))).stem)
    settings = make_config(values)
    if dry_run:
        multisource.dry_run(settings).show()
        return 0
    return run_job(multisource.build, settings, retry_failed=retry_failed)


def _default_out(aoi: str, source: str) -> str:
    name = "bbox" if "," in aoi else Path(aoi).stem
    return f"datasets/{name}-{source}"


def _selection(rules: list[str]) -> dict[str, Any]:
    """``min_valid=0.9`` and ``6=200`` as the configuration has them."""
    chosen: dict[str, Any] = {}
    for rule in rules:
        key, _, value = rule.partition("=")
        try:
            if key.isdigit():
                chosen.setdefault("quotas", {})[int(key)] = int(value)
            else:
                chosen[key] = float(value)
        except ValueError:
            raise ConfigError(
                "bad-select",
                "a selection is NAME=NUMBER or CLASS=COUNT",
                value=rule,
                remedy="write --select min_valid=0.9, --select max_cloud=0.1 or --select 6=200",
            ) from None
    return chosen
