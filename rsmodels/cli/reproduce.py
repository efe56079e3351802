"""`rsmodels reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rsprep.cli.options import EPILOG, names, override
from rsprep.cli.progress import watcher


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("reproduce", epilog=EPILOG)(reproduce)


def reproduce(
    recipe: Annotated[Path, typer.Argument(help="YAML recipe of the table; pipelines/csebgan-table1.yaml is one.")],
    data: Annotated[str | None, typer.Option(help="Data set: its train chips teach, its others judge.")] = None,
    out: Annotated[str | None, typer.Option(help="Folder of all that is made.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="System to work on now; may be given again.")] = None,
    stages: Annotated[
        str | None, typer.Option(help="Of train,evaluate,synthetic,downstream those to do now.  [default: all]")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.  [default: auto]")] = None,
) -> int:
    """Make a table of several systems by a recipe: trained alike, judged alike, and put to use.

    Trains a segmenter that judges and every system with its seeds, evaluates them, makes a synthetic data set of each,
    compares these with real chips alone, and writes table.json and report.html. Colorizers need no segmenter: they are
    trained and measured, with box plots over the images.

    Example:

        rsmodels reproduce pipelines/csebgan-table1.yaml --data chips --out table1

    The same command again goes on where it stopped. A system that fails does not stop the others.
    """
    from rsmodels.downstream.words import as_text
    from rsmodels.nets.memory import keep_freed_memory
    from rsmodels.tables import words
    from rsmodels.tables.job import reproduce as make
    from rsmodels.tables.settings import STAGES
    from rsprep.settings import read_config

    values: dict[str, Any] = read_config(recipe)
    override(values, data=data, out=out, device=device)
    keep_freed_memory()  # the process is ours, and ends with the table
    with watcher() as progress:
        found = make(values, only=only or (), stages=names(stages) or STAGES, progress=progress)
    for keys in words.parts(found.record):
        print(f"{as_text(words.figures(found.record, keys))}\n")
    print(f"{as_text(words.costs(found.record))}\n")
    print(f"{words.explained(found.record)}\n")
    if found.failures:
        print(f"What failed:\n{as_text(words.failures(found.record))}\n")
    print(f"figures  {found.out / 'table.json'}\nreport   {found.page}")
    return 1 if found.failures else 0
