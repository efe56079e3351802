"""From images to the page of a blind test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsmodels.blind.draw import draw
from rsmodels.blind.key import read_key
from rsmodels.blind.page import check_place, render_test
from rsmodels.blind.settings import BlindSettings
from rsmodels.blind.supply import supplies
from rsmodels.errors import ModelError
from rsprep.cloud.address import folder_only
from rsprep.files import write_text
from rsprep.job.progress import Progress, Silent
from rsprep.settings import make_settings


@dataclass(frozen=True, kw_only=True)
class BlindTest:
    """What came out."""

    page: Path
    test: str
    """Name of the test; score files have it, too."""
    real: int
    """Real images that are shown."""
    generated: dict[str, int]
    """Those of each system."""
    warnings: tuple[str, ...]


def blind_test(settings: BlindSettings | Mapping[str, Any], *, progress: Progress | None = None) -> BlindTest:
    """Write a page on which people score real and generated images without knowing which is which.

    The same images and settings give the same bytes.

    Raises
    ------
    ModelError : ``too-few-images``, ``unlike-sizes``, ``no-page``, ``page-in-use``; those of
        :func:`rsmodels.blind.supply.supplies`.
    StoreError : the data set cannot be read.
    """
    checked = make_settings(BlindSettings, settings)
    watcher, page = progress or Silent(), folder_only(checked.out, "--out")
    check_place(page)
    watcher.stage("blind test")
    real, made, warnings = supplies(checked)
    shown = draw(real, made, checked.real, checked.generated, checked.seed)
    origin = {
        "format": 1,
        "seed": checked.seed,
        "real": dict(real.origin),
        "systems": {name: dict(supply.origin) for name, supply in made.items()},
    }
    text, test = render_test(shown, origin, checked.title, checked.longest)
    _refuse_other(page, test)
    write_text(page, text)
    counts = {name: sum(one.system == name for one in shown) for name in made}
    return BlindTest(page=page, test=test, real=checked.real, generated=counts, warnings=tuple(warnings))


def _refuse_other(page: Path, test: str) -> None:
    """See that no other test is lost: without its page nobody can read its scores."""
    if not page.exists():
        return
    try:
        there = f"test {read_key(page)['test']}"
    except ModelError:
        there = "no blind test"
    if there != f"test {test}":
        raise ModelError(
            "page-in-use",
            "there is another file in the place of the page; without the page of a test its scores cannot be read",
            value=f"{page}: {there}",
            remedy="give another --out, or remove the file",
        )
