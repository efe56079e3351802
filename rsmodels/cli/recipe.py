"""`rsmodels config`."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("config")(config)


def config(
    model: Annotated[str, typer.Argument(help="rs-spade, pix2pix or segmentation.")] = "rs-spade",
    preset: Annotated[str | None, typer.Option(help="Print this preset instead: tiny, base or paper.")] = None,
) -> int:
    """Print a recipe for `rsmodels train` with every key at its default, explained; or what a preset sets.

    Example:

        rsmodels config rs-spade > recipe.yaml
    """
    import yaml

    from rsmodels.tasks import models
    from rsprep.config_text import describe_config

    if preset is None:
        print(describe_config(models.model(model).settings), end="")
    else:
        print(yaml.safe_dump({"model": model, **models.preset(model, preset)}, sort_keys=False), end="")
    return 0
