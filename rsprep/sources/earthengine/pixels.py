"""Pixels by ``computePixels``: windows of an image's own lattice, in its own numbers, with masked pixels filled.

What comes back is what a file would hold, so that one warp path serves every provider. Nothing is resampled by the
service: a grid that lies on the image's own lattice is copied, pixel by pixel.
"""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.errors import BuildError, ConfigError, RasterError, ReadError
from rsprep.granule import Asset
from rsprep.reading.access import Cost, ReadPolicy, Use
from rsprep.reading.control import ControlCache
from rsprep.reading.spec import BandSpec
from rsprep.sources.earthengine.faults import GOES_ON, Fault
from rsprep.sources.earthengine.hrefs import make_href
from rsprep.sources.earthengine.limiter import Limiter
from rsprep.sources.earthengine.login import Login
from rsprep.sources.earthengine.requests import Group, Tile, group_assets, lattice_of
from rsprep.sources.earthengine.session import ask

CASTS = {
    "uint8": "toUint8", "int8": "toInt8", "uint16": "toUint16", "int16": "toInt16",
    "uint32": "toUint32", "int32": "toInt32", "float32": "toFloat", "float64": "toDouble",
}  # fmt: skip
"""numpy dtype to the cast of ``ee.Image`` that gives it."""
MASKED_FLOAT = -9999.0
"""Stands for masked pixels on the way where the definition says NaN, which a request cannot say."""


@dataclass(kw_only=True)
class _Arriving:
    """Pixels of a group, complete when the last of its tiles has come."""

    group: Group
    values: NDArray[Any]
    """(band, y, x)."""
    waiting: int
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, tile: Tile, pixels: Mapping[str, NDArray[Any]]) -> bool:
        """Lay a tile into its place; True when it was the last."""
        part = self.group.part
        rows = slice(tile.rows.start - part.rows.start, tile.rows.stop - part.rows.start)
        columns = slice(tile.columns.start - part.columns.start, tile.columns.stop - part.columns.start)
        for place, band in zip(self.values, self.group.bands, strict=True):
            place[rows, columns] = pixels[band]
        with self.lock:
            self.waiting -= 1
            return self.waiting == 0


class EarthEngineAccess:
    """Reads images of Earth Engine; an :class:`rsprep.reading.access.Access`.

    Parameters
    ----------
    login : settings; credentials are read anew in each process.
    limiter : shared by all workers of a build.
    policy : how hard a request is tried.
    """

    def __init__(self, login: Login, limiter: Limiter, policy: ReadPolicy) -> None:
        self.login = login
        self.limiter = limiter
        self.policy = policy

    def read(
        self,
        assets: Sequence[Asset],
        spec: BandSpec,
        controls: ControlCache,
        use: Use,
        *,
        pool: Executor | None = None,
    ) -> None:
        """See :meth:`rsprep.reading.access.Access.read`.

        Raises
        ------
        RasterError, ReadError : as there. BuildError : login, project or quota, which every task would meet.
        """
        groups, absent = group_assets(assets, spec, controls)
        for index in absent:
            use(index, None)
        work = [(arriving, tile) for group in groups for arriving in [_room(group, spec)] for tile in group.tiles]

        def one(job: tuple[_Arriving, Tile]) -> None:
            arriving, tile = job
            group = arriving.group
            if arriving.put(tile, self._pixels(group, tile, spec)):
                for index, values in zip(group.indices, arriving.values, strict=True):
                    use(index, group.part.window(values, group.whole))

        # A single asset may be read from within the pool itself, which must not be waited for there.
        run: Callable[..., Any] = map if pool is None or len(assets) == 1 or len(work) == 1 else pool.map
        for _ in run(one, work):
            pass

    def grid(self, asset: Asset) -> GeoBox:
        """The lattice of a band, as the service gave it when the image was found."""
        return lattice_of(asset)

    def cost(self, assets: Sequence[Asset], spec: BandSpec, controls: ControlCache) -> Cost:
        """See :meth:`rsprep.reading.access.Access.cost`; the bytes are those of the pixels, without their masks."""
        groups, _ = group_assets([asset for asset in assets if asset.grid is not None], spec, controls)
        itemsize = np.dtype(spec.dtype).itemsize
        return sum(
            (
                Cost(requests=len(group.tiles), bytes=math.prod(group.part.shape) * len(group.bands) * itemsize)
                for group in groups
            ),
            Cost(),
        )

    def _pixels(self, group: Group, tile: Tile, spec: BandSpec) -> dict[str, NDArray[Any]]:
        """Band to pixels of a tile, masked ones filled."""
        what = make_href(group.image, ",".join(group.bands))
        fill = _fill(spec, what)

        def compute(ee: Any) -> Any:
            image = ee.Image.load(group.image).select(list(group.bands)).unmask(fill, False)
            request = {
                "expression": getattr(image, CASTS[spec.dtype])(),
                "fileFormat": "NPY",
                "grid": _grid_words(group.whole[tile.rows, tile.columns]),
            }
            return _array(ee.data.computePixels(request))

        try:
            answer = ask(self.login, compute, limiter=self.limiter, policy=self.policy)
        except Fault as fault:
            raise fault.as_read_error(what) from None
        except ConfigError as error:
            raise BuildError(error.slug, error.cause, value=error.value, remedy=f"{error.remedy}; {GOES_ON}") from None
        _check_answer(answer, group.bands, tile.shape, spec.dtype, what)
        return {band: _with_nan(answer[band], spec) for band in group.bands}


def _room(group: Group, spec: BandSpec) -> _Arriving:
    values = np.empty((len(group.bands), *group.part.shape), np.dtype(spec.dtype))
    return _Arriving(group=group, values=values, waiting=len(group.tiles))


def _fill(spec: BandSpec, what: str) -> float | int:
    """The number that masked pixels come back as."""
    whole = np.dtype(spec.dtype).kind != "f"
    if spec.nodata is None and whole:
        raise RasterError(
            "no-fill",
            f"{spec.dtype} pixels are masked on Earth Engine, and the definition names no number for them",
            value=what,
            remedy="declare nodata in the source definition: a number that cannot be a value",
        )
    if spec.nodata is None or np.isnan(spec.nodata):
        return MASKED_FLOAT
    return int(spec.nodata) if whole else float(spec.nodata)


def _with_nan(values: NDArray[Any], spec: BandSpec) -> NDArray[Any]:
    if np.dtype(spec.dtype).kind != "f" or (spec.nodata is not None and not np.isnan(spec.nodata)):
        return values
    return np.where(values == MASKED_FLOAT, np.nan, values).astype(values.dtype)


def _array(content: bytes) -> Any:
    try:
        return np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise Fault("passing", f"the answer is no array ({type(error).__name__})") from None


def _grid_words(grid: GeoBox) -> dict[str, Any]:
    affine = grid.affine
    return {
        "dimensions": {"width": int(grid.shape[1]), "height": int(grid.shape[0])},
        "affineTransform": {
            "scaleX": affine.a, "shearX": affine.b, "translateX": affine.c,
            "shearY": affine.d, "scaleY": affine.e, "translateY": affine.f,
        },
        "crsCode": str(grid.crs),
    }  # fmt: skip


def _check_answer(answer: Any, bands: tuple[str, ...], shape: tuple[int, int], dtype: str, what: str) -> None:
    """An array of another shape, type or band order is no pixels, whatever it holds."""
    expected = [(band, np.dtype(dtype).str) for band in bands]
    fields = getattr(answer, "dtype", np.dtype("V0")).fields
    told = [(name, kind[0].str) for name, kind in (fields or {}).items()]
    if getattr(answer, "shape", None) != shape or told != expected:
        raise ReadError(
            "wrong-answer",
            f"asked for {shape} pixels of {dtype} {', '.join(bands)}, the answer of Earth Engine is something else",
            value=f"{getattr(answer, 'shape', type(answer).__name__)} {told} for {what}",
            remedy="run the same command with --retry-failed; report it if it comes again",
        )
