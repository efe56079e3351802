"""What a Sentinel-2 Level-2A pixel means: reflectance from digital numbers, clear sky from scene classes.

Products come out of ESA's processor as unsigned digital numbers, reflectance × 10⁴. From processing
baseline 04.00 on, 1000 is added to every number so that small negative reflectances survive; some
providers have taken it off again. The sensing date tells neither, because old scenes are reprocessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from rsprep.errors import ItemError, RasterError

NODATA: Final = -32768
OFFSET: Final = -1000
FIRST_OFFSET_BASELINE: Final = (4, 0)

SCL_CLASSES: Final = (
    "no data",
    "saturated or defective",
    "dark area or cast shadow",
    "cloud shadow",
    "vegetation",
    "not vegetated",
    "water",
    "unclassified",
    "cloud, medium probability",
    "cloud, high probability",
    "thin cirrus",
    "snow or ice",
)
SCL_NOT_CLEAR: Final = (0, 1, 3, 8, 9, 10)
SCL_SNOW: Final = 11
_LINE: Final = 4096


def dn_offset(
    properties: Mapping[str, Any],
    *,
    baseline_key: str | None,
    applied: str | bool | None,
    band_offset: float | None = None,
) -> int:
    """Number to add to the digital numbers of one granule: 0 or −1000.

    Parameters
    ----------
    properties : item properties under the provider's own keys.
    baseline_key : property that holds the processing baseline (``"05.09"``); None where there is none.
    applied : whether the provider has already taken the offset off. A text names the property that
        says so for each item; None means that the provider publishes pixels as ESA does.
    band_offset : ``raster:offset`` of the band, in reflectance, where the item has one; it only checks.

    Raises
    ------
    ItemError
        When neither baseline nor flag settles the question, or the band's own offset contradicts it.
        A guess would shift every reflectance by 0.1 without a word.

    Notes
    -----
    Source: Sentinel-2 Products Specification Document, "BOA_ADD_OFFSET", processing baseline 04.00.
    """
    offset = _decide_offset(properties, baseline_key, applied)
    if band_offset is not None and bool(band_offset) != bool(offset):
        raise ItemError(
            "offset-contradiction",
            f"baseline and provider flag ask for an offset of {offset}, the band metadata for {band_offset}",
            value=_shown(properties, baseline_key, applied),
            remedy="set offset_applied in the source definition to what the provider really does",
        )
    return offset


def _decide_offset(properties: Mapping[str, Any], baseline_key: str | None, applied: str | bool | None) -> int:
    done = _flag(properties, applied) if isinstance(applied, str) else bool(applied)
    if done:
        return 0
    baseline = parse_baseline(properties.get(baseline_key)) if baseline_key else None
    if baseline is None:
        raise ItemError(
            "baseline-unknown",
            "the processing baseline is not known and nothing says that the offset of −1000 was taken off",
            value=_shown(properties, baseline_key, applied),
            remedy="name the baseline property in the source definition, or state offset_applied: true",
        )
    if baseline < FIRST_OFFSET_BASELINE:
        return 0
    if done is None:
        raise ItemError(
            "offset-flag-missing",
            f"the item lacks {applied!r}, and from baseline 04.00 on only that tells whether the offset is still in",
            value=_shown(properties, baseline_key, applied),
            remedy="set offset_applied to true or false in the source definition if all items are alike",
        )
    return OFFSET


def _flag(properties: Mapping[str, Any], key: str) -> bool | None:
    value = properties.get(key)
    if value is None or isinstance(value, bool):
        return value
    if str(value).strip().lower() in ("true", "false"):
        return str(value).strip().lower() == "true"
    raise ItemError("offset-flag", f"{key} is neither true nor false", value=value, remedy="correct the item")


def _shown(properties: Mapping[str, Any], *keys: object) -> str:
    return ", ".join(f"{key}={properties.get(key)!r}" for key in keys if isinstance(key, str)) or "no such property"


def parse_baseline(value: object) -> tuple[int, int] | None:
    """Processing baseline as (major, minor): ``"05.09"``, ``"N0509"``, ``"0509"`` or 5.09; None if it is not one."""
    text = f"{value:05.2f}" if isinstance(value, float) else str(value).strip()
    match = re.fullmatch(r"[Nn]?(\d{1,2})\.(\d{1,2})|[Nn]?(\d{2})(\d{2})", text)
    if match is None:
        return None
    major, minor = match[1] or match[3], match[2] or match[4]
    return int(major), int(minor)


def reflectance(
    dn: NDArray[np.integer[Any]], offset: int, *, nodata: int = 0, out: NDArray[np.int16] | None = None
) -> NDArray[np.int16]:
    """Surface reflectance × 10⁴ as signed numbers, of the same shape as `dn`.

    Nodata is masked before the offset is added (else it would become −0.1), and the result is
    signed, because dark pixels lie below zero: DN 500 of baseline 04.00 is −500. Nodata is −32768;
    values outside −32767..32767 are clipped to these ends.

    Parameters
    ----------
    out : where the result goes; may be ``dn.view("int16")`` for 16-bit numbers that are not needed any more.

    Raises
    ------
    RasterError
        When `dn` does not hold integers.
    """
    _require_integers(dn, "a Sentinel-2 band")
    if out is None:
        out = np.empty(dn.shape, np.int16)
    if out.shape != dn.shape or not out.flags.c_contiguous:
        raise ValueError(f"output has shape {out.shape}, expected {dn.shape} in one piece")
    _reflectance(np.ascontiguousarray(dn).reshape(-1), np.int32(offset), np.int32(nodata), out.reshape(-1))
    return out


@numba.njit(cache=True, nogil=True)
def _reflectance(dn: NDArray[Any], offset: np.int32, nodata: np.int32, out: NDArray[np.int16]) -> None:
    # Through a small buffer: loops over arrays that may be one and the same would not run in vector registers.
    line = np.empty(_LINE, np.int32)
    for start in range(0, dn.size, _LINE):
        numbers, results = dn[start : start + _LINE], out[start : start + _LINE]
        for k in range(numbers.size):
            line[k] = numbers[k]
        for k in range(results.size):
            value = min(max(line[k] + offset, np.int32(NODATA + 1)), np.int32(-(NODATA + 1)))
            # Masked by the number itself; after the offset it would be one of many.
            results[k] = np.int32(NODATA) if line[k] == nodata else value


def clear_mask(scl: NDArray[np.integer[Any]], *, mask_snow: bool = False) -> NDArray[np.bool_]:
    """True where the scene classification shows the ground.

    Not clear are 0 no data, 1 saturated or defective, 3 cloud shadow, 8 and 9 cloud, 10 cirrus; with
    `mask_snow` also 11. Classes must have been taken to the grid by nearest neighbour from the full
    resolution: values outside 0–11 can only be damage.

    Raises
    ------
    RasterError
        For values that are no scene class.
    """
    clear = np.ones(256, np.bool_)
    clear[list(SCL_NOT_CLEAR)] = False
    clear[SCL_SNOW] = not mask_snow
    return np.asarray(clear[_scene_classes(scl)])


def observed(scl: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """True where the instrument saw something, cloud or ground: every class but 0; raises as `clear_mask` does."""
    return np.asarray(_scene_classes(scl) != 0)


def _scene_classes(scl: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    _require_integers(scl, "a scene classification")
    if scl.size and (scl.min() < 0 or scl.max() >= len(SCL_CLASSES)):
        wrong = scl[(scl < 0) | (scl >= len(SCL_CLASSES))]
        raise RasterError(
            "scl-value",
            "a scene classification holds 0 to 11 only",
            value=int(wrong.flat[0]),
            remedy="read classes by nearest neighbour from the full resolution; is this asset the SCL?",
        )
    return scl


def _require_integers(values: NDArray[Any], what: str) -> None:
    if values.dtype.kind not in "ui":
        raise RasterError(
            "not-integer",
            f"{what} must hold integers",
            value=str(values.dtype),
            remedy="check the asset and its dtype in the source definition",
        )
