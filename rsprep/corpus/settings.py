"""Settings that all corpora share."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from rsprep.config import Engine
from rsprep.settings import Section


class CorpusSettings(Section):
    """Where a corpus goes and who makes it; each command adds its own."""

    INPUTS: ClassVar[tuple[str, ...]] = ()
    """Keys that hold paths of inputs: a corpus goes on wherever they lie now, if their fingerprint is the same."""

    out: str = Field(
        min_length=1,
        description="folder of the data set, or an address such as s3://bucket/chips",
        examples=["corpus"],
    )
    catalog: str = Field(
        "catalog", min_length=1, description="folder of the STAC catalog in which the data set is registered"
    )
    engine: Engine = Engine()
