"""The store of a corpus of seed masks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from rsprep.corpus.clouds.inputs import CloudInputs
from rsprep.corpus.clouds.settings import CloudSettings
from rsprep.store.schema import Column, Schema, Variable

SHARD_BYTES: Final = 32 * 2**20
MAX_SLOTS: Final = 64
MASK_ATTRS: Final[Mapping[str, Any]] = {
    "long_name": "thick cloud",
    "units": "1",
    "flag_values": [0, 1],
    "flag_meanings": "clear cloud",
    "flag_colors": "#1b2a41 #ffffff",
}
COLUMNS: Final = (
    Column(name="area_ratio", kind="float32", meaning="share of the seed that is cloud"),
    Column(name="compactness", kind="float32", meaning="4 pi area / perimeter^2: 1 for a disc, less for ragged shapes"),
    Column(
        name="eccentricity", kind="float32", meaning="of the ellipse with the same moments: 0 round, towards 1 long"
    ),
    Column(name="solidity", kind="float32", meaning="share of the convex hull that is cloud"),
    Column(name="extent", kind="float32", meaning="share of the upright bounding box that is cloud"),
    Column(
        name="orientation",
        kind="float32",
        meaning="direction of the long axis, degrees counter-clockwise from the rows",
    ),
    Column(name="perimeter", kind="float32", meaning="length of all outlines, pixels"),
    Column(name="equivalent_diameter", kind="float32", meaning="of the disc with the same area, pixels"),
    Column(name="holes", kind="int32", meaning="clear gaps that are enclosed"),
    Column(
        name="cut_share", kind="float32", meaning="share of the outline that the window has cut; 0 for a whole cloud"
    ),
    Column(name="resolution", kind="float32", meaning="metres along a pixel's side; 1 where it is not known"),
    Column(name="source", kind="string", meaning="scene that it was cut from"),
    Column(name="date", kind="string", meaning="day of the scene; empty where it is not known"),
    Column(name="row", kind="int32", meaning="row of the upper-left pixel in the scene's file; below 0 outside of it"),
    Column(name="col", kind="int32", meaning="column likewise"),
    Column(name="diverse", kind="bool", meaning="one of the few that differ most"),
)


def seed_schema(settings: CloudSettings, inputs: CloudInputs) -> Schema:
    """One mask a chip, its shape and where it was cut from."""
    attrs = dict(MASK_ATTRS)
    if all(scene.resolution is None for scene in inputs.scenes):
        attrs["note"] = "the scenes do not tell the size of a pixel on the ground: 1 stands for one pixel"
    return Schema(
        variables=(Variable(name="mask", bands=None, band_dim=None, dtype="uint8", fill=0, attrs=attrs),),
        chip_px=settings.size,
        resolution=inputs.resolution,
        slots_per_shard=int(np.clip(SHARD_BYTES // settings.size**2, 1, MAX_SLOTS)),
        columns=COLUMNS,
    )
