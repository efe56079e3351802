"""The section of docs/reliability.md that tells which bugs were planted, and which tests found them."""

from __future__ import annotations

from collections.abc import Iterable

from tests.planted.planting import Plant
from tests.planted.table import NOT_OURS, PLANTS
from tests.support import REPOSITORY

PAGE = REPOSITORY / "docs" / "reliability.md"
BEGIN, END = "<!-- planted bugs: written by make planted -->", "<!-- end of planted bugs -->"


def section() -> str:
    """The section, from marker to marker."""
    rows = {plant.row for plant in PLANTS}
    lines = [
        BEGIN,
        "## Planted bugs",
        "",
        f"`make planted` takes {len(PLANTS)} treatments out of the code, one after the other, each in its own process.",
        "The tests named here pass without it, and fail with it: by an assertion, or by an error that does not come.",
        f"All were found. They stand for {len(rows)} known ways in which a pipeline like this goes silently wrong;",
        'the numbers are those that tests name in their docstrings ("Pitfall 36").',
        "",
        "| bug | what is right, and what was planted | tests that found it |",
        "|---|---|---|",
        *(f"| {plant.key} | {plant.treatment} | {_tests(plant)} |" for plant in PLANTS),
    ]
    if NOT_OURS:
        lines += ["", "Without a bug:", "", *(f"- {row}: {why}" for row, why in sorted(NOT_OURS.items()))]
    return "\n".join([*lines, END, ""])


def _tests(plant: Plant) -> str:
    return "<br>".join(f"`{name}`" for name in _short(plant.tests))


def _short(tests: Iterable[str]) -> list[str]:
    """Node ids without the folder that all have in common."""
    return [test.removeprefix("tests/").replace("|", "\\|") for test in tests]


def write_page() -> None:
    """Put the section in the place of the older one, or at the end."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else "# Reliability\n"
    before, found, rest = text.partition(BEGIN)
    after = rest.partition(END)[2].removeprefix("\n")
    if not found:
        before = before.rstrip("\n") + "\n\n"
    PAGE.write_text(before + section() + after, encoding="utf-8")
