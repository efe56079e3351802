"""Granules: what a source found, frozen so that a resumed or repeated build reads the very same files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import shapely
from affine import Affine
from odc.geo.geobox import GeoBox


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One band of one file."""

    href: str
    """Where the file is: an absolute path or an unsigned URL (signing happens inside the task that reads), or an
    image and a band of it, as in ``ee://COPERNICUS/DEM/GLO30/N48_00_E012_00#DEM``."""
    band: int = 1
    """Band number in the file, counted from 1."""
    grid: GeoBox | None = None
    """Pixel lattice that the item declares (projection extension); None where it declares none."""
    size: int | None = None
    """Bytes in the file (``file:size``), where the item says so."""
    checksum: str | None = None
    """Multihash of the file (``file:checksum``), where the item says so."""

    @property
    def on_disk(self) -> bool:
        """Whether it is read from a disk; everything else is read over a network, and most of that is waiting."""
        return urlsplit(self.href).scheme in ("", "file")

    def to_json(self) -> dict[str, Any]:
        record: dict[str, Any] = {"href": self.href, "band": self.band}
        if self.grid is not None:
            record["crs"] = str(self.grid.crs)
            record["shape"] = [int(n) for n in self.grid.shape]
            record["transform"] = list(self.grid.transform)[:6]
        if self.size is not None:
            record["size"] = self.size
        if self.checksum is not None:
            record["checksum"] = self.checksum
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Asset:
        grid = None
        if "crs" in record:
            rows, columns = record["shape"]
            grid = GeoBox((rows, columns), Affine(*record["transform"]), record["crs"])
        return cls(
            href=record["href"],
            band=record["band"],
            grid=grid,
            size=record.get("size"),
            checksum=record.get("checksum"),
        )


@dataclass(frozen=True, kw_only=True)
class Granule:
    """One acquisition over one tile, or one tile of a static product.

    A granule holds no pixels and no secrets; it survives pickling and JSON unchanged.
    """

    id: str
    product: str
    """Key of the product in the source definition: ``sentinel2``, ``sentinel1``, ``landcover`` or ``dem``."""
    source: str
    """Name of the source definition that it was found by."""
    collection: str
    datetime: dt.datetime
    """Nominal acquisition time, UTC and aware."""
    footprint: shapely.Geometry
    """Footprint in longitude and latitude; a MultiPolygon where it crosses the antimeridian."""
    assets: Mapping[str, Asset]
    """Band name as used in the store (``B04``, ``SCL``, ``VV``, ``label``, ``elevation``) to file."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """The item properties that the product rules read, under the provider's own keys."""

    def __post_init__(self) -> None:
        if self.datetime.tzinfo is None or self.datetime.utcoffset() != dt.timedelta(0):
            raise ValueError(f"granule {self.id}: datetime must be aware and in UTC, got {self.datetime!r}")

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "product": self.product,
            "source": self.source,
            "collection": self.collection,
            "datetime": self.datetime.isoformat(),
            "footprint": shapely.to_wkb(self.footprint, hex=True),
            "assets": {name: asset.to_json() for name, asset in self.assets.items()},
            "properties": dict(self.properties),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Granule:
        return cls(
            id=record["id"],
            product=record["product"],
            source=record["source"],
            collection=record["collection"],
            datetime=dt.datetime.fromisoformat(record["datetime"]),
            footprint=shapely.from_wkb(record["footprint"]),
            assets={name: Asset.from_json(asset) for name, asset in record["assets"].items()},
            properties=record["properties"],
        )
