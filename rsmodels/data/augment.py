"""Turn chips, all layers alike, and vary the light of their images.

Turning works on raw arrays, before they are normalised, and on what a layer means: aspect is a direction and turns
with the ground, hillshade is computed anew because the light stays where it is. So terrain that was turned is the
terrain of the turned elevation.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field as Setting

from rsmodels.data.fields import Field
from rsmodels.data.raw import ChipFields
from rsmodels.errors import ModelError
from rsprep.masks.maskmix.settings import MixSettings
from rsprep.settings import Section
from rsprep.store.schema import TERRAIN_BANDS

ELEMENTS: Final = 8
"""0 to 3: that many quarter turns counter-clockwise; 4 to 7: mirrored left to right first."""
LIGHT: Final = (315.0, 45.0)
"""Azimuth and altitude of the light, degrees, as ``rsprep.products.terrain`` has it."""
_SLOPE, _ASPECT, _SHADE = (TERRAIN_BANDS.index(name) for name in ("slope", "aspect", "hillshade"))
_FULL, _RADIAN = np.float32(360), np.float32(np.pi / 180)
_TURNS, _JITTER = 1, 2


class Jitter(Section):
    """Photometric changes of optical images, by albumentations; all on the scale of the image in [0, 1].

    They cut the image off at the range of its normaliser.
    """

    brightness: float = Setting(0.1, ge=0, le=1, description="shift of all bands, at most")
    contrast: float = Setting(0.1, ge=0, lt=1, description="change of contrast, at most")
    noise: float = Setting(0.02, ge=0, le=0.5, description="standard deviation of noise a pixel, at most")
    chance: float = Setting(0.5, ge=0, le=1, description="share of the chips that each change happens to")


class AugMix(Section):
    """Images mixed from moved copies of themselves (Hendrycks et al. 2020), with the operations of MaskMix."""

    branches: int = Setting(3, ge=1, le=7, description="moved copies")
    depth: int = Setting(3, ge=1, le=8, description="most operations on each copy: translate, shear, rotate")
    rotate: float = Setting(30.0, ge=0, le=180, description="largest rotation, degrees either way")
    shift: float = Setting(1 / 3, ge=0, le=1, description="largest translation, share of the side")
    shear: float = Setting(0.3, ge=0, le=1, description="largest shear")


class Augment(Section):
    """How chips are varied while training."""

    turn: bool = Setting(True, description="flips and quarter turns of all layers together")
    jitter: Jitter | None = Setting(None, description="photometric changes of optical images; none by default")
    maskmix: MixSettings | None = Setting(
        None, description="inpainting: masks are mixed anew from the stored ones (MaskMix); null: as they are"
    )
    augmix: AugMix | None = Setting(
        None, description="inpainting, for comparison: the image is mixed from moved copies of it; none by default"
    )


def element_of(seed: int, position: int) -> int:
    """The element of the dihedral group for the chip at `position` of the stream."""
    return int(np.random.default_rng((seed, _TURNS, position)).integers(ELEMENTS))


def inverse(element: int) -> int:
    """The element that turns back: mirrored ones are their own inverse."""
    return element if element >= 4 else (4 - element) % 4


def composed(first: int, then: int) -> int:
    """The one element that does what `first` and after it `then` do."""
    # A mirror turns the sense of a rotation around: m r^k = r^-k m.
    turns = then % 4 + (-(first % 4) if then >= 4 else first % 4)
    return turns % 4 + 4 * ((first >= 4) != (then >= 4))


def turn(
    arrays: Mapping[str, NDArray[Any]],
    element: int,
    fields: Sequence[Field],
    *,
    light: tuple[float, float] = LIGHT,
) -> dict[str, NDArray[Any]]:
    """All layers of some chips, turned together; views where that is enough. A scene stays what it is.

    Parameters
    ----------
    arrays : name to raw values (..., y, x) as they are stored; terrain (..., 4, y, x).
    element : of the dihedral group, 0 to 7.
    fields : what the arrays are; one that is no field (a mask of clear pixels) is only turned.
    light : azimuth and altitude of the hillshade's light, degrees.
    """
    terrain = {field.name for field in fields if field.kind == "terrain"}
    turned = {}
    for name, values in arrays.items():
        if not values.ndim:
            turned[name] = values
            continue
        moved = np.rot90(values[..., ::-1] if element >= 4 else values, element % 4, axes=(-2, -1))
        turned[name] = _turned_terrain(moved, element, light) if name in terrain and element else moved
    return turned


def _turned_terrain(moved: NDArray[Any], element: int, light: tuple[float, float]) -> NDArray[Any]:
    """Aspect and hillshade of terrain whose pixels were moved already."""
    out = np.array(moved, np.float32, order="C")
    aspect = out[..., _ASPECT, :, :]
    if element >= 4:
        np.subtract(_FULL, aspect, out=aspect)
    aspect -= np.float32(90 * (element % 4))
    np.add(aspect, _FULL, out=aspect, where=aspect < 0)
    np.subtract(aspect, _FULL, out=aspect, where=aspect >= _FULL)
    out[..., _SHADE, :, :] = hillshade(out[..., _SLOPE, :, :], aspect, light)
    return out


def hillshade(
    slope: NDArray[np.floating[Any]], aspect: NDArray[np.floating[Any]], light: tuple[float, float] = LIGHT
) -> NDArray[np.float32]:
    """Hillshade, 1 to 255, of a slope and an aspect in degrees; NaN where the slope is.

    The cosine between light and surface normal, as in ``rsprep.products.terrain``; flat ground has no aspect, and
    needs none.
    """
    azimuth, altitude = (np.float32(angle) * _RADIAN for angle in light)
    steep = slope.astype(np.float32, copy=False) * _RADIAN
    facing = np.cos(aspect.astype(np.float32, copy=False) * _RADIAN - azimuth)
    facing[np.isnan(facing)] = 0
    cosine = np.sin(altitude) * np.cos(steep) + np.cos(altitude) * np.sin(steep) * facing
    lit: NDArray[np.float32] = np.float32(1) + np.float32(254) * np.maximum(cosine, np.float32(0))
    return lit


def check_light(reader: ChipFields, name: str, *, chips: int = 4) -> None:
    """See that the hillshade of terrain field `name` is the one that turning would compute; looks at a few chips.

    Raises
    ------
    ModelError : ``other-light``.
    """
    azimuth, altitude = reader.light(name)
    for slot in reader.source.chips.slot[:chips].tolist():
        layers = reader.read(slot)[0][name]
        differs = np.abs(hillshade(layers[_SLOPE], layers[_ASPECT], (azimuth, altitude)) - layers[_SHADE])
        if np.nanmax(differs, initial=0) > 1:
            raise ModelError(
                "other-light",
                f"the hillshade of {reader.source.name} was made under another light than that from {azimuth}° at "
                f"{altitude}°, and so cannot be turned",
                value=f"off by {np.nanmax(differs):.0f} of 254",
                remedy="tell the light in the attributes azimuth and altitude of the variable, or train without turns",
            )


class Photometry:
    """Jitter of single images; one for each thread, since a pipeline has a state."""

    def __init__(self, jitter: Jitter, seed: int) -> None:
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for its newest version
        import albumentations  # slow to import, and rarely asked for

        self.seed = seed
        change, noise = jitter.chance, jitter.noise
        self._pipeline = albumentations.Compose(
            [
                albumentations.RandomBrightnessContrast(
                    brightness_limit=jitter.brightness, contrast_limit=jitter.contrast, p=change
                ),
                albumentations.GaussNoise(std_range=(0.0, noise), per_channel=True, p=change if noise else 0.0),
            ]
        )

    def __call__(self, unit: NDArray[np.float32], position: int) -> NDArray[np.float32]:
        """`unit` (bands, y, x) in [0, 1], changed as the chip at `position` of the stream is."""
        drawn = np.random.default_rng((self.seed, _JITTER, position)).integers(2**31)
        self._pipeline.set_random_seed(int(drawn))
        image = np.ascontiguousarray(np.moveaxis(unit, 0, -1))
        changed: NDArray[np.float32] = self._pipeline(image=image)["image"]
        return np.moveaxis(changed.reshape(image.shape), -1, 0)
