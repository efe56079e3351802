"""Which images a blind test shows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from rsmodels.blind.supply import Supply
from rsmodels.errors import ModelError
from rsprep.report.data import Rgb


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """One image of the test."""

    system: str | None
    """What made it; None for a real one."""
    name: str
    """Its chip, or its file without the ending."""
    image: Rgb


def draw(real: Supply, made: Mapping[str, Supply], count: int, each: int, seed: int) -> list[Shown]:
    """`count` real images and `each` of every system, in an order that tells nothing.

    No scene is shown both real and generated, since a rater could compare them; all systems show the same scenes where
    their names are the same.

    Raises
    ------
    ModelError : ``too-few-images``; ``unlike-sizes`` where no size of the real images is one of a system's.
    """
    chosen = _ranked(real.names, seed)[:count]
    _enough(len(chosen), count, "real")
    found = [Shown(system=None, name=name, image=one) for name, one in zip(chosen, real.read(chosen), strict=True)]
    sizes = {one.image.shape[:2] for one in found}
    taken = set(chosen)
    for system, supply in made.items():
        names = [name for name in _ranked(supply.names, seed) if name not in taken][:each]
        _enough(len(names), each, system)
        images = supply.read(names)
        _same_sizes(sizes, {image.shape[:2] for image in images}, system)
        found += [Shown(system=system, name=name, image=one) for name, one in zip(names, images, strict=True)]
    return sorted(found, key=lambda one: _hash(seed, one.system, one.name))


def shrunk(image: Rgb, longest: int) -> Image.Image:
    """The image, at most `longest` pixels along its longer side."""
    picture = Image.fromarray(image)
    scale = longest / max(picture.size)
    if scale >= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BOX)


def _ranked(names: Sequence[str], seed: int) -> list[str]:
    return sorted(names, key=lambda name: _hash(seed, name))


def _hash(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _enough(found: int, wanted: int, what: str) -> None:
    if found < wanted:
        raise ModelError(
            "too-few-images",
            f"there are {found:,} images of {what} for the test; no scene is shown both real and generated",
            value=wanted,
            remedy="ask for fewer with --real and --generated",
        )


def _same_sizes(real: set[tuple[int, ...]], made: set[tuple[int, ...]], system: str) -> None:
    if not real & made:
        told = ", ".join(f"{size[1]} × {size[0]}" for size in sorted(made)[:3])
        raise ModelError(
            "unlike-sizes",
            "the images of a system have another size than the real ones, which would give them away",
            value=f"{system}: {told} pixels",
            remedy="bring the pictures to one size first",
        )
