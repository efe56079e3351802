"""`rsmodels config`."""

from __future__ import annotations

from typing import Annotated

import typer

MODELS = (
    "csebgan",
    "spade",
    "vspade",
    "inade",
    "clade",
    "pix2pixhd",
    "rs-spade",
    "pix2pix",
    "inpaint",
    "inpaint-unet",
    "bmmaenet",
    "segmentation",
    "hrnet",
    "classification",
    "retrieval",
)
"""What can be trained, named here because help is printed without loading torch."""
COMMANDS = {
    "evaluate": "rsmodels.evaluation.settings:EvaluateSettings",
    "synth-augment": "rsmodels.synth.settings:SynthSettings",
    "edit": "rsmodels.editing.settings:EditSettings",
    "colorize": "rsmodels.colouring.settings:ColorizeSettings",
    "filling": "rsmodels.filling.settings:InpaintSettings",
    "downstream": "rsmodels.downstream.settings:DownstreamSettings",
    "blind": "rsmodels.blind.settings:BlindSettings",
    "reproduce": "rsmodels.tables.settings:ReproduceSettings",
}
"""Command to the settings that its recipe holds; `train` has those of each model, and `inpaint` is called filling here,
since a model has that name."""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("config")(config)


def config(
    name: Annotated[
        str, typer.Argument(help=f"A model ({', '.join(MODELS)}) or a command ({', '.join(COMMANDS)}).")
    ] = "rs-spade",
    preset: Annotated[
        str | None, typer.Option(help="Print this preset of a model instead: tiny, base or paper, or several.")
    ] = None,
) -> int:
    """Print a recipe with every key at its default, explained: for a model, or for a command; or what a preset sets.

    Example:

        rsmodels config rs-spade > recipe.yaml
    """
    import importlib

    import yaml

    from rsmodels.tasks import models
    from rsprep.config_text import describe_config

    if preset is not None:
        print(yaml.safe_dump({"model": name, **models.preset(name, preset)}, sort_keys=False), end="")
    elif name in COMMANDS:
        module, settings = COMMANDS[name].split(":")
        print(describe_config(getattr(importlib.import_module(module), settings)), end="")
    else:
        print(describe_config(models.model(name).settings), end="")
    return 0
