"""Remote rasters for GDAL: it decodes, and asks this module for the bytes.

GDAL reads a header in a dozen small steps and then asks once for all blocks of a window
(``get_byte_ranges``), which is what makes concurrent fetching possible. What goes wrong in here must not
be raised into GDAL, which would drop it or put a complaint of its own in its place: it is kept, the bytes
asked for come out as zeros, and :func:`opened` raises it whatever GDAL made of them.
"""

from __future__ import annotations

import atexit
import contextvars
import io
import itertools
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
import rasterio
from affine import Affine
from rasterio.abc import MultiByteRangeResourceContainer
from rasterio.io import DatasetReader

from rsprep.errors import ReadError
from rsprep.reading.access import without_query
from rsprep.reading.ranges import RangeClient, Remote

Found = TypeVar("Found")
STEP_BYTES = 64 * 2**10
"""What is fetched at least where GDAL reads beyond the header, which it does bit by bit."""
MOST_BYTES = 2**28
"""Most bytes that GDAL gets at once: a block that was not packed, or an index of a very large file."""
PIECES = 4
"""Such pieces that a file keeps."""


class RangedFile:
    """A remote file as Python files are, for one thread at a time."""

    def __init__(self, client: RangeClient, remote: Remote) -> None:
        """Raises ReadError where not even the header can be had."""
        self._client = client
        self.remote = remote
        self.header, self.stale = client.header(remote)
        """`stale`: the header is from an earlier opening."""
        self.error: Exception | None = None
        """The first thing that went wrong while GDAL was reading."""
        self._at = 0
        self._pieces: list[tuple[int, bytes]] = [(0, self.header.data)]

    # -- what rasterio asks for ---------------------------------------------------------------

    def read(self, size: int = -1) -> bytes:
        end = self.header.total if size < 0 else min(self._at + size, self.header.total)
        first, self._at = self._at, max(self._at, end)
        return self._guarded(lambda: self._some(first, end), b"") if end > first else b""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.header.total}[whence]
        self._at = origin + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        """Nothing is held that has to be given back."""

    def get_byte_ranges(self, offsets: Sequence[int], sizes: Sequence[int]) -> list[bytes]:
        """Many ranges at once."""
        wanted = [(offset, offset + size) for offset, size in zip(offsets, sizes, strict=True)]
        return self._guarded(lambda: self._many(wanted), [bytes(size) for size in sizes])

    def __enter__(self) -> RangedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- where the bytes come from ------------------------------------------------------------

    def _guarded(self, fetch: Callable[[], Found], otherwise: Found) -> Found:
        if self.error is None:
            try:
                return fetch()
            except Exception as error:  # kept, and raised by `opened`
                self.error = error
        return otherwise

    def _many(self, wanted: Sequence[tuple[int, int]]) -> list[bytes]:
        self._refuse_flood(sum(end - first for first, end in wanted))
        at_hand = [self._kept(first, end) for first, end in wanted]
        missing = [one for one, kept in zip(wanted, at_hand, strict=True) if kept is None]
        fetched = iter(self._client.fetch(self.remote, self.header, missing) if missing else ())
        return [next(fetched) if kept is None else kept for kept in at_hand]

    def _some(self, first: int, end: int) -> bytes:
        kept = self._kept(first, end)
        if kept is None:
            self._refuse_flood(end - first)
            stop = min(max(end, first + STEP_BYTES), self.header.total)
            (piece,) = self._client.fetch(self.remote, self.header, [(first, stop)])
            self._pieces = [self._pieces[0], (first, piece), *self._pieces[1:PIECES]]
            kept = piece[: end - first]
        return kept

    def _refuse_flood(self, size: int) -> None:
        """A header may point to more bytes than a memory holds, and a server that is in league with it sends them."""
        if size > MOST_BYTES:
            raise ReadError(
                "flood",
                f"its header asks for {size:,} bytes at once, at most {MOST_BYTES:,} are fetched",
                value=without_query(self.remote.href),
                remedy="the file is broken, or made to break its readers",
            )

    def _kept(self, first: int, end: int) -> bytes | None:
        for start, data in self._pieces:
            if start <= first and end <= start + len(data):
                return data[first - start : end - start]
        return None


def opened(source: RangedFile, use: Callable[[Any], Found], **options: Any) -> Found:
    """What `use` makes of the open dataset.

    Parameters
    ----------
    options : of :class:`rasterio.io.DatasetReader`. A :class:`rasterio.Env` has to be open.

    Raises
    ------
    ReadError : a range could not be fetched. Also where GDAL was content with what it got.
    RasterioError : GDAL cannot make anything of the bytes, which all came.
    """
    # rasterio finds its openers in a context variable: only threads that run in the context see ours.
    return _bridge().context.copy().run(_used, source, use, options)


def _used(source: RangedFile, use: Callable[[Any], Found], options: dict[str, Any]) -> Found:
    with _bridge().lent(source) as path:
        try:
            # Not `rasterio.open`, which sets GDAL up once more for every file.
            with DatasetReader(path, **options) as file:
                found = use(file)
        except Exception:
            if source.error is not None:
                raise source.error from None
            raise
    if source.error is not None:
        raise source.error
    return found


class _Bridge:
    """GDAL's way to our files: one for the process.

    :func:`rasterio.open` can make a way for each file, but then GDAL's table of file systems is written to
    while other threads read it, unguarded. This one is made once, by opening a raster of one pixel that
    stays open; other files are reached by the name that it has been given.
    """

    def __init__(self) -> None:
        self._files: dict[str, RangedFile | io.BytesIO] = {}
        self._numbers = itertools.count()
        self.context = contextvars.Context()
        """Where rasterio remembers the bridge."""
        self._anchor = self.context.run(self._cast)
        self._prefix = self._anchor.name.removesuffix("anchor.tif")
        atexit.register(lambda: self.context.run(self._anchor.close))

    def lent(self, source: RangedFile) -> _Lent:
        """A context in which GDAL reaches `source`; it gives the path."""
        return _Lent(self._files, f"{next(self._numbers)}.tif", self._prefix, source)

    def _cast(self) -> Any:
        self._files["anchor.tif"] = io.BytesIO(_one_pixel())
        return rasterio.open("anchor.tif", driver="GTiff", opener=self)

    # -- what rasterio asks for ---------------------------------------------------------------

    def open(self, path: str, mode: str = "r", **_: Any) -> RangedFile | io.BytesIO:
        try:
            return self._files[path.rpartition("/")[2]]
        except KeyError:
            raise FileNotFoundError(path) from None

    def isfile(self, path: str) -> bool:
        return path.rpartition("/")[2] in self._files

    def isdir(self, path: str) -> bool:
        return False

    def ls(self, path: str) -> list[str]:
        return []

    def mtime(self, path: str) -> int:
        return 0

    def rm(self, path: str) -> None:
        raise PermissionError(path)

    def size(self, path: str) -> int:
        file = self.open(path)
        return file.header.total if isinstance(file, RangedFile) else file.getbuffer().nbytes


MultiByteRangeResourceContainer.register(_Bridge)


class _Lent:
    def __init__(self, files: dict[str, Any], name: str, prefix: str, source: RangedFile) -> None:
        self._files, self._name, self._path, self._source = files, name, prefix + name, source

    def __enter__(self) -> str:
        self._files[self._name] = self._source
        return self._path

    def __exit__(self, *_: object) -> None:
        del self._files[self._name]


_made: list[_Bridge] = []
_making = threading.Lock()


def _bridge() -> _Bridge:
    with _making:
        if not _made:
            _made.append(_Bridge())
        return _made[0]


def _one_pixel() -> bytes:
    with rasterio.MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            width=1,
            height=1,
            count=1,
            dtype="uint8",
            crs="EPSG:4326",
            transform=Affine(1, 0, 0, 0, -1, 1),
        ) as file:
            file.write(np.zeros((1, 1, 1), np.uint8))
        content: bytes = memory.read()
    return content
