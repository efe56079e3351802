"""Google Earth Engine: images as granules, pixels by ``computePixels``. Needs ``pip install 'rsprep[ee]'``."""

from __future__ import annotations

from rsprep.config import EarthEngine
from rsprep.sources.base import Source
from rsprep.sources.definition import SourceDefinition
from rsprep.sources.earthengine.source import EarthEngineSource

__all__ = ["EarthEngineSource", "open_source"]


def open_source(definition: SourceDefinition, endpoint: str, login: EarthEngine) -> Source:
    """What :func:`rsprep.sources.base.open_source` calls for definitions of kind ``earthengine``."""
    return EarthEngineSource(definition, endpoint, login)
