"""`rsprep cloud-masks`."""

from __future__ import annotations

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


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("cloud-masks", epilog=EPILOG)(cloud_masks)


def cloud_masks(
    places: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SCENES... OUT",
            help="Class rasters (a file or a folder), static STAC catalogs with SCL assets, or data sets of rsprep; "
            "then the folder of the data set to write.",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(help="Coding of rasters: scl, omnicloudmask, cloudsen12, binary (0, 1) or binary-255 (0, 255)."),
    ] = None,
    thick: Annotated[str | None, typer.Option(help="Codes of thick cloud, as 8,9; wins over --classes.")] = None,
    clear: Annotated[str | None, typer.Option(help="All other codes that are known; wins over --classes.")] = None,
    nodata: Annotated[str | None, typer.Option(help="Codes without data; wins over --classes.")] = None,
    detector: Annotated[
        str | None, typer.Option(help="Find the clouds in rasters of bands: s2cloudless or omnicloudmask.")
    ] = None,
    size: Annotated[int | None, typer.Option(help="Pixels along a seed's side.  [default: 256]")] = None,
    min_area: Annotated[
        float | None, typer.Option(help="Least share of a seed that is cloud.  [default: 0.05]")
    ] = None,
    max_area: Annotated[float | None, typer.Option(help="Largest share.  [default: 0.8]")] = None,
    max_cut: Annotated[
        float | None, typer.Option(help="Largest share of the outline that a window may cut.  [default: 0.15]")
    ] = None,
    large: Annotated[
        str | None, typer.Option(help="Clouds wider than a seed: cut, shrink or drop.  [default: cut]")
    ] = None,
    opening: Annotated[
        int | None, typer.Option(help="Cut bridges between clouds up to twice so many pixels wide.  [default: 0]")
    ] = None,
    fill_holes: Annotated[int | None, typer.Option(help="Fill holes of up to so many pixels.  [default: 16]")] = None,
    isolate: Annotated[
        bool | None,
        typer.Option("--isolate/--crowd", help="One cloud a seed, or all in its window.  [default: isolate]"),
    ] = None,
    resolution: Annotated[
        float | None, typer.Option(help="Metres a pixel to resample all scenes to, nearest.  [default: as they are]")
    ] = None,
    duplicate_iou: Annotated[
        float | None, typer.Option(help="Overlap from which two shapes are the same.  [default: 0.9]")
    ] = None,
    n_diverse: Annotated[int | None, typer.Option(help="Most diverse seeds to mark.  [default: 28]")] = None,
    max_seeds: Annotated[int | None, typer.Option(help="Keep so many of the most diverse.  [default: all]")] = None,
    split: Annotated[
        str | None, typer.Option(help="none: all for training; scene: train, val, test by scene.  [default: none]")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Another seed deals the scenes out differently.  [default: 0]")
    ] = None,
    config: CONFIG = None,
    catalog: CATALOG = None,
    scheduler: SCHEDULER = None,
    workers: WORKERS = None,
    retry_failed: RETRY_FAILED = False,
) -> int:
    """Cut seed masks out of scenes: thick clouds as connected shapes, each alone in a square window.

    Clouds that fit are centred, wider ones are cut where a window spoils least of their outline. Near-duplicates are
    dropped, the most diverse seeds are marked. Beside the store there is a PNG a seed and a manifest.csv.

    Example:

        rsprep cloud-masks cloud-mask.tif seeds --classes omnicloudmask

    The same command again resumes. Options override the recipe given by --config.
    """
    from rsprep.corpus.clouds.job import cloud_masks as make
    from rsprep.corpus.clouds.settings import CloudSettings
    from rsprep.settings import make_settings, read_config

    values = read_config(config) if config else {}
    override(values, **_places(places or []), catalog=catalog, classes=classes, detector=detector)
    override(values, thick=names(thick), clear=names(clear), nodata=names(nodata))
    override(values, size=size, min_area=min_area, max_area=max_area, max_cut=max_cut, resolution=resolution)
    override(values, large=large, opening=opening, fill_holes=fill_holes, isolate=isolate)
    override(values, duplicate_iou=duplicate_iou, n_diverse=n_diverse, max_seeds=max_seeds, split=split, seed=seed)
    override_section(values, "engine", scheduler=scheduler, workers=workers)
    return run_job(make, make_settings(CloudSettings, values), retry_failed=retry_failed)


def _places(given: list[str]) -> dict[str, Any]:
    """All but the last are scenes; one alone is, too, and the recipe says where to write."""
    if len(given) < 2:
        return {"scenes": given or None}
    return {"scenes": given[:-1], "out": given[-1]}
