"""Commands on a finished data set: inspect, verify, report, export."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from rsprep.cli.options import names
from rsprep.cli.progress import watcher

DATASET = Annotated[str, typer.Argument(help="Folder of the data set, or its address in a bucket.")]
SHOWN_PROBLEMS = 20


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    for command in (inspect, verify, report, export):
        app.command()(command)


def inspect(dataset: DATASET) -> int:
    """Tell what is in a data set.

    Example:

        rsprep inspect chips
    """
    from rsprep.inspection import inspect as look

    found = look(dataset)
    console = Console()
    console.print(f"{found.title}: {found.subtitle}", highlight=False)
    for name, rows in found.sections.items():
        table = Table(title=name, title_justify="left", box=None, pad_edge=False, show_header=False)
        for _ in range(max(len(row) for row in rows)):
            table.add_column(overflow="fold")  # a path that is cut off cannot be used
        for row in rows:
            table.add_row(*row)
        console.print(table)
    return 0


def verify(dataset: DATASET) -> int:
    """Check a data set: the sum of its chips, and the pixels of every one against its hash.

    Exit code 1 tells that something is lost, altered or duplicated.

    Example:

        rsprep verify chips
    """
    from rsprep.job.verify import verify as check

    with watcher() as progress:
        result = check(dataset, progress)
    counts = result.counts
    print(
        f"planned {counts.planned} = committed {counts.committed} + rejected {counts.rejected}"
        f" + quarantined {counts.quarantined}" + (f" + pending {counts.pending}" if counts.pending else "")
    )
    groups = {
        "lost": result.lost,
        "altered": result.altered,
        "duplicated": result.duplicated,
        "defects of the whole": result.other,
    }
    print(f"checked {result.checked} chips: " + ", ".join(f"{len(found)} {name}" for name, found in groups.items()))
    for name, found in groups.items():
        for what, why in found[:SHOWN_PROBLEMS]:
            print(f"  {name}: {what}: {why}")
        if len(found) > SHOWN_PROBLEMS:
            print(f"  {name}: … and {len(found) - SHOWN_PROBLEMS} more")
    return 0 if result.ok else 1


def report(dataset: DATASET) -> int:
    """Write report.html anew.

    Example:

        rsprep report chips
    """
    from rsprep.overview import report as write

    print(write(dataset).places["report"])
    return 0


def export(
    dataset: DATASET,
    out: Annotated[str, typer.Argument(help="Folder for the GeoTIFFs.")],
    chip: Annotated[list[str] | None, typer.Option(help="Name of a chip; repeatable.  [default: all]")] = None,
    layers: Annotated[str | None, typer.Option(help="Comma list, as s2,lulc.  [default: all]")] = None,
) -> int:
    """Write chips as GeoTIFFs for QGIS: OUT/LAYER/CHIP.tif, with CRS, band names and class colours.

    Example:

        rsprep export chips geotiffs --layers s2,lulc
    """
    from rsprep.cloud.address import folder_only
    from rsprep.job.places import check_folder
    from rsprep.store.export import export as write

    folder = folder_only(out, "OUT")
    check_folder(folder, "OUT")
    files = write(dataset, folder, chips=chip, layers=names(layers) or None)
    print(f"{len(files)} files in {out}")
    return 0
