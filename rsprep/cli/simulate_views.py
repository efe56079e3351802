"""`rsprep simulate-views`."""

from __future__ import annotations

from typing import Annotated

import typer

from rsprep.cli.options import CATALOG, CONFIG, EPILOG, SCHEDULER, WORKERS, override, override_section, run_job


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("simulate-views", epilog=EPILOG)(simulate_views)


def simulate_views(
    out: Annotated[str | None, typer.Argument(help="Folder of the data set.")] = None,
    config: CONFIG = None,
    n: Annotated[int | None, typer.Option("--n", help="Places.  [default: 600]")] = None,
    size: Annotated[int | None, typer.Option(help="Pixels along the side of both views.  [default: 128]")] = None,
    heading: Annotated[
        float | None, typer.Option(help="Largest turn of a panorama away from north, degrees.  [default: 0]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed plants other places.  [default: 0]")] = None,
    catalog: CATALOG = None,
    scheduler: SCHEDULER = None,
    workers: WORKERS = None,
) -> int:
    """Plant places and look at each from above and all around from its middle: pairs of views, as chips.

    What cross-view retrieval is tried on where there are no real pairs. No ground is in two places.

    Example:

        rsprep simulate-views views --n 600 --size 128

    The same command again resumes.
    """
    from rsprep.corpus.views.job import simulate_views as make
    from rsprep.corpus.views.settings import ViewsSettings
    from rsprep.settings import make_settings, read_config

    values = read_config(config) if config else {}
    override(values, out=out, n=n, size=size, heading=heading, seed=seed, catalog=catalog)
    override_section(values, "engine", scheduler=scheduler, workers=workers)
    return run_job(make, make_settings(ViewsSettings, values), retry_failed=False)
