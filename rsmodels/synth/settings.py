"""Settings of `rsmodels synth-augment`."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from rsmodels.errors import ModelError
from rsprep.config import Engine
from rsprep.corpus.settings import CorpusSettings

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)(x?)")


class SynthSettings(CorpusSettings):
    """A synthetic data set: how many chips, by which generator, from the conditions of which train chips."""

    LISTED_BY: ClassVar[str] = "rsmodels config synth-augment"
    INPUTS: ClassVar[tuple[str, ...]] = ("data", "checkpoint")

    data: str = Field(description="data set whose train chips lend their conditions", examples=["chips"])
    checkpoint: str = Field(description="trained generator: a checkpoint, or a run", examples=["run"])
    out: str = Field("synthetic", description="folder of the data set")
    n: str = Field("1x", description="chips to make: a number, or a multiple of the train chips such as 2x")
    turns: bool = Field(True, description="vary conditions by flips and quarter turns")
    edits: bool = Field(True, description="vary them further by giving one region of a chip another class")
    synthetic_parents: bool = Field(False, description="allow chips that a model made to lend their conditions")
    seed: int = Field(0, description="another seed chooses other chips and makes other edits")
    samples: int = Field(1, ge=1, le=1000, description="images of each form of a chip's conditions, with other noise")
    favour_rare: bool = Field(False, description="take more chips, and make more edits, that show rare classes")
    strength: float = Field(
        1.0, ge=0, le=1, description="recolouring: how far an image is brought to the colours of another chip"
    )
    share: float = Field(1.0, gt=0, le=1, description="share of the train chips that lend their conditions")
    batch: int = Field(16, ge=1, le=4096, description="chips that the generator makes at a time")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the generator runs")
    # One worker unless told otherwise: the generator uses all cores, or the GPU, by itself.
    engine: Engine = Engine(workers=1)

    @field_validator("n", mode="before")
    @classmethod
    def _amount(cls, value: object) -> str:
        text = str(value).strip().lower()
        match = _AMOUNT.fullmatch(text)
        if match is None or (not match[2] and "." in text) or float(match[1]) <= 0:
            raise ValueError("a number of chips above 0, such as 5000, or a multiple of the train chips, such as 2x")
        return text

    def count(self, parents: int) -> int:
        """Chips that are asked for, where there are so many train chips.

        Raises
        ------
        ModelError : ``too-few`` where the multiple is less than one chip.
        """
        match = _AMOUNT.fullmatch(self.n)
        if match is None:  # the validator lets nothing else through
            raise ValueError(self.n)
        count = round(float(match[1]) * parents) if match[2] else int(match[1])
        if count < 1:
            raise ModelError(
                "too-few",
                f"{self.n} of {parents:,} train chips is no chip at all",
                value=self.n,
                remedy="ask for more with --n",
            )
        return count
