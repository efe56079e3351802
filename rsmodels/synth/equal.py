"""Equal images among synthetic chips: which are left out, and when the generator is refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from rsprep.errors import BuildError
from rsprep.job.journal_view import JournalView

SAME_CONDITIONS = "its conditions, and so its image, are those of another chip"
NOT_TOLD_APART = "its image is also that of other conditions, which the generator does not tell from these"
MOST_ALIKE = 0.05
"""Share of the different conditions whose image may be that of others. Instance norm takes away what is the same all
over a chip (Park et al. 2019): of a map of one class alone, pix2pixHD cannot know which."""


def refuse_equal(journal: JournalView) -> dict[str, str]:
    """Chips to leave out because another has their image: as it has their conditions, too (two of a flat sea, say), of
    which one stays; or though it has others, which makes all of them useless.

    Raises
    ------
    BuildError : ``equal-chips`` where one image was made of different conditions more often than `MOST_ALIKE`,
        ``equal-samples`` where it was made with noise that differs.
    """
    by_image: dict[str, dict[str, list[tuple[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    out: dict[str, str] = {}
    for chip in journal.chips("committed"):
        stats = chip.stats
        alike = by_image[stats["image"]][stats["conditions"]]
        if alike:
            _check_noise(alike[0], chip.chip_id, stats)
            out[chip.chip_id] = SAME_CONDITIONS
        alike.append((chip.chip_id, stats["noise"]))
    mixed = [found for found in by_image.values() if len(found) > 1]
    _check_conditions(mixed, len({conditions for found in by_image.values() for conditions in found}))
    return out | {name: NOT_TOLD_APART for found in mixed for chips in found.values() for name, _ in chips}


def _check_conditions(mixed: list[dict[str, list[tuple[str, Any]]]], different: int) -> None:
    if sum(len(found) for found in mixed) <= MOST_ALIKE * different:
        return
    first, second, *_ = (chips[0][0] for chips in mixed[0].values())
    raise BuildError(
        "equal-chips",
        "the generator made the same image of different conditions: it does not look at them",
        value=f"{first} and {second}",
        remedy="train the generator further, and look at its samples; then make a data set with another --out",
    )


def _check_noise(first: tuple[str, Any], name: str, stats: Mapping[str, Any]) -> None:
    before, noise = first
    if stats["noise"] != noise and stats["valid_fraction"]:
        raise BuildError(
            "equal-samples",
            "the generator made the same image with different noise: it does not look at it",
            value=f"{before} and {name}",
            remedy="train the generator further, or take one with `--samples 1` that makes other images of other "
            "conditions; with another --out",
        )
