"""Variables of a data set that go along with its images: class maps, other views, whatever a task needs beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rsprep.corpus.inputs import Corpus
from rsprep.corpus.occlusion.settings import OccludeSettings
from rsprep.errors import InputError
from rsprep.store.schema import Variable

RENAMED = {"mask": "classes"}
"""A corpus of pairs calls what is hidden `mask`; a class map of that name goes on under another."""
TAKEN = ("occluded", "mask", "clean")


def find_carried(settings: OccludeSettings, corpus: Corpus) -> Mapping[str, Variable]:
    """The variables to pass on: name in the data set to variable of the corpus.

    Raises
    ------
    InputError : ``no-variable``; ``carried-name`` where two would have one name; ``carried-size`` where images do
        not keep their grid, since codes cannot be averaged.
    """
    if settings.carry and (settings.whole or settings.resize) and settings.size not in (None, corpus.schema.chip_px):
        raise InputError(
            "carried-size",
            "variables are passed on bit for bit, and so cannot be brought to another grid with the images",
            value=f"--size {settings.size}, chips of {corpus.schema.chip_px} pixels",
            remedy="leave --size, --whole and --resize away",
        )
    found: dict[str, Variable] = {}
    for name in settings.carry:
        stored = RENAMED.get(name, name)
        if stored in (*TAKEN, *(variable.name for variable in found.values())):
            raise InputError(
                "carried-name",
                "a variable that is passed on would have the name of another one of the corpus",
                value=f"{name}, stored as {stored}, beside {', '.join(TAKEN)}",
                remedy="leave it out of --carry, or name each variable once",
            )
        found[name] = replace(corpus.require(name).schema[name], name=stored)
    return found


def refuse_carrying(settings: OccludeSettings) -> None:
    """Pictures have nothing beside them: InputError ``carry-folder`` where something was to be passed on."""
    if settings.carry:
        raise InputError(
            "carry-folder",
            "a folder of pictures has no variables to pass on",
            value=f"{settings.images}: --carry {','.join(settings.carry)}",
            remedy="give a data set as IMAGES: rsprep semantic-masks makes one of images and class masks",
        )
