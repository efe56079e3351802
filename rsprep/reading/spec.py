"""How the bands that are read together are coded, and the kernel that takes them to the target."""

from __future__ import annotations

from dataclasses import dataclass

from rsprep.reading.warp import Resampling


@dataclass(frozen=True, kw_only=True)
class BandSpec:
    """What the source definition says about the bands that are read together."""

    dtype: str
    """Pixel type of the files, as in ``"uint16"``."""
    nodata: float | None
    """Value of missing pixels; None where only NaN or nothing marks them."""
    resampling: Resampling = "bilinear"
    """Kernel. Interpolating kernels give way to the area average where the target is much coarser."""
    categorical: bool = False
    """True for classes and bit fields, which are only ever copied."""

    def __post_init__(self) -> None:
        if self.categorical and self.resampling != "nearest":
            raise ValueError(f"classes can only be resampled by nearest, not by {self.resampling}")
