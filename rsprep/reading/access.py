"""How pixels are reached: what every kind of source offers a task, and how files are opened, signed and retried."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from odc.geo.geobox import GeoBox

from rsprep.errors import RasterError
from rsprep.granule import Asset
from rsprep.reading.control import ControlCache
from rsprep.reading.outage import pause
from rsprep.reading.spec import BandSpec
from rsprep.reading.window import Window

REMOTE_SCHEMES = ("http", "https")
WINDOW_BYTES = 64 * 2**20
"""Most compressed bytes of one window that are held at a time; of a larger one, blocks come one by one."""
MOST_BANDS = 4096
"""Most bands of a file."""
Use = Callable[[int, Window | None], None]
"""Takes the window of the asset at an index; None where the asset does not touch the target."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a read takes at most."""

    requests: int = 0
    """Requests to a server; retries are not counted."""
    bytes: int = 0
    """Bytes of pixels, decoded."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(requests=self.requests + other.requests, bytes=self.bytes + other.bytes)


class Access(Protocol):
    """Where the pixels of one source come from, in a task.

    Pickles without any secret, and serves all threads of a task.
    """

    def read(
        self,
        assets: Sequence[Asset],
        spec: BandSpec,
        controls: ControlCache,
        use: Use,
        *,
        pool: Executor | None = None,
    ) -> None:
        """Read what the target of `controls` needs of each asset, at full resolution and in one piece.

        Parameters
        ----------
        spec : how the bands are coded by the source definition, and the kernel that they will go through; its
            support is read around the target's footprint.
        controls : control grids of the target, shared by everything that is read for it.
        use : called once for each asset as soon as its pixels are there, from any thread.
        pool : where assets are read concurrently; must not be the pool this call itself runs in, which would
            wait for itself. One after the other by default.

        Raises
        ------
        RasterError : a source contradicts its item or its definition (band, CRS, grid, dtype, nodata, size).
        ReadError : the pixels cannot be had or decoded, after the retries that the source allows.
        """
        ...

    def grid(self, asset: Asset) -> GeoBox:
        """The lattice of the whole source by its own words; raises as :meth:`read` does."""
        ...

    def cost(self, assets: Sequence[Asset], spec: BandSpec, controls: ControlCache) -> Cost:
        """What :meth:`read` would take at most; nothing is read. Assets that declare no grid count nothing."""
        ...


class Signer(Protocol):
    """Turns hrefs as they are stored into hrefs that can be read. Pickles without any secret."""

    def sign(self, href: str) -> str:
        """`href` with what the provider wants to see; unchanged where it wants nothing."""
        ...

    def renew(self, refused: str) -> str:
        """A fresh href in place of the signed one that the server just refused (403)."""
        ...


class NoSigning:
    """For providers whose files anybody may read."""

    def sign(self, href: str) -> str:
        return href

    def renew(self, refused: str) -> str:
        return refused


@dataclass(frozen=True, kw_only=True)
class ReadPolicy:
    """How hard a read is tried. Nothing in here changes a pixel."""

    attempts: int = 4
    """How often one request is tried in all."""
    patience: int = 8
    """How often more, where the server only says that it is busy."""
    outage_s: float = 0.0
    """Longest time that a server which gives no answer, or is busy, is waited for, however often that is, in seconds:
    counted from the server's last answer to anybody, or from the request's first trouble if that is longer ago."""
    backoff_s: float = 0.5
    """Pause before the second attempt, in seconds; doubled each time, and scattered downwards by up to half."""
    longest_wait_s: float = 30.0
    """Longest such pause, in seconds."""
    timeout_s: float = 60.0
    """Longest time a server may be silent, in seconds."""
    connect_timeout_s: float = 10.0
    """Longest time a connection may take to open, in seconds."""
    verify_checksum: bool = False
    """True: local files with a declared checksum are hashed before they are read."""
    sleep: Callable[[float], None] = pause
    """How to wait; tests put a clock of their own here."""
    clock: Callable[[], float] = time.monotonic
    """Tells the time, in seconds."""

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1, got {self.attempts}")


def gdal_options() -> dict[str, Any]:
    """GDAL configuration for reading rasters that others publish.

    No folder listing and no sidecars: an .aux.xml or .ovr beside a file must not change its pixels.
    Blocks of a window that come over the network are asked for at once only while they fit a bound.
    """
    return {
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "GDAL_PAM_ENABLED": "NO",
        "GDAL_MAX_RAW_BLOCK_CACHE_SIZE": str(WINDOW_BYTES),
        "GDAL_MAX_BAND_COUNT": str(MOST_BANDS),  # of which each takes memory as soon as a file is opened
    }


def is_remote(href: str) -> bool:
    """True for URLs that are read over the network; RasterError for schemes that are not read at all."""
    scheme = urlsplit(href).scheme.lower()
    if scheme in REMOTE_SCHEMES:
        return True
    if scheme not in ("", "file") or href.startswith("/vsi"):
        raise RasterError(
            "unsupported-href",
            "files are read from absolute paths and from http and https URLs only",
            value=without_query(href),
            remedy="correct the href in the catalog, or give the bucket's address by `rewrite` in the definition",
        )
    return False


def local_path(href: str) -> Path:
    """Path of a local href, plain or file://."""
    return Path(unquote(urlsplit(href).path)) if href.startswith("file:") else Path(href)


def without_query(href: str) -> str:
    """`href` as it may be shown and stored: what follows the question mark may be a signature."""
    return href.split("?", 1)[0] if "://" in href else href


def without_secrets(message: str) -> str:
    """`message` with the query string of every URL in it removed."""
    return re.sub(r"\?[^\s'\"<>]*", "", message)
