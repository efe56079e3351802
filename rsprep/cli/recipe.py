"""`rsprep config`."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("config")(config)


def config() -> int:
    """Print a recipe for build-multisource with every key at its default, explained.

    Example:

        rsprep config > recipe.yaml
    """
    from rsprep.config_text import describe_config

    print(describe_config(), end="")
    return 0
