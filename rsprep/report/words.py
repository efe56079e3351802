"""Numbers and states in words, the same on the page and on the terminal."""

from __future__ import annotations

from rsprep.report.data import Counts


def verdict(counts: Counts) -> str:
    """The one sentence to read first."""
    parts = [f"{_chips(counts.committed)} committed of {count_text(counts.planned)} planned"]
    parts += [f"{count_text(counts.rejected)} rejected"] if counts.rejected else []
    parts += [f"{count_text(counts.quarantined)} quarantined"] if counts.quarantined else []
    parts += [f"{count_text(counts.pending)} not built yet"] if counts.pending else []
    if counts.planned == 0:
        return "No chips were planned."
    if counts.committed == counts.planned > 1:
        return f"All {_chips(counts.planned)} committed."
    if counts.committed == 0:
        parts[0] = f"No chip committed of {count_text(counts.planned)} planned"
    return "; ".join(parts) + "."


def _chips(number: int) -> str:
    return f"{count_text(number)} chip{'' if number == 1 else 's'}"


def count_text(number: int) -> str:
    """``12,345``."""
    return f"{number:,}"


def seconds_text(seconds: float) -> str:
    """``0.42 s``, ``12.3 s``, ``4 min 05 s``, ``2 h 03 min``."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def bytes_text(number: float) -> str:
    """Decimal units: ``1.2 GB``."""
    value = float(number)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("the last unit always returns")
