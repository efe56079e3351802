"""Progress of one run among several."""

from __future__ import annotations

from rsprep.job.progress import Progress


class Named:
    """Tells stages and notes with the name of what they belong to."""

    def __init__(self, watcher: Progress, name: str) -> None:
        self._watcher = watcher
        self._name = name

    def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
        """Begin ``Mix, equal steps, seed 1: train``."""
        self._watcher.stage(f"{self._name}: {name}", total=total, unit=unit)

    def advance(self, amount: int = 1) -> None:
        """Hand on."""
        self._watcher.advance(amount)

    def note(self, text: str) -> None:
        """Hand on, with the name."""
        self._watcher.note(f"{self._name}: {text}")
