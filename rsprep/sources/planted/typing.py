"""Types of the compiled kernels, which mix integers and floats as C does."""

from __future__ import annotations

from typing import Any, TypeAlias

Scalar: TypeAlias = Any
"""An int64 or float64 inside a compiled kernel."""
