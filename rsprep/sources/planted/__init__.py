"""A seeded landscape whose truth is known everywhere."""

from __future__ import annotations

from rsprep.sources.planted.publish import publish
from rsprep.sources.planted.simulate import simulate
from rsprep.sources.planted.world import World

__all__ = ["World", "publish", "simulate"]
