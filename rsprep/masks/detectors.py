"""Cloud detectors that others made, behind one function: bands of a scene to a mask of thick cloud.

None of them comes with rsprep. A detector that is asked for and not installed is a named error that says how
to get it; one that is installed is called with arrays and knows nothing of files.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rsprep.errors import InputError
from rsprep.masks.shapes import CLEAR, CLOUD, UNKNOWN

S2CLOUDLESS_BANDS: Final = ("B01", "B02", "B04", "B05", "B08", "B8A", "B09", "B10", "B11", "B12")
"""Bands that s2cloudless wants, in its order: reflectance at the top of the atmosphere (Level-1C)."""
OMNICLOUDMASK_BANDS: Final = ("B04", "B03", "B8A")
"""Red, green and near infrared, at any level of processing."""
_ROWS = 256
"""Rows classified at a time: the trees of s2cloudless work on float64 copies of the pixels."""


@dataclass(frozen=True, kw_only=True)
class Detector:
    """What a detector needs and what may be expected of it."""

    name: str
    module: str
    bands: tuple[str, ...]
    by_pixel: bool
    """True where a pixel's answer follows from that pixel alone, so that a window gives what the scene gives."""
    remedy: str
    """How to get it."""
    run: Callable[[ModuleType, NDArray[np.float32], float], NDArray[np.bool_]]
    """Module, (band, y, x) reflectance and threshold to (y, x) thick cloud."""


def _s2cloudless(module: ModuleType, bands: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    # No averaging and no dilation: shapes are cleaned by our own rules, and each pixel stays on its own.
    detector = module.S2PixelCloudDetector(threshold=threshold, average_over=None, dilation_size=None, all_bands=False)
    out = np.empty(bands.shape[1:], np.bool_)
    for top in range(0, len(out), _ROWS):
        strip = np.moveaxis(bands[:, top : top + _ROWS], 0, -1)[None]
        out[top : top + _ROWS] = detector.get_cloud_probability_maps(strip)[0] >= threshold
    return out


def _omnicloudmask(module: ModuleType, bands: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    del threshold  # it answers with classes: 0 clear, 1 thick cloud, 2 thin cloud, 3 shadow
    return np.asarray(module.predict_from_array(bands)[0] == 1)


DETECTORS: Final[Mapping[str, Detector]] = {
    "s2cloudless": Detector(
        name="s2cloudless",
        module="s2cloudless",
        bands=S2CLOUDLESS_BANDS,
        by_pixel=True,
        remedy="pip install 'rsprep[clouds]'",
        run=_s2cloudless,
    ),
    "omnicloudmask": Detector(
        name="omnicloudmask",
        module="omnicloudmask",
        bands=OMNICLOUDMASK_BANDS,
        by_pixel=False,
        remedy="pip install omnicloudmask (it brings torch and downloads its weights), or run it elsewhere and give "
        "its masks with --classes omnicloudmask",
        run=_omnicloudmask,
    ),
}


def detect(
    name: str, bands: NDArray[np.float32], *, threshold: float = 0.4, valid: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """Thick cloud in a scene.

    Parameters
    ----------
    name : one of `DETECTORS`.
    bands : (band, y, x) float32 reflectance, the bands that the detector wants in their order.
    threshold : probability from which a pixel counts as cloud, for detectors that give one.
    valid : (y, x), False where there is no data; everywhere valid by default.

    Returns
    -------
    (y, x) of 0 clear, 1 thick cloud, 255 unknown.

    Raises
    ------
    InputError : ``detector-missing``.
    """
    detector = DETECTORS[name]
    if bands.ndim != 3 or len(bands) != len(detector.bands):
        raise ValueError(f"{name} wants {len(detector.bands)} bands, got {bands.shape}")
    cloud = detector.run(_module(detector), bands, threshold)
    if cloud.shape != bands.shape[1:]:
        raise ValueError(f"{name} answered with {cloud.shape} for {bands.shape[1:]}")
    mask = np.where(cloud, np.uint8(CLOUD), np.uint8(CLEAR))
    if valid is not None:
        mask[~valid] = UNKNOWN
    return mask


def version(name: str) -> str:
    """Version of an installed detector; raises InputError ``detector-missing``."""
    detector = DETECTORS[name]
    module = _module(detector)
    try:
        return metadata.version(detector.module)
    except metadata.PackageNotFoundError:
        return str(getattr(module, "__version__", "unknown"))


def _module(detector: Detector) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what their own dependencies have to say is no news here
            return importlib.import_module(detector.module)
    except ImportError as error:
        raise InputError(
            "detector-missing",
            f"the cloud detector {detector.name} cannot be imported: {error}",
            value=detector.name,
            remedy=detector.remedy,
        ) from None
