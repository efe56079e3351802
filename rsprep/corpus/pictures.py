"""Read pictures that others made: PNG, JPEG, GeoTIFF and JPEG 2000, by what is in the file.

A file is untrusted: its kind is told by its first bytes and opened by that one decoder only (never a
VRT or another format that points elsewhere), its size is checked before anything is decoded, and
whatever a decoder raises becomes a named error.

The orientation in a camera's EXIF tag is ignored on purpose: masks and class maps are drawn on the
pixels as they are stored, and a reader that turned one of the two would part them.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from rsprep.errors import InputError
from rsprep.reading.access import gdal_options

Format = Literal["PNG", "JPEG", "GTiff", "JP2OpenJPEG"]
Mode = Literal["rgb", "rgba", "grey", "grey-alpha", "palette", "bits", "bands"]
Rgb = tuple[int, int, int]
Box = tuple[slice, slice]

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".jp2")
"""Names of files that are taken for pictures."""
DTYPES = ("uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")
MAX_DECODED_BYTES = 2 * 2**30
"""Most bytes that one read may decode to."""
MAX_PIXELS = 89_478_485
"""Most pixels of a PNG or JPEG, which can only be decoded whole (9,459 a side)."""
_WHOLE = f"a PNG or JPEG is decoded whole, so at most {MAX_PIXELS:,} pixels are read"
_MAGIC: dict[bytes, Format] = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\x00": "GTiff",
    b"MM\x00*": "GTiff",
    b"II+\x00": "GTiff",
    b"MM\x00+": "GTiff",
    b"\x00\x00\x00\x0cjP  \r\n\x87\n": "JP2OpenJPEG",
}
_MODES: dict[str, tuple[Mode, int, str]] = {
    "1": ("bits", 1, "uint8"),
    "L": ("grey", 1, "uint8"),
    "LA": ("grey-alpha", 2, "uint8"),
    "I;16": ("grey", 1, "uint16"),
    "P": ("palette", 1, "uint8"),
    "RGB": ("rgb", 3, "uint8"),
    "RGBA": ("rgba", 4, "uint8"),
}
"""Pillow's modes: our name, bands and dtype."""
_opening = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class PictureInfo:
    """What the header of a picture says."""

    path: Path
    format: Format
    bands: int
    height: int
    width: int
    dtype: str
    """numpy name, as in ``"uint16"``."""
    mode: Mode
    """What the bands are. palette: codes with a colour each; bits: 1 bit a pixel; bands: none of the others."""
    palette: tuple[Rgb, ...] | None = None
    """Colour of each code, 0 to 255 each; None for anything but a palette."""
    epsg: int | None = None
    """EPSG code of the CRS; None where the file has none, or one without a code."""
    transform: Affine | None = None
    """From (column, row) of a pixel's outer edge to the CRS; None without a CRS."""
    nodata: float | None = None
    """Declared value of missing pixels."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(bands, y, x)."""
        return self.bands, self.height, self.width

    @property
    def windowed(self) -> bool:
        """True where a part can be read without decoding the whole."""
        return self.format in ("GTiff", "JP2OpenJPEG")


def picture_size(path: str | Path) -> PictureInfo:
    """What the header says: shape, dtype, mode; no pixel is decoded.

    Raises
    ------
    InputError : ``no-such-picture``, ``unsupported-picture``, ``corrupt-picture``, ``picture-too-large``.
    """
    path = Path(path)
    kind = _format_of(path)
    if kind in ("GTiff", "JP2OpenJPEG") or _is_deep_png(path, kind):
        with _raster(path, kind) as file:
            info = _raster_info(path, kind, file)
    else:
        with _image(path, kind) as image:
            info = _image_info(path, kind, image)
    if not info.windowed and info.height * info.width > MAX_PIXELS:
        raise _too_large(f"{path}: {info.height} × {info.width}", _WHOLE)
    return info


def read_picture(path: str | Path, *, window: Box | None = None, colours: bool = False) -> NDArray[Any]:
    """Pixels of a picture, as they are stored.

    Parameters
    ----------
    window : rows and columns to read, within the picture; the whole by default.
    colours : True turns a palette's codes into their colours, three uint8 bands; other pictures stay as they are.

    Returns
    -------
    Shape (bands, y, x). 1 bit a pixel becomes uint8 0 and 1; codes of a palette stay codes.

    Raises
    ------
    InputError : as :func:`picture_size`, which see for what is told of the bands.
    """
    info = picture_size(path)
    rows, columns = window or (slice(0, info.height), slice(0, info.width))
    if not (0 <= rows.start < rows.stop <= info.height and 0 <= columns.start < columns.stop <= info.width):
        raise ValueError(f"{rows}, {columns} is not within {info.height} × {info.width}")
    decoded = (rows.stop - rows.start) * (columns.stop - columns.start) if info.windowed else info.height * info.width
    if decoded * info.bands * np.dtype(info.dtype).itemsize > MAX_DECODED_BYTES:
        found = f"{path}: {info.bands} × {info.height} × {info.width} {info.dtype}"
        raise _too_large(found, f"at most {MAX_DECODED_BYTES / 2**30:g} GiB are decoded at once")
    values = _decode(info, rows, columns)
    return _coloured(info, values) if colours and info.mode == "palette" else values


def read_mask(path: str | Path, *, window: Box | None = None) -> NDArray[np.uint8]:
    """A binary mask: (y, x) uint8, 1 where the file has 1 or 255.

    Taken are one bit a pixel, greys of 0 and 1 or of 0 and 255, and colours of which all are black or white.

    Parameters
    ----------
    window : rows and columns; all by default.

    Raises
    ------
    InputError : ``mask-bands`` for colours or several bands, ``mask-values`` for other numbers; or as
        :func:`picture_size`.
    """
    values = read_picture(path, window=window, colours=True)
    if len(values) == 3 and (values == values[:1]).all():
        values = values[:1]  # saved by a program that knows colours only
    if len(values) != 1:
        raise InputError(
            "mask-bands",
            "a mask has one band, or three that are equal",
            value=f"{path}: {len(values)} bands",
            remedy="save it as greyscale with 0 for clear and 255 for masked",
        )
    found = [int(value) if float(value).is_integer() else float(value) for value in np.unique(values)[:64]]
    if not (set(found) <= {0, 1} or set(found) <= {0, 255}):
        raise InputError(
            "mask-values",
            "a mask holds 0 and 1, or 0 and 255",
            value=f"{path}: {', '.join(map(str, found[:8]))}{', …' if len(found) > 8 else ''}",
            remedy="threshold it, and save it as PNG: JPEG changes values",
        )
    return np.asarray(values[0] != 0, np.uint8)


# -- what a file is -------------------------------------------------------------------------------


def _format_of(path: Path) -> Format:
    if not path.is_file():
        raise InputError("no-such-picture", "there is no such file", value=str(path), remedy="check the path")
    try:
        with path.open("rb") as stream:
            head = stream.read(12)
    except OSError as error:
        raise _corrupt(path, error) from None
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    if not head:
        raise _corrupt(path, "the file is empty")
    raise _unsupported(path, "the file is none of PNG, JPEG, TIFF, JPEG 2000")


def _is_deep_png(path: Path, kind: Format) -> bool:
    """True for 16 bits in several bands, of which Pillow would keep 8 without a word."""
    if kind != "PNG":
        return False
    with path.open("rb") as stream:
        head = stream.read(26)
    if len(head) < 26 or head[12:16] != b"IHDR":
        raise _corrupt(path, "the PNG header is cut off")
    depth, colour = head[24], head[25]
    if colour == 0 and depth in (2, 4):
        # Class codes or greys? Readers differ: some multiply by 85 or 17, some do not.
        raise _unsupported(path, f"a greyscale PNG of {depth} bits has no agreed scale; save it with 8 bits")
    return depth == 16 and colour != 0


def _image_info(path: Path, kind: Format, image: Image.Image) -> PictureInfo:
    if image.mode not in _MODES:
        raise _unsupported(path, f"pictures of mode {image.mode} are not read")
    mode, bands, dtype = _MODES[image.mode]
    palette = None
    if mode == "palette" and image.palette is not None:
        flat = list(image.palette.palette)
        palette = tuple((flat[i], flat[i + 1], flat[i + 2]) for i in range(0, len(flat) - 2, 3))
    width, height = image.size
    return PictureInfo(
        path=path, format=kind, bands=bands, height=height, width=width, dtype=dtype, mode=mode, palette=palette
    )


def _raster_info(path: Path, kind: Format, file: Any) -> PictureInfo:
    dtype = file.dtypes[0]
    if dtype not in DTYPES:
        raise _unsupported(path, f"pixels of type {dtype} are not read")
    palette = None
    if file.colorinterp[0] == ColorInterp.palette:
        table = file.colormap(1)
        palette = tuple((red, green, blue) for red, green, blue, *_ in (table[code] for code in sorted(table)))
    crs = file.crs
    return PictureInfo(
        path=path,
        format=kind,
        bands=file.count,
        height=file.height,
        width=file.width,
        dtype=dtype,
        mode=_raster_mode(file),
        palette=palette,
        epsg=crs.to_epsg() if crs else None,
        transform=file.transform if crs else None,
        nodata=file.nodatavals[0],
    )


def _raster_mode(file: Any) -> Mode:
    known: dict[tuple[ColorInterp, ...], Mode] = {
        (ColorInterp.palette,): "palette",
        (ColorInterp.gray,): "grey",
        (ColorInterp.gray, ColorInterp.alpha): "grey-alpha",
        (ColorInterp.red, ColorInterp.green, ColorInterp.blue): "rgb",
        (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha): "rgba",
    }
    if file.count == 1 and file.tags(1, ns="IMAGE_STRUCTURE").get("NBITS") == "1":
        return "bits"
    return known.get(tuple(file.colorinterp), "bands")


# -- decoding -------------------------------------------------------------------------------------


def _decode(info: PictureInfo, rows: slice, columns: slice) -> NDArray[Any]:
    if info.windowed or (info.format == "PNG" and _is_deep_png(info.path, info.format)):
        with _raster(info.path, info.format) as file:
            values = file.read(window=Window.from_slices(rows, columns))
        return np.ascontiguousarray(values)
    if info.format == "PNG":
        with _image(info.path, info.format) as image:
            image.verify()  # the checksum of every chunk; decoding does not look at them
    with _image(info.path, info.format) as image:
        whole = np.asarray(image)
    if whole.ndim == 2:
        whole = whole[:, :, None]
    return np.ascontiguousarray(np.moveaxis(whole, 2, 0)[:, rows, columns]).astype(info.dtype, copy=False)


def _coloured(info: PictureInfo, codes: NDArray[Any]) -> NDArray[np.uint8]:
    table = np.array(info.palette or (), np.uint8).reshape(-1, 3)
    if codes.size and int(codes.max()) >= len(table):
        raise _corrupt(info.path, f"code {int(codes.max())} has no colour in the palette of {len(table)}")
    return np.ascontiguousarray(np.moveaxis(table[codes[0]], 2, 0))


@contextmanager
def _image(path: Path, kind: Format) -> Iterator[Image.Image]:
    try:
        with Image.open(io.BytesIO(path.read_bytes()), formats=[kind]) as image:
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(path, _WHOLE) from None
    except (InputError, MemoryError):
        raise
    except Exception as error:  # a decoder given damaged bytes may raise anything
        raise _corrupt(path, error) from None


@contextmanager
def _raster(path: Path, kind: Format) -> Iterator[Any]:
    try:
        with rasterio.Env(**gdal_options()), _opened(path, kind) as file:
            yield file
    except (RasterioError, OSError) as error:
        raise _corrupt(path, error) from None


def _opened(path: Path, kind: Format) -> Any:
    """Open with one driver; that a picture has no place on the ground is no news here."""
    with _opening, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(str(path.absolute()), driver=kind, OVERVIEW_LEVEL="NONE")


# -- errors ---------------------------------------------------------------------------------------


def _corrupt(path: Path, error: object) -> InputError:
    return InputError(
        "corrupt-picture",
        f"the picture cannot be decoded: {str(error) or type(error).__name__}",
        value=str(path),
        remedy="fetch or save the file again, or take it out of the folder",
    )


def _unsupported(path: Path, cause: str) -> InputError:
    return InputError(
        "unsupported-picture",
        cause,
        value=str(path),
        remedy="convert it to an 8 or 16 bit PNG or GeoTIFF, or take it out of the folder",
    )


def _too_large(found: object, limit: str) -> InputError:
    return InputError(
        "picture-too-large",
        limit,
        value=str(found),
        remedy="cut it, or convert it to a tiled GeoTIFF, which is read in parts",
    )
