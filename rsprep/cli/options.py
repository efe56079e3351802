"""Options that commands share, and how they override a recipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rsprep.cli.progress import watcher

if TYPE_CHECKING:
    from rsprep.finish import Outcome

CONFIG = Annotated[Path | None, typer.Option(help="YAML recipe; options given here win over it.")]
CATALOG = Annotated[str | None, typer.Option(help="STAC catalog in which to register it.  [default: ./catalog]")]
SCHEDULER = Annotated[str | None, typer.Option(help="threads, processes, or tcp://host:port.  [default: threads]")]
WORKERS = Annotated[int | None, typer.Option(help="Workers.  [default: one a core]")]
RETRY_FAILED = Annotated[bool, typer.Option("--retry-failed", help="Try quarantined chips again.")]
EPILOG = "Exit codes: 0 done, 1 finished with failures, 2 wrong input."


def names(text: str | None) -> list[str] | None:
    """``"a, b"`` as ``["a", "b"]``; None stays None."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def override(values: dict[str, Any], **given: Any) -> None:
    """Put what was given (not None) into a recipe."""
    values.update({key: value for key, value in given.items() if value is not None})


def override_section(values: dict[str, Any], section: str, **given: Any) -> None:
    """The same within a section of the recipe."""
    chosen = {key: value for key, value in given.items() if value is not None}
    there = values.get(section) or {}
    if chosen and isinstance(there, dict):  # else what is there is no section, which the check will say
        values[section] = {**there, **chosen}


def run_job(job: Callable[..., Outcome], settings: Any, *, retry_failed: bool) -> int:
    """Run a job in front of whoever watches, show what came out, and return the exit code."""
    with watcher() as progress:
        outcome = job(settings, progress=progress, retry_failed=retry_failed)
    outcome.show()
    return 1 if outcome.failures else 0
