"""`rsmodels inpaint`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rsprep.cli.options import CATALOG, CONFIG, RETRY_FAILED, override
from rsprep.cli.progress import watcher


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("inpaint", epilog="Exit codes: 0 done, 1 some hidden pixels were left or chips failed, 2 wrong input.")(
        inpaint
    )


def inpaint(
    input: Annotated[  # noqa: A002  # the name in the help
        str | None, typer.Argument(help="A data set, a folder of pictures, or one raster such as a GeoTIFF.")
    ] = None,
    out: Annotated[str | None, typer.Argument(help="Folder of what comes out.  [default: filled]")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="Trained inpainter: a run, or one of its checkpoints.")] = None,
    method: Annotated[
        str | None, typer.Option(help="Instead of a checkpoint: telea or navier-stokes, which need no training.")
    ] = None,
    mask: Annotated[
        str | None,
        typer.Option(help="What is hidden: a raster, a folder of masks, or a variable of the data set."),
    ] = None,
    mask_codes: Annotated[
        str | None, typer.Option(help="Codes of the mask that hide, as 3,8,9,10 of SCL.  [default: 1 or 255]")
    ] = None,
    grow: Annotated[
        int | None, typer.Option(help="Pixels by which masks are grown, for the rims of clouds.  [default: 0]")
    ] = None,
    variable: Annotated[
        str | None, typer.Option(help="Variable of the data set to fill.  [default: s2 or occluded]")
    ] = None,
    max_hidden: Annotated[
        float | None, typer.Option(help="Leave out chips of a data set that are hidden more than this.  [default: 1]")
    ] = None,
    bands: Annotated[
        str | None, typer.Option(help="Bands of a raster, as the model takes them; names or numbers from 1.")
    ] = None,
    fill_nodata: Annotated[
        bool | None,
        typer.Option("--fill-nodata/--keep-nodata", help="Fill hidden pixels without data, too.  [default: keep]"),
    ] = None,
    scale: Annotated[
        float | None, typer.Option(help="From the raster's numbers to the model's: number * scale + offset.")
    ] = None,
    offset: Annotated[float | None, typer.Option(help="See --scale.  [default: 0]")] = None,
    tile: Annotated[int | None, typer.Option(help="Pixels along a tile.  [default: as the model learned]")] = None,
    overlap: Annotated[int | None, typer.Option(help="Pixels that tiles share.  [default: a quarter]")] = None,
    window: Annotated[
        int | None, typer.Option(help="Pixels along what is read at a time; less takes less memory.  [default: 2048]")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Tiles that a model fills at a time.  [default: 8]")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.  [default: auto]")] = None,
    config: CONFIG = None,
    catalog: CATALOG = None,
    retry_failed: RETRY_FAILED = False,
) -> int:
    """Fill what clouds, or anything else, hide: in a data set, in pictures, in rasters of any size.

    Pixels that are not hidden stay as they are, bit for bit; so do place, type, no-data, names and tags of a raster.
    Rasters are filled in overlapping tiles, blended so that no seam is seen, window by window in little memory.

    OUT is a folder. Of rasters and pictures it gets images/, filled/ (masks of what was filled), inpaint.json and
    report.html. Of a data set it becomes a data set with the same chips and the variable `filled`.

    Example:

        rsmodels inpaint scene.tif filled --checkpoint run --mask SCL.tif --mask-codes 3,8,9,10 --grow 4

        rsmodels inpaint pictures filled --method telea --mask masks

        rsmodels inpaint chips filled --checkpoint run

    The same command again resumes. Options override the recipe given by --config.
    """
    from rsmodels.filling.inpaint import inpaint as fill
    from rsmodels.filling.page import headline, subline
    from rsprep.settings import read_config

    values: dict[str, Any] = read_config(config) if config else {}
    override(values, input=input, out=out, checkpoint=checkpoint, method=method, mask=mask, mask_codes=mask_codes)
    override(
        values,
        grow=grow,
        variable=variable,
        bands=bands,
        fill_nodata=fill_nodata,
        scale=scale,
        offset=offset,
        tile=tile,
    )
    override(values, overlap=overlap, window=window, batch=batch, device=device, catalog=catalog)
    with watcher() as progress:
        made = fill(values, progress=progress, retry_failed=retry_failed)
    if made.outcome is not None:
        made.outcome.show()
    else:
        print(f"{headline(made.record)}\n{subline(made.record)}\nreport   {made.page}")
    return 1 if made.failures else 0
