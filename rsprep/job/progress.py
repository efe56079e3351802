"""What long work tells whoever watches: one small protocol, so that the work knows nothing of terminals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """A watcher of long work."""

    def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
        """A stage begins; `total` counts its units of work where that is known."""

    def advance(self, amount: int = 1) -> None:
        """So many units of the current stage are done."""

    def note(self, text: str) -> None:
        """Something worth a line of its own."""


class Silent:
    """Watches without a word."""

    def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
        """Ignore the stage."""

    def advance(self, amount: int = 1) -> None:
        """Ignore the advance."""

    def note(self, text: str) -> None:
        """Ignore the note."""


def counted(progress: Progress, name: str, unit: str) -> Callable[[int, int, str], None]:
    """A callback for work that tells ``(done, total, what)``: its first call begins the stage `name`."""
    told: int | None = None

    def tell(done: int, total: int, _: str) -> None:
        nonlocal told
        if told is None:
            progress.stage(name, total=total, unit=unit)
            told = 0
        progress.advance(done - told)
        told = done

    return tell
