"""Memory of the C library, as training on a CPU wants it."""

from __future__ import annotations

import ctypes
import platform

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
"""Parameters of mallopt(3); a threshold of -1 never trims."""


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, for its next large tensors; True where that is possible.

    glibc gives every block above 32 MiB back to the system at once, and each new one is then paged in anew, which
    took a tenth of the time of a training step on a CPU. The price: the process holds on to its peak. Only on Linux
    with glibc; memory of a GPU is not concerned.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    wanted = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1), (_TOP_PAD, 2**26))
    return all(mallopt(parameter, value) == 1 for parameter, value in wanted)
