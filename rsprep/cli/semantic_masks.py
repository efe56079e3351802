"""`rsprep semantic-masks`."""

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
    names,
    override,
    override_section,
    run_job,
)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("semantic-masks", epilog=EPILOG)(semantic_masks)


def semantic_masks(
    scenes: Annotated[
        str | None, typer.Argument(help="Folder that holds a folder of images and a folder of masks.")
    ] = None,
    out: Annotated[str | None, typer.Argument(help="Folder of the data set.")] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help="Class table of the masks: a name in catalogs/crosswalks (gid-15, loveda, …) or a YAML file."
        ),
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="Store another table's classes, as dynamic-world; what it lacks becomes unknown.")
    ] = None,
    images: Annotated[str | None, typer.Option(help="Folder of the images, below SCENES.  [default: images]")] = None,
    masks: Annotated[str | None, typer.Option(help="Folder of the masks, below SCENES.  [default: masks]")] = None,
    image_suffix: Annotated[str | None, typer.Option(help="What names of images end with, as _sat.")] = None,
    mask_suffix: Annotated[str | None, typer.Option(help="What names of masks end with, as _label.")] = None,
    mask_palette: Annotated[
        bool | None,
        typer.Option(
            "--mask-palette/--mask-index", help="Look palette PNGs up by colour.  [default: the index is the code]"
        ),
    ] = None,
    bands: Annotated[
        str | None, typer.Option(help="Comma list that names the images' bands.  [default: as the files tell]")
    ] = None,
    size: Annotated[int | None, typer.Option(help="Pixels along a chip's side.  [default: 256]")] = None,
    edge: Annotated[
        str | None, typer.Option(help="drop what is left at right and bottom, or pad it.  [default: drop]")
    ] = None,
    max_unknown: Annotated[
        float | None, typer.Option(help="Largest share of a chip without a class.  [default: 0.8]")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Split by scene, or by block of chips within scenes.  [default: scene]")
    ] = None,
    block: Annotated[int | None, typer.Option(help="Chips along the side of such a block.  [default: 4]")] = None,
    ratio: Annotated[str | None, typer.Option(help="train:val:test.  [default: 4:1:1]")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Another seed deals the scenes out differently.  [default: 0]")
    ] = None,
    resolution: Annotated[
        float | None, typer.Option(help="Metres along a pixel's side, where the files do not tell.")
    ] = None,
    config: CONFIG = None,
    catalog: CATALOG = None,
    scheduler: SCHEDULER = None,
    workers: WORKERS = None,
    retry_failed: RETRY_FAILED = False,
) -> int:
    """Cut images and their class masks into chips: same-named files in SCENES/images and SCENES/masks.

    Chips do not overlap and never straddle two scenes; a whole scene goes to one split. Every code of the masks
    must be in the class table. Class statistics and weights are written beside the store.

    Example:

        rsprep semantic-masks scenes corpus --classes gid-15

    The same command again resumes. Options override the recipe given by --config.
    """
    from rsprep.corpus.semantic.job import semantic_masks as make
    from rsprep.corpus.semantic.settings import SemanticSettings
    from rsprep.settings import make_settings, read_config

    values = read_config(config) if config else {}
    override(values, scenes=scenes, out=out, classes=classes, to=to, images=images, masks=masks, catalog=catalog)
    override(values, image_suffix=image_suffix, mask_suffix=mask_suffix, mask_palette=mask_palette, bands=names(bands))
    override(values, size=size, edge=edge, max_unknown=max_unknown, resolution=resolution)
    override(values, split=split, block=block, ratio=ratio, seed=seed)
    override_section(values, "engine", scheduler=scheduler, workers=workers)
    return run_job(make, make_settings(SemanticSettings, values), retry_failed=retry_failed)
