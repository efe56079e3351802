"""What every trial builds, and how a data set that went through one is held against the undisturbed one."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rsprep.errors import StoreError
from rsprep.job.journal_view import FILE_NAME, JournalView
from rsprep.job.verify import verify
from tests.rsprep.job.tiny import DEFINITION, TinySource, different_files, leftovers, pixel_files, write_tiny

SIDE_PX = 112
"""Six chips, from two optical granules and one scene of each other product."""
SERVED = "served"
"""Folder of the items as the server hands them out."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What a build gives that nobody disturbs."""

    digests: dict[str, str]
    files: dict[str, bytes]

    @classmethod
    def of(cls, dataset: Path) -> Reference:
        with JournalView.open(dataset) as journal:
            digests = {chip.chip_id: chip.digest for chip in journal.chips("committed")}
        return cls(digests=digests, files=pixel_files(dataset))


def prepare(root: Path) -> TinySource:
    """Write the source, and what a server needs to serve it; once for all trials."""
    source = write_tiny(root / "source", SIDE_PX)
    items = []
    for path in sorted(source.root.glob("*/*/item.json")):
        item = json.loads(path.read_text())
        for asset in item["assets"].values():
            asset["href"] = f"/rasters/{Path(asset['href']).name}"
        items.append(item)
    (source.root / SERVED).mkdir()
    (source.root / SERVED / "items.json").write_text(json.dumps(items))
    return source


def signed_definition(root: Path, url: str) -> Path:
    """A definition of the source whose files ask for a token."""
    path = root / "signed.yaml"
    signing = {"service": f"{url}/token", "hosts": ["127.0.0.1"]}
    path.write_text(yaml.safe_dump({**DEFINITION, "signing": signing}), encoding="utf-8")
    return path


def from_server(source: TinySource, folder: Path, url: str, definition: Path, **more: Any) -> Path:
    """Recipe of a build that searches and reads over HTTP."""
    patient = {"scheduler": "threads", "workers": 2, "outage_s": 0.5}
    return source.recipe(folder, source=str(definition), endpoint=url, **{"engine": patient, **more})


def faults_between(dataset: Path, reference: Reference) -> list[str]:
    """What is wrong with a data set that is not finished: nothing may be lost, altered or doubled at any moment."""
    if not (dataset / FILE_NAME).exists():
        return []
    try:
        with JournalView.open(dataset) as journal:
            if not journal.is_planned:
                return []
            counts = journal.counts()
            committed = {chip.chip_id: chip.digest for chip in journal.chips("committed")}
            mute = [chip.chip_id for chip in journal.chips("quarantined") if not chip.reason]
    except StoreError as error:
        if error.slug == "not-a-journal" and not (dataset / "chips.zarr").exists():
            return []  # killed before the first table was there
        return [f"the journal: {error}"]
    wrong = [f"{name} is quarantined without a reason" for name in mute]
    if not counts.balanced:
        wrong.append(f"the journal does not add up: {counts}")
    wrong += [
        f"altered: {name} is committed with another digest"
        for name, digest in committed.items()
        if reference.digests.get(name) != digest
    ]
    if committed:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Zarr wonders at what a killed writer left
            report = verify(dataset)
        wrong += [
            f"{kind}: {problem}" for kind in ("lost", "altered", "duplicated") for problem in getattr(report, kind)
        ]
    return wrong


def faults_at_the_end(folder: Path, reference: Reference) -> list[str]:
    """How a finished data set differs from the undisturbed one; empty where it does not, to the last byte."""
    dataset = folder / "chips"
    report = verify(dataset)
    wrong = [f"{kind}: {one}" for kind in ("lost", "altered", "duplicated", "other") for one in getattr(report, kind)]
    found = Reference.of(dataset)
    if found.digests != reference.digests:
        lost, more = reference.digests.keys() - found.digests, found.digests.keys() - reference.digests
        wrong.append(f"altered: digests differ; lost {sorted(lost)}, too many {sorted(more)}")
    wrong += [f"altered: {name} differs" for name in different_files(found.files, reference.files)]
    wrong += [f"{name} is left over" for name in leftovers(folder)]
    return wrong


def reason_of(said: str) -> str:
    """The name of the error, or of the first quarantine, in what a build said."""
    found = re.search(r"\b(?:error )?([a-z]+/[a-z][a-z-]+)\b", said)
    return found[1] if found else ""
