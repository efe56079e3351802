"""What synthetic chips are worth: RS-UNet trained on real chips alone (True), and on the mix with them (Mix)."""

from __future__ import annotations

from rsmodels.downstream.compare import Comparison, compare
from rsmodels.downstream.settings import DownstreamSettings

__all__ = ["Comparison", "DownstreamSettings", "compare"]
