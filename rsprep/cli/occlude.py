"""`rsprep occlude`."""

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
from rsprep.errors import ConfigError
from rsprep.settings import make_settings, read_config


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("occlude", epilog=EPILOG)(occlude)


def occlude(
    images: Annotated[
        str | None, typer.Argument(help="Folder of pictures (PNG, JPEG, GeoTIFF), or a data set that rsprep wrote.")
    ] = None,
    masks: Annotated[
        str | None, typer.Argument(help="Folder of binary masks, or a data set of cloud-masks or maskmix.")
    ] = None,
    out: Annotated[str | None, typer.Argument(help="Folder of the data set.")] = None,
    config: CONFIG = None,
    variable: Annotated[str | None, typer.Option(help="Image variable of a data set.  [default: s2 or image]")] = None,
    size: Annotated[
        int | None, typer.Option(help="Pixels along a chip's side.  [default: 256, or the data set's]")
    ] = None,
    resize: Annotated[bool, typer.Option("--resize", help="Enlarge pictures smaller than a chip.")] = False,
    whole: Annotated[
        bool, typer.Option("--whole", help="One chip of --size for each picture, by averaging, instead of cutting.")
    ] = False,
    carry: Annotated[
        str | None,
        typer.Option(help="Variables of the data set to pass on, with commas; mask becomes classes.  [default: none]"),
    ] = None,
    bands: Annotated[
        str | None, typer.Option(help="rgb: three bands; any: as many as all have.  [default: rgb]")
    ] = None,
    area: Annotated[
        tuple[float, float] | None, typer.Option(help="Least and largest share that is hidden.  [default: 0.15 0.6]")
    ] = None,
    place: Annotated[
        str | None,
        typer.Option(help="random: turn, resize, move masks; as-is; auto: as-is if sizes are equal.  [default: auto]"),
    ] = None,
    per_image: Annotated[int | None, typer.Option(help="Masks, and so chips, for each image.  [default: 1]")] = None,
    fill: Annotated[
        str | None,
        typer.Option(help="white, clouds, or a number, or a comma list of one a band.  [default: white]"),
    ] = None,
    clouds: Annotated[str | None, typer.Option(help="Folder of cloud pictures whose pixels are pasted.")] = None,
    cloud_masks: Annotated[
        str | None, typer.Option(help="Folder of their masks.  [default: NAME_mask beside them]")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="auto, folder, hash, or train, val, test for all.  [default: auto]")
    ] = None,
    split_file: Annotated[str | None, typer.Option(help="CSV with columns image and split.")] = None,
    mask_split: Annotated[
        str | None, typer.Option(help="own: masks keep their split; hash: deal them out anew.  [default: own]")
    ] = None,
    min_valid: Annotated[float | None, typer.Option(help="Least valid_fraction of a data set's chip.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed draws differently.  [default: 0]")] = None,
    catalog: CATALOG = None,
    scheduler: SCHEDULER = None,
    workers: WORKERS = None,
    retry_failed: RETRY_FAILED = False,
) -> int:
    """Hide parts of images under masks: occluded image, mask and clean image, as chips.

    Example:

        rsprep occlude rsscn7/train masks pairs --area 0.15 0.6 --whole

    Splits are kept, and no mask serves two of them. The same command again resumes.
    """
    from rsprep.corpus.occlusion.job import occlude as make
    from rsprep.corpus.occlusion.settings import OccludeSettings

    values = read_config(config) if config else {}
    override(values, images=images, masks=masks, out=out, catalog=catalog, variable=variable, size=size, bands=bands)
    override(values, resize=resize or None, whole=whole or None, carry=names(carry))
    override(values, area=area, place=place, per_image=per_image, fill=_fill(fill))
    override(values, clouds=clouds, cloud_masks=cloud_masks, mask_split=mask_split, min_valid=min_valid, seed=seed)
    override(values, split=split or ("file" if split_file else None), split_file=split_file)
    if clouds and "fill" not in values:
        values["fill"] = "clouds"
    override_section(values, "engine", scheduler=scheduler, workers=workers)
    return run_job(make, make_settings(OccludeSettings, values), retry_failed=retry_failed)


def _fill(text: str | None) -> Any:
    """``"255"`` or ``"255,200,180"`` as numbers; words stay."""
    if text is None or text in ("white", "clouds"):
        return text
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise ConfigError(
            "bad-fill-option",
            "a fill is white, clouds, a number, or numbers with commas between",
            value=text,
            remedy="write --fill 255 or --fill 255,200,180",
        ) from None
