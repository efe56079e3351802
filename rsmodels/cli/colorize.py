"""`rsmodels colorize`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rsprep.cli.options import CONFIG, override
from rsprep.cli.progress import watcher


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("colorize", epilog="Exit codes: 0 done, 2 wrong input.")(colorize)


def colorize(
    input: Annotated[  # noqa: A002  # the name in the help
        str | None, typer.Argument(help="A folder of pictures, or one raster such as a GeoTIFF; 8 or 16 bit.")
    ] = None,
    out: Annotated[str | None, typer.Argument(help="Folder of what comes out.  [default: coloured]")] = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="Trained colorization network: a run, or one of its checkpoints.")
    ] = None,
    keep_lightness: Annotated[
        bool | None,
        typer.Option(
            "--keep-lightness/--own-lightness",
            help="Take the lightness of the input, or the network's.  [default: as the run has it]",
        ),
    ] = None,
    bands: Annotated[
        str | None,
        typer.Option(help="The band to colour, or red, green and blue whose lightness is; names or numbers from 1."),
    ] = None,
    scale: Annotated[
        float | None, typer.Option(help="From the raster's numbers to the model's: number * scale + offset.")
    ] = None,
    offset: Annotated[float | None, typer.Option(help="See --scale.  [default: 0]")] = None,
    range: Annotated[  # noqa: A002  # the name in the help
        str | None,
        typer.Option(help="Instead of a scale: the raster's numbers that are black and white, as 0,2047."),
    ] = None,
    tile: Annotated[int | None, typer.Option(help="Pixels along a tile.  [default: as the model learned]")] = None,
    overlap: Annotated[int | None, typer.Option(help="Pixels that tiles share.  [default: a quarter]")] = None,
    window: Annotated[
        int | None, typer.Option(help="Pixels along what is read at a time; less takes less memory.  [default: 2048]")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Tiles that the model colours at a time.  [default: 8]")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.  [default: auto]")] = None,
    config: CONFIG = None,
) -> int:
    """Give grey pictures and rasters of any size colours; or coloured ones others, from their lightness alone.

    Out come red, green and blue in the type of the input; place, no-data and tags of a raster stay. Rasters are
    coloured in overlapping tiles, blended so that no seam is seen, window by window in little memory.

    OUT is a folder with images/, colorize.json and report.html.

    Example:

        rsmodels colorize panchromatic.tif coloured --checkpoint run --keep-lightness --range 0,2047

        rsmodels colorize pictures coloured --checkpoint run

    The same command again resumes. Options override the recipe given by --config.
    """
    from rsmodels.colouring.colorize import colorize as colour
    from rsmodels.colouring.page import headline, subline
    from rsprep.settings import read_config

    values: dict[str, Any] = read_config(config) if config else {}
    override(values, input=input, out=out, checkpoint=checkpoint, keep_lightness=keep_lightness, bands=bands)
    override(values, scale=scale, offset=offset, range=range, tile=tile, overlap=overlap)
    override(values, window=window, batch=batch, device=device)
    with watcher() as progress:
        made = colour(values, progress=progress)
    print(f"{headline(made.record)}\n{subline(made.record)}\nreport   {made.page}")
    return 0
