"""`rsprep maskmix`."""

from __future__ import annotations

from typing import Annotated

import typer

from rsprep.cli.options import (
    CATALOG,
    CONFIG,
    EPILOG,
    RETRY_FAILED,
    SCHEDULER,
    WORKERS,
    override,
    override_section,
    run_job,
)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("maskmix", epilog=EPILOG)(maskmix)


def maskmix(
    seeds: Annotated[
        str | None, typer.Argument(help="Seed masks: a data set made by cloud-masks, or a folder of PNGs.")
    ] = None,
    out: Annotated[str | None, typer.Argument(help="Folder of the data set.")] = None,
    n: Annotated[int | None, typer.Option("--n", help="Masks to make.  [default: 1000]")] = None,
    size: Annotated[int | None, typer.Option(help="Pixels along a mask's side.  [default: 256]")] = None,
    area: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Least and largest share that is masked.  [default: 0.15 0.60]"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Another seed gives other masks; the same gives the same.  [default: 0]")
    ] = None,
    all_seeds: Annotated[
        bool | None, typer.Option("--all-seeds/--diverse-seeds", help="Not only the diverse.  [default: diverse]")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="train, val, test, or inherit from the seed.  [default: inherit where seeds differ]"),
    ] = None,
    png: Annotated[
        bool | None, typer.Option("--png/--no-png", help="Write a PNG a mask and manifest.csv, too.  [default: no]")
    ] = None,
    config: CONFIG = None,
    catalog: CATALOG = None,
    scheduler: SCHEDULER = None,
    workers: WORKERS = None,
    retry_failed: RETRY_FAILED = False,
) -> int:
    """Make new occlusion masks from real ones: copies of a cloud, moved, turned and sheared, mixed and thresholded.

    Every mask's area is within the bounds. Mask number k depends on --seed and k alone, however many workers make
    them. All ranges, lists of operations and laws are under mix: in the recipe.

    Example:

        rsprep maskmix seeds masks --n 10000 --size 256 --area 0.15 0.60 --seed 7

    The same command again resumes. Options override the recipe given by --config.
    """
    from rsprep.corpus.mixing.job import maskmix as make
    from rsprep.corpus.mixing.settings import MaskMixSettings
    from rsprep.settings import make_settings, read_config

    values = read_config(config) if config else {}
    override(values, seeds=seeds, out=out, n=n, size=size, seed=seed, all_seeds=all_seeds, split=split, png=png)
    override(values, catalog=catalog)
    override_section(values, "mix", area=area)
    override_section(values, "engine", scheduler=scheduler, workers=workers)
    return run_job(make, make_settings(MaskMixSettings, values), retry_failed=retry_failed)
