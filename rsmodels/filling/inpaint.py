"""Fill what is hidden: in a data set, in a folder of pictures, in a raster of any size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsmodels.filling.dataset import fill_dataset
from rsmodels.filling.files import fill_files
from rsmodels.filling.settings import InpaintSettings
from rsmodels.tiling.folder import PAGE
from rsprep.cloud.address import Place, place
from rsprep.corpus.inputs import is_corpus
from rsprep.finish import Outcome
from rsprep.job.progress import Progress, Silent
from rsprep.settings import make_settings


@dataclass(frozen=True, kw_only=True, eq=False)
class Inpainting:
    """What came out, and where it lies."""

    out: Place
    record: dict[str, Any]
    """As in ``inpaint.json``; empty for a data set."""
    outcome: Outcome | None = None
    """Of a data set."""

    @property
    def page(self) -> Place:
        return self.out / PAGE

    @property
    def failures(self) -> int:
        """Hidden pixels that were left for want of a known one near them; of a data set chips that failed."""
        return int(self.record["left"]) if self.outcome is None else self.outcome.failures


def inpaint(
    settings: InpaintSettings | Mapping[str, Any], *, progress: Progress | None = None, retry_failed: bool = False
) -> Inpainting:
    """Fill what is hidden, or go on with it: the same call resumes.

    Parameters
    ----------
    settings : checked settings, or a mapping with their keys.
    progress : who watches; nobody by default.
    retry_failed : try quarantined chips of a data set again.

    Raises
    ------
    InputError : something that was given cannot be used; nothing is written then.
    """
    checked = make_settings(InpaintSettings, settings)
    watcher = progress or Silent()
    if is_corpus(checked.input):
        outcome = fill_dataset(checked, watcher, retry_failed=retry_failed)
        return Inpainting(out=place(checked.out), record={}, outcome=outcome)
    return Inpainting(out=Path(checked.out), record=fill_files(checked, watcher))
