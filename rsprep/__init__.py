"""Remote-sensing training data: chips of Sentinel-1, Sentinel-2, land cover and terrain on one grid.

>>> import rsprep
>>> outcome = rsprep.build({"aoi": "region.geojson", "out": "chips"})  # doctest: +SKIP
>>> chips = rsprep.open("chips")  # doctest: +SKIP
>>> one = rsprep.chip(chips, "33N-0206-2099")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rsprep.multisource import build
    from rsprep.store.read import chip
    from rsprep.store.read import open_dataset as open  # noqa: A004  # rsprep.open, as in rasterio.open

__version__ = "0.1.0"
__all__ = ["__version__", "build", "chip", "open"]

_HOMES = {"build": ("rsprep.multisource", "build"), "open": ("rsprep.store.read", "open_dataset")}
_HOMES["chip"] = ("rsprep.store.read", "chip")


def __getattr__(name: str) -> Any:
    """Import on first use: `import rsprep` and `rsprep --help` stay quick."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'rsprep' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)
