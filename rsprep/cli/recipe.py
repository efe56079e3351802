"""`rsprep config`."""

from __future__ import annotations

from typing import Annotated

import typer

from rsprep.errors import ConfigError

MODELS = {
    "build-multisource": "rsprep.config:BuildConfig",
    "cloud-masks": "rsprep.corpus.clouds.settings:CloudSettings",
    "maskmix": "rsprep.corpus.mixing.settings:MaskMixSettings",
    "occlude": "rsprep.corpus.occlusion.settings:OccludeSettings",
    "semantic-masks": "rsprep.corpus.semantic.settings:SemanticSettings",
    "simulate-views": "rsprep.corpus.views.settings:ViewsSettings",
}
"""Command to the settings that its recipe holds."""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("config")(config)


def config(
    command: Annotated[str, typer.Argument(help=f"One of {', '.join(MODELS)}.")] = "build-multisource",
) -> int:
    """Print a recipe for a command with every key at its default, explained.

    Example:

        rsprep config > recipe.yaml
    """
    import importlib

    from rsprep.config_text import describe_config

    if command not in MODELS:
        raise ConfigError(
            "no-recipe", "no command of this name takes a recipe", value=command, remedy=f"one of {', '.join(MODELS)}"
        )
    module, name = MODELS[command].split(":")
    print(describe_config(getattr(importlib.import_module(module), name)), end="")
    return 0
