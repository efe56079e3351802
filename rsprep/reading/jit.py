"""How kernels are compiled: cached on disk, without the interpreter lock, with IEEE semantics kept.

No fast-math flag is set on purpose. Those that assume the absence of NaN remove the very tests that
keep nodata out of the interpolation, and contraction would make the last digit depend on the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile `function` with numba on first use; calls to it release the interpreter lock."""
    return cast(Function, njit(cache=True, nogil=True, error_model="numpy")(function))
