"""`rsprep simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rsprep.cli.progress import watcher


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("simulate")(simulate)


def simulate(
    out: Annotated[Path, typer.Argument(help="Folder for the scenes, the STAC catalog and region.geojson.")],
    aoi: Annotated[
        str | None, typer.Option(help="GeoJSON or GeoPackage, or west,south,east,north.  [default: a demo region]")
    ] = None,
    start: Annotated[str | None, typer.Option(help="First day, as 2021-06-01 (UTC).")] = None,
    end: Annotated[str | None, typer.Option(help="Last day (UTC).")] = None,
    seed: Annotated[int, typer.Option(help="Another seed is another world.")] = 0,
) -> int:
    """Write a planted landscape the way providers publish: scenes as COGs with a static STAC catalog.

    Its truth is known everywhere, so that every later step can be checked. No network is needed.

    Example:

        rsprep simulate world
    """
    from rsprep.ground.aoi import read_aoi
    from rsprep.job.places import check_folder
    from rsprep.job.progress import counted
    from rsprep.moments import check_order, parse_moment
    from rsprep.sources.planted import simulate as publish_world

    area = read_aoi(aoi).geometry if aoi else None
    first, last = parse_moment(start, is_end=False), parse_moment(end, is_end=True)
    check_order(first, last)
    check_folder(out, "OUT")
    with watcher() as progress:
        catalog = publish_world(
            out,
            seed=seed,
            aoi=area,
            start=first.date() if first else None,
            end=last.date() if last else None,
            progress=counted(progress, "simulate", "pieces"),
        )
    print(f"catalog  {catalog}\nregion   {out / 'region.geojson'}\npreview  {out / 'preview.png'}")
    return 0
