"""One tiny source and one undisturbed build of it, for all tests of interruption."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

import rsprep
from rsprep.job.journal_view import JournalView
from tests.rsprep.job.tiny import TinySource, digests_of, pixel_files, write_tiny

SIDE_PX = 224


@dataclass(frozen=True, kw_only=True)
class Undisturbed:
    """What a build gives that nobody interrupts."""

    digests: dict[str, str]
    files: dict[str, bytes]
    shards: int


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinySource:
    """A source for reading only; tests that break files make their own."""
    return write_tiny(tmp_path_factory.mktemp("tiny") / "source", SIDE_PX)


@pytest.fixture(scope="session")
def undisturbed(tiny: TinySource, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    outcome = rsprep.build(tiny.settings(folder))
    assert outcome.failures == 0
    with JournalView.open(outcome.dataset) as journal:
        shards = int(journal.meta("n_shards"))
    assert shards >= 12
    return Undisturbed(digests=digests_of(outcome.dataset), files=pixel_files(outcome.dataset), shards=shards)
