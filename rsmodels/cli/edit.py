"""`rsmodels edit`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rsprep.cli.options import CONFIG, override
from rsprep.cli.progress import watcher


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("edit", epilog="Exit codes: 0 done, 2 wrong input.")(edit)


def edit(
    checkpoint: Annotated[
        str | None, typer.Argument(help="Trained generator: a run, or one of its checkpoints.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Data set that the chip is of.")] = None,
    chip: Annotated[str | None, typer.Option(help="Name of the chip whose mask is painted.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Split that it must be of: train, val or test.  [default: any]")
    ] = None,
    redraw: Annotated[
        str | None, typer.Option(help="Classes that get other noise, as water,trees; all: the whole noise.")
    ] = None,
    replace: Annotated[
        str | None, typer.Option(help="Classes that become another one, as water=trees,crops=built.")
    ] = None,
    mask: Annotated[str | None, typer.Option(help="Changed mask, a PNG or TIFF in the codes of the data set.")] = None,
    seed: Annotated[int | None, typer.Option(help="Noise of the image before.  [default: 0]")] = None,
    new_seed: Annotated[int | None, typer.Option(help="Noise of what is redrawn.  [default: 1]")] = None,
    out: Annotated[str | None, typer.Option(help="Folder of the edit.  [default: edit]")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.  [default: auto]")] = None,
    config: CONFIG = None,
) -> int:
    """Paint a chip's mask, then paint it again with other noise for some classes, with another mask, or both.

    Writes before.tif, after.tif and mask.tif in the numbers of the data set, with its place where the chip has one;
    edit.png and report.html to look at; and edit.json with seeds and figures. Mask files begin from mask.tif of an
    edit, or from `rsprep export`.

    Example:

        rsmodels edit run --data chips --chip 33U-0412-1190 --redraw water --seed 7 --new-seed 8 --out edit

    The same seeds make the same images. An older edit in --out is replaced. Options override the recipe given by
    --config.
    """
    from rsmodels.editing.edit import edit as run_edit
    from rsmodels.editing.page import summary, title
    from rsprep.settings import read_config

    values: dict[str, Any] = read_config(config) if config else {}
    override(values, checkpoint=checkpoint, data=data, chip=chip, split=split, redraw=redraw, replace=replace)
    override(values, mask=mask, seed=seed, new_seed=new_seed, out=out, device=device)
    with watcher() as progress:
        made = run_edit(values, progress=progress)
    print(f"{title(made.record)}: {summary(made.record)}")
    print(f"picture  {made.out / 'edit.png'}\nreport   {made.page}")
    return 0
