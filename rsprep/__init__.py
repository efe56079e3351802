"""Remote-sensing training data: chips of Sentinel-1, Sentinel-2, land cover and terrain on one grid.

>>> import rsprep
>>> outcome = rsprep.build({"aoi": "region.geojson", "out": "chips"})  # doctest: +SKIP
>>> chips = rsprep.open("chips")  # doctest: +SKIP
>>> one = rsprep.chip(chips, "33N-0206-2099")  # doctest: +SKIP
>>> outcome = rsprep.maskmix({"seeds": "seeds", "out": "masks", "n": 10_000})  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rsprep.corpus.clouds.job import cloud_masks
    from rsprep.corpus.mixing.job import maskmix
    from rsprep.corpus.occlusion.job import occlude
    from rsprep.corpus.semantic.job import semantic_masks
    from rsprep.corpus.views.job import simulate_views
    from rsprep.multisource import build
    from rsprep.store.read import chip
    from rsprep.store.read import open_dataset as open  # noqa: A004  # rsprep.open, as in rasterio.open

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "build",
    "chip",
    "cloud_masks",
    "maskmix",
    "occlude",
    "open",
    "semantic_masks",
    "simulate_views",
]

_HOMES = {
    "build": ("rsprep.multisource", "build"),
    "chip": ("rsprep.store.read", "chip"),
    "cloud_masks": ("rsprep.corpus.clouds.job", "cloud_masks"),
    "maskmix": ("rsprep.corpus.mixing.job", "maskmix"),
    "occlude": ("rsprep.corpus.occlusion.job", "occlude"),
    "open": ("rsprep.store.read", "open_dataset"),
    "semantic_masks": ("rsprep.corpus.semantic.job", "semantic_masks"),
    "simulate_views": ("rsprep.corpus.views.job", "simulate_views"),
}


def __getattr__(name: str) -> Any:
    """Import on first use: `import rsprep` and `rsprep --help` stay quick."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'rsprep' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)
